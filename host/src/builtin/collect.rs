//! `collect`: files of the workspace as values that are kept, also when the run that made them is gone.

use super::beneath::{self, Found, Workspace};
use super::files::{Files, media_type};
use super::input::Call;
use super::setting::{Kind, Options, Setting};
use super::{Body, Builtin, Effect, Failure, MOST_BYTES, NewPart, Output, glob};
use crate::store::values::RETENTION;
use aivm_schema::unit::Retention;
use std::collections::BTreeMap;
use std::fs::File;

pub(super) const BUILTIN: Builtin = Builtin {
    name: "collect",
    effect: Effect::Read,
    words: &[],
    instead: Some("missing"),
    settings: &[
        Setting::required(
            "files",
            Kind::List,
            "files and folders beneath the workspace, or patterns of them: `*` and `?` stand for what is no `/`, `**` for anything, `[ab]` for one of these",
        ),
        Setting::optional(
            "retention",
            Kind::Text,
            "how long each is kept at least, whatever becomes of the run: a duration, or `forever`; without it, as long as the run",
        ),
        Setting::flag("required", true, "must each of `files` be there, or fit something?"),
        Setting::count("most", 1000, "more files than this are a failure"),
    ],
    check,
    run,
};

fn check(with: &Options<'_>) -> Result<(), Failure> {
    for pattern in with.list("files").unwrap_or_default() {
        let plain = plain(pattern)?;
        glob::compile(&plain).map_err(|_| with.wrong("files", format!("has `{pattern}`, which is no pattern")))?;
    }
    match with.maybe("retention").map(str::parse::<Retention>) {
        Some(Err(error)) => Err(with.wrong("retention", format!("is wrong: {error}"))),
        _ => Ok(()),
    }
}

/// The pattern as paths are spelt; it leads nowhere else.
fn plain(pattern: &str) -> Result<String, Failure> {
    beneath::components(pattern).map(|names| names.join("/"))
}

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    let workspace = Workspace::open(call.context.workspace)?;
    let mut collected = Collected { parts: BTreeMap::new(), bytes: 0, most: call.with.count("most") };
    for pattern in call.with.list("files").unwrap_or_default() {
        let found = collected.all(call, &workspace, &plain(pattern)?)?;
        if !found && call.with.flag("required") {
            return Err(Failure::Missing(format!("there is no `{pattern}` in the workspace")));
        }
    }
    let output = Output::of(Body::Parts(collected.parts.into_values().collect()));
    Ok(match call.with.maybe("retention") {
        Some(retention) => output.with(RETENTION, retention),
        None => output,
    })
}

/// What was found, by path: what fits two patterns is there once.
struct Collected {
    parts: BTreeMap<String, NewPart>,
    bytes: usize,
    most: usize,
}

impl Collected {
    /// The files that fit; are there any?
    fn all(&mut self, call: &Call<'_>, workspace: &Workspace, pattern: &str) -> Result<bool, Failure> {
        let is_plain = glob::is_plain(pattern);
        let fitting = glob::compile(pattern).map_err(|error| Failure::Rejected(error.to_string()))?;
        let (folder, deep) = if is_plain { (pattern, true) } else { glob::start(pattern) };
        let mut any = false;
        let mut add = |_: &str, path: &str, file: File| {
            any = true;
            self.add(path, file)
        };
        match workspace.find(folder) {
            Ok(Found::File(file)) if is_plain => add(pattern, pattern, file)?,
            Ok(Found::Folder(open)) => {
                let fitting = Some(&fitting).filter(|_| !is_plain);
                // Those that were found before do not count again: `add` does.
                let mut files = Files::new(call, None, usize::MAX);
                (files.deep, files.fitting) = (deep, fitting);
                files.visit(&open, "", folder, 0, &mut add)?;
            }
            Ok(Found::File(_)) | Err(Failure::Missing(_)) => {}
            Err(failure) => return Err(failure),
        }
        Ok(any)
    }

    fn add(&mut self, path: &str, file: File) -> Result<(), Failure> {
        if self.parts.contains_key(path) {
            return Ok(());
        }
        if self.parts.len() == self.most {
            let limit = format!("{} files (`most`)", self.most);
            return Err(Failure::Limit { what: format!("collecting `{path}`"), limit });
        }
        let payload = beneath::read(file, path, MOST_BYTES - self.bytes)?;
        self.bytes += payload.len();
        let media_type = media_type(path, &payload).to_owned();
        self.parts.insert(path.to_owned(), NewPart { name: path.to_owned(), media_type, payload });
        Ok(())
    }
}
