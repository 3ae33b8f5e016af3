//! A few programs of the reference, so that the evaluator is held against the page by itself too.

use super::*;
use crate::library::Shelf;

/// The log and the end of a program whose workers take `after_ms` and say or fail as told; others succeed after 10 ms.
fn told(source: &str, answers: &[(&str, Time, Result<&str, EndKind>)]) -> Vec<String> {
    let shelf = Shelf { anything: true, ..Shelf::default() };
    let flow = crate::compile("page.aivm", source, &shelf).expect("a program").flow;
    let answer = |call: &Call| {
        let name = format!("{} {}", call.key, call.attempt);
        let found = answers.iter().find(|answer| call.key == answer.0 || name == answer.0);
        let (after_ms, said) = found.map_or((10, Ok("")), |answer| (answer.1, answer.2));
        let result = match said {
            Ok(word) => Ok((call.input.clone(), Some(word.to_owned()).filter(|word| !word.is_empty()))),
            Err(kind) => Err((kind, "E0714".to_owned())),
        };
        Answer { after_ms, stops_ms: None, result, money: 0, tokens: 0 }
    };
    let report = run(&flow, Value::text("in"), &answer);
    let line = |ended: &Ended| {
        let passed: String = ended.passed_over.iter().map(|word| format!(", not {word}")).collect();
        format!("{} {} → {}{passed}", ended.at, ended.key, ended.taken)
    };
    let end = match report.result {
        Ok((value, _)) => format!("sent: {value}"),
        Err((kind, code)) => format!("{kind:?} {}", code.unwrap_or_default()),
    };
    report.ended.iter().map(line).chain([end]).collect()
}

#[test]
fn a_no_does_not_become_a_yes() {
    let source = "out <= ( switch <= ( write<2> => next  judge => back | continue ) ) <= in";
    let back = [("switch.1/judge#1", 5, Ok("back")), ("switch.1/judge#2", 5, Ok("back"))];
    let expected = [
        "10 switch.1/write#1 → next",
        "15 switch.1/judge#1 → back",
        "25 switch.1/write#2 → next",
        "30 switch.1/judge#2 → exhausted, not back",
        "Exhausted E0703",
    ];
    assert_eq!(told(source, &back), expected);
}

#[test]
fn losers_are_awaited_and_undone() {
    let source = "out <= ( join<1> <= ( switch <= ( create ~ remove => next  slow => send )  winner => next ) ) <= in";
    let answers = [("join.1/winner#1", 60, Ok("")), ("join.1/1/switch.1/slow#1", 500, Ok(""))];
    let expected = [
        "10 join.1/1/switch.1/create#1 → next",
        "60 join.1/winner#1 → next",
        "510 join.1/1/switch.1/slow#1 → cancelled",
        "520 join.1/1/switch.1/create#1~undo → undone",
        "sent: in",
    ];
    assert_eq!(told(source, &answers), expected);
}

#[test]
fn the_last_entry_is_done() {
    let source =
        "out <= ( switch[loop]<2> <= ( a => next  out <= match <= ( done => send  default => [loop.jump] ) ) ) <= in";
    assert_eq!(told(source, &[]), ["10 loop/a#1 → next", "20 loop/a#2 → next", "sent: in"]);
}

#[test]
fn a_match_catches_with_the_error() {
    let source =
        "out <= ( switch <= ( a ~ b => next  c => next ) <= match <= ( success => send  failure => send ) ) <= in";
    let expected =
        ["10 switch.1/a#1 → next", "13 switch.1/c#1 → failed", "23 switch.1/a#1~undo → undone", "sent: in!E0714"];
    assert_eq!(told(source, &[("switch.1/c#1", 3, Err(EndKind::Failure))]), expected);
}

#[test]
fn what_happens_at_one_time_is_a_tie() {
    let shelf = Shelf { anything: true, ..Shelf::default() };
    let flow =
        crate::compile("page.aivm", "out <= ( join<1> <= ( a => next  b => next ) ) <= in", &shelf).unwrap().flow;
    let answer = |after: fn(&str) -> Time| {
        let flow = flow.clone();
        let answer = move |call: &Call| {
            let result = Ok((call.input.clone(), None));
            Answer { after_ms: after(call.key), stops_ms: None, result, money: 0, tokens: 0 }
        };
        run(&flow, Value::text("in"), &answer).tie
    };
    assert!(answer(|_| 10));
    assert!(!answer(|key| key.len() as Time + u64::from(key.contains("/b"))));
}
