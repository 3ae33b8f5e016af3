//! Which notes are meant, by their metadata: one form for every driver, and how people and models write it.
//!
//! A list has what one of its elements has. Numbers are compared as doubles; a null is as if it were not there.

use super::MemoryError;
use serde_json::{Map, Value};
use std::ops::Bound;

/// So deep a filter is read.
const DEEPEST: usize = 16;

/// What a note's metadata, or an edge's, must say.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Filter {
    /// Everything.
    #[default]
    All,
    /// A member is this: a text, a number or a truth value.
    Is(String, Value),
    /// A member is one of these.
    In(String, Vec<Value>),
    /// A member is a number in this range.
    Range {
        /// Which member.
        key: String,
        /// Not less than this.
        from: Bound<f64>,
        /// Not more than this.
        to: Bound<f64>,
    },
    /// There is such a member, and it is neither null nor an empty list.
    Has(String),
    /// All of these.
    And(Vec<Filter>),
    /// One of these.
    Or(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
}

/// A value that can be looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fact<'a> {
    Text(&'a str),
    Number(f64),
    Truth(bool),
}

impl<'a> Fact<'a> {
    /// None: nothing can be found by this.
    pub(crate) fn of(value: &'a Value) -> Option<Fact<'a>> {
        match value {
            Value::String(text) => Some(Fact::Text(text)),
            Value::Number(number) => number.as_f64().filter(|number| number.is_finite()).map(Fact::Number),
            Value::Bool(truth) => Some(Fact::Truth(*truth)),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// What a member can be found by: of a list, by each element.
    pub(crate) fn all(value: &'a Value) -> impl Iterator<Item = Fact<'a>> {
        let elements = match value {
            Value::Array(elements) => elements.as_slice(),
            other => std::slice::from_ref(other),
        };
        elements.iter().filter_map(Fact::of)
    }
}

impl Filter {
    /// Reads how people and models write it: `{"kind": "fact", "year": {"$gte": 2020}, "$or": [{…}, {…}]}`. Members are joined by
    /// "and"; a list is any of its elements; `$in`, `$ne`, `$nin`, `$gt`, `$gte`, `$lt`, `$lte`, `$exists`, `$and`, `$or`, `$not`.
    pub fn parse(value: &Value) -> Result<Filter, MemoryError> {
        read(value, DEEPEST)
    }

    /// Does metadata say so?
    pub fn matches(&self, metadata: &Map<String, Value>) -> bool {
        let facts = |key: &str| metadata.get(key).into_iter().flat_map(Fact::all);
        match self {
            Filter::All => true,
            Filter::Is(key, value) => Fact::of(value).is_some_and(|fact| facts(key).any(|other| other == fact)),
            Filter::In(key, values) => {
                facts(key).any(|other| values.iter().filter_map(Fact::of).any(|fact| other == fact))
            }
            Filter::Range { key, from, to } => facts(key).any(|fact| match fact {
                Fact::Number(number) => std::ops::RangeBounds::contains(&(*from, *to), &number),
                Fact::Text(_) | Fact::Truth(_) => false,
            }),
            Filter::Has(key) => metadata.get(key).is_some_and(is_there),
            Filter::And(all) => all.iter().all(|filter| filter.matches(metadata)),
            Filter::Or(any) => any.iter().any(|filter| filter.matches(metadata)),
            Filter::Not(filter) => !filter.matches(metadata),
        }
    }
}

/// Is it more than nothing?
pub(crate) fn is_there(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(elements) => !elements.is_empty(),
        _ => true,
    }
}

fn wrong(reason: String) -> MemoryError {
    MemoryError::Asked(format!("the filter cannot be read: {reason}"))
}

fn read(value: &Value, deeper: usize) -> Result<Filter, MemoryError> {
    let deeper = deeper.checked_sub(1).ok_or_else(|| wrong(format!("it is nested more than {DEEPEST} deep")))?;
    let members = match value {
        Value::Null => return Ok(Filter::All),
        Value::Object(members) => members,
        other => return Err(wrong(format!("{other} is no object such as {{\"kind\": \"fact\"}}"))),
    };
    let list = |value: &Value, key: &str| match value {
        Value::Array(filters) => filters.iter().map(|filter| read(filter, deeper)).collect::<Result<Vec<_>, _>>(),
        _ => Err(wrong(format!("`{key}` takes a list of filters"))),
    };
    let mut all = Vec::new();
    for (key, value) in members {
        match key.as_str() {
            "$and" => all.push(Filter::And(list(value, key)?)),
            "$or" => all.push(Filter::Or(list(value, key)?)),
            "$not" => all.push(Filter::Not(Box::new(read(value, deeper)?))),
            other if other.starts_with('$') => {
                return Err(wrong(format!("`{other}` stands before no member; there are `$and`, `$or` and `$not`")));
            }
            _ => member(key, value, &mut all)?,
        }
    }
    Ok(match all.len() {
        0 => Filter::All,
        1 => all.remove(0),
        _ => Filter::And(all),
    })
}

/// What is asked of one member.
fn member(key: &str, value: &Value, all: &mut Vec<Filter>) -> Result<(), MemoryError> {
    let plain = |value: &Value| match Fact::of(value) {
        Some(_) => Ok(value.clone()),
        None => Err(wrong(format!("`{key}` cannot be compared with {value}: take a text, a number or true or false"))),
    };
    let any = |value: &Value| match value {
        Value::Array(values) => Ok(Filter::In(key.to_owned(), values.iter().map(plain).collect::<Result<_, _>>()?)),
        other => plain(other).map(|value| Filter::Is(key.to_owned(), value)),
    };
    let not = |filter| Filter::Not(Box::new(filter));
    let Value::Object(operators) = value else {
        all.push(match value {
            Value::Null => not(Filter::Has(key.to_owned())),
            value => any(value)?,
        });
        return Ok(());
    };
    let (mut from, mut to) = (Bound::Unbounded, Bound::Unbounded);
    for (operator, value) in operators {
        let number = || match value.as_f64().filter(|number| number.is_finite()) {
            Some(number) => Ok(number),
            None => Err(wrong(format!("`{operator}` of `{key}` takes a number, and got {value}"))),
        };
        match operator.as_str() {
            "$eq" | "$in" => all.push(any(value)?),
            "$ne" | "$nin" => all.push(not(any(value)?)),
            "$gt" => from = Bound::Excluded(number()?),
            "$gte" => from = Bound::Included(number()?),
            "$lt" => to = Bound::Excluded(number()?),
            "$lte" => to = Bound::Included(number()?),
            "$exists" => match value {
                Value::Bool(true) => all.push(Filter::Has(key.to_owned())),
                Value::Bool(false) => all.push(not(Filter::Has(key.to_owned()))),
                _ => return Err(wrong(format!("`$exists` of `{key}` takes true or false"))),
            },
            other => {
                return Err(wrong(format!(
                    "`{other}` of `{key}` is no comparison: there are $eq, $ne, $in, $nin, $gt, $gte, $lt, $lte and $exists"
                )));
            }
        }
    }
    if (from, to) != (Bound::Unbounded, Bound::Unbounded) {
        all.push(Filter::Range { key: key.to_owned(), from, to });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn says(filter: Value, metadata: Value) -> bool {
        let Value::Object(metadata) = metadata else { panic!("an object") };
        Filter::parse(&filter).expect("a filter").matches(&metadata)
    }

    #[test]
    fn it_reads_what_people_write() {
        let note = json!({"kind": "fact", "year": 2021, "tags": ["a", "b"], "sure": true, "gone": null, "none": []});
        for (filter, holds) in [
            (json!({}), true),
            (json!(null), true),
            (json!({"kind": "fact"}), true),
            (json!({"kind": ["rumour", "fact"]}), true),
            (json!({"kind": {"$ne": "fact"}}), false),
            (json!({"kind": {"$nin": ["rumour"]}}), true),
            (json!({"year": 2021.0}), true),
            (json!({"year": "2021"}), false),
            (json!({"year": {"$gte": 2021, "$lt": 2022}}), true),
            (json!({"year": {"$gt": 2021}}), false),
            (json!({"tags": "b"}), true),
            (json!({"tags": {"$in": ["c", "d"]}}), false),
            (json!({"sure": true}), true),
            (json!({"sure": 1}), false),
            (json!({"gone": {"$exists": true}}), false),
            (json!({"gone": null}), true),
            (json!({"none": {"$exists": false}}), true),
            (json!({"$or": [{"kind": "x"}, {"year": 2021}]}), true),
            (json!({"$not": {"kind": "fact"}}), false),
            (json!({"kind": "fact", "year": 1}), false),
            (json!({"$or": []}), false),
            (json!({"$and": []}), true),
        ] {
            assert_eq!(says(filter.clone(), note.clone()), holds, "{filter}");
        }
    }

    #[test]
    fn what_it_cannot_read_it_says() {
        for (filter, part) in [
            (json!("kind"), "is no object"),
            (json!({"$xor": []}), "`$xor`"),
            (json!({"year": {"$gt": "x"}}), "takes a number"),
            (json!({"year": {"$near": 1}}), "is no comparison"),
            (json!({"kind": {"$eq": {"a": 1}}}), "cannot be compared"),
            (json!({"$or": {"a": 1}}), "a list of filters"),
        ] {
            let error = Filter::parse(&filter).expect_err("no filter").to_string();
            assert!(error.starts_with("E0989: ") && error.contains(part), "{error}");
        }
        let deep = (0..40).fold(json!({"a": 1}), |inner, _| json!({"$not": inner}));
        assert!(Filter::parse(&deep).is_err());
    }
}
