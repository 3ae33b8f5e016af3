use super::*;
use crate::format::format;
use crate::sample::{program, scatter};
use proptest::prelude::*;

/// Each closing bracket that has an opener, with the place of that.
fn pairs(source: &str) -> Vec<(Token, u32)> {
    let mut open = Vec::new();
    let mut pairs = Vec::new();
    for token in lexer::lex(source, 0) {
        match token.kind {
            T::Open | T::OpenSquare | T::Less => open.push(token.span.start),
            T::Close | T::CloseSquare | T::Greater => pairs.push((token, open.pop().expect("balanced"))),
            _ => {}
        }
    }
    pairs
}

#[test]
fn the_opener_of_a_lost_closer_is_named() {
    let source = (0..)
        .map(|seed| format(&program(seed, 200)).expect("it parses"))
        .find(|source| (280..320).contains(&source.lines().count()));
    let source = source.expect("one of them has some 300 lines");
    let (mut all, mut named, mut alone) = (0, 0, 0);
    for (closer, opener) in pairs(&source) {
        let mut broken = source.clone();
        broken.replace_range(closer.span.range(), "");
        let diagnostics = parse(&broken).diagnostics;
        let hit =
            diagnostics.first().is_some_and(|first| first.code == Code::Unclosed && first.primary.span.start == opener);
        all += 1;
        named += usize::from(hit);
        alone += usize::from(hit && diagnostics.len() == 1);
    }
    println!("{named} of {all} named, {alone} without any other error");
    assert!(named * 100 >= all * 95, "only {named} of {all} openers are named");
    assert!(alone * 100 >= all * 95, "only {alone} of {all} losses are reported without noise");
}

/// The codes of a source, in order.
fn codes(source: &str) -> Vec<Code> {
    parse(source).diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

#[test]
fn independent_errors_are_reported_at_once() {
    let source = "plan <= (
    swich <= (
        a => nxt
        b
        c<0> => next
    ) <= match <= (
        done => back
)
out <= (
    switch[x <= (
        a -> send
    ) <= join <= (
    )
) <= in
";
    use Code::*;
    assert_eq!(
        codes(source),
        [Misspelt, Misspelt, NoOutcome, CountRange, Unclosed, NotAnEnd, Unclosed, ForeignHabit, EmptyStage]
    );
}

#[test]
fn a_program_that_only_ends_too_early_is_incomplete() {
    let source = "out <= (\n    switch[x]<5> <= (\n        [plan <= x.a.out] => next | back * 2\n    )\n) <= in\n";
    assert!(!parse(source).incomplete);
    for end in [
        "",
        "out",
        "out <=",
        "out <= (",
        "out <= (\n switch",
        "out <= (switch <= (a",
        "out <= (switch <= (a =>",
        "out <= (switch <= (a => next |",
        "out <= ()",
        "out <= () <=",
        "x <= ()",
        "+++\n[worker.a]\n",
    ] {
        assert!(parse(end).incomplete, "{end}");
    }
    for broken in ["out <= (switch <= ()) <= in", "out <= )", "5", "out <= () <= in in"] {
        assert!(!parse(broken).incomplete, "{broken}");
    }
}

#[test]
fn hostile_sources_get_few_errors_and_no_panic() {
    for text in [
        "(",
        ")",
        "[",
        "]",
        "<",
        ">",
        "()",
        "out <= (",
        "a => ",
        "| ",
        "switch <= (",
        "match[",
        "\"",
        "/*",
        "$",
        "é",
        "\u{feff}",
        "+++\n",
        "}",
        "a- ",
    ] {
        let parsed = parse(&text.repeat(100_000));
        assert!((1..=MOST_ERRORS).contains(&parsed.diagnostics.len()), "{text}");
        assert!(parsed.diagnostics.iter().all(|diagnostic| diagnostic.message.len() < 400), "{text}");
    }
    assert_eq!(codes(&"(".repeat(100_000)), [Code::TooDeep]);
    assert_eq!(codes(&"; a comment\n".repeat(1_000_000)), [Code::TooLong]);
    let comments = ";\n".repeat(500_000) + "out <= () <= in";
    assert_eq!(codes(&comments), []);
    let steps = format!("out <= (switch <= ({})) <= in", "a=>next ".repeat(130_000));
    assert_eq!(parse(&steps).tree.steps.len(), 130_000);
    let chain = format!("out <= (switch<=(a=>send){}) <= in", "<=switch<=(a=>send)".repeat(50_000));
    assert_eq!(parse(&chain).tree.stages.len(), 50_001);
}

#[test]
fn bytes_that_are_no_text_are_named() {
    assert_eq!(read_utf8(b"out"), Ok("out"));
    let error = read_utf8(b"out <= \xff").expect_err("not UTF-8");
    assert_eq!(error.code, Code::NotUtf8);
    assert!(error.message.contains("byte 7"), "{}", error.message);
}

#[test]
fn limits_on_both_sides() {
    let nested = |depth: usize| {
        format!("out <= ({}switch <= (a => send){}) <= in", "select <= (".repeat(depth), ")".repeat(depth))
    };
    assert_eq!(codes(&nested(62)), []);
    assert_eq!(codes(&nested(63)), [Code::TooDeep]);
    let padded = |length: usize| format!("{}out <= () <= in", " ".repeat(length - 15));
    assert_eq!(codes(&padded(SOURCE)), []);
    assert_eq!(codes(&padded(SOURCE + 1)), [Code::TooLong]);
    let outcomes = |count: usize| format!("out <= (switch <= (a => {}send)) <= in", "next | ".repeat(count - 1));
    assert_eq!(codes(&outcomes(64)), []);
    assert_eq!(codes(&outcomes(65)), [Code::TooManyOutcomes]);
    let count = |count: &str| format!("out <= (switch <= (a<{count}> => back * {count})) <= in");
    assert_eq!(codes(&count("1")), []);
    assert_eq!(codes(&count("65535")), []);
    assert_eq!(codes(&count("0")), [Code::CountRange, Code::CountRange]);
    assert_eq!(codes(&count("65536")), [Code::CountRange, Code::CountRange]);
}

#[test]
fn a_limits_list_may_follow_its_worker_in_both_forms() {
    let steps = |step: &str| parse(&format!("out <= (switch[x] <= ({step} => next)) <= in")).tree.steps;
    assert_eq!(steps("plan<5>"), steps("plan <= <5>"));
    assert_eq!(steps("[plan<5> <= x.out]"), steps("[plan <= <5> <= x.out]"));
    assert_eq!(steps("[plan<5> <= x.out]")[0].limits, [Limit::Count(5)]);
    assert_eq!(steps("a<90s, 500ms, 2m, $0.50, 20kt, bold>~b.c")[0].limits.len(), 6);
}

/// Every span lies within the source, and every fix can be applied.
fn check_places(source: &str, diagnostics: &[Diagnostic]) -> Result<(), TestCaseError> {
    for diagnostic in diagnostics {
        let edits = diagnostic.fix.iter().flat_map(|fix| fix.edits.iter().map(|edit| edit.0));
        for span in edits.chain(diagnostic.labels.iter().map(|label| label.span)).chain([diagnostic.primary.span]) {
            prop_assert!(
                source.get(span.range()).is_some() && span.start <= span.end,
                "{:?} in {:?}",
                diagnostic,
                source
            );
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_parsed(source in "\\PC{0,300}") {
        check_places(&source, &parse(&source).diagnostics)?;
    }

    #[test]
    fn any_tokens_are_parsed(tokens in prop::collection::vec(prop::sample::select(vec![
        "out", "in", "<=", "(", ")", "[", "]", "<", ">", "=>", "|", "*", ",", ".", "~", "switch", "match", "join", "select", "a", "x.out", "jump",
        "next", "back", "5", "30s", "$1", "default", "\n", "    ", "->", "{", "}", "; c\n", "a-", "\"s\"", "é",
    ]), 0..60)) {
        let source = tokens.join(" ");
        let parsed = parse(&source);
        check_places(&source, &parsed.diagnostics)?;
        let whole = parsed.tree.program.is_some();
        prop_assert!(whole || !parsed.diagnostics.is_empty());
    }

    #[test]
    fn any_program_with_a_slip_is_parsed(seed in any::<u64>(), size in 1usize..30, at in any::<prop::sample::Index>(), double in any::<bool>()) {
        let whole = format(&scatter(&program(seed, size), seed)).expect("it parses");
        let tokens: Vec<Token> = lexer::lex(&whole, 0).into_iter().filter(|token| !token.kind.is_trivia()).collect();
        let span = at.get(&tokens).span;
        let text = if double { format!("{0} {0}", &whole[span.range()]) } else { String::new() };
        let mut source = whole.clone();
        source.replace_range(span.range(), &text);
        check_places(&source, &parse(&source).diagnostics)?;
    }
}

#[test]
fn one_slip_is_one_error() {
    let (mut all, mut one, mut two) = (0, 0, 0);
    for seed in 0..20 {
        let whole = format(&program(seed, 20)).expect("it parses");
        for token in lexer::lex(&whole, 0).into_iter().filter(|token| !token.kind.is_trivia()) {
            for slip in ["", "twice"] {
                let mut source = whole.clone();
                let text = &whole[token.span.range()];
                source.replace_range(
                    token.span.range(),
                    &if slip.is_empty() { String::new() } else { format!("{text} {text}") },
                );
                let errors = parse(&source).diagnostics.len();
                all += 1;
                one += usize::from(errors <= 1);
                two += usize::from(errors <= 2);
            }
        }
    }
    println!("of {all} slips {one} have one error at most, {two} two");
    assert!(one * 100 >= all * 85 && two * 100 >= all * 99, "of {all} slips {one} have one error at most, {two} two");
}
