use super::*;
use crate::builtin::check;

fn settings(with: Value) -> Settings {
    with.as_object().expect("an object").clone().into_iter().collect()
}

/// What is wrong with a condition before it is judged.
fn refused(that: &str) -> String {
    let with = json!({ "that": that, "steps": ["build", "test"], "params": { "stage": "text", "n": "integer" } });
    check("when", &settings(with)).err().map(|failure| failure.to_string()).unwrap_or_default()
}

#[test]
fn a_condition_sees_parameters_steps_and_input() {
    let judged = |that: &str| {
        let with = json!({ "that": that, "steps": ["build it", "test"], "params": { "stage": "text", "n": "integer", "deep": "boolean" } });
        call("when", with)
            .hears(&["continue", "send"])
            .param("stage", "prod")
            .param("n", "3")
            .param("deep", "true")
            .part("build-it", "text/plain", "done\n")
            .part("test", "text/plain", r#"{"failed": 0, "names": ["a", "b"]}"#)
            .verdict()
            .expect("a word")
    };
    for that in [
        "params.stage == 'prod' && params.n > 2 && params.deep",
        "steps['build it'].output == 'done'",
        "steps.test.output.failed == 0",
        "steps.test.output.names.exists(name, name == 'b')",
        "has(steps.test.output.failed) && !has(steps.test.output.other)",
        "size(input) == 2 && input[0].startsWith('do')",
        "steps.test.output.failed == 0.0 ? true : false",
    ] {
        assert_eq!(judged(that), "continue", "{that}");
        assert_eq!(judged(&format!("!({that})")), "send", "not {that}");
    }
}

#[test]
fn a_condition_that_cannot_be_one_is_refused_before_anything_runs() {
    assert_eq!(refused("steps.build.output == 'x' && params.stage != 'y'"), "");
    for (that, reason) in [
        ("", "is no condition in CEL"),
        ("params.stage =", "is no condition in CEL"),
        ("1 + 1", "neither true nor false"),
        ("'yes'", "neither true nor false"),
        ("parms.stage == 'x'", "names `parms`, and there is no such variable; did you mean `params`?"),
        ("env.HOME == '/'", "names `env`"),
        ("params.stag == 'x'", "no such parameter; did you mean `stage`?"),
        ("params['stag'] == 'x'", "no such parameter"),
        ("steps.biuld.output == 'x'", "no such step that it needs; did you mean `build`?"),
        ("params.stage > 3", "compares a text with a number"),
        ("size(steps.build.output) == 'x'", "compares a number with a text"),
        ("params.stage && true", "takes a text for true or false"),
        ("steps.build.result == 'x'", "it has `steps.build.output`"),
        ("foo(steps.build.output)", "there is no such function"),
        ("steps.build.output.foo('x')", "there is no such function"),
        ("input.map(x, x) == []", "uses `map` or `filter`"),
        ("input.all(x, input.all(y, x == y))", "within values"),
    ] {
        let told = refused(that);
        assert!(told.contains(reason), "{that}: {told}");
    }
}

#[test]
fn what_is_no_condition_is_told_in_words_that_people_write() {
    for (that, reason) in [
        ("params.n = 3", "at column 10: `=` does not belong here: `==` compares"),
        ("params.n ==", "at column 12: it ends too early"),
        ("", "at column 1: it ends too early"),
        ("params.n 3", "at column 10: `3` does not belong here"),
        ("params.n == 3 or params.n == 4", "at column 15: `or` does not belong here: write `||`"),
        ("params['n'", "at column 11: `]` is missing"),
        ("params.stage == 'x", "at column 17: the text `'x` has no end"),
    ] {
        assert_eq!(refused(that), format!("`that` of `when` is no condition in CEL, {reason}"), "{that}");
    }
}

#[test]
fn what_cannot_be_judged_fails() {
    for (that, input) in
        [("input.x == 1", "{}"), ("input", "[1]"), ("input == 1 / 0", "1"), ("input > 5", "{\"a\": 1}")]
    {
        let (code, message) =
            call("when", json!({ "that": that })).hears(&["continue", "send"]).of("application/json", input).fails();
        assert_eq!(code, "E0725", "{message}");
    }
    assert_eq!(
        call("when", json!({ "that": "true" })).hears(&["continue"]).of("text/plain", "x").verdict().as_deref(),
        Some("continue")
    );
    // A word that the step does not hear is no condition that held.
    assert_eq!(call("when", json!({ "that": "false" })).hears(&["continue"]).fails().0, "E0729");
}

#[test]
fn no_condition_makes_it_panic_or_takes_long() {
    let began = std::time::Instant::now();
    let hostile = [
        "(".repeat(4_000),
        ")".repeat(4_000),
        "!".repeat(4_000),
        "-".repeat(4_000),
        "[".repeat(4_000),
        "{".repeat(4_000),
        "a.".repeat(2_000),
        "1+".repeat(2_000) + "1",
        "true&&".repeat(680) + "true",
        "true?".repeat(800),
        "a?b:".repeat(1_000),
        "x[".repeat(2_000),
        "f(".repeat(2_000),
        "\"".repeat(4_095),
        "\\".repeat(4_000),
        "\u{0}".to_owned(),
        "9".repeat(4_000) + " == 1",
        "'\\u{110000}'".to_owned(),
        "🦀".repeat(1_000),
        "// ".repeat(1_000),
        "a".repeat(5_000),
        format!("{}true{}", "(".repeat(90), ")".repeat(90)),
        "[[[1]]]".repeat(500),
        "{1:".repeat(1_000),
        "has(".repeat(900),
        "input.all(x,".repeat(300),
        "b'".to_owned(),
        "r\"".to_owned(),
        "x{".repeat(1_000),
        "1e999999 > 1".to_owned(),
    ];
    for that in hostile {
        let _ =
            call("when", json!({ "that": that })).hears(&["continue", "send"]).of("application/json", "[1, 2]").run();
    }
    // The square of the most values, and the most text for each.
    let list = format!("[{}]", vec!["1"; 1_990].join(","));
    let text = "x".repeat(200 << 10);
    for that in ["steps.a.output.all(x, x in steps.a.output)", "steps.a.output.all(x, !steps.b.output.contains('y'))"] {
        let judged = call("when", json!({ "that": that })).hears(&["continue", "send"]);
        let judged = judged.part("a", "application/json", &list).part("b", "text/plain", &text);
        assert_eq!(judged.verdict().as_deref(), Some("continue"), "{that}");
    }
    let large = format!("[{}]", vec!["1"; 2_100].join(","));
    assert_eq!(call("when", json!({ "that": "true" })).of("application/json", &large).fails().0, "E0724");
    let large = "x".repeat(300 << 10);
    assert_eq!(call("when", json!({ "that": "true" })).of("text/plain", &large).fails().0, "E0724");
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
}
