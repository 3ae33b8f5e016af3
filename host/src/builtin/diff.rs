//! `diff`: what one value has that another has not.

use super::buffer::Buffer;
use super::input::{Call, Part};
use super::schema::sorted;
use super::setting::{Options, Setting};
use super::{Builtin, Effect, Failure, Output, media};
use similar::TextDiff;
use std::borrow::Cow;

pub(super) const BUILTIN: Builtin = Builtin {
    name: "diff",
    effect: Effect::Pure,
    words: &["same", "different"],
    instead: None,
    settings: &[
        Setting::count("context", 3, "how many equal lines are shown around each difference; at most 1,000"),
        Setting::flag("space", true, "do differences in white space at the end of lines count?"),
    ],
    check,
    run,
};

fn check(with: &Options<'_>) -> Result<(), Failure> {
    match with.count("context") {
        0..=1_000 => Ok(()),
        _ => Err(with.wrong("context", "may be at most 1,000")),
    }
}

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    let [old, new] = call.input.parts else {
        return Err(Failure::Unreadable(format!(
            "it compares two values and was called with {}: `[diff <= before.out, after.out]`",
            call.input.parts.len().max(1)
        )));
    };
    let both_json = media::is_json(old.media_type) && media::is_json(new.media_type);
    let [before, after] = [lines(old, both_json, call)?, lines(new, both_json, call)?];
    if before == after {
        return Ok(Output::new("text/x-diff", "").say("same"));
    }
    let diff = TextDiff::from_lines(before.as_ref(), after.as_ref());
    let mut unified = diff.unified_diff();
    unified.context_radius(call.with.count("context")).header(old.name, new.name);
    let mut out = Buffer::default();
    unified.to_writer(&mut out).map_err(|_| Failure::too_large("the difference"))?;
    Ok(Output::new("text/x-diff", out.into_bytes()).say("different"))
}

/// The text to compare: of JSON one laid out with sorted members, so that only values count.
fn lines<'p>(part: &Part<'p>, as_json: bool, call: &Call<'_>) -> Result<Cow<'p, str>, Failure> {
    if as_json {
        let mut text = Buffer::default();
        text.push_pretty(&sorted(&part.json()?), 2)?;
        text.push("\n")?;
        return Ok(Cow::Owned(String::from_utf8_lossy(&text.into_bytes()).into_owned()));
    }
    let text = part.text()?;
    if call.with.flag("space") {
        return Ok(Cow::Borrowed(text));
    }
    Ok(Cow::Owned(text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect()))
}
