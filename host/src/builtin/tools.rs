//! Built-ins that are made to be a model's tools: what they work on is in their input, a JSON object, and not in their settings. A
//! setting only says how far they may go.

use super::beneath::{self, Found, Workspace};
use super::files::{Files, media_type};
use super::input::Call;
use super::search::{Search, Wanted};
use super::setting::{Kind, Options, Setting};
use super::undo::{self, Change, back};
use super::{Builtin, Effect, Failure, MOST_BYTES, Output, buffer, media};
use serde_json::{Map, Value, json};
use std::fs::File;

/// The most names that one call lists.
const MOST_LISTED: usize = 1_000;
/// How much of a file is read at once where not all of it is kept.
const PIECE: usize = 64 << 10;
/// The most files that one call searches.
const MOST_SEARCHED: usize = 10_000;
const WITHIN: Setting =
    Setting::optional("within", Kind::Text, "the folder beneath the workspace that paths begin in; it is not left");

const fn tool(
    name: &'static str,
    effect: Effect,
    settings: &'static [Setting],
    run: fn(&Call<'_>) -> Result<Output, Failure>,
) -> Builtin {
    Builtin { name, effect, words: &[], instead: None, settings, check, run }
}

pub(super) const READ_FILE: Builtin = tool("read-file", Effect::Read, &[WITHIN], read_file);
pub(super) const LIST_FILES: Builtin = tool("list-files", Effect::Read, &[WITHIN], list_files);
pub(super) const SEARCH_FILES: Builtin = tool(
    "search-files",
    Effect::Read,
    &[WITHIN, Setting::count("most", 5, "how many passages it gives"), EXTENSIONS],
    search_files,
);
pub(super) const WRITE_FILE: Builtin = tool("write-file", Effect::Idempotent, &[WITHIN], write_file);
pub(super) const EDIT_FILE: Builtin = tool("edit-file", Effect::Idempotent, &[WITHIN], edit_file);
pub(super) const UNDO: Builtin = Builtin {
    name: "undo",
    effect: Effect::Idempotent,
    words: &[],
    instead: None,
    settings: &[],
    check: super::nothing_more,
    run: take_back,
};

const EXTENSIONS: Setting = Setting::optional("extensions", Kind::List, "only files whose names end so, such as `md`");

fn check(with: &Options<'_>) -> Result<(), Failure> {
    with.maybe("within").map_or(Ok(()), |within| beneath::components(within).map(drop))
}

/// What a call is asked for: the members of a JSON object; a text is the member that matters most.
pub(super) struct Asked(Map<String, Value>);

impl Asked {
    pub(super) fn of(call: &Call<'_>, first: &str) -> Result<Asked, Failure> {
        if !media::is_json(call.input.media_type) {
            return Ok(Asked(Map::from_iter([(first.to_owned(), json!(call.text()?.trim()))])));
        }
        match call.json()? {
            Value::Object(members) => Ok(Asked(members)),
            _ => Err(Failure::Unreadable("the input is no JSON object".to_owned())),
        }
    }

    pub(super) fn maybe(&self, name: &str) -> Result<Option<&str>, Failure> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Failure::Unreadable(format!("`{name}` is not a text"))),
        }
    }

    pub(super) fn text(&self, name: &str) -> Result<&str, Failure> {
        self.maybe(name)?.ok_or_else(|| Failure::Unreadable(format!("the input has no `{name}`")))
    }

    fn count(&self, name: &str) -> Result<Option<usize>, Failure> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64().and_then(|count| usize::try_from(count).ok()) {
                Some(count) => Ok(Some(count)),
                None => Err(Failure::Unreadable(format!("`{name}` is not a whole number"))),
            },
        }
    }

    pub(super) fn flag(&self, name: &str, preset: bool) -> Result<bool, Failure> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(preset),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(Failure::Unreadable(format!("`{name}` is neither true nor false"))),
        }
    }

    pub(super) fn maybe_value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    pub(super) fn value(&self, name: &str) -> Result<&Value, Failure> {
        self.maybe_value(name).ok_or_else(|| Failure::Unreadable(format!("the input has no `{name}`")))
    }
}

/// A path as it is beneath the workspace; `.` is where paths begin.
fn beneath_within(call: &Call<'_>, path: &str) -> Result<String, Failure> {
    let within = call.with.maybe("within").map(|within| within.trim_end_matches('/'));
    let path = path.trim_start_matches("./");
    let path = match (within, path) {
        (Some(within), "" | ".") => within.to_owned(),
        (Some(within), path) => {
            // Checked by itself: `..` and `/` are refused before they stand behind something.
            beneath::components(path)?;
            format!("{within}/{path}")
        }
        (None, ".") => String::new(),
        (None, path) => path.to_owned(),
    };
    Ok(path)
}

fn read_file(call: &Call<'_>) -> Result<Output, Failure> {
    let asked = Asked::of(call, "path")?;
    let path = beneath_within(call, asked.text("path")?)?;
    let Found::File(file) = Workspace::open(call.context.workspace)?.find(&path)? else {
        return Err(Failure::Path { path, reason: "is a folder: list it, or name a file".to_owned() });
    };
    let (from, lines) = (asked.count("from")?, asked.count("lines")?);
    if from.is_none() && lines.is_none() {
        let bytes = beneath::read(file, &path, MOST_BYTES).map_err(|failure| match failure {
            Failure::Limit { limit, .. } => {
                Failure::Limit { what: format!("reading all of `{path}` (`from` and `lines` read some of it)"), limit }
            }
            failure => failure,
        })?;
        return Ok(Output::new(media_type(&path, &bytes), bytes).with("path", path));
    }
    let from = from.unwrap_or(1).max(1);
    let bytes = lines_of(call, file, &path, from, lines.unwrap_or(usize::MAX))?;
    super::input::read_text(&bytes)?;
    Ok(Output::new(media::TEXT, bytes).with("path", path).with("from", from))
}

/// Some lines of a file, which may be longer than what is read at once.
fn lines_of(call: &Call<'_>, file: File, path: &str, from: usize, lines: usize) -> Result<Vec<u8>, Failure> {
    let (mut nth, mut bytes) = (0, Vec::new());
    let until = from.saturating_add(lines);
    beneath::pieces(file, path, PIECE, |piece, begins| {
        nth += usize::from(begins);
        if begins {
            call.tick(nth)?
        } else {
            call.stop()?
        }
        if nth >= until {
            return Ok(false);
        }
        if nth >= from {
            bytes.extend_from_slice(piece);
        }
        if bytes.len() > MOST_BYTES {
            return Err(Failure::too_large(&format!("reading these lines of `{path}`")));
        }
        Ok(true)
    })?;
    Ok(bytes)
}

fn list_files(call: &Call<'_>) -> Result<Output, Failure> {
    let asked = Asked::of(call, "path")?;
    let path = beneath_within(call, asked.maybe("path")?.unwrap_or("."))?;
    let workspace = Workspace::open(call.context.workspace)?;
    let Found::Folder(folder) = workspace.find(&path)? else {
        return Err(Failure::Path { path, reason: "is a file: read it, or name a folder".to_owned() });
    };
    let (names, next) = beneath::names_from(&folder, &path, asked.maybe("from")?.unwrap_or(""), MOST_LISTED)?;
    let mut listed = Vec::new();
    for name in names {
        call.tick(listed.len())?;
        let ending = match beneath::open(&folder, &name, &name) {
            Ok(Found::Folder(_)) => "/",
            Ok(Found::File(_)) => "",
            // Links, devices and what is out of reach.
            Err(_) => continue,
        };
        listed.push(format!("{name}{ending}"));
    }
    let more = next.map(|next| format!("[there is more: list it again with {}]", json!({ "from": next })));
    listed.extend(more);
    Ok(Output::new(media::LINES, listed.join("\n")).with("path", path))
}

fn search_files(call: &Call<'_>) -> Result<Output, Failure> {
    let asked = Asked::of(call, "question")?;
    let path = beneath_within(call, asked.maybe("path")?.unwrap_or("."))?;
    let workspace = Workspace::open(call.context.workspace)?;
    let question = asked.text("question")?;
    let wanted = Wanted { most: call.with.count("most"), ..Wanted::default() };
    let mut search = Search::new(call, question, &wanted);
    let mut add = |name: &str, whole: &str, file: File| search_file(&mut search, name, whole, file);
    match workspace.find(&path)? {
        Found::Folder(folder) => {
            let mut files = Files::new(call, call.with.list("extensions"), MOST_SEARCHED);
            files.visit(&folder, "", &path, 0, &mut add)?;
        }
        Found::File(file) => add(&path, &path, file)?,
    }
    let answer = search.best(question);
    Ok(Output::new(media::JSON, buffer::json(&answer)?))
}

/// One file, piece by piece. What is no text answers nothing.
fn search_file(search: &mut Search<'_>, name: &str, path: &str, file: File) -> Result<(), Failure> {
    search.begin(name);
    // Of a character that is cut in two between two pieces, the first half.
    let mut half = Vec::new();
    let mut is_text = true;
    beneath::pieces(file, path, PIECE, |piece, begins| {
        half.extend_from_slice(piece);
        let (text, rest) = match std::str::from_utf8(&half) {
            Ok(text) => (text, 0),
            Err(error) if error.error_len().is_none() && !piece.ends_with(b"\n") => {
                let (text, rest) = half.split_at(error.valid_up_to());
                (std::str::from_utf8(text).unwrap_or(""), rest.len())
            }
            Err(_) => {
                is_text = false;
                return Ok(false);
            }
        };
        if begins {
            search.line(text)?
        } else {
            search.more(text)?
        }
        half.drain(..half.len() - rest);
        Ok(true)
    })?;
    if is_text && half.is_empty() {
        return search.end();
    }
    search.forget();
    Ok(())
}

fn write_file(call: &Call<'_>) -> Result<Output, Failure> {
    let asked = Asked::of(call, "path")?;
    let (path, content) = (beneath_within(call, asked.text("path")?)?, asked.text("content")?);
    let change = Change::Write { path: &path, bytes: content.as_bytes(), replace: true, append: false };
    undo::perform(call, &[change])?;
    let told = format!("wrote {} bytes to {path}", content.len());
    Ok(Output::new(media::TEXT, told).with("path", path))
}

fn edit_file(call: &Call<'_>) -> Result<Output, Failure> {
    let asked = Asked::of(call, "path")?;
    let path = beneath_within(call, asked.text("path")?)?;
    let (old, new) = (asked.text("old")?, asked.text("new")?);
    let told = || Output::new(media::TEXT, format!("edited {path}")).with("path", &path);
    // Called again after it was interrupted, it does not find its own work strange.
    if undo::is_done(call)? {
        return Ok(told());
    }
    let Found::File(file) = Workspace::open(call.context.workspace)?.find(&path)? else {
        return Err(Failure::Path { path, reason: "is a folder: name a file".to_owned() });
    };
    let bytes = beneath::read(file, &path, MOST_BYTES)?;
    let text = super::input::read_text(&bytes)?;
    let times = if old.is_empty() { 0 } else { text.matches(old).count() };
    if times != 1 {
        return Err(Failure::Rejected(format!(
            "`old` stands {times} times in {path}, not once: give it as it is in the file, with more of what is around it"
        )));
    }
    let edited = text.replacen(old, new, 1);
    undo::perform(call, &[Change::Write { path: &path, bytes: edited.as_bytes(), replace: true, append: false }])?;
    Ok(told())
}

fn take_back(call: &Call<'_>) -> Result<Output, Failure> {
    let asked = Asked::of(call, "step")?;
    let told = back::take_back(call, asked.maybe("step")?.filter(|step| !step.is_empty()))?;
    Ok(Output::new(media::TEXT, told))
}
