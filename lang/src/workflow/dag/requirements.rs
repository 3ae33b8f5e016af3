//! `[requirements]`: what has to be there before any step begins. It becomes a command that looks, before the join, so that it is in the
//! graph, held to its sandbox as the steps are, and sees the programs that they will see. Images are asked of the daemon that has them,
//! stores of their own; nothing is fetched.

use crate::tables::{Placed, Tables};
use aivm_schema::worker::{Does, Effect, Given, Network, Run, Sandbox, WorkerDefinition};
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
    /// An image that Docker or Podman has, `debian:12`.
    pub container: Option<Placed<String>>,
    /// What the store of Nix has, `nixpkgs#jq`.
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
last() { printf '%s\n' "$1" | tail -n 1; }
image() {
    for runtime in docker podman; do
        command -v $runtime >/dev/null || continue
        said=$($runtime image inspect "$1" 2>&1 >/dev/null) && return
        why="$why; $runtime shows no image $1 ($(last "$said")): get it by $runtime pull $1"
        return
    done
    why="$why; neither docker nor podman is there, which would have the image $1"
}
store() {
    command -v nix >/dev/null || { why="$why; nix is not there, which would have $1"; return; }
    said=$(nix --extra-experimental-features 'nix-command flakes' path-info "$1" 2>&1 >/dev/null) ||
        why="$why; nix has no $1 ($(last "$said")): get it by nix build $1"
}
"#;
const END: &str = "test -z \"$why\" || { echo \"${why#; }: put that in place, then run this again\" >&2; exit 1; }\n";

/// What asks a daemon of this machine about images and stores is given what leads to it.
const DOCKER: (&[&str], &[&str]) = (&["/var/run/docker.sock"], &["DOCKER_HOST"]);
const NIX: (&[&str], &[&str]) = (&["/nix"], &[]);

/// The command that looks; none when there is nothing to look for. What is no requirement is told.
pub(super) fn worker(tables: &mut Tables, requirements: &Requirements) -> Option<WorkerDefinition> {
    let Requirements { programs, python, container, nix } = requirements;
    let mut lines = Vec::new();
    for (what, required) in programs.iter().map(|one| ("program", one)).chain(python.iter().map(|one| ("package", one)))
    {
        let line = versioned(required.get_ref()).map(|(name, version)| format!("{what} {name} {version}"));
        look(tables, &mut lines, required, line, "a name, and perhaps `>=` and a version, `git >= 2.30`");
    }
    for (what, required, example) in [("image", container, "debian:12"), ("store", nix, "nixpkgs#jq")] {
        for required in required.iter() {
            let line = is_reference(required.get_ref()).then(|| format!("{what} '{}'", required.get_ref()));
            look(tables, &mut lines, required, line, &format!("a name without spaces and quotes, `{example}`"));
        }
    }
    if lines.is_empty() {
        return None;
    }
    let script = format!("{LOOK}{}\n{END}", lines.join("\n"));
    let mut worker = WorkerDefinition::new(Does::Command(Run::Shell(script)));
    (worker.about, worker.effect) = (ABOUT.to_owned(), Some(Effect::Read));
    let asked = [(container, DOCKER), (nix, NIX)].into_iter().filter(|(asked, _)| asked.is_some());
    let (read, env): (Vec<_>, Vec<_>) = asked.map(|(_, leads)| leads).unzip();
    if !read.is_empty() {
        let texts = |all: Vec<&[&str]>| all.concat().into_iter().map(str::to_owned).collect();
        let network = Some(Network::All(true));
        worker.sandbox = Sandbox::Given(Given { network, read: texts(read), env: texts(env), ..Given::default() });
    }
    Some(worker)
}

/// Another line that looks, or why there is none.
fn look(tables: &mut Tables, lines: &mut Vec<String>, required: &Placed<String>, line: Option<String>, form: &str) {
    match line {
        Some(line) => lines.push(line.trim_end().to_owned()),
        None => tables.wrong(required.span(), format!("`{}` is no requirement: {form}", required.get_ref())),
    }
}

/// A name and the least version, which may be empty. Nothing in them means anything to a shell.
fn versioned(text: &str) -> Option<(&str, &str)> {
    let (name, version) = text.split_once(">=").map_or((text, None), |(name, version)| (name, Some(version)));
    let (name, version) = (name.trim(), version.map(str::trim));
    let in_a_name = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(in_a_name);
    let is_version = |version: &str| {
        version.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    (is_name && version.is_none_or(is_version)).then_some((name, version.unwrap_or("")))
}

/// An image, or what Nix calls an installable. Between quotes, nothing in it means anything to a shell, nor to the program as an option.
fn is_reference(text: &str) -> bool {
    let in_a_reference = |c: char| c.is_ascii_alphanumeric() || "._:/@#+?=&^-".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.') && text.chars().all(in_a_reference)
}
