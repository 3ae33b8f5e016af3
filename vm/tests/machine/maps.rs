//! Fan-outs: one call for each part, results in input order.

use crate::build::*;
use crate::world::*;
use aivm_schema::artifact::{Artifact, Draft};
use aivm_schema::limits;
use aivm_schema::module::*;
use aivm_vm::*;

/// `make` makes the parts, `each` gets them; its items retry once.
fn fan_out(ways: &[Way], item: &[Way]) -> Build {
    let mut b = Build::new();
    let s = b.stage("s", StageKind::Switch, None);
    let (make, each) = (b.step("make", s), b.step("each", s));
    b.undo(each, "undo-each");
    b.of(each).verdicts = b.words(&["fine"]);
    b.enter(s).call(make, &[next("each")]);
    let ways: Vec<Way> = ways.iter().map(|way| way.clone().leaving(&[s])).collect();
    b.label("each").map(each, "item", &ways);
    b.label("item").call(each, item);
    b
}

fn simple() -> Build {
    fan_out(&[next("return"), cancel()], &[next("hand")])
}

#[test]
fn results_in_input_order_with_their_verdicts() {
    let world = World::new(simple().finish())
        .reply("make", &[text("p+q+r")])
        .reply("s/each#1[0]", &[ok().after(9)])
        .reply("s/each#1[2]", &[says("fine").after(3)]);
    assert_eq!(
        world.run()[1..],
        [
            "s/each#1[1]: q.each -> next",
            "s/each#1[2]: r.each (fine) -> next",
            "s/each#1[0]: p.each -> next",
            "s/each#1 mapped [1=p.each 2=q.each 3=r.each(fine)] -> next",
            "sent [1=p.each 2=q.each 3=r.each(fine)]"
        ]
    );
}

#[test]
fn no_parts_no_calls_success() {
    let world = World::new(simple().finish()).reply("make", &[text("none")]);
    assert_eq!(world.run()[1..], ["s/each#1 mapped [] -> next", "sent []"]);
}

#[test]
fn a_lost_item_cancels_the_rest_and_fails_the_step() {
    let world = World::new(simple().finish())
        .reply("make", &[text("p+q+r")])
        .reply("s/each#1[0]", &[ok()])
        .reply("s/each#1[1]", &[fails().after(2)])
        .reply("s/each#1[2]", &[ok().after(9).stubborn()]);
    assert_eq!(
        world.run()[1..],
        [
            "s/each#1[0]: p.each -> next",
            "s/each#1[1]: Failure -> failed",
            "s/each#1[2] is cancelled",
            "s/each#1[2]: r.each -> cancelled",
            "s/each#1[2]~undo: r.each.undo-each -> undone",
            "s/each#1 mapped Failure E0900 -> cancel",
            "s/each#1[0]~undo: p.each.undo-each -> undone",
            "Failure E0900 at s/each#1[1]"
        ]
    );
}

#[test]
fn an_item_is_retried_by_itself_and_then_goes_on_as_it_came() {
    let module = fan_out(&[next("return"), carry_on("return")], &[next("hand"), retry(1), carry_on("hand")]).finish();
    let world = World::new(module).reply("make", &[text("p+q")]).reply("s/each#1[1]", &[fails()]);
    assert_eq!(
        world.run()[2..],
        [
            "s/each#1[1]: Failure -> retry",
            "s/each#1[1] 2: Failure -> continue (not retry)",
            "s/each#1 mapped [1=p.each 2=q!E0900] -> next",
            "sent [1=p.each 2=q!E0900]"
        ]
    );
}

#[test]
fn a_failed_fan_out_is_visited_again_with_all_its_parts() {
    let module = fan_out(&[next("return"), retry(1)], &[next("hand")]).finish();
    let world = World::new(module).reply("make", &[text("p+q")]).reply("s/each#1[0]", &[fails(), ok()]);
    let trace = world.run();
    assert!(trace.contains(&"s/each#1 mapped Failure E0900 -> retry".to_owned()), "{trace:#?}");
    assert_eq!(trace.last().unwrap(), "sent [1=p.each 2=q.each]");
}

#[test]
fn items_call_definitions() {
    let mut b = Build::new();
    let s = b.stage("s", StageKind::Switch, None);
    let each = b.step_of("each", s, StepTarget::Function(FunctionId(1)));
    b.enter(s).map(each, "item", &[next("return").leaving(&[s])]);
    b.label("item").call(each, &[next("hand")]);
    b.function("inner");
    let t = b.stage("t", StageKind::Switch, None);
    let a = b.step("a", t);
    b.enter(t).call(a, &[send("return").leaving(&[t])]);
    assert_eq!(
        World::new(b.finish()).run(),
        [
            "s/each#1[0]/t/a#1: x.a -> send",
            "s/each#1[0] ended x.a -> next",
            "s/each#1 mapped [1=x.a] -> next",
            "sent [1=x.a]"
        ]
    );
}

#[test]
fn what_cannot_be_made_fails_the_step() {
    let world = World::new(simple().finish()).unmakeable();
    assert_eq!(world.run()[1..], ["s/each#1 mapped Failure E0741 -> cancel", "Failure E0741 at s/each#1"]);
}

#[test]
fn a_cancelled_run_stops_a_fan_out() {
    let world =
        World::new(simple().finish()).reply("make", &[text("p+q")]).reply("each", &[ok().after(50)]).cancel_at(10);
    let trace = world.run();
    assert_eq!(
        trace[1..5],
        [
            "s/each#1[0] is cancelled",
            "s/each#1[1] is cancelled",
            "s/each#1[0]: Cancel -> cancelled",
            "s/each#1[1]: Cancel -> cancelled"
        ]
    );
}

fn artifact() -> Artifact {
    Draft::default().seal(1, [0; 10]).unwrap()
}

/// The machine of `simple` when the number of parts is asked for.
fn asked() -> (Machine, RequestId) {
    let mut machine = Machine::start(simple().finish(), artifact(), RunLimits::default());
    let Action::Call(make) = machine.step(&mut 100) else { panic!() };
    machine
        .complete(make.request, Answer::Done { output: artifact(), verdict: None, usage: Usage::default() })
        .unwrap();
    let Action::Make(Make { request, recipe: Recipe::Count(_) }) = machine.step(&mut 100) else { panic!() };
    (machine, request)
}

#[test]
fn at_most_so_many_items_run_at_once_and_all_do_in_the_end() {
    let (mut machine, request) = asked();
    let total = 5_000;
    machine.counted(request, total).unwrap();
    let (mut most, mut items, mut open) = (0, 0, Vec::new());
    loop {
        match machine.step(&mut 1_000_000) {
            Action::Make(Make { request, recipe: Recipe::Item { index, .. } }) => {
                assert_eq!(index, items);
                items += 1;
                machine.made(request, artifact()).unwrap();
            }
            Action::Call(call) => open.push(call.request),
            Action::Wait => {
                most = most.max(machine.fibers() - 1);
                let request = open.pop().unwrap();
                machine
                    .complete(request, Answer::Done { output: artifact(), verdict: None, usage: Usage::default() })
                    .unwrap();
            }
            Action::Make(Make { request, recipe: Recipe::Pack(parts) }) => {
                assert_eq!(parts.len(), total as usize);
                machine.made(request, artifact()).unwrap();
            }
            Action::Mapped(_) => {}
            Action::End(end) => {
                assert!(end.result.is_ok());
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((most, items), (limits::IN_FLIGHT, total));
}

#[test]
fn there_may_be_a_million_parts_and_no_more() {
    let (mut machine, request) = asked();
    machine.counted(request, limits::ITEMS).unwrap();
    assert!(matches!(machine.step(&mut 100), Action::Make(_)));
    let (mut machine, request) = asked();
    machine.counted(request, limits::ITEMS + 1).unwrap();
    let Action::Mapped(end) = machine.step(&mut 100) else { panic!() };
    assert_eq!(end.error.map(|error| error.code).as_deref(), Some("E0710"));
}

/// Fan-outs inside fan-outs, deeper than fibers would last if all started at once.
#[test]
fn fan_outs_inside_fan_outs_wait_for_fibers_and_go_on() {
    let mut b = Build::new();
    for level in 0..3u16 {
        if level > 0 {
            b.function(&format!("level{level}"));
        }
        let s = b.stage(&format!("s{level}"), StageKind::Switch, None);
        let target =
            if level < 2 { StepTarget::Function(FunctionId(level + 1)) } else { StepTarget::Worker(b.worker("leaf")) };
        let each = b.step_of("each", s, target);
        let item = format!("item{level}");
        b.enter(s).map(each, &item, &[next("return").leaving(&[s])]);
        b.label(&item).call(each, &[next("hand")]);
    }
    let mut machine = Machine::start(b.finish(), artifact(), RunLimits::default());
    let (mut calls, mut most, mut open) = (0, 0, Vec::new());
    let widths = [40, 1_000, 4];
    loop {
        match machine.step(&mut 1_000_000) {
            Action::Make(Make { request, recipe: Recipe::Count(_) }) => {
                // The depth of a fan-out is the number of definitions around it.
                open.push(request);
            }
            Action::Make(make) => machine.made(make.request, artifact()).unwrap(),
            Action::Call(call) => {
                calls += 1;
                machine
                    .complete(call.request, Answer::Done { output: call.input, verdict: None, usage: Usage::default() })
                    .unwrap();
            }
            Action::Wait => {
                most = most.max(machine.fibers());
                // Once all that runs waits to be counted, the widths are told from the outside inwards.
                let width = match open.len() {
                    1 if calls == 0 && most == 1 => widths[0],
                    _ if most <= 41 => widths[1],
                    _ => widths[2],
                };
                for request in std::mem::take(&mut open) {
                    machine.counted(request, width).unwrap();
                }
            }
            Action::Ended(_) | Action::Mapped(_) => {}
            Action::End(end) => {
                assert!(end.result.is_ok());
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(calls, 40 * 1_000 * 4);
    assert!(most > limits::FIBERS / 2 && most <= limits::FIBERS + 41 * 1_000, "{most}");
}
