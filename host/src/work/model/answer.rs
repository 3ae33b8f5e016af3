//! Answers: what a model may answer, and how what it says is read. Models wrap JSON in fences, sentences and thoughts; that is
//! forgiven. A word that was not asked for never is.

use serde_json::{Map, Value, json};

/// What an answer must look like.
#[derive(Clone, Debug)]
pub(super) struct Form {
    /// The words to choose from; with fewer than two there is nothing to choose, and the answer is the output itself.
    pub words: Vec<String>,
    /// The media type of the output.
    pub media_type: String,
    /// What the output must fit, when it is JSON of a certain form.
    pub schema: Option<Value>,
}

/// What a model answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub verdict: Option<String>,
    pub output: String,
}

impl Form {
    /// Is there a word to choose?
    pub fn chooses(&self) -> bool {
        self.words.len() > 1
    }

    fn is_json(&self) -> bool {
        self.schema.is_some() || crate::builtin::is_json(&self.media_type)
    }

    /// The schema of the whole answer, for providers that hold a model to one; none: it is free text.
    pub fn whole(&self) -> Option<Value> {
        let output = self.schema.clone();
        if !self.chooses() {
            return output;
        }
        let output = output.unwrap_or_else(|| json!({ "type": "string" }));
        Some(json!({
            "type": "object",
            "properties": { "verdict": { "type": "string", "enum": self.words }, "output": output },
            "required": ["verdict", "output"],
            "additionalProperties": false,
        }))
    }

    /// What the model is told of it.
    pub fn told(&self) -> Option<String> {
        if self.chooses() {
            let words = self.words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
            let output = match (&self.schema, self.is_json()) {
                (Some(schema), _) => format!("JSON that fits this schema: {schema}"),
                (None, true) => "JSON".to_owned(),
                (None, false) => "your answer, as text".to_owned(),
            };
            return Some(format!(
                "Answer with one JSON object and nothing else: {{\"verdict\": one of {words}, \"output\": {output}}}."
            ));
        }
        let schema = self.schema.as_ref()?;
        Some(format!("Answer with JSON that fits this schema, and nothing else: {schema}"))
    }

    /// An example's answer, as the model would have to write it.
    pub fn written(&self, verdict: Option<&str>, output: &str) -> String {
        match self.chooses() {
            true => json!({ "verdict": verdict, "output": output }).to_string(),
            false => output.to_owned(),
        }
    }

    /// Reads an answer; else says what is wrong with it, for the model to mend. `cut`: it ended for want of tokens.
    pub fn read(&self, text: &str, cut: bool) -> Result<Answer, String> {
        let wrong = |reason: String| if cut { format!("{reason} (it was cut off: `max_tokens`)") } else { reason };
        self.parsed(text).map_err(wrong)
    }

    fn parsed(&self, text: &str) -> Result<Answer, String> {
        let text = without_thoughts(text).trim();
        if !self.chooses() {
            if !self.is_json() {
                return if text.is_empty() { Err("it is empty".into()) } else { Ok(output(None, text)) };
            }
            let value = json_within(text, |_| true).ok_or("it is not JSON")?;
            self.fits(&value)?;
            return Ok(output(None, &value.to_string()));
        }
        if let Some(Value::Object(object)) = json_within(text, |value| value.get("verdict").is_some()) {
            return self.of_object(object);
        }
        // A model without structured answers often gives the bare word.
        let bare = text.trim_matches(|c: char| c.is_whitespace() || "\"'`.*".contains(c));
        match self.word(bare) {
            Some(word) if self.schema.is_none() => Ok(output(Some(word), "")),
            _ => Err(format!("it is no JSON object with `verdict` and `output`; the verdict is {}", self.list())),
        }
    }

    fn of_object(&self, mut object: Map<String, Value>) -> Result<Answer, String> {
        let said = object.get("verdict").and_then(Value::as_str).unwrap_or("");
        let word = self.word(said).ok_or_else(|| format!("its verdict `{said}` is not {}", self.list()))?;
        let value = object.remove("output").unwrap_or(Value::Null);
        if self.is_json() {
            self.fits(&value)?;
            return Ok(output(Some(word), &value.to_string()));
        }
        let text = match value {
            Value::String(text) => text,
            Value::Null => String::new(),
            other => other.to_string(),
        };
        Ok(output(Some(word), &text))
    }

    /// The word that was meant: case does not matter, anything else does.
    fn word(&self, said: &str) -> Option<&str> {
        let said = said.trim();
        let exact = self.words.iter().find(|word| *word == said);
        exact.or_else(|| self.words.iter().find(|word| word.eq_ignore_ascii_case(said))).map(String::as_str)
    }

    fn list(&self) -> String {
        format!("one of {}", self.words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "))
    }

    fn fits(&self, value: &Value) -> Result<(), String> {
        let Some(schema) = &self.schema else { return Ok(()) };
        let wrong =
            crate::builtin::violations(schema, value).map_err(|error| format!("the schema is none: {error}"))?;
        match wrong.as_slice() {
            [] => Ok(()),
            [first, ..] => Err(format!("it does not fit the schema: {first}")),
        }
    }
}

fn output(verdict: Option<&str>, output: &str) -> Answer {
    Answer { verdict: verdict.map(str::to_owned), output: output.to_owned() }
}

/// Some models think aloud first, between tags.
fn without_thoughts(text: &str) -> &str {
    match text.trim_start().strip_prefix("<think>").and_then(|rest| rest.split_once("</think>")) {
        Some((_, rest)) => rest,
        None => text,
    }
}

/// The first JSON value within a text that is as wanted: all of it, or an object or array somewhere in it.
fn json_within(text: &str, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
    if let Ok(value) = serde_json::from_str(text)
        && wanted(&value)
    {
        return Some(value);
    }
    let mut from = 0;
    while let Some(at) = text.get(from..)?.find(['{', '[']).map(|at| from + at) {
        let mut values = serde_json::Deserializer::from_str(text.get(at..)?).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) if wanted(&value) => return Some(value),
            Some(Ok(_)) => from = at + values.byte_offset().max(1),
            _ => from = at + 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(words: &[&str], schema: Option<Value>) -> Form {
        let media_type = if schema.is_some() { "application/json" } else { "text/plain" };
        Form { words: words.iter().map(|word| (*word).to_owned()).collect(), media_type: media_type.into(), schema }
    }

    #[test]
    fn a_word_is_found_in_what_models_make_of_json() {
        let form = form(&["bug", "question"], None);
        let read =
            |text: &str| form.read(text, false).map(|answer| (answer.verdict.unwrap_or_default(), answer.output));
        for text in [
            r#"{"verdict": "bug", "output": "crashes"}"#,
            "```json\n{\"verdict\": \"BUG\", \"output\": \"crashes\"}\n```",
            "Sure! {\"a\": 1} Here: {\"output\": \"crashes\", \"verdict\": \" bug \"} Done.",
            "<think>{\"verdict\": \"question\"}</think>{\"verdict\":\"bug\",\"output\":\"crashes\"}",
        ] {
            assert_eq!(read(text), Ok(("bug".into(), "crashes".into())), "{text}");
        }
        assert_eq!(read("**bug**"), Ok(("bug".into(), String::new())));
        assert_eq!(read(r#"{"verdict": "question"}"#), Ok(("question".into(), String::new())));
    }

    #[test]
    fn nothing_but_a_word_of_the_list_is_one() {
        let form = form(&["approve", "reject"], None);
        for text in [
            "",
            "I approve of this",
            r#"{"verdict": "approved", "output": ""}"#,
            r#"{"verdict": ["approve"], "output": ""}"#,
            r#"{"verdict": "approve, reject"}"#,
            r#"{"verdict": "\u200bapprove"}"#,
            "approve reject",
            "{\"verdict\": \"approve\"",
        ] {
            assert!(form.read(text, false).is_err(), "{text}");
        }
        assert!(form.read("{", true).expect_err("cut").contains("cut off"));
    }

    #[test]
    fn json_must_fit_its_schema() {
        let schema = json!({"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}});
        let alone = form(&["next"], Some(schema.clone()));
        assert_eq!(alone.read("```\n{\"n\": 1}\n```", false).map(|answer| answer.output), Ok("{\"n\":1}".into()));
        assert!(alone.read("{\"n\": \"1\"}", false).expect_err("no integer").contains("does not fit"));
        let chosen = form(&["a", "b"], Some(schema));
        assert!(chosen.read("a", false).is_err(), "a bare word has no output");
        let answer = chosen.read(r#"{"verdict": "a", "output": {"n": 2}}"#, false).expect("fits");
        assert_eq!((answer.verdict.as_deref(), answer.output.as_str()), (Some("a"), "{\"n\":2}"));
    }
}
