//! `search`: the passages of documents that answer a question best, by BM25. Words count, not their meaning.

use super::input::{Call, Part};
use super::setting::{Kind, Options, Setting};
use super::{Builtin, Effect, Failure, MOST_BYTES, MOST_ITEMS, Output, buffer, media};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// How fast a word's repetition stops counting, and how much long passages are held back: the usual values.
const SATURATION: f64 = 1.2;
const LENGTH: f64 = 0.75;

/// The longest passage of lines that come in pieces, in bytes.
const MOST_LINE: usize = 1 << 20;

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
fn find(call: &Call<'_>, asked: &str, documents: &[Part<'_>], wanted: &Wanted<'_>) -> Result<Value, Failure> {
    let mut search = Search::new(call, asked, wanted);
    for (source, text) in texts(documents)? {
        search.begin(&source);
        text.split_inclusive('\n').try_for_each(|line| search.line(line))?;
        search.end()?;
    }
    Ok(search.best(asked))
}

/// A passage with words of the question: lines of one document.
struct Passage {
    source: usize,
    first: usize,
    last: usize,
    text: String,
    /// Those of the question, by number.
    words: Vec<u32>,
    /// How many words it has in all.
    length: usize,
}

/// Documents that are searched line by line: only passages with words of the question are kept.
pub(super) struct Search<'s> {
    call: &'s Call<'s>,
    wanted: &'s Wanted<'s>,
    /// Numbers for the words of the question; only these count in a passage.
    question: HashMap<String, u32>,
    sources: Vec<String>,
    passages: Vec<Passage>,
    /// The bytes of the passages.
    bytes: usize,
    /// All passages, also those that are not kept, and all their words.
    seen: (usize, usize),
    /// The same when the document began.
    before: (usize, usize),
    /// The line, and the passage that is under way with its first line.
    nth: usize,
    passage: String,
    first: usize,
}

impl<'s> Search<'s> {
    pub fn new(call: &'s Call<'s>, asked: &str, wanted: &'s Wanted<'s>) -> Search<'s> {
        let mut question = HashMap::new();
        let ignored: HashSet<String> = wanted.ignore.iter().flat_map(|text| words(text)).collect();
        for word in words(asked).filter(|word| !ignored.contains(word)) {
            let number = question.len() as u32;
            question.entry(word).or_insert(number);
        }
        let (sources, passages, passage) = Default::default();
        let (seen, before) = Default::default();
        Search { call, wanted, question, sources, passages, bytes: 0, seen, before, nth: 0, passage, first: 0 }
    }

    /// A document begins.
    pub fn begin(&mut self, source: &str) {
        self.sources.push(source.to_owned());
        self.passage.clear();
        (self.nth, self.before) = (0, self.seen);
    }

    /// The next line of it, with its end. A paragraph is a passage; one that is longer than so many lines is several.
    pub fn line(&mut self, line: &str) -> Result<(), Failure> {
        self.call.tick(self.nth)?;
        self.nth += 1;
        let is_blank = line.trim().is_empty();
        if !self.passage.is_empty() && (is_blank || self.nth - self.first >= self.wanted.lines) {
            self.cut(self.nth - 1)?;
        }
        if !is_blank {
            if self.passage.is_empty() {
                self.first = self.nth;
            }
            self.passage.push_str(line);
        }
        Ok(())
    }

    /// More of the line that came last, which may have no end.
    pub fn more(&mut self, text: &str) -> Result<(), Failure> {
        self.call.stop()?;
        if self.passage.len() + text.len() > MOST_LINE {
            self.cut(self.nth)?;
        }
        if self.passage.is_empty() {
            self.first = self.nth;
        }
        self.passage.push_str(text);
        Ok(())
    }

    /// The document ends.
    pub fn end(&mut self) -> Result<(), Failure> {
        self.cut(self.nth)
    }

    /// The document is no text: it answers nothing.
    pub fn forget(&mut self) {
        self.passage.clear();
        self.seen = self.before;
        let source = self.sources.len() - 1;
        while let Some(last) = self.passages.pop_if(|last| last.source == source) {
            self.bytes -= last.text.len();
        }
    }

    /// The passage under way ends with this line.
    fn cut(&mut self, last: usize) -> Result<(), Failure> {
        let text = std::mem::take(&mut self.passage);
        let text = text.trim_end();
        if text.is_empty() {
            return Ok(());
        }
        let (mut found, mut length) = (Vec::new(), 0_usize);
        for word in words(text) {
            length += 1;
            found.extend(self.question.get(&word).copied());
        }
        self.seen = (self.seen.0 + 1, self.seen.1 + length);
        if found.is_empty() {
            return Ok(());
        }
        self.bytes += text.len();
        if self.passages.len() == MOST_ITEMS {
            return Err(Failure::too_many("the passages"));
        }
        if self.bytes > MOST_BYTES {
            return Err(Failure::too_large("the passages with words of the question"));
        }
        let (source, text) = (self.sources.len() - 1, text.to_owned());
        self.passages.push(Passage { source, first: self.first, last, text, words: found, length });
        Ok(())
    }

    /// The passages that fit best.
    pub fn best(&self, asked: &str) -> Value {
        let mut ranked = self.rank();
        let least = self.wanted.score.unwrap_or(f64::MIN_POSITIVE);
        ranked.retain(|(score, _)| *score >= least);
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        ranked.truncate(self.wanted.most);
        let best: Vec<Value> = ranked.iter().map(|(score, passage)| self.shown(*score, passage)).collect();
        json!({ "question": asked.trim(), "passages": best })
    }

    fn shown(&self, score: f64, passage: &Passage) -> Value {
        let lines = match passage.first == passage.last {
            true => passage.first.to_string(),
            false => format!("{}-{}", passage.first, passage.last),
        };
        json!({
            "source": self.sources.get(passage.source),
            "lines": lines,
            "score": (score * 1000.0).round() / 1000.0,
            "text": passage.text,
        })
    }

    /// The score of each passage that has any, and enough of the question's words.
    fn rank(&self) -> Vec<(f64, &Passage)> {
        let distinct = self.question.len();
        let mut holders = vec![0_usize; distinct];
        let mut counts: HashMap<u32, f64> = HashMap::new();
        for passage in &self.passages {
            counts.clear();
            passage.words.iter().for_each(|word| *counts.entry(*word).or_default() += 1.0);
            for word in counts.keys() {
                if let Some(holders) = holders.get_mut(*word as usize) {
                    *holders += 1;
                }
            }
        }
        let total = self.seen.0 as f64;
        let average = self.seen.1 as f64 / total.max(1.0);
        let rarity = |word: u32| {
            let holders = holders.get(word as usize).map_or(0.0, |holders| *holders as f64);
            (1.0 + (total - holders + 0.5) / (holders + 0.5)).ln()
        };
        let whole: f64 = (0..distinct as u32).map(rarity).sum();
        let share = self.wanted.share.unwrap_or(0.0);
        let mut ranked = Vec::new();
        for passage in &self.passages {
            let mut found = passage.words.clone();
            found.sort_unstable();
            let slow = SATURATION * (1.0 - LENGTH + LENGTH * passage.length as f64 / average.max(1.0));
            // In the order of the words, so that the sum is the same at every call.
            let score: f64 = found
                .chunk_by(|a, b| a == b)
                .filter_map(|run| run.first().map(|word| (*word, run.len() as f64)))
                .map(|(word, count)| rarity(word) * count * (SATURATION + 1.0) / (count + slow))
                .sum();
            found.dedup();
            let had: f64 = found.iter().map(|word| rarity(*word)).sum();
            if score > 0.0 && had >= share * whole {
                ranked.push((score, passage));
            }
        }
        ranked
    }
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
