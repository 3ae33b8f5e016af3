//! What each capability reads of its JSON object, so that inputs are held against it before a run. What is filled in from the state,
//! `{{ order.path }}`, is known when the step is called, and judged there.

use crate::builtin::beneath::components;
use crate::builtin::setting::{Kind, Preset, Setting, nearest};
use crate::stdlib;
use aivm_schema::worker::{Settings, WorkerDefinition};
use serde_json::Value;

/// An input: a value, or a path beneath the workspace.
struct Input {
    of: Setting,
    is_path: bool,
}

const fn must(name: &'static str, kind: Kind) -> Input {
    Input { of: Setting::required(name, kind, ""), is_path: false }
}

const fn may(name: &'static str, kind: Kind) -> Input {
    Input { of: Setting::optional(name, kind, ""), is_path: false }
}

const fn path(input: Input) -> Input {
    Input { of: input.of, is_path: true }
}

const PATH: Input = path(must("path", Kind::Text));
const ENCODING: Input = may("encoding", Kind::Text);
const OVERWRITE: Input = may("overwrite", Kind::Flag);
const CREATE_DIRS: Input = may("create_dirs", Kind::Flag);
/// Guides call it `dest`, too: one of both has to be there.
const DESTINATION: Input = path(must(DESTINATIONS[0], Kind::Text));
const DEST: Input = path(may(DESTINATIONS[1], Kind::Text));
const DESTINATIONS: [&str; 2] = ["destination", "dest"];
const CONTENT: Input = must("content", Kind::Text);
const MOVES: &[Input] = &[path(must("source", Kind::Text)), DESTINATION, DEST, OVERWRITE];

/// By capability.
const INPUTS: [(&str, &[Input]); 18] = [
    ("data.json.get", &[must("data", Kind::Any), must("path", Kind::Text), may("default", Kind::Any)]),
    ("data.json.parse", &[must("text", Kind::Text)]),
    ("data.json.stringify", &[must("data", Kind::Any), may("pretty", Kind::Flag)]),
    ("io.fs.copy", MOVES),
    ("io.fs.delete", &[PATH, may("recursive", Kind::Flag)]),
    ("io.fs.exists", &[PATH]),
    ("io.fs.hash_file", &[PATH, may("algorithm", Kind::Choice(&["sha256", "blake3"]))]),
    ("io.fs.list_dir", &[path(may("path", Kind::Text))]),
    ("io.fs.make_dir", &[PATH, may("parents", Kind::Flag), may("exist_ok", Kind::Flag)]),
    ("io.fs.move", MOVES),
    ("io.fs.read_file", &[PATH, ENCODING]),
    ("io.fs.write_bytes", &[PATH, CONTENT, CREATE_DIRS]),
    ("io.fs.write_file", &[PATH, CONTENT, CREATE_DIRS, ENCODING]),
    ("sys.archive.zip", &[path(must("source", Kind::Any)), DESTINATION, DEST, OVERWRITE]),
    ("sys.info.get_env_var", &[must("name", Kind::Text), may("default", Kind::Text)]),
    ("sys.info.get_os", &[]),
    ("text.regex.match", &[must("text", Kind::Text), must("pattern", Kind::Pattern)]),
    ("text.template.render", &[must("template", Kind::Text), may("variables", Kind::Any)]),
];

/// Capabilities that are no built-ins: requests, and a command.
const OF_WORKERS: [(&str, &[Input]); 4] = [
    ("net.http.get", &[URL]),
    ("net.http.post", &[URL, BODY]),
    ("net.http.put", &[URL, BODY]),
    ("sys.info.get_time", &[]),
];
const URL: Input = must("url", Kind::Text);
const BODY: Input = may("body", Kind::Any);

/// The capability that a worker is which is no built-in. One of the same name that somebody else wrote is another.
pub fn capability_of(definition: &WorkerDefinition) -> Option<&'static str> {
    let is_it = |name: &str| {
        let page = stdlib::page(name).and_then(|page| WorkerDefinition::from_markdown(page).ok());
        page.as_ref() == Some(definition)
    };
    OF_WORKERS.iter().map(|(name, _)| *name).find(|name| is_it(name))
}

/// What is wrong with the inputs that a built-in of this name would be called with, as far as that is known before the call.
pub fn wrong_inputs(builtin: &str, inputs: &Settings) -> Vec<String> {
    let Some(known) = known(builtin) else { return Vec::new() };
    let mut wrong = Vec::new();
    let mut meant = Vec::new();
    for (name, value) in inputs {
        let Some(input) = known.iter().find(|input| input.of.name == name) else {
            let near = nearest(name, known.iter().map(|input| input.of.name));
            meant.extend(near);
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => "it has none".to_owned(),
                None => {
                    let names = known.iter().map(|input| format!("`{}`", input.of.name));
                    format!("it has {}", names.collect::<Vec<_>>().join(", "))
                }
            };
            wrong.push(format!("`{builtin}` has no input `{name}`; {hint}"));
            continue;
        };
        let reason = match value {
            Value::String(text) if text.contains("{{") => None,
            _ => input.of.refuse(value).map(|reason| format!("`{name}` of `{builtin}` {reason}")),
        };
        let refused = |path: &&str| components(path.trim_start_matches('/')).err().map(|failure| failure.to_string());
        let paths = || paths(input, value).into_iter().find_map(|path| refused(&path));
        wrong.extend(reason.or_else(|| Some(format!("`{name}` of `{builtin}`: {}", paths()?))));
    }
    let is_there = |name: &str| inputs.contains_key(name) || meant.contains(&name);
    for name in known.iter().filter(|input| input.of.preset == Preset::Required).map(|input| input.of.name) {
        let any = if DESTINATIONS.contains(&name) { &DESTINATIONS[..] } else { &[name] };
        if !any.iter().any(|name| is_there(name)) {
            wrong.push(format!("`{builtin}` needs an input `{name}`"));
        }
    }
    wrong
}

/// The inputs that are absolute paths: where the workspace is elsewhere, they are refused. Each with its name.
pub fn absolute_paths<'i>(builtin: &str, inputs: &'i Settings) -> Vec<(&'i str, &'i str)> {
    let known = known(builtin).unwrap_or_default();
    let of = |(name, value): (&'i String, &'i Value)| {
        let input = known.iter().find(|input| input.of.name == name)?;
        let path = paths(input, value).into_iter().find(|path| path.starts_with('/'))?;
        Some((name.as_str(), path))
    };
    inputs.iter().filter_map(of).collect()
}

fn known(builtin: &str) -> Option<&'static [Input]> {
    INPUTS.iter().chain(&OF_WORKERS).find(|(name, _)| *name == builtin).map(|(_, inputs)| *inputs)
}

/// The paths that a value says, or those in its list.
fn paths<'v>(input: &Input, value: &'v Value) -> Vec<&'v str> {
    let texts = match value {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect::<Vec<_>>(),
    };
    texts.into_iter().filter(|path| input.is_path && !path.contains("{{")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(builtin: &str, inputs: Value) -> Vec<String> {
        wrong_inputs(builtin, &serde_json::from_value(inputs).expect("a table"))
    }

    #[test]
    fn inputs_are_held_against_what_is_read() {
        assert_eq!(
            told("io.fs.exists", json!({ "pth": "a" })),
            ["`io.fs.exists` has no input `pth`; did you mean `path`?"]
        );
        assert_eq!(
            told("io.fs.write_file", json!({ "path": "a", "content": 5, "create_dirs": "yes", "colour": "red" })),
            [
                "`io.fs.write_file` has no input `colour`; it has `path`, `content`, `create_dirs`, `encoding`",
                "`content` of `io.fs.write_file` takes a text, not `5`",
                "`create_dirs` of `io.fs.write_file` takes `true` or `false`, not `\"yes\"`",
            ]
        );
        assert_eq!(told("io.fs.move", json!({ "source": "a" })), ["`io.fs.move` needs an input `destination`"]);
        assert_eq!(told("io.fs.move", json!({ "source": "a", "dest": "b" })), [""; 0]);
        assert_eq!(told("sys.info.get_os", json!({ "x": 1 })), ["`sys.info.get_os` has no input `x`; it has none"]);
        // What is filled in is known when the step is called.
        let filled = json!({ "path": "{{ order.path }}", "content": "{{ order }}", "create_dirs": "{{ make }}" });
        assert_eq!(told("io.fs.write_file", filled), [""; 0]);
        // Of workers of somebody else nothing is known.
        assert_eq!(told("cloud.db.create", json!({ "pth": "a" })), [""; 0]);
    }

    #[test]
    fn a_path_that_leads_out_is_told_before_it_is_opened() {
        for path in ["../x", "a/../../x", ".git/hooks/x", "/tmp/../etc"] {
            let told = told("io.fs.read_file", json!({ "path": path }));
            assert!(told.len() == 1 && told[0].starts_with("`path` of `io.fs.read_file`: "), "{path}: {told:?}");
        }
        let told = told("sys.archive.zip", json!({ "source": ["out", "../x"], "destination": "a.zip" }));
        assert_eq!(told.len(), 1, "{told:?}");
        // Whether an absolute one does, the workspace of the run decides.
        let inputs = serde_json::from_value(json!({ "path": "/tmp/hello.txt", "encoding": "/x" })).expect("a table");
        assert_eq!(wrong_inputs("io.fs.read_file", &inputs), [""; 0]);
        assert_eq!(absolute_paths("io.fs.read_file", &inputs), [("path", "/tmp/hello.txt")]);
    }

    #[test]
    fn every_capability_of_this_program_has_its_inputs_here_in_order() {
        let capabilities = crate::builtin::all().iter().map(|builtin| builtin.name).filter(|name| name.contains('.'));
        assert_eq!(capabilities.collect::<Vec<_>>(), INPUTS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }
}
