//! `secret`: keys of models and servers, kept where nothing that is shown or stored tells them. And what a command must know of
//! them before it runs anything.

pub mod settings;

use crate::args::{Global, SecretArgs, SecretCommand};
use crate::config::Project;
use crate::fail::{Exit, Failure, Source, coded};
use crate::out::say;
use crate::project;
use aivm_host::secret::source::{MOST_VALUE, Origin, check_name, keep};
use aivm_host::secret::{self, SecretError, Sources, keyring};
use aivm_schema::module::{Debug, Module};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Read};
use std::path::PathBuf;

fn failed(error: SecretError) -> Failure {
    coded(&error.to_string())
}

fn file() -> Option<PathBuf> {
    project::user_folder().map(|folder| folder.join("secrets.toml"))
}

/// Where secrets are for this project.
fn sources(project: &Project) -> Sources {
    let env_file = project.root.as_deref().and_then(|root| project.secrets.env_file(root));
    Sources { env_file, keyring: true, file: file() }
}

/// Knows where secrets are, and those that are known by their names: before anything is read that may hold one.
pub fn ready() -> Result<(), Failure> {
    let project = Project::of_the_store()?;
    let of_providers = project.models.provider.values().filter_map(|provider| provider.key.clone());
    let of_memory = crate::config::memory::key(&project);
    let names = project.secrets.names.iter().cloned().chain(of_providers).chain(of_memory);
    let names: Vec<String> = names.collect();
    secret::configure(sources(&project), &names).map_err(failed)
}

/// The same, and those that a program names. One that holds the secret itself is refused: it is kept with each of its runs.
pub fn known(program: &str, module: &Module, debug: Option<&Debug>) -> Result<(), Failure> {
    ready()?;
    secret::learn(module);
    match secret::within_program(module, debug.unwrap_or(&Debug::default())) {
        Some(name) => {
            Err(Failure::usage("E0963", format!("{program} holds the secret {name} itself, and would be kept with it"))
                .help(format!(
                    "name it instead: `secret(\"{name}\")` in a header, or the variable {name} in a command"
                )))
        }
        None => Ok(()),
    }
}

/// What is given on the command line or in a file, without secrets.
pub fn given(what: &str, payload: Vec<u8>) -> Vec<u8> {
    let clean = secret::bytes(payload.clone());
    if clean != payload {
        say(&format!("{what} holds a secret: what is kept and passed on has *** there"));
    }
    clean
}

/// A credential that is written down in a file of ours and would be kept with its program, which of a workflow is less than its text.
pub fn check(source: &Source, kept: &str) -> Result<(), Failure> {
    match settings::written(kept).map(|reason| settings::written(&source.text).unwrap_or(reason)) {
        Some(reason) => Err(Failure::usage("E0964", format!("{}, {reason}", source.name)).help(
            "keep it by  aivm secret set NAME  or in the environment, and name it; replace it: it may have been copied",
        )),
        None => Ok(()),
    }
}

/// `aivm secret …`.
pub fn secret(global: &Global, args: &SecretArgs) -> Result<Exit, Failure> {
    match &args.command {
        SecretCommand::Set { name, file } => set(global, name, *file),
        SecretCommand::Ls => list(global),
        SecretCommand::Rm { name } => remove(global, name),
    }
}

fn own_file() -> Result<PathBuf, Failure> {
    file().ok_or_else(|| Failure::usage("E0820", "neither HOME nor XDG_CONFIG_HOME says where your secrets are"))
}

fn set(global: &Global, name: &str, in_file: bool) -> Result<Exit, Failure> {
    check_name(name).map_err(failed)?;
    if !in_file && !keyring::is_there() {
        let why = "there is no keyring here: it needs the session of a desktop and secret-tool (libsecret-tools)";
        return Err(Failure::failed("E0961", why).help(format!(
            "set {name} in the environment, name a file in aivm.toml ([secrets] env_file = \".env\"), or keep it in a file that only you can read: aivm secret set {name} --file"
        )));
    }
    let value = value(name)?;
    let origin = match in_file {
        true => keep(&own_file()?, name, Some(&value)).map(|_| Origin::File),
        false => keyring::set(name, &value).map(|()| Origin::Keyring),
    };
    let origin = origin.map_err(failed)?;
    match global.json {
        true => println!("{}", json!({"v": 1, "name": name, "origin": origin})),
        false => say(&format!("{name} is kept in {}", place(origin))),
    }
    if std::env::var_os(name).is_some() {
        say(&format!("the environment has another {name}, which goes before it"));
    }
    Ok(Exit::SENT)
}

fn place(origin: Origin) -> String {
    match origin {
        Origin::Environment => "the environment".to_owned(),
        Origin::Project => "the file that aivm.toml names".to_owned(),
        Origin::Keyring => "the keyring".to_owned(),
        Origin::File => file().map_or_else(String::new, |file| file.display().to_string()),
    }
}

/// From standard input; at a terminal it is typed, and not shown.
fn value(name: &str) -> Result<String, Failure> {
    let failed = |reason: String| Failure::usage("E0962", format!("the secret {name} cannot be read: {reason}"));
    let stdin = std::io::stdin();
    let mut value = String::new();
    if stdin.is_terminal() {
        eprint!("{name}: ");
        let read = unseen(|| stdin.read_line(&mut value));
        eprintln!("");
        read.map_err(|error| failed(error.to_string()))?;
    } else {
        let most = MOST_VALUE as u64 + 2;
        stdin.lock().take(most).read_to_string(&mut value).map_err(|error| failed(error.to_string()))?;
    }
    let value = value.strip_suffix('\n').unwrap_or(&value);
    let value = value.strip_suffix('\r').unwrap_or(value);
    match value.len() {
        0 => {
            Err(failed("it is empty".into())
                .help(format!("type it, or:  printf %s \"$VALUE\" | aivm secret set {name}")))
        }
        length if length > MOST_VALUE => Err(failed(format!("it is larger than {} KiB", MOST_VALUE >> 10))),
        _ => Ok(value.to_owned()),
    }
}

/// The terminal does not show what is typed meanwhile.
fn unseen<T>(read: impl FnOnce() -> std::io::Result<T>) -> std::io::Result<T> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let stdin = std::io::stdin();
    let before = tcgetattr(&stdin)?;
    let mut quiet = before.clone();
    quiet.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Flush, &quiet)?;
    let read = read();
    tcsetattr(&stdin, OptionalActions::Flush, &before)?;
    read
}

fn list(global: &Global) -> Result<Exit, Failure> {
    let project = Project::of_the_store()?;
    let sources = sources(&project);
    let mut all: BTreeMap<String, Option<Origin>> = BTreeMap::new();
    for (name, origin) in sources.names().map_err(failed)? {
        all.entry(name).or_insert(Some(origin));
    }
    let of_providers = project.models.provider.values().filter_map(|provider| provider.key.clone());
    let named = project.secrets.names.iter().cloned().chain(of_providers);
    let named: Vec<String> = named.chain(secret::USUAL.map(str::to_owned)).collect();
    for name in &named {
        let usual = secret::USUAL.contains(&name.as_str());
        let set = std::env::var_os(name).is_some_and(|value| !value.is_empty());
        if set || !usual {
            all.entry(name.clone()).or_insert(None);
        }
    }
    for (name, origin) in &mut all {
        if std::env::var_os(name).is_some_and(|value| !value.is_empty()) {
            *origin = Some(Origin::Environment);
        }
    }
    if global.json {
        let rows: Vec<_> = all.iter().map(|(name, origin)| json!({"name": name, "origin": origin})).collect();
        println!("{}", json!({"v": 1, "secrets": rows}));
        return Ok(Exit::SENT);
    }
    if all.is_empty() {
        say("no secrets yet: aivm secret set NAME");
    }
    let width = all.keys().map(String::len).max().unwrap_or(0);
    for (name, origin) in all {
        println!("{name:<width$}  {}", origin.map_or("not set".to_owned(), place));
    }
    Ok(Exit::SENT)
}

fn remove(global: &Global, name: &str) -> Result<Exit, Failure> {
    check_name(name).map_err(failed)?;
    let from_keyring = keyring::is_there() && keyring::remove(name).map_err(failed)?;
    let from_file = keep(&own_file()?, name, None).map_err(failed)?;
    if !from_keyring && !from_file {
        return Err(Failure::usage("E0962", format!("no secret {name} is kept here"))
            .help("see which are: aivm secret ls; what is in the environment or in a project's file is not removed"));
    }
    if global.json {
        println!("{}", json!({"v": 1, "name": name, "removed": true}));
    }
    Ok(Exit::SENT)
}
