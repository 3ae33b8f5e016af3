//! The keys of a definition as they are written, and why some mean nothing.

use super::*;

/// The keys as they are written; [`WorkerDefinition`] is what they mean.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Spelling {
    /// One sentence that says exactly what it does.
    #[serde(skip_serializing_if = "String::is_empty")]
    about: String,
    /// A function of aivm, by its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    builtin: Option<String>,
    /// A command: a line for `sh -c`, or a program and its arguments without a shell.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<Run>,
    /// A program that stays and answers calls over its pipes, and its arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<Vec<String>>,
    /// A model is asked with this text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prompt: Option<String>,
    /// Which models are asked, `provider/model`, the preferred first.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<Models>,
    /// Of a model.
    #[serde(skip_serializing_if = "is_default")]
    options: Options,
    /// Of a model: inputs and good answers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    examples: Vec<Example>,
    /// Of a model: whom it may call while it answers.
    #[serde(skip_serializing_if = "is_default")]
    tools: Tools,
    /// Of a model: the most that it is shown of what flows.
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Tokens>,
    /// A request: an address, or a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<Http>,
    /// A tool of an MCP server.
    #[serde(skip_serializing_if = "Option::is_none")]
    mcp: Option<McpTool>,
    /// A person is asked this question, with the outcomes of the step as the choices.
    #[serde(skip_serializing_if = "Option::is_none")]
    human: Option<String>,
    /// Settings: of a built-in its own; of a prompt its variables; of a command `AIVM_STEP_WITH_NAME`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    with: Settings,
    /// Of a command: variables that it is given, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<String, String>,
    /// The verdicts that it may say besides the outcomes of its step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    words: Vec<String>,
    /// What a call does to the world.
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<Effect>,
    /// With `effect = "idempotent"`: how long the receiver of a call knows it by its key; for ever otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_ttl: Option<Milliseconds>,
    /// The worker that takes back what a call did; `"none"`: what it did stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<String>,
    /// The worker that finds out whether a call happened that was interrupted.
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<String>,
    /// The media types that it reads, or the schema of its JSON; any otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepts: Option<Accepts>,
    /// The media type of its output, or the schema of its JSON; that of its input otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    returns: Option<Returns>,
    /// The deadline of one call, where its step sets none.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<Milliseconds>,
    /// The wait before a retry.
    #[serde(skip_serializing_if = "is_default")]
    backoff: Backoff,
    /// What one call costs at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Money>,
    /// What one call uses at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Tokens>,
    /// How many parts its output has at most, when another step fans out over it.
    #[serde(skip_serializing_if = "Option::is_none")]
    most: Option<u32>,
    /// How long a call may be answered as the same one was before.
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<Milliseconds>,
    /// How often it is called at most, by all runs of a process.
    #[serde(skip_serializing_if = "is_default")]
    limits: Rates,
    /// What a call takes of the machine, which all runs of a process share: it waits until that much is left.
    #[serde(skip_serializing_if = "is_default")]
    resources: Resources,
    /// Of calls that wait because a run makes only so many at once, the one with the highest begins first; 0 unless set.
    #[serde(skip_serializing_if = "is_default")]
    priority: i32,
    /// Of a command or plugin: what it is given beside what its effect allows; or `"none"`.
    #[serde(skip_serializing_if = "is_default")]
    sandbox: Sandbox,
    /// Of a command: where it works, `inherit`, `ephemeral`, or a folder of the workspace.
    #[serde(skip_serializing_if = "is_default")]
    workspace: Workspace,
    /// What it may read and write of what is remembered, as `global:rw`.
    #[serde(skip_serializing_if = "is_default")]
    memory: Memory,
    /// Of a model or command: the data sources of the project whose files it is shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sources: Vec<String>,
    /// What it answers where it has nothing else to do, and under `--mock`: one entry a call, the last repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    mock: Option<Vec<MockEntry>>,
}

/// One model, or several in order of preference.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`model` is `provider/model`, or a list of them, the preferred first")]
enum Models {
    One(String),
    Several(Vec<String>),
}

/// Media types, or a schema of the JSON that is read.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`accepts` is a media type, a list of them, or a table with `schema`")]
enum Accepts {
    Type(String),
    Types(Vec<String>),
    Schema(Schema),
}

/// A media type, or a schema of the JSON that is returned.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`returns` is a media type, or a table with `schema`")]
enum Returns {
    Type(String),
    Schema(Schema),
}

/// A media type of JSON, and its schema.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Schema {
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    schema: serde_json::Value,
}

/// The media type of a schema that names none.
const JSON: &str = "application/json";

impl Spelling {
    pub(super) fn does_nothing(&self) -> bool {
        self.builtin.is_none()
            && self.run.is_none()
            && self.plugin.is_none()
            && self.prompt.is_none()
            && self.human.is_none()
            && self.http.is_none()
            && self.mcp.is_none()
    }

    /// Its prompt stands elsewhere.
    pub(super) fn without_prompt(self) -> Spelling {
        Spelling { prompt: None, ..self }
    }
}

/// Why a definition means nothing.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// None of the keys that say what a call does.
    #[error("it does nothing: say one of `run`, `plugin`, `prompt`, `http`, `mcp`, `builtin`, `human` or `mock`")]
    Nothing,
    /// More than one of them.
    #[error("it does two things, `{0}` and `{1}`: a worker does one")]
    Two(&'static str, &'static str),
    /// `run = []` or `run = ""`.
    #[error("it runs nothing: name a program")]
    EmptyRun,
    /// A key that only a model hears.
    #[error("`{0}` is for a model: it needs `prompt` or `model`")]
    OfAModel(&'static str),
    /// A word that the language could not name.
    #[error("`{0}` in `words` is not a word: a letter or `_`, then letters, digits, `_` and `-`")]
    NotAWord(String),
    /// A limit of nothing at all.
    #[error("`{0}` in `limits` is 0, and nothing would ever be called: leave it out for no limit")]
    Closed(&'static str),
    /// `key_ttl` of a worker that is given no key to be known.
    #[error("`key_ttl` says how long an idempotency key is known: it needs `effect = \"idempotent\"`")]
    KeyTtl,
    /// `sandbox` of what is no process.
    #[error("`sandbox` is for a command: it needs `run` or `plugin`")]
    OfACommand,
    /// `workspace` of what works in none.
    #[error("`workspace` is for a command: it needs `run`")]
    NoPlace,
    /// `workspace` of what sees none.
    #[error("`workspace` contradicts `effect = \"pure\"`: a pure command has an empty folder of its own; say `read`")]
    PlaceOfAPure,
    /// A path in `workspace` that leads elsewhere, or nowhere.
    #[error("`{0}` cannot be the `workspace`: {1}")]
    NotAPlace(String, &'static str),
    /// `memory` of what remembers nothing.
    #[error("`memory` is for a model, or for one of the built-ins {}", words())]
    OfMemory,
    /// `env` of what is no process.
    #[error("`env` is for a command: it needs `run`")]
    EnvOfACommand,
    /// A name in `env` that no variable of a command can have.
    #[error(
        "`{0}` in `env` cannot be given: a letter or `_`, then letters, digits and `_`, and none of `AIVM_`, `LD_`, `DYLD_` and `GLIBC_`"
    )]
    NotGiven(String),
    /// A value in `env` that no variable can have.
    #[error("`{0}` in `env` holds a zero byte, which no variable can")]
    ZeroInAVariable(String),
    /// `sources` of what reads none.
    #[error("`sources` is for a model or a command: it needs `prompt`, `model` or `run`")]
    OfAReader,
    /// `sources` of what is always the same.
    #[error("`sources` contradicts `effect = \"pure\"`: what is in files may change; say `read`")]
    SourcesOfAPure,
    /// What contradicts the class.
    #[error("`{0}` of `sandbox` contradicts `effect = \"{1}\"`: {2}")]
    AgainstItsEffect(&'static str, &'static str, &'static str),
    /// A path of `sandbox`.
    #[error("`{0}` in `sandbox` is not an absolute path: begin it with `/` or `~/`; the workspace is there already")]
    NotAbsolute(String),
    /// A variable of `sandbox`.
    #[error("`{0}` in `env` of `sandbox` is not the name of a variable")]
    NotAVariable(String),
    /// An entry of the list `network` of `sandbox`.
    #[error("`{0}` in `network` of `sandbox` is no destination: {1}")]
    NotADestination(String, &'static str),
}

/// The built-ins of memory, for messages.
fn words() -> String {
    memory::WORDS.map(|(word, _)| format!("`{word}`")).join(", ")
}

/// May a command be given a variable of this name? None by which what starts it could be led astray, before its sandbox is made:
/// those of the loader and our own.
fn is_variable(name: &str) -> bool {
    const NEVER: [&str; 4] = ["AIVM_", "LD_", "DYLD_", "GLIBC_"];
    let of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins && name.chars().all(of_a_name) && !NEVER.iter().any(|never| name.starts_with(never))
}

/// Is what a command is given nothing that its effect rules out?
fn given(sandbox: &Sandbox, effect: Option<Effect>, is_command: bool) -> Result<(), DefinitionError> {
    if *sandbox != Sandbox::default() && !is_command {
        return Err(DefinitionError::OfACommand);
    }
    let Sandbox::Given(given) = sandbox else { return Ok(()) };
    if let Some(path) = given.wrong_path() {
        return Err(DefinitionError::NotAbsolute(path.clone()));
    }
    if let Some(name) = given.wrong_name() {
        return Err(DefinitionError::NotAVariable(name.clone()));
    }
    if let Some(Err((entry, why))) = given.network.as_ref().map(Network::destinations) {
        return Err(DefinitionError::NotADestination(entry, why));
    }
    let against = |key, class, why| Err(DefinitionError::AgainstItsEffect(key, class, why));
    match effect {
        Some(Effect::Pure) if given.network.as_ref().is_some_and(|network| *network != Network::All(false)) => {
            against("network", "pure", "what answers may change; say `read`")
        }
        Some(Effect::Pure) if !given.env.is_empty() => {
            against("env", "pure", "what a variable says may change; say `read`")
        }
        Some(Effect::Pure) if !given.write.is_empty() => {
            against("write", "pure", "it changes the world; say what it does")
        }
        Some(Effect::Read) if !given.write.is_empty() => {
            against("write", "read", "it changes the world; say what it does")
        }
        _ => Ok(()),
    }
}

/// Is it somewhere in the workspace, of what sees that?
fn place(workspace: &Workspace, effect: Option<Effect>, is_command: bool) -> Result<(), DefinitionError> {
    match workspace {
        Workspace::Inherit => Ok(()),
        _ if !is_command => Err(DefinitionError::NoPlace),
        _ if effect == Some(Effect::Pure) => Err(DefinitionError::PlaceOfAPure),
        _ => match workspace.wrong() {
            Some(why) => Err(DefinitionError::NotAPlace(workspace.clone().into(), why)),
            None => Ok(()),
        },
    }
}

impl TryFrom<Spelling> for WorkerDefinition {
    type Error = DefinitionError;

    fn try_from(spelling: Spelling) -> Result<WorkerDefinition, DefinitionError> {
        let asks = spelling.prompt.is_some() || spelling.model.is_some();
        let keys = [
            ("builtin", spelling.builtin.is_some()),
            ("run", spelling.run.is_some()),
            ("plugin", spelling.plugin.is_some()),
            ("prompt", asks),
            ("http", spelling.http.is_some()),
            ("mcp", spelling.mcp.is_some()),
            ("human", spelling.human.is_some()),
        ];
        let mut said = keys.iter().filter(|(_, said)| *said).map(|(key, _)| *key);
        if let (Some(first), Some(second)) = (said.next(), said.next()) {
            return Err(DefinitionError::Two(first, second));
        }
        let of_a_model = [
            ("options", spelling.options != Options::default()),
            ("examples", !spelling.examples.is_empty()),
            ("tools", !spelling.tools.is_empty()),
            ("context", spelling.context.is_some()),
        ];
        if let Some((key, _)) = of_a_model.iter().find(|(_, said)| *said && !asks) {
            return Err(DefinitionError::OfAModel(key));
        }
        let does = if let Some(name) = spelling.builtin {
            Does::Builtin(name)
        } else if let Some(run) = spelling.run {
            match &run {
                Run::Shell(line) if line.trim().is_empty() => return Err(DefinitionError::EmptyRun),
                Run::Argv(argv) if argv.first().is_none_or(String::is_empty) => return Err(DefinitionError::EmptyRun),
                _ => Does::Command(run),
            }
        } else if let Some(argv) = spelling.plugin {
            match argv.first() {
                None => return Err(DefinitionError::EmptyRun),
                Some(program) if program.is_empty() => return Err(DefinitionError::EmptyRun),
                Some(_) => Does::Plugin(argv),
            }
        } else if let Some(http) = spelling.http {
            Does::Http(Box::new(http))
        } else if let Some(tool) = spelling.mcp {
            Does::Mcp(tool)
        } else if let Some(question) = spelling.human {
            Does::Human(question)
        } else if asks {
            let models = match spelling.model {
                None => Vec::new(),
                Some(Models::One(model)) => vec![model],
                Some(Models::Several(models)) => models,
            };
            let (prompt, options) = (spelling.prompt.unwrap_or_default(), spelling.options);
            let (examples, tools, context) = (spelling.examples, spelling.tools, spelling.context);
            Does::Model(Box::new(Ask { prompt, models, options, examples, tools, context }))
        } else if spelling.mock.is_some() {
            Does::Mock
        } else {
            return Err(DefinitionError::Nothing);
        };
        if let Some(word) = spelling.words.iter().find(|word| !crate::word::is_word(word)) {
            return Err(DefinitionError::NotAWord(word.clone()));
        }
        if spelling.key_ttl.is_some() && spelling.effect != Some(Effect::Idempotent) {
            return Err(DefinitionError::KeyTtl);
        }
        if let Some(name) = spelling.limits.closed() {
            return Err(DefinitionError::Closed(name));
        }
        let remembers = match &does {
            Does::Builtin(name) => memory::use_of(name).is_some(),
            Does::Model(_) => true,
            _ => false,
        };
        if !spelling.memory.is_empty() && !remembers {
            return Err(DefinitionError::OfMemory);
        }
        if !spelling.env.is_empty() && !matches!(does, Does::Command(_)) {
            return Err(DefinitionError::EnvOfACommand);
        }
        if let Some(name) = spelling.env.keys().find(|name| !is_variable(name)) {
            return Err(DefinitionError::NotGiven(name.clone()));
        }
        if let Some((name, _)) = spelling.env.iter().find(|(_, value)| value.contains('\0')) {
            return Err(DefinitionError::ZeroInAVariable(name.clone()));
        }
        given(&spelling.sandbox, spelling.effect, matches!(does, Does::Command(_) | Does::Plugin(_)))?;
        place(&spelling.workspace, spelling.effect, matches!(does, Does::Command(_)))?;
        if !spelling.sources.is_empty() && !matches!(does, Does::Command(_) | Does::Model(_)) {
            return Err(DefinitionError::OfAReader);
        }
        if !spelling.sources.is_empty() && spelling.effect == Some(Effect::Pure) {
            return Err(DefinitionError::SourcesOfAPure);
        }
        let (accepts, accepts_schema) = match spelling.accepts {
            None => (Vec::new(), None),
            Some(Accepts::Type(one)) => (vec![one], None),
            Some(Accepts::Types(types)) => (types, None),
            Some(Accepts::Schema(Schema { media_type, schema })) => {
                (vec![media_type.unwrap_or_else(|| JSON.to_owned())], Some(schema))
            }
        };
        let (returns, returns_schema) = match spelling.returns {
            None => (None, None),
            Some(Returns::Type(media_type)) => (Some(media_type), None),
            Some(Returns::Schema(Schema { media_type, schema })) => {
                (Some(media_type.unwrap_or_else(|| JSON.to_owned())), Some(schema))
            }
        };
        Ok(WorkerDefinition {
            about: spelling.about,
            does,
            with: spelling.with,
            env: spelling.env,
            words: spelling.words,
            effect: spelling.effect,
            key_ttl: spelling.key_ttl,
            undo: spelling.undo,
            probe: spelling.probe,
            accepts,
            accepts_schema,
            returns,
            returns_schema,
            timeout: spelling.timeout,
            backoff: spelling.backoff,
            cost: spelling.cost,
            tokens: spelling.tokens,
            most: spelling.most,
            cache: spelling.cache,
            limits: spelling.limits,
            resources: spelling.resources,
            priority: spelling.priority,
            sandbox: spelling.sandbox,
            workspace: spelling.workspace,
            memory: spelling.memory,
            sources: spelling.sources,
            mock: spelling.mock,
        })
    }
}

impl From<WorkerDefinition> for Spelling {
    fn from(worker: WorkerDefinition) -> Spelling {
        let mut spelling = Spelling {
            about: worker.about,
            with: worker.with,
            env: worker.env,
            words: worker.words,
            effect: worker.effect,
            key_ttl: worker.key_ttl,
            undo: worker.undo,
            probe: worker.probe,
            timeout: worker.timeout,
            backoff: worker.backoff,
            cost: worker.cost,
            tokens: worker.tokens,
            most: worker.most,
            cache: worker.cache,
            limits: worker.limits,
            resources: worker.resources,
            priority: worker.priority,
            sandbox: worker.sandbox,
            workspace: worker.workspace,
            memory: worker.memory,
            sources: worker.sources,
            mock: worker.mock,
            ..Spelling::default()
        };
        let typed = |media_type: Option<String>, schema| {
            // JSON goes without saying.
            Schema { media_type: media_type.filter(|media_type| media_type != JSON), schema }
        };
        spelling.accepts = match worker.accepts_schema {
            Some(schema) => Some(Accepts::Schema(typed(worker.accepts.into_iter().next(), schema))),
            None => Some(worker.accepts).filter(|types| !types.is_empty()).map(Accepts::Types),
        };
        spelling.returns = match worker.returns_schema {
            Some(schema) => Some(Returns::Schema(typed(worker.returns, schema))),
            None => worker.returns.map(Returns::Type),
        };
        match worker.does {
            Does::Builtin(name) => spelling.builtin = Some(name),
            Does::Command(run) => spelling.run = Some(run),
            Does::Plugin(argv) => spelling.plugin = Some(argv),
            Does::Model(ask) => {
                let Ask { prompt, mut models, options, examples, tools, context } = *ask;
                spelling.prompt = Some(prompt);
                spelling.model = match models.len() {
                    0 => None,
                    1 => models.pop().map(Models::One),
                    _ => Some(Models::Several(models)),
                };
                (spelling.options, spelling.examples) = (options, examples);
                (spelling.tools, spelling.context) = (tools, context);
            }
            Does::Http(http) => spelling.http = Some(*http),
            Does::Mcp(tool) => spelling.mcp = Some(tool),
            Does::Human(question) => spelling.human = Some(question),
            Does::Mock => spelling.mock = Some(spelling.mock.unwrap_or_default()),
        }
        spelling
    }
}
