//! Settings: what each built-in lets a program set. Declared once in a table from which come the check at compile time, the
//! defaults, `aivm worker show` and the pages of the standard library.

use super::Failure;
use aivm_schema::unit::Milliseconds;
use aivm_schema::worker::Settings;
use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::HashMap;

/// The largest compiled regular expression, in bytes; with linear-time matching it bounds what a pattern can cost.
const MOST_PATTERN_BYTES: usize = 1 << 20;
/// How many compiled patterns a thread keeps.
const MOST_PATTERNS: usize = 64;

/// Something that can be set.
#[derive(Debug)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What holds when it is not set.
    pub preset: Preset,
    /// One line that says what it does.
    pub about: &'static str,
}

/// What a setting takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A text.
    Text,
    /// A whole number from 0 to 4,294,967,295.
    Count,
    /// Any number.
    Number,
    /// `true` or `false`.
    Flag,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A regular expression: linear-time syntax, without look-around and back-references.
    Pattern,
    /// A duration such as `30s`.
    Duration,
    /// A list of texts.
    List,
    /// A table.
    Table,
    /// A text, a number, a flag, a list or a table.
    Any,
}

/// What holds when a setting is not set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Preset {
    /// It has to be set.
    Required,
    /// Nothing.
    Unset,
    /// This text; also for choices and durations.
    Text(&'static str),
    /// This number.
    Count(u64),
    /// This.
    Flag(bool),
}

impl Setting {
    const fn new(name: &'static str, kind: Kind, preset: Preset, about: &'static str) -> Setting {
        Setting { name, kind, preset, about }
    }

    /// One that may be left out.
    pub(super) const fn optional(name: &'static str, kind: Kind, about: &'static str) -> Setting {
        Setting::new(name, kind, Preset::Unset, about)
    }

    /// One that has to be set.
    pub(super) const fn required(name: &'static str, kind: Kind, about: &'static str) -> Setting {
        Setting::new(name, kind, Preset::Required, about)
    }

    /// A text with a default.
    pub(super) const fn text(name: &'static str, preset: &'static str, about: &'static str) -> Setting {
        Setting::new(name, Kind::Text, Preset::Text(preset), about)
    }

    /// One of these; the first is the default.
    pub(super) const fn choice(name: &'static str, of: &'static [&'static str], about: &'static str) -> Setting {
        let preset = match of {
            [first, ..] => Preset::Text(first),
            [] => Preset::Unset,
        };
        Setting::new(name, Kind::Choice(of), preset, about)
    }

    /// A number with a default.
    pub(super) const fn count(name: &'static str, preset: u64, about: &'static str) -> Setting {
        Setting::new(name, Kind::Count, Preset::Count(preset), about)
    }

    /// A flag with a default.
    pub(super) const fn flag(name: &'static str, preset: bool, about: &'static str) -> Setting {
        Setting::new(name, Kind::Flag, Preset::Flag(preset), about)
    }

    /// What it takes, in words.
    pub fn takes(&self) -> String {
        match self.kind {
            Kind::Text => "a text".into(),
            Kind::Count => "a whole number".into(),
            Kind::Number => "a number".into(),
            Kind::Flag => "`true` or `false`".into(),
            Kind::Choice(of) => of.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", "),
            Kind::Pattern => "a regular expression".into(),
            Kind::Duration => "a duration".into(),
            Kind::List => "a list of texts".into(),
            Kind::Table => "a table".into(),
            Kind::Any => "any value".into(),
        }
    }

    /// The default as it would be written in TOML; `required`, or `–` for none.
    pub fn default(&self) -> String {
        match self.preset {
            Preset::Required => "required".into(),
            Preset::Unset => "–".into(),
            Preset::Text(text) => format!("`{}`", Value::from(text)),
            Preset::Count(count) => format!("`{count}`"),
            Preset::Flag(flag) => format!("`{flag}`"),
        }
    }

    /// Why this value will not do.
    pub(super) fn refuse(&self, value: &Value) -> Option<String> {
        let shown = || {
            let text = value.to_string();
            if text.len() > 60 { kind_of(value).to_owned() } else { format!("`{text}`") }
        };
        match (self.kind, value) {
            (Kind::Text, Value::String(_))
            | (Kind::Number, Value::Number(_))
            | (Kind::Flag, Value::Bool(_))
            | (Kind::Table, Value::Object(_))
            | (Kind::Any, _) => None,
            (Kind::Count, _) if value.as_u64().is_some_and(|count| count <= u64::from(u32::MAX)) => None,
            (Kind::List, Value::Array(list)) if list.iter().all(Value::is_string) => None,
            (Kind::Choice(of), Value::String(text)) if of.contains(&text.as_str()) => None,
            (Kind::Choice(of), Value::String(text)) => {
                let near = nearest(text, of.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
                Some(format!("cannot be `{text}`: it takes {}{}", self.takes(), near.unwrap_or_default()))
            }
            (Kind::Pattern, Value::String(text)) => compile(text).err(),
            (Kind::Duration, Value::String(text)) => {
                text.parse::<Milliseconds>().err().map(|error| format!("is wrong: {error}"))
            }
            _ => Some(format!("takes {}, not {}", self.takes(), shown())),
        }
    }
}

/// Settings that fit their declaration; what is not set has its default.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    builtin: &'static str,
    settings: &'static [Setting],
    with: &'a Settings,
}

impl<'a> Options<'a> {
    /// Checks names and kinds.
    pub(super) fn read(
        builtin: &'static str,
        settings: &'static [Setting],
        with: &'a Settings,
    ) -> Result<Options<'a>, Failure> {
        let options = Options { builtin, settings, with };
        for (name, value) in with {
            let Some(setting) = settings.iter().find(|setting| setting.name == name) else {
                return Err(options.unknown(name));
            };
            if let Some(reason) = setting.refuse(value) {
                return Err(options.wrong(setting.name, reason));
            }
        }
        match settings.iter().find(|setting| setting.preset == Preset::Required && !with.contains_key(setting.name)) {
            Some(missing) => {
                let name = missing.name;
                let how = format!("`builtin = \"{builtin}\"`, `with = {{ {name} = … }}`");
                Err(options.wrong(name, format!("has to be set: {how}; `aivm worker show {builtin}` explains it")))
            }
            None => Ok(options),
        }
    }

    fn unknown(&self, name: &str) -> Failure {
        let names = || self.settings.iter().map(|setting| setting.name);
        let hint = match nearest(name, names()) {
            Some(near) => format!("; did you mean `{near}`?"),
            None if self.settings.is_empty() => ", nor any other".to_owned(),
            None => format!("; it has {}", names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
        };
        Failure::UnknownSetting { builtin: self.builtin, setting: name.to_owned(), hint }
    }

    /// A failure that blames this setting.
    pub(super) fn wrong(&self, setting: &'static str, reason: impl Into<String>) -> Failure {
        Failure::Setting { builtin: self.builtin, setting, reason: reason.into() }
    }

    /// What the program set, if it did.
    pub(super) fn value(&self, name: &str) -> Option<&'a Value> {
        debug_assert!(self.settings.iter().any(|setting| setting.name == name), "{} declares no {name}", self.builtin);
        self.with.get(name)
    }

    /// Whose settings these are.
    #[cfg(feature = "memory")]
    pub(super) fn builtin(&self) -> &'static str {
        self.builtin
    }

    /// Is there such a setting?
    pub(super) fn knows(&self, name: &str) -> bool {
        self.settings.iter().any(|setting| setting.name == name)
    }

    fn preset(&self, name: &str) -> Preset {
        self.settings.iter().find(|setting| setting.name == name).map_or(Preset::Unset, |setting| setting.preset)
    }

    /// A text, choice or duration; `None` when it is not set and has no default.
    pub(super) fn maybe(&self, name: &str) -> Option<&'a str> {
        match (self.value(name), self.preset(name)) {
            (Some(value), _) => value.as_str(),
            (None, Preset::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A text or choice; empty when it is not set and has no default.
    pub(super) fn text(&self, name: &str) -> &'a str {
        self.maybe(name).unwrap_or("")
    }

    /// A number that is 0 when it is not set and has no default.
    pub(super) fn count(&self, name: &str) -> usize {
        match (self.value(name), self.preset(name)) {
            (Some(value), _) => value.as_u64().map_or(0, |count| count as usize),
            (None, Preset::Count(count)) => count as usize,
            _ => 0,
        }
    }

    /// A number, if it is set.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.value(name).and_then(Value::as_f64)
    }

    /// A flag.
    pub(super) fn flag(&self, name: &str) -> bool {
        match (self.value(name), self.preset(name)) {
            (Some(value), _) => value.as_bool().unwrap_or(false),
            (None, preset) => preset == Preset::Flag(true),
        }
    }

    /// The texts of a list, if it is set.
    pub(super) fn list(&self, name: &str) -> Option<Vec<&'a str>> {
        Some(self.value(name)?.as_array()?.iter().filter_map(Value::as_str).collect())
    }

    /// A table, if it is set.
    pub(super) fn table(&self, name: &str) -> Option<&'a Map<String, Value>> {
        self.value(name)?.as_object()
    }

    /// A compiled pattern, if it is set.
    pub(super) fn pattern(&self, name: &'static str) -> Result<Option<Regex>, Failure> {
        self.maybe(name).map(|text| self.compile(name, text)).transpose()
    }

    /// Compiles a pattern that stands somewhere in this setting.
    pub(super) fn compile(&self, name: &'static str, text: &str) -> Result<Regex, Failure> {
        compile(text).map_err(|reason| self.wrong(name, reason))
    }
}

thread_local! {
    /// Compiled patterns by their text: a fan-out calls one built-in with one pattern a million times.
    static PATTERNS: RefCell<HashMap<String, Regex>> = RefCell::default();
}

/// Compiles a pattern, or takes it from those that this thread compiled before.
pub(super) fn compile(text: &str) -> Result<Regex, String> {
    if let Some(known) = PATTERNS.with_borrow(|patterns| patterns.get(text).cloned()) {
        return Ok(known);
    }
    let compiled = RegexBuilder::new(text).size_limit(MOST_PATTERN_BYTES).build().map_err(|error| {
        let error = error.to_string();
        let last = error.lines().last().unwrap_or("").trim_start_matches("error: ");
        format!("is no regular expression, `{text}`: {last}")
    })?;
    PATTERNS.with_borrow_mut(|patterns| {
        if patterns.len() >= MOST_PATTERNS {
            patterns.clear();
        }
        patterns.insert(text.to_owned(), compiled.clone());
    });
    Ok(compiled)
}

/// What a JSON value is, in words.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a flag",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

/// The nearest of these names, when one is near: a slip of the finger or two, or the same beginning.
pub(super) fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let slips = (name.len() / 3).max(1);
    let scored =
        names.map(|other| (strsim::damerau_levenshtein(name, other), strsim::jaro_winkler(name, other), other));
    let near = scored.filter(|(distance, likeness, _)| *distance <= slips || *likeness > 0.85);
    near.min_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1))).map(|(_, _, name)| name)
}

/// The settings as a Markdown table, as pages and `aivm worker show` have it.
pub fn settings_table(settings: &[Setting]) -> String {
    if settings.is_empty() {
        return "No settings.\n".to_owned();
    }
    let mut table = String::from("| setting | takes | default | meaning |\n| --- | --- | --- | --- |\n");
    for setting in settings {
        let (takes, default) = (setting.takes(), setting.default());
        table.push_str(&format!("| `{}` | {takes} | {default} | {} |\n", setting.name, setting.about));
    }
    table
}
