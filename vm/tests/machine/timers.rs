//! Deadlines of stages and of definitions.

use crate::build::*;
use crate::world::*;
use aivm_schema::isa::Instruction as I;
use aivm_schema::module::EndKind::*;
use aivm_schema::module::*;

/// `a` in a stage of 20 ms inside one of 100 ms; a match below the inner one may catch.
fn stages(catches: &[EndKind]) -> Build {
    let mut b = Build::new();
    let outer = b.stage("o", StageKind::Switch, None);
    b.at(outer).deadline_ms = Some(100);
    let s = b.stage("s", StageKind::Switch, Some(outer));
    b.at(s).deadline_ms = Some(20);
    let (before, a) = (b.step("before", s), b.step("a", s));
    b.undo(before, "undo-before");
    let m = b.stage("m", StageKind::Match, Some(outer));
    let after = b.step("after", m);
    b.enter(outer).enter(s).call(before, &[next("a")]);
    b.label("a").call(a, &[send("return").leaving(&[s, outer]), retry(1), back("return").leaving(&[s, outer])]);
    b.label("catch").enter(m).if_kind(catches, "after").put(I::Fail { stage: m });
    b.label("after").call(after, &[next("return").leaving(&[m, outer]), timeout()]);
    b.catch(s, catches, None, "catch");
    b
}

#[test]
fn a_stage_out_of_time_is_undone_and_may_be_caught() {
    let world = World::new(stages(&[Timeout]).finish()).reply("a", &[ok().after(50)]);
    assert_eq!(
        world.run(),
        [
            "s/before#1: x.before -> next",
            "s/a#1 is cancelled",
            "s/a#1: Cancel -> cancelled",
            "s/before#1~undo: x.before.undo-before -> undone",
            "m/after#1: x!E0706.after -> next",
            "sent x!E0706.after"
        ]
    );
    assert_eq!(World::new(stages(&[Failure]).finish()).reply("a", &[ok().after(50)]).end(), "Timeout E0706 at s");
}

#[test]
fn in_time_no_timer_is_left() {
    assert_eq!(World::new(stages(&[Timeout]).finish()).end(), "sent x.before.a");
}

#[test]
fn the_stage_around_runs_out_of_time_while_the_inner_one_is_undone() {
    let world =
        World::new(stages(&[Timeout]).finish()).reply("a", &[ok().after(50)]).reply("undo-before", &[ok().after(500)]);
    // Its undo is awaited; then nothing inside the outer stage catches any more.
    assert_eq!(world.run()[3..], ["s/before#1~undo: x.before.undo-before -> undone", "Timeout E0706 at o"]);
}

#[test]
fn the_time_of_an_arm_is_the_time_of_the_stage_around() {
    let world =
        World::new(stages(&[Timeout]).finish()).reply("a", &[ok().after(50)]).reply("after", &[ok().after(500)]);
    assert_eq!(world.run()[4..], ["m/after#1 is cancelled", "m/after#1: Cancel -> cancelled", "Timeout E0706 at o"]);
}

/// Time stands still for a stage that is being undone, also when the step has a budget of its own.
#[test]
fn what_is_undone_after_the_deadline_does_not_change_the_ending() {
    for money in [None, Some(100)] {
        let mut b = Build::new();
        let s = b.stage("s", StageKind::Switch, None);
        b.at(s).deadline_ms = Some(20);
        let a = b.step("a", s);
        b.of(a).money = money;
        b.undo(a, "undo-a");
        b.enter(s).call(a, &[next("return").leaving(&[s]), cancel()]);
        let world = World::new(b.finish()).reply("a", &[says("cancel")]).reply("undo-a", &[ok().after(50)]);
        assert_eq!(world.run(), ["s/a#1: x.a (cancel) -> cancel", "s/a#1~undo: x.a.undo-a -> undone", "Cancel"]);
    }
}

/// A step of 20 ms that calls a definition; `inside` names what that has around its step: a switch, or a join.
fn definition(kind: StageKind) -> Build {
    let mut b = Build::new();
    let s = b.stage("s", StageKind::Switch, None);
    let call = b.step_of("inner", s, StepTarget::Function(FunctionId(1)));
    b.of(call).deadline_ms = Some(20);
    b.enter(s).call(call, &[next("return").leaving(&[s]), retry(1), timeout(), cancel()]);
    b.function("inner");
    let t = b.stage("t", kind, None);
    let a = b.step("a", t);
    let m = b.stage("m", StageKind::Match, None);
    b.enter(t);
    if kind == StageKind::Join {
        b.join(t, 1, &["a"]).leave(t).ret();
        b.label("a").call(a, &[next("hand")]);
    } else {
        b.call(a, &[next("return").leaving(&[t])]);
    }
    // Nothing inside the definition catches its own deadline.
    b.label("catch").enter(m).pick(&[send("return").leaving(&[m])]);
    b.catch(t, &[Timeout, Cancel], None, "catch");
    b
}

#[test]
fn the_deadline_of_a_definition_is_a_call_out_of_time() {
    for kind in [StageKind::Switch, StageKind::Join] {
        let world = World::new(definition(kind).finish()).reply("a", &[ok().after(50), ok()]);
        assert_eq!(
            world.run(),
            [
                "s/inner#1/t/a#1 is cancelled",
                "s/inner#1/t/a#1: Cancel -> cancelled",
                "s/inner#1 ended Timeout E0706 -> retry",
                "s/inner#1/t/a#1: x.a -> next",
                "s/inner#1 ended x.a -> next",
                "sent x.a"
            ]
        );
        let world = World::new(definition(kind).finish()).reply("a", &[ok().after(50)]);
        assert_eq!(world.end(), "Timeout E0706 at s/inner#1");
    }
}

#[test]
fn a_join_out_of_time_stops_its_branches() {
    let mut b = Build::new();
    let j = b.stage("j", StageKind::Join, None);
    b.at(j).deadline_ms = Some(20);
    let (a, z) = (b.step("a", j), b.step("b", j));
    b.undo(a, "undo-a");
    b.enter(j).join(j, 2, &["a", "b"]).leave(j).ret();
    b.label("a").call(a, &[next("hand")]);
    b.label("b").call(z, &[next("hand")]);
    let world = World::new(b.finish()).reply("b", &[ok().after(50)]);
    assert_eq!(
        world.run(),
        [
            "j/a#1: x.a -> next",
            "j/b#1 is cancelled",
            "j/b#1: Cancel -> cancelled",
            "j/a#1~undo: x.a.undo-a -> undone",
            "Timeout E0706 at j"
        ]
    );
}
