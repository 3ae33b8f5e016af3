//! Mistakes as people and models make them, and what is made of them.

use super::*;

/// Everything has a name here, so that only the mistakes of the table are wrong.
fn mended(text: &str) -> Fixed {
    fix("x.aivm", text, false, &Shelf { anything: true, ..Shelf::default() })
}

/// Without the spaces, which the formatter sees to.
fn close(text: &str) -> String {
    text.split_whitespace().collect()
}

const GOOD: &str = "out <= ( switch <= ( plan => next | cancel check => send ) ) <= in";

/// A mistake, and what is meant.
const TABLE: &[(&str, &str)] = &[
    ("out <= ( switch <= ( plan -> next | cancel\n check -> send ) ) <= in", GOOD),
    ("out <= ( switch <= ( plan → next | cancel\n check ⇒ send ) ) <= in", GOOD),
    ("out <= ( switch <= ( plan --> next | cancel\n check := send ) ) <= in", GOOD),
    ("out <= ( switch <= ( plan: next | cancel\n check = send ) ) <= in", GOOD),
    ("out => ( switch => ( plan => next | cancel\n check => send ) ) => in", GOOD),
    ("out <= ( switch <= ( plan => next | cancel; check => send; ) ) <= in", GOOD),
    ("out <= (\n switch <= ( plan => next | cancel ; check => send )\n) <= in", GOOD),
    ("out <- ( switch ← ( plan => next | cancel\n check => send ) ) ≤ in", GOOD),
    ("out = ( switch: ( plan <= next | cancel\n check <= send ) ) <- in", GOOD),
    ("out <= ( switch <= ( plan => next, cancel\n check => send ) ) <= in", GOOD),
    ("out <= ( switch <= ( plan => next, cancel,\n check => send, ) ) <= in", GOOD),
    ("out <= ( switch <= ( plan => next / cancel\n check => send ) ) <= in", GOOD),
    ("out <= ( switch <= ( plan => next or cancel\n check => send ) ) <= in", GOOD),
    ("out <= ( switch <= ( plan => next else cancel\n check => send ) ) <= in", GOOD),
    ("out <= ( switch <= ( plan => next & cancel\n check => send ) ) <= in", GOOD),
    ("out <= ( switch <= ( plan => next cancel\n check => send ) ) <= in", GOOD),
    ("out <= ( switch <= ( plan => next\n cancel\n check => send ) ) <= in", GOOD),
    ("out <= ( sequence <= ( plan => next | cancel\n check => send ) ) <= in", GOOD),
    ("out <= ( pipeline ( plan => proceed | abort\n check => done ) ) <= in", GOOD),
    ("out <= ( SWITCH <= ( plan => Next | CANCEL\n check => Send ) ) <= in", GOOD),
    ("out <= ( swich <= ( plan => nxt | cancle\n check => snd ) ) <= in", GOOD),
    ("out <= ( parallel <= ( a => next\n b => next ) ) <= in", "out <= ( join <= ( a => next b => next ) ) <= in"),
    (
        "out <= ( switch <= ( a => next\n out <= parallel <= ( b => next ) ) ) <= in",
        "out <= ( switch <= ( a => next out <= join <= ( b => next ) ) ) <= in",
    ),
    (
        "out <= ( switch <= ( a => send ) <= case <= ( ok => send\n default -> cancel ) ) <= in",
        "out <= ( switch <= ( a => send ) <= match <= ( ok => send default => cancel ) ) <= in",
    ),
    (
        "out <= ( switch <= ( a => send ) <= match <= ( ok => send\n * => cancel ) ) <= in",
        "out <= ( switch <= ( a => send ) <= match <= ( ok => send default => cancel ) ) <= in",
    ),
    ("out <= ( switch <= ( plan => next | cancel\n check => send ) <= in", GOOD),
    ("out <= ( switch <= plan => next | cancel\n check => send ) ) <= in", GOOD),
    ("out <= switch <= ( plan => next | cancel\n check => send ) <= in", GOOD),
    ("out <= ( switch <= ( plan => next | cancel\n check => send ) )", GOOD),
    ("( switch <= ( plan => next | cancel\n check => send ) )", GOOD),
    ("switch <= ( plan => next | cancel\n check => send )", GOOD),
    ("switch <= ( plan => next | cancel\n check => send ) <= in", GOOD),
    ("plan => next | cancel\n check => send", GOOD),
    ("out <= ( plan => next | cancel\n check => send ) <= in", GOOD),
    ("out <= { switch <= { plan => next | cancel\n check => send } } <= in", GOOD),
    ("```aivm\nout <= ( switch <= ( plan => next | cancel\n check => send ) ) <= in\n```\n", GOOD),
    ("```\nout <= ( switch <= ( plan => next | cancel\n check => send ) ) <= in\n```", GOOD),
    (
        "Sure: here is the program.\n\n```aivm\nout <= ( switch <= ( plan -> next, cancel\n check -> send ) ) <= in\n```\n\nIt plans, then it checks (twice).",
        GOOD,
    ),
    (
        "```aivm\n+++\n[worker.plan]\nmock = []\n+++\nout <= ( switch <= ( plan => next | cancel\n check => send ) ) <= in\n```\n",
        "+++ [worker.plan] mock = [] +++ out <= ( switch <= ( plan => next | cancel check => send ) ) <= in",
    ),
    ("out <= ( switch <= ( “plan” => “next” | cancel\n \"check\" => 'send' ) ) <= in", GOOD),
    (
        "out <= ( switch[“here”] <= ( plan => next | [here.jump] ) ) <= in",
        "out <= ( switch[here] <= ( plan => next | [here.jump] ) ) <= in",
    ),
    ("out <= ( switch <= (\n- plan => next | cancel\n - check => send ) ) <= in", GOOD),
    ("out <= ( switch <= (\n 1. plan => next | cancel\n 2. check => send ) ) <= in", GOOD),
    (
        "out <= ( switch <= ( plan => next | cancel // first\n check => send # last\n ) ) <= in",
        "out <= ( switch <= ( plan => next | cancel ; first check => send ; last ) ) <= in",
    ),
    (
        "out <= ( switch(5) <= ( plan(3) => next | retry(2)\n check => back 2 | send ) ) <= in",
        "out <= ( switch<5> <= ( plan<3> => next | retry * 2 check => back * 2 | send ) ) <= in",
    ),
    (
        "out <= ( switch <= ( plan\n check => send ) ) <= in",
        "out <= ( switch <= ( plan => next check => send ) ) <= in",
    ),
    ("in => ( switch <= ( plan => next | cancel\n check => send ) ) => out", GOOD),
    (
        "out <= ( switch[a] <= ( plan => next | a.jump ) ) <= in",
        "out <= ( switch[a] <= ( plan => next | [a.jump] ) ) <= in",
    ),
    (
        "out <= ( switch[a] <= ( plan => next | [a] ) ) <= in",
        "out <= ( switch[a] <= ( plan => next | [a.jump] ) ) <= in",
    ),
    (
        "out <= ( switch[a] <= ( plan => next\n [check <= a.plan] => send ) ) <= in",
        "out <= ( switch[a] <= ( plan => next [check <= a.plan.out] => send ) ) <= in",
    ),
    (
        "out <= ( switch[a] <= ( plan => next\n check <= a.plan.out => send ) ) <= in",
        "out <= ( switch[a] <= ( plan => next [check <= a.plan.out] => send ) ) <= in",
    ),
    (
        "out <= ( switch <= ( plan => next | cancel\n check => send ) switch <= ( a => send ) ) <= in",
        "out <= ( switch <= ( plan => next | cancel check => send ) <= switch <= ( a => send ) ) <= in",
    ),
    (
        "out <= ( switch <= ( plan -> nxt, cancle\n chek: send\n } <= in",
        "out <= ( switch <= ( plan => next | cancel chek => send )) <= in",
    ),
];

#[test]
fn a_program_beside_a_fence_is_not_thrown_away() {
    let front = "```toml\n[worker.plan]\nmock = []\n```\n";
    let program = "out <= (\n    switch <= (\n        plan -> send\n    )\n) <= in\n";
    for text in [
        format!("{front}```aivm\n{program}```\n"),
        format!("{front}{program}"),
        format!("{program}```\nplan\n```\n"),
        format!("```aivm\n{program}```\nor\n```aivm\n{program}```\n"),
    ] {
        assert_eq!(mended(&text).text.matches("plan").count(), text.matches("plan").count(), "{text}");
    }
}

#[test]
fn every_mistake_of_the_table_is_mended() {
    for (wrong, right) in TABLE {
        let fixed = mended(wrong);
        assert_eq!(close(&fixed.text), close(right), "{wrong}");
        assert_eq!(fixed.left, [], "{wrong}");
        assert!(!fixed.applied.is_empty(), "{wrong}");
    }
}

/// What leads back is not known, and a `switch` alone would be another program.
#[test]
fn a_loop_of_elsewhere_is_told_and_stays() {
    let fixed = mended("out <= ( while <= ( plan -> next\n check => send ) ) <= in");
    assert!(fixed.text.contains("while <= ( plan => next"), "{}", fixed.text);
    assert_eq!(fixed.left.len(), 1, "{:?}", fixed.left);
}

/// A mistake of each family in one program.
#[test]
fn mistakes_of_all_families_at_once_are_mended() {
    let wrong = "Here you are:

```aivm
out => (
    sequence <= {
        - “plan” -> next, abort
        - write(3): next or cancle
        # is it any good?
        - chek → done / back(2),
    ) <= in
```
I hope that this helps!";
    let fixed = mended(wrong);
    assert_eq!(fixed.left, []);
    insta::assert_snapshot!(crate::format::format(&fixed.text).expect("it parses"), @r"
    out <= (
        switch <= (
            plan     => next | cancel
            write<3> => next | cancel
            ; is it any good?
            chek     => send | back * 2
        )
    ) <= in
    ");
}

#[test]
fn a_name_that_nothing_has_is_a_guess() {
    let text = "out <= ( switch <= ( prnt => send ) ) <= in";
    let fixed = |names: bool| fix("x.aivm", text, names, &shelf());
    assert_eq!((fixed(false).text.as_str(), fixed(false).left.len()), (text, 1));
    assert_eq!(fixed(true).text, text.replace("prnt", "print"));
}

#[test]
fn what_is_right_stays_as_it_is() {
    let fixed = fix("x.aivm", PROGRAM, true, &shelf());
    assert_eq!((fixed.text.as_str(), fixed.applied.len()), (PROGRAM, 0));
}
