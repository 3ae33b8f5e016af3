//! Questions: what a model is shown of a call. The instructions first, then examples, then what flows: text as text, everything
//! else as a file with its media type; several values in order, under their names.

use super::answer::Form;
use super::shown::{kept_of, part_of, text_of};
use super::tools::Tools;
use crate::builtin::{is_text, render};
use crate::limits::PER_TOKEN;
use crate::models::Used;
use crate::work::saw::Saw;
use crate::work::{Task, error};
use aivm_schema::artifact::Artifact;
use aivm_schema::unit::Tokens;
use aivm_schema::worker::{Ask, Reasoning};
use aivm_vm::action::CallError;
use genai::chat::{ChatMessage, ChatOptions, ChatRequest, ChatResponseFormat, ContentPart, JsonSpec, ReasoningEffort};
use serde_json::{Value, json};

/// A call as a model sees it.
pub(super) struct Question {
    pub request: ChatRequest,
    pub options: ChatOptions,
    pub form: Form,
    pub tools: Tools,
}

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
        let (mut shown, room) = shown(task, ask.context)?;
        if let Some(saw) = &task.saw {
            shown.splice(..0, sources(saw));
        }
        messages.push(ChatMessage::user(shown));
        let mut request = ChatRequest::from_messages(messages);
        if !system.trim().is_empty() {
            request = request.with_system(system);
        }
        let mut options = options(ask, &form, task);
        request = tools.show(task, request, &mut options, room);
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
        Used { input: (size + system) as u64 / PER_TOKEN, output: said.len() as u64 / PER_TOKEN }
    }

    /// What it will use, as far as that can be told before: its own size, and the longest answer where that is said.
    pub fn bound(&self) -> u64 {
        self.guessed("").input + u64::from(self.options.max_tokens.unwrap_or(0))
    }
}

/// The instructions, with the worker's settings filled in where the text asks for them.
fn prompt(task: &Task, ask: &Ask) -> Result<String, CallError> {
    if !is_template(&ask.prompt) {
        return Ok(ask.prompt.clone());
    }
    let vars = json!({ "with": task.worker.definition.with, "params": task.around.params });
    render(&ask.prompt, &vars)
        .map_err(|reason| error("E0901", format!("the prompt of `{}` cannot be filled in: {reason}; it sees `with` and `params`, and what flows is shown behind it", task.worker.name)))
}

/// Does a prompt ask for something to be filled in?
pub(super) fn is_template(prompt: &str) -> bool {
    prompt.contains("{{") || prompt.contains("{%")
}

/// What flows, with so many tokens of text at most, and how many bytes more there is room for. What is no text is shown whole, and
/// not counted.
fn shown(task: &Task, most: Option<Tokens>) -> Result<(Vec<ContentPart>, usize), CallError> {
    let named = task.parts.iter().map(|(name, _, value)| (Some(name.as_str()), value));
    let values: Vec<_> = if task.parts.is_empty() { vec![(None, &task.input)] } else { named.collect() };
    let length = |value: &Artifact| if is_text(value.media_type()) { value.payload().len() } else { 0 };
    let lengths: Vec<usize> = values.iter().map(|(_, value)| length(value)).collect();
    let parts = values.into_iter().zip(kept(&lengths, most));
    let parts: Result<Vec<_>, _> = parts.map(|((name, value), keep)| part(task, name, value, keep)).collect();
    Ok((parts?, room(most).saturating_sub(lengths.iter().sum())))
}

/// The files of its sources, each under its name, and what is left out of them.
fn sources(saw: &Saw) -> Vec<ContentPart> {
    let file = |(name, file): &(String, Artifact)| {
        ContentPart::Text(format!("<{name}>\n{}\n</{name}>", text_of(file).unwrap_or_default()))
    };
    let left = saw.left.iter().map(|left| ContentPart::Text(format!("[{left}]")));
    saw.files.iter().map(file).chain(left).collect()
}

/// So many tokens in bytes.
fn room(most: Option<Tokens>) -> usize {
    most.map_or(usize::MAX, |Tokens(most)| usize::try_from(most.saturating_mul(PER_TOKEN)).unwrap_or(usize::MAX))
}

/// How much is shown of texts of these lengths, in bytes, when all of them may have so many tokens: those that came first are the
/// oldest, and go first.
fn kept(lengths: &[usize], most: Option<Tokens>) -> Vec<usize> {
    let mut over = lengths.iter().sum::<usize>().saturating_sub(room(most));
    let keep = |length: &usize| {
        let cut = over.min(*length);
        over -= cut;
        length - cut
    };
    lengths.iter().map(keep).collect()
}

fn part(task: &Task, name: Option<&str>, value: &Artifact, keep: usize) -> Result<ContentPart, CallError> {
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
    let text = kept_of(value, text, keep);
    Ok(ContentPart::Text(match name {
        Some(name) => format!("<{name}>\n{text}\n</{name}>"),
        None => text.into_owned(),
    }))
}

fn options(ask: &Ask, form: &Form, task: &Task) -> ChatOptions {
    let mut options = ChatOptions {
        temperature: ask.options.temperature,
        top_p: ask.options.top_p,
        max_tokens: ask.options.max_tokens,
        seed: ask.options.seed,
        stop_sequences: ask.options.stop.clone(),
        capture_usage: Some(true),
        // For what the library cannot read.
        capture_raw_body: Some(true),
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

#[cfg(test)]
mod tests {
    use super::super::shown::beginning;
    use super::*;

    #[test]
    fn what_came_first_is_cut_first() {
        assert_eq!(kept(&[40, 40, 40], None), [40, 40, 40]);
        assert_eq!(kept(&[40, 40, 40], Some(Tokens(30))), [40, 40, 40]);
        assert_eq!(kept(&[40, 40, 40], Some(Tokens(15))), [0, 20, 40]);
        assert_eq!(kept(&[40], Some(Tokens(1))), [4]);
        assert_eq!(beginning("héllo wörld", 2), "h\n[… about 3 tokens are left out here]");
        assert_eq!(beginning("all", 3), "all");
    }
}
