use super::*;

#[test]
fn clean_does_exactly_what_its_page_says() {
    let clean = |with: Value, text: &str| call("clean", with).of("text/plain", text).text();
    for (dirty, tidy) in [
        ("", ""),
        (" \n\t\n", ""),
        ("a", "a\n"),
        ("a\rb\r\nc\n", "a\nb\nc\n"),
        ("\u{feff}a\u{200b}b\u{202e}c\u{0}\u{7f}\u{9b}", "abc\n"),
        ("  indented  \n", "  indented\n"),
        ("a\n\n\n\nb\n\n\n", "a\n\nb\n"),
        ("ä\u{200d}ö 👩\u{200d}👧\u{a0}", "ä\u{200d}ö 👩\u{200d}👧\n"),
        ("\u{c}page", "page\n"),
    ] {
        assert_eq!(clean(json!({}), dirty), tidy, "{dirty:?}");
        assert_eq!(clean(json!({}), tidy), tidy, "again {tidy:?}");
    }
    assert_eq!(clean(json!({ "blank": 0, "tab": 2 }), "a\n\n\tb"), "a\n  b\n");

    let broken = b"a\xffb".as_slice();
    assert_eq!(call("clean", json!({})).of("text/plain", broken).fails().0, "E0723");
    assert_eq!(call("clean", json!({ "invalid": "replace" })).of("text/plain", broken).text(), "a\u{fffd}b\n");
}

#[test]
fn json_is_found_in_prose_and_the_search_is_bounded() {
    let found = |text: &str| call("extract", json!({})).of("text/plain", text).text();
    assert_eq!(found("a {\"x\": [1, {\"y\": 2}]} b [3] c"), r#"[{"x":[1,{"y":2}]},[3]]"#);
    assert_eq!(found("```json\n{\"x\":\n1}\n```"), r#"[{"x":1}]"#);
    assert_eq!(found("{not json} [neither] {\"but\": true}"), r#"[{"but":true}]"#);
    assert_eq!(found("[1, 2"), "[]");
    assert_eq!(found(""), "[]");
    assert_eq!(found("ä{\"ö\":\"ü}\"}ß"), r#"[{"ö":"ü}"}]"#);
    let brackets = "[".repeat(1 << 17);
    assert_eq!(call("extract", json!({})).of("text/plain", &brackets).fails().0, "E0724");
    let first = call("extract", json!({ "first": true })).of("text/plain", "none");
    assert_eq!(first.fails().0, "E0726");
    assert_eq!(first.hears(&["not-found"]).verdict().as_deref(), Some("not-found"));
}

#[test]
fn extract_finds_addresses_numbers_and_code() {
    let found = |what: &str, text: &str| call("extract", json!({ "what": what })).of("text/plain", text).text();
    assert_eq!(found("emails", "Write to a.b+c@example.co.uk. Not @me or x@y."), r#"["a.b+c@example.co.uk"]"#);
    assert_eq!(
        found("urls", "(http://a.example/x), <https://b.example>, HTTPS://C.example/?q=1&r=(2)!"),
        r#"["http://a.example/x","https://b.example","HTTPS://C.example/?q=1&r=(2)"]"#
    );
    assert_eq!(found("numbers", "v2 is -3.5, 1.234,5 or 1e3; 42"), r#"[-3.5,"1.234,5",1000.0,42]"#);
    let text = "```rust\nfn a() {}\n```\n\n~~~\nplain\n```\n~~~\n````py\n```\n````\n```open";
    assert_eq!(
        found("code", text),
        r#"[{"language":"rust","line":2,"code":"fn a() {}\n"},{"language":"","line":6,"code":"plain\n```\n"},{"language":"py","line":10,"code":"```\n"}]"#
    );
    let rust = call("extract", json!({ "what": "code", "language": "Rust", "first": true })).of("text/markdown", text);
    assert_eq!(rust.text(), "fn a() {}\n");
}

#[test]
fn redact_knows_its_kinds_from_their_look_alikes() {
    let redact = |text: &str| call("redact", json!({})).of("text/plain", text).text();
    for (text, redacted) in [
        ("ann@example.org", "[EMAIL]"),
        ("ann@localhost", "ann@localhost"),
        ("4111-1111-1111-1111", "[CARD]"),
        ("4111-1111-1111-1112", "4111-1111-1111-1112"),
        ("DE89 3704 0044 0532 0130 00", "[IBAN]"),
        ("192.168.0.1 and 300.1.1.1", "[IP] and 300.1.1.1"),
        ("+47 22 12 34 56", "[PHONE]"),
        ("0171/2345678", "[PHONE]"),
        ("(555) 123-4567", "[PHONE]"),
        ("2026-01-31 12:00", "2026-01-31 12:00"),
        ("version 1.2.3, 12345 items", "version 1.2.3, 12345 items"),
        ("key AKIAABCDEFGHIJKLMNOP!", "key [SECRET]!"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----", "[SECRET]"),
    ] {
        assert_eq!(redact(text), redacted, "{text}");
    }
    let iban = call("redact", json!({ "kinds": ["iban"] })).of("text/plain", "DE89 3704 0044 0532 0130 01");
    assert_eq!(iban.text(), "DE89 3704 0044 0532 0130 01", "its check number is wrong");
    let only = call("redact", json!({ "kinds": ["ip"] })).of("text/plain", "10.0.0.1 a@b.de");
    assert_eq!(only.text(), "[IP] a@b.de");
    assert_eq!(call("redact", json!({ "kinds": ["emial"] })).fails().0, "E0722");
}

#[test]
fn pieces_by_size_are_no_longer_than_asked_and_hold_every_word() {
    let text: String = (0..400).map(|nth| format!("wörd{nth}{}", if nth % 7 == 0 { ".\n\n" } else { " " })).collect();
    for (size, overlap) in [(1, 0), (2, 1), (40, 0), (40, 20), (97, 13), (100_000, 0)] {
        let pieces =
            call("split", json!({ "by": "size", "size": size, "overlap": overlap })).of("text/plain", &text).text();
        let pieces: Vec<String> = serde_json::from_str(&pieces).expect("JSON");
        assert!(pieces.iter().all(|piece| piece.chars().count() <= size && !piece.is_empty()), "{size}");
        if size >= 40 {
            for nth in 0..400 {
                let word = format!("wörd{nth}");
                assert!(
                    pieces.iter().any(|piece| piece.split_whitespace().any(|w| w.trim_end_matches('.') == word)),
                    "{word}"
                );
            }
        }
    }
    assert_eq!(call("split", json!({ "by": "size", "size": 0 })).fails().0, "E0722");
    assert_eq!(call("split", json!({ "by": "size", "size": 10, "overlap": 6 })).fails().0, "E0722");
}

#[test]
fn split_cuts_where_it_is_told() {
    let split = |with: Value, text: &str| call("split", with).of("text/plain", text).text();
    assert_eq!(split(json!({}), "\n\na\nb\n \n\nc"), r#"["a\nb","c"]"#);
    assert_eq!(split(json!({ "by": "lines" }), "a\r\n\nb"), "a\nb\n");
    assert_eq!(split(json!({ "by": "pattern", "pattern": "-{3,}" }), "---a---b"), r#"["a","b"]"#);
    assert_eq!(
        split(json!({ "by": "headings" }), "# A\n```\n# no\n```\n### sub\n## B"),
        "[\"# A\\n```\\n# no\\n```\\n### sub\",\"## B\"]"
    );
    assert_eq!(split(json!({}), ""), "[]");
    let lines = call("split", json!({ "by": "lines" })).of("text/plain", "a").run().expect("lines");
    assert!(matches!(lines.body, Body::New { media_type, .. } if media_type == media::LINES));
}

#[test]
fn split_and_merge_are_each_others_undoing() {
    let text = "one\n\ntwo\nlines\n\nthree\n";
    let pieces = call("split", json!({})).of("text/plain", text).text();
    assert_eq!(call("merge", json!({})).of("application/json", &pieces).text(), text);
}

#[test]
fn merge_keeps_names_and_forms() {
    let parts = |with: Value| {
        call("merge", with).part("a", "text/plain", "x\n").part("a", "application/json", "[1]").part(
            "b",
            "text/plain",
            "",
        )
    };
    assert_eq!(parts(json!({})).text(), "x\n\n[1]\n\n\n");
    assert_eq!(parts(json!({ "to": "array" })).text(), r#"["x\n",[1],""]"#);
    assert_eq!(parts(json!({ "to": "object" })).text(), r#"{"a":"x\n","a-2":[1],"b":""}"#);
    assert_eq!(parts(json!({ "to": "concat" })).fails().0, "E0723");
    let broken = call("merge", json!({ "to": "array" })).part("a", "application/json", "{");
    assert!(broken.fails().1.starts_with("part `a`: "));
    let tables = call("merge", json!({ "to": "concat" })).part("a", "text/csv", "x\n1").part("b", "text/csv", "y\n1");
    assert!(tables.fails().1.contains("part `b` has other columns"));
}

#[test]
fn a_template_sees_everything_and_forgives_nothing() {
    let template = |text: &str| call("template", json!({ "text": text, "vars": { "n": 2 } })).param("who", "Ann");
    let parts = template("{{ parts.a }}/{{ input[1].x }}/{{ params.who }}/{{ vars.n + 1 }}");
    assert_eq!(parts.part("a", "text/plain", "A").part("b", "application/json", "{\"x\":7}").text(), "A/7/Ann/3");
    assert_eq!(template("{{ nothing }}").fails().0, "E0730");
    assert_eq!(template("{{ unclosed").fails().0, "E0722");
    assert_eq!(template("{{ '<b>' }}\n").text(), "<b>\n");
    assert_eq!(template("{{ 'x' * 100000000000 }}").fails().0, "E0730");
    assert_eq!(template("{{ 'a\nb'|indent(99999999999) }}").text().len(), 3 + 64);
    // What would use up the stack, and end the program.
    for deep in
        ["{{ -1 }}".replace('-', &"-".repeat(60_000)), format!("{{# {{{{ ' #}}{{% if 1{} %}}", "+1".repeat(60_000))]
    {
        assert_eq!(template(&deep).fails().0, "E0722");
    }
    assert_eq!(template("{% set n = namespace() %}{% set n.n = n %}{{ n }}").fails().0, "E0730");
    assert_eq!(template(&format!("{{{{ '{}'|length }}}}", "}}\\'".repeat(1_000))).text(), "3000");
    assert_eq!(template(&format!("{{{{ 1{} }}}}", "+1".repeat(499))).text(), "500");
    assert_eq!(template(&format!("{{{{ {}true }}}}", "not ".repeat(330))).text(), "True");
    assert_eq!(template(&format!("{{{{ {}1 }}}}", "-".repeat(998))).text(), "1");
}

#[test]
fn what_is_encoded_can_be_decoded() {
    let bytes: Vec<u8> = (0..=255).collect();
    for name in ["base64", "base64url", "hex", "url"] {
        let encoded = call("encode", json!({ "as": name })).of("application/octet-stream", &bytes).text();
        let decoded = call("decode", json!({ "as": name })).of("text/plain", &encoded).run().expect(name);
        assert_eq!(decoded.body, Body::New { media_type: media::TEXT.into(), payload: bytes.clone() }, "{name}");
    }
    for (name, text) in [("base64", "a"), ("hex", "abc"), ("hex", "zz"), ("url", "%4"), ("url", "%zz")] {
        assert_eq!(call("decode", json!({ "as": name })).of("text/plain", text).fails().0, "E0723", "{name} {text}");
    }
}

#[test]
fn fit_keeps_to_its_size() {
    let text = "wörter und sätze\n".repeat(500);
    for keep in ["start", "end", "both"] {
        for most in [60, 61, 500, 8_499] {
            let fitted = call("fit", json!({ "most": most, "keep": keep })).of("text/plain", &text).text();
            assert!(fitted.chars().count() <= most, "{keep} {most}");
            assert!(fitted.chars().count() > most / 3, "{keep} {most}: {fitted}");
        }
    }
    assert_eq!(call("fit", json!({ "most": 10 })).fails().0, "E0722");
    let fit = |mark: &str| call("fit", json!({ "most": 10, "mark": mark })).of("text/plain", &"x".repeat(99)).text();
    assert_eq!(fit("…"), "xxxxxxxxx…");
    assert_eq!(fit("{cut}"), "xxxxxxxx91");
}

#[test]
fn replace_names_only_groups_that_are_there() {
    let replace = |by: &str| call("replace", json!({ "pattern": "(?P<l>a)(b)?", "by": by })).of("text/plain", "ab");
    for (by, gives) in [("$1$2", "ab"), ("${l}x$$1", "ax$1"), ("$", "$"), ("$$l$l", "$la")] {
        assert_eq!(replace(by).text(), gives, "{by}");
    }
    for by in ["$1x", "$3", "${m}", "$$$n"] {
        assert_eq!(replace(by).fails().0, "E0722", "{by}");
    }
}

#[test]
fn rename_loses_nothing() {
    let rename =
        |media: &'static str, text: &'static str| call("rename", json!({ "keys": { "a": "b" } })).of(media, text);
    assert_eq!(rename("application/json", r#"{"a":1,"b":2}"#).fails().0, "E0723");
    assert_eq!(rename("application/x-ndjson", "{\"b\":2,\"a\":1}\n").fails().0, "E0723");
    assert_eq!(rename("text/csv", "a,b\n1,2\n").fails().0, "E0723");
    assert_eq!(rename("text/csv", "a,c,c\n1,2,3\n").text(), "b,c,c\n1,2,3\n");
    let swap = call("rename", json!({ "keys": { "a": "b", "b": "a" } }));
    assert_eq!(swap.of("application/json", r#"{"a":1,"b":2}"#).text(), r#"{"b":1,"a":2}"#);
}

#[test]
fn diff_shows_what_changed() {
    let diff = |with: Value, old: &'static str, new: &'static str| {
        call("diff", with).part("a", "text/plain", old).part("b", "text/plain", new).hears(&["same", "different"])
    };
    assert_eq!(diff(json!({}), "a\nb", "a\nb").verdict().as_deref(), Some("same"));
    let trailing = diff(json!({}), "a \nb\n", "a\nb\n");
    assert_eq!(trailing.verdict().as_deref(), Some("different"));
    assert_eq!(diff(json!({ "space": false }), "a \nb\n", "a\nb").verdict().as_deref(), Some("same"));
    assert_eq!(call("diff", json!({})).of("text/plain", "alone").fails().0, "E0723");
    assert_eq!(call("diff", json!({ "context": 1001 })).fails().0, "E0722");
}
