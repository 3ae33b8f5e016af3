//! Responses: one object, or the events of its making.

use super::now;
use super::refusal::Refusal;
use super::request::Asked;
use crate::serve::Served;
use serde_json::{Value, json};

/// An answer as a response.
pub struct Form {
    model: String,
    run: String,
    created: u64,
    /// The number of the next event.
    number: u64,
    /// What was said so far.
    text: String,
}

impl Form {
    /// To this question.
    pub fn new(asked: &Asked) -> Form {
        Form { model: asked.model.clone(), run: String::new(), created: now(), number: 0, text: String::new() }
    }

    fn response(&self, status: &str, output: &[Value], usage: &Value, error: &Value) -> Value {
        json!({
            "id": format!("resp_{}", self.run),
            "object": "response",
            "created_at": self.created,
            "status": status,
            "error": error,
            "incomplete_details": null,
            "instructions": null,
            "metadata": {},
            "model": self.model,
            "output": output,
            "parallel_tool_calls": false,
            "temperature": null,
            "tool_choice": "none",
            "tools": [],
            "top_p": null,
            "usage": usage,
        })
    }

    fn item(&self) -> String {
        format!("msg_{}", self.run)
    }

    fn message(&self, status: &str, content: &[Value]) -> Value {
        json!({"id": self.item(), "type": "message", "status": status, "role": "assistant", "content": content})
    }

    /// An event, with its number and its own type.
    fn event(&mut self, kind: &str, mut event: Value) -> String {
        if let Some(event) = event.as_object_mut() {
            event.insert("type".to_owned(), json!(kind));
            event.insert("sequence_number".to_owned(), json!(self.number));
        }
        self.number += 1;
        format!("event: {kind}\ndata: {event}\n\n")
    }

    fn of_part(&mut self, kind: &str, more: (&str, Value)) -> String {
        let mut event = json!({"item_id": self.item(), "output_index": 0, "content_index": 0});
        if let Some(event) = event.as_object_mut() {
            event.insert(more.0.to_owned(), more.1);
            if more.0 != "part" {
                event.insert("logprobs".to_owned(), json!([]));
            }
        }
        self.event(kind, event)
    }
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn usage(served: &Served) -> Value {
    let (all, output) = (served.totals.tokens, served.output_tokens);
    json!({
        "input_tokens": all.saturating_sub(output),
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": all,
    })
}

impl super::Form for Form {
    fn whole(&mut self, served: &Served) -> Value {
        self.run.clone_from(&served.run);
        let message = self.message("completed", &[part(&served.text())]);
        self.response("completed", &[message], &usage(served), &Value::Null)
    }

    fn begin(&mut self, run: &str) -> String {
        run.clone_into(&mut self.run);
        let response = self.response("in_progress", &[], &Value::Null, &Value::Null);
        let message = self.message("in_progress", &[]);
        [
            self.event("response.created", json!({"response": response})),
            self.event("response.in_progress", json!({"response": response})),
            self.event("response.output_item.added", json!({"output_index": 0, "item": message})),
            self.of_part("response.content_part.added", ("part", part(""))),
        ]
        .concat()
    }

    fn piece(&mut self, text: &str) -> String {
        self.text.push_str(text);
        self.of_part("response.output_text.delta", ("delta", json!(text)))
    }

    fn end(&mut self, served: &Served) -> String {
        let whole = part(&self.text);
        let message = self.message("completed", std::slice::from_ref(&whole));
        let response = self.response("completed", std::slice::from_ref(&message), &usage(served), &Value::Null);
        let text = json!(self.text);
        [
            self.of_part("response.output_text.done", ("text", text)),
            self.of_part("response.content_part.done", ("part", whole)),
            self.event("response.output_item.done", json!({"output_index": 0, "item": message})),
            self.event("response.completed", json!({"response": response})),
        ]
        .concat()
    }

    fn fail(&mut self, refusal: &Refusal) -> String {
        let error = json!({"code": refusal.code, "message": refusal.message});
        let response = self.response("failed", &[], &Value::Null, &error);
        self.event("response.failed", json!({"response": response}))
    }
}
