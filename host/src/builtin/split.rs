//! `split`: one text becomes many, in a form that a step fans out over with `.*`.

use super::buffer;
use super::input::Call;
use super::items::{Form, form};
use super::setting::{Kind, Options, Setting};
use super::{Builtin, Effect, Failure, MOST_ITEMS, Output, media};
use serde_json::Value;

pub(super) const BUILTIN: Builtin = Builtin {
    name: "split",
    effect: Effect::Pure,
    words: &[],
    instead: None,
    settings: &[
        Setting::choice(
            "by",
            &["auto", "lines", "paragraphs", "headings", "pattern", "size", "items"],
            "where to cut; `auto` takes the items of JSON, NDJSON and CSV, else paragraphs",
        ),
        Setting::optional("pattern", Kind::Pattern, "with `by = \"pattern\"`: what stands between two pieces"),
        Setting::count("level", 2, "with `by = \"headings\"`: cut at Markdown headings of this level and above"),
        Setting::count(
            "size",
            4000,
            "with `by = \"size\"`: the most characters in a piece; cut at the end of a paragraph, line or word where there is one",
        ),
        Setting::count(
            "overlap",
            0,
            "with `by = \"size\"`: at most how many characters of a piece the next one repeats, whole words where there are some; up to half of `size`",
        ),
    ],
    check,
    run,
};

fn check(with: &Options<'_>) -> Result<(), Failure> {
    let by = with.text("by");
    if (by == "pattern") != with.value("pattern").is_some() {
        return Err(with.wrong("pattern", "belongs to `by = \"pattern\"`: set both or none"));
    }
    if with.count("size") == 0 {
        return Err(with.wrong("size", "has to be at least 1"));
    }
    if with.count("overlap") > with.count("size") / 2 {
        return Err(with.wrong("overlap", "may be at most half of `size`"));
    }
    if !(1..=6).contains(&with.count("level")) {
        return Err(with.wrong("level", "has to be from 1 to 6"));
    }
    Ok(())
}

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    let auto = if form("auto", call.input.media_type) == Form::Lines { "paragraphs" } else { "items" };
    let by = match call.with.text("by") {
        "auto" => auto,
        by => by,
    };
    let text = call.text()?;
    let pieces: Vec<&str> = match by {
        "items" => return items(call, text),
        "lines" => text.lines().filter(|line| !line.trim().is_empty()).collect(),
        "headings" => at_headings(text, call.with.count("level")),
        "pattern" => match call.with.pattern("pattern")? {
            Some(pattern) => {
                let pieces = pattern.split(text).map(|piece| call.stop().map(|()| piece.trim()));
                pieces.filter(|piece| !matches!(piece, Ok(""))).take(MOST_ITEMS + 1).collect::<Result<_, _>>()?
            }
            None => Vec::new(),
        },
        "size" => by_size(text, call.with.count("size"), call.with.count("overlap")),
        _ => paragraphs(text),
    };
    if pieces.len() > MOST_ITEMS {
        return Err(Failure::too_many("the pieces"));
    }
    if by == "lines" {
        let mut lines = buffer::Buffer::with_capacity(text.len());
        for line in pieces {
            lines.push(line)?;
            lines.push("\n")?;
        }
        return Ok(Output::new(media::LINES, lines.into_bytes()));
    }
    Ok(Output::new(media::JSON, buffer::json(&pieces)?))
}

/// What has items becomes a JSON array of them.
fn items(call: &Call<'_>, text: &str) -> Result<Output, Failure> {
    let form = form("auto", call.input.media_type);
    let items = super::items::Items::read(text, form)?;
    if form == Form::Json {
        return Ok(Output::same());
    }
    let values: Vec<_> = items.items.iter().map(|item| item.value(&items.header)).collect();
    Ok(Output::new(media::JSON, buffer::json(&values.iter().map(AsRef::as_ref).collect::<Vec<&Value>>())?))
}

/// Runs of lines between blank lines.
pub(super) fn paragraphs(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut start, mut at) = (None, 0);
    for line in text.split_inclusive('\n') {
        if line.trim().is_empty() {
            found.extend(start.take().and_then(|start| text.get(start..at)));
        } else {
            start.get_or_insert(at);
        }
        at += line.len();
    }
    found.extend(start.and_then(|start| text.get(start..at)));
    found.into_iter().map(str::trim_end).collect()
}

/// Sections that begin with a heading of at most this level; what stands before the first is a piece of its own. Headings
/// within fenced code are none.
fn at_headings(text: &str, level: usize) -> Vec<&str> {
    let mut cuts = vec![0];
    let (mut at, mut fence) = (0, None);
    for line in text.split_inclusive('\n') {
        let mark = line.trim_start().get(..3).filter(|mark| matches!(*mark, "```" | "~~~"));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            _ => {}
        }
        let marks = line.bytes().take_while(|byte| *byte == b'#').count();
        if fence.is_none() && (1..=level).contains(&marks) && line.as_bytes().get(marks) == Some(&b' ') {
            cuts.push(at);
        }
        at += line.len();
    }
    cuts.push(text.len());
    let pieces = cuts.windows(2).filter_map(|cut| match cut {
        [from, to] => text.get(*from..*to),
        _ => None,
    });
    pieces.map(str::trim).filter(|piece| !piece.is_empty()).collect()
}

/// Pieces of at most `size` characters, each beginning `overlap` characters before the last one ended.
fn by_size(text: &str, size: usize, overlap: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() && pieces.len() <= MOST_ITEMS {
        let Some((limit, _)) = rest.char_indices().nth(size) else {
            pieces.push(rest);
            break;
        };
        let space = rest.get(limit..).and_then(|after| after.chars().next()).filter(|c| c.is_whitespace());
        let window = rest.get(..limit + space.map_or(0, char::len_utf8)).unwrap_or(rest);
        let cut = boundary(window, size);
        let piece = rest.get(..cut).unwrap_or(window);
        pieces.push(piece.trim_end());
        // At least one character further, whatever the overlap.
        let next = overlap_start(piece, overlap).max(rest.chars().next().map_or(1, char::len_utf8));
        rest = rest.get(next..).unwrap_or("").trim_start();
    }
    pieces
}

/// Where the next piece begins: at most so many characters before the end of this one, at a word where there is one.
fn overlap_start(piece: &str, overlap: usize) -> usize {
    let Some((at, _)) = piece.char_indices().rev().take(overlap).last() else { return piece.len() };
    let tail = piece.get(at..).unwrap_or("");
    let is_word_start = piece.get(..at).is_none_or(|before| before.ends_with(char::is_whitespace));
    let in_words = tail.trim_end().find(char::is_whitespace).filter(|_| !is_word_start);
    at + in_words.unwrap_or(0)
}

/// Where to cut a window: after the last paragraph, line, sentence or word that ends in its second half, else at its end.
fn boundary(window: &str, size: usize) -> usize {
    let half = window.char_indices().nth(size / 2).map_or(0, |(at, _)| at);
    let mut ends = ["\n\n", "\n", ". ", " "].into_iter().filter_map(|end| window.rfind(end).map(|at| at + end.len()));
    ends.find(|at| *at > half).unwrap_or(window.len())
}
