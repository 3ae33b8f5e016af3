//! `json`: one JSON value of what should be one.

use super::buffer::Buffer;
use super::input::Call;
use super::setting::Setting;
use super::{Builtin, Effect, Failure, Output, extract, media, nothing_more};
use serde_json::Value;

pub(super) const BUILTIN: Builtin = Builtin {
    name: "json",
    effect: Effect::Pure,
    words: &[],
    instead: Some("bad"),
    settings: &[Setting::choice("layout", &["compact", "lines"], "without a space, or set over lines")],
    check: nothing_more,
    run,
};

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    let text = call.text()?;
    let value: Value = match serde_json::from_str(text.trim()) {
        Ok(value) => value,
        Err(error) => {
            let within = extract::json_within(text, call)?.into_iter().next();
            within.ok_or_else(|| Failure::Rejected(format!("there is no JSON in the input: {error}")))?
        }
    };
    let mut output = Buffer::default();
    match call.with.text("layout") {
        "lines" => output.push_pretty(&value, 2)?,
        _ => output.push_json(&value)?,
    }
    Ok(Output::new(media::JSON, output.into_bytes()))
}
