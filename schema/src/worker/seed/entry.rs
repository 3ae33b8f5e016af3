//! An entry: its keys, taken one after the other; what is left over was not used.

use serde_json::{Map, Value};

/// What is left of an object.
#[derive(Debug)]
pub struct Entry {
    keys: Map<String, Value>,
}

impl Entry {
    /// Of an object whose keys are spelled either way.
    pub fn new(value: Value) -> Result<Entry, String> {
        let Value::Object(object) = value else { return Err("it is not an object".to_owned()) };
        let mut keys = Map::new();
        for (key, value) in object {
            if keys.insert(snake(&key), value).is_some() {
                return Err(format!("`{}` is there twice, in two spellings", snake(&key)));
            }
        }
        // What is null is not said.
        keys.retain(|_, value| !value.is_null());
        Ok(Entry { keys })
    }

    /// A key, whatever it is.
    pub fn value(&mut self, key: &str) -> Option<Value> {
        self.keys.shift_remove(key)
    }

    /// A text.
    pub fn text(&mut self, key: &str) -> Result<Option<String>, String> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("`{key}` is not a text")),
        }
    }

    /// A text that must be there and say something.
    pub fn name(&mut self, key: &str) -> Result<String, String> {
        match self.text(key)? {
            Some(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
            _ => Err(format!("it has no `{key}`")),
        }
    }

    /// A list of texts; none is an empty one.
    pub fn texts(&mut self, key: &str) -> Result<Vec<String>, String> {
        let error = || format!("`{key}` is not a list of texts");
        match self.value(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(list)) => {
                list.into_iter().map(|one| one.as_str().map(str::to_owned).ok_or_else(error)).collect()
            }
            Some(_) => Err(error()),
        }
    }

    /// A number that is not negative.
    pub fn number(&mut self, key: &str) -> Result<Option<f64>, String> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => match value.as_f64().filter(|number| number.is_finite() && *number >= 0.0) {
                Some(number) => Ok(Some(number)),
                None => Err(format!("`{key}` is not a number from 0 on")),
            },
        }
    }

    /// A whole number from 0 on.
    pub fn whole(&mut self, key: &str) -> Result<Option<u64>, String> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(number) => Ok(Some(number)),
                None => Err(format!("`{key}` is not a whole number from 0 on")),
            },
        }
    }

    /// Yes or no; none is no.
    pub fn flag(&mut self, key: &str) -> Result<bool, String> {
        match self.value(key) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(format!("`{key}` is neither true nor false")),
        }
    }

    /// An object with keys of its own; none is an empty one.
    pub fn object(&mut self, key: &str) -> Result<Entry, String> {
        match self.value(key) {
            None => Ok(Entry { keys: Map::new() }),
            Some(value @ Value::Object(_)) => Entry::new(value).map_err(|reason| format!("`{key}`: {reason}")),
            Some(_) => Err(format!("`{key}` is not an object")),
        }
    }

    /// The names of what nobody took.
    pub fn rest(self) -> Vec<String> {
        self.keys.into_iter().map(|(key, _)| key).collect()
    }
}

/// `modelName`, `definitionID` and `defaultSupervisoryAIRef` as `model_name`, `definition_id` and `default_supervisory_ai_ref`.
pub fn snake(key: &str) -> String {
    let chars: Vec<char> = key.chars().collect();
    let mut out = String::new();
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| chars.get(at));
        let after = chars.get(at + 1);
        let begins = c.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || before.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase)
            });
        if begins {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}
