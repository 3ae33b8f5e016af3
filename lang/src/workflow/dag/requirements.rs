//! `[requirements]`: what has to be there before any step begins. It becomes a command that looks, before the join, so that it is in the
//! graph, held to its sandbox as the steps are, and sees the programs that they will see.

use crate::tables::{Placed, Tables};
use aivm_schema::worker::{Does, Effect, Run, WorkerDefinition};
use schemars::JsonSchema;
use serde::Deserialize;

/// What a workflow needs of the machine.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Requirements {
    /// Programs, `git` or `git >= 2.30`.
    pub programs: Vec<Placed<String>>,
    /// Packages of Python, likewise.
    pub python: Vec<Placed<String>>,
    /// An image that steps were to run in.
    pub container: Option<Placed<String>>,
    /// A profile of Nix, likewise.
    pub nix: Option<Placed<String>>,
}

/// What the command says of itself.
const ABOUT: &str = "Fails where something that the workflow requires is not there, or too old.";
/// How a program and a package are looked for; `why` gathers what is wrong.
const LOOK: &str = r#"why=
old() {
    test -z "$2" || printf '%s\n' "$2" "${3:-0}" | sort -VC || why="$why; $1 is ${3:-of no version}, and $2 or newer is wanted"
}
program() {
    command -v "$1" >/dev/null || { why="$why; $1 is not there"; return; }
    test -z "$2" || old "$1" "$2" "$("$1" --version 2>&1 | grep -Eo '[0-9]+(\.[0-9]+)*' | head -n 1)"
}
package() {
    have=$(python3 -c "import importlib.metadata as m; print(m.version('$1'))" 2>/dev/null) ||
        { why="$why; the Python package $1 is not there"; return; }
    old "$1" "$2" "$have"
}
"#;
const END: &str = "test -z \"$why\" || { echo \"${why#; }: install it, then run this again\" >&2; exit 1; }\n";

/// The command that looks; none when there is nothing to look for. What is no requirement is told.
pub(super) fn worker(tables: &mut Tables, requirements: &Requirements) -> Option<WorkerDefinition> {
    let mut script = LOOK.to_owned();
    let programs = requirements.programs.iter().map(|one| ("program", one));
    let all: Vec<_> = programs.chain(requirements.python.iter().map(|one| ("package", one))).collect();
    for (what, required) in &all {
        match parse(required.get_ref()) {
            Some((name, version)) => script.push_str(format!("{what} {name} {version}").trim_end()),
            None => {
                let message = format!(
                    "`{}` is no requirement: a name, and perhaps `>=` and a version, `git >= 2.30`",
                    required.get_ref()
                );
                tables.wrong(required.span(), message);
            }
        }
        script.push('\n');
    }
    script.push_str(END);
    (!all.is_empty()).then(|| {
        let mut worker = WorkerDefinition::new(Does::Command(Run::Shell(script)));
        (worker.about, worker.effect) = (ABOUT.to_owned(), Some(Effect::Read));
        worker
    })
}

/// A name and the least version, which may be empty. Nothing in them means anything to a shell.
fn parse(text: &str) -> Option<(&str, &str)> {
    let (name, version) = text.split_once(">=").map_or((text, None), |(name, version)| (name, Some(version)));
    let (name, version) = (name.trim(), version.map(str::trim));
    let in_a_name = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(in_a_name);
    let is_version = |version: &str| {
        version.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    (is_name && version.is_none_or(is_version)).then_some((name, version.unwrap_or("")))
}
