//! What a model wanted before, and what came of that. It is shown as much of it as its `context` has room for: the oldest goes
//! first, and it is told so.

use super::shown::{beginning, kept_of, part_of, text_of};
use crate::limits::PER_TOKEN;
use crate::models::LATEST;
use crate::work::Turn;
use aivm_schema::artifact::{Artifact, RESERVED_PREFIX};
use aivm_schema::worker::INPUT;
use genai::chat::{ChatMessage, ChatRequest, ContentPart, MessageContent, ToolCall, ToolResponse};
use serde_json::json;

/// Attributes of a call's input: the tool's word, what the provider knows the call by, what the model said beside it.
pub(super) const TOOL: &str = "tool";
pub(super) const CALL: &str = "call";
pub(super) const SAID: &str = "said";
pub(super) const THOUGHTS: &str = "thoughts";

/// The longest text of a result that a model is shown, in bytes.
const MOST_SHOWN: usize = 32 << 10;
/// The longest list of tools whose results are left out, in bytes.
const MOST_LISTED: usize = 200;

/// One turn as a model sees it.
struct Shown {
    said: Option<String>,
    call: ToolCall,
    result: String,
    files: Vec<ContentPart>,
}

/// The turns as messages behind a question, in so many bytes; the question is told what is left out of them.
pub(super) fn messages(turns: &[Turn], question: &mut ChatRequest, room: usize) -> Vec<ChatMessage> {
    let mut shown: Vec<Shown> = turns.iter().enumerate().map(|(at, turn)| turn.shown(at)).collect();
    let sizes: Vec<(usize, usize)> = shown.iter().map(Shown::sizes).collect();
    let (cut, latest) = fitting(&sizes, room);
    if let Some(last) = shown.last_mut() {
        last.result = beginning(&last.result, latest).into_owned();
    }
    let kept = shown.split_off(cut);
    if let (false, Some(message)) = (shown.is_empty(), question.messages.last_mut()) {
        message.content.push(ContentPart::Text(left_out(&shown)));
    }
    kept.into_iter().flat_map(Shown::messages).collect()
}

/// How many of the oldest turns of these sizes, call and result, are left out, and how much of the latest result is kept. The
/// latest turn is always there: without it the model would ask for the same again.
fn fitting(sizes: &[(usize, usize)], room: usize) -> (usize, usize) {
    let Some(((call, result), earlier)) = sizes.split_last() else { return (0, 0) };
    let least = (LATEST * PER_TOKEN) as usize;
    let latest = (*result).min(room.saturating_sub(*call).max(least));
    let mut left = room.saturating_sub(call + latest);
    let fits = |(call, result): &&(usize, usize)| {
        let rest = left.checked_sub(call + result);
        left = rest.unwrap_or(left);
        rest.is_some()
    };
    let kept = earlier.iter().rev().take_while(fits).count();
    (earlier.len() - kept, latest)
}

fn left_out(turns: &[Shown]) -> String {
    let mut words: Vec<&str> = turns.iter().map(|turn| turn.call.fn_name.as_str()).collect();
    words.sort_unstable();
    words.dedup();
    let (count, words) = (turns.len(), words.join(", "));
    let words = words.get(..words.floor_char_boundary(MOST_LISTED)).unwrap_or("");
    format!("[cut: {count} earlier result{}, of {words}]", if count == 1 { "" } else { "s" })
}

impl Shown {
    /// In bytes: of the call, and of what came of it.
    fn sizes(&self) -> (usize, usize) {
        let ToolCall { fn_name, fn_arguments, thought_signatures, .. } = &self.call;
        let thoughts: usize = thought_signatures.iter().flatten().map(String::len).sum();
        let said = self.said.as_ref().map_or(0, String::len);
        (fn_name.len() + fn_arguments.to_string().len() + thoughts + said, self.result.len())
    }

    fn messages(self) -> Vec<ChatMessage> {
        let mut parts: Vec<ContentPart> = self.said.into_iter().map(ContentPart::Text).collect();
        let told = ToolResponse::from_tool_call(&self.call, self.result);
        parts.push(ContentPart::ToolCall(self.call));
        let mut messages = vec![ChatMessage::assistant(MessageContent::from_parts(parts)), ChatMessage::from(told)];
        if !self.files.is_empty() {
            messages.push(ChatMessage::user(MessageContent::from_parts(self.files)));
        }
        messages
    }
}

impl Turn {
    fn shown(&self, at: usize) -> Shown {
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
        let (result, files) = self.returned();
        Shown { said: attribute(SAID), call, result, files }
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
        if let Some(done) = self.done().filter(|_| same) {
            return (done, Vec::new());
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

/// What a value has of every call, and says nothing of what was done.
const OF_EVERY_CALL: [&str; 7] = ["run", "step", "inputs", TOOL, CALL, SAID, THOUGHTS];

impl Turn {
    /// What a tool says of what it did that passed on what it was called with.
    fn done(&self) -> Option<String> {
        let is_own = |key: &str| !OF_EVERY_CALL.contains(&key) && !key.starts_with(RESERVED_PREFIX);
        let said = self.result.attributes().filter(|(key, _)| is_own(key));
        let said: Vec<String> = said.map(|(key, value)| format!("{key} = {value}")).collect();
        (!said.is_empty()).then(|| format!("done: {}", said.join(", ")))
    }
}

fn one(name: Option<&str>, value: &Artifact) -> (String, Vec<ContentPart>) {
    if let Some(text) = text_of(value) {
        return match name {
            Some(name) => (format!("<{name}>\n{}\n</{name}>", kept_of(value, text, MOST_SHOWN)), Vec::new()),
            None => (kept_of(value, text, MOST_SHOWN).into_owned(), Vec::new()),
        };
    }
    let what = format!("{} of {} bytes", value.media_type(), value.payload().len());
    match part_of(name, value) {
        Some(file) => (format!("{what}, shown below"), vec![file]),
        None => (format!("{what}, which cannot be shown"), Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::fitting;

    #[test]
    fn the_oldest_results_go_first_and_the_latest_never() {
        let sizes = [(10, 1_000), (10, 500), (10, 100), (10, 2_000)];
        assert_eq!(fitting(&[], 0), (0, 0));
        assert_eq!(fitting(&sizes, usize::MAX), (0, 2_000));
        assert_eq!(fitting(&sizes, 3_640), (0, 2_000));
        assert_eq!(fitting(&sizes, 3_639), (1, 2_000));
        assert_eq!(fitting(&sizes, 2_630), (1, 2_000));
        assert_eq!(fitting(&sizes, 2_120), (2, 2_000));
        assert_eq!(fitting(&sizes, 2_009), (3, 1_999), "of the latest the end goes");
        assert_eq!(fitting(&sizes, 0), (3, 1_024), "its beginning is always shown");
        // A small one behind a large one that does not fit is no less old.
        assert_eq!(fitting(&[(1, 1), (1, 900), (1, 1)], 10), (2, 1));
    }
}
