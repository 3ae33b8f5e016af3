//! Settings: flag over `AIVM_*` over `aivm.toml` over the user's file over the default. And `config show`.

use crate::args::{ConfigArgs, ConfigCommand, Global};
use crate::fail::{Exit, Failure};
use crate::project;
use crate::secret::settings::Secrets;
use aivm_host::mcp::{self, Servers};
use aivm_host::models::{Defaults, Models, Price, Provider, Settings};
use aivm_host::secret::{MASK, shape};
use aivm_host::sources::Sources;
use aivm_host::work::Outside;
use aivm_host::work::sandbox::{Sandbox, Wanted};
use aivm_lang::front::{FrontMatter, Limits, StageSettings};
use aivm_lang::library::LibraryError;
use aivm_schema::unit::Milliseconds;
use aivm_schema::worker::seed::{self, Bundle, Policy};
use aivm_schema::worker::{BehaviourDefinition, Does, Given, Network, Source, WorkerDefinition};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub mod memory;

use memory::MemorySettings;

/// An `aivm.toml`: what front matter may say, and what is the project's alone.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct File {
    worker: BTreeMap<String, WorkerDefinition>,
    behaviour: BTreeMap<String, BehaviourDefinition>,
    stage: BTreeMap<String, StageSettings>,
    limits: Limits,
    gc: Retention,
    models: Defaults,
    provider: BTreeMap<String, Provider>,
    price: BTreeMap<String, Price>,
    mcp: mcp::Settings,
    secrets: Secrets,
    sandbox: SandboxSettings,
    store: StoreSettings,
    #[cfg_attr(not(feature = "memory"), schemars(with = "serde_json::Value"))]
    memory: MemorySettings,
    sources: BTreeMap<String, Source>,
    webhooks: HookSettings,
}

/// The JSON Schema of an `aivm.toml`.
pub fn json_schema() -> schemars::Schema {
    schemars::schema_for!(File)
}

/// `[store]`: the bucket that values go to.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSettings {
    /// `s3://bucket/prefix`
    pub url: Option<String>,
    /// When an outcome counts.
    pub mode: StoreMode,
    /// How artifacts are written.
    pub format: StoreFormat,
    /// The server, where it is not Amazon's: `http://127.0.0.1:9000`
    pub endpoint: Option<String>,
    /// `eu-central-1`
    pub region: Option<String>,
    /// Of the user's `~/.aws/config`.
    pub profile: Option<String>,
    /// `http://host/bucket/key` and not `http://bucket.host/key`
    pub path_style: Option<bool>,
}

/// `[webhooks]`: whom programs may tell that a person is asked.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HookSettings {
    /// Servers that are asked though they are not public or speak no https: `http://127.0.0.1:8080`
    pub allow: Vec<String>,
}

/// When an outcome counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StoreMode {
    /// When it is durable on disk; it is sent in the background.
    #[default]
    Behind,
    /// When it is in the bucket.
    Through,
}

/// How artifacts are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StoreFormat {
    /// Cap'n Proto: `.artifact`
    #[default]
    Binary,
    /// `.json`
    Json,
}

/// `[sandbox]`: what holds commands, and what they are given.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SandboxSettings {
    /// By what they are held; without it, by what there is.
    pub means: Option<Wanted>,
    /// May a definition say `sandbox = "none"`?
    pub opt_out: bool,
    /// Is there a network, where a definition does not say?
    pub network: Option<Network>,
    /// What they read.
    pub read: Vec<String>,
    /// What they write, of those that write.
    pub write: Vec<String>,
    /// The variables that they get.
    pub env: Vec<String>,
}

/// `--sandbox`
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SandboxFlag {
    /// What there is: bwrap, else Landlock
    Auto,
    /// bubblewrap
    Bwrap,
    /// Landlock
    Landlock,
    /// Commands do what you may do
    None,
    /// What there is; but commands that ask for no sandbox have none
    OptOut,
}

/// What an `aivm.toml` says.
#[derive(Debug, Default)]
pub struct Project {
    /// What front matter may say, too.
    pub front: FrontMatter,
    /// What `aivm gc` does.
    pub gc: Retention,
    /// MCP servers.
    pub mcp: mcp::Settings,
    /// Models and their providers.
    pub models: Settings,
    /// Where secrets are.
    pub secrets: Secrets,
    /// The folder of the file, where that is known.
    pub root: Option<PathBuf>,
    /// What holds commands.
    pub sandbox: SandboxSettings,
    /// The bucket that values go to.
    pub store: StoreSettings,
    /// How workers remember.
    #[cfg_attr(not(feature = "memory"), allow(dead_code))]
    pub memory: MemorySettings,
    /// Data sources, by name.
    pub sources: BTreeMap<String, Source>,
    /// Whom programs may tell that a person is asked.
    pub webhooks: HookSettings,
}

/// `[gc]`: what `aivm gc` does when it is not told; the words of its flags.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Only runs that ended so long ago.
    pub older_than: Option<Milliseconds>,
    /// But for the newest so many of each program.
    pub keep: Option<usize>,
    /// Only those that ended so.
    pub status: Vec<Ended>,
    /// Which values outlive their runs.
    pub values: Vec<Outlive>,
}

/// `[[gc.values]]`: values of a role or a scope that are kept though their run goes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Outlive {
    /// Of this role; without it of any.
    pub role: Option<String>,
    /// And of this scope.
    pub scope: Option<String>,
    /// So long after they were made; without it for ever.
    pub older_than: Option<Milliseconds>,
}

/// How a run can have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// With an output
    Sent,
    /// Stopped, or taken back
    Cancelled,
    /// By a failure
    Failed,
    /// Its time was up
    Timeout,
}

impl Ended {
    /// As runs say it.
    pub fn word(self) -> &'static str {
        match self {
            Ended::Sent => "sent",
            Ended::Cancelled => "cancelled",
            Ended::Failed => "failed",
            Ended::Timeout => "timeout",
        }
    }
}

impl Project {
    /// From TOML text.
    pub fn parse(text: &str) -> Result<Project, String> {
        if let Some(reason) = crate::secret::settings::written(text) {
            return Err(format!("E0964: {reason}"));
        }
        let file: File = toml::from_str(text).map_err(|error| error.to_string().trim().to_owned())?;
        let File {
            worker,
            behaviour,
            stage,
            limits,
            gc,
            models,
            provider,
            price,
            mcp,
            secrets,
            sandbox,
            store,
            memory,
            sources,
            webhooks,
        } = file;
        for (name, source) in &sources {
            if !aivm_schema::word::is_word(name) {
                return Err(format!(
                    "`{name}` is no name of a data source: a letter or `_`, then letters, digits, `_` and `-`"
                ));
            }
            if let Some(why) = source.wrong() {
                return Err(format!("`[sources.{name}]`: {why}"));
            }
        }
        if gc.values.iter().any(|rule| rule.role.is_none() && rule.scope.is_none()) {
            return Err("a `[[gc.values]]` has neither `role` nor `scope`: say which values outlive their runs".into());
        }
        let (read, write, env) = (sandbox.read.clone(), sandbox.write.clone(), sandbox.env.clone());
        let given = Given { network: None, read, write, env };
        if let Some(path) = given.wrong_path() {
            return Err(format!("`{path}` in `[sandbox]` is not an absolute path: begin it with `/` or `~/`"));
        }
        if let Some(name) = given.wrong_name() {
            return Err(format!("`{name}` in `env` of `[sandbox]` is not the name of a variable"));
        }
        if let Some(Err((entry, why))) = sandbox.network.as_ref().map(Network::destinations) {
            return Err(format!("`{entry}` in `network` of `[sandbox]` is no destination: {why}"));
        }
        for (name, url) in provider.iter().filter_map(|(name, provider)| Some((name, provider.url.as_ref()?))) {
            if !is_address(url) {
                return Err(format!(
                    "`url` of `[provider.{name}]` is `{url}`, and an address begins with http:// or https://: write `http://{url}` if it is at that host"
                ));
            }
        }
        if let Some(server) = webhooks.allow.iter().find(|server| !is_server(server)) {
            return Err(format!(
                "`{server}` in `allow` of `[webhooks]` is no server: write `http://HOST:PORT` or `https://HOST:PORT`"
            ));
        }
        memory::check(&memory)?;
        let front = FrontMatter { worker, behaviour, stage, limits, ..FrontMatter::default() };
        let models = Settings { models, provider, price };
        Ok(Project { front, gc, models, secrets, mcp, sandbox, store, memory, sources, webhooks, root: None })
    }

    /// That of the nearest `aivm.toml` above the store; an empty one when there is none.
    pub fn of_the_store() -> Result<Project, Failure> {
        let state = project::state_folder();
        let folder = match std::env::var_os("AIVM_STATE").filter(|folder| !folder.is_empty()) {
            Some(_) => std::path::PathBuf::from("."),
            None => state.parent().map(std::path::Path::to_path_buf).unwrap_or_default(),
        };
        let Some(root) = project::nearest(&folder, "aivm.toml") else { return Ok(Project::default()) };
        let path = root.join("aivm.toml");
        let text = project::read_plain(&path).map_err(|error| Failure::usage("E0802", error.to_string()))?;
        let project = Project::parse(&text.unwrap_or_default());
        let mut project = project.map_err(|reason| Failure::usage("E0802", format!("{}: {reason}", path.display())))?;
        // A file that cannot be read is told of by whoever looks a word up in it.
        if let Ok(Some(bundle)) = read_seeds(&root.join(seed::FILE)) {
            add_seeds(&mut project.models, &bundle);
            for (name, source) in bundle.sources {
                project.sources.entry(name).or_insert(source);
            }
        }
        project.root = Some(root);
        Ok(project)
    }
}

/// Does it begin as an address does?
fn is_address(url: &str) -> bool {
    let begins = |scheme: &str| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    begins("http://") || begins("https://")
}

/// Is it the address of a server, and of nothing on it?
fn is_server(url: &str) -> bool {
    let host = url.split_once("://").map_or("", |(_, host)| host);
    is_address(url)
        && !host.is_empty()
        && !host.contains(['/', '?', '#', '@', '\\'])
        && !host.contains(char::is_whitespace)
}

/// What runs do not take from the `aivm.toml` of a program, since another one, or none, is that of the store: how a run that is gone on
/// with finds the same. None: nothing is left out.
pub fn elsewhere(program: &str) -> Option<String> {
    const OF_THE_STORE: [&str; 9] =
        ["models", "provider", "price", "mcp", "secrets", "sandbox", "store", "memory", "sources"];
    let folder = std::path::absolute(program).ok()?.parent()?.to_path_buf();
    let root = project::nearest(&folder, "aivm.toml")?;
    let used = Project::of_the_store().ok()?.root;
    if used.as_ref() == Some(&root) {
        return None;
    }
    let path = root.join("aivm.toml");
    let table: toml::Table = project::read_plain(&path).ok()??.parse().ok()?;
    let left: Vec<String> =
        OF_THE_STORE.iter().filter(|name| table.contains_key(**name)).map(|name| format!("[{name}]")).collect();
    if left.is_empty() {
        return None;
    }
    let used = used.map_or("no aivm.toml".to_owned(), |used| used.join("aivm.toml").display().to_string());
    Some(format!(
        "not used here: {} of {}: runs are kept in {}, and their settings come from {used}. To use them, run it in {}",
        left.join(", "),
        path.display(),
        project::state_folder().display(),
        root.display()
    ))
}

/// The keys and prices that a bundle names, where nothing else does.
fn add_seeds(settings: &mut Settings, bundle: &Bundle) {
    for worker in &bundle.workers {
        let Does::Model(ask) = &worker.definition.does else { continue };
        for model in &ask.models {
            if let Some(seed::Price { input, output }) = worker.price {
                settings.price.entry(model.clone()).or_insert(Price { input, output });
            }
            if let (Some(key), Some((provider, _))) = (&worker.key, model.split_once('/')) {
                let provider = settings.provider.entry(provider.to_owned()).or_default();
                // A server of one's own has what is said of it there.
                if provider.url.is_none() {
                    provider.key.get_or_insert_with(|| key.clone());
                }
            }
        }
    }
}

/// Whom workers ask that ask a model.
fn models() -> Result<Arc<Models>, Failure> {
    let models = Models::new(asked(Project::of_the_store()?.models));
    #[cfg(feature = "store")]
    let models = models.after(Box::new(|who, since| {
        crate::store::existing().map(|disk| disk.tokens_used(who, since)).unwrap_or_default()
    }));
    Ok(Arc::new(models))
}

/// What workers use that is one for all runs of this process.
pub fn outside(flag: Option<SandboxFlag>) -> Result<Outside, Failure> {
    Ok(Outside {
        models: models()?,
        mcp: servers()?,
        sandbox: sandbox(flag)?,
        plugins: Arc::default(),
        #[cfg(feature = "memory")]
        memory: memory::of(&Project::of_the_store()?)?,
        sources: Arc::new(sources()?),
        hooks: Project::of_the_store()?.webhooks.allow.into(),
        programs: crate::program::programs(),
    })
}

/// The user's `sources.toml`: which folders outside of projects may be data sources. Never a project's to say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OfTheUser {
    /// Folders, absolute; what is beneath them may be read.
    allowed: Vec<PathBuf>,
}

/// The data sources that workers are shown.
pub fn sources() -> Result<Sources, Failure> {
    let project = Project::of_the_store()?;
    let folder = project.root.unwrap_or_else(|| std::env::current_dir().unwrap_or_default());
    let mut allowed = Vec::new();
    if let Some(path) = project::user_folder().map(|folder| folder.join("sources.toml")) {
        let wrong = |reason: String| Failure::usage("E0845", format!("{}: {reason}", path.display()));
        let text = project::read_plain(&path).map_err(|error| wrong(error.reason))?.unwrap_or_default();
        let said: OfTheUser = toml::from_str(&text).map_err(|error| wrong(error.to_string().trim().to_owned()))?;
        if let Some(other) = said.allowed.iter().find(|folder| !folder.is_absolute()) {
            return Err(wrong(format!("`{}` in `allowed` is not absolute: begin it with `/`", other.display())));
        }
        allowed = said.allowed;
    }
    Ok(Sources { all: project.sources, project: folder, allowed })
}

/// The MCP servers whose tools workers call.
pub fn servers() -> Result<Arc<Servers>, Failure> {
    let project = Project::of_the_store()?;
    let folder = project.root.unwrap_or_else(|| Path::new(".").to_path_buf());
    Ok(Arc::new(Servers::new(project.mcp, folder)))
}

/// The variable that says what holds commands.
const SANDBOX: &str = "AIVM_SANDBOX";

/// What holds commands: the flag over the variable over the project's settings.
pub fn sandbox(flag: Option<SandboxFlag>) -> Result<Arc<Sandbox>, Failure> {
    use clap::ValueEnum;
    let SandboxSettings { means, opt_out, network, read, write, env } = Project::of_the_store()?.sandbox;
    let variable = std::env::var(SANDBOX).ok().filter(|word| !word.is_empty());
    let variable = variable.map(|word| {
        let wrong = |_| {
            Failure::usage("E0934", format!("{SANDBOX}: `{word}` is none of auto, bwrap, landlock, none and opt-out"))
        };
        SandboxFlag::from_str(&word, false).map_err(wrong)
    });
    let (wanted, opt_out) = match flag.or(variable.transpose()?) {
        None => (means.unwrap_or_default(), opt_out),
        Some(SandboxFlag::Auto) => (Wanted::Auto, opt_out),
        Some(SandboxFlag::Bwrap) => (Wanted::Bwrap, opt_out),
        Some(SandboxFlag::Landlock) => (Wanted::Landlock, opt_out),
        Some(SandboxFlag::None) => (Wanted::None, opt_out),
        Some(SandboxFlag::OptOut) => (means.unwrap_or_default(), true),
    };
    let given = Given { network, read, write, env };
    let hidden = project::user_folder().into_iter().chain([project::state_folder()]).collect();
    // Elsewhere there is nothing to hold them by.
    let launcher = if cfg!(target_os = "linux") { std::env::current_exe().ok() } else { None };
    Ok(Arc::new(Sandbox { wanted, opt_out, given, hidden, launcher, found: Default::default() }))
}

/// Settings of models with what the environment says of them.
pub fn asked(mut settings: Settings) -> Settings {
    if let Some(named) = model_named() {
        settings.models.default = named.split(',').map(|name| name.trim().to_owned()).collect();
    }
    settings
}

/// The model that the environment names.
pub fn model_named() -> Option<String> {
    std::env::var("AIVM_MODEL").ok().filter(|named| !named.trim().is_empty())
}

/// What an `ai_worker_definitions.json` says, what is valid of it; none: there is no such file.
pub fn read_seeds(path: &Path) -> Result<Option<Bundle>, LibraryError> {
    let Some(text) = project::read_plain(path)? else { return Ok(None) };
    let error = |reason: String| LibraryError { file: path.display().to_string(), reason };
    seeds(&text, Policy::default()).map(Some).map_err(error)
}

/// The same of its text. A credential in it is not taken over.
pub fn seeds(text: &str, policy: Policy) -> Result<Bundle, String> {
    let (text, credentials) = shape::masked(text);
    let mut bundle = seed::read(&text, policy).map_err(|reason| reason.to_string())?;
    if credentials > 0 {
        for worker in &mut bundle.workers {
            worker.notes.extend(not_taken_over(&worker.definition, credentials));
        }
    }
    Ok(bundle)
}

/// What is to be said of an imported definition whose file had credentials in it.
pub fn not_taken_over(definition: &WorkerDefinition, credentials: usize) -> Option<String> {
    let has = credentials > 0 && definition.to_json().contains(MASK);
    has.then(|| format!("what looks like a key or a password is written in its file, and is {MASK} here: replace it, and name a secret"))
}

/// Where it is told that a person is asked.
pub fn webhook() -> Option<String> {
    std::env::var("AIVM_APPROVAL_WEBHOOK").ok().filter(|address| !address.is_empty())
}

/// One setting: its name, its value, where that comes from.
struct Setting {
    name: &'static str,
    value: String,
    origin: String,
}

fn settings() -> Vec<Setting> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let here = std::env::current_dir().unwrap_or_default();
    let root = project::nearest(&here, "aivm.toml");
    let mut settings = Vec::new();
    settings.push(Setting {
        name: "state",
        value: project::state_folder().display().to_string(),
        origin: match variable("AIVM_STATE") {
            Some(_) => "AIVM_STATE".into(),
            None if project::nearest(&here, ".aivm").is_some() || root.is_some() => {
                "the nearest .aivm or aivm.toml".into()
            }
            None => "default: .aivm here".into(),
        },
    });
    settings.push(Setting {
        name: "project",
        value: root.as_ref().map_or("none".into(), |root| root.join("aivm.toml").display().to_string()),
        origin: if root.is_some() { "the nearest aivm.toml".into() } else { "default".into() },
    });
    settings.push(Setting {
        name: "user",
        value: project::user_folder().map_or("none".into(), |folder| folder.display().to_string()),
        origin: if variable("XDG_CONFIG_HOME").is_some() { "XDG_CONFIG_HOME".into() } else { "HOME".into() },
    });
    let Project { front: FrontMatter { limits, .. }, gc, models, sandbox: held, store, memory: remembered, .. } = root
        .and_then(|root| project::read_plain(&root.join("aivm.toml")).ok().flatten())
        .and_then(|text| Project::parse(&text).ok())
        .unwrap_or_default();
    let mut limit = |name, value: Option<String>, default: &str| {
        let origin = if value.is_some() { "aivm.toml" } else { "default" };
        settings.push(Setting { name, value: value.unwrap_or(default.to_owned()), origin: origin.into() });
    };
    limit("limits.count", limits.count.map(|n| n.to_string()), "8");
    limit("limits.calls", limits.calls.map(|n| n.to_string()), "none");
    limit("limits.money", limits.money.map(|n| n.to_string()), "none");
    limit("limits.tokens", limits.tokens.map(|n| n.to_string()), "none");
    limit("limits.concurrent", limits.concurrent.map(|n| n.to_string()), "none");
    limit("gc.older_than", gc.older_than.map(|age| age.to_string()), "none");
    limit("gc.keep", gc.keep.map(|n| n.to_string()), "none");
    let status: Vec<&str> = gc.status.iter().map(|status| status.word()).collect();
    limit("gc.status", Some(status.join(", ")).filter(|all| !all.is_empty()), "all");
    let bucket = variable("AIVM_STORE");
    if bucket.is_none() {
        limit("store", store.url, "here alone");
    }
    for (name, value, default) in memory::rows(&remembered) {
        limit(name, value, &default);
    }
    if variable(SANDBOX).is_none() {
        limit("sandbox", held.means.map(|means| means.word().to_owned()), "auto");
    }
    let default = Some(models.models.default.join(", ")).filter(|names| !names.is_empty());
    match model_named() {
        Some(value) => settings.push(Setting { name: "model", value, origin: "AIVM_MODEL".into() }),
        None => limit("model", default, "none"),
    }
    if let Some(value) = bucket {
        settings.push(Setting { name: "store", value, origin: "AIVM_STORE".into() });
    }
    if let Some(value) = variable(SANDBOX) {
        settings.push(Setting { name: "sandbox", value, origin: SANDBOX.into() });
    }
    settings.push(Setting {
        name: "webhook",
        value: webhook().unwrap_or("none".into()),
        origin: if webhook().is_some() { "AIVM_APPROVAL_WEBHOOK".into() } else { "default".into() },
    });
    let (value, origin) = match (variable("NO_COLOR"), variable("CLICOLOR_FORCE")) {
        (Some(_), _) => ("never", "NO_COLOR"),
        (None, Some(_)) => ("always", "CLICOLOR_FORCE"),
        (None, None) => ("on a terminal", "default"),
    };
    settings.push(Setting { name: "colour", value: value.into(), origin: origin.into() });
    settings
}

/// `aivm config show`.
pub fn config(global: &Global, args: &ConfigArgs) -> Result<Exit, Failure> {
    let ConfigCommand::Show { origin } = &args.command;
    let settings = settings();
    if global.json {
        let rows: Vec<_> =
            settings.iter().map(|s| json!({"name": s.name, "value": s.value, "origin": s.origin})).collect();
        println!("{}", json!({"v": 1, "settings": rows}));
        return Ok(Exit::SENT);
    }
    let width = settings.iter().map(|setting| setting.value.len()).max().unwrap_or(0);
    let names = settings.iter().map(|setting| setting.name.len()).max().unwrap_or(0);
    for Setting { name, value, origin: from } in settings {
        match origin {
            true => println!("{name:<names$} {value:<width$}  ({from})"),
            false => println!("{name:<names$} {value}"),
        }
    }
    Ok(Exit::SENT)
}
