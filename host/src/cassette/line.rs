//! The file: JSON Lines, so that it can be read in a review. First its version, then a line for each call: who was asked, what,
//! and the answer. No keys are in it, and no headers.

use super::*;
use crate::builtin::{Body, NewPart};
use crate::work::error;
use aivm_schema::artifact::{Artifact, ContentDigest};
use aivm_schema::unit::Money;
use aivm_schema::worker::{Backoff, WorkerDefinition};
use aivm_vm::action::Usage;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// What this program writes and reads.
const VERSION: u32 = 1;
/// So many characters of an input are shown.
const EXCERPT: usize = 200;
/// Set by the host, of another run.
const RESERVED: [&str; 4] = ["run", "step", "inputs", crate::work::CACHED];

#[derive(Serialize, Deserialize)]
struct First {
    cassette: u32,
}

/// One call.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub worker: String,
    pub step: String,
    pub attempt: u32,
    pub request: Request,
    pub answer: Answer,
}

/// What was asked. Two of the same identity are the same question.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// The digest of the worker: its definition, the behaviours of its step, `--param`.
    pub definition: String,
    /// The digest of the content that flowed in, and its media type.
    pub input: String,
    #[serde(rename = "type")]
    pub media_type: String,
    /// The words that it could answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
    /// How the input begins, for people.
    pub excerpt: String,
}

/// What came back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    Done(Box<Done>),
    Failed(Failed),
    /// It was asked to stop, and did.
    Stopped,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Done {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verdict: Option<String>,
    output: Output,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<(String, String)>,
    #[serde(flatten)]
    used: Used,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Failed {
    kind: EndKind,
    code: String,
    message: String,
    #[serde(flatten)]
    used: Used,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Used {
    #[serde(default, skip_serializing_if = "is_zero")]
    tokens: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    output_tokens: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cost: Option<Money>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Output {
    /// Its input.
    Same,
    New(Value),
    Parts(Vec<(String, Value)>),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Value {
    #[serde(rename = "type")]
    media_type: String,
    /// The bytes, when they are UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "bytes")]
    base64: Option<Vec<u8>>,
}

mod bytes {
    use super::*;

    pub fn serialize<S: serde::Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        bytes.as_ref().map(|bytes| STANDARD.encode(bytes)).serialize(serializer)
    }

    pub fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| STANDARD.decode(text)).transpose().map_err(serde::de::Error::custom)
    }
}

/// The line with which a file begins.
pub(super) fn first() -> String {
    format!("{}\n", serde_json::to_string(&First { cassette: VERSION }).unwrap_or_default())
}

/// All lines; the last is left out when it has no end: whoever wrote it was killed.
pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Vec<Line>, CassetteError> {
    let wrong = |line: usize, reason: String| CassetteError::Line { path: path.to_path_buf(), line, reason };
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    lines.pop();
    let mut lines = lines.into_iter().enumerate().map(|(at, line)| (at + 1, line));
    let Some((_, line)) = lines.next() else { return Ok(Vec::new()) };
    match serde_json::from_slice(line) {
        Ok(First { cassette: VERSION }) => {}
        Ok(First { cassette }) => {
            return Err(wrong(1, format!("it is of version {cassette}, and this program reads {VERSION}")));
        }
        Err(_) => return Err(wrong(1, format!("no cassette begins so: {}", first().trim_end()))),
    }
    let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    lines.map(|(at, line)| serde_json::from_slice(line).map_err(|error| wrong(at, error.to_string()))).collect()
}

impl Line {
    pub fn of(task: &Task, answer: Answer) -> Line {
        let (worker, step) = (task.worker.name.clone(), task.key.to_string());
        Line { worker, step, attempt: task.attempt, request: Request::of(task), answer }
    }

    pub fn text(&self) -> String {
        format!("{}\n", serde_json::to_string(self).unwrap_or_default())
    }
}

impl Request {
    pub fn of(task: &Task) -> Request {
        let (input, excerpt) = match task.parts.is_empty() {
            true => (task.input.content_digest(), excerpt(&task.input)),
            // How several values are packed names artifacts of this run.
            false => {
                let parts = task.parts.iter();
                let digests = parts.map(|(name, verdict, value)| (name, verdict, value.content_digest().to_string()));
                let bytes = serde_json::to_vec(&digests.collect::<Vec<_>>()).unwrap_or_default();
                let shown = task.parts.iter().map(|(name, _, value)| format!("{name}: {}", excerpt(value)));
                (ContentDigest::of(task.input.media_type(), &bytes), shown.collect::<Vec<_>>().join("\n"))
            }
        };
        let input = match task.turns.is_empty() {
            true => input,
            false => {
                let turns = task.turns.iter().map(|turn| turn.digests());
                let bytes = serde_json::to_vec(&turns.collect::<Vec<_>>()).unwrap_or_default();
                ContentDigest::of(&input.to_string(), &bytes)
            }
        };
        Request {
            definition: definition(task),
            input: input.to_string(),
            media_type: task.input.media_type().to_owned(),
            words: task.words.to_vec(),
            excerpt: beginning(&excerpt),
        }
    }

    /// What makes it this question. No word has a space in it.
    pub fn identity(&self) -> String {
        format!("{} {} {}", self.definition, self.input, self.words.join(" "))
    }
}

/// The digest of what is asked, whoever is told it: what the compiler or a person reads of a definition is not part of it, nor
/// what the run does around a call.
fn definition(task: &Task) -> String {
    let asked = WorkerDefinition {
        about: String::new(),
        effect: None,
        key_ttl: None,
        undo: None,
        probe: None,
        timeout: None,
        backoff: Backoff::default(),
        cost: None,
        tokens: None,
        most: None,
        cache: None,
        limits: Default::default(),
        resources: Default::default(),
        priority: 0,
        sandbox: Default::default(),
        mock: None,
        ..task.worker.definition.clone()
    };
    let all = serde_json::json!([asked, task.worker.behaviours, task.around.params]);
    ContentDigest::of("application/json", all.to_string().as_bytes()).to_string()
}

fn excerpt(value: &Artifact) -> String {
    match std::str::from_utf8(value.payload()) {
        Ok(text) => beginning(text),
        Err(_) => format!("{} bytes of {}", value.payload().len(), value.media_type()),
    }
}

fn beginning(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        Some(_) => text.chars().take(EXCERPT - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

impl Answer {
    pub fn of(returned: &Returned) -> Answer {
        let done = |verdict: &Option<String>, output, attributes, usage: &Usage| {
            Answer::Done(Box::new(Done { verdict: verdict.clone(), output, attributes, used: Used::of(usage) }))
        };
        let own = |(key, _): &(String, String)| !RESERVED.contains(&key.as_str());
        match returned {
            Returned::Failed { kind: EndKind::Cancel, .. } => Answer::Stopped,
            Returned::Failed { kind, error, usage } => failed(*kind, &error.code, &error.message, usage),
            Returned::Done { body, verdict, attributes, usage } => {
                let output = match body {
                    Body::Same => Output::Same,
                    Body::New { media_type, payload } => Output::New(Value::of(media_type, payload)),
                    Body::Parts(parts) => {
                        let value = |part: &NewPart| (part.name.clone(), Value::of(&part.media_type, &part.payload));
                        Output::Parts(parts.iter().map(value).collect())
                    }
                };
                done(verdict, output, attributes.clone(), usage)
            }
            Returned::Made { made: Ok(made), verdict, usage } => {
                let attributes = made.attributes().map(|(key, value)| (key.to_owned(), value.to_owned()));
                let output = Output::New(Value::of(made.media_type(), made.payload()));
                done(verdict, output, attributes.filter(own).collect(), usage)
            }
            Returned::Made { made: Err(error), usage, .. } => {
                failed(EndKind::Failure, "E0719", &format!("what it returned is no artifact: {error}"), usage)
            }
        }
    }

    /// Is it a list of values?
    pub fn is_parts(&self) -> bool {
        matches!(self, Answer::Done(done) if matches!(done.output, Output::Parts(_)))
    }

    /// None: it was stopped.
    pub fn returned(self) -> Option<Returned> {
        Some(match self {
            Answer::Stopped => return None,
            Answer::Failed(Failed { kind, code, message, used }) => {
                Returned::Failed { kind, error: error(&code, message), usage: used.usage() }
            }
            Answer::Done(done) => {
                let Done { verdict, output, attributes, used } = *done;
                let body = match output {
                    Output::Same => Body::Same,
                    Output::New(value) => {
                        let (media_type, payload) = value.bytes();
                        Body::New { media_type, payload }
                    }
                    Output::Parts(parts) => {
                        let part = |(name, value): (String, Value)| {
                            let (media_type, payload) = value.bytes();
                            NewPart { name, media_type, payload }
                        };
                        Body::Parts(parts.into_iter().map(part).collect())
                    }
                };
                Returned::Done { body, verdict, attributes, usage: used.usage() }
            }
        })
    }
}

fn failed(kind: EndKind, code: &str, message: &str, usage: &Usage) -> Answer {
    let (code, message) = (code.to_owned(), message.to_owned());
    Answer::Failed(Failed { kind, code, message, used: Used::of(usage) })
}

impl Used {
    fn of(usage: &Usage) -> Used {
        let cost = Some(Money(usage.money)).filter(|cost| cost.0 > 0);
        Used { tokens: usage.tokens, output_tokens: usage.output_tokens, cost }
    }

    fn usage(self) -> Usage {
        let Used { tokens, output_tokens, cost } = self;
        Usage { money: cost.unwrap_or_default().0, tokens, output_tokens, ..Usage::default() }
    }
}

impl Value {
    fn of(media_type: &str, payload: &[u8]) -> Value {
        let text = std::str::from_utf8(payload).ok().map(str::to_owned);
        let base64 = text.is_none().then(|| payload.to_vec());
        Value { media_type: media_type.to_owned(), text, base64 }
    }

    fn bytes(self) -> (String, Vec<u8>) {
        let payload = self.text.map(String::into_bytes).or(self.base64);
        (self.media_type, payload.unwrap_or_default())
    }
}
