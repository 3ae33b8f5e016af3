//! Endings on their way outwards: undo in reverse order, handlers, what was cancelled from outside.

use crate::build::*;
use crate::world::*;
use aivm_schema::isa::Instruction as I;
use aivm_schema::module::EndKind::*;
use aivm_schema::module::*;

/// Steps with undoers `-a`, `-b` in a stage, then `end`, whose answer decides.
fn transaction() -> Build {
    let mut b = Build::new();
    let s = b.stage("s", StageKind::Switch, None);
    for name in ["a", "b"] {
        let step = b.step(name, s);
        b.undo(step, &format!("undo-{name}"));
    }
    let end = b.step("end", s);
    b.enter(s).call(StepId(0), &[next("b")]);
    b.label("b").call(StepId(1), &[next("end")]);
    b.label("end").call(end, &[send("return").leaving(&[s]), cancel()]);
    b
}

#[test]
fn what_was_done_is_undone_in_reverse() {
    let world = World::new(transaction().finish()).reply("end", &[says("cancel")]);
    assert_eq!(
        world.run()[2..],
        [
            "s/end#1: x.a.b.end (cancel) -> cancel",
            "s/b#1~undo: x.a.b.undo-b -> undone",
            "s/a#1~undo: x.a.undo-a -> undone",
            "Cancel"
        ]
    );
}

#[test]
fn what_is_sent_is_not_undone() {
    assert_eq!(World::new(transaction().finish()).run().len(), 4);
}

#[test]
fn an_undoer_is_tried_three_times_then_left_and_the_others_go_on() {
    let world = World::new(transaction().finish()).reply("end", &[fails()]).reply("undo-b", &[fails()]);
    assert_eq!(
        world.run()[3..],
        [
            "s/b#1~undo: Failure -> not-undone",
            "s/b#1~undo 2: Failure -> not-undone",
            "s/b#1~undo 3: Failure -> not-undone",
            "s/a#1~undo: x.a.undo-a -> undone",
            "Failure E0900 at s/end#1; not undone: s/b#1~undo"
        ]
    );
    let second = World::new(transaction().finish()).reply("end", &[fails()]).reply("undo-b", &[fails(), ok()]);
    assert_eq!(second.end(), "Failure E0900 at s/end#1");
}

#[test]
fn a_worker_that_returned_nonsense_has_done_something() {
    let world = World::new(transaction().finish()).reply("a", &[says("nonsense")]);
    assert_eq!(
        world.run(),
        ["s/a#1: x.a (nonsense) -> failed by E0702", "s/a#1~undo: x.a.undo-a -> undone", "Failure E0702 at s/a#1"]
    );
}

/// A stage with an undo step inside another, and a match that catches below the inner one.
fn caught(kinds: &[EndKind], most: Option<u16>) -> Build {
    let mut b = Build::new();
    let outer = b.stage("o", StageKind::Switch, None);
    let before = b.step("before", outer);
    b.undo(before, "undo-before");
    let s = b.stage("s", StageKind::Switch, Some(outer));
    let (a, end) = (b.step("a", s), b.step("end", s));
    b.undo(a, "undo-a");
    let m = b.stage("m", StageKind::Match, Some(outer));
    let after = b.step("after", m);
    let entries = most.map(|most| b.counter(most));
    let again = b.counter(3);
    b.enter(outer).call(before, &[next("s").counted(again)]);
    b.label("s").enter(s).call(a, &[next("end")]);
    b.label("end").call(end, &[send("m").leaving(&[s]), cancel(), timeout()]);
    b.label("m").enter(m).goto("flow");
    b.label("catch").enter(m).if_kind(kinds, "after").put(I::Fail { stage: m });
    b.label("flow").pick(&[send("return").leaving(&[m, outer])]);
    b.label("after")
        .call(after, &[next("return").leaving(&[m, outer]), cancel(), jump("s", "s").leaving(&[m]).counted(again)]);
    b.catch(s, kinds, entries, "catch");
    b
}

#[test]
fn before_a_match_catches_that_stage_is_undone_and_no_other() {
    let world = World::new(caught(&[Failure], None).finish()).reply("end", &[fails()]);
    assert_eq!(
        world.run(),
        [
            "o/before#1: x.before -> next",
            "s/a#1: x.before.a -> next",
            "s/end#1: Failure -> cancel",
            "s/a#1~undo: x.before.a.undo-a -> undone",
            "m/after#1: x.before!E0900.after -> next",
            "sent x.before!E0900.after"
        ]
    );
}

#[test]
fn a_match_catches_the_kinds_that_it_names() {
    let end = |kinds: &[EndKind], reply| World::new(caught(kinds, None).finish()).reply("end", &[reply]).end();
    assert_eq!(end(&[Failure, Exhausted], says("cancel")), "Cancel");
    assert_eq!(end(&[Cancel], says("cancel")), "sent x.before.after");
    assert_eq!(end(&[Cancel], fails()), "Failure E0900 at s/end#1");
    assert_eq!(end(&[Timeout], says("timeout")), "sent x.before.after");
    assert_eq!(end(&[Timeout], ok()), "sent x.before.a.end");
}

#[test]
fn cancel_in_an_arm_that_catches_is_a_cancel_of_its_own_step() {
    let world =
        World::new(caught(&[Failure], None).finish()).reply("end", &[fails()]).reply("after", &[says("cancel")]);
    assert_eq!(
        world.run()[4..],
        [
            "m/after#1: x.before!E0900.after (cancel) -> cancel",
            "o/before#1~undo: x.before.undo-before -> undone",
            "Cancel"
        ]
    );
}

#[test]
fn a_match_whose_count_is_spent_catches_nothing() {
    let world = World::new(caught(&[Failure], Some(1)).finish()).reply("end", &[fails()]).reply("after", &[says("s")]);
    let trace = world.run();
    assert_eq!(trace.iter().filter(|line| line.starts_with("m/after")).count(), 1);
    assert_eq!(trace.last().unwrap(), "Failure E0900 at s/end#2");
    let twice =
        World::new(caught(&[Failure], Some(2)).finish()).reply("end", &[fails()]).reply("after", &[says("s"), ok()]);
    assert_eq!(twice.end(), "sent x.before!E0900.after!E0900.after");
}

#[test]
fn an_arm_that_cancels_raises_again_what_was_caught() {
    let mut b = Build::new();
    let (s, m) = (b.stage("s", StageKind::Switch, None), b.stage("m", StageKind::Match, None));
    let a = b.step("a", s);
    b.enter(s).call(a, &[send("return").leaving(&[s])]);
    b.label("catch").enter(m).if_kind(&[Failure], "cancel").put(I::Fail { stage: m });
    b.label("cancel").pick(&[cancel()]);
    b.catch(s, &[Failure, Timeout], None, "catch");
    let module = b.finish();
    assert_eq!(World::new(module.clone()).reply("a", &[fails()]).end(), "Failure E0900 at s/a#1");
    // No arm for it: it goes on as it came.
    assert_eq!(World::new(module).reply("a", &[fails_by(Timeout)]).end(), "Timeout E0900 at s/a#1");
}

#[test]
fn a_stage_left_in_success_passes_its_undoers_outwards() {
    let mut b = Build::new();
    let outer = b.stage("o", StageKind::Switch, None);
    let s = b.stage("s", StageKind::Switch, Some(outer));
    let a = b.step("a", s);
    b.undo(a, "undo-a");
    let z = b.step("z", outer);
    b.undo(z, "undo-z");
    let end = b.step("end", outer);
    b.enter(outer).enter(s).call(a, &[next("z").leaving(&[s])]);
    b.label("z").call(z, &[next("end")]);
    b.label("end").call(end, &[send("return").leaving(&[outer])]);
    let trace = World::new(b.finish()).reply("end", &[fails()]).run();
    assert_eq!(trace[3..5], ["o/z#1~undo: x.a.z.undo-z -> undone", "s/a#1~undo: x.a.undo-a -> undone"]);
}

/// A definition `inner` with an undo step, called by a step before `end`.
fn definition(own_undo: bool) -> Build {
    let mut b = Build::new();
    let s = b.stage("s", StageKind::Switch, None);
    let call = b.step_of("inner", s, StepTarget::Function(FunctionId(1)));
    if own_undo {
        b.undo(call, "undo-inner");
    }
    let end = b.step("end", s);
    b.enter(s).call(call, &[next("end"), cancel()]);
    b.label("end").call(end, &[send("return").leaving(&[s])]);
    b.function("inner");
    let t = b.stage("t", StageKind::Switch, None);
    let (a, z) = (b.step("a", t), b.step("z", t));
    b.undo(a, "undo-a");
    b.enter(t).call(a, &[next("z2")]);
    b.label("z2").call(z, &[send("return").leaving(&[t])]);
    b
}

#[test]
fn a_definition_hands_its_undoers_to_its_caller() {
    let trace = World::new(definition(false).finish()).reply("end", &[fails()]).run();
    assert_eq!(trace[4..], ["s/inner#1/t/a#1~undo: x.a.undo-a -> undone", "Failure E0900 at s/end#1"]);
}

#[test]
fn an_undoer_of_a_definition_stands_for_all_of_it() {
    let trace = World::new(definition(true).finish()).reply("end", &[fails()]).run();
    assert_eq!(trace[4..], ["s/inner#1~undo: x.a.z.undo-inner -> undone", "Failure E0900 at s/end#1"]);
    // It never returned: its own steps are undone.
    let trace = World::new(definition(true).finish()).reply("z", &[fails()]).run();
    assert_eq!(
        trace[1..],
        [
            "s/inner#1/t/z#1: Failure -> failed",
            "s/inner#1/t/a#1~undo: x.a.undo-a -> undone",
            "s/inner#1 ended Failure E0900 -> cancel",
            "Failure E0900 at s/inner#1/t/z#1"
        ]
    );
}

/// An undo step whose undoer is a definition.
fn undone_by_definition() -> Build {
    let mut b = Build::new();
    let s = b.stage("s", StageKind::Switch, None);
    let (a, end) = (b.step("a", s), b.step("end", s));
    b.of(a).undo = Some(StepTarget::Function(FunctionId(1)));
    b.enter(s).call(a, &[next("end")]);
    b.label("end").call(end, &[send("return").leaving(&[s])]);
    b.function("take-back");
    let t = b.stage("t", StageKind::Switch, None);
    let (one, two) = (b.step("one", t), b.step("two", t));
    b.undo(one, "undo-one");
    b.enter(t).call(one, &[next("two")]);
    b.label("two").call(two, &[send("return").leaving(&[t])]);
    b
}

#[test]
fn a_definition_may_undo() {
    let trace = World::new(undone_by_definition().finish()).reply("end", &[fails()]).run();
    assert_eq!(
        trace[2..],
        [
            "s/a#1~undo/t/one#1: x.a.one -> next",
            "s/a#1~undo/t/two#1: x.a.one.two -> send",
            "s/a#1~undo ended x.a.one.two -> undone",
            "Failure E0900 at s/end#1"
        ]
    );
}

#[test]
fn a_definition_that_fails_to_undo_is_undone_itself_and_tried_again() {
    let trace =
        World::new(undone_by_definition().finish()).reply("end", &[fails()]).reply("two", &[fails(), ok()]).run();
    assert_eq!(
        trace[3..6],
        [
            "s/a#1~undo/t/two#1: Failure -> failed",
            "s/a#1~undo/t/one#1~undo: x.a.one.undo-one -> undone",
            "s/a#1~undo ended Failure E0900 -> not-undone"
        ]
    );
    assert_eq!(trace.last().unwrap(), "Failure E0900 at s/end#1");
    let never = World::new(undone_by_definition().finish()).reply("end", &[fails()]).reply("two", &[fails()]);
    assert_eq!(never.end(), "Failure E0900 at s/end#1; not undone: s/a#1~undo");
}

#[test]
fn a_run_that_is_cancelled_from_outside_is_undone() {
    let world = World::new(transaction().finish()).reply("end", &[ok().after(50)]).cancel_at(10);
    assert_eq!(
        world.run()[2..],
        [
            "s/end#1 is cancelled",
            "s/end#1: Cancel -> cancelled",
            "s/b#1~undo: x.a.b.undo-b -> undone",
            "s/a#1~undo: x.a.undo-a -> undone",
            "Cancel"
        ]
    );
}

#[test]
fn a_call_that_completes_although_it_was_cancelled_is_undone_first() {
    let world = World::new(transaction().finish()).reply("b", &[ok().after(50).stubborn()]).cancel_at(10);
    assert_eq!(
        world.run()[1..],
        [
            "s/b#1 is cancelled",
            "s/b#1: x.a.b -> cancelled",
            "s/b#1~undo: x.a.b.undo-b -> undone",
            "s/a#1~undo: x.a.undo-a -> undone",
            "Cancel"
        ]
    );
}

#[test]
fn nothing_catches_a_cancel_from_outside() {
    let everything = [Cancel, Failure, Exhausted, Timeout];
    let world = World::new(caught(&everything, None).finish()).reply("end", &[ok().after(50)]).cancel_at(10);
    assert_eq!(world.end(), "Cancel");
}

#[test]
fn undo_under_way_is_not_cancelled() {
    for undoer in [transaction().finish(), undone_by_definition().finish()] {
        let world = World::new(undoer)
            .reply("end", &[fails()])
            .reply("undo-b", &[ok().after(50)])
            .reply("one", &[ok().after(50)])
            .cancel_at(10);
        let trace = world.run();
        assert!(trace.iter().all(|line| !line.contains("is cancelled")), "{trace:#?}");
        assert_eq!(trace.last().unwrap(), "Cancel");
    }
}

#[test]
fn a_definition_is_cancelled_together_with_what_is_around_it() {
    let world = World::new(definition(false).finish()).reply("z", &[ok().after(50)]).cancel_at(10);
    assert_eq!(
        world.run()[1..],
        [
            "s/inner#1/t/z#1 is cancelled",
            "s/inner#1/t/z#1: Cancel -> cancelled",
            "s/inner#1/t/a#1~undo: x.a.undo-a -> undone",
            "s/inner#1 ended Cancel -> cancelled",
            "Cancel"
        ]
    );
}

#[test]
fn an_error_that_cannot_be_attached_does_not_stop_the_flow() {
    let world = World::new(caught(&[Failure], None).finish()).reply("end", &[fails()]).unmakeable();
    assert_eq!(world.end(), "sent x.before.after");
}
