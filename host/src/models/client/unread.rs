//! What is in an answer and the library does not read. Calls of tools whose arguments are no JSON: it gives up over the whole
//! answer then; what the model wanted is still in it, and the model can be told what is wrong with it. And refusals.

use super::{Said, Used};
use genai::chat::{ChatFrameSink, FrameCtx, RawFrameRef, ToolCall};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};

/// The answer that the library could not read; none: it failed over something else.
pub fn said(error: &genai::Error) -> Option<Said> {
    let genai::Error::ChatResponseGeneration { response_body: body, .. } = error else { return None };
    let calls = calls(body)?;
    if calls.iter().all(|call| call.fn_arguments.is_object()) {
        return None;
    }
    let text = body.pointer("/choices/0/message/content").and_then(Value::as_str).unwrap_or("").to_owned();
    Some(Said { text, calls, used: used(body), cut: false })
}

/// The words of a model that will not answer, beside an answer without any.
pub fn refusal(body: &Value) -> Option<String> {
    let said = body.pointer("/choices/0/message/refusal").and_then(Value::as_str);
    let of_item = |item: &Value| {
        let parts = item.get("content")?.as_array()?.iter();
        parts.filter_map(|part| part.get("refusal")?.as_str()).next().map(str::to_owned)
    };
    let found = match said {
        Some(said) => Some(said.to_owned()),
        None => body.get("output")?.as_array()?.iter().find_map(of_item),
    };
    found.filter(|said| !said.trim().is_empty())
}

/// The same of the answer that the library could not read.
pub fn refused(error: &genai::Error) -> Option<String> {
    let genai::Error::ChatResponseGeneration { response_body: body, .. } = error else { return None };
    refusal(body)
}

/// The same of an answer that comes in pieces.
#[derive(Clone, Default)]
pub struct Refusal(Arc<Mutex<String>>);

impl Refusal {
    /// What has come of it; none: it is no refusal.
    pub fn said(&self) -> Option<String> {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(said.clone()).filter(|said| !said.trim().is_empty())
    }
}

impl ChatFrameSink for Refusal {
    fn on_frame(&self, _: &FrameCtx, frame: RawFrameRef<'_>) {
        if !frame.data.contains("refusal") {
            return;
        }
        let Some(frame) = frame.json() else { return };
        // The second protocol has the piece itself as `delta`.
        let piece = match frame.get("type").and_then(Value::as_str) {
            Some("response.refusal.delta") => frame.get("delta"),
            _ => frame.pointer("/choices/0/delta/refusal"),
        };
        if let Some(piece) = piece.and_then(Value::as_str) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push_str(piece);
        }
    }
}

/// As the two protocols of OpenAI have them: arguments are a text, and JSON only if the model wrote JSON.
fn calls(body: &Value) -> Option<Vec<ToolCall>> {
    let text = |value: &Value, name: &str| value.get(name)?.as_str().map(str::to_owned);
    let call = |id: Option<String>, function: &Value| {
        let arguments = function.get("arguments").cloned().unwrap_or_default();
        let read = arguments.as_str().and_then(|text| serde_json::from_str(text).ok());
        Some(ToolCall {
            call_id: id.unwrap_or_default(),
            fn_name: text(function, "name")?,
            fn_arguments: read.filter(Value::is_object).unwrap_or(arguments),
            thought_signatures: None,
        })
    };
    match body.pointer("/choices/0/message/tool_calls") {
        Some(calls) => calls.as_array()?.iter().map(|one| call(text(one, "id"), one.get("function")?)).collect(),
        None => {
            let wanted = body.get("output")?.as_array()?.iter();
            let wanted = wanted.filter(|item| item.get("type").and_then(Value::as_str) == Some("function_call"));
            wanted.map(|item| call(text(item, "call_id"), item)).collect()
        }
    }
}

fn used(body: &Value) -> Option<Used> {
    let usage = body.get("usage")?;
    let count = |names: [&str; 2]| names.iter().find_map(|name| usage.get(*name)?.as_u64());
    match (count(["prompt_tokens", "input_tokens"]), count(["completion_tokens", "output_tokens"])) {
        (None, None) => None,
        (input, output) => Some(Used { input: input.unwrap_or(0), output: output.unwrap_or(0) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn calls_are_found_in_both_protocols() {
        let chat = json!({"choices": [{"message": {"tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "a", "arguments": "{\"path\": "}},
            {"id": "2", "type": "function", "function": {"name": "b", "arguments": "{\"n\": 1}"}},
        ]}}]});
        let responses = json!({"output": [
            {"type": "reasoning"},
            {"type": "function_call", "call_id": "1", "name": "a", "arguments": "{\"path\": "},
            {"type": "function_call", "call_id": "2", "name": "b", "arguments": "{\"n\": 1}"},
        ]});
        for body in [chat, responses] {
            let calls = calls(&body).expect("calls");
            let calls: Vec<_> = calls.into_iter().map(|call| (call.call_id, call.fn_name, call.fn_arguments)).collect();
            let expected = [("1", "a", json!("{\"path\": ")), ("2", "b", json!({"n": 1}))];
            assert_eq!(calls, expected.map(|(id, name, arguments)| (id.to_owned(), name.to_owned(), arguments)));
        }
        assert!(calls(&json!({"choices": [{"message": {"content": "hello"}}]})).is_none());
    }

    #[test]
    fn refusals_are_found_in_both_protocols() {
        let chat = json!({"choices": [{"message": {"content": null, "refusal": "I will not"}}]});
        let parts = json!([{"type": "refusal", "refusal": "I will not"}]);
        let responses = json!({"output": [{"type": "reasoning"}, {"type": "message", "content": parts}]});
        for body in [chat, responses] {
            assert_eq!(refusal(&body).as_deref(), Some("I will not"), "{body}");
        }
        assert_eq!(refusal(&json!({"choices": [{"message": {"content": "hello", "refusal": null}}]})), None);
    }
}
