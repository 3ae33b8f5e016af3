//! What a program knows of a worker: the definition that front matter, `workers/WORD.md|toml` and `aivm.toml` spell, and
//! that a module embeds as canonical JSON. How a worker is *run* is the host's; pipelines are functions, not workers.

use crate::artifact::ContentDigest;
use crate::unit::{Milliseconds, Money, Tokens};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod agent;
mod destination;
mod http;
mod mcp;
pub mod memory;
mod mock;
mod model;
mod rates;
mod resources;
mod sandbox;
pub mod seed;
mod source;
mod spelling;
mod tools;
mod workspace;

pub use destination::{Destination, Host};
pub use http::{Http, Method};
pub use mcp::McpTool;
pub use memory::{Grant, Memory, Register};
pub use mock::{MockAnswer, MockEntry};
pub use model::{Ask, Example, Options, Reasoning};
pub use rates::Rates;
pub use resources::{Processors, Resources};
pub use sandbox::{Given, Network, NoSandbox, Sandbox};
pub use source::Source;
pub use spelling::DefinitionError;
use spelling::Spelling;
pub use tools::{INPUT, Offer, ROUNDS, Tools};
pub use workspace::{OUT_OF_REACH, Workspace};

/// Settings by name, as TOML and JSON have them.
pub type Settings = BTreeMap<String, serde_json::Value>;

/// As `undo` of a worker: what it did stays.
pub const KEPT: &str = "none";

/// A worker: what it does, and what the compiler may rely on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Spelling", into = "Spelling")]
pub struct WorkerDefinition {
    /// One sentence that says exactly what it does.
    pub about: String,
    /// What a call does.
    pub does: Does,
    /// Settings of a built-in, variables of a prompt, `AIVM_STEP_WITH_…` of a command.
    pub with: Settings,
    /// Variables that a command is given, as they are named.
    pub env: BTreeMap<String, String>,
    /// The verdicts it may answer besides the outcomes of its step.
    pub words: Vec<String>,
    /// What a call does to the world; none: not declared (then it counts as irreversible).
    pub effect: Option<Effect>,
    /// How long its receiver knows an idempotency key; none: for ever.
    pub key_ttl: Option<Milliseconds>,
    /// The worker that takes back what a call did; [`KEPT`]: none does, not even the one that a built-in brings along.
    pub undo: Option<String>,
    /// The worker that finds out whether a call happened.
    pub probe: Option<String>,
    /// The media types it reads; none: any. `text/*` stands for all of text.
    pub accepts: Vec<String>,
    /// The JSON Schema that its input must fit.
    pub accepts_schema: Option<serde_json::Value>,
    /// The media type it returns; none: that of its input.
    pub returns: Option<String>,
    /// The JSON Schema that its output must fit.
    pub returns_schema: Option<serde_json::Value>,
    /// The deadline of one call; none: its kind's default.
    pub timeout: Option<Milliseconds>,
    /// How long to wait before each retry.
    pub backoff: Backoff,
    /// What one call may cost at most; none: not known.
    pub cost: Option<Money>,
    /// What one call may use at most; none: not known.
    pub tokens: Option<Tokens>,
    /// How many parts its output has at most, when another step fans out over it.
    pub most: Option<u32>,
    /// How long a call may be answered as the same was before; none: each is made.
    pub cache: Option<Milliseconds>,
    /// How often it is called at most by one process.
    pub limits: Rates,
    /// What a call takes of the machine.
    pub resources: Resources,
    /// Of calls that wait for a place in their run the one with the highest begins first.
    pub priority: i32,
    /// What a command is given beside what its effect allows.
    pub sandbox: Sandbox,
    /// Where a command works.
    pub workspace: Workspace,
    /// What it may read and write of what is remembered.
    pub memory: Memory,
    /// The data sources whose files a model or a command is shown.
    pub sources: Vec<String>,
    /// What `--mock` answers instead of a call.
    pub mock: Option<Vec<MockEntry>>,
}

/// What a call does.
#[derive(Clone, Debug, PartialEq)]
pub enum Does {
    /// A function of this program, by its name.
    Builtin(String),
    /// A program on this machine.
    Command(Run),
    /// A program on this machine that stays, and answers calls over its pipes: a program and its arguments.
    Plugin(Vec<String>),
    /// A model is asked.
    Model(Box<Ask>),
    /// A request over HTTP.
    Http(Box<Http>),
    /// A tool of an MCP server.
    Mcp(McpTool),
    /// A person is asked this question.
    Human(String),
    /// Nothing but its `mock` entries.
    Mock,
}

/// How a command is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Run {
    /// A line for `sh -c`.
    Shell(String),
    /// A program and its arguments, no shell.
    Argv(Vec<String>),
}

/// What a call does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// The same answer for the same input; nothing else happens.
    Pure,
    /// Reads the world.
    Read,
    /// Doing it twice is doing it once.
    Idempotent,
    /// Can be taken back.
    Compensable,
    /// Cannot be taken back.
    Irreversible,
}

/// The wait before retry `n` (from 1): `wait * factor^(n-1)`, at most `most`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Backoff {
    /// Before the first retry.
    pub wait: Milliseconds,
    /// What each further wait is multiplied by.
    pub factor: f64,
    /// The longest wait.
    pub most: Milliseconds,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff { wait: Milliseconds(200), factor: 2.0, most: Milliseconds(30_000) }
    }
}

impl Backoff {
    /// The wait before retry `n`, counted from 1.
    pub fn before(&self, n: u32) -> Milliseconds {
        let wait = self.wait.0 as f64 * self.factor.max(0.0).powi(n.saturating_sub(1).min(1_000) as i32);
        Milliseconds(if wait.is_finite() { (wait as u64).min(self.most.0) } else { self.most.0 })
    }
}

/// A behaviour: a named prompt or parameter set that shapes a worker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BehaviourDefinition {
    /// Added to a model's prompt.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub prompt: String,
    /// Laid over the worker's settings.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub with: Settings,
}

/// How long a call of each kind may take when nothing else says.
impl Does {
    /// The default deadline: a command 10 minutes, a model 5, everything else 1; a person has none (the run parks).
    pub fn default_timeout(&self) -> Option<Milliseconds> {
        const MINUTE: u64 = 60_000;
        match self {
            Does::Builtin(_) | Does::Mock => Some(Milliseconds(MINUTE)),
            Does::Command(_) | Does::Plugin(_) => Some(Milliseconds(10 * MINUTE)),
            Does::Model(_) => Some(Milliseconds(5 * MINUTE)),
            Does::Http(_) | Does::Mcp(_) => Some(Milliseconds(MINUTE)),
            Does::Human(_) => None,
        }
    }

    /// The word for this kind of worker.
    pub fn kind(&self) -> &'static str {
        match self {
            Does::Builtin(_) => "builtin",
            Does::Command(_) => "command",
            Does::Plugin(_) => "plugin",
            Does::Model(_) => "model",
            Does::Http(_) => "http",
            Does::Mcp(_) => "mcp",
            Does::Human(_) => "human",
            Does::Mock => "mock",
        }
    }
}

impl WorkerDefinition {
    /// A worker that does `does`, with everything else at its default.
    pub fn new(does: Does) -> WorkerDefinition {
        WorkerDefinition {
            about: String::new(),
            does,
            with: Settings::new(),
            env: BTreeMap::new(),
            words: Vec::new(),
            effect: None,
            key_ttl: None,
            undo: None,
            probe: None,
            accepts: Vec::new(),
            accepts_schema: None,
            returns: None,
            returns_schema: None,
            timeout: None,
            backoff: Backoff::default(),
            cost: None,
            tokens: None,
            most: None,
            cache: None,
            limits: Rates::default(),
            resources: Resources::default(),
            priority: 0,
            sandbox: Sandbox::default(),
            workspace: Workspace::default(),
            memory: Memory::default(),
            sources: Vec::new(),
            mock: None,
        }
    }

    /// The same as a mock with these answers: what a program relies on stays, what only shaped the call goes.
    pub fn mocked(self, answers: Option<Vec<MockEntry>>) -> WorkerDefinition {
        WorkerDefinition {
            does: Does::Mock,
            with: Settings::new(),
            env: BTreeMap::new(),
            cache: None,
            limits: Rates::default(),
            resources: Resources::default(),
            sandbox: Sandbox::default(),
            workspace: Workspace::default(),
            memory: Memory::default(),
            sources: Vec::new(),
            mock: answers,
            ..self
        }
    }

    /// From TOML text, as in `workers/WORD.toml`.
    pub fn from_toml(text: &str) -> Result<WorkerDefinition, toml::de::Error> {
        toml::from_str(text)
    }

    /// From a worker file: TOML settings between two `+++` lines, the prompt below.
    pub fn from_markdown(text: &str) -> Result<WorkerDefinition, toml::de::Error> {
        let (settings, body) = split_front_matter(text);
        let mut spelling: Spelling = toml::from_str(settings.unwrap_or(""))?;
        let body = body.trim();
        if spelling.does_nothing() && !body.is_empty() {
            spelling.prompt = Some(body.to_owned());
        }
        WorkerDefinition::try_from(spelling).map_err(serde::de::Error::custom)
    }

    /// As a worker file: [`WorkerDefinition::from_markdown`] reads the same definition from it.
    pub fn to_markdown(&self) -> String {
        let (settings, body) = match &self.does {
            // Around a prompt, nothing that is in a file is kept.
            Does::Model(ask) if !ask.prompt.is_empty() && ask.prompt.trim() == ask.prompt => {
                let mut settings = self.clone();
                if let Does::Model(ask) = &mut settings.does {
                    ask.prompt = String::new();
                }
                (Spelling::from(settings).without_prompt(), ask.prompt.as_str())
            }
            _ => (Spelling::from(self.clone()), ""),
        };
        let settings = toml::to_string(&settings).unwrap_or_default();
        let end = if body.is_empty() { "" } else { "\n" };
        format!("+++\n{settings}+++\n{body}{end}")
    }

    /// Canonical JSON: keys in a fixed order, nothing that is unset.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// From [`WorkerDefinition::to_json`].
    pub fn from_json(text: &str) -> Result<WorkerDefinition, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Could it be written? What is laid together from several definitions need not fit together.
    pub fn check(&self) -> Result<(), DefinitionError> {
        WorkerDefinition::try_from(Spelling::from(self.clone())).map(drop)
    }

    /// What caches and program identity compare.
    pub fn digest(&self) -> ContentDigest {
        ContentDigest::of("application/vnd.aivm.worker+json", self.to_json().as_bytes())
    }

    /// The deadline of one call when its step sets none.
    pub fn call_timeout(&self) -> Option<Milliseconds> {
        self.timeout.or(self.does.default_timeout())
    }

    /// What one call costs at most: a built-in or a command that declares nothing costs nothing; a model that declares nothing is unknown.
    pub fn price(&self) -> (Option<Money>, Option<Tokens>) {
        match self.does {
            Does::Model(_) => (self.cost, self.tokens),
            _ => (Some(self.cost.unwrap_or_default()), Some(self.tokens.unwrap_or_default())),
        }
    }
}

/// The text between two lines that are exactly `+++` at the start of a file, and what follows.
pub fn split_front_matter(text: &str) -> (Option<&str>, &str) {
    between(text, "+++")
}

fn between<'t>(text: &'t str, mark: &str) -> (Option<&'t str>, &'t str) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.split_inclusive('\n');
    let fence = |line: &str| line.trim_end_matches(['\r', '\n']) == mark;
    let Some(first) = lines.next().filter(|line| fence(line)) else { return (None, text) };
    let mut end = first.len();
    for line in lines {
        if fence(line) {
            return (text.get(first.len()..end), text.get(end + line.len()..).unwrap_or(""));
        }
        end += line.len();
    }
    (None, text)
}

/// A definition that may have come from another program's file.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The worker.
    pub definition: WorkerDefinition,
    /// What the file itself calls it.
    pub name: Option<String>,
    /// What was said of it that nothing is done with, a sentence each.
    pub notes: Vec<String>,
}

impl From<WorkerDefinition> for Loaded {
    fn from(definition: WorkerDefinition) -> Loaded {
        Loaded { definition, name: None, notes: Vec::new() }
    }
}

impl Loaded {
    /// From a worker file in our own form, or in that of agents: YAML between two `---` lines, the prompt below. The models of an
    /// agent may be bare names, `sonnet`: what they stand for, settings say.
    pub fn from_markdown(text: &str) -> Result<Loaded, String> {
        match agent::split(text) {
            Some((settings, body)) => agent::read(settings, body),
            None => {
                let read = WorkerDefinition::from_markdown(text).map(Loaded::from);
                read.map_err(|error| error.to_string().trim().to_owned())
            }
        }
    }

    /// Is this text one of an agent?
    pub fn is_agent(text: &str) -> bool {
        agent::split(text).is_some()
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests;
