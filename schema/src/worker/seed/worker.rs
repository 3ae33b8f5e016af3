//! One AIWorkerDefinition.

use super::{Entry, Price, Seeded, Status, word};
use crate::unit::{Money, Tokens};
use crate::worker::{Ask, Does, Options, Rates, Reasoning, WorkerDefinition};
use serde_json::Value;

/// What the manager itself writes into a definition.
const ITS_OWN: [&str; 3] = ["aggregate_performance_summary", "created_timestamp", "modified_timestamp"];

/// Reads it, or says what is wrong.
pub fn read(mut entry: Entry) -> Result<Seeded, String> {
    let mut notes = Vec::new();
    let name = entry.name("name")?;
    let word = word(&name).ok_or_else(|| format!("no word can be made of the name `{name}`"))?;
    let provider = provider(&entry.name("provider")?, &mut notes)?;
    let model = format!("{provider}/{}", entry.name("model_name")?);
    let key = key(&mut entry, &provider, &mut notes)?;
    interaction(&mut entry, &mut notes)?;
    let status = match entry.text("status")?.as_deref().map(str::trim) {
        None | Some("" | "active") => Status::Active,
        Some("disabled") => Status::Disabled,
        Some("archived") => Status::Archived,
        Some(status) => return Err(format!("`status` is active, disabled or archived, not `{status}`")),
    };
    let (prompt, options) = config(entry.object("base_config")?, &mut notes)?;
    let price = price(entry.object("cost_metrics")?, &mut notes)?;
    let about = about(&mut entry)?;
    let id = entry.text("definition_id")?.filter(|id| !id.is_empty());
    let limits = limits(entry.object("rate_limits")?, &mut notes)?;
    let sources = entry.texts("data_source_refs")?;
    unused(&mut entry, &mut notes)?;
    for key in ITS_OWN {
        entry.value(key);
    }
    let rest = entry.rest();
    if !rest.is_empty() {
        notes.push(format!("not used: {}", ticked(&rest)));
    }
    let ask = Ask { prompt, models: vec![model], options, ..Ask::default() };
    let definition = WorkerDefinition { about, limits, sources, ..WorkerDefinition::new(Does::Model(Box::new(ask))) };
    Ok(Seeded { word, name, id, definition, status, price, key, notes })
}

fn ticked(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// As models are written here.
fn provider(name: &str, notes: &mut Vec<String>) -> Result<String, String> {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "google" => return Ok("gemini".to_owned()),
        "openai" | "anthropic" | "ollama" => {}
        "local" | "custom" => {
            notes.push(format!("its server must be named in aivm.toml: [provider.{name}] url = \"http://…/v1\""));
        }
        _ if name.contains(['/', ' ']) => return Err(format!("`provider` is no name: `{name}`")),
        _ => notes
            .push(format!("`{name}` is none of the usual providers: google, openai, anthropic, ollama, local, custom")),
    }
    Ok(name)
}

/// The name of the variable that holds the key. A key that is written down is not read.
fn key(entry: &mut Entry, provider: &str, notes: &mut Vec<String>) -> Result<Option<String>, String> {
    let mut auth = entry.object("auth")?;
    let of = |reason: String| format!("`auth`: {reason}");
    let method = auth.text("method").map_err(of)?.unwrap_or_default();
    let value = auth.text("value").map_err(of)?.unwrap_or_default();
    match method.as_str() {
        "" | "none" => Ok(None),
        // A value that is no variable's name may be the key itself: it is not repeated.
        "env_var" | "env" if is_variable(value.trim()) => Ok(Some(value.trim().to_owned())),
        "env_var" | "env" => Err("`auth`: `value` is not the name of a variable".to_owned()),
        "inline" if value.is_empty() && provider != "ollama" => Err("`auth`: `inline`, and no `value`".to_owned()),
        "inline" => {
            if !value.is_empty() {
                notes.push(
                    "its key (***) is written in the file, and is not read from there: set the variable of its provider".to_owned(),
                );
            }
            Ok(None)
        }
        "config_path" | "vault" => {
            Err(format!("`auth`: NotImplemented: keys by `{method}`; name a variable by `env_var`"))
        }
        _ => Err("`auth`: `method` is env_var, inline or none".to_owned()),
    }
}

fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A step is one task, and the next knows nothing of it.
fn interaction(entry: &mut Entry, notes: &mut Vec<String>) -> Result<(), String> {
    let models = entry.texts("interaction_models")?;
    let known = ["conversational", "stateless_task", "both"];
    if let Some(model) = models.iter().find(|model| !known.contains(&model.as_str())) {
        return Err(format!("`interaction_models` are conversational, stateless_task and both, not `{model}`"));
    }
    if !models.is_empty() && models.iter().all(|model| model == "conversational") {
        notes.push("it is made for conversations, and is asked here one task at a time".to_owned());
    }
    Ok(())
}

/// The prompt, and how the model answers.
fn config(mut config: Entry, notes: &mut Vec<String>) -> Result<(String, Options), String> {
    let of = |reason: String| format!("`base_config`: {reason}");
    let mut prompt = String::new();
    for key in ["system_prompt", "system_instruction", "prompt"] {
        if let Some(text) = config.text(key).map_err(of)?.filter(|_| prompt.is_empty()) {
            prompt = text.trim().to_owned();
        }
    }
    let mut max_tokens = None;
    for key in ["max_tokens", "max_output_tokens", "max_completion_tokens"] {
        let most = config.whole(key).map_err(of)?;
        let most = most.map(|most| u32::try_from(most).map_err(|_| of(format!("`{key}` is too large")))).transpose()?;
        max_tokens = max_tokens.or(most);
    }
    let mut stop = Vec::new();
    for key in ["stop", "stop_sequences"] {
        match config.value(key) {
            None => {}
            Some(Value::String(text)) => stop.push(text),
            Some(Value::Array(texts)) if texts.iter().all(Value::is_string) => {
                stop.extend(texts.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            Some(_) => return Err(of(format!("`{key}` is neither a text nor a list of texts"))),
        }
    }
    let reasoning = match config.text("reasoning_effort").map_err(of)?.as_deref() {
        None => None,
        Some("none") => Some(Reasoning::None),
        Some("low" | "minimal") => Some(Reasoning::Low),
        Some("medium") => Some(Reasoning::Medium),
        Some("high") => Some(Reasoning::High),
        Some(other) => return Err(of(format!("`reasoning_effort` is none, low, medium or high, not `{other}`"))),
    };
    let options = Options {
        temperature: config.number("temperature").map_err(of)?,
        top_p: config.number("top_p").map_err(of)?,
        max_tokens,
        seed: config.whole("seed").map_err(of)?,
        stop,
        reasoning,
    };
    let rest = config.rest();
    if !rest.is_empty() {
        notes.push(format!("not used of `base_config`: {}", ticked(&rest)));
    }
    Ok((prompt, options))
}

/// Of a million tokens, from any of the three spellings.
fn price(mut metrics: Entry, notes: &mut Vec<String>) -> Result<Option<Price>, String> {
    let of = |reason: String| format!("`cost_metrics`: {reason}");
    let mut of_tokens = |which: &str| {
        let per_token = [format!("{which}_cost_per_token"), format!("{which}_token_cost")];
        let mut price = None;
        for (key, tokens) in [(&per_token[0], 1e6), (&per_token[1], 1e6), (&format!("{which}_tokens_usd_per_1k"), 1e3)]
        {
            if let Some(dollars) = metrics.number(key).map_err(of)? {
                let millionths = dollars * tokens * 1e6;
                if millionths >= u64::MAX as f64 {
                    return Err(of(format!("`{key}` is too much")));
                }
                price = price.or(Some(Money(millionths.round() as u64)));
            }
        }
        Ok(price)
    };
    let price = match (of_tokens("input")?, of_tokens("output")?) {
        (None, None) => None,
        (input, output) => Some(Price { input: input.unwrap_or(Money(0)), output: output.unwrap_or(Money(0)) }),
    };
    let rest = metrics.rest();
    if !rest.is_empty() {
        notes.push(format!("not used of `cost_metrics`: {}", ticked(&rest)));
    }
    Ok(price)
}

/// What it says of itself, else what it can do.
fn about(entry: &mut Entry) -> Result<String, String> {
    let capabilities = entry.texts("capabilities")?;
    let described = entry.object("metadata")?.text("description").ok().flatten();
    let described =
        described.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty());
    Ok(described.unwrap_or_else(|| match capabilities.is_empty() {
        true => String::new(),
        false => format!("{}.", capabilities.join(", ")),
    }))
}

/// How often it is asked at most; 0 is no limit. One call is one instance of it.
fn limits(mut limits: Entry, notes: &mut Vec<String>) -> Result<Rates, String> {
    let of = |reason: String| format!("`rate_limits`: {reason}");
    let mut most = |key: &str| Ok::<_, String>(limits.whole(key).map_err(of)?.filter(|most| *most > 0));
    let small = |most: Option<u64>| most.map(|most| u32::try_from(most).unwrap_or(u32::MAX));
    let rates = Rates {
        requests_per_minute: small(most("max_requests_per_minute")?),
        tokens_per_minute: most("max_tokens_per_minute")?.map(Tokens),
        tokens_per_day: most("max_tokens_per_day")?.map(Tokens),
        concurrent: small(most("max_concurrent_active_instances")?),
    };
    let rest = limits.rest();
    if !rest.is_empty() {
        notes.push(format!("not used of `rate_limits`: {}", ticked(&rest)));
    }
    Ok(rates)
}

/// What waits for what carries it out.
fn unused(entry: &mut Entry, notes: &mut Vec<String>) -> Result<(), String> {
    let allowed = entry.texts("tool_allowlist")?;
    if !allowed.is_empty() {
        notes.push(format!("tools that it is not given: {}", allowed.join(", ")));
    }
    let denied = entry.texts("tool_denylist")?;
    if !denied.is_empty() {
        notes.push(format!("it is given no tools, so not these either: {}", denied.join(", ")));
    }
    let names = entry.texts("default_file_contexts")?;
    if !names.is_empty() {
        notes.push(format!("files that it is not given: {}", names.join(", ")));
    }
    if let Some(supervisor) = entry.text("default_supervisory_ai_ref")?.filter(|name| !name.is_empty()) {
        notes.push(format!("nobody supervises it: `{supervisor}`"));
    }
    Ok(())
}
