//! Built-ins that are made to be a model's tools: what they work on is in their input, a JSON object, and not in their settings. A
//! setting only says how far they may go.

use super::beneath::{self, Found, Workspace};
use super::files::{Files, MOST_NAMES, media_type};
use super::input::{Call, Part};
use super::search::{Wanted, find};
use super::setting::{Kind, Options, Setting};
use super::undo::{self, Change, back};
use super::{Builtin, Effect, Failure, MOST_BYTES, Output, buffer, media};
use serde_json::{Map, Value, json};

/// The most names that one call lists.
const MOST_LISTED: usize = 1_000;
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
struct Asked(Map<String, Value>);

impl Asked {
    fn of(call: &Call<'_>, first: &str) -> Result<Asked, Failure> {
        if !media::is_json(call.input.media_type) {
            return Ok(Asked(Map::from_iter([(first.to_owned(), json!(call.text()?.trim()))])));
        }
        match call.json()? {
            Value::Object(members) => Ok(Asked(members)),
            _ => Err(Failure::Unreadable("the input is no JSON object".to_owned())),
        }
    }

    fn maybe(&self, name: &str) -> Result<Option<&str>, Failure> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Failure::Unreadable(format!("`{name}` is not a text"))),
        }
    }

    fn text(&self, name: &str) -> Result<&str, Failure> {
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
    let bytes = beneath::read(file, &path, MOST_BYTES)?;
    let (from, lines) = (asked.count("from")?, asked.count("lines")?);
    if from.is_none() && lines.is_none() {
        return Ok(Output::new(media_type(&path, &bytes), bytes).with("path", path));
    }
    let text = super::input::read_text(&bytes)?;
    let from = from.unwrap_or(1).max(1);
    let chosen: Vec<&str> = text.split_inclusive('\n').skip(from - 1).take(lines.unwrap_or(usize::MAX)).collect();
    Ok(Output::new(media::TEXT, chosen.concat()).with("path", path).with("from", from))
}

fn list_files(call: &Call<'_>) -> Result<Output, Failure> {
    let asked = Asked::of(call, "path")?;
    let path = beneath_within(call, asked.maybe("path")?.unwrap_or("."))?;
    let workspace = Workspace::open(call.context.workspace)?;
    let Found::Folder(folder) = workspace.find(&path)? else {
        return Err(Failure::Path { path, reason: "is a file: read it, or name a folder".to_owned() });
    };
    let mut listed = Vec::new();
    for name in beneath::names(&folder, &path, MOST_NAMES)? {
        call.tick(listed.len())?;
        let ending = match beneath::open(&folder, &name, &name) {
            Ok(Found::Folder(_)) => "/",
            Ok(Found::File(_)) => "",
            // Links, devices and what is out of reach.
            Err(_) => continue,
        };
        if listed.len() == MOST_LISTED {
            return Err(Failure::Limit { what: format!("listing `{path}`"), limit: format!("{MOST_LISTED} names") });
        }
        listed.push(format!("{name}{ending}"));
    }
    Ok(Output::new(media::LINES, listed.join("\n")).with("path", path))
}

fn search_files(call: &Call<'_>) -> Result<Output, Failure> {
    let asked = Asked::of(call, "question")?;
    let path = beneath_within(call, asked.maybe("path")?.unwrap_or("."))?;
    let workspace = Workspace::open(call.context.workspace)?;
    let mut files = Files::new(call, call.with.list("extensions"), MOST_SEARCHED);
    match workspace.find(&path)? {
        Found::Folder(folder) => files.visit(&folder, "", &path, 0)?,
        Found::File(file) => files.add(path.clone(), beneath::read(file, &path, MOST_BYTES)?),
    }
    let found = files.parts;
    // What is no text answers nothing.
    let texts = found.iter().filter(|part| std::str::from_utf8(&part.payload).is_ok());
    let documents: Vec<Part<'_>> = texts
        .map(|part| Part { name: &part.name, media_type: media::TEXT, payload: &part.payload, verdict: None })
        .collect();
    let wanted = Wanted { most: call.with.count("most"), ..Wanted::default() };
    let answer = find(call, asked.text("question")?, &documents, &wanted)?;
    Ok(Output::new(media::JSON, buffer::json(&answer)?))
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
