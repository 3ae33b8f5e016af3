//! `merge`: many values become one.

use super::buffer::{self, Buffer};
use super::input::Call;
use super::items::{Form, Items, form, plain};
use super::setting::Setting;
use super::{Builtin, Effect, Failure, Output, media, nothing_more};
use serde_json::{Map, Value};
use std::collections::HashMap;

pub(super) const BUILTIN: Builtin = Builtin {
    name: "merge",
    effect: Effect::Pure,
    words: &[],
    instead: None,
    settings: &[
        Setting::choice(
            "to",
            &["text", "array", "object", "concat"],
            "what they become: one text; a JSON array; a JSON object by their names; or one sequence of the elements, rows or lines in all of them",
        ),
        Setting::text("separator", "\n\n", "with `to = \"text\"`: what stands between two"),
        Setting::flag("names", false, "with `to = \"text\"`: put each under a Markdown heading with its name"),
    ],
    check: nothing_more,
    run,
};

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    match call.with.text("to") {
        "array" => {
            let values: Result<Vec<Value>, Failure> = pieces(call)?.into_iter().map(|piece| piece.value).collect();
            Ok(Output::new(media::JSON, buffer::json(&values?)?))
        }
        "object" => object(call),
        "concat" => concat(call),
        _ => text(call),
    }
}

/// A value to merge: a part, or an item of an input without parts.
struct Piece {
    name: String,
    value: Result<Value, Failure>,
}

/// The parts; else the items of JSON, NDJSON, CSV and `text/x-lines`; else the input itself.
fn pieces(call: &Call<'_>) -> Result<Vec<Piece>, Failure> {
    let parts = call.parts();
    let many = form("auto", call.input.media_type);
    let is_lines = media::essence(call.input.media_type) == media::LINES;
    if call.input.parts.is_empty() && (many != Form::Lines || is_lines) && !media::is_parts(call.input.media_type) {
        if many == Form::Json && !matches!(call.json()?, Value::Array(_)) {
            return Ok(vec![Piece { name: "in".into(), value: call.json() }]);
        }
        let items = Items::read(call.text()?, many)?;
        let values = items.items.iter().enumerate();
        let piece = |(nth, item): (usize, &super::items::Item<'_>)| Piece {
            name: (nth + 1).to_string(),
            value: Ok(item.value(&items.header).into_owned()),
        };
        return Ok(values.map(piece).collect());
    }
    Ok(parts.iter().map(|part| Piece { name: part.name.to_owned(), value: part.value() }).collect())
}

fn text(call: &Call<'_>) -> Result<Output, Failure> {
    let (separator, names) = (call.with.text("separator"), call.with.flag("names"));
    let mut out = Buffer::default();
    let mut media_type = None;
    if call.input.parts.is_empty() {
        for (nth, piece) in pieces(call)?.into_iter().enumerate() {
            call.tick(nth)?;
            let text = piece.value?;
            write(&mut out, nth, separator, names.then_some(piece.name.as_str()), &plain(&text))?;
        }
    } else {
        for (nth, part) in call.input.parts.iter().enumerate() {
            call.tick(nth)?;
            write(&mut out, nth, separator, names.then_some(part.name), part.text()?)?;
            let same =
                *media_type.get_or_insert(part.media_type) == part.media_type && part.media_type.starts_with("text/");
            media_type = Some(if same { part.media_type } else { media::TEXT });
        }
    }
    if !out.is_empty() {
        out.push("\n")?;
    }
    Ok(Output::new(if names { media::MARKDOWN } else { media_type.unwrap_or(media::TEXT) }, out.into_bytes()))
}

fn write(out: &mut Buffer, nth: usize, separator: &str, name: Option<&str>, text: &str) -> Result<(), Failure> {
    if nth > 0 {
        out.push(separator)?;
    }
    if let Some(name) = name {
        out.push("# ")?;
        out.push(name)?;
        out.push("\n\n")?;
    }
    out.push(text.trim_end_matches(['\r', '\n']))
}

fn object(call: &Call<'_>) -> Result<Output, Failure> {
    let mut members: Map<String, Value> = Map::new();
    let mut times: HashMap<String, usize> = HashMap::new();
    for piece in pieces(call)? {
        let time = times.entry(piece.name.clone()).or_default();
        *time += 1;
        let name = if *time == 1 { piece.name } else { format!("{}-{time}", piece.name) };
        members.insert(name, piece.value?);
    }
    Ok(Output::new(media::JSON, buffer::json(&members)?))
}

/// All parts have to be of one form, and tables have to have one header.
fn concat(call: &Call<'_>) -> Result<Output, Failure> {
    let parts = call.parts();
    let mut all: Option<Items<'_>> = None;
    for part in &parts {
        let mut items = Items::read(part.text()?, form("auto", part.media_type))?;
        match &mut all {
            None => all = Some(items),
            Some(all) if all.form == items.form && all.header == items.header => {
                if all.items.len() + items.items.len() > super::MOST_ITEMS {
                    return Err(Failure::too_many("all parts together"));
                }
                all.items.append(&mut items.items);
            }
            Some(all) => {
                let what = if all.form == items.form { "other columns" } else { "another form" };
                return Err(Failure::Unreadable(format!(
                    "part `{}` has {what} than those before it: bring all to one form with `format` first",
                    part.name
                )));
            }
        }
    }
    match all {
        Some(all) => Ok(Output::new(all.media_type(media::LINES), all.write()?)),
        None => Ok(Output::new(media::LINES, Vec::new())),
    }
}
