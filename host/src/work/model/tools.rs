//! Tools of a model: what it is shown of them, what it wanted before and what came of that, and how what it wants now becomes the
//! input of a call. Who calls is the machine: here nothing is called.

use super::shown::{beginning, part_of, text_of};
use crate::work::{Task, Turn};
use aivm_schema::artifact::Artifact;
use aivm_schema::worker::{Ask, INPUT, Offer};
use genai::chat::{
    ChatMessage, ChatOptions, ChatRequest, ContentPart, MessageContent, Tool, ToolCall, ToolChoice, ToolResponse,
};
use serde_json::{Value, json};

/// The longest text of a result that a model is shown, in bytes.
const MOST_SHOWN: usize = 32 << 10;
/// The longest attribute that keeps something of a call, in bytes: what is longer is left out.
const MOST_KEPT: usize = 4 << 10;

/// The longest reason why a call is not made, in bytes.
const MOST_REASON: usize = 1 << 10;

/// Attributes of a call's input: the tool's word, what the provider knows the call by, what the model said beside it.
const TOOL: &str = "tool";
const CALL: &str = "call";
const SAID: &str = "said";
const THOUGHTS: &str = "thoughts";

/// The tools of one question.
#[derive(Clone, Debug, Default)]
pub(super) struct Tools {
    offers: Vec<Offer>,
    /// It was the last time that it may ask for one.
    spent: bool,
}

/// What a model wants called.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// The word of the tool.
    pub word: String,
    pub media_type: &'static str,
    pub payload: Vec<u8>,
    pub attributes: Vec<(String, String)>,
}

impl Tools {
    pub fn of(task: &Task, ask: &Ask) -> Tools {
        // A chooser's words are those of its select.
        let heard = |offer: &&Offer| task.words.contains(&offer.word);
        let offers: Vec<Offer> = ask.tools.offers.iter().filter(heard).cloned().collect();
        Tools { offers, spent: task.turns.len() + 1 >= usize::from(ask.tools.rounds.get()) }
    }

    /// Is this word one of a tool, and no answer?
    pub fn has(&self, word: &str) -> bool {
        self.offers.iter().any(|offer| offer.word == word)
    }

    /// Shows them, and the turns so far. Also when none may be called any more: who has called knows of them.
    pub fn show(&self, task: &Task, mut request: ChatRequest, options: &mut ChatOptions) -> ChatRequest {
        if self.offers.is_empty() {
            return request;
        }
        options.capture_tool_calls = Some(true);
        // For calls that the library cannot read.
        options.capture_raw_body = Some(true);
        options.tool_choice = Some(if self.spent { ToolChoice::None } else { ToolChoice::Auto });
        for (at, turn) in task.turns.iter().enumerate() {
            for message in turn.messages(at) {
                request = request.append_message(message);
            }
        }
        if self.spent {
            request =
                request.append_message(ChatMessage::user("No tool can be called any more: answer with what is known."));
        }
        let tool = |offer: &Offer| {
            let tool = Tool::new(offer.word.as_str()).with_schema(offer.parameters());
            if offer.about.is_empty() { tool } else { tool.with_description(offer.about.as_str()) }
        };
        request.with_tools(self.offers.iter().map(tool).collect::<Vec<_>>())
    }

    /// What a model wants, of whom it may call; else what is wrong with that, for the model to mend. One tool is called at a time:
    /// a model that wants several asks for the others again.
    pub fn wanted(&self, call: &ToolCall, said: &str) -> Result<Wanted, String> {
        let known = || self.offers.iter().map(|offer| format!("`{}`", offer.word)).collect::<Vec<_>>().join(", ");
        if self.spent {
            return Err("no tool can be called any more: answer with what is known".to_owned());
        }
        let offer = self.offers.iter().find(|offer| offer.word == call.fn_name);
        let offer = offer.ok_or_else(|| format!("there is no tool `{}`: there are {}", call.fn_name, known()))?;
        // Some servers give arguments as a text.
        let arguments = match &call.fn_arguments {
            Value::String(text) if text.trim().is_empty() => json!({}),
            Value::String(text) => serde_json::from_str(text)
                .map_err(|error| format!("the arguments of `{}` are not JSON: {error}", offer.word))?,
            Value::Null => json!({}),
            other => other.clone(),
        };
        let wrong = crate::builtin::violations(&offer.parameters(), &arguments)
            .map_err(|error| format!("the schema of `{}` is none: {error}", offer.word))?;
        if let Some(first) = wrong.first() {
            return Err(format!("the arguments of `{}` do not fit its schema: {first}", offer.word));
        }
        let (media_type, payload) = match (&offer.schema, arguments.get(INPUT).and_then(Value::as_str)) {
            (None, Some(text)) => ("text/plain", text.to_owned()),
            _ => ("application/json", arguments.to_string()),
        };
        let mut attributes = vec![(TOOL.to_owned(), offer.word.clone()), (CALL.to_owned(), call.call_id.clone())];
        let thoughts = call.thought_signatures.as_ref().map(|thoughts| thoughts.join("\n")).unwrap_or_default();
        for (key, text) in [(SAID, said.trim()), (THOUGHTS, &thoughts)] {
            if !text.is_empty() && text.len() <= MOST_KEPT {
                attributes.push((key.to_owned(), text.to_owned()));
            }
        }
        attributes.retain(|(_, value)| !value.contains('\0'));
        Ok(Wanted { word: offer.word.clone(), media_type, payload: payload.into_bytes(), attributes })
    }

    /// The same question after a call that cannot be made. What was no object is not said again: a server may refuse it.
    pub fn again(request: ChatRequest, mut call: ToolCall, reason: &str) -> ChatRequest {
        if !call.fn_arguments.is_object() {
            call.fn_arguments = json!({});
        }
        let told = ToolResponse::from_tool_call(&call, format!("not called: {}", beginning(reason, MOST_REASON)));
        request.append_message(ChatMessage::from(vec![call])).append_message(ChatMessage::from(told))
    }
}

/// For people: what was wanted, and why it was not called.
pub(super) fn refused(call: &ToolCall, reason: &str) -> String {
    let text = format!("asked for `{}`, which was not called: {reason}", call.fn_name).replace('\0', " ");
    beginning(&text, MOST_REASON).into_owned()
}

impl Turn {
    fn messages(&self, at: usize) -> Vec<ChatMessage> {
        let attribute = |key: &str| self.call.attribute(key).map(str::to_owned);
        let arguments = match serde_json::from_slice(self.call.payload()) {
            Ok(arguments) if self.call.media_type() == "application/json" => arguments,
            _ => json!({ INPUT: String::from_utf8_lossy(self.call.payload()) }),
        };
        let call = ToolCall {
            call_id: attribute(CALL).filter(|id| !id.is_empty()).unwrap_or_else(|| format!("call-{at}")),
            fn_name: attribute(TOOL).unwrap_or_default(),
            fn_arguments: arguments,
            thought_signatures: attribute(THOUGHTS).map(|text| text.lines().map(str::to_owned).collect()),
        };
        let mut parts: Vec<ContentPart> = attribute(SAID).into_iter().map(ContentPart::Text).collect();
        let (text, files) = self.returned();
        let told = ToolResponse::from_tool_call(&call, text);
        parts.push(ContentPart::ToolCall(call));
        let mut messages = vec![ChatMessage::assistant(MessageContent::from_parts(parts)), ChatMessage::from(told)];
        if !files.is_empty() {
            messages.push(ChatMessage::user(MessageContent::from_parts(files)));
        }
        messages
    }

    /// What the tool returned: as a text, and files.
    fn returned(&self) -> (String, Vec<ContentPart>) {
        // An edge for failures hands on what the tool was called with.
        let same = self.result.content_digest() == self.call.content_digest();
        if let Some(error) = self.result.attribute("error").filter(|_| same) {
            return (format!("failed: {error}"), Vec::new());
        }
        if self.result.checksum() == self.call.checksum() {
            let told = "nothing came of it: it passed on what it was called with, or it was cancelled";
            return (told.to_owned(), Vec::new());
        }
        if self.parts.is_empty() {
            return one(None, &self.result);
        }
        let (mut text, mut files) = (String::new(), Vec::new());
        for (name, _, value) in self.parts.iter() {
            let (one, more) = one(Some(name), value);
            text.push_str(&one);
            text.push('\n');
            files.extend(more);
        }
        (beginning(&text, MOST_SHOWN).into_owned(), files)
    }
}

fn one(name: Option<&str>, value: &Artifact) -> (String, Vec<ContentPart>) {
    if let Some(text) = text_of(value) {
        return match name {
            Some(name) => (format!("<{name}>\n{}\n</{name}>", beginning(text, MOST_SHOWN)), Vec::new()),
            None => (beginning(text, MOST_SHOWN).into_owned(), Vec::new()),
        };
    }
    let what = format!("{} of {} bytes", value.media_type(), value.payload().len());
    match part_of(name, value) {
        Some(file) => (format!("{what}, shown below"), vec![file]),
        None => (format!("{what}, which cannot be shown"), Vec::new()),
    }
}
