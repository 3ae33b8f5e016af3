//! `search`: the passages of documents that answer a question best, by BM25. Words count, not their meaning.

use super::input::{Call, Part};
use super::setting::{Kind, Options, Setting};
use super::{Builtin, Effect, Failure, MOST_ITEMS, Output, buffer, media};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// How fast a word's repetition stops counting, and how much long passages are held back: the usual values.
const SATURATION: f64 = 1.2;
const LENGTH: f64 = 0.75;

pub(super) const BUILTIN: Builtin = Builtin {
    name: "search",
    effect: Effect::Pure,
    words: &["found", "not-found"],
    instead: None,
    settings: &[
        Setting::optional(
            "question",
            Kind::Text,
            "what is looked for; not set: the run's parameter `question`, else the first part",
        ),
        Setting::count("most", 5, "how many passages it gives"),
        Setting::count("lines", 12, "the most lines of a passage; it ends with its paragraph"),
        Setting::optional("score", Kind::Number, "only passages with this score or a higher one"),
        Setting::optional("ignore", Kind::List, "words of the question that do not count, such as `what` and `the`"),
        Setting::optional(
            "share",
            Kind::Number,
            "only passages that have at least this share of the question's words, from 0 to 1; a rare word weighs more",
        ),
    ],
    check,
    run,
};

fn check(with: &Options<'_>) -> Result<(), Failure> {
    match with.number("share") {
        _ if with.count("lines") == 0 => Err(with.wrong("lines", "has to be at least 1")),
        Some(share) if !(0.0..=1.0).contains(&share) => Err(with.wrong("share", "has to be from 0 to 1")),
        _ => Ok(()),
    }
}

/// A passage: lines of one document.
struct Passage<'t> {
    source: &'t str,
    first: usize,
    last: usize,
    text: &'t str,
    words: Vec<u32>,
}

/// Numbers for the words of the question; only these count in a passage.
struct Question {
    words: HashMap<String, u32>,
}

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    let parts = call.parts();
    let (asked, documents) = match (call.with.maybe("question"), call.context.params.get("question")) {
        (Some(question), _) => (question, parts.as_slice()),
        (None, Some(question)) => (question.as_str(), parts.as_slice()),
        (None, None) => match parts.split_first() {
            Some((first, rest)) if !rest.is_empty() => (first.text()?, rest),
            _ => {
                return Err(Failure::Unreadable(
                    "there is no question: set `question`, give the run a parameter `question`, or call it with the question first: \
                     `[search <= in, docs.read.out]`"
                        .into(),
                ));
            }
        },
    };
    let wanted = Wanted {
        most: call.with.count("most"),
        lines: call.with.count("lines"),
        score: call.with.number("score"),
        ignore: call.with.list("ignore").unwrap_or_default(),
        share: call.with.number("share"),
    };
    let answer = find(call, asked, documents, &wanted)?;
    let found = answer.get("passages").and_then(Value::as_array).is_some_and(|passages| !passages.is_empty());
    Ok(Output::new(media::JSON, buffer::json(&answer)?).say(if found { "found" } else { "not-found" }))
}

/// Which passages are wanted.
pub(super) struct Wanted<'w> {
    pub most: usize,
    pub lines: usize,
    pub score: Option<f64>,
    pub ignore: Vec<&'w str>,
    pub share: Option<f64>,
}

impl Default for Wanted<'_> {
    fn default() -> Self {
        Wanted { most: 5, lines: 12, score: None, ignore: Vec::new(), share: None }
    }
}

/// The passages of documents that fit a question best.
pub(super) fn find(
    call: &Call<'_>,
    asked: &str,
    documents: &[Part<'_>],
    wanted: &Wanted<'_>,
) -> Result<Value, Failure> {
    let mut question = Question { words: HashMap::new() };
    let ignored: HashSet<String> = wanted.ignore.iter().flat_map(|text| words(text)).collect();
    for word in words(asked).filter(|word| !ignored.contains(word)) {
        let number = question.words.len() as u32;
        question.words.entry(word).or_insert(number);
    }
    let texts = texts(documents)?;
    let mut passages = Vec::new();
    let mut lengths = Vec::new();
    for (source, text) in &texts {
        for (first, last, text) in cut(text, wanted.lines) {
            call.tick(passages.len())?;
            if passages.len() == MOST_ITEMS {
                return Err(Failure::too_many("the passages"));
            }
            let (mut found, mut length) = (Vec::new(), 0_usize);
            for word in words(text) {
                length += 1;
                found.extend(question.words.get(&word).copied());
            }
            lengths.push(length);
            passages.push(Passage { source, first, last, text, words: found });
        }
    }
    let mut ranked = rank(&passages, &lengths, question.words.len(), wanted.share.unwrap_or(0.0));
    let least = wanted.score.unwrap_or(f64::MIN_POSITIVE);
    ranked.retain(|(score, _)| *score >= least);
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranked.truncate(wanted.most);
    let best: Vec<Value> =
        ranked.iter().filter_map(|(score, at)| Some((score, passages.get(*at)?))).map(shown).collect();
    Ok(json!({ "question": asked.trim(), "passages": best }))
}

fn shown((score, passage): (&f64, &Passage<'_>)) -> Value {
    let lines = match passage.first == passage.last {
        true => passage.first.to_string(),
        false => format!("{}-{}", passage.first, passage.last),
    };
    json!({
        "source": passage.source,
        "lines": lines,
        "score": (score * 1000.0).round() / 1000.0,
        "text": passage.text,
    })
}

/// Documents by name: parts, or elements `{ "source": …, "text": … }` of a JSON array.
fn texts(parts: &[Part<'_>]) -> Result<Vec<(String, String)>, Failure> {
    let mut texts = Vec::new();
    for part in parts {
        if !media::is_json(part.media_type) {
            texts.push((part.name.to_owned(), part.text()?.to_owned()));
            continue;
        }
        let Value::Array(elements) = part.json()? else {
            texts.push((part.name.to_owned(), part.text()?.to_owned()));
            continue;
        };
        for (nth, element) in elements.into_iter().enumerate() {
            let numbered = || format!("{}/{}", part.name, nth + 1);
            texts.push(match element {
                Value::String(text) => (numbered(), text),
                Value::Object(mut members) => match members.remove("text") {
                    Some(Value::String(text)) => {
                        let named = ["source", "name", "title"].into_iter().find_map(|key| members.get(key)?.as_str());
                        (named.map_or_else(numbered, str::to_owned), text)
                    }
                    _ => (numbered(), Value::Object(members).to_string()),
                },
                other => (numbered(), other.to_string()),
            });
        }
    }
    Ok(texts)
}

/// Paragraphs, and those that are longer than so many lines in pieces: first line, last line (from 1), text.
fn cut(text: &str, most: usize) -> Vec<(usize, usize, &str)> {
    let mut passages = Vec::new();
    let (mut start, mut first, mut at) = (None, 0, 0);
    let mut nth = 0;
    for line in text.split_inclusive('\n') {
        nth += 1;
        let is_blank = line.trim().is_empty();
        if let Some(from) = start
            && (is_blank || nth - first >= most)
        {
            passages.extend(text.get(from..at).map(|piece| (first, nth - 1, piece.trim_end())));
            start = None;
        }
        if !is_blank && start.is_none() {
            (start, first) = (Some(at), nth);
        }
        at += line.len();
    }
    passages.extend(start.and_then(|from| text.get(from..)).map(|piece| (first, nth, piece.trim_end())));
    passages
}

/// Runs of letters and digits, in lower case, without the `s` of many a plural.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(|word| {
        let mut word = word.to_lowercase();
        if word.len() > 3 && word.ends_with('s') {
            word.pop();
        }
        word
    })
}

/// The score of each passage that has any, and enough of the question's words.
fn rank(passages: &[Passage<'_>], lengths: &[usize], distinct: usize, share: f64) -> Vec<(f64, usize)> {
    let mut holders = vec![0_usize; distinct];
    let mut counts: HashMap<u32, f64> = HashMap::new();
    for passage in passages {
        counts.clear();
        passage.words.iter().for_each(|word| *counts.entry(*word).or_default() += 1.0);
        for word in counts.keys() {
            if let Some(holders) = holders.get_mut(*word as usize) {
                *holders += 1;
            }
        }
    }
    let total = passages.len() as f64;
    let average = lengths.iter().sum::<usize>() as f64 / total.max(1.0);
    let rarity = |word: u32| {
        let holders = holders.get(word as usize).map_or(0.0, |holders| *holders as f64);
        (1.0 + (total - holders + 0.5) / (holders + 0.5)).ln()
    };
    let whole: f64 = (0..distinct as u32).map(rarity).sum();
    let mut ranked = Vec::new();
    for (at, (passage, length)) in passages.iter().zip(lengths).enumerate() {
        let mut found = passage.words.clone();
        found.sort_unstable();
        let slow = SATURATION * (1.0 - LENGTH + LENGTH * *length as f64 / average.max(1.0));
        // In the order of the words, so that the sum is the same at every call.
        let score: f64 = found
            .chunk_by(|a, b| a == b)
            .filter_map(|run| run.first().map(|word| (*word, run.len() as f64)))
            .map(|(word, count)| rarity(word) * count * (SATURATION + 1.0) / (count + slow))
            .sum();
        found.dedup();
        let had: f64 = found.iter().map(|word| rarity(*word)).sum();
        if score > 0.0 && had >= share * whole {
            ranked.push((score, at));
        }
    }
    ranked
}
