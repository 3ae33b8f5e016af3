//! `replace`: other text in the place of some.

use super::buffer::Buffer;
use super::input::Call;
use super::setting::{Kind, Options, Setting};
use super::{Builtin, Effect, Failure, Output};
use regex::Regex;

pub(super) const BUILTIN: Builtin = Builtin {
    name: "replace",
    effect: Effect::Pure,
    words: &[],
    instead: None,
    settings: &[
        Setting::optional("text", Kind::Text, "the text to replace, exactly as it is"),
        Setting::optional("pattern", Kind::Pattern, "or what matches this"),
        Setting::text(
            "by",
            "",
            "what stands there afterwards; with `pattern`, `$1` and `${name}` are what its groups matched, `$$` is a dollar sign",
        ),
        Setting::count("most", 0, "replace only the first so many; 0: all"),
    ],
    check,
    run,
};

fn check(with: &Options<'_>) -> Result<(), Failure> {
    match (with.maybe("text"), with.value("pattern")) {
        (Some(_), Some(_)) => Err(with.wrong("pattern", "cannot stand beside `text`: set one")),
        (None, None) => Err(with.wrong("text", "has to be set, or `pattern`")),
        (Some(""), None) => Err(with.wrong("text", "is empty: it would be found everywhere")),
        _ => match with.pattern("pattern")? {
            Some(pattern) => groups(with, &pattern),
            None => Ok(()),
        },
    }
}

/// A group that is not there would stand for nothing: `$1x` is the group `1x`.
fn groups(with: &Options<'_>, pattern: &Regex) -> Result<(), Failure> {
    for part in with.text("by").replace("$$", "").split('$').skip(1) {
        let name = match part.strip_prefix('{') {
            Some(part) => part.split_once('}').map_or("", |(name, _)| name),
            None => part.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or(""),
        };
        let number = name.parse::<usize>().is_ok_and(|number| number < pattern.captures_len());
        if !name.is_empty() && !number && !pattern.capture_names().flatten().any(|known| known == name) {
            let why =
                format!("names the group `{name}`, and the pattern has none: `${{1}}x` is the group `1` and an `x`");
            return Err(with.wrong("by", why));
        }
    }
    Ok(())
}

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    let (text, by) = (call.text()?, call.with.text("by"));
    let most = match call.with.count("most") {
        0 => usize::MAX,
        most => most,
    };
    let mut out = Buffer::with_capacity(text.len());
    let (mut end, mut replaced) = (0, 0);
    let mut put = |out: &mut Buffer, from: usize, to: usize, new: &str| {
        call.tick(replaced)?;
        replaced += 1;
        out.push(text.get(end..from).unwrap_or(""))?;
        end = to;
        out.push(new)
    };
    if let Some(pattern) = call.with.pattern("pattern")? {
        for found in pattern.captures_iter(text).take(most) {
            call.stop()?;
            let mut new = String::new();
            found.expand(by, &mut new);
            let whole = found.get_match();
            put(&mut out, whole.start(), whole.end(), &new)?;
        }
    } else if let Some(old) = call.with.maybe("text") {
        for (at, _) in text.match_indices(old).take(most) {
            put(&mut out, at, at + old.len(), by)?;
        }
    }
    if replaced == 0 {
        return Ok(Output::same().with("replaced", 0));
    }
    out.push(text.get(end..).unwrap_or(""))?;
    Ok(Output::new(call.input.media_type, out.into_bytes()).with("replaced", replaced))
}
