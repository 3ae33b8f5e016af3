//! `artifact export`: values as files under their keys. Each folder is opened beneath the one above without following links, so
//! nothing is written anywhere else, whatever stands in the folder; what stands there is never replaced.

use super::{each, failed, short, some};
use crate::args::{ExportFormat, ExportValuesArgs as Args, Global};
use crate::fail::{Exit, Failure};
use aivm_host::store::values::Values;
use aivm_schema::artifact::{Artifact, json as artifact_json, key};
use rustix::fd::OwnedFd;
use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;
use serde_json::json;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::RDONLY);

/// `aivm artifact export DIR`.
pub(super) fn export(global: &Global, values: &dyn Values, args: &Args) -> Result<Exit, Failure> {
    let form = match args.format {
        ExportFormat::Binary => key::Form::Binary,
        ExportFormat::Json => key::Form::Json,
    };
    let tree = Tree::open(&args.folder)?;
    let (mut all, mut written, mut bytes, mut damaged) = (0usize, 0usize, 0u64, Vec::new());
    each(values, &args.chosen, "", |shown| {
        all += 1;
        let artifact = match values.find(shown.entry.checksum) {
            Ok(Some(artifact)) => artifact,
            Ok(None) => return Ok(true),
            // The others are written all the same.
            Err(error) => {
                damaged.push(failed(error));
                return Ok(true);
            }
        };
        let content = match form {
            key::Form::Binary => artifact.to_framed(),
            key::Form::Json => format!("{}\n", artifact_json::to_json(&artifact)).into_bytes(),
        };
        if tree.put(&artifact, form, &content)? {
            written += 1;
            bytes += content.len() as u64;
        }
        Ok(true)
    })?;
    some(&args.chosen, all)?;
    let there = all - written - damaged.len();
    if global.json {
        let damaged: Vec<String> = damaged.iter().map(Failure::message).collect();
        let Args { folder, .. } = args;
        println!(
            "{}",
            json!({"v": 1, "folder": folder, "written": written, "there": there, "bytes": bytes, "damaged": damaged})
        );
        return Ok(if damaged.is_empty() { Exit::SENT } else { Exit::STORE });
    }
    let were = if there > 0 { format!(", {there} were there") } else { String::new() };
    println!("{}: {written} written, {}{were}", args.folder.display(), crate::out::size_text(bytes));
    damaged.into_iter().next().map_or(Ok(Exit::SENT), Err)
}

/// The folder that is written into, held open.
struct Tree<'p> {
    root: OwnedFd,
    path: &'p Path,
}

impl Tree<'_> {
    fn open(path: &Path) -> Result<Tree<'_>, Failure> {
        let cannot = |error: &dyn std::fmt::Display| {
            Failure::usage("E0810", format!("cannot write {}: {error}", path.display()))
        };
        std::fs::create_dir_all(path).map_err(|error| cannot(&error))?;
        let root = fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY, Mode::empty());
        let root = root.map_err(|error| cannot(&error))?;
        // One after the other: what a killed one left aside is nobody else's.
        fs::flock(&root, fs::FlockOperation::LockExclusive).map_err(|error| cannot(&error))?;
        Ok(Tree { root, path })
    }

    /// Writes a value under its key; `false`: it was there. Under one key can stand a value and the same with a signature: the second
    /// has its checksum in its name.
    fn put(&self, artifact: &Artifact, form: key::Form, content: &[u8]) -> Result<bool, Failure> {
        let key = key::encode(artifact, form);
        let (folders, name) = key.rsplit_once('/').unwrap_or(("", &key));
        let folder = self.folder(folders).map_err(|error| self.cannot(&key, error))?;
        let found = match self.place(&folder, name, &key, artifact, content)? {
            Found::Another => {
                let stem = name.strip_suffix(form.extension()).unwrap_or(name);
                let name = format!("{stem}{}.{}", short(artifact.checksum()), form.extension());
                self.place(&folder, &name, &format!("{folders}/{name}"), artifact, content)?
            }
            found => found,
        };
        match found {
            Found::Written => Ok(true),
            Found::Same => Ok(false),
            Found::Other | Found::Another => {
                let path = self.path.join(&key);
                Err(Failure::usage("E0835", format!("{} has other content, and stays as it is", path.display()))
                    .help("export into another folder, or move the file away"))
            }
        }
    }

    fn folder(&self, names: &str) -> Result<OwnedFd, Errno> {
        let mut at: Option<OwnedFd> = None;
        for name in names.split('/') {
            let above = at.as_ref().unwrap_or(&self.root);
            let open = || fs::openat(above, name, FOLDER, Mode::empty());
            let next = match open() {
                Err(Errno::NOENT) => match fs::mkdirat(above, name, Mode::from_raw_mode(0o777)) {
                    Ok(()) | Err(Errno::EXIST) => open(),
                    Err(error) => Err(error),
                },
                other => other,
            };
            at = Some(next?);
        }
        at.ok_or(Errno::INVAL)
    }

    /// Writes a file aside and links it to its name, if nothing stands there: it is there whole, or not at all.
    fn place(
        &self,
        folder: &OwnedFd,
        name: &str,
        key: &str,
        artifact: &Artifact,
        content: &[u8],
    ) -> Result<Found, Failure> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match fs::openat(folder, name, flags, Mode::empty()) {
            Ok(file) => return Ok(Found::of(File::from(file), artifact, content)),
            Err(Errno::NOENT) => {}
            // A link is other content, whatever it leads to.
            Err(Errno::LOOP | Errno::MLINK) => return Ok(Found::Other),
            Err(error) => return Err(self.cannot(key, error)),
        }
        let aside = format!(".{}.part", artifact.checksum());
        let _ = fs::unlinkat(folder, &aside, fs::AtFlags::empty());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = fs::openat(folder, &aside, flags, Mode::from_raw_mode(0o666));
        let written = made.map_err(std::io::Error::from).and_then(|file| {
            let mut file = File::from(file);
            file.write_all(content)?;
            file.sync_data()?;
            Ok(fs::renameat_with(folder, &aside, folder, name, fs::RenameFlags::NOREPLACE)?)
        });
        match written {
            Ok(()) => Ok(Found::Written),
            Err(error) => {
                let _ = fs::unlinkat(folder, &aside, fs::AtFlags::empty());
                Err(self.cannot(key, error))
            }
        }
    }

    fn cannot(&self, key: &str, error: impl Into<std::io::Error>) -> Failure {
        let (path, error) = (self.path.join(key), error.into());
        let failure = Failure::failed("E0810", format!("cannot write {}: {error}", path.display()));
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::LOOP | Errno::MLINK | Errno::NOTDIR) => failure
                .help("a link or a file stands where a folder has to be, and links are not followed: move it away"),
            _ => failure,
        }
    }
}

/// What stood at a place.
enum Found {
    Written,
    Same,
    /// The same value with another signature.
    Another,
    Other,
}

impl Found {
    fn of(file: File, artifact: &Artifact, content: &[u8]) -> Found {
        let mut there = Vec::new();
        // A little more is enough to know that it is another one.
        let most = 2 * content.len() as u64 + 4_096;
        let plain = file.metadata().is_ok_and(|about| about.is_file());
        if !plain || file.take(most).read_to_end(&mut there).is_err() {
            return Found::Other;
        }
        if there == content {
            return Found::Same;
        }
        let framed = Artifact::from_framed(&there).ok().map(|(there, _)| there);
        let read = framed.or_else(|| artifact_json::from_json(&serde_json::from_slice(&there).ok()?).ok());
        let same = |there: &Artifact| {
            there.id() == artifact.id() && there.content_digest() == artifact.content_digest() && there != artifact
        };
        if read.as_ref().is_some_and(same) { Found::Another } else { Found::Other }
    }
}
