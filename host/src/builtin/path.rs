//! Places within JSON: `a.b.0`, `items.*.name`, or a JSON pointer `/a/b/0`. `*` stands for all elements or members.

use serde_json::{Map, Value};

/// A place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    keys: Vec<String>,
}

impl Place {
    /// From its text; the empty text is the whole value. A pointer starts with `/` and writes `~1` for `/` and `~0` for `~`.
    pub fn parse(text: &str) -> Place {
        let keys = match text.strip_prefix('/') {
            Some(pointer) => pointer.split('/').map(|key| key.replace("~1", "/").replace("~0", "~")).collect(),
            None if text.is_empty() => Vec::new(),
            None => text.split('.').map(str::to_owned).collect(),
        };
        Place { keys }
    }

    /// May it stand for several values?
    pub fn is_many(&self) -> bool {
        self.keys.iter().any(|key| key == "*")
    }

    /// The value there; the first of several.
    pub fn get<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.all(value).into_iter().next()
    }

    /// All values there, in order.
    pub fn all<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        let mut found = vec![value];
        for key in &self.keys {
            found = match key.as_str() {
                "*" => found.into_iter().flat_map(children).collect(),
                key => found.into_iter().filter_map(|value| child(value, key)).collect(),
            };
        }
        found
    }

    /// Puts a value there, making objects on the way. `false` when something that is no object or has no such element is in the way.
    pub fn set(&self, into: &mut Value, new: Value) -> bool {
        let mut at = into;
        for key in &self.keys {
            if at.is_null() {
                *at = Value::Object(Map::new());
            }
            at = match at {
                Value::Object(members) => members.entry(key.clone()).or_insert(Value::Null),
                Value::Array(elements) => {
                    let end = elements.len();
                    let index = if key == "-" { Some(end) } else { key.parse().ok().filter(|index| *index <= end) };
                    let Some(index) = index else { return false };
                    if index == end {
                        elements.push(Value::Null);
                    }
                    match elements.get_mut(index) {
                        Some(element) => element,
                        None => return false,
                    }
                }
                _ => return false,
            };
        }
        *at = new;
        true
    }
}

fn child<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    match value {
        Value::Object(members) => members.get(key),
        Value::Array(elements) => elements.get(key.parse::<usize>().ok()?),
        _ => None,
    }
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Object(members) => members.values().collect(),
        Value::Array(elements) => elements.iter().collect(),
        _ => Vec::new(),
    }
}
