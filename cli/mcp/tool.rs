//! A pipeline as a tool: what a client is told of it, what it is called with, what it gives.

use crate::fail::Failure;
use crate::serve::{self, Pipeline, Served, Takes, base64, from_base64, text_of};
use aivm_host::builtin;
use aivm_schema::artifact::{Artifact, Draft};
use aivm_schema::worker::Effect;
use rmcp::model::{CallToolResult, ContentBlock, JsonObject, MetaObject, ResourceContents, Tool, ToolAnnotations};
use serde_json::{Value, json};

/// Its name, what it does, what it takes, and what a client may expect of it.
pub fn tool(pipeline: &Pipeline) -> Tool {
    let effect = pipeline.effect;
    let hints = ToolAnnotations::new()
        .read_only(effect <= Effect::Read)
        // What can be taken back, by `aivm rollback`, destroys nothing.
        .destructive(matches!(effect, Effect::Idempotent | Effect::Irreversible))
        .idempotent(effect <= Effect::Idempotent)
        .open_world(pipeline.reaches_outside);
    Tool::new(pipeline.name.clone(), pipeline.about.clone(), schema(&pipeline.takes)).with_annotations(hints)
}

/// The schema of the arguments: that of the pipeline, where it takes an object; else of one argument, `input`.
fn schema(takes: &Takes) -> JsonObject {
    let input = match takes {
        Takes::Json(Value::Object(schema)) if is_object(takes) => return schema.clone(),
        Takes::Json(schema) => schema.clone(),
        Takes::Text(media_type) => json!({"type": "string", "contentMediaType": media_type}),
        Takes::Bytes(media_type) => {
            json!({"type": "string", "contentMediaType": media_type, "contentEncoding": "base64"})
        }
    };
    let object = json!({"type": "object", "properties": {"input": input}, "required": ["input"]});
    object.as_object().cloned().unwrap_or_default()
}

/// Does it take an object, whose members are the arguments?
fn is_object(takes: &Takes) -> bool {
    matches!(takes, Takes::Json(schema) if schema.get("type").and_then(Value::as_str) == Some("object"))
}

/// The input of the run that arguments ask for.
pub fn input(pipeline: &Pipeline, mut arguments: JsonObject) -> Result<Draft, Failure> {
    let takes = &pipeline.takes;
    let wrong = |why: &str| {
        Err(Failure::usage("E0949", format!("`{}` is not called like that: {why}", pipeline.name))
            .help(format!("its arguments: {}", Value::Object(schema(takes)))))
    };
    if is_object(takes) {
        return Ok(serve::input(takes.media_type(), Value::Object(arguments).to_string().into_bytes()));
    }
    let payload = match (takes, arguments.remove("input")) {
        (_, None) => return wrong("it has no `input`"),
        (Takes::Json(_), Some(value)) => value.to_string().into_bytes(),
        (Takes::Text(_), Some(Value::String(text))) => text.into_bytes(),
        (Takes::Text(_), Some(_)) => return wrong("`input` is no text"),
        (Takes::Bytes(_), Some(value)) => match value.as_str().and_then(from_base64) {
            Some(bytes) => bytes,
            None => return wrong("`input` is no base64"),
        },
    };
    match arguments.keys().next() {
        None => Ok(serve::input(takes.media_type(), payload)),
        Some(other) => wrong(&format!("it has no argument `{other}`")),
    }
}

/// What a run gave, or why it gave nothing.
pub fn result(served: &Served) -> CallToolResult {
    let mut meta = MetaObject::default();
    let mut say = |name: &str, value: Value| meta.0.insert(format!("aivm/{name}"), value);
    say("run", json!(served.run));
    say("status", json!(served.status));
    say("tokens", json!(served.totals.tokens));
    say("cost_usd", json!(served.totals.cost_usd));
    let result = match served.is_sent() {
        true => given(served),
        false => {
            let (code, message) = served.failure();
            say("code", json!(code));
            CallToolResult::error(vec![ContentBlock::text(format!("error[{code}]: {message}"))])
        }
    };
    result.with_meta(Some(meta))
}

fn given(served: &Served) -> CallToolResult {
    let several = served.values.len() > 1;
    let blocks = served.values.iter().flat_map(|(name, value)| {
        let name = (several && !name.is_empty()).then(|| ContentBlock::text(format!("── {name}")));
        name.into_iter().chain([block(value)])
    });
    let mut result = CallToolResult::success(blocks.collect());
    // Clients of older versions of the protocol take objects only.
    if let [(_, value)] = served.values.as_slice()
        && builtin::is_json(value.media_type())
    {
        result.structured_content = serde_json::from_slice(value.payload()).ok().filter(Value::is_object);
    }
    result
}

fn block(value: &Artifact) -> ContentBlock {
    let media_type = value.media_type();
    if let Some(text) = text_of(value) {
        return ContentBlock::text(text);
    }
    let bytes = base64(value.payload());
    match media_type.split('/').next() {
        Some("image") => ContentBlock::image(bytes, media_type),
        Some("audio") => ContentBlock::audio(bytes, media_type),
        _ => {
            let address = format!("aivm:artifact/{}", value.checksum());
            ContentBlock::resource(ResourceContents::blob(bytes, address).with_mime_type(media_type))
        }
    }
}

/// Why there was no run, or it was left where it was.
pub fn failed(failure: &Failure) -> CallToolResult {
    let help = failure.way_out().map(|help| format!("\n  help: {help}")).unwrap_or_default();
    let Failure::Other { code, message, .. } = failure else {
        return CallToolResult::error(vec![ContentBlock::text(failure.message())]);
    };
    let mut meta = MetaObject::default();
    meta.0.insert("aivm/code".to_owned(), json!(code));
    let text = format!("error[{code}]: {message}{help}");
    CallToolResult::error(vec![ContentBlock::text(text)]).with_meta(Some(meta))
}
