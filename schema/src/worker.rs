//! What a program knows of a worker: the definition that front matter, `workers/WORD.md|toml` and `aivm.toml` spell, and
//! that a module embeds as canonical JSON. How a worker is *run* is the host's; pipelines are functions, not workers.

use crate::artifact::ContentDigest;
use crate::unit::{Milliseconds, Money, Tokens};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Settings by name, as TOML and JSON have them.
pub type Settings = BTreeMap<String, serde_json::Value>;

/// A worker: what it does, and what the compiler may rely on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Spelling", into = "Spelling")]
pub struct WorkerDefinition {
    /// One sentence that says exactly what it does.
    pub about: String,
    /// What a call does.
    pub does: Does,
    /// Settings of a built-in, variables of a prompt, `AIVM_STEP_WITH_…` of a command.
    pub with: Settings,
    /// The verdicts it may answer besides the outcomes of its step.
    pub words: Vec<String>,
    /// What a call does to the world; none: not declared (then it counts as irreversible).
    pub effect: Option<Effect>,
    /// How long its receiver knows an idempotency key; none: for ever.
    pub key_ttl: Option<Milliseconds>,
    /// The worker that takes back what a call did.
    pub undo: Option<String>,
    /// The worker that finds out whether a call happened.
    pub probe: Option<String>,
    /// The media types it reads; none: any. `text/*` stands for all of text.
    pub accepts: Vec<String>,
    /// The media type it returns; none: that of its input.
    pub returns: Option<String>,
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
    /// A model is asked with this prompt.
    Model {
        /// The instructions.
        prompt: String,
        /// Which model; none: the configured one.
        model: Option<String>,
    },
    /// A person is asked this question.
    Human(String),
    /// Nothing but its `mock` entries.
    Mock,
}

/// How a command is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Run {
    /// A line for `sh -c`.
    Shell(String),
    /// A program and its arguments, no shell.
    Argv(Vec<String>),
}

/// What a call does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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

/// One answer of a mock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a mock entry is a word, or a table with some of `verdict`, `output`, `type`, `fail`, `sleep` and `cost`"
)]
pub enum MockEntry {
    /// Just a verdict; the output is the input.
    Verdict(String),
    /// Anything else; `{}` succeeds without a word.
    Full(MockAnswer),
}

/// The long spelling of a [`MockEntry`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MockAnswer {
    /// What it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// The text it returns; none: its input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The media type of `output`; none: the worker's `returns`, else `text/plain`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// It fails, for this reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail: Option<String>,
    /// How long it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sleep: Option<Milliseconds>,
    /// What it says it cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
    /// What it says it used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
}

impl MockEntry {
    /// The long form.
    pub fn answer(&self) -> MockAnswer {
        match self {
            MockEntry::Verdict(word) => MockAnswer { verdict: Some(word.clone()), ..MockAnswer::default() },
            MockEntry::Full(answer) => answer.clone(),
        }
    }
}

/// A behaviour: a named prompt or parameter set that shapes a worker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// The default deadline: a command 10 minutes, a model 5, a built-in 1; a person has none (the run parks).
    pub fn default_timeout(&self) -> Option<Milliseconds> {
        const MINUTE: u64 = 60_000;
        match self {
            Does::Builtin(_) | Does::Mock => Some(Milliseconds(MINUTE)),
            Does::Command(_) => Some(Milliseconds(10 * MINUTE)),
            Does::Model { .. } => Some(Milliseconds(5 * MINUTE)),
            Does::Human(_) => None,
        }
    }

    /// The word for this kind of worker.
    pub fn kind(&self) -> &'static str {
        match self {
            Does::Builtin(_) => "builtin",
            Does::Command(_) => "command",
            Does::Model { .. } => "model",
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
            words: Vec::new(),
            effect: None,
            key_ttl: None,
            undo: None,
            probe: None,
            accepts: Vec::new(),
            returns: None,
            timeout: None,
            backoff: Backoff::default(),
            cost: None,
            tokens: None,
            most: None,
            mock: None,
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

    /// Canonical JSON: keys in a fixed order, nothing that is unset.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// From [`WorkerDefinition::to_json`].
    pub fn from_json(text: &str) -> Result<WorkerDefinition, serde_json::Error> {
        serde_json::from_str(text)
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
            Does::Model { .. } => (self.cost, self.tokens),
            _ => (Some(self.cost.unwrap_or_default()), Some(self.tokens.unwrap_or_default())),
        }
    }
}

/// The text between two lines that are exactly `+++` at the start of a file, and what follows.
pub fn split_front_matter(text: &str) -> (Option<&str>, &str) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.split_inclusive('\n');
    let fence = |line: &str| line.trim_end_matches(['\r', '\n']) == "+++";
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

/// The keys as they are written; [`WorkerDefinition`] is what they mean.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Spelling {
    #[serde(skip_serializing_if = "String::is_empty")]
    about: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    builtin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<Run>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    human: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    with: Settings,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    words: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<Effect>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_ttl: Option<Milliseconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    accepts: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    returns: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<Milliseconds>,
    #[serde(skip_serializing_if = "is_default")]
    backoff: Backoff,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Tokens>,
    #[serde(skip_serializing_if = "Option::is_none")]
    most: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mock: Option<Vec<MockEntry>>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Spelling {
    fn does_nothing(&self) -> bool {
        self.builtin.is_none() && self.run.is_none() && self.prompt.is_none() && self.human.is_none()
    }
}

/// Why a definition means nothing.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// None of the keys that say what a call does.
    #[error("it does nothing: say one of `run`, `prompt`, `builtin`, `human` or `mock`")]
    Nothing,
    /// More than one of them.
    #[error("it does two things, `{0}` and `{1}`: a worker does one")]
    Two(&'static str, &'static str),
    /// `run = []` or `run = ""`.
    #[error("`run` is empty: name a program")]
    EmptyRun,
    /// A word that the language could not name.
    #[error("`{0}` in `words` is not a word: a letter or `_`, then letters, digits, `_` and `-`")]
    NotAWord(String),
    /// `key_ttl` of a worker that is given no key to be known.
    #[error("`key_ttl` says how long an idempotency key is known: it needs `effect = \"idempotent\"`")]
    KeyTtl,
}

impl TryFrom<Spelling> for WorkerDefinition {
    type Error = DefinitionError;

    fn try_from(spelling: Spelling) -> Result<WorkerDefinition, DefinitionError> {
        let keys = [
            ("builtin", spelling.builtin.is_some()),
            ("run", spelling.run.is_some()),
            ("prompt", spelling.prompt.is_some() || spelling.model.is_some()),
            ("human", spelling.human.is_some()),
        ];
        let mut said = keys.iter().filter(|(_, said)| *said).map(|(key, _)| *key);
        if let (Some(first), Some(second)) = (said.next(), said.next()) {
            return Err(DefinitionError::Two(first, second));
        }
        let does = match (spelling.builtin, spelling.run, spelling.human) {
            (Some(name), _, _) => Does::Builtin(name),
            (_, Some(run), _) => {
                let empty = match &run {
                    Run::Shell(line) => line.trim().is_empty(),
                    Run::Argv(argv) => argv.first().is_none_or(String::is_empty),
                };
                if empty {
                    return Err(DefinitionError::EmptyRun);
                }
                Does::Command(run)
            }
            (_, _, Some(question)) => Does::Human(question),
            _ if spelling.prompt.is_some() || spelling.model.is_some() => {
                Does::Model { prompt: spelling.prompt.unwrap_or_default(), model: spelling.model }
            }
            _ if spelling.mock.is_some() => Does::Mock,
            _ => return Err(DefinitionError::Nothing),
        };
        if let Some(word) = spelling.words.iter().find(|word| !crate::word::is_word(word)) {
            return Err(DefinitionError::NotAWord(word.clone()));
        }
        if spelling.key_ttl.is_some() && spelling.effect != Some(Effect::Idempotent) {
            return Err(DefinitionError::KeyTtl);
        }
        Ok(WorkerDefinition {
            about: spelling.about,
            does,
            with: spelling.with,
            words: spelling.words,
            effect: spelling.effect,
            key_ttl: spelling.key_ttl,
            undo: spelling.undo,
            probe: spelling.probe,
            accepts: spelling.accepts,
            returns: spelling.returns,
            timeout: spelling.timeout,
            backoff: spelling.backoff,
            cost: spelling.cost,
            tokens: spelling.tokens,
            most: spelling.most,
            mock: spelling.mock,
        })
    }
}

impl From<WorkerDefinition> for Spelling {
    fn from(worker: WorkerDefinition) -> Spelling {
        let mut spelling = Spelling {
            about: worker.about,
            with: worker.with,
            words: worker.words,
            effect: worker.effect,
            key_ttl: worker.key_ttl,
            undo: worker.undo,
            probe: worker.probe,
            accepts: worker.accepts,
            returns: worker.returns,
            timeout: worker.timeout,
            backoff: worker.backoff,
            cost: worker.cost,
            tokens: worker.tokens,
            most: worker.most,
            mock: worker.mock,
            ..Spelling::default()
        };
        match worker.does {
            Does::Builtin(name) => spelling.builtin = Some(name),
            Does::Command(run) => spelling.run = Some(run),
            Does::Model { prompt, model } => (spelling.prompt, spelling.model) = (Some(prompt), model),
            Does::Human(question) => spelling.human = Some(question),
            Does::Mock => spelling.mock = Some(spelling.mock.unwrap_or_default()),
        }
        spelling
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_survives_its_canonical_json() {
        let text = "about = \"x\"\nrun = [\"tr\", \"a-z\", \"A-Z\"]\nwords = [\"loud\"]\ntimeout = \"3s\"\ncost = \"$0.25\"\nmock = [\"loud\", { fail = \"no\" }, { sleep = \"40ms\" }, {}]\n";
        let worker = WorkerDefinition::from_toml(text).expect("valid");
        assert_eq!(worker.timeout, Some(Milliseconds(3_000)));
        assert_eq!(worker.cost, Some(Money(250_000)));
        let again = WorkerDefinition::from_json(&worker.to_json()).expect("valid");
        assert_eq!(worker, again);
        assert_eq!(worker.digest(), again.digest());
    }

    #[test]
    fn a_worker_does_exactly_one_thing() {
        assert!(WorkerDefinition::from_toml("about = \"x\"").is_err());
        assert!(WorkerDefinition::from_toml("run = \"ls\"\nhuman = \"ok?\"").is_err());
        assert!(WorkerDefinition::from_toml("run = []").is_err());
        assert!(WorkerDefinition::from_toml("run = \"ls\"\ncolour = 1").is_err());
    }

    #[test]
    fn only_an_idempotent_worker_has_a_key_that_ends() {
        let text = "run = \"pay\"\nkey_ttl = \"24h\"\neffect = \"idempotent\"";
        let worker = WorkerDefinition::from_toml(text).expect("valid");
        assert_eq!(worker.key_ttl, Some(Milliseconds(86_400_000)));
        assert_eq!(WorkerDefinition::from_json(&worker.to_json()).expect("valid"), worker);
        for effect in ["", "effect = \"irreversible\""] {
            let told =
                WorkerDefinition::from_toml(&text.replace("effect = \"idempotent\"", effect)).expect_err("no key");
            assert!(told.to_string().contains("it needs `effect = \"idempotent\"`"), "{told}");
        }
    }

    #[test]
    fn a_worker_file_has_settings_above_and_a_prompt_below() {
        let worker = WorkerDefinition::from_markdown("+++\nabout = \"Plans.\"\n+++\n\nMake a plan.\n").expect("valid");
        assert_eq!(worker.does, Does::Model { prompt: "Make a plan.".into(), model: None });
        let builtin = WorkerDefinition::from_markdown("+++\nbuiltin = \"clean\"\n+++\nIts page.\n").expect("valid");
        assert_eq!(builtin.does, Does::Builtin("clean".into()));
    }

    #[test]
    fn waits_grow_and_are_capped() {
        let backoff = Backoff::default();
        assert_eq!(backoff.before(1), Milliseconds(200));
        assert_eq!(backoff.before(3), Milliseconds(800));
        assert_eq!(backoff.before(4_000_000_000), Milliseconds(30_000));
    }
}
