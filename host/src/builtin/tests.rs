//! What the pages' examples do not show: the interface, limits, and what goes wrong.

mod checks;
mod conditions;
mod effects;
mod files;
mod items;
#[cfg(feature = "memory")]
mod memory;
mod state;
mod text;

use super::*;
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;

/// A call under construction.
struct Try<'t> {
    builtin: &'static Builtin,
    with: Settings,
    words: Vec<String>,
    params: BTreeMap<String, String>,
    attributes: Vec<(String, String)>,
    parts: Vec<Part<'t>>,
    media_type: &'t str,
    payload: &'t [u8],
    workspace: &'t Path,
    /// The call's place in the run.
    key: String,
    /// Where what was there before is kept; none: in the workspace.
    kept: Option<&'t Path>,
}

/// A place that no other call has.
fn fresh_key() -> String {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
    format!("switch.1/x#{}", NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
}

/// Calls `name` with these settings, a JSON object.
fn call<'t>(name: &str, with: Value) -> Try<'t> {
    let with = with.as_object().expect("an object").iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    Try {
        builtin: find(name).unwrap_or_else(|| panic!("no {name}")),
        with,
        words: Vec::new(),
        params: BTreeMap::new(),
        attributes: Vec::new(),
        parts: Vec::new(),
        media_type: media::TEXT,
        payload: b"",
        workspace: Path::new("/nonexistent"),
        key: fresh_key(),
        kept: None,
    }
}

impl<'t> Try<'t> {
    fn hears(mut self, words: &[&str]) -> Self {
        self.words = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    fn param(mut self, name: &str, value: &str) -> Self {
        self.params.insert(name.into(), value.into());
        self
    }

    fn part(mut self, name: &'t str, media_type: &'t str, payload: &'t (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.parts.push(Part { name, media_type, payload: payload.as_ref(), verdict: None });
        self.media_type = "application/vnd.aivm.parts";
        self
    }

    fn of(mut self, media_type: &'t str, payload: &'t (impl AsRef<[u8]> + ?Sized)) -> Self {
        (self.media_type, self.payload) = (media_type, payload.as_ref());
        self
    }

    fn within(mut self, workspace: &'t Path) -> Self {
        self.workspace = workspace;
        self
    }

    fn run_unless(&self, cancelled: &dyn Fn() -> bool) -> Result<Output, Failure> {
        let (media_type, payload) = (self.media_type, self.payload);
        let input = Input { media_type, payload, attributes: &self.attributes, parts: &self.parts };
        let inside = self.workspace.join(".aivm/undo/run");
        let context = Context {
            with: &self.with,
            outcomes: &self.words,
            params: &self.params,
            workspace: self.workspace,
            kept: self.kept.unwrap_or(&inside),
            memory: None,
            key: &self.key,
            cancelled,
        };
        self.builtin.call(&input, &context)
    }

    fn run(&self) -> Result<Output, Failure> {
        self.run_unless(&|| false)
    }

    /// The output as text; that of an unchanged input is the input.
    fn text(&self) -> String {
        match self.run().unwrap_or_else(|failure| panic!("{}: {failure}", self.builtin.name)).body {
            Body::Same => String::from_utf8_lossy(self.payload).into_owned(),
            Body::New { payload, .. } => String::from_utf8(payload).expect("UTF-8"),
            Body::Parts(parts) => format!("{} parts", parts.len()),
        }
    }

    fn verdict(&self) -> Option<String> {
        self.run().expect("success").verdict
    }

    /// Code and message of the failure.
    fn fails(&self) -> (&'static str, String) {
        let failure = self.run().expect_err("a failure");
        (failure.code(), failure.to_string())
    }
}

impl Output {
    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

#[test]
fn names_are_sorted_words_and_settings_are_sound() {
    assert!(BUILTINS.is_sorted_by_key(|builtin| builtin.name));
    for builtin in all() {
        assert!(builtin.name.split('.').all(aivm_schema::word::is_word), "{}", builtin.name);
        assert!(std::ptr::eq(find(builtin.name).expect("found"), builtin));
        for word in builtin.words.iter().chain(&builtin.instead) {
            assert!(aivm_schema::word::is_word(word) && !aivm_schema::word::is_reserved(word), "{word}");
            assert!(!aivm_schema::word::BY_ENDING.contains(word), "{word}");
        }
        for setting in builtin.settings {
            let place = format!("{}.{}", builtin.name, setting.name);
            assert!(!setting.about.contains('|') && !setting.about.ends_with('.'), "{place}: {}", setting.about);
            let sound = match (setting.kind, setting.preset) {
                (_, Preset::Required | Preset::Unset) => true,
                (Kind::Choice(of), Preset::Text(text)) => of.contains(&text),
                (Kind::Duration, Preset::Text(text)) => text.parse::<aivm_schema::unit::Milliseconds>().is_ok(),
                (Kind::Text, Preset::Text(_)) | (Kind::Count, Preset::Count(_)) | (Kind::Flag, Preset::Flag(_)) => true,
                _ => false,
            };
            assert!(sound, "{place}");
            assert_eq!(builtin.settings.iter().filter(|other| other.name == setting.name).count(), 1, "{place}");
        }
    }
    assert!(find("nothing").is_none());
}

#[test]
fn an_unknown_name_is_explained_by_the_nearest() {
    let none = Settings::new();
    let message = check("clan", &none).expect_err("unknown").to_string();
    assert!(message.contains("did you mean `clean`?"), "{message}");
    let message = check("xyzzy", &none).expect_err("unknown").to_string();
    assert_eq!(message, "there is no built-in `xyzzy`; `aivm worker ls` shows all");

    let (code, message) = call("merge", json!({ "seperator": "" })).fails();
    assert_eq!(code, "E0721");
    assert!(message.starts_with("`merge` has no setting `seperator`; did you mean `separator`?"), "{message}");
    assert!(call("sort", json!({ "kye": "a" })).fails().1.contains("did you mean `key`?"));
    let (_, message) = call("fit", json!({ "zzz": 1 })).fails();
    assert!(message.contains("it has `most`, `keep`, `mark`"), "{message}");
}

#[test]
fn every_setting_refuses_what_it_does_not_take() {
    for builtin in all() {
        for setting in builtin.settings.iter().filter(|setting| setting.kind != Kind::Any) {
            let wrong = match setting.kind {
                Kind::Count => json!(-1),
                Kind::Choice(_) => json!("no such choice"),
                Kind::Pattern => json!("(unclosed"),
                Kind::Duration => json!("soon"),
                Kind::List => json!([1]),
                _ => Value::Null,
            };
            let with = Settings::from([(setting.name.to_owned(), wrong)]);
            match builtin.check(&with).expect_err(setting.name) {
                Failure::Setting { setting: blamed, .. } => assert_eq!(blamed, setting.name),
                other => panic!("{}.{}: {other}", builtin.name, setting.name),
            }
        }
    }
}

#[test]
fn patterns_that_are_not_linear_or_too_large_are_refused() {
    for pattern in [r"(a)\1", r"(?=a)b", r"(?:(?:(?:a{1000}){1000}){1000})", "["] {
        let (code, message) = call("replace", json!({ "pattern": pattern })).fails();
        assert_eq!(code, "E0722", "{pattern}: {message}");
    }
    let hostile = "a".repeat(50_000);
    assert_eq!(call("replace", json!({ "pattern": "(a+)+$|b" })).of("text/plain", &hostile).text(), "");
}

#[test]
fn a_word_is_said_only_where_it_is_heard() {
    let compare = || call("diff", json!({})).part("a", "text/plain", "1").part("b", "text/plain", "1");
    assert_eq!(compare().verdict(), None);
    assert_eq!(compare().hears(&["next", "same"]).verdict().as_deref(), Some("same"));

    let rules = || call("match-regex", json!({ "rules": [["yes", "y"], ["no", "n"]] })).of("text/plain", "n");
    assert_eq!(rules().hears(&["yes", "no"]).verdict().as_deref(), Some("no"));
    let (code, message) = rules().hears(&["yes", "back"]).fails();
    assert_eq!(code, "E0729");
    assert!(message.contains("`no`") && message.contains("`yes`, `back`"), "{message}");

    let bad = || call("validate", json!({})).of("application/json", "{");
    assert_eq!(bad().fails().0, "E0725");
    let output = bad().hears(&["bad"]).run().expect("a word");
    assert_eq!((output.body.clone(), output.verdict.as_deref()), (Body::Same, Some("bad")));
    assert!(output.attribute("reason").is_some_and(|reason| reason.contains("not JSON")));
    // A word stands for what the input says, never for a broken program.
    assert_eq!(call("validate", json!({ "zzz": 1 })).hears(&["bad"]).fails().0, "E0721");
}

#[test]
fn a_pattern_that_reads_far_at_each_match_can_be_cancelled() {
    // `a*b|a` reads to the end of the text before each `a`: nobody waits for all of them.
    let text = "a".repeat(100_000);
    for (name, with) in [
        ("extract", json!({ "what": "pattern", "pattern": "a*b|a" })),
        ("replace", json!({ "pattern": "a*b|a", "by": "-" })),
        ("split", json!({ "by": "pattern", "pattern": "a*b|a" })),
        ("redact", json!({ "patterns": { "a": "a*b|a" } })),
    ] {
        let looks = std::cell::Cell::new(0);
        let cancelled = || {
            looks.set(looks.get() + 1);
            looks.get() > 2
        };
        let result = call(name, with).of("text/plain", &text).run_unless(&cancelled);
        assert!(matches!(result, Err(Failure::Cancelled)), "{name}: {result:?}");
        assert_eq!(looks.get(), 3, "{name}");
    }
}

#[test]
fn a_cancelled_call_stops() {
    let lines = "x\n".repeat(20_000);
    for (name, with) in [("clean", json!({})), ("only", json!({})), ("dedupe", json!({})), ("sort", json!({}))] {
        let asked = Cell::new(0);
        let cancelled = || {
            asked.set(asked.get() + 1);
            asked.get() == 2
        };
        let result = call(name, with).of("text/plain", &lines).run_unless(&cancelled);
        assert!(matches!(result, Err(Failure::Cancelled)), "{name}");
        assert_eq!(asked.get(), 2, "{name}");
    }
}

#[test]
fn outputs_and_items_have_limits() {
    let large = "a".repeat(1 << 20);
    let by = "b".repeat(65);
    let blown = call("replace", json!({ "text": "a", "by": by })).of("text/plain", &large).fails();
    assert_eq!(blown.0, "E0724");
    let fits = "b".repeat(64);
    assert_eq!(call("replace", json!({ "text": "a", "by": fits })).of("text/plain", &large).text().len(), MOST_BYTES);

    let most = "\n".repeat(MOST_ITEMS);
    assert_eq!(call("count", json!({ "what": "items" })).of("text/plain", &most).text(), MOST_ITEMS.to_string());
    let over = "\n".repeat(MOST_ITEMS + 1);
    assert_eq!(call("count", json!({ "what": "items" })).of("text/plain", &over).fails().0, "E0724");

    let endless = "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}";
    assert_eq!(call("template", json!({ "text": endless })).of("text/plain", "").fails().0, "E0730");
    let wide = "{% for a in range(2000) %}{{ input * 1 }}{% endfor %}";
    assert_eq!(call("template", json!({ "text": wide })).of("text/plain", &"x".repeat(90_000)).fails().0, "E0724");

    let unlike: Vec<Value> = (0..6_000).map(|nth| json!({ format!("k{nth}"): 1 })).collect();
    let unlike = Value::from(unlike).to_string();
    assert_eq!(call("format", json!({ "to": "csv" })).of("application/json", &unlike).fails().0, "E0724");
}

#[test]
fn what_is_unchanged_is_the_input_itself() {
    let same = [
        call("clean", json!({})).of("text/plain", "a\n\nb\n"),
        call("format", json!({})).of("text/plain", "as it is"),
        call("format", json!({})).of("application/json", "{\n  \"a\": 1\n}\n"),
        call("only", json!({})).of("text/plain", "a\nb"),
        call("dedupe", json!({})).of("text/plain", "a\nb"),
        call("take", json!({ "first": 9 })).of("text/plain", "a\nb"),
        call("fit", json!({})).of("text/plain", "short"),
        call("replace", json!({ "text": "x" })).of("text/plain", "abc"),
        call("redact", json!({})).of("text/plain", "nothing personal"),
        call("split", json!({})).of("application/json", "[1]"),
        call("enrich", json!({})).of("text/plain", "x"),
        call("hash", json!({ "into": "attribute" })).of("text/plain", "x"),
    ];
    for call in same {
        assert_eq!(call.run().expect("success").body, Body::Same, "{}", call.builtin.name);
    }
}

#[test]
fn parts_are_not_mistaken_for_text() {
    let here = |builtin: &&Builtin| cfg!(feature = "memory") || use_of(builtin.name).is_none();
    for builtin in all().iter().filter(here) {
        // With settings that are required, and none else.
        let with = match builtin.name {
            "best" => json!({ "key": "a" }),
            "collect" => json!({ "files": [] }),
            "fail" => json!({ "reason": "a" }),
            "get" => json!({ "at": "a" }),
            "match-regex" => json!({ "rules": [["a", "a"]] }),
            "mkdir" | "remove" => json!({ "path": "{input}" }),
            "move" => json!({ "from": "{input}", "to": "a" }),
            "pick" => json!({ "keys": ["a"] }),
            "quarantine" => json!({ "schema": true }),
            "read" => json!({ "path": "{input}" }),
            "rename" => json!({ "keys": {} }),
            "replace" => json!({ "text": "a" }),
            "set" => json!({ "values": {} }),
            "take" => json!({ "first": 1 }),
            "template" => json!({ "text": "" }),
            "unbound" => json!({ "capability": "a" }),
            "when" => json!({ "that": "true" }),
            "write" => json!({ "path": "a" }),
            _ => json!({}),
        };
        let takes_parts = [
            "best",
            "collect",
            "count",
            "diff",
            "enrich",
            "fail",
            "merge",
            "program",
            "restore",
            "restore-memory",
            "save",
            "search",
            "sleep",
            "sys.info.get_os",
            "template",
            "unbound",
            "vote",
            "when",
            "write",
        ];
        // An empty parts artifact has no parts, and is not a text either.
        let call = call(builtin.name, with).of("application/vnd.aivm.parts", b"\x00\x01");
        let result = call.run();
        if !takes_parts.contains(&builtin.name) {
            let code = result.as_ref().expect_err(builtin.name).code();
            let always = ["fail", "unbound"].contains(&builtin.name);
            assert!(always || matches!(code, "E0723" | "E0725"), "{}: {code}", builtin.name);
        }
    }
}
