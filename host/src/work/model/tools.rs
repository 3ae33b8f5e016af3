//! Tools of a model: what it is shown of them, and how what it wants becomes the input of a call. Who calls is the machine: here
//! nothing is called.

use super::shown::beginning;
use super::turns::{self, CALL, SAID, THOUGHTS, TOOL};
use crate::work::Task;
use aivm_schema::worker::{Ask, INPUT, Offer};
use genai::chat::{ChatMessage, ChatOptions, ChatRequest, Tool, ToolCall, ToolChoice, ToolResponse};
use serde_json::{Value, json};

/// The longest attribute that keeps something of a call, in bytes: what is longer is left out.
const MOST_KEPT: usize = 4 << 10;

/// The longest reason why a call is not made, in bytes.
const MOST_REASON: usize = 1 << 10;

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

    /// Shows them, and the turns so far, as far as there is room for so many bytes more. Also when none may be called any more: who
    /// has called knows of them.
    pub fn show(&self, task: &Task, mut request: ChatRequest, options: &mut ChatOptions, room: usize) -> ChatRequest {
        if self.offers.is_empty() {
            return request;
        }
        options.capture_tool_calls = Some(true);
        options.tool_choice = Some(if self.spent { ToolChoice::None } else { ToolChoice::Auto });
        for message in turns::messages(&task.turns, &mut request, room) {
            request = request.append_message(message);
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
