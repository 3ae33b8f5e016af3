use super::*;
use crate::library::Shelf;

fn of(source: &str) -> WorstCase {
    let shelf = Shelf { anything: true, ..Shelf::default() };
    worst_case(&crate::compile("cost.aivm", source, &shelf).expect("a program").flow)
}

/// The most calls of a program: in all, and of each step.
fn calls(source: &str) -> (u64, Vec<u64>) {
    let known = |cost: Cost| cost.calls.known().expect("bounded");
    let worst = of(source);
    (known(worst.total), worst.steps.iter().map(|step| known(step.cost)).collect())
}

#[test]
fn what_has_no_count_is_visited_as_often_as_the_counted_around_it_lead_to_it() {
    for (stages, expected) in [
        ("switch <= ( a<5> => next  b => next | back )", vec![5, 5]),
        ("switch <= ( a<5> => next  b => next | back  c => send )", vec![5, 5, 1]),
        ("switch <= ( a => next  b => next  c<4> => next | back * 2 )", vec![5, 5, 4]),
        ("switch <= ( a<3> => next  b<4> => next  c => next | back | back * 2 )", vec![3, 4, 4]),
        ("switch <= ( a<3> => next  b => next | back  c => next  d<4> => next | back )", vec![3, 3, 5, 4]),
        ("switch <= ( a<9> => next | send )", vec![1]),
        ("switch[x] <= ( a => send | [z.jump] ) <= switch <= ( b => send ) <= switch[z] <= ( c => send )", vec![1; 3]),
        ("switch[x] <= ( a => next ) <= switch[y]<3> <= ( b => next | [x.jump] )", vec![4, 3]),
        ("switch[x] <= ( a => next ) <= match<3> <= ( yes => [x.jump]  default => send )", vec![4]),
        (
            "switch <= ( a<3> => next  switch<2> <= ( b => next ) <= switch[z] <= ( c => next )  d => next | [z.jump] | back * 2 )",
            vec![3, 2, 8, 8],
        ),
        (
            "switch <= ( a => next ) <= match <= ( yes => out <= switch[p] <= ( b => send | [q.jump] )
          default => out <= switch[q] <= ( c => send | [p.jump] ) )",
            vec![1, 8, 8],
        ),
        ("switch[l]<3> <= ( switch <= ( a<2> => next  b => next | back )  c => next | [l.jump] )", vec![6, 6, 3]),
    ] {
        let source = format!("out <= ( {stages} ) <= in");
        assert_eq!(calls(&source), (expected.iter().sum(), expected), "{source}");
    }
}

#[test]
fn the_last_visit_may_go_on() {
    // As `examples/fix-until-green`: six rounds of two, and the last of them is green.
    let source = "out <= ( switch <= ( repair<6> => next | cancel  verify => back | continue  show => send ) ) <= in";
    assert_eq!(calls(source), (13, vec![6, 6, 1]));
    let source = "out <= ( switch[s] <= ( w<5> => next  c => next  j => [s.w.jump] | send ) ) <= in";
    assert_eq!(calls(source), (15, vec![5, 5, 5]));
    let source = "+++\n[worker.w]\ncost = \"$0.10\"\nmock = []\n[worker.j]\ncost = \"$1.00\"\nmock = []\n+++
        out <= ( switch <= ( w<5> => next  j => back | continue ) ) <= in";
    assert_eq!(of(source).total.money, Bound::AtMost(5_500_000));
}

#[test]
fn a_select_calls_no_more_than_it_chooses() {
    // With a chooser, a choice may be asked for twice.
    let of = |limit: &str, head: &str| {
        calls(&format!("{head}out <= ( select[s]{limit} <= ( a => next  b => next  c => next ) ) <= in"))
    };
    let chooser = "+++\n[stage.s]\nchooser = \"boss\"\n+++\n";
    assert_eq!(of("<2>", chooser), (4 + 2, vec![4, 2, 2, 2]));
    assert_eq!(of("", chooser), (48 + 24, vec![48, 8, 8, 8]));
    assert_eq!(of("", ""), (3, vec![1, 1, 1]));
    assert_eq!(of("<2>", ""), (2, vec![1, 1, 1]));
}

#[test]
fn where_a_retry_is_all_that_there_is_parts_are_retried_and_all_of_them_again() {
    let source = "+++\n[worker.m]\nmost = 2\nmock = []\n+++
        out <= ( switch[x] <= ( m => next  [a <= x.m.out.*] => retry ) ) <= in";
    assert_eq!(calls(source), (1 + 8, vec![1, 8]));
}

#[test]
fn calls_of_unknown_price_may_each_take_what_is_left_of_a_budget() {
    let money =
        |stage: &str| of(&format!("+++\n[worker.g]\nprompt = \"Say.\"\n+++\nout <= ( {stage} ) <= in")).total.money;
    assert_eq!(money("switch<$0.50> <= ( g => next  g => next )"), Bound::AtMost(500_000));
    assert_eq!(money("join<$0.50> <= ( g => next  g => next )"), Bound::AtMost(1_000_000));
    assert_eq!(money("switch<$0.10> <= ( join<$0.50> <= ( g => next  g => next ) )"), Bound::AtMost(200_000));
}

#[test]
fn what_has_no_bound_is_named() {
    let worst = of(
        "+++\n[worker.g]\nprompt = \"Say.\"\n+++\nout <= ( switch[x] <= ( m => next  [a <= x.m.out.*] => next  g => send ) ) <= in",
    );
    let said: Vec<(&str, &str)> = worst.unbounded.iter().map(|open| (open.key.as_str(), open.help.as_str())).collect();
    assert_eq!(
        said,
        [
            ("x/a", "set `most = 20` in `[worker.m]`"),
            ("x/g", "set `cost = \"$0.10\"` and `tokens = \"4kt\"` in `[worker.g]`"),
        ]
    );
}

#[test]
fn what_a_budget_bounds_is_not_to_blame() {
    let worst = of("+++\n[worker.g]\nprompt = \"Say.\"\n+++\nout <= ( switch<$1, 9kt> <= ( g => send ) ) <= in");
    assert_eq!(worst.unbounded, []);
}

#[test]
fn rows_add_up_unless_only_some_of_them_can_run() {
    let adds_up = |stages: &str| of(&format!("out <= ( {stages} ) <= in")).adds_up();
    assert!(adds_up("switch <= ( a ~ u => next  b => next | back )"));
    assert!(!adds_up("match <= ( yes => out <= switch <= ( a => send )  default => out <= switch <= ( b => send ) )"));
}

#[test]
fn fan_outs_over_each_other_have_no_bound() {
    let source = "out <= ( switch[w] <= ( [a <= w.b.out.*] => next  [b <= w.a.out.*] => next | back ) ) <= in";
    assert_eq!(of(source).total.calls, Bound::Unbounded);
}

#[test]
fn a_definition_is_called_as_often_as_its_step_is_visited_and_retried() {
    let source = "d <= ( switch <= ( a ~ u => next  b => send ) )
        out <= ( switch <= ( c<3> => next  d => next | back | retry ) ) <= in";
    // Each `a` is undone in three tries; `d` itself calls nobody.
    assert_eq!(calls(source), (3 + 6 + 18 + 6, vec![3, 6, 18, 6]));
}

#[test]
fn undoers_are_tried_three_times_for_each_attempt_that_may_have_done_something() {
    assert_eq!(calls("out <= ( switch <= ( a ~ u => next | retry * 2 ) ) <= in"), (12, vec![3, 9]));
    let limited = "+++\n[limits]\ncalls = 2\n+++\nout <= ( switch <= ( a ~ u => next  b => next | retry ) ) <= in";
    assert_eq!(calls(limited).0, 2 + 3);
    let ms = of("+++\n[worker.u]\nmock = []\n[worker.v]\nrun = \"true\"\ntimeout = \"1s\"\n+++
        out <= ( switch<5s> <= ( v ~ v => next ) ) <= in")
    .total
    .ms;
    assert_eq!(ms, Bound::AtMost(1_000 + 3 * 1_000 + 200 + 400));
}
