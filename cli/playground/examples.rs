//! What a visitor can begin with: examples of `aivm try`, with what their models and commands would have said as mocks.

use crate::examples::EXAMPLES;
use serde_json::{Value, json};

/// Their names, and what their workers answer here, as JSON.
const SHOWN: [(&str, &str); 8] = [
    ("sketch-1", "{}"),
    ("sketch-2", "{}"),
    (
        "reply",
        r#"{
            "draft": [{"output": "You get your money back by Friday."}, {"output": "We look into it, and write to you again."}],
            "review": [{"verdict": "back", "output": "You get your money back by Friday.\n\nIt promises a date."}, "send"]
        }"#,
    ),
    ("csv-quarantine", "{}"),
    (
        "inbox-triage",
        r#"{
            "judge": [
                {"verdict": "invoice", "output": "pay invoice 4711"},
                {"verdict": "outage", "output": "the shop is down"},
                {"verdict": "sale", "output": "cheap toner"},
                {"verdict": "next", "output": "lunch?"}
            ]
        }"#,
    ),
    (
        "undo",
        r#"{"announce": [{"fail": "the mail server is down"}], "what-is-left": [{"output": "nothing is left behind"}]}"#,
    ),
    ("workflow-release", "{}"),
    ("saga-shop", "{}"),
];

/// All of them, as the page asks for them.
pub fn all() -> Value {
    let all = SHOWN.iter().filter_map(|(name, mocks)| {
        let example = EXAMPLES.iter().find(|example| example.name == *name)?;
        let mocks: Value = serde_json::from_str(mocks).ok()?;
        let input = example.input();
        Some(json!({
            "name": name,
            "title": example.about(),
            "program": example.file(example.program()),
            "input": input.and_then(|input| example.file(input)).unwrap_or_default(),
            "type": input.map_or("text/plain", crate::input::media_type_of),
            "mocks": mocks,
        }))
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_is_an_example_with_mocks() {
        assert_eq!(super::all().as_array().map(Vec::len), Some(super::SHOWN.len()));
    }
}
