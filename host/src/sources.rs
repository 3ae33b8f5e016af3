//! Data sources: folders whose files workers are shown. Each is opened from the project's folder, or from a folder outside that the
//! user's own settings name, and everything in it beneath that without following links: neither a link, nor a race with somebody
//! who makes one, leads anywhere else. What a call saw is kept with its run.

use crate::builtin::beneath::{self, Found, Workspace};
use crate::builtin::{Failure, glob, media};
use aivm_schema::worker::Source;
use regex::Regex;
use rustix::fd::OwnedFd;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

mod sync;

pub use sync::Synced;

/// How deep folders are read, and how many names one may have.
const MOST_DEPTH: usize = 32;
const MOST_NAMES: usize = 100_000;

/// Why a source is not read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is none of this name.
    #[error(
        "E0841: no data source is called `{0}`: name its folder in aivm.toml, [sources.{0}] path = \"…\", or in ai_worker_definitions.json"
    )]
    Unknown(String),
    /// Its folder, or a file in it.
    #[error("E0842: the data source `{name}` cannot be read: {reason}")]
    Unreadable {
        /// Which.
        name: String,
        /// Why.
        reason: String,
    },
    /// It is where nobody allowed it to be.
    #[error("E0843: the data source `{name}` is {path}, outside of the project: {reason}")]
    NotAllowed {
        /// Which.
        name: String,
        /// Its folder.
        path: String,
        /// What is missing.
        reason: &'static str,
    },
    /// There is too much in it.
    #[error("E0844: the data source `{name}` has more than {limit}: narrow its `filters`, or name a folder within it")]
    TooLarge {
        /// Which.
        name: String,
        /// Of what.
        limit: String,
    },
}

/// The data sources of a project.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// By name.
    pub all: BTreeMap<String, Source>,
    /// The project's folder.
    pub project: PathBuf,
    /// The folders outside in which sources may be, as the user's own settings say.
    pub allowed: Vec<PathBuf>,
}

/// A file of a source, held open.
pub struct SourceFile {
    /// Its path within the source.
    pub path: String,
    /// In bytes, when it was opened.
    pub size: u64,
    /// When it was changed.
    pub modified: Option<SystemTime>,
    file: File,
}

impl SourceFile {
    /// What is in it; none when that is more than so many bytes.
    pub fn read(self, name: &str, most: usize) -> Result<Option<Vec<u8>>, SourceError> {
        match beneath::read(self.file, &self.path, most) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Failure::Limit { .. }) => Ok(None),
            Err(failure) => Err(unreadable(name, &failure)),
        }
    }
}

/// How much of sources a call is shown.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// So many files.
    pub files: usize,
    /// And so many bytes.
    pub bytes: usize,
    /// Only what is text.
    pub text: bool,
    /// More is a failure, and is not left out.
    pub strict: bool,
}

/// A file that a call is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The source, and the path within it: `docs/a/b.md`.
    pub name: String,
    /// By its name, else text when it is UTF-8.
    pub media_type: &'static str,
    /// What is in it.
    pub payload: Vec<u8>,
}

/// What a call is shown of its sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// In order of their names, source by source.
    pub files: Vec<Shown>,
    /// What is left out, and its size.
    pub left: Vec<(String, u64)>,
}

fn unreadable(name: &str, failure: &dyn std::fmt::Display) -> SourceError {
    SourceError::Unreadable { name: name.to_owned(), reason: failure.to_string() }
}

impl Sources {
    /// What is said of one.
    pub fn get(&self, name: &str) -> Result<&Source, SourceError> {
        self.all.get(name).ok_or_else(|| SourceError::Unknown(name.to_owned()))
    }

    /// The folder of a source, as people name it.
    pub fn folder(&self, source: &Source) -> PathBuf {
        self.project.join(home(&source.path))
    }

    /// Opens its folder.
    fn open(&self, name: &str, source: &Source) -> Result<OwnedFd, SourceError> {
        let path = self.folder(source);
        let refused =
            |reason| SourceError::NotAllowed { name: name.to_owned(), path: path.display().to_string(), reason };
        let (base, within) = match path.strip_prefix(&self.project) {
            Ok(within) => (&self.project, within),
            Err(_) if !source.allow_external => {
                return Err(refused("say `allow_external = true` of it, and allow its folder in your own settings"));
            }
            Err(_) => {
                let within = |base: &'_ PathBuf| path.strip_prefix(base).is_ok();
                let base = self.allowed.iter().filter(|base| within(base)).max_by_key(|base| base.as_os_str().len());
                let base = base.ok_or_else(|| {
                    refused("no folder of `allowed` in your own sources.toml (aivm config show: user) holds it")
                })?;
                (base, path.strip_prefix(base).unwrap_or(&path))
            }
        };
        let within = within.to_str().ok_or_else(|| unreadable(name, &"its path is no text"))?;
        let opened = Workspace::open(base).and_then(|base| base.find(within));
        match opened.map_err(|failure| unreadable(name, &failure))? {
            Found::Folder(folder) => Ok(folder),
            Found::File(_) => Err(unreadable(name, &format!("{} is a file, not a folder", path.display()))),
        }
    }

    /// The files of a source, in order of their names; links and devices are passed over. `false` ends it.
    pub fn each(
        &self,
        name: &str,
        hear: &mut dyn FnMut(SourceFile) -> Result<bool, SourceError>,
    ) -> Result<(), SourceError> {
        let source = self.get(name)?;
        let walk = Walk { name, recursive: source.recursive, filters: filters(&source.filters) };
        walk.folder(&self.open(name, source)?, "", 0, hear).map(drop)
    }

    /// What a call is shown of these sources.
    pub fn seen(&self, names: &[String], bound: Bound) -> Result<Seen, SourceError> {
        let mut seen = Seen::default();
        let mut room = bound.bytes;
        for name in names {
            self.each(name, &mut |file| {
                let (path, size) = (format!("{name}/{}", file.path), file.size);
                let media = media::of_name(&file.path);
                let skipped = bound.text && media.is_some_and(|media| !media::is_text(media));
                let fits = seen.files.len() < bound.files && !skipped;
                let payload = if fits { file.read(name, room)? } else { None };
                let payload = payload.filter(|bytes| !bound.text || std::str::from_utf8(bytes).is_ok());
                match payload {
                    Some(payload) => {
                        room -= payload.len();
                        let text = if std::str::from_utf8(&payload).is_ok() { media::TEXT } else { media::BYTES };
                        seen.files.push(Shown { name: path, media_type: media.unwrap_or(text), payload });
                    }
                    None if bound.strict => {
                        let limit = format!("{} files, or {} MiB", bound.files, bound.bytes >> 20);
                        return Err(SourceError::TooLarge { name: name.clone(), limit });
                    }
                    None => seen.left.push((path, size)),
                }
                Ok(true)
            })?;
        }
        Ok(seen)
    }
}

/// A walk through the files of a source.
struct Walk<'s> {
    name: &'s str,
    recursive: bool,
    filters: Vec<(bool, Regex)>,
}

impl Walk<'_> {
    fn folder(
        &self,
        folder: &OwnedFd,
        within: &str,
        depth: usize,
        hear: &mut dyn FnMut(SourceFile) -> Result<bool, SourceError>,
    ) -> Result<bool, SourceError> {
        if depth > MOST_DEPTH {
            let limit = format!("{MOST_DEPTH} folders in each other");
            return Err(SourceError::TooLarge { name: self.name.to_owned(), limit });
        }
        let error = |failure: &Failure| unreadable(self.name, failure);
        for name in beneath::names(folder, within, MOST_NAMES).map_err(|failure| error(&failure))? {
            let path = if within.is_empty() { name.clone() } else { format!("{within}/{name}") };
            match beneath::open(folder, &name, &path) {
                Ok(Found::File(file)) if self.wants(&name, &path) => {
                    let about = file.metadata().map_err(|failure| unreadable(self.name, &failure))?;
                    let (size, modified) = (about.len(), about.modified().ok());
                    if !hear(SourceFile { path, size, modified, file })? {
                        return Ok(false);
                    }
                }
                Ok(Found::Folder(inner)) if self.recursive => {
                    if !self.folder(&inner, &path, depth + 1, hear)? {
                        return Ok(false);
                    }
                }
                // Nobody asked for a link by its name; and what was there a moment ago may be gone.
                Ok(_) | Err(Failure::Path { .. } | Failure::Missing(_)) => {}
                Err(failure) => return Err(error(&failure)),
            }
        }
        Ok(true)
    }

    fn wants(&self, name: &str, path: &str) -> bool {
        let fits = |(whole, filter): &(bool, Regex)| filter.is_match(if *whole { path } else { name });
        self.filters.is_empty() || self.filters.iter().any(fits)
    }
}

/// Patterns: of names, or with a `/` of whole paths. One that is none fits nothing.
fn filters(patterns: &[String]) -> Vec<(bool, Regex)> {
    let none = || Regex::new("$^x").ok();
    let one = |pattern: &String| {
        let filter = glob::compile(pattern.trim_start_matches('/')).ok().or_else(none)?;
        Some((pattern.contains('/'), filter))
    };
    patterns.iter().filter_map(one).collect()
}

/// `~` is the user's home.
fn home(path: &str) -> PathBuf {
    let home = || std::env::var_os("HOME").map(PathBuf::from);
    match path.strip_prefix("~/") {
        Some(rest) => home().map_or(path.into(), |home| home.join(rest)),
        None => Path::new(path).to_path_buf(),
    }
}

#[cfg(test)]
mod tests;
