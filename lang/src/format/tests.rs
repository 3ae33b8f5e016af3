use super::*;
use crate::sample;
use proptest::prelude::*;

fn is(source: &str, expected: &str) {
    let formatted = format(source).expect("it parses");
    assert_eq!(formatted, expected, "\n{formatted}");
    assert_eq!(format(&formatted).expect("it parses"), formatted, "not stable");
}

#[test]
fn the_smallest_program() {
    is("out<=( \n)<=in", "out <= () <= in\n");
    is("out<=(;why\n ;not\n)<=in", "out <= ( ;why\n    ;not\n) <= in\n");
}

#[test]
fn both_programs_of_the_sketch_stay_as_they_are() {
    let second = include_str!("../../../tests/golden/sketch-2.aivm");
    is(second, &second.replace("\n        \n", "\n\n"));
    let first = include_str!("../../../tests/golden/sketch-1.aivm");
    is(first, &first.replace("||", "|"));
}

#[test]
fn every_form_has_one_spelling() {
    is(
        "out<=(switch [ x ] < 5,30s ><=([ plan<= < 5 , careful >~undo<=a.b . out. *,in]=>back*2||[x . jump]a=>send))<=in",
        "out <= (
    switch[x]<5, 30s> <= (
        [plan<5, careful> ~ undo <= a.b.out.*, in] => back * 2 | [x.jump]
        a                                          => send
    )
) <= in
",
    );
}

#[test]
fn comments_stay_where_they_belong() {
    is(
        "; file\n\n\n; top\nd<=(switch<=(a=>send));behind d\n; of out\nout<=(switch<=( ; head
        ; first
        a ; only
          => next
        bb => ; one
          next ; two
          | send ; three

        ; apart

        c => send
        ; last
        ) ; closed
        <= join <= (d=>send)
        ) <= in ; behind
        ; end",
        "; file

; top
d <= ( switch <= ( a => send ) ) ;behind d

; of out
out <= (
    switch <= ( ; head
        ; first
        a  => next        ; only
        ; one
        ; two
        bb => next | send ; three

        ; apart

        c => send
        ; last
    ) <= join <= ( d => send ) ; closed
) <= in ; behind
; end
",
    );
}

#[test]
fn brackets_on_one_line_stay_there_while_they_fit() {
    is(
        "a<=() b<=(switch<=(x=>next|cancel [y<=in]=>send))
        out<=(match<=(good=>out<=switch<=(cite=>send) ; short
        not-found => out<=switch<=(not-there=>send)<=join<=(d=>send
        e=>send))<=switch<=(f<=<5>=>send))<=in",
        "a <= ()

b <= ( switch <= ( x => next | cancel  [y <= in] => send ) )

out <= (
    match <= (
        good      => out <= switch <= ( cite => send ) ; short
        not-found => out <= switch <= ( not-there => send ) <= join <= (
            d => send
            e => send
        )
    ) <= switch <= ( f<5> => send )
) <= in
",
    );
    // The line may have 100 columns: with one more the outer brackets are opened, then the inner ones are looked at by themselves.
    let word = "w".repeat(48);
    let fits = format!("out <= ( switch <= ( {word}5678 => send | cancel ) ) <= in\n");
    assert_eq!(fits.trim_end().len(), 100);
    is(&fits, &fits);
    let wide = format!("out <= ( switch <= ( {word}56789 => send | cancel ) ) <= in\n");
    is(&wide, &format!("out <= (\n    switch <= ( {word}56789 => send | cancel )\n) <= in\n"));
    // A comment or a line end inside opens them.
    is("out <= ( switch <= ( a => send\n) ) <= in", "out <= (\n    switch <= (\n        a => send\n    )\n) <= in\n");
    is("out <= ( ; why\nswitch <= ( a => send ) ) <= in", "out <= ( ; why\n    switch <= ( a => send )\n) <= in\n");
}

#[test]
fn nested_stages_and_empty_lines_part_what_is_aligned() {
    is(
        "out<=(match<=(success=>send\n\nx=>out<=select<=(plan=>next\nb=>send)\nlonger=>send d=>cancel))<=in",
        "out <= (
    match <= (
        success => send

        x => out <= select <= (
            plan => next
            b    => send
        )
        longer => send
        d      => cancel
    )
) <= in
",
    );
}

#[test]
fn a_very_wide_head_stands_alone() {
    let refs = ["stage.step.out"; 8].join(", ");
    let source = format!(
        "out <= (\n    switch[stage] <= (\n        [plan <= {refs}] => next\n        step => send\n    )\n) <= in\n"
    );
    is(&source, &source);
}

#[test]
fn front_matter_and_line_ends_are_kept() {
    is("\u{feff}+++\n[x]\n  a  =  1\n+++\n\n\nout <= () <= in", "+++\n[x]\n  a  =  1\n+++\n\nout <= () <= in\n");
    is("+++\n+++\nout <= () <= in", "+++\n+++\nout <= () <= in\n");
    is("out <= (\r\n) <= in ; x\r\n", "out <= () <= in ; x\r\n");
}

#[test]
fn what_does_not_parse_is_refused() {
    assert!(format("out <= ( switch <= () ) <= in").is_err());
    assert!(format("").is_err());
}

#[test]
fn what_would_grow_too_long_is_refused() {
    let deep = "select<=(".repeat(60);
    let source = format!("out<=({deep}{}{})<=in", "a=>next ".repeat(100_000), ")".repeat(60));
    let errors = format(&source).expect_err("60 levels deep, each step takes 250 bytes");
    assert_eq!(errors[0].code, Code::TooLong);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_tree_and_the_comments_are_kept_and_the_layout_is_stable(seed in any::<u64>(), size in 1usize..30) {
        let source = sample::scatter(&sample::program(seed, size), seed);
        let parsed = parse(&source);
        prop_assert!(parsed.diagnostics.is_empty(), "{}\n{:?}", source, parsed.diagnostics);
        let once = lay_out(&source);
        let again = parse(&once);
        prop_assert!(again.diagnostics.is_empty(), "{}\n{:?}", once, again.diagnostics);
        prop_assert!(again.tree == parsed.tree, "{}", once);
        prop_assert_eq!(comments(&once).collect::<Vec<_>>(), comments(&source).collect::<Vec<_>>());
        prop_assert_eq!(lay_out(&once), once);
    }
}
