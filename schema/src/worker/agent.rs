//! Files that other programs know as agents: YAML between two `---` lines, the prompt below. What of it a worker here has no
//! use for is noted, never dropped in silence.

use super::{Ask, Does, Loaded, WorkerDefinition};
use serde_json::Value;
use std::collections::BTreeMap;

/// The largest front matter, in bytes.
const LARGEST: usize = 64 << 10;
/// The deepest.
const DEEPEST: usize = 16;

/// The text between two lines that are exactly `---` at the start of a file, and what follows.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    match super::between(text, "---") {
        (Some(settings), body) => Some((settings, body)),
        (None, _) => None,
    }
}

/// A worker that asks a model with the prompt.
pub(super) fn read(settings: &str, body: &str) -> Result<Loaded, String> {
    let mut notes = Vec::new();
    let mut keys = match yaml(settings) {
        Ok(keys) => keys,
        // Descriptions with a colon in them are no YAML, and are written all the same.
        Err(reason) => {
            let keys = by_lines(settings).ok_or(reason)?;
            notes.push("its front matter is no YAML: it was read line by line".to_owned());
            keys
        }
    };
    let mut text = |key: &str| match keys.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("`{key}` is not a text")),
    };
    let (about, model) = (text("description")?, text("model")?);
    // The name of the file is the word; this one is looked at by whoever knows that.
    let name = text("name")?;
    let models = match model.as_deref().map(str::trim) {
        None | Some("" | "inherit") => Vec::new(),
        Some(model) if model.starts_with("claude-") => vec![format!("anthropic/{model}")],
        Some(model) => vec![model.to_owned()],
    };
    let tools = match keys.remove("tools") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(tools)) => names(tools.split(',').map(str::to_owned)),
        Some(Value::Array(tools)) if tools.iter().all(Value::is_string) => {
            names(tools.iter().filter_map(Value::as_str).map(str::to_owned))
        }
        Some(_) => return Err("`tools` is neither a text nor a list of texts".to_owned()),
    };
    if !tools.is_empty() {
        notes.push(format!("tools that it is not given: {}", tools.join(", ")));
    }
    if !keys.is_empty() {
        let unused: Vec<String> = keys.into_keys().map(|key| format!("`{key}`")).collect();
        notes.push(format!("not used: {}", unused.join(", ")));
    }
    let prompt = body.trim().to_owned();
    if prompt.is_empty() && about.is_none() {
        return Err("it says nothing: a `description`, and below the front matter a prompt".to_owned());
    }
    let mut definition = WorkerDefinition::new(Does::Model(Box::new(Ask { prompt, models, ..Ask::default() })));
    // One line: what else is said there is for a model that chooses among agents.
    let about = about.unwrap_or_default().replace("\\n", "\n");
    definition.about = about.trim().lines().next().unwrap_or("").trim().to_owned();
    Ok(Loaded { definition, name, notes })
}

fn names(names: impl Iterator<Item = String>) -> Vec<String> {
    names.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

fn yaml(text: &str) -> Result<BTreeMap<String, Value>, String> {
    if text.len() > LARGEST {
        return Err(format!("its front matter is larger than {LARGEST} bytes"));
    }
    let mut options = serde_saphyr::Options::default();
    if let Some(budget) = &mut options.budget {
        budget.max_depth = DEEPEST;
        budget.flow_nesting_limit = DEEPEST;
        budget.max_nodes = 10_000;
        budget.max_events = 40_000;
        budget.max_documents = 1;
        // Nobody needs them here, and what they multiply is not counted before it is made.
        budget.max_aliases = 0;
        budget.max_total_scalar_bytes = LARGEST;
    }
    let read: Result<Option<BTreeMap<String, Value>>, _> = serde_saphyr::from_str_with_options(text, options);
    read.map(Option::unwrap_or_default).map_err(|error| {
        let text = error.to_string();
        format!("its front matter cannot be read: {}", text.lines().next().unwrap_or_default().trim())
    })
}

/// `key: value` on each line, whatever the value; indented lines go on with the one before. None: there are others.
fn by_lines(text: &str) -> Option<BTreeMap<String, Value>> {
    if text.len() > LARGEST {
        return None;
    }
    let mut keys: Vec<(String, String)> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        if line.starts_with([' ', '\t', '-']) {
            let (_, value) = keys.last_mut()?;
            // An entry of a list is one more name, anything else goes on.
            let (between, more) = line.trim().strip_prefix("- ").map_or((" ", line.trim()), |more| (", ", more));
            if !value.is_empty() {
                value.push_str(between);
            }
            value.push_str(more);
            continue;
        }
        let (key, value) = line.split_once(':')?;
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
            return None;
        }
        if keys.iter().any(|(known, _)| known == key) {
            return None;
        }
        let value = value.trim();
        let value = if matches!(value, "|" | ">" | "|-" | ">-") { "" } else { value };
        let bare = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        keys.push((key.to_owned(), bare.to_owned()));
    }
    (!keys.is_empty()).then(|| keys.into_iter().map(|(key, value)| (key, Value::String(value))).collect())
}
