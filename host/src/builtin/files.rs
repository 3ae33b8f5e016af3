//! `read`, and how the built-ins that touch files find them: beneath the workspace only.

use super::beneath::{self, Found, Workspace};
use super::input::Call;
use super::setting::{Kind, Options, Setting};
use super::{Body, Builtin, Effect, Failure, MOST_BYTES, NewPart, Output, media};
use regex::Regex;
use rustix::fd::OwnedFd;
use std::fs::File;

pub(super) const READ: Builtin = Builtin {
    name: "read",
    effect: Effect::Read,
    words: &[],
    instead: Some("missing"),
    settings: &[
        Setting::required(
            "path",
            Kind::Text,
            "a file, or a folder, beneath the workspace; `{input}` (the input's text), `{param.X}` and `{attribute.X}` are filled in",
        ),
        Setting::optional("extensions", Kind::List, "of a folder: only files whose names end so, such as `md`"),
        Setting::flag("deep", true, "of a folder: folders within it as well"),
        Setting::count("most", 1000, "of a folder: more files than this are a failure"),
    ],
    check: check_read,
    run: read,
};

/// How deep folders are read, and how many names one may have.
const MOST_DEPTH: usize = 32;
const MOST_NAMES: usize = 100_000;

fn check_read(with: &Options<'_>) -> Result<(), Failure> {
    check_named(with, "path")
}

/// Could the path in this setting lead where it may, once `{input}` is filled in?
pub(super) fn check_named(with: &Options<'_>, setting: &'static str) -> Result<(), Failure> {
    let known = |name: &str| is_outside(name) || name == "input";
    check_filled(with, setting, "`{input}`, `{param.X}` or `{attribute.X}`", &known)
}

/// Could the path in this setting lead where it may, once it is filled in?
pub(super) fn check_filled(
    with: &Options<'_>,
    setting: &'static str,
    places: &str,
    known: &dyn Fn(&str) -> bool,
) -> Result<(), Failure> {
    let path = fill(with, setting, &|name| match known(name) {
        true => Ok("x".into()),
        false => Err(with.wrong(setting, format!("has `{{{name}}}`: it can be {places}"))),
    })?;
    beneath::components(&path).map(|_| ())
}

/// The path in this setting, which may be what the input says.
pub(super) fn named(call: &Call<'_>, setting: &'static str) -> Result<String, Failure> {
    fill(&call.with, setting, &|name| match name {
        "input" => Ok(call.text()?.trim().to_owned()),
        name => outside(call, name),
    })
}

fn read(call: &Call<'_>) -> Result<Output, Failure> {
    let path = named(call, "path")?;
    let workspace = Workspace::open(call.context.workspace)?;
    match workspace.find(&path)? {
        Found::File(file) => {
            let bytes = beneath::read(file, &path, MOST_BYTES)?;
            Ok(Output::new(media_type(&path, &bytes), bytes).with("path", path))
        }
        Found::Folder(folder) => {
            let (extensions, most) = (call.with.list("extensions"), call.with.count("most"));
            let (mut parts, mut bytes) = (Vec::new(), 0);
            let mut add = |name: &str, whole: &str, file: File| {
                let payload = beneath::read(file, whole, MOST_BYTES - bytes)?;
                bytes += payload.len();
                parts.push(NewPart {
                    media_type: media_type(name, &payload).to_owned(),
                    name: name.to_owned(),
                    payload,
                });
                Ok(())
            };
            let mut files = Files { deep: call.with.flag("deep"), ..Files::new(call, extensions, most) };
            files.visit(&folder, "", &path, 0, &mut add)?;
            if parts.is_empty() {
                return Err(Failure::Missing(format!("there are no such files in `{path}`")));
            }
            Ok(Output::of(Body::Parts(parts)).with("path", path))
        }
    }
}

/// What is done with each file: its name in the folder, its whole path, the file.
type Add<'a> = &'a mut dyn FnMut(&str, &str, File) -> Result<(), Failure>;

/// The files of a folder, by name.
pub(super) struct Files<'c> {
    call: &'c Call<'c>,
    extensions: Option<Vec<&'c str>>,
    most: usize,
    /// Folders within it as well?
    pub deep: bool,
    /// Only those whose path in the workspace fits this.
    pub fitting: Option<&'c Regex>,
    found: usize,
}

impl<'c> Files<'c> {
    /// At most so many files whose names end so, in folders within it as well.
    pub fn new(call: &'c Call<'c>, extensions: Option<Vec<&'c str>>, most: usize) -> Files<'c> {
        Files { call, extensions, most, deep: true, fitting: None, found: 0 }
    }

    /// The files of a folder.
    pub fn visit(
        &mut self,
        folder: &OwnedFd,
        within: &str,
        path: &str,
        depth: usize,
        add: Add<'_>,
    ) -> Result<(), Failure> {
        if depth > MOST_DEPTH {
            return Err(Failure::Limit {
                what: format!("reading `{path}/{within}`"),
                limit: format!("{MOST_DEPTH} folders deep"),
            });
        }
        let most = self.most;
        for name in beneath::names(folder, path, MOST_NAMES)? {
            self.call.tick(4_095)?;
            let inner = if within.is_empty() { name.clone() } else { format!("{within}/{name}") };
            let whole = if path.is_empty() { inner.clone() } else { format!("{path}/{inner}") };
            let wanted = self.extensions.as_ref().is_none_or(|all| {
                all.iter().any(|one| name.rsplit_once('.').is_some_and(|(_, end)| end.eq_ignore_ascii_case(one)))
            });
            let wanted = wanted && self.fitting.is_none_or(|pattern| pattern.is_match(&whole));
            // Links and devices within the folder are passed over: nobody asked for them by name.
            match beneath::open(folder, &name, &whole) {
                Ok(Found::File(file)) if wanted => {
                    if self.found == most {
                        return Err(Failure::Limit {
                            what: format!("reading `{path}`"),
                            limit: format!("{most} files (`most`)"),
                        });
                    }
                    self.found += 1;
                    add(&inner, &whole, file)?;
                }
                Ok(Found::Folder(folder)) if self.deep => self.visit(&folder, &inner, path, depth + 1, add)?,
                // So is what is gone by now, and a name that is no text.
                Ok(_) | Err(Failure::Path { .. } | Failure::Missing(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }
}

/// By the name, else text when it is UTF-8.
pub(super) fn media_type(name: &str, bytes: &[u8]) -> &'static str {
    media::of_name(name).unwrap_or(if std::str::from_utf8(bytes).is_ok() { media::TEXT } else { media::BYTES })
}

pub(super) fn is_outside(name: &str) -> bool {
    name.starts_with("param.") || name.starts_with("attribute.")
}

/// A parameter as whoever started the run gave it; an attribute as one plain name, because anything may have written it.
pub(super) fn outside(call: &Call<'_>, name: &str) -> Result<String, Failure> {
    let found = match name.split_once('.') {
        Some(("param", key)) => call.context.params.get(key).cloned(),
        Some((_, key)) => call.input.attributes.iter().find(|(name, _)| name == key).map(|(_, value)| one_name(value)),
        None => None,
    };
    found.ok_or_else(|| Failure::Unreadable(format!("`{{{name}}}` in the path: this run, or this input, has none")))
}

/// The path in this setting with its places filled in.
pub(super) fn fill(
    with: &Options<'_>,
    setting: &'static str,
    value: &dyn Fn(&str) -> Result<String, Failure>,
) -> Result<String, Failure> {
    let (mut path, mut rest) = (String::new(), with.text(setting));
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            return Err(with.wrong(setting, "has a `{` without a `}`"));
        };
        path.push_str(before);
        path.push_str(&value(name)?);
        rest = after;
    }
    path.push_str(rest);
    Ok(path)
}

/// A plain name of at most 100 bytes: letters, digits, `.`, `_` and `-`, not beginning with a dot.
pub(super) fn one_name(text: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let mut name: String = text.chars().take(100).map(plain).collect();
    name.truncate(name.floor_char_boundary(100));
    match name.trim_start_matches('.') {
        "" => "-".to_owned(),
        name => name.to_owned(),
    }
}
