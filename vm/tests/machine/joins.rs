//! Joins: what is handed on, who is cancelled, siblings that wait.

use crate::build::*;
use crate::world::*;
use aivm_schema::isa::Instruction as I;
use aivm_schema::module::EndKind::*;
use aivm_schema::module::*;

const NAMES: [&str; 3] = ["a", "b", "c"];

/// A join that takes the first `take` of `a`, `b`, `c`, each undone by `undo-…`; then `end`.
fn join(take: u16) -> Build {
    let mut b = Build::new();
    let j = b.stage("j", StageKind::Join, None);
    for name in NAMES {
        let step = b.step(name, j);
        b.undo(step, &format!("undo-{name}"));
        b.of(step).verdicts = b.words(&["fine"]);
    }
    let s = b.stage("s", StageKind::Switch, None);
    let end = b.step("end", s);
    b.enter(j).join(j, take, &NAMES).leave(j);
    b.enter(s).call(end, &[send("return").leaving(&[s]), cancel()]);
    for (at, name) in NAMES.iter().enumerate() {
        b.label(name).call(StepId(at as u16), &[next("hand"), cancel()]);
    }
    b
}

#[test]
fn all_parts_in_written_order() {
    let world = World::new(join(3).finish()).reply("a", &[ok().after(9)]).reply("b", &[says("fine").after(5)]);
    assert_eq!(
        world.run(),
        [
            "j/c#1: x.c -> next",
            "j/b#1: x.b (fine) -> next",
            "j/a#1: x.a -> next",
            "s/end#1: [a=x.a b=x.b(fine) c=x.c].end -> send",
            "sent [a=x.a b=x.b(fine) c=x.c].end"
        ]
    );
}

#[test]
fn the_winner_of_a_race_goes_on_with_its_verdict() {
    let mut b = Build::new();
    let j = b.stage("j", StageKind::Join, None);
    for name in NAMES {
        let step = b.step(name, j);
        b.of(step).verdicts = b.words(&["fine"]);
    }
    b.enter(j).join(j, 1, &NAMES).leave(j).ret();
    for (at, name) in NAMES.iter().enumerate() {
        b.label(name).call(StepId(at as u16), &[next("hand")]);
    }
    let world =
        World::new(b.finish()).reply("a", &[ok().after(9)]).reply("b", &[says("fine")]).reply("c", &[ok().after(9)]);
    assert_eq!(world.end(), "sent x.b (fine)");
}

#[test]
fn losers_are_cancelled_awaited_and_undone_before_the_join_goes_on() {
    let world = World::new(join(2).finish()).reply("b", &[ok().after(9).stubborn()]).reply("c", &[ok().after(3)]);
    assert_eq!(
        world.run(),
        [
            "j/a#1: x.a -> next",
            "j/c#1: x.c -> next",
            "j/b#1 is cancelled",
            "j/b#1: x.b -> cancelled",
            "j/b#1~undo: x.b.undo-b -> undone",
            "s/end#1: [a=x.a c=x.c].end -> send",
            "sent [a=x.a c=x.c].end"
        ]
    );
}

#[test]
fn a_lost_branch_is_forgiven_while_enough_are_left() {
    let world = World::new(join(2).finish()).reply("a", &[fails()]);
    assert_eq!(world.end(), "sent [b=x.b c=x.c].end");
}

#[test]
fn too_few_left_ends_the_join_as_the_first_one_lost() {
    let world = World::new(join(2).finish())
        .reply("a", &[fails_by(Timeout)])
        .reply("b", &[ok().after(2)])
        .reply("c", &[fails().after(3)]);
    assert_eq!(
        world.run(),
        [
            "j/a#1: Timeout -> cancel",
            "j/b#1: x.b -> next",
            "j/c#1: Failure -> cancel",
            "j/b#1~undo: x.b.undo-b -> undone",
            "Timeout E0900 at j/a#1"
        ]
    );
    let at_once =
        World::new(join(3).finish()).reply("a", &[fails()]).reply("b", &[ok().after(9)]).reply("c", &[ok().after(9)]);
    assert_eq!(
        at_once.run(),
        [
            "j/a#1: Failure -> cancel",
            "j/b#1 is cancelled",
            "j/c#1 is cancelled",
            "j/b#1: Cancel -> cancelled",
            "j/c#1: Cancel -> cancelled",
            "Failure E0900 at j/a#1"
        ]
    );
}

#[test]
fn undoers_of_branches_run_in_reverse_order_of_completion() {
    let world = World::new(join(3).finish())
        .reply("a", &[ok().after(3)])
        .reply("c", &[ok().after(2)])
        .reply("end", &[says("cancel")]);
    let trace = world.run();
    let undone: Vec<&str> = trace.iter().filter_map(|line| line.split_once("~undo:").map(|line| line.0)).collect();
    assert_eq!(undone, ["j/a#1", "j/c#1", "j/b#1"]);
}

#[test]
fn a_cancelled_run_ends_every_branch() {
    let world = World::new(join(3).finish())
        .reply("a", &[ok()])
        .reply("b", &[ok().after(50)])
        .reply("c", &[ok().after(60).stubborn()])
        .cancel_at(10);
    assert_eq!(
        world.run(),
        [
            "j/a#1: x.a -> next",
            "j/b#1 is cancelled",
            "j/c#1 is cancelled",
            "j/b#1: Cancel -> cancelled",
            "j/c#1: x.c -> cancelled",
            "j/c#1~undo: x.c.undo-c -> undone",
            "j/a#1~undo: x.a.undo-a -> undone",
            "Cancel"
        ]
    );
}

/// `a` stands alone; `b` and `c` wait for the element `waits_for` of each.
fn siblings(waits: [Option<u16>; 3], take: u16) -> Build {
    let mut b = Build::new();
    let j = b.stage("j", StageKind::Join, None);
    let registers: Vec<RegisterId> = NAMES.iter().map(|_| b.register()).collect();
    for (name, register) in NAMES.iter().zip(&registers) {
        let step = b.step(name, j);
        b.of(step).output = Some(*register);
    }
    b.enter(j).join(j, take, &NAMES).leave(j).ret();
    for (at, name) in NAMES.iter().enumerate() {
        let step = StepId(at as u16);
        b.label(name);
        if let Some(element) = waits[at] {
            b.put(I::Wait { stage: j, element }).put(I::Ref { register: registers[usize::from(element)] });
            b.put(I::Gather { step, parts: false });
        }
        b.call(step, &[next("hand"), cancel()]);
    }
    b
}

#[test]
fn a_sibling_waits_for_another() {
    let world = World::new(siblings([None, Some(2), Some(0)], 3).finish()).reply("a", &[ok().after(9)]);
    assert_eq!(
        world.run(),
        ["j/a#1: x.a -> next", "j/c#1: x.a.c -> next", "j/b#1: x.a.c.b -> next", "sent [a=x.a b=x.a.c.b c=x.a.c]"]
    );
    // Long done when it asks.
    assert_eq!(World::new(siblings([None, Some(0), None], 3).finish()).end(), "sent [a=x.a b=x.a.b c=x.c]");
}

#[test]
fn a_sibling_that_is_lost_fails_the_call_of_who_waits() {
    let world =
        World::new(siblings([None, Some(0), None], 1).finish()).reply("a", &[fails()]).reply("c", &[ok().after(5)]);
    assert_eq!(
        world.run(),
        ["j/a#1: Failure -> cancel", "j/b#1 not made E0707 -> cancel", "j/c#1: x.c -> next", "sent x.c"]
    );
}

#[test]
fn siblings_that_wait_for_each_other_fail() {
    assert_eq!(
        World::new(siblings([Some(2), Some(0), Some(1)], 3).finish()).run(),
        ["j/a#1 not made E0711 -> cancel", "Failure E0711 at j/a#1"]
    );
    // One that does not is enough for a race.
    let race = World::new(siblings([Some(1), Some(0), None], 1).finish());
    assert_eq!(race.end(), "sent x.c");
}

#[test]
fn a_sibling_that_waits_is_cancelled() {
    let world = World::new(siblings([None, Some(0), None], 1).finish()).reply("a", &[ok().after(9)]);
    assert_eq!(world.run(), ["j/c#1: x.c -> next", "j/a#1 is cancelled", "j/a#1: Cancel -> cancelled", "sent x.c"]);
}

#[test]
fn joins_nest_and_the_inner_may_wait_for_a_sibling_of_the_outer() {
    let mut b = Build::new();
    let outer = b.stage("o", StageKind::Join, None);
    let a = b.step("a", outer);
    let register = b.register();
    b.of(a).output = Some(register);
    let inner = b.stage("i", StageKind::Join, Some(outer));
    let (c, d) = (b.step("c", inner), b.step("d", inner));
    b.enter(outer).join(outer, 2, &["a", "in"]).leave(outer).ret();
    b.label("a").call(a, &[next("hand")]);
    b.label("in").enter(inner).join(inner, 2, &["c", "d"]).leave(inner).hand();
    b.label("c")
        .put(I::Wait { stage: outer, element: 0 })
        .put(I::Ref { register })
        .put(I::Gather { step: c, parts: false });
    b.call(c, &[next("hand")]);
    b.label("d").call(d, &[next("hand")]);
    let module = b.finish();
    let world = World::new(module.clone()).reply("a", &[ok().after(5)]);
    assert_eq!(world.end(), "sent [a=x.a in=[c=x.a.c d=x.d]]");
    // A loss goes outwards through both; who waits, and who is called, is stopped.
    let world = World::new(module).reply("a", &[fails().after(5)]).reply("d", &[ok().after(9)]);
    assert_eq!(
        world.run(),
        ["o/a#1: Failure -> failed", "i/d#1 is cancelled", "i/d#1: Cancel -> cancelled", "Failure E0900 at o/a#1"]
    );
}

#[test]
fn parts_that_cannot_be_packed_end_the_join() {
    assert_eq!(World::new(join(3).finish()).unmakeable().run().last().unwrap(), "Failure E0741 at j");
    assert_eq!(World::new(join(1).finish()).unmakeable().end(), "sent x.a.end");
}

#[test]
fn a_definition_in_a_branch_is_stopped_with_it() {
    let mut b = Build::new();
    let j = b.stage("j", StageKind::Join, None);
    let call = b.step_of("inner", j, StepTarget::Function(FunctionId(1)));
    let a = b.step("a", j);
    b.enter(j).join(j, 1, &["inner", "a"]).leave(j).ret();
    b.label("inner").call(call, &[next("hand")]);
    b.label("a").call(a, &[next("hand")]);
    b.function("inner");
    let t = b.stage("t", StageKind::Join, None);
    let (c, d) = (b.step("c", t), b.step("d", t));
    b.undo(d, "undo-d");
    b.enter(t).join(t, 2, &["c", "d"]).leave(t).ret();
    b.label("c").call(c, &[next("hand")]);
    b.label("d").call(d, &[next("hand")]);
    let world = World::new(b.finish()).reply("a", &[ok().after(5)]).reply("c", &[ok().after(9)]);
    assert_eq!(
        world.run(),
        [
            "j/inner#1/t/d#1: x.d -> next",
            "j/a#1: x.a -> next",
            "j/inner#1/t/c#1 is cancelled",
            "j/inner#1/t/c#1: Cancel -> cancelled",
            "j/inner#1/t/d#1~undo: x.d.undo-d -> undone",
            "j/inner#1 ended Cancel -> cancelled",
            "sent x.a"
        ]
    );
}
