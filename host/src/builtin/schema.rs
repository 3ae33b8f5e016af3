//! A subset of JSON Schema (2020-12) that is decided in bounded time: what it does not know it refuses when the program is
//! compiled, so that no keyword is ever silently ignored. Patterns are linear-time regular expressions; references stay
//! within the schema. `format` is an annotation, as the standard has it.

use super::setting::{compile, kind_of};
use regex::Regex;
use serde_json::{Map, Value};
use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};

/// How deep references and nested schemas may go for one value; JSON itself is read to a depth of 128.
const MOST_DEPTH: usize = 256;
/// How many schemas may be laid on values in one check, for each value within the value and in all: a schema can refer
/// to itself twice in each of its parts.
const MOST_VISITS_EACH: u32 = 1_000;
const MOST_VISITS: u32 = 50_000_000;
/// How many violations are listed.
pub(super) const MOST_VIOLATIONS: usize = 20;

/// Keywords that say nothing about validity.
const ANNOTATIONS: [&str; 12] = [
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "definitions",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "format",
    "$anchor",
];
const TYPES: [&str; 7] = ["null", "boolean", "object", "array", "number", "string", "integer"];

/// A schema that has been checked and whose patterns are compiled.
#[derive(Debug)]
pub(super) struct Schema<'s> {
    root: &'s Value,
    patterns: BTreeMap<&'s str, Regex>,
    /// How many visits are left in this check.
    visits: Cell<u32>,
}

/// What a value violates: where and what. At most [`MOST_VIOLATIONS`] are kept, all are counted.
#[derive(Debug, Default)]
pub(super) struct Violations {
    /// `place: what is wrong`.
    pub list: Vec<String>,
    /// How many there are.
    pub count: usize,
}

impl Violations {
    /// Notes one.
    pub fn add(&mut self, place: &str, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.list.len() < MOST_VIOLATIONS {
            let place = if place.is_empty() { "the value" } else { place };
            self.list.push(format!("{place}: {}", what()));
        }
    }

    /// All of them in one text, one a line.
    pub fn text(&self) -> String {
        let mut text = self.list.join("\n");
        if self.count > self.list.len() {
            text.push_str(&format!("\nand {} more", self.count - self.list.len()));
        }
        text
    }
}

/// What a value violates of a schema; the error says why the schema is none.
pub fn violations(schema: &Value, value: &Value) -> Result<Vec<String>, String> {
    Ok(Schema::read(schema)?.check(value).list)
}

impl<'s> Schema<'s> {
    /// Checks a schema. The error says what and where.
    pub fn read(root: &'s Value) -> Result<Schema<'s>, String> {
        let mut schema = Schema { root, patterns: BTreeMap::new(), visits: Cell::new(0) };
        schema.learn(root, "", 0)?;
        Ok(schema)
    }

    fn learn(&mut self, value: &'s Value, at: &str, depth: usize) -> Result<(), String> {
        if depth > MOST_DEPTH {
            return Err(format!("{at} is nested deeper than {MOST_DEPTH}"));
        }
        let keywords = match value {
            Value::Bool(_) => return Ok(()),
            Value::Object(keywords) => keywords,
            other => return Err(format!("{at} is {}, and a schema is a table or a flag", kind_of(other))),
        };
        for (keyword, value) in keywords {
            let at = format!("{at}/{keyword}");
            let wrong = |expected: &str| Err(format!("{at} takes {expected}, not {}", kind_of(value)));
            match keyword.as_str() {
                "type" => {
                    let names: Vec<&Value> = value.as_array().map_or(vec![value], |list| list.iter().collect());
                    if names.is_empty()
                        || !names.iter().all(|name| name.as_str().is_some_and(|name| TYPES.contains(&name)))
                    {
                        return wrong(&format!("one or a list of {}", TYPES.join(", ")));
                    }
                }
                "const" => {}
                "enum" | "required" if value.is_array() => {
                    if keyword == "required" && !value.as_array().is_some_and(|list| list.iter().all(Value::is_string))
                    {
                        return wrong("a list of texts");
                    }
                }
                "properties" | "$defs" | "definitions" if value.is_object() => {
                    for (name, schema) in value.as_object().into_iter().flatten() {
                        self.learn(schema, &format!("{at}/{name}"), depth + 1)?;
                    }
                }
                "items" | "additionalProperties" | "not" | "if" | "then" | "else" | "contains" | "propertyNames" => {
                    self.learn(value, &at, depth + 1)?;
                }
                "allOf" | "anyOf" | "oneOf" | "prefixItems" if value.is_array() => {
                    for (nth, schema) in value.as_array().into_iter().flatten().enumerate() {
                        self.learn(schema, &format!("{at}/{nth}"), depth + 1)?;
                    }
                }
                "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties"
                    if value.is_u64() => {}
                "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" if value.is_number() => {}
                "multipleOf" if value.as_f64().is_some_and(|step| step > 0.0) => {}
                "uniqueItems" if value.is_boolean() => {}
                "pattern" => {
                    let Some(text) = value.as_str() else { return wrong("a regular expression") };
                    self.patterns.insert(text, compile(text).map_err(|reason| format!("{at} {reason}"))?);
                }
                "$ref" => match value.as_str().and_then(|place| self.find(place)) {
                    Some(_) => {}
                    None => return Err(format!("{at} leads nowhere: {value}. References are `#` or `#/$defs/NAME`")),
                },
                known if ANNOTATIONS.contains(&known) => {}
                "enum" | "required" | "allOf" | "anyOf" | "oneOf" | "prefixItems" => return wrong("a list"),
                "properties" => return wrong("a table"),
                "multipleOf" => return wrong("a number above 0"),
                "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => return wrong("a number"),
                "uniqueItems" => return wrong("`true` or `false`"),
                name if name.starts_with("min") || name.starts_with("max") => return wrong("a whole number from 0"),
                _ => return Err(format!("{at} is no keyword that is understood here")),
            }
        }
        Ok(())
    }

    fn find(&self, place: &str) -> Option<&'s Value> {
        let pointer = place.strip_prefix('#')?;
        self.root.pointer(pointer)
    }

    /// What `value` violates.
    pub fn check(&self, value: &Value) -> Violations {
        let mut found = Violations::default();
        self.visits.set(nodes(value).saturating_mul(MOST_VISITS_EACH).min(MOST_VISITS));
        self.visit(self.root, value, "", &mut found, 0);
        if self.visits.get() == 0 {
            found = Violations::default();
            found.add("", || "cannot be decided: the schema refers to itself too often".into());
        }
        found
    }

    fn holds(&self, schema: &Value, value: &Value, depth: usize) -> bool {
        let mut found = Violations::default();
        self.visit(schema, value, "", &mut found, depth + 1);
        found.count == 0
    }

    fn visit(&self, schema: &Value, value: &Value, at: &str, found: &mut Violations, depth: usize) {
        let keywords = match schema {
            Value::Bool(true) => return,
            Value::Object(keywords) => keywords,
            _ => return found.add(at, || "is not allowed".into()),
        };
        let visits = self.visits.get();
        if depth > MOST_DEPTH || visits == 0 {
            self.visits.set(0);
            return found.add(at, || "is not decided".into());
        }
        self.visits.set(visits - 1);
        if let Some(target) = keywords.get("$ref").and_then(Value::as_str).and_then(|place| self.find(place)) {
            self.visit(target, value, at, found, depth + 1);
        }
        self.visit_any(keywords, value, at, found);
        match value {
            Value::String(text) => self.visit_text(keywords, text, at, found),
            Value::Number(_) => visit_number(keywords, value, at, found),
            Value::Array(elements) => self.visit_array(keywords, elements, at, found, depth),
            Value::Object(members) => self.visit_object(keywords, members, at, found, depth),
            _ => {}
        }
        self.visit_combined(keywords, value, at, found, depth);
    }

    fn visit_any(&self, keywords: &Map<String, Value>, value: &Value, at: &str, found: &mut Violations) {
        if let Some(wanted) = keywords.get("type") {
            let fits = |name: &Value| name.as_str().is_some_and(|name| is_type(value, name));
            if !wanted.as_array().map_or_else(|| fits(wanted), |list| list.iter().any(fits)) {
                found.add(at, || format!("is {}, not {}", type_of(value), list_of(wanted)));
            }
        }
        if let Some(list) = keywords.get("enum").and_then(Value::as_array)
            && !list.iter().any(|one| same(one, value))
        {
            found.add(at, || format!("is {}, none of {}", brief(value), brief(&Value::from(list.clone()))));
        }
        if let Some(only) = keywords.get("const")
            && !same(only, value)
        {
            found.add(at, || format!("is {}, not {}", brief(value), brief(only)));
        }
    }

    fn visit_text(&self, keywords: &Map<String, Value>, text: &str, at: &str, found: &mut Violations) {
        let length = || text.chars().count() as u64;
        bounds(keywords, ["minLength", "maxLength"], length, "characters", at, found);
        if let Some(pattern) = keywords.get("pattern").and_then(Value::as_str)
            && !self.patterns.get(pattern).is_some_and(|pattern| pattern.is_match(text))
        {
            found.add(at, || format!("{} does not match `{pattern}`", brief(&Value::from(text))));
        }
    }

    fn visit_array(
        &self,
        keywords: &Map<String, Value>,
        elements: &[Value],
        at: &str,
        found: &mut Violations,
        depth: usize,
    ) {
        bounds(keywords, ["minItems", "maxItems"], || elements.len() as u64, "elements", at, found);
        let first = keywords.get("prefixItems").and_then(Value::as_array).map_or(&[] as &[Value], Vec::as_slice);
        for (nth, (schema, element)) in first.iter().zip(elements).enumerate() {
            self.visit(schema, element, &format!("{at}/{nth}"), found, depth + 1);
        }
        if let Some(schema) = keywords.get("items") {
            for (nth, element) in elements.iter().enumerate().skip(first.len()) {
                self.visit(schema, element, &format!("{at}/{nth}"), found, depth + 1);
            }
        }
        if let Some(schema) = keywords.get("contains")
            && !elements.iter().any(|element| self.holds(schema, element, depth))
        {
            found.add(at, || "no element is as `contains` says".into());
        }
        if keywords.get("uniqueItems") == Some(&Value::Bool(true)) {
            let mut seen = HashSet::new();
            for (nth, element) in elements.iter().enumerate().filter(|(_, element)| !seen.insert(canonical(element))) {
                found.add(&format!("{at}/{nth}"), || format!("{} stands there twice", brief(element)));
            }
        }
    }

    fn visit_object(
        &self,
        keywords: &Map<String, Value>,
        members: &Map<String, Value>,
        at: &str,
        found: &mut Violations,
        depth: usize,
    ) {
        bounds(keywords, ["minProperties", "maxProperties"], || members.len() as u64, "members", at, found);
        for name in keywords.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                found.add(at, || format!("lacks `{name}`"));
            }
        }
        let declared = keywords.get("properties").and_then(Value::as_object);
        for (name, value) in members {
            let place = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
            if let Some(schema) = keywords.get("propertyNames")
                && !self.holds(schema, &Value::from(name.as_str()), depth)
            {
                found.add(&place, || "has a name that is not allowed".into());
            }
            match (declared.and_then(|declared| declared.get(name)), keywords.get("additionalProperties")) {
                (Some(schema), _) => self.visit(schema, value, &place, found, depth + 1),
                (None, Some(Value::Bool(false))) => found.add(&place, || "is not among the properties".into()),
                (None, Some(schema)) => self.visit(schema, value, &place, found, depth + 1),
                (None, None) => {}
            }
        }
    }

    fn visit_combined(
        &self,
        keywords: &Map<String, Value>,
        value: &Value,
        at: &str,
        found: &mut Violations,
        depth: usize,
    ) {
        let list = |name: &str| keywords.get(name).and_then(Value::as_array);
        for schema in list("allOf").into_iter().flatten() {
            self.visit(schema, value, at, found, depth + 1);
        }
        if let Some(any) = list("anyOf")
            && !any.iter().any(|schema| self.holds(schema, value, depth))
        {
            found.add(at, || "is as none of `anyOf` says".into());
        }
        if let Some(one) = list("oneOf") {
            let fits = one.iter().filter(|schema| self.holds(schema, value, depth)).count();
            if fits != 1 {
                found.add(at, || format!("is as {fits} of `oneOf` say, not 1"));
            }
        }
        if let Some(schema) = keywords.get("not")
            && self.holds(schema, value, depth)
        {
            found.add(at, || "is as `not` forbids".into());
        }
        if let Some(condition) = keywords.get("if") {
            let branch = if self.holds(condition, value, depth) { "then" } else { "else" };
            if let Some(schema) = keywords.get(branch) {
                self.visit(schema, value, at, found, depth + 1);
            }
        }
    }
}

fn visit_number(keywords: &Map<String, Value>, value: &Value, at: &str, found: &mut Violations) {
    let Some(number) = value.as_f64() else { return };
    let limit = |name: &str| keywords.get(name).and_then(Value::as_f64);
    let checks = [
        ("minimum", "below", limit("minimum").is_some_and(|least| number < least)),
        ("maximum", "above", limit("maximum").is_some_and(|most| number > most)),
        ("exclusiveMinimum", "not above", limit("exclusiveMinimum").is_some_and(|least| number <= least)),
        ("exclusiveMaximum", "not below", limit("exclusiveMaximum").is_some_and(|most| number >= most)),
    ];
    for (name, relation, _) in checks.into_iter().filter(|(_, _, violated)| *violated) {
        found.add(at, || format!("{value} is {relation} {}", keywords.get(name).unwrap_or(&Value::Null)));
    }
    if let Some(step) = limit("multipleOf") {
        let times = number / step;
        // Decimal steps such as 0.01 are not exact in binary: allow the rounding of one division.
        if (times - times.round()).abs() > 1e-9 * times.abs().max(1.0) {
            found.add(at, || format!("{value} is no multiple of {step}"));
        }
    }
}

fn bounds(
    keywords: &Map<String, Value>,
    names: [&str; 2],
    size: impl Fn() -> u64,
    unit: &str,
    at: &str,
    found: &mut Violations,
) {
    let [least, most] = names.map(|name| keywords.get(name).and_then(Value::as_u64));
    if least.is_none() && most.is_none() {
        return;
    }
    let size = size();
    if let Some(least) = least.filter(|least| size < *least) {
        found.add(at, || format!("has {size} {unit}, fewer than {least}"));
    }
    if let Some(most) = most.filter(|most| size > *most) {
        found.add(at, || format!("has {size} {unit}, more than {most}"));
    }
}

/// How many values a value consists of, itself counted.
fn nodes(value: &Value) -> u32 {
    let within = match value {
        Value::Array(elements) => elements.iter().map(nodes).sum(),
        Value::Object(members) => members.values().map(nodes).sum(),
        _ => 0_u32,
    };
    within.saturating_add(1)
}

fn is_type(value: &Value, name: &str) -> bool {
    match name {
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        name => type_of(value) == name,
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn list_of(names: &Value) -> String {
    let list = names.as_array().map_or(vec![names], |list| list.iter().collect());
    list.iter().filter_map(|name| name.as_str()).collect::<Vec<_>>().join(" or ")
}

/// Are they equal as JSON has it: `1` and `1.0` are, and the order of members does not count.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y)),
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(name, x)| y.get(name).is_some_and(|y| same(x, y)))
        }
        _ => a == b,
    }
}

/// A text that equal values share: members sorted, whole numbers without a fraction.
pub(super) fn canonical(value: &Value) -> String {
    sorted(value).to_string()
}

/// The value with the members of every object sorted by name.
pub(super) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            Value::Object(members.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect())
        }
        Value::Array(elements) => Value::Array(elements.iter().map(sorted).collect()),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9e15 => Value::from(float as i64),
            _ => value.clone(),
        },
        other => other.clone(),
    }
}

/// A value short enough for a message.
pub(super) fn brief(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or("")),
        None => text,
    }
}
