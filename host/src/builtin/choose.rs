//! `best` and `vote`: one of many.

use super::dedupe::folded;
use super::input::Call;
use super::items::{Form, Items, form, number, plain};
use super::path::Place;
use super::schema::canonical;
use super::setting::{Kind, Options, Setting};
use super::stats::whole;
use super::{Builtin, Effect, Failure, Output, buffer, media};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashMap;

/// How many scores are told.
const SHOWN: usize = 20;

pub(super) const BEST: Builtin = Builtin {
    name: "best",
    effect: Effect::Pure,
    words: &[],
    instead: None,
    settings: &[
        Setting::optional("key", Kind::Text, "where the score stands in each, such as `score` or `result.accuracy`"),
        Setting::optional(
            "pattern",
            Kind::Pattern,
            "or a regular expression whose first group, else whole match, is the score: `score: ([0-9.]+)`",
        ),
        Setting::flag("lowest", false, "the lowest score wins"),
    ],
    check,
    run: best,
};

pub(super) const VOTE: Builtin = Builtin {
    name: "vote",
    effect: Effect::Pure,
    words: &["agreed", "split"],
    instead: None,
    settings: &[
        Setting::optional("key", Kind::Text, "compare what stands at this place of each; not set: the whole"),
        Setting::flag("fold", true, "texts that differ only in case or white space are equal"),
        Setting::optional(
            "share",
            Kind::Number,
            "which share of the votes agrees, from 0 to 1; not set: more than half",
        ),
    ],
    check: check_share,
    run: vote,
};

/// One of the many: its name, how it came, and how it is judged.
struct Candidate<'a> {
    name: String,
    media_type: &'a str,
    payload: Cow<'a, [u8]>,
    value: Value,
}

/// Parts; else the elements, values or rows of the input; else its lines.
fn candidates<'a>(call: &Call<'a>) -> Result<Vec<Candidate<'a>>, Failure> {
    let mut found = Vec::new();
    if !call.input.parts.is_empty() {
        for part in call.input.parts {
            let (name, payload) = (part.name.to_owned(), Cow::Borrowed(part.payload));
            found.push(Candidate { name, media_type: part.media_type, payload, value: part.value()? });
        }
        return Ok(found);
    }
    let items = Items::read(call.text()?, form("auto", call.input.media_type))?;
    for (nth, item) in items.items.iter().enumerate() {
        call.tick(nth)?;
        let value = item.value(&items.header).into_owned();
        let (media_type, payload) = match &value {
            Value::String(text) => (media::TEXT, text.clone().into_bytes()),
            other => (media::JSON, buffer::json(other)?),
        };
        let is_blank = items.form == Form::Lines && payload.trim_ascii().is_empty();
        if !is_blank {
            found.push(Candidate { name: (nth + 1).to_string(), media_type, payload: Cow::Owned(payload), value });
        }
    }
    Ok(found)
}

fn check(with: &Options<'_>) -> Result<(), Failure> {
    match (with.value("key"), with.value("pattern")) {
        (Some(_), Some(_)) => Err(with.wrong("pattern", "cannot stand beside `key`: set one")),
        (None, None) => Err(with.wrong("key", "has to be set, or `pattern`: without a score none is best")),
        _ => Ok(()),
    }
}

fn best(call: &Call<'_>) -> Result<Output, Failure> {
    let place = call.with.maybe("key").map(Place::parse);
    let pattern = call.with.pattern("pattern")?;
    let lowest = call.with.flag("lowest");
    let score = |candidate: &Candidate<'_>| match (&place, &pattern) {
        (Some(place), _) => place.get(&candidate.value).and_then(number),
        (_, Some(pattern)) => {
            let text = plain(&candidate.value);
            let found = pattern.captures(&text)?;
            number(&Value::from(found.get(1).or(found.get(0))?.as_str()))
        }
        _ => None,
    };
    let candidates = candidates(call)?;
    let mut scores: Vec<(f64, &Candidate<'_>)> = Vec::new();
    for (round, candidate) in candidates.iter().enumerate() {
        call.tick(round)?;
        scores.extend(score(candidate).map(|score| (score, candidate)));
    }
    let better = |a: f64, b: f64| if lowest { a < b } else { a > b };
    // Of equals the first.
    let winner = scores.iter().copied().reduce(|best, next| if better(next.0, best.0) { next } else { best });
    let Some((score, winner)) = winner else {
        return Err(Failure::Unreadable(format!(
            "none of the {} has a score: `key` or `pattern` finds no number in any",
            candidates.len()
        )));
    };
    let shown: Vec<String> =
        scores.iter().take(SHOWN).map(|(score, candidate)| format!("{}={}", candidate.name, whole(*score))).collect();
    let output = Output::new(winner.media_type, winner.payload.as_ref());
    Ok(output.with("best", &winner.name).with("score", whole(score)).with("scores", shown.join(" ")))
}

fn check_share(with: &Options<'_>) -> Result<(), Failure> {
    match with.number("share") {
        Some(share) if !(0.0..=1.0).contains(&share) => Err(with.wrong("share", "has to be from 0 to 1")),
        _ => Ok(()),
    }
}

fn vote(call: &Call<'_>) -> Result<Output, Failure> {
    let place = Place::parse(call.with.text("key"));
    let fold = call.with.flag("fold");
    let candidates = candidates(call)?;
    let mut votes: HashMap<String, (usize, usize)> = HashMap::new();
    let mut cast = 0;
    for (nth, candidate) in candidates.iter().enumerate() {
        call.tick(nth)?;
        let Some(value) = place.get(&candidate.value) else { continue };
        let ballot = match value {
            Value::String(text) if fold => folded(text),
            Value::String(text) => text.clone(),
            other => canonical(other),
        };
        cast += 1;
        votes.entry(ballot).or_insert((0, nth)).0 += 1;
    }
    // Of equals the one that came first.
    let winner = votes.values().copied().max_by(|(a, first), (b, second)| a.cmp(b).then(second.cmp(first)));
    let Some((count, first)) = winner else {
        return Err(Failure::Unreadable("there is nothing to vote on: no part has what `key` names".into()));
    };
    let share = count as f64 / cast as f64;
    let agreed = call.with.number("share").map_or(share > 0.5, |least| share >= least);
    let output = match candidates.get(first) {
        Some(winner) => Output::new(winner.media_type, winner.payload.as_ref()),
        None => Output::same(),
    };
    Ok(output.say(if agreed { "agreed" } else { "split" }).with("votes", format!("{count}/{cast}")))
}
