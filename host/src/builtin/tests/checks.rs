use super::*;

fn validate(schema: Value, value: &str) -> Result<(), String> {
    let call = call("validate", json!({ "schema": schema })).of("application/json", value);
    call.run().map(|_| ()).map_err(|failure| failure.to_string())
}

#[test]
fn every_keyword_of_the_schema_holds_and_fails() {
    let person = json!({ "$ref": "#/$defs/p", "$defs": { "p": { "required": ["a"], "properties": { "next": { "$ref": "#" } } } } });
    for (schema, good, bad) in [
        (json!({ "type": "integer" }), "3.0", "3.5"),
        (json!({ "type": ["string", "null"] }), "null", "1"),
        (json!({ "enum": [1, "a", {"x": [1]}] }), "{\"x\":[1.0]}", "\"b\""),
        (json!({ "const": 1 }), "1.0", "2"),
        (json!({ "minLength": 2, "maxLength": 2 }), "\"äö\"", "\"a\""),
        (json!({ "pattern": "^a+$" }), "\"aa\"", "\"ab\""),
        (json!({ "minimum": 1, "maximum": 2 }), "2", "2.1"),
        (json!({ "exclusiveMinimum": 1, "exclusiveMaximum": 2 }), "1.5", "1"),
        (json!({ "multipleOf": 0.01 }), "19.99", "19.995"),
        (json!({ "required": ["a", "b"] }), "{\"a\":1,\"b\":2}", "{\"a\":1}"),
        (json!({ "properties": { "a": { "type": "string" } } }), "{\"b\":1}", "{\"a\":1}"),
        (json!({ "properties": { "a": true }, "additionalProperties": false }), "{\"a\":1}", "{\"a\":1,\"b\":1}"),
        (json!({ "additionalProperties": { "type": "number" } }), "{\"a\":1}", "{\"a\":\"1\"}"),
        (json!({ "propertyNames": { "maxLength": 1 } }), "{\"a\":1}", "{\"ab\":1}"),
        (json!({ "minProperties": 1, "maxProperties": 1 }), "{\"a\":1}", "{}"),
        (json!({ "items": { "type": "number" } }), "[1,2]", "[1,\"2\"]"),
        (json!({ "prefixItems": [{ "const": 1 }], "items": false }), "[1]", "[1,2]"),
        (json!({ "minItems": 1, "maxItems": 2 }), "[1]", "[1,2,3]"),
        (json!({ "uniqueItems": true }), "[1,\"1\",true]", "[{\"a\":1,\"b\":2},{\"b\":2,\"a\":1.0}]"),
        (json!({ "contains": { "const": 1 } }), "[0,1]", "[0]"),
        (json!({ "allOf": [{ "minimum": 1 }, { "maximum": 2 }] }), "1", "3"),
        (json!({ "anyOf": [{ "const": 1 }, { "const": 2 }] }), "2", "3"),
        (json!({ "oneOf": [{ "minimum": 1 }, { "minimum": 2 }] }), "1", "2"),
        (json!({ "not": { "type": "null" } }), "1", "null"),
        (json!({ "if": { "type": "string" }, "then": { "minLength": 1 }, "else": { "minimum": 0 } }), "\"a\"", "-1"),
        (person, "{\"a\":1,\"next\":{\"a\":2}}", "{\"a\":1,\"next\":{}}"),
        (json!(true), "null", "{"),
    ] {
        assert_eq!(validate(schema.clone(), good), Ok(()), "{schema}");
        assert!(validate(schema.clone(), bad).is_err(), "{schema} {bad}");
    }
}

#[test]
fn a_schema_that_is_not_understood_is_refused_before_it_runs() {
    for (schema, named) in [
        (json!({ "typ": "string" }), "/typ"),
        (json!({ "type": "text" }), "/type"),
        (json!({ "properties": { "a": { "minimum": "1" } } }), "/properties/a/minimum"),
        (json!({ "pattern": "(" }), "/pattern"),
        (json!({ "$ref": "https://example.org/x" }), "/$ref"),
        (json!({ "$ref": "#/$defs/none" }), "/$ref"),
        (json!({ "required": "a" }), "/required"),
        (json!({ "anyOf": {} }), "/anyOf"),
        (json!(3), "a number"),
    ] {
        let with = Settings::from([("schema".to_owned(), schema.clone())]);
        let message = check("validate", &with).expect_err("refused").to_string();
        assert!(message.contains(named), "{schema}: {message}");
    }
    assert_eq!(validate(json!("{\"type\":\"null\"}"), "null"), Ok(()));
    assert!(validate(json!("{"), "null").is_err());
}

#[test]
fn a_schema_that_refers_to_itself_comes_to_an_end() {
    let twice = json!({ "anyOf": [{ "$ref": "#" }, { "$ref": "#" }] });
    assert!(validate(twice, "1").expect_err("undecided").contains("refers to itself too often"));
    let deep = format!("{}1{}", "[".repeat(120), "]".repeat(120));
    assert_eq!(validate(json!({ "items": { "$ref": "#" } }), &deep), Ok(()));
}

#[test]
fn violations_are_listed_up_to_twenty_and_counted() {
    let message =
        validate(json!({ "items": { "type": "string" } }), &Value::from(vec![1; 50]).to_string()).expect_err("bad");
    assert_eq!(message.lines().count(), 21, "{message}");
    assert!(message.ends_with("and 30 more"));
    assert!(message.starts_with("/0: is number, not string\n/1: "));
}

#[test]
fn without_a_schema_the_input_has_to_be_what_its_type_says() {
    let judge =
        |media_type: &'static str, payload: &'static str| call("validate", json!({})).of(media_type, payload).run();
    for (media_type, good, bad) in [
        ("application/json", "{}", "{"),
        ("application/x-ndjson", "1\n2\n", "1\n{\n"),
        ("text/csv", "a,b\n1,2\n", "a,b\n1\n"),
        ("text/plain", "x", "  \n"),
    ] {
        assert!(judge(media_type, good).is_ok(), "{media_type}");
        assert_eq!(judge(media_type, bad).expect_err(media_type).code(), "E0725", "{media_type}");
    }
    assert!(call("validate", json!({})).of("text/plain", b"\xff").run().is_err());
    assert!(call("validate", json!({})).of("image/png", b"\x89").run().is_ok());
    assert!(call("validate", json!({ "empty": true })).of("text/plain", "").run().is_ok());
    assert!(call("validate", json!({ "max-bytes": 2, "matches": "^a" })).of("text/plain", "ab").run().is_ok());
    let both = call("validate", json!({ "max-bytes": 2, "matches": "^a" })).of("text/plain", "bbb").fails();
    assert_eq!(both.1.lines().count(), 2, "{}", both.1);
}

#[test]
fn columns_follow_their_rules() {
    let columns = |rule: Value, field: &str| {
        let text = format!("c\n{field}\n");
        call("validate", json!({ "columns": { "c": rule } })).of("text/csv", &text).run().is_ok()
    };
    for (rule, good, bad) in [
        (json!("integer"), "-3", "3.0"),
        (json!("number"), "3e2", "inf"),
        (json!("boolean"), "false", "no"),
        (json!("date"), "2024-02-29", "2023-02-29"),
        (json!("date"), "2000-12-31", "2000-13-01"),
        (json!({ "max": 3 }), "äöü", "abcd"),
        (json!({ "type": "number", "min": 0 }), "0", "-0.1"),
        (json!({ "matches": "^[A-Z]$" }), "A", "a"),
        (json!({ "one-of": ["x", "y"] }), "x", "z"),
        (json!({ "empty": true, "type": "integer" }), "\"\"", "x"),
        (json!("text"), "x", "\" \""),
    ] {
        assert!(columns(rule.clone(), good), "{rule} {good}");
        assert!(!columns(rule.clone(), bad), "{rule} {bad}");
    }
    for rule in [json!("int"), json!({ "tpye": "text" }), json!({ "min": "0" }), json!(1), json!({ "matches": "(" })] {
        assert_eq!(
            call("validate", json!({ "columns": { "c": rule } })).of("text/csv", "c\n1\n").fails().0,
            "E0722",
            "{rule}"
        );
    }
    let missing = call("validate", json!({ "columns": { "x": "text" } })).of("text/csv", "c\n1\n").fails();
    assert_eq!(missing.1, "the header: the column `x` is missing");
}

#[test]
fn quarantine_loses_nothing() {
    let rows: String = (0..1_000).map(|nth| format!("{nth},{}\n", if nth % 3 == 0 { "x" } else { "1" })).collect();
    let text = format!("id,v\n{rows}");
    let call = call("quarantine", json!({ "columns": { "v": "integer" } })).of("text/csv", &text).hears(&["dirty"]);
    let sorted: Value = serde_json::from_str(&call.text()).expect("JSON");
    let count = |name: &str| sorted[name].as_array().map_or(0, Vec::len);
    assert_eq!((count("good"), count("bad"), call.verdict().as_deref()), (666, 334, Some("dirty")));
    let values =
        super::call("quarantine", json!({ "schema": { "type": "number" } })).of("application/json", "[1,\"2\"]");
    assert_eq!(
        values.text(),
        r#"{"good":[1],"bad":[{"row":2,"reasons":["the value: is string, not number"],"value":"2"}]}"#
    );
    assert_eq!(super::call("quarantine", json!({})).fails().0, "E0722");
}

#[test]
fn rules_are_tried_in_order_and_must_be_words() {
    let rules = json!({ "rules": [["a", "x"], ["b", "."]], "key": "t" });
    let matched = |payload: &'static str| {
        call("match-regex", rules.clone()).of("application/json", payload).hears(&["a", "b"]).verdict()
    };
    assert_eq!(matched(r#"{"t":"x"}"#).as_deref(), Some("a"));
    assert_eq!(matched(r#"{"t":5}"#).as_deref(), Some("b"));
    assert_eq!(matched(r#"{"t":""}"#), None);
    assert_eq!(call("match-regex", rules.clone()).of("application/json", "{}").fails().0, "E0723");
    for rules in [json!([]), json!([["a"]]), json!([["a b", "x"]]), json!([["a", "("]]), json!({ "a": "x" })] {
        assert_eq!(call("match-regex", json!({ "rules": rules })).fails().0, "E0722", "{rules}");
    }
}
