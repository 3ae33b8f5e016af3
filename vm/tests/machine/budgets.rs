//! What calls may take: budgets of steps and stages, limits of the whole run.

use crate::build::*;
use crate::world::*;
use aivm_schema::module::*;
use aivm_vm::*;

/// `a` again and again, by `back`, in a stage with this budget; a match that catches `exhausted` calls `cheap`.
fn looped(budget: u64, price: Option<u64>) -> Build {
    let mut b = Build::new();
    let s = b.stage("s", StageKind::Switch, None);
    b.at(s).money = Some(budget);
    let a = b.step("a", s);
    if let Some(price) = price {
        b.price("a", price);
    }
    let m = b.stage("m", StageKind::Match, None);
    let cheap = b.step("cheap", m);
    let visits = b.counter(9);
    b.enter(s);
    b.label("a").call(a, &[back("a").counted(visits), retry(5)]);
    b.label("catch")
        .enter(m)
        .if_kind(&[EndKind::Exhausted], "cheap")
        .put(aivm_schema::isa::Instruction::Fail { stage: m });
    b.label("cheap").call(cheap, &[send("return").leaving(&[m])]);
    b.catch(s, &[EndKind::Exhausted], None, "catch");
    b
}

#[test]
fn a_call_that_its_stage_cannot_pay_for_is_not_made_nor_retried() {
    // Exhausted is taken by `back`, until its count is spent too: none of those calls is made.
    let trace = World::new(looped(100, Some(40)).finish()).reply("a", &[ok().costs(30)]).run();
    assert_eq!(
        trace[..4],
        ["s/a#1: x.a -> back", "s/a#2: x.a.a -> back", "s/a#3: x.a.a.a -> back", "s/a#4 not made E0705 -> back"]
    );
    assert_eq!(trace.iter().filter(|line| line.contains("not made")).count(), 7);
    assert!(trace.last().unwrap().starts_with("sent x!E0703.cheap"));
}

#[test]
fn what_a_call_really_took_counts() {
    let calls = |cost| {
        let trace = World::new(looped(100, Some(40)).finish()).reply("a", &[ok().costs(cost)]).run();
        trace.iter().filter(|line| line.contains(": x")).count()
    };
    // With `cheap`; where nothing is spent, nine times back and then five retries.
    assert_eq!((calls(60), calls(61), calls(0)), (3, 2, 16));
}

#[test]
fn an_unknown_price_needs_something_left() {
    let trace = World::new(looped(100, None).finish()).reply("a", &[ok().costs(99), ok().costs(50)]).run();
    assert_eq!(trace[..3], ["s/a#1: x.a -> back", "s/a#2: x.a.a -> back", "s/a#3 not made E0705 -> back"]);
}

#[test]
fn a_step_has_a_budget_for_each_visit_with_its_retries() {
    let mut b = Build::new();
    let s = b.stage("s", StageKind::Switch, None);
    let a = b.step("a", s);
    b.of(a).money = Some(100);
    b.price("a", 40);
    b.undo(a, "undo-a");
    let visits = b.counter(2);
    b.enter(s).count(visits);
    b.label("a").call(a, &[send("return").leaving(&[s]), retry(9), back("a").counted(visits), cancel()]);
    let world = World::new(b.finish()).reply("a", &[fails().costs(40)]);
    assert_eq!(
        world.run(),
        [
            "s/a#1: Failure -> retry",
            "s/a#1 2: Failure -> retry",
            "s/a#1 not made E0705 -> back",
            "s/a#2: Failure -> retry",
            "s/a#2 2: Failure -> retry",
            "s/a#2 not made E0705 -> cancel (not back)",
            "Exhausted E0705 at s/a#2"
        ]
    );
}

#[test]
fn the_items_of_a_fan_out_share_the_budget_of_its_step() {
    let mut b = Build::new();
    let s = b.stage("s", StageKind::Switch, None);
    let (make, each) = (b.step("make", s), b.step("each", s));
    b.of(each).money = Some(100);
    b.price("each", 40);
    b.undo(each, "undo-each");
    b.enter(s).call(make, &[next("each")]);
    b.label("each").map(each, "item", &[next("return").leaving(&[s])]);
    b.label("item").call(each, &[next("hand"), carry_on("hand")]);
    let world = World::new(b.finish()).reply("make", &[text("p+q+r")]).reply("each", &[ok().costs(40)]);
    assert_eq!(
        world.run()[1..],
        [
            "s/each#1[2] not made E0705 -> continue",
            "s/each#1[0]: p.each -> next",
            "s/each#1[1]: q.each -> next",
            "s/each#1 mapped [1=p.each 2=q.each 3=r!E0705] -> next",
            "sent [1=p.each 2=q.each 3=r!E0705]"
        ]
    );
}

#[test]
fn what_is_under_way_has_reserved_its_price() {
    let mut b = Build::new();
    let j = b.stage("j", StageKind::Join, None);
    b.at(j).money = Some(100);
    let steps = ["a", "b", "c"].map(|name| b.step(name, j));
    for name in ["a", "b", "c"] {
        b.price(name, 40);
    }
    b.enter(j).join(j, 2, &["a", "b", "c"]).leave(j).ret();
    for (name, step) in ["a", "b", "c"].iter().zip(steps) {
        b.label(name).call(step, &[next("hand")]);
    }
    let module = b.finish();
    assert_eq!(World::new(module.clone()).run()[0], "j/c#1 not made E0705 -> exhausted");
    assert_eq!(World::new(module).end(), "sent [a=x.a b=x.b]");
}

/// A select with a budget, whose chooser costs 10 and whose steps cost 40.
fn select(chooser: bool, budget: u64) -> Build {
    let mut b = Build::new();
    let s = b.stage("s", StageKind::Select, None);
    b.at(s).money = Some(budget);
    let (a, z) = (b.step("a", s), b.step("b", s));
    for (worker, price) in [("a", 40), ("b", 40), ("chooser", 10)] {
        b.price(worker, price);
    }
    let counters = [b.counter(5), b.counter(5)];
    b.at(s).counters = (0, 2);
    if chooser {
        let chooser = b.worker("chooser");
        b.at(s).chooser = Some(chooser);
    }
    b.enter(s);
    b.label("choose").choose(s, None, &[("a", counters[0]), ("b", counters[1])]).leave(s).ret();
    b.label("a").call(a, &[next("choose"), cancel()]);
    b.label("b").call(z, &[next("choose"), cancel()]);
    b
}

#[test]
fn a_select_ends_with_what_it_has() {
    let spent = |worker| (worker, [says("a").costs(10)]);
    let (chooser, reply) = spent("chooser");
    let run = |chosen, budget| {
        World::new(select(chosen, budget).finish()).reply(chooser, &reply).reply("a", &[ok().costs(40)]).run()
    };
    // The chooser cannot be paid; the step that it chose cannot; there is no chooser.
    assert_eq!(run(true, 50)[2..], ["s#2 not made E0705 -> finish", "sent x.a"]);
    assert_eq!(run(true, 60)[2..], ["s#2: x.a.chooser (a) -> a", "s/a#2 not made E0705 -> finish", "sent x.a"]);
    assert_eq!(run(false, 60)[1..], ["s/b#1 not made E0705 -> finish", "sent x.a"]);
}

/// `a` then `b`, 40 each.
fn two() -> VerifiedModule {
    let mut b = Build::new();
    let s = b.stage("s", StageKind::Switch, None);
    let (a, z) = (b.step("a", s), b.step("b", s));
    b.undo(a, "undo-a");
    b.price("a", 40);
    b.price("b", 40);
    b.enter(s).call(a, &[next("b")]);
    b.label("b").call(z, &[send("return").leaving(&[s]), cancel()]);
    b.finish()
}

fn money(limit: u64) -> RunLimits {
    RunLimits { money: Some(limit), ..RunLimits::default() }
}

#[test]
fn a_run_whose_limit_is_spent_parks_and_goes_on_when_it_is_raised() {
    let world = World::new(two()).reply("a", &[ok().costs(40)]).limits(money(79)).raise(money(79)).raise(money(80));
    assert_eq!(
        world.run(),
        ["s/a#1: x.a -> next", "parks: Money", "parks: Money", "s/b#1: x.a.b -> send", "sent x.a.b"]
    );
    let calls = |calls| RunLimits { calls: Some(calls), ..RunLimits::default() };
    let world = World::new(two()).limits(calls(1)).raise(calls(2));
    assert_eq!(world.run()[1], "parks: Calls");
}

#[test]
fn a_parked_run_can_be_cancelled_and_undo_is_not_limited() {
    let world = World::new(two()).reply("a", &[ok().costs(40)]).limits(money(40)).cancel_at(1_000_000);
    assert_eq!(world.run(), ["s/a#1: x.a -> next", "parks: Money", "s/a#1~undo: x.a.undo-a -> undone", "Cancel"]);
}

#[test]
fn a_run_parks_when_what_is_under_way_has_been_answered() {
    let mut b = Build::new();
    let j = b.stage("j", StageKind::Join, None);
    let (a, z, c) = (b.step("a", j), b.step("b", j), b.step("c", j));
    b.enter(j).join(j, 2, &["a", "b"]).leave(j).ret();
    b.label("a").call(a, &[next("c")]);
    b.label("c").call(c, &[next("hand")]);
    b.label("b").call(z, &[next("hand")]);
    let limit = |calls| RunLimits { calls: Some(calls), ..RunLimits::default() };
    let world = World::new(b.finish()).reply("b", &[ok().after(9)]).limits(limit(2)).raise(limit(3));
    assert_eq!(
        world.run(),
        ["j/a#1: x.a -> next", "j/b#1: x.b -> next", "parks: Calls", "j/c#1: x.a.c -> next", "sent [a=x.a.c b=x.b]"]
    );
}

#[test]
fn a_call_is_told_what_it_may_take() {
    let input = aivm_schema::artifact::Draft::default().seal(1, [0; 10]).unwrap();
    let mut machine = Machine::start(looped(100, None).finish(), input.clone(), money(70));
    let mut told = Vec::new();
    for _ in 0..2 {
        let Action::Call(call) = machine.step(&mut 100) else { panic!() };
        told.push((call.money, call.tokens));
        let usage = Usage { money: 30, tokens: 5, ..Usage::default() };
        machine.complete(call.request, Answer::Done { output: input.clone(), verdict: None, usage }).unwrap();
    }
    assert_eq!(told, [(Some(70), None), (Some(40), None)]);
    assert_eq!(machine.totals(), Totals { calls: 2, money: 60, tokens: 10 });
}
