//! `clean`: text as every following step can rely on it.

use super::buffer::Buffer;
use super::setting::{Options, Setting};
use super::{Builtin, Call, Effect, Failure, MOST_BYTES, Output, nothing_more};
use std::borrow::Cow;

pub(super) const BUILTIN: Builtin = Builtin {
    name: "clean",
    effect: Effect::Pure,
    words: &[],
    instead: None,
    settings: &[
        Setting::count("blank", 1, "how many blank lines in a row are kept"),
        Setting::count("tab", 0, "how many spaces a tab becomes; 0 keeps tabs"),
        Setting::choice(
            "invalid",
            &["fail", "replace"],
            "what happens to bytes that are not UTF-8: the call fails, or each becomes U+FFFD",
        ),
    ],
    check: nothing_more,
    run,
};

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    let text = match call.with.text("invalid") {
        "replace" if call.input.payload.len() <= MOST_BYTES => {
            call.whole()?;
            String::from_utf8_lossy(call.input.payload)
        }
        _ => Cow::Borrowed(call.text()?),
    };
    let cleaned = clean(&text, &call.with, call)?;
    if cleaned == call.input.payload { Ok(Output::same()) } else { Ok(Output::new(call.input.media_type, cleaned)) }
}

fn clean(text: &str, with: &Options<'_>, call: &Call<'_>) -> Result<Vec<u8>, Failure> {
    let (most_blank, tab) = (with.count("blank"), " ".repeat(with.count("tab").min(64)));
    let mut out = Buffer::with_capacity(text.len());
    let mut blank = 0;
    for (round, line) in lines(text).enumerate() {
        call.tick(round)?;
        let line = tidy(line, &tab);
        if line.is_empty() {
            blank += 1;
            continue;
        }
        if !out.is_empty() {
            for _ in 0..blank.min(most_blank) {
                out.push("\n")?;
            }
        }
        blank = 0;
        out.push(&line)?;
        out.push("\n")?;
    }
    Ok(out.into_bytes())
}

/// Lines that end in CR LF, LF or CR.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// One line without what cannot be seen.
fn tidy<'l>(line: &'l str, tab: &str) -> Cow<'l, str> {
    let plain =
        line.bytes().all(|byte| (b' '..0x7f).contains(&byte)) || !line.chars().any(|c| is_noise(c) || c == '\t');
    if plain {
        return Cow::Borrowed(line.trim_end());
    }
    let mut kept = String::with_capacity(line.len());
    for c in line.chars().filter(|c| !is_noise(*c)) {
        if c == '\t' && !tab.is_empty() { kept.push_str(tab) } else { kept.push(c) }
    }
    kept.truncate(kept.trim_end().len());
    Cow::Owned(kept)
}

/// Control characters but the tab; marks that turn the direction of text, and byte-order marks: they hide what a reader does not see.
fn is_noise(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c, '\u{feff}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}')
}
