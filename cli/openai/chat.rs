//! Chat completions: one object, or chunks of one.

use super::now;
use super::refusal::Refusal;
use super::request::Asked;
use crate::serve::Served;
use serde_json::{Value, json};

/// An answer as a chat completion.
pub struct Form {
    model: String,
    usage: bool,
    id: String,
    created: u64,
}

impl Form {
    /// To this question.
    pub fn new(asked: &Asked) -> Form {
        Form { model: asked.model.clone(), usage: asked.usage, id: String::new(), created: now() }
    }

    fn chunk(&self, choices: &Value, usage: &Value) -> String {
        let chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
            "usage": usage,
        });
        format!("data: {chunk}\n\n")
    }

    fn delta(&self, delta: &Value, finish: &Value) -> String {
        self.chunk(&json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]), &Value::Null)
    }
}

fn id(run: &str) -> String {
    format!("chatcmpl-{run}")
}

fn usage(served: &Served) -> Value {
    let (all, output) = (served.totals.tokens, served.output_tokens);
    json!({"prompt_tokens": all.saturating_sub(output), "completion_tokens": output, "total_tokens": all})
}

impl super::Form for Form {
    fn whole(&mut self, served: &Served) -> Value {
        let message = json!({"role": "assistant", "content": served.text(), "refusal": null});
        json!({
            "id": id(&served.run),
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": "stop"}],
            "usage": usage(served),
        })
    }

    fn begin(&mut self, run: &str) -> String {
        self.id = id(run);
        self.delta(&json!({"role": "assistant", "content": ""}), &Value::Null)
    }

    fn piece(&mut self, text: &str) -> String {
        self.delta(&json!({"content": text}), &Value::Null)
    }

    fn end(&mut self, served: &Served) -> String {
        let last = self.delta(&json!({}), &json!("stop"));
        let used = if self.usage { self.chunk(&json!([]), &usage(served)) } else { String::new() };
        format!("{last}{used}data: [DONE]\n\n")
    }

    fn fail(&mut self, refusal: &Refusal) -> String {
        format!("data: {}\n\n", refusal.json())
    }
}
