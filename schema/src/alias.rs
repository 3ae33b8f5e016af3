//! The other names of keys and words in a JSON Schema: whoever reads a file knows them by `alias`, which the schema is not made from.

use schemars::Schema;
use serde_json::{Value, json};

/// Lets a schema take what it calls `name`, a key of a table or one of some words, under `other` too.
pub fn also(name: &'static str, other: &'static str) -> impl FnMut(&mut Schema) {
    move |schema| {
        if let Some(keys) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            let key = keys.get(name).cloned();
            keys.extend(key.map(|key| (other.to_owned(), key)));
            return;
        }
        another_word(schema.as_object_mut().into_iter(), name, other);
        let documented = schema.get_mut("oneOf").and_then(Value::as_array_mut);
        another_word(documented.into_iter().flatten().filter_map(Value::as_object_mut), name, other);
    }
}

/// Words stand in lists; one that has a description stands alone.
fn another_word<'s>(schemas: impl Iterator<Item = &'s mut serde_json::Map<String, Value>>, name: &str, other: &str) {
    for schema in schemas {
        if schema.get("const").is_some_and(|word| word == name) {
            schema.remove("const");
            schema.insert("enum".to_owned(), json!([name]));
        }
        if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut)
            && words.iter().any(|word| word == name)
        {
            words.push(other.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::param::Param;

    #[test]
    fn a_schema_has_the_other_names_of_a_key_and_of_a_word() {
        let schema = schemars::schema_for!(Param).to_value();
        assert_eq!(schema["properties"]["description"], schema["properties"]["about"]);
        let words: Vec<_> = schema["$defs"]["ParamKind"]["oneOf"].as_array().into_iter().flatten().collect();
        assert!(words.iter().any(|word| word["enum"] == serde_json::json!(["integer", "int"])), "{words:?}");
    }
}
