//! `save` and `read`: the built-ins that touch files, beneath the workspace only.

use super::beneath::{self, Found, Workspace};
use super::input::{Call, Part};
use super::setting::{Options, Setting};
use super::{Builtin, Effect, Failure, Output, media};

pub(super) const SAVE: Builtin = Builtin {
    name: "save",
    effect: Effect::Idempotent,
    words: &[],
    instead: None,
    settings: &[
        Setting::text(
            "path",
            "saved/{digest}.{ext}",
            "where, beneath the workspace; `{digest}`, `{ext}`, `{name}` (of a part), `{n}` (its number), `{param.X}` and `{attribute.X}` are filled in",
        ),
        Setting::flag("replace", true, "may a file with other content be replaced?"),
    ],
    check: check_path,
    run: save,
};

/// What a path can have filled in.
const PLACES: &str = "`{digest}`, `{ext}`, `{name}`, `{n}`, `{param.X}` or `{attribute.X}`";

fn check_path(with: &Options<'_>) -> Result<(), Failure> {
    let part = Part { name: "x", media_type: "", payload: b"", verdict: None };
    let path = fill(with, &part, 1, &|_| Some("x".into()))?;
    match beneath::components(&path)?.is_empty() {
        true => Err(with.wrong("path", "names no file")),
        false => Ok(()),
    }
}

fn save(call: &Call<'_>) -> Result<Output, Failure> {
    let parts = call.parts();
    let outside = |name: &str| {
        let (kind, key) = name.split_once('.')?;
        match kind {
            "param" => call.context.params.get(key).cloned(),
            _ => call.input.attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone()),
        }
    };
    let mut paths = Vec::with_capacity(parts.len());
    for (nth, part) in parts.iter().enumerate() {
        paths.push(fill(&call.with, part, nth + 1, &outside)?);
    }
    let mut sorted: Vec<&String> = paths.iter().collect();
    sorted.sort_unstable();
    if let Some(twice) = sorted.windows(2).find_map(|pair| pair.first().filter(|first| Some(*first) == pair.last())) {
        return Err(Failure::Path {
            path: (*twice).clone(),
            reason: "would be written twice: give each part its own path, with `{n}` or `{name}` in it".into(),
        });
    }
    let workspace = Workspace::open(call.context.workspace)?;
    for (nth, (part, path)) in parts.iter().zip(&paths).enumerate() {
        call.tick(nth)?;
        workspace.write(path, part.payload, call.with.flag("replace"))?;
    }
    Ok(match paths.as_slice() {
        [path] => Output::same().with("path", path),
        paths => Output::same().with("saved", paths.len()),
    })
}

/// The path with its places filled in. What is filled in cannot lead anywhere: it is one plain name.
fn fill(
    with: &Options<'_>,
    part: &Part<'_>,
    nth: usize,
    outside: &dyn Fn(&str) -> Option<String>,
) -> Result<String, Failure> {
    let (mut path, mut rest) = (String::new(), with.text("path"));
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            return Err(with.wrong("path", "has a `{` without a `}`"));
        };
        let value = match name {
            "digest" => blake3::hash(part.payload).to_hex().chars().take(16).collect(),
            "ext" => media::extension(part.media_type).to_owned(),
            "name" => part.name.to_owned(),
            "n" => nth.to_string(),
            name if name.starts_with("param.") || name.starts_with("attribute.") => outside(name)
                .ok_or_else(|| Failure::Unreadable(format!("`{{{name}}}` in the path: this run, or this input, has none")))?,
            name => return Err(with.wrong("path", format!("has `{{{name}}}`: it can be {PLACES}"))),
        };
        path.push_str(before);
        path.push_str(&one_name(&value));
        rest = after;
    }
    path.push_str(rest);
    Ok(path)
}

/// A plain name of at most 100 characters: letters, digits, `.`, `_` and `-`, not beginning with a dot.
fn one_name(text: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let name: String = text.chars().map(plain).take(100).collect();
    match name.trim_start_matches('.') {
        "" => "-".to_owned(),
        name => name.to_owned(),
    }
}
