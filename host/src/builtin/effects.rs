//! `save`, `write`, `move`, `remove` and `mkdir` change files beneath the workspace; `restore` takes that back.

use super::beneath::components;
use super::files::{check_filled, check_named, fill, is_outside, named, one_name, outside};
use super::input::Call;
use super::setting::{Kind, Options, Setting};
use super::undo::{self, Change};
use super::{Builtin, Effect, Failure, Output, media};

/// What the path of a file that is written can have filled in.
const PLACES: &str = "`{digest}`, `{ext}`, `{name}`, `{n}`, `{param.X}` or `{attribute.X}`";
const WHERE: &str = "where, beneath the workspace; `{digest}`, `{ext}`, `{name}` (of a part), `{n}` (its number), `{param.X}` and `{attribute.X}` are filled in";
const REPLACE: Setting = Setting::flag("replace", true, "may a file with other content be replaced?");

const fn effect(
    name: &'static str,
    instead: Option<&'static str>,
    settings: &'static [Setting],
    check: fn(&Options<'_>) -> Result<(), Failure>,
    run: fn(&Call<'_>) -> Result<Output, Failure>,
) -> Builtin {
    Builtin { name, effect: Effect::Idempotent, words: &[], instead, settings, check, run }
}

pub(super) const SAVE: Builtin =
    effect("save", None, &[Setting::text("path", "saved/{digest}.{ext}", WHERE), REPLACE], check_written, |call| {
        write(call, false)
    });

pub(super) const WRITE: Builtin = effect(
    "write",
    None,
    &[
        Setting::required("path", Kind::Text, WHERE),
        REPLACE,
        Setting::flag("append", false, "does the payload follow what is in the file?"),
    ],
    check_written,
    |call| write(call, call.with.flag("append")),
);

pub(super) const MOVE: Builtin = effect(
    "move",
    Some("missing"),
    &[
        Setting::required(
            "from",
            Kind::Text,
            "a file or a folder beneath the workspace; `{input}` (the input's text), `{param.X}` and `{attribute.X}` are filled in",
        ),
        Setting::required("to", Kind::Text, "its new path, filled in alike"),
        Setting::flag("replace", false, "may a file that is there be replaced?"),
    ],
    |with| check_named(with, "from").and_then(|()| check_named(with, "to")),
    |call| {
        let (from, to) = (named(call, "from")?, named(call, "to")?);
        undo::perform(call, &[Change::Move { from: &from, to: &to, replace: call.with.flag("replace") }])?;
        Ok(Output::same().with("path", to))
    },
);

pub(super) const REMOVE: Builtin = effect(
    "remove",
    Some("missing"),
    &[
        Setting::required(
            "path",
            Kind::Text,
            "a file, or a folder, beneath the workspace; `{input}` (the input's text), `{param.X}` and `{attribute.X}` are filled in",
        ),
        Setting::flag("deep", false, "may it be a folder, with all that is in it?"),
    ],
    |with| check_named(with, "path"),
    |call| {
        let path = named(call, "path")?;
        undo::perform(call, &[Change::Remove { path: &path, deep: call.with.flag("deep") }])?;
        Ok(Output::same().with("path", path))
    },
);

pub(super) const MKDIR: Builtin = effect(
    "mkdir",
    None,
    &[Setting::required(
        "path",
        Kind::Text,
        "where, beneath the workspace; `{input}` (the input's text), `{param.X}` and `{attribute.X}` are filled in",
    )],
    |with| check_named(with, "path"),
    |call| {
        let path = named(call, "path")?;
        undo::perform(call, &[Change::Folder { path: &path }])?;
        Ok(Output::same().with("path", path))
    },
);

pub(super) const RESTORE: Builtin =
    effect("restore", None, &[], super::nothing_more, |call| undo::restore(call).map(|()| Output::same()));

fn check_written(with: &Options<'_>) -> Result<(), Failure> {
    let known = |name: &str| is_outside(name) || matches!(name, "digest" | "ext" | "name" | "n");
    check_filled(with, "path", PLACES, &known)
}

/// Each part to its file, or the one value that there is.
fn write(call: &Call<'_>, append: bool) -> Result<Output, Failure> {
    let parts = call.parts();
    let mut paths = Vec::with_capacity(parts.len());
    for (nth, part) in parts.iter().enumerate() {
        call.tick(nth)?;
        paths.push(fill(&call.with, "path", &|name| match name {
            "digest" => Ok(blake3::hash(part.payload).to_hex().chars().take(16).collect()),
            "ext" => Ok(media::extension(part.media_type).to_owned()),
            "name" => Ok(one_name(part.name)),
            "n" => Ok((nth + 1).to_string()),
            name => outside(call, name),
        })?);
    }
    let mut places = paths.iter().map(|path| components(path)).collect::<Result<Vec<_>, _>>()?;
    places.sort_unstable();
    if let Some(twice) = places.windows(2).find_map(|pair| pair.first().filter(|first| Some(*first) == pair.last())) {
        return Err(Failure::Path {
            path: twice.join("/"),
            reason: "would be written twice: give each part its own path, with `{n}` or `{name}` in it".into(),
        });
    }
    let replace = call.with.flag("replace");
    let changes = parts.iter().zip(&paths);
    let changes = changes.map(|(part, path)| Change::Write { path, bytes: part.payload, replace, append });
    undo::perform(call, &changes.collect::<Vec<_>>())?;
    Ok(match paths.as_slice() {
        [path] => Output::same().with("path", path),
        paths => Output::same().with("saved", paths.len()),
    })
}
