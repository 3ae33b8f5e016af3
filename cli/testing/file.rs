//! Test files: `NAME.test.toml` for `NAME.aivm`. What is wrong in one is told with its place, before anything is run.

use super::path::Took;
use super::{ENDING, stays_beneath};
use crate::args::{How, Written};
use crate::fail::Failure;
use crate::module::{self, Program};
use crate::project;
use aivm_schema::unit::{Milliseconds, Money};
use aivm_schema::worker::MockEntry;
use regex::Regex;
use serde::de::{Error as _, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use toml::Spanned;

/// A test file that has been read.
pub struct Suite {
    /// As it was named.
    pub file: PathBuf,
    /// What its tests run.
    pub program: Program,
    /// In written order.
    pub cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TestFile {
    #[serde(default)]
    test: Vec<Spanned<Entry>>,
}

/// A test as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    input: Option<String>,
    input_file: Option<Spanned<PathBuf>>,
    #[serde(rename = "type")]
    media_type: Option<String>,
    #[serde(default)]
    params: BTreeMap<String, String>,
    #[serde(default)]
    mock: BTreeMap<Spanned<String>, Vec<MockEntry>>,
    cassette: Option<Spanned<PathBuf>>,
    #[serde(default)]
    live: bool,
    #[serde(default)]
    files: BTreeMap<Spanned<String>, FileOf>,
    timeout: Option<Milliseconds>,
    status: Option<Status>,
    error: Option<String>,
    verdict: Option<String>,
    path: Option<Vec<Took>>,
    calls: Option<u64>,
    cost: Option<Money>,
    output: Option<Spanned<Output>>,
}

/// A file in the folder of a test.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "a file is its text, or `{ from = \"FILE\" }` for a copy of a file or folder beside the test file"
)]
pub enum FileOf {
    /// With this text.
    Text(String),
    /// A copy.
    Copy(From),
}

/// Of what a file is a copy.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct From {
    /// Beside the test file.
    pub from: PathBuf,
}

/// How a run ends, in the words of reports; `exhausted` is a `failed` that says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Sent,
    Failed,
    Cancelled,
    Timeout,
    Exhausted,
    Parked,
    Stuck,
}

impl Status {
    pub fn word(self) -> &'static str {
        match self {
            Status::Sent => "sent",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
            Status::Timeout => "timeout",
            Status::Exhausted => "exhausted",
            Status::Parked => "parked",
            Status::Stuck => "stuck",
        }
    }
}

/// What an output must be: `output = "TEXT"` is short for `output = { text = "TEXT" }`.
#[derive(Debug, Default)]
pub struct Output {
    pub text: Option<String>,
    pub contains: Vec<String>,
    pub regex: Option<Regex>,
    /// By place.
    pub json: BTreeMap<String, Value>,
    pub schema: Option<Value>,
    pub judge: Option<String>,
    pub snapshot: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OutputTable {
    text: Option<String>,
    #[serde(default)]
    contains: Several,
    regex: Option<String>,
    #[serde(default)]
    json: BTreeMap<String, Value>,
    schema: Option<Value>,
    judge: Option<String>,
    #[serde(default)]
    snapshot: bool,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a text, or a list of texts")]
enum Several {
    One(String),
    Many(Vec<String>),
}

impl Default for Several {
    fn default() -> Several {
        Several::Many(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Output {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Output, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Output;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the text of the output, or a table of what is expected of it")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Output, E> {
                Ok(Output { text: Some(text.to_owned()), ..Output::default() })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Output, A::Error> {
                let table = OutputTable::deserialize(MapAccessDeserializer::new(map))?;
                let OutputTable { text, contains, regex, json, schema, judge, snapshot } = table;
                let contains = match contains {
                    Several::One(text) => vec![text],
                    Several::Many(texts) => texts,
                };
                let regex = regex.map(|pattern| Regex::new(&pattern)).transpose();
                let regex = regex.map_err(|error| A::Error::custom(format!("`regex` is none: {error}")))?;
                if let Some(Err(reason)) =
                    schema.as_ref().map(|schema| aivm_host::builtin::violations(schema, &Value::Null))
                {
                    return Err(A::Error::custom(format!("`schema` is none: {reason}")));
                }
                Ok(Output { text, contains, regex, json, schema, judge, snapshot })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A test.
pub struct Case {
    pub name: String,
    /// Where it begins in its file.
    pub line: usize,
    pub input: Vec<u8>,
    pub media_type: String,
    /// `--param`, as the command line has it.
    pub params: Vec<String>,
    pub mock: BTreeMap<String, Vec<MockEntry>>,
    pub cassette: Option<PathBuf>,
    pub live: bool,
    /// By their paths in the test's folder; copies by where they are.
    pub files: BTreeMap<PathBuf, FileOf>,
    pub timeout: Option<Milliseconds>,
    pub status: Option<Status>,
    pub error: Option<String>,
    pub verdict: Option<String>,
    pub path: Option<Vec<Took>>,
    pub calls: Option<u64>,
    pub cost: Option<Money>,
    pub output: Option<Output>,
    /// Where what it sends is kept.
    pub snapshot: PathBuf,
}

impl Suite {
    /// A test file, and the program beside it. With `record` a cassette need not be there.
    pub fn read(file: &Path, record: bool) -> Result<Suite, Failure> {
        let shown = file.display().to_string();
        let stem = shown.strip_suffix(ENDING).unwrap_or(&shown).to_owned();
        let text = project::read_plain(file).map_err(|error| Failure::usage("E0980", error.to_string()))?;
        let text = text.ok_or_else(|| {
            Failure::usage("E0981", format!("there is no file {shown}"))
                .help(format!("the tests of {stem}.aivm stand there: see docs/testing.md"))
        })?;
        let reader = Reader { file, shown: &shown, text: &text, record };
        let entries = toml::from_str::<TestFile>(&text).map_err(|error| reader.syntax(&error))?.test;
        let program = format!("{stem}.aivm");
        if !Path::new(&program).exists() {
            let message = format!("there is no program {program}, which {shown} is to test");
            return Err(Failure::usage("E0981", message)
                .help("a test file has the name of its program: NAME.test.toml of NAME.aivm"));
        }
        let program = module::load(&program, &Written::default())?;
        let mut cases: Vec<Case> = Vec::with_capacity(entries.len());
        let mut snapshots = BTreeSet::new();
        for entry in entries {
            let (at, place) = (entry.span().start, entry.get_ref().name.span().start);
            let case = reader.case(at, entry.into_inner(), &program, &stem)?;
            if cases.iter().any(|other| other.name == case.name) {
                return Err(reader.wrong(place, &format!("there are two tests called `{}`", case.name)));
            }
            // Some file systems do not tell upper case from lower.
            if !snapshots.insert(case.snapshot.to_string_lossy().to_lowercase())
                && case.output.as_ref().is_some_and(|output| output.snapshot)
            {
                let message = format!(
                    "the snapshot of `{}` would be that of another test: {}",
                    case.name,
                    case.snapshot.display()
                );
                return Err(reader.wrong(place, &message));
            }
            let recording = |case: &Case| case.cassette.clone().filter(|file| !file.exists());
            if recording(&case).is_some_and(|file| cases.iter().any(|other| recording(other).as_ref() == Some(&file))) {
                return Err(reader
                    .wrong(place, "it would be recorded in the cassette of another test")
                    .help("record one, then the other, or name two files"));
            }
            cases.push(case);
        }
        if cases.is_empty() {
            return Err(reader
                .wrong(0, "there is no test in it")
                .help("each begins with [[test]], and has a name: see docs/testing.md"));
        }
        Ok(Suite { file: file.to_path_buf(), program, cases })
    }
}

struct Reader<'t> {
    file: &'t Path,
    shown: &'t str,
    text: &'t str,
    record: bool,
}

impl Reader<'_> {
    fn place(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or("");
        let line = before.rsplit('\n').next().unwrap_or("");
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }

    fn error(&self, code: &str, at: usize, message: &str) -> Failure {
        let (line, column) = self.place(at);
        Failure::usage(code, format!("{}:{line}:{column}: {message}", self.shown))
    }

    fn wrong(&self, at: usize, message: &str) -> Failure {
        self.error("E0982", at, message)
    }

    /// What TOML and the keys themselves say; a name that is not known is compared with those that are.
    fn syntax(&self, error: &toml::de::Error) -> Failure {
        let message = error.message().trim();
        let failure = self.error("E0980", error.span().map_or(0, |span| span.start), message);
        let mut names = message.split('`').skip(1).step_by(2);
        let near = match message.starts_with("unknown ") {
            true => names.next().and_then(|wrong| aivm_lang::nearest(wrong, names)),
            false => None,
        };
        match near {
            Some(near) => failure.help(format!("did you mean `{near}`?")),
            None => failure.help("docs/testing.md has all keys of a test"),
        }
    }

    fn beside(&self, path: &Path) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }

    fn there(&self, what: &str, path: &Spanned<PathBuf>) -> Result<PathBuf, Failure> {
        let file = self.beside(path.get_ref());
        match file.exists() {
            true => Ok(file),
            false => Err(self.wrong(path.span().start, &format!("{what}: there is no {}", file.display()))),
        }
    }

    fn case(&self, at: usize, entry: Entry, program: &Program, stem: &str) -> Result<Case, Failure> {
        let place = entry.name.span().start;
        let name = entry.name.into_inner();
        if trimmed_name(&name).is_empty() || name.contains(char::is_control) {
            return Err(self.wrong(place, "a test has a name, in one line, with a letter or a digit in it"));
        }
        let (input, guessed) = match (&entry.input, &entry.input_file) {
            (Some(_), Some(file)) => {
                return Err(self.wrong(file.span().start, "a test has `input` or `input_file`, not both"));
            }
            (Some(text), None) => (text.clone().into_bytes(), "text/plain"),
            (None, None) => (Vec::new(), "text/plain"),
            (None, Some(file)) => {
                let path = self.there("input_file", file)?;
                (super::text_of(&path)?, crate::input::media_type_of(&path.display().to_string()))
            }
        };
        let params: Vec<String> = entry.params.iter().map(|(key, value)| format!("{key}={value}")).collect();
        crate::run::params(&How { params: params.clone(), ..How::default() })?;
        let mock = self.mocks(entry.mock, program)?;
        let cassette = match &entry.cassette {
            Some(file) if entry.live => {
                return Err(self.wrong(file.span().start, "a test that is `live` is answered by no `cassette`"));
            }
            Some(file) if self.record => Some(self.beside(file.get_ref())),
            Some(file) => Some(self.there("cassette", file).map_err(|failure| {
                failure.help("`aivm test --record` writes those that are not there: it makes the calls")
            })?),
            None => None,
        };
        let mut files = BTreeMap::new();
        for (path, file) in entry.files {
            let at = path.span().start;
            let path = PathBuf::from(path.into_inner());
            if !stays_beneath(&path) {
                return Err(self.wrong(at, "files: a path in the folder of a test has no `..` and no beginning"));
            }
            let file = match file {
                FileOf::Copy(copy) => {
                    let from = self.there("files", &Spanned::new(at..at, copy.from))?;
                    FileOf::Copy(From { from })
                }
                text => text,
            };
            files.insert(path, file);
        }
        let snapshot = format!("{stem}.snap/{}.txt", trimmed_name(&name));
        Ok(Case {
            line: self.place(at).0,
            input,
            media_type: entry.media_type.unwrap_or_else(|| guessed.to_owned()),
            params,
            mock,
            cassette,
            live: entry.live,
            files,
            timeout: entry.timeout,
            status: entry.status,
            error: entry.error,
            verdict: entry.verdict,
            path: entry.path,
            calls: entry.calls,
            cost: entry.cost,
            output: entry.output.map(Spanned::into_inner),
            snapshot: PathBuf::from(snapshot),
            name,
        })
    }

    /// Only what the program calls can be mocked.
    fn mocks(
        &self,
        mocks: BTreeMap<Spanned<String>, Vec<MockEntry>>,
        program: &Program,
    ) -> Result<BTreeMap<String, Vec<MockEntry>>, Failure> {
        let workers = || program.module.module().workers.iter().map(|worker| worker.name.as_str());
        let mut found = BTreeMap::new();
        for (name, entries) in mocks {
            if !workers().any(|worker| worker == name.get_ref()) {
                let failure =
                    self.wrong(name.span().start, &format!("{} calls no worker `{}`", program.name, name.get_ref()));
                return Err(match aivm_lang::nearest(name.get_ref(), workers()) {
                    Some(near) => failure.help(format!("did you mean `{near}`?")),
                    None => failure
                        .help("what is mocked is a worker, and no definition: its steps have workers of their own"),
                });
            }
            found.insert(name.into_inner(), entries);
        }
        Ok(found)
    }
}

/// The name of a test as the name of a file.
fn trimmed_name(name: &str) -> String {
    const MOST: usize = 60;
    let plain = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '-' };
    let words: Vec<String> =
        name.split(|c| plain(c) == '-').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    words.join("-").chars().take(MOST).collect()
}
