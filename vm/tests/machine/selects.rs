//! Selects: with a chooser, and without.

use crate::build::*;
use crate::world::*;
use aivm_schema::module::*;
use aivm_vm::*;

/// A select of `a` (twice) and `b` (once), of so many choices.
fn select(chooser: bool, choices: Option<u16>) -> Build {
    let mut b = Build::new();
    let s = b.stage("s", StageKind::Select, None);
    let (a, z) = (b.step("a", s), b.step("b", s));
    let (count_a, count_b) = (b.counter(2), b.counter(1));
    let choices = choices.map(|most| b.counter(most));
    b.at(s).counters = (0, 2 + choices.is_some() as u16);
    if chooser {
        let chooser = b.worker("chooser");
        b.at(s).chooser = Some(chooser);
    }
    b.enter(s);
    b.label("choose").choose(s, choices, &[("a", count_a), ("b", count_b)]).leave(s).ret();
    b.label("a").call(a, &[next("choose"), cancel()]);
    b.label("b").call(z, &[next("choose"), back("a").counted(count_a), send("return").leaving(&[s]), cancel()]);
    b
}

#[test]
fn without_a_chooser_each_once_in_written_order() {
    let world = World::new(select(false, None).finish());
    assert_eq!(world.run(), ["s/a#1: x.a -> next", "s/b#1: x.a.b -> next", "sent x.a.b"]);
    assert_eq!(World::new(select(false, Some(1)).finish()).end(), "sent x.a");
}

#[test]
fn a_chooser_picks_repeatedly_until_it_finishes() {
    let world = World::new(select(true, None).finish()).reply("chooser", &[says("b"), says("a"), says("finish")]);
    assert_eq!(
        world.run(),
        [
            "s#1: x.chooser (b) -> b",
            "s/b#1: x.b -> next",
            "s#2: x.b.chooser (a) -> a",
            "s/a#1: x.b.a -> next",
            "s#3: x.b.a.chooser (finish) -> finish",
            "sent x.b.a"
        ]
    );
}

#[test]
fn a_select_that_is_used_up_ends_with_what_it_has() {
    let world = World::new(select(true, None).finish()).reply("chooser", &[says("a"), says("b"), says("a")]);
    let trace = world.run();
    // Nothing is left: nobody is asked.
    assert_eq!(trace.iter().filter(|line| line.starts_with("s#")).count(), 3);
    assert_eq!(trace.last().unwrap(), "sent x.a.b.a");
    assert_eq!(World::new(select(true, Some(1)).finish()).reply("chooser", &[says("a")]).end(), "sent x.a");
}

#[test]
fn back_and_send_in_a_select() {
    let world = World::new(select(true, None).finish()).reply("chooser", &[says("b")]).reply("b", &[says("back")]);
    assert_eq!(
        world.run()[1..4],
        ["s/b#1: x.b (back) -> back", "s/a#1: x.b.a -> next", "s#2: x.b.a.chooser (b) -> not-chosen"]
    );
    let world = World::new(select(true, None).finish()).reply("chooser", &[says("b")]).reply("b", &[says("send")]);
    assert_eq!(world.end(), "sent x.b");
}

#[test]
fn a_chooser_that_names_nothing_is_asked_once_more() {
    for nothing in [says("nonsense"), ok(), fails(), says("next")] {
        let world =
            World::new(select(true, None).finish()).reply("chooser", &[nothing.clone(), says("a"), says("finish")]);
        let trace = world.run();
        assert!(trace[0].starts_with("s#1: ") && trace[0].ends_with("-> not-chosen"), "{trace:#?}");
        assert_eq!(trace[1], "s#1 2: x.chooser (a) -> a");
        let twice = World::new(select(true, None).finish()).reply("chooser", &[nothing]);
        assert_eq!(twice.end(), "Failure E0709 at s");
    }
}

#[test]
fn the_chooser_is_offered_what_is_left() {
    let input = aivm_schema::artifact::Draft::default().seal(1, [0; 10]).unwrap();
    let mut machine = Machine::start(select(true, None).finish(), input.clone(), RunLimits::default());
    let mut offered = Vec::new();
    for word in ["b", "a", "a"] {
        let Action::Call(choice) = machine.step(&mut 100) else { panic!() };
        assert_eq!(choice.purpose, Purpose::Choose(StageId(0)));
        offered.push(machine.words(choice.request).join(" "));
        let said = Answer::Done { output: input.clone(), verdict: Some(word.into()), usage: Usage::default() };
        machine.complete(choice.request, said).unwrap();
        let Action::Call(step) = machine.step(&mut 100) else { panic!() };
        machine
            .complete(step.request, Answer::Done { output: input.clone(), verdict: None, usage: Usage::default() })
            .unwrap();
    }
    assert_eq!(offered, ["a b finish", "a finish", "a finish"]);
}

#[test]
fn a_select_is_cancelled_while_it_chooses() {
    let world =
        World::new(select(true, None).finish()).reply("chooser", &[says("a").after(50).stubborn()]).cancel_at(10);
    assert_eq!(world.run(), ["s#1 is cancelled", "s#1: x.chooser (a) -> cancelled", "Cancel"]);
}
