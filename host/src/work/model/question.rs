//! Questions: what a model is shown of a call. The instructions first, then examples, then what flows: text as text, everything
//! else as a file with its media type; several values in order, under their names.

use super::answer::Form;
use super::tools::Tools;
use crate::builtin::{is_text, render};
use crate::models::Used;
use crate::work::{Task, error};
use aivm_schema::artifact::Artifact;
use aivm_schema::worker::{Ask, Reasoning};
use aivm_vm::action::CallError;
use base64::Engine as _;
use genai::chat::{
    Binary, BinarySource, ChatMessage, ChatOptions, ChatRequest, ChatResponseFormat, ContentPart, JsonSpec,
    ReasoningEffort,
};
use serde_json::{Value, json};

/// A call as a model sees it.
pub(super) struct Question {
    pub request: ChatRequest,
    pub options: ChatOptions,
    pub form: Form,
    pub tools: Tools,
}

/// The media types that models are given as files.
const FILES: [&str; 4] = ["image/", "audio/", "video/", "application/pdf"];
/// So many characters are about one token, where nobody counts them.
const PER_TOKEN: usize = 4;

impl Question {
    pub fn of(task: &Task, ask: &Ask) -> Result<Question, CallError> {
        let definition = &task.worker.definition;
        let media_type = definition.returns.clone().unwrap_or_else(|| "text/plain".to_owned());
        let tools = Tools::of(task, ask);
        let words = task.words.iter().filter(|word| !tools.has(word)).cloned().collect();
        let form = Form { words, media_type, schema: definition.returns_schema.clone() };
        let mut system = prompt(task, ask)?;
        if let Some(told) = form.told() {
            system.push_str("\n\n");
            system.push_str(&told);
        }
        let mut messages = Vec::new();
        for example in &ask.examples {
            messages.push(ChatMessage::user(example.input.as_str()));
            let answer = form.written(example.verdict.as_deref(), example.output.as_deref().unwrap_or(""));
            messages.push(ChatMessage::assistant(answer));
        }
        messages.push(ChatMessage::user(shown(task)?));
        let mut request = ChatRequest::from_messages(messages);
        if !system.trim().is_empty() {
            request = request.with_system(system);
        }
        let mut options = options(ask, &form, task);
        request = tools.show(task, request, &mut options);
        Ok(Question { request, options, form, tools })
    }

    /// The same question after an answer that cannot be read.
    pub fn again(&self, request: ChatRequest, said: &str, reason: &str) -> ChatRequest {
        let told = self.form.told().unwrap_or_else(|| "Give your answer, and nothing else.".to_owned());
        request
            .append_message(ChatMessage::assistant(said))
            .append_message(ChatMessage::user(format!("That cannot be used: {reason}. {told}")))
    }

    /// What was used, when the provider does not say.
    pub fn guessed(&self, said: &str) -> Used {
        let size: usize = self.request.messages.iter().map(ChatMessage::size).sum();
        let system = self.request.system.as_ref().map_or(0, String::len);
        Used { input: ((size + system) / PER_TOKEN) as u64, output: (said.len() / PER_TOKEN) as u64 }
    }
}

/// The instructions, with the worker's settings filled in where the text asks for them.
fn prompt(task: &Task, ask: &Ask) -> Result<String, CallError> {
    if !ask.prompt.contains("{{") && !ask.prompt.contains("{%") {
        return Ok(ask.prompt.clone());
    }
    let vars = json!({ "with": task.worker.definition.with, "params": task.around.params });
    render(&ask.prompt, &vars)
        .map_err(|reason| error("E0901", format!("the prompt of `{}` cannot be filled in: {reason}", task.worker.name)))
}

/// What flows.
fn shown(task: &Task) -> Result<Vec<ContentPart>, CallError> {
    if task.parts.is_empty() {
        return Ok(vec![part(task, None, &task.input)?]);
    }
    let mut shown = Vec::new();
    for (name, _, value) in task.parts.iter() {
        shown.push(part(task, Some(name), value)?);
    }
    Ok(shown)
}

fn part(task: &Task, name: Option<&str>, value: &Artifact) -> Result<ContentPart, CallError> {
    if let Some(file) = part_of(name, value) {
        return Ok(file);
    }
    let Some(text) = text_of(value) else {
        let what = name.map_or("its input".to_owned(), |name| format!("`{name}`"));
        let message = format!(
            "`{}` cannot be shown {what}: a model reads text, images, sound and PDF, and this is {}",
            task.worker.name,
            value.media_type()
        );
        return Err(error("E0908", message));
    };
    Ok(ContentPart::Text(match name {
        Some(name) => format!("<{name}>\n{text}\n</{name}>"),
        None => text.to_owned(),
    }))
}

/// A value as a file that models read.
pub(super) fn part_of(name: Option<&str>, value: &Artifact) -> Option<ContentPart> {
    let media_type = value.media_type();
    FILES.iter().find(|file| media_type.starts_with(**file))?;
    let content = base64::engine::general_purpose::STANDARD.encode(value.payload());
    let source = BinarySource::Base64(content.into());
    Some(ContentPart::Binary(Binary::new(media_type, source, name.map(str::to_owned))))
}

/// A value as text.
pub(super) fn text_of(value: &Artifact) -> Option<&str> {
    std::str::from_utf8(value.payload()).ok().filter(|_| is_text(value.media_type()))
}

fn options(ask: &Ask, form: &Form, task: &Task) -> ChatOptions {
    let mut options = ChatOptions {
        temperature: ask.options.temperature,
        top_p: ask.options.top_p,
        max_tokens: ask.options.max_tokens,
        seed: ask.options.seed,
        stop_sequences: ask.options.stop.clone(),
        capture_usage: Some(true),
        ..ChatOptions::default()
    };
    options.reasoning_effort = ask.options.reasoning.map(|reasoning| match reasoning {
        Reasoning::None => ReasoningEffort::Zero,
        Reasoning::Low => ReasoningEffort::Low,
        Reasoning::Medium => ReasoningEffort::Medium,
        Reasoning::High => ReasoningEffort::High,
    });
    // What providers hold a model to is an object.
    let is_object = |schema: &Value| schema.get("type").and_then(Value::as_str) == Some("object");
    if let Some(schema) = form.whole().filter(is_object) {
        let name: String = task.worker.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        options.response_format = Some(ChatResponseFormat::JsonSpec(JsonSpec::new(name, schema)));
    }
    options
}
