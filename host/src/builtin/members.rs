//! `get`, `set`, `pick` and `rename`: members of JSON objects, and columns of tables.

use super::input::Call;
use super::items::{Form, Item, form};
use super::path::Place;
use super::schema::brief;
use super::setting::{Kind, Options, Setting};
use super::{Builtin, Effect, Failure, Output, buffer, media, nothing_more};
use serde_json::{Map, Value};

pub(super) const GET: Builtin = Builtin {
    name: "get",
    effect: Effect::Pure,
    words: &[],
    instead: Some("missing"),
    settings: &[
        Setting::required(
            "at",
            Kind::Text,
            "the place: `user.name`, `items.0`, `items.*.price` for all of them, or a JSON pointer `/user/name`",
        ),
        Setting::optional("default", Kind::Any, "what it gives when there is nothing; not set: the call fails"),
    ],
    check: nothing_more,
    run: get,
};

pub(super) const SET: Builtin = Builtin {
    name: "set",
    effect: Effect::Pure,
    words: &[],
    instead: None,
    settings: &[Setting::required(
        "values",
        Kind::Table,
        "places and what they get; objects on the way are made, `items.-` is the end of a list",
    )],
    check: nothing_more,
    run: set,
};

pub(super) const PICK: Builtin = Builtin {
    name: "pick",
    effect: Effect::Pure,
    words: &[],
    instead: None,
    settings: &[
        Setting::required("keys", Kind::List, "the members or columns"),
        Setting::flag("drop", false, "leave them out instead of keeping them"),
    ],
    check: check_keys,
    run: pick,
};

pub(super) const RENAME: Builtin = Builtin {
    name: "rename",
    effect: Effect::Pure,
    words: &[],
    instead: None,
    settings: &[Setting::required("keys", Kind::Table, "old names and new ones")],
    check: check_names,
    run: rename,
};

fn get(call: &Call<'_>) -> Result<Output, Failure> {
    let json = call.json()?;
    let at = call.with.text("at");
    let place = Place::parse(at);
    let many;
    let found = if place.is_many() {
        many = Value::Array(place.all(&json).into_iter().cloned().collect());
        Some(&many)
    } else {
        place.get(&json).or(call.with.value("default"))
    };
    match found {
        Some(Value::String(text)) => Ok(Output::new(media::TEXT, text.as_str())),
        Some(value) => Ok(Output::new(media::JSON, buffer::json(value)?)),
        None => Err(Failure::Missing(format!("there is nothing at `{at}` in {}", brief(&json)))),
    }
}

fn set(call: &Call<'_>) -> Result<Output, Failure> {
    let mut json = call.json()?;
    for (place, value) in call.with.table("values").into_iter().flatten() {
        if !Place::parse(place).set(&mut json, value.clone()) {
            return Err(Failure::Unreadable(format!(
                "nothing can be put at `{place}`: what stands on the way is neither an object nor a list with that element"
            )));
        }
    }
    Ok(Output::new(media::JSON, buffer::json(&json)?))
}

fn check_keys(with: &Options<'_>) -> Result<(), Failure> {
    match with.list("keys") {
        Some(keys) if keys.is_empty() => Err(with.wrong("keys", "is empty: name one at least")),
        _ => Ok(()),
    }
}

fn pick(call: &Call<'_>) -> Result<Output, Failure> {
    let keys = call.with.list("keys").unwrap_or_default();
    let drop = call.with.flag("drop");
    if !drop && let Form::Csv(_) = form("auto", call.input.media_type) {
        return columns(call, |header| {
            let missing =
                |key: &str| Failure::Unreadable(format!("there is no column `{key}`: there are {}", header.join(", ")));
            let place = |key: &&str| header.iter().position(|name| name == key).ok_or_else(|| missing(key));
            keys.iter().map(place).collect()
        });
    }
    if let Form::Csv(_) = form("auto", call.input.media_type) {
        let kept = |header: &[String]| {
            Ok((0..header.len())
                .filter(|at| !header.get(*at).is_some_and(|name| keys.contains(&name.as_str())))
                .collect())
        };
        return columns(call, kept);
    }
    objects(call, |members| {
        if drop {
            members.retain(|name, _| !keys.contains(&name.as_str()));
        } else {
            *members = keys
                .iter()
                .filter_map(|key| members.get_key_value(*key))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
        }
        Ok(())
    })
}

/// The table with these columns only.
fn columns(call: &Call<'_>, choose: impl Fn(&[String]) -> Result<Vec<usize>, Failure>) -> Result<Output, Failure> {
    let mut items = super::items::Items::read(call.text()?, form("auto", call.input.media_type))?;
    let places = choose(&items.header)?;
    let select = |row: &csv::StringRecord| places.iter().map(|at| row.get(*at).unwrap_or("")).collect();
    for (round, item) in items.items.iter_mut().enumerate() {
        call.tick(round)?;
        if let Item::Row(row) = item {
            *row = select(row);
        }
    }
    items.header = places.iter().filter_map(|at| items.header.get(*at).cloned()).collect();
    items.output(call)
}

fn check_names(with: &Options<'_>) -> Result<(), Failure> {
    let mut seen: Vec<&str> = Vec::new();
    for (old, new) in with.table("keys").into_iter().flatten() {
        let Some(new) = new.as_str().filter(|new| !new.is_empty()) else {
            return Err(with.wrong("keys", format!("has no text for `{old}`: a new name")));
        };
        if seen.contains(&new) {
            return Err(with.wrong("keys", format!("gives the name `{new}` twice")));
        }
        seen.push(new);
    }
    Ok(())
}

/// One of the two would be lost.
fn twice(name: &str) -> Failure {
    Failure::Unreadable(format!("two would be called `{name}`: the input has that name already"))
}

fn rename(call: &Call<'_>) -> Result<Output, Failure> {
    let keys = call.with.table("keys");
    let renamed = |name: &str| keys.and_then(|keys| keys.get(name)).and_then(Value::as_str);
    if let Form::Csv(_) = form("auto", call.input.media_type) {
        let mut items = super::items::Items::read(call.text()?, form("auto", call.input.media_type))?;
        if let Some(new) = items
            .header
            .iter()
            .filter_map(|name| renamed(name))
            .find(|new| items.header.iter().filter(|name| renamed(name).unwrap_or(name) == *new).count() > 1)
        {
            return Err(twice(new));
        }
        for name in &mut items.header {
            if let Some(new) = renamed(name) {
                *name = new.to_owned();
            }
        }
        return items.output(call);
    }
    objects(call, |members| {
        for (name, value) in std::mem::take(members) {
            let name = renamed(&name).map_or(name, str::to_owned);
            if members.contains_key(&name) {
                return Err(twice(&name));
            }
            members.insert(name, value);
        }
        Ok(())
    })
}

/// An object, or each object of a JSON array or NDJSON; what is no object stays as it is.
fn objects(
    call: &Call<'_>,
    change: impl Fn(&mut Map<String, Value>) -> Result<(), Failure>,
) -> Result<Output, Failure> {
    if form("auto", call.input.media_type) != Form::Ndjson {
        let mut json = call.json()?;
        match &mut json {
            Value::Object(members) => change(members)?,
            Value::Array(elements) => elements.iter_mut().filter_map(Value::as_object_mut).try_for_each(&change)?,
            _ => return Err(Failure::Unreadable(format!("the input has no members, it is {}", brief(&json)))),
        }
        return Ok(Output::new(media::JSON, buffer::json(&json)?));
    }
    let mut items = super::items::Items::read(call.text()?, Form::Ndjson)?;
    for (round, item) in items.items.iter_mut().enumerate() {
        call.tick(round)?;
        if let Item::Value(Value::Object(members)) = item {
            change(members)?;
        }
    }
    items.output(call)
}
