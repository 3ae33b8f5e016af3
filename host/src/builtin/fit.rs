//! `fit`: a text cut to a size, for whoever can read only so much.

use super::input::Call;
use super::setting::{Options, Setting};
use super::{Builtin, Effect, Failure, Output};

pub(super) const BUILTIN: Builtin = Builtin {
    name: "fit",
    effect: Effect::Pure,
    words: &[],
    instead: None,
    settings: &[
        Setting::count("most", 8000, "the most characters of the output, the mark included"),
        Setting::choice("keep", &["start", "end", "both"], "what stays: the beginning, the end, or half of each"),
        Setting::text(
            "mark",
            "\n[… {cut} characters left out …]\n",
            "what stands where something is left out; `{cut}` is how much",
        ),
    ],
    check,
    run,
};

fn check(with: &Options<'_>) -> Result<(), Failure> {
    let mark = marked(with.text("mark"), 8);
    match with.count("most") {
        most if most > mark => Ok(()),
        _ => Err(with.wrong("most", format!("has to be more than {mark}: the mark alone takes that"))),
    }
}

/// How long the mark is when `{cut}` has so many digits.
fn marked(mark: &str, digits: usize) -> usize {
    let cuts = mark.matches("{cut}").count();
    mark.chars().count() - cuts * "{cut}".len() + cuts * digits
}

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    let text = call.text()?;
    let length = text.chars().count();
    let most = call.with.count("most");
    if length <= most {
        return Ok(Output::same().with("cut", 0));
    }
    let mark = call.with.text("mark");
    let room = most.saturating_sub(marked(mark, length.to_string().len()));
    let (head, tail) = match call.with.text("keep") {
        "end" => (0, room),
        "both" => (room - room / 2, room / 2),
        _ => (room, 0),
    };
    let head = beginning(text, head);
    let tail = ending(text, tail);
    let cut = length - head.chars().count() - tail.chars().count();
    let mark = mark.replace("{cut}", &cut.to_string());
    Ok(Output::new(call.input.media_type, format!("{head}{mark}{tail}")).with("cut", cut))
}

/// At most so many characters from the beginning, up to the end of a line or word in its second half.
fn beginning(text: &str, most: usize) -> &str {
    let end = text.char_indices().nth(most).map_or(text.len(), |(at, _)| at);
    let window = text.get(..end).unwrap_or(text);
    let cut = ["\n", " "].into_iter().find_map(|end| window.rfind(end).filter(|at| *at > window.len() / 2));
    window.get(..cut.unwrap_or(window.len())).unwrap_or(window)
}

/// At most so many characters up to the end, from the beginning of a line or word in its first half.
fn ending(text: &str, most: usize) -> &str {
    if most == 0 {
        return "";
    }
    let start = text.char_indices().rev().nth(most - 1).map_or(0, |(at, _)| at);
    let window = text.get(start..).unwrap_or(text);
    let cut = ["\n", " "].into_iter().find_map(|end| window.find(end).filter(|at| *at < window.len() / 2));
    window.get(cut.map_or(0, |at| at + 1)..).unwrap_or(window)
}
