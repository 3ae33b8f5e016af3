use super::*;

fn on(name: &str, with: Value, media_type: &'static str, payload: &'static str) -> String {
    call(name, with).of(media_type, payload).text()
}

#[test]
fn every_form_is_read_and_written_back() {
    for (media_type, payload, first) in [
        ("text/plain", "b\na\n", "b\n"),
        ("application/json", "[2,1]", "[2]"),
        ("application/vnd.x+json; charset=utf-8", "[2,1]", "[2]"),
        ("application/x-ndjson", "{\"a\":2}\n\n{\"a\":1}\n", "{\"a\":2}\n"),
        ("text/csv", "\u{feff}a,b\n\"x,\"\"y\",1\nz,2\n", "a,b\n\"x,\"\"y\",1\n"),
        ("text/tab-separated-values", "a\tb\n1\t2\n3\t4\n", "a\tb\n1\t2\n"),
    ] {
        assert_eq!(on("take", json!({ "first": 1 }), media_type, payload), first, "{media_type}");
    }
    assert_eq!(on("take", json!({ "first": 1, "as": "json" }), "text/plain", "[2,1]"), "[2]");
    assert_eq!(call("take", json!({ "first": 1 })).of("application/json", "{}").fails().0, "E0723");
    let uneven = call("take", json!({ "first": 1 })).of("text/csv", "a,b\n1\n").fails();
    assert!(uneven.1.contains("line 2: it has 1 fields, and the rows above have 2"), "{}", uneven.1);
    let nothing = call("sort", json!({ "key": "age" })).of("text/csv", "name\nAnn\n").fails();
    assert_eq!(nothing.1, "there is no column `age`: there are `name`");
}

#[test]
fn take_takes_from_both_ends() {
    let take = |with: Value| on("take", with, "text/plain", "1\n2\n3\n4\n5\n");
    assert_eq!(take(json!({ "first": 2 })), "1\n2\n");
    assert_eq!(take(json!({ "last": 2 })), "4\n5\n");
    assert_eq!(take(json!({ "skip": 3 })), "4\n5\n");
    assert_eq!(take(json!({ "skip": 1, "first": 2 })), "2\n3\n");
    assert_eq!(take(json!({ "skip": 4, "last": 3 })), "5\n");
    assert_eq!(take(json!({ "skip": 9 })), "");
    assert_eq!(call("take", json!({})).fails().0, "E0722");
    assert_eq!(call("take", json!({ "first": 1, "last": 1 })).fails().0, "E0722");
}

#[test]
fn sort_is_stable_and_total() {
    let mixed = r#"["b",null,10,"a",[1],true,2,{"x":1},false]"#;
    assert_eq!(on("sort", json!({}), "application/json", mixed), r#"[null,false,true,2,10,[1],"a","b",{"x":1}]"#);
    assert_eq!(on("sort", json!({ "numeric": true }), "text/plain", "10\nx\n9\n1e1\n"), "9\n10\n1e1\nx\n");
    assert_eq!(
        on(
            "sort",
            json!({ "key": "k", "reverse": true }),
            "application/json",
            r#"[{"n":1},{"k":1,"n":2},{"k":2},{"k":1,"n":3}]"#
        ),
        r#"[{"k":2},{"k":1,"n":2},{"k":1,"n":3},{"n":1}]"#
    );
    assert_eq!(
        on("sort", json!({ "key": "a.0" }), "application/json", r#"[{"a":[2]},{"a":[1]}]"#),
        r#"[{"a":[1]},{"a":[2]}]"#
    );
}

#[test]
fn dedupe_tells_kinds_apart_and_equal_spellings_together() {
    let dedupe = |with: Value, json: &'static str| on("dedupe", with, "application/json", json);
    assert_eq!(dedupe(json!({}), r#"[1,"1",1.0,{"a":1,"b":2},{"b":2,"a":1}]"#), r#"[1,"1",{"a":1,"b":2}]"#);
    assert_eq!(dedupe(json!({ "key": "k" }), r#"[{"k":1},{"x":1},{"k":1},{"x":1}]"#), r#"[{"k":1},{"x":1},{"x":1}]"#);
    assert_eq!(dedupe(json!({ "fold": true }), r#"["A  b","a b"]"#), r#"["A  b"]"#);
}

#[test]
fn only_keeps_what_the_condition_says() {
    let rows = "n,v\na,5\nb,x\nc,7\nd,\n";
    let only = |with: Value| on("only", with, "text/csv", rows);
    assert_eq!(only(json!({ "key": "v", "min": 6 })), "n,v\nc,7\n");
    assert_eq!(only(json!({ "key": "v", "min": 6, "not": true })), "n,v\na,5\nb,x\nd,\n");
    assert_eq!(only(json!({ "key": "v", "equals": 5 })), "n,v\na,5\n");
    assert_eq!(only(json!({ "key": "v" })), "n,v\na,5\nb,x\nc,7\n");
    assert_eq!(only(json!({ "key": "n", "matches": "^[ab]$", "contains": "b" })), "n,v\nb,x\n");
    let none = call("only", json!({ "contains": "z" })).of("text/csv", rows).hears(&["some", "none"]);
    assert_eq!((none.text().as_str(), none.verdict().as_deref()), ("n,v\n", Some("none")));
    let lists = r#"[{"t":["a","b"]},{"t":[]},{}]"#;
    assert_eq!(on("only", json!({ "key": "t", "contains": "a" }), "application/json", lists), r#"[{"t":["a","b"]}]"#);
}

#[test]
fn counts_and_figures() {
    assert_eq!(on("count", json!({ "what": "items" }), "application/json", "{}"), "1");
    assert_eq!(on("count", json!({ "what": "items" }), "text/csv", "a\n1\n2\n"), "2");
    assert_eq!(on("count", json!({ "what": "words" }), "text/plain", " ein  Wört "), "2");
    assert_eq!(on("count", json!({ "by": "" }), "text/plain", "x\ny\nx\n"), r#"{"x":2,"y":1}"#);
    let parts = call("count", json!({ "what": "items" })).part("a", "text/plain", "1").part("b", "text/plain", "2");
    assert_eq!(parts.text(), "2");
    let binary = call("count", json!({ "what": "words" })).of("image/png", b"\x89PNG").fails();
    assert_eq!(binary.0, "E0723");
    assert_eq!(
        on("stats", json!({}), "application/json", "[1, 2, \"3\", 10, null]"),
        r#"{"count":4,"skipped":1,"sum":16,"min":1,"max":10,"mean":4,"median":2.5}"#
    );
    assert_eq!(on("stats", json!({}), "text/plain", ""), r#"{"count":0,"skipped":0}"#);
}

#[test]
fn places_are_found_made_and_refused() {
    let get = |at: &str, json: &'static str| on("get", json!({ "at": at }), "text/plain", json);
    assert_eq!(get("a.1.b", r#"{"a":[0,{"b":"x"}]}"#), "x");
    assert_eq!(get("", "[1]"), "[1]");
    assert_eq!(get("/a~1b/~0", r#"{"a/b":{"~":null}}"#), "null");
    assert_eq!(get("*.x", r#"{"p":{"x":1},"q":{"y":2},"r":{"x":3}}"#), "[1,3]");
    assert_eq!(on("get", json!({ "at": "x", "default": [] }), "application/json", "{}"), "[]");
    assert_eq!(call("get", json!({ "at": "x" })).of("application/json", "{}").fails().0, "E0726");
    assert_eq!(call("get", json!({ "at": "x" })).of("text/plain", "prose").fails().0, "E0723");

    let set =
        |place: &str, json: &'static str| call("set", json!({ "values": { place: 1 } })).of("application/json", json);
    assert_eq!(set("a.b", "{}").text(), r#"{"a":{"b":1}}"#);
    assert_eq!(set("a.1", r#"{"a":[0]}"#).text(), r#"{"a":[0,1]}"#);
    assert_eq!(set("", "[]").text(), "1");
    assert_eq!(set("a.5", r#"{"a":[0]}"#).fails().0, "E0723");
    assert_eq!(set("a.b", r#"{"a":"text"}"#).fails().0, "E0723");
}

#[test]
fn members_are_picked_and_renamed_in_every_form() {
    let keys = json!({ "keys": ["b", "zz"] });
    assert_eq!(on("pick", keys.clone(), "application/json", r#"{"a":1,"b":2}"#), r#"{"b":2}"#);
    assert_eq!(on("pick", keys.clone(), "application/x-ndjson", "{\"a\":1,\"b\":2}\n3\n"), "{\"b\":2}\n3\n");
    assert_eq!(call("pick", keys).of("text/csv", "a,b\n1,2\n").fails().0, "E0723");
    assert_eq!(on("pick", json!({ "keys": ["b", "a"] }), "text/csv", "a,b,c\n1,2,3\n"), "b,a\n2,1\n");
    assert_eq!(
        on("rename", json!({ "keys": { "a": "x" } }), "application/json", r#"[{"b":0,"a":1},5]"#),
        r#"[{"b":0,"x":1},5]"#
    );
    assert_eq!(call("rename", json!({ "keys": { "a": "x", "b": "x" } })).fails().0, "E0722");
    assert_eq!(call("pick", json!({ "keys": [] })).fails().0, "E0722");
}

#[test]
fn forms_become_each_other() {
    let to = |form: &str, media_type, payload| on("format", json!({ "to": form, "indent": 0 }), media_type, payload);
    assert_eq!(
        to("csv", "application/json", r#"[{"a":1,"b":{"c":null}},{"b":"x,y","d":true},7]"#),
        "a,b,d,value\n1,\"{\"\"c\"\":null}\",,\n,\"x,y\",true,\n,,,7\n"
    );
    assert_eq!(to("csv", "application/json", r#"{"a":1}"#), "a\n1\n");
    assert_eq!(to("json", "text/plain", "x\ny\n"), "[\"x\",\"y\"]\n");
    assert_eq!(to("lines", "application/json", r#"["x",{"a":1}]"#), "x\n{\"a\":1}\n");
    assert_eq!(to("ndjson", "text/csv", "a\n1\n"), "{\"a\":\"1\"}\n");
    assert_eq!(to("tsv", "text/csv", "a,b\n1,2\n"), "a\tb\n1\t2\n");
    assert_eq!(to("markdown", "text/csv", "a,b\n\"x\ny\",2\n"), "| a | b |\n| --- | ---: |\n| x<br>y | 2 |\n");
    assert_eq!(
        on("format", json!({ "sort": true, "indent": 0 }), "application/json", r#"{"b":1,"a":{"d":1,"c":2}}"#),
        "{\"a\":{\"c\":2,\"d\":1},\"b\":1}\n"
    );
    assert_eq!(call("format", json!({ "to": "lines" })).of("application/json", r#"["a\nb"]"#).fails().0, "E0723");
    let typed = json!({ "to": "json", "typed": true, "indent": 0 });
    assert_eq!(
        on("format", typed, "text/csv", "v\n1\n1.50\n+1\n1e5\ntrue\nnull\n\" 1\"\n"),
        "[{\"v\":1},{\"v\":\"1.50\"},{\"v\":\"+1\"},{\"v\":\"1e5\"},{\"v\":true},{\"v\":null},{\"v\":\" 1\"}]\n"
    );
}

#[test]
fn best_and_vote_choose_one() {
    let best = |with: Value| call("best", with).of("application/json", r#"[{"s":1},{"s":"3"},{"s":3},{}]"#).text();
    assert_eq!(best(json!({ "key": "s" })), r#"{"s":"3"}"#);
    assert_eq!(best(json!({ "key": "s", "lowest": true })), r#"{"s":1}"#);
    assert_eq!(call("best", json!({ "key": "s" })).of("application/json", "[]").fails().0, "E0723");
    assert_eq!(call("best", json!({})).fails().0, "E0722");

    let vote =
        |with: Value, json: &'static str| call("vote", with).of("application/json", json).hears(&["agreed", "split"]);
    let tie = vote(json!({}), r#"["b","a","A","B"]"#);
    assert_eq!((tie.text().as_str(), tie.verdict().as_deref()), ("b", Some("split")));
    assert_eq!(vote(json!({ "share": 0.5 }), r#"["b","a","A","B"]"#).verdict().as_deref(), Some("agreed"));
    let keyed = vote(json!({ "key": "v" }), r#"[{"v":1,"why":"x"},{"v":2},{"v":1.0},{}]"#).run().expect("a vote");
    assert_eq!((keyed.attribute("votes"), keyed.verdict.as_deref()), (Some("2/3"), Some("agreed")));
    assert_eq!(vote(json!({}), "[]").fails().0, "E0723");
}

#[test]
fn search_says_where_it_found_what() {
    let documents = r#"[{"source":"a.md","text":"Intro.\n\nCats sleep.\nCats eat.\n"},{"source":"b.md","text":"Dogs bark."},"Birds."]"#;
    let search = |question: &str| {
        let call = call("search", json!({ "question": question }))
            .of("application/json", documents)
            .hears(&["found", "not-found"]);
        (serde_json::from_str::<Value>(&call.text()).expect("JSON"), call.verdict())
    };
    let (found, word) = search("Do CATS eat?");
    assert_eq!(word.as_deref(), Some("found"));
    assert_eq!(found["passages"][0]["source"], "a.md");
    assert_eq!(found["passages"][0]["lines"], "3-4");
    let (found, word) = search("quantum");
    assert_eq!((found["passages"].as_array().map(Vec::len), word.as_deref()), (Some(0), Some("not-found")));
    assert_eq!(search("birds").0["passages"][0]["source"], "in/3");
    assert_eq!(search("").1.as_deref(), Some("not-found"));
    assert_eq!(call("search", json!({})).of("text/plain", "x").fails().0, "E0723");
    let asked = call("search", json!({})).param("question", "bark").of("application/json", documents);
    assert!(asked.text().contains("Dogs bark."));
}
