//! Calls and what their answers lead to: the rules in a running machine, keys, counters, references, definitions.

use crate::build::*;
use crate::world::*;
use aivm_schema::isa::Instruction as I;
use aivm_schema::module::*;
use aivm_vm::*;

/// A switch of `a` (at most `visits` visits) and `b`, where `b` may go back.
fn ping_pong(visits: u16, ways_of_b: impl Fn(CounterId, StageId) -> Vec<Way>) -> VerifiedModule {
    let mut b = Build::new();
    let s = b.stage("s", StageKind::Switch, None);
    let (one, two) = (b.step("a", s), b.step("b", s));
    let (count_a, count_b) = (b.counter(visits), b.counter(9));
    b.at(s).counters = (0, 2);
    b.enter(s).count(count_a);
    b.label("a").call(one, &[next("b").counted(count_b)]);
    b.label("b").call(two, &ways_of_b(count_a, s));
    b.finish()
}

#[test]
fn a_word_chooses_and_is_used_up() {
    let module = ping_pong(3, |a, s| vec![back("a").counted(a), send("return").leaving(&[s])]);
    let world = World::new(module).reply("b", &[says("back"), ok()]);
    assert_eq!(
        world.run(),
        [
            "s/a#1: x.a -> next",
            "s/b#1: x.a.b (back) -> back",
            "s/a#2: x.a.b.a -> next",
            "s/b#2: x.a.b.a.b -> send",
            "sent x.a.b.a.b"
        ]
    );
}

#[test]
fn a_no_once_too_often_is_exhausted() {
    let module = ping_pong(2, |a, s| vec![back("a").counted(a), carry_on("return").leaving(&[s])]);
    let trace = World::new(module).reply("b", &[says("back")]).run();
    assert_eq!(trace[3..], ["s/b#2: x.a.b.a.b (back) -> exhausted (not back)", "Exhausted E0703 at s/b#2"]);
}

#[test]
fn a_failure_goes_back_with_the_input_and_the_error() {
    let module = ping_pong(3, |a, s| vec![back("a").counted(a), send("return").leaving(&[s])]);
    let trace = World::new(module).reply("b", &[fails(), ok()]).run();
    assert_eq!(trace[1..3], ["s/b#1: Failure -> back", "s/a#2: x.a!E0900.a -> next"]);
}

#[test]
fn an_unknown_word_is_a_failure_that_names_the_words() {
    let module = ping_pong(3, |_, s| vec![send("return").leaving(&[s]), cancel()]);
    let trace = World::new(module).reply("b", &[says("nonsense")]).run();
    assert_eq!(trace[1..], ["s/b#1: x.a.b (nonsense) -> cancel by E0702", "Failure E0702 at s/b#1"]);
}

#[test]
fn an_unknown_word_is_not_hidden_by_an_outcome_that_takes_failures() {
    let module = ping_pong(3, |a, s| vec![back("a").counted(a), send("return").leaving(&[s])]);
    let trace = World::new(module).reply("b", &[says("nonsense"), ok()]).run();
    assert_eq!(trace[1..3], ["s/b#1: x.a.b (nonsense) -> back by E0702", "s/a#2: x.a!E0702.a -> next"]);
}

#[test]
fn a_word_of_another_step_is_unknown_too() {
    let module = ping_pong(3, |_, s| vec![send("return").leaving(&[s])]);
    let trace = World::new(module).reply("b", &[says("next")]).run();
    assert_eq!(trace[1..], ["s/b#1: x.a.b (next) -> failed by E0702", "Failure E0702 at s/b#1"]);
}

#[test]
fn cancel_is_chosen_or_keeps_what_failed() {
    let module = ping_pong(3, |_, s| vec![send("return").leaving(&[s]), cancel(), timeout()]);
    assert_eq!(World::new(module.clone()).reply("b", &[says("cancel")]).end(), "Cancel");
    assert_eq!(World::new(module.clone()).reply("b", &[fails()]).end(), "Failure E0900 at s/b#1");
    assert_eq!(World::new(module.clone()).reply("b", &[says("timeout")]).end(), "Timeout");
    let late = World::new(module).reply("b", &[fails_by(EndKind::Timeout)]);
    assert_eq!(late.run()[1..], ["s/b#1: Timeout -> timeout", "Timeout E0900 at s/b#1"]);
}

#[test]
fn a_retry_is_no_visit() {
    let module = ping_pong(3, |a, s| vec![send("return").leaving(&[s]), retry(2), back("a").counted(a), retry(1)]);
    let trace = World::new(module).reply("b", &[fails(), fails(), fails(), fails_by(EndKind::Exhausted), ok()]).run();
    assert_eq!(
        trace[1..],
        [
            "s/b#1: Failure -> retry",
            "s/b#1 2: Failure -> retry",
            "s/b#1 3: Failure -> back (not retry)",
            "s/a#2: x.a!E0900.a -> next",
            "s/b#2: Exhausted -> back",
            "s/a#3: x.a!E0900.a!E0900.a -> next",
            "s/b#3: x.a!E0900.a!E0900.a.b -> send",
            "sent x.a!E0900.a!E0900.a.b"
        ]
    );
}

#[test]
fn the_second_retry_counts_on_from_the_first() {
    let module =
        ping_pong(1, |a, s| vec![send("return").leaving(&[s]), retry(1), back("a").counted(a), retry(2), cancel()]);
    let trace = World::new(module).reply("b", &[fails()]).run();
    assert_eq!(
        trace[1..],
        [
            "s/b#1: Failure -> retry",
            "s/b#1 2: Failure -> retry (not retry, back)",
            "s/b#1 3: Failure -> retry (not retry, back)",
            "s/b#1 4: Failure -> cancel (not retry, back, retry)",
            "Failure E0900 at s/b#1"
        ]
    );
}

#[test]
fn a_back_that_leads_nowhere_is_passed_over() {
    let nowhere = |_: CounterId, s| vec![back(""), carry_on("return").leaving(&[s])];
    let module = ping_pong(1, nowhere);
    assert_eq!(World::new(module.clone()).end(), "sent x.a");
    assert_eq!(World::new(module).reply("b", &[says("back")]).end(), "Exhausted E0703 at s/b#1");
}

#[test]
fn continue_carries_the_input_and_the_verdict_on() {
    let mut b = Build::new();
    let s = b.stage("s", StageKind::Switch, None);
    let judge = b.step("judge", s);
    b.of(judge).verdicts = b.words(&["good", "bad"]);
    b.enter(s).call(judge, &[carry_on("return").leaving(&[s])]);
    b.module.functions[0].verdicts = b.words(&["good", "bad"]);
    let world = World::new(b.finish()).reply("judge", &[says("good")]);
    assert_eq!(world.run(), ["s/judge#1: x.judge (good) -> continue", "sent x (good)"]);
}

#[test]
fn a_match_takes_the_arm_of_the_verdict_or_names_its_words() {
    let mut b = Build::new();
    let s = b.stage("s", StageKind::Switch, None);
    let judge = b.step("judge", s);
    b.of(judge).verdicts = b.words(&["good", "bad", "odd"]);
    let m = b.stage("m", StageKind::Match, None);
    b.at(m).names = b.words(&["good", "bad"]);
    let better = b.step("better", m);
    b.enter(s).call(judge, &[next("m").leaving(&[s])]);
    b.label("m").enter(m).if_word("good", "send").if_word("bad", "better").put(I::Fail { stage: m });
    b.label("send").pick(&[send("return").leaving(&[m])]);
    b.label("better").call(better, &[next("return").leaving(&[m])]);
    let module = b.finish();
    let end = |word: &str| World::new(module.clone()).reply("judge", &[says(word)]).end();
    assert_eq!(end("good"), "sent x.judge (good)");
    assert_eq!(end("bad"), "sent x.judge.better");
    assert_eq!(end("odd"), "Failure E0708 at m");
}

#[test]
fn done_holds_in_the_last_entry() {
    let mut b = Build::new();
    let (s, m) = (b.stage("s", StageKind::Switch, None), b.stage("m", StageKind::Match, None));
    let a = b.step("a", s);
    let entries = b.counter(3);
    b.count(entries);
    b.label("s").enter(s).call(a, &[next("m").leaving(&[s])]);
    b.label("m").enter(m).if_last(entries, "done").goto("again");
    b.label("done").pick(&[send("return").leaving(&[m])]);
    b.label("again").pick(&[jump("s", "s").leaving(&[m]).counted(entries), cancel()]);
    assert_eq!(World::new(b.finish()).end(), "sent x.a.a.a");
}

#[test]
fn entering_a_stage_sets_the_counts_inside_it_to_zero() {
    let mut b = Build::new();
    let outer = b.stage("o", StageKind::Switch, None);
    let inner = b.stage("i", StageKind::Switch, Some(outer));
    let (a, z) = (b.step("a", inner), b.step("z", outer));
    let (entries, visits) = (b.counter(2), b.counter(2));
    b.at(outer).counters = (0, 2);
    b.at(inner).counters = (1, 1);
    b.enter(outer).count(entries);
    b.label("i").enter(inner).count(visits);
    b.label("a").call(a, &[back("a").counted(visits), next("z").leaving(&[inner])]);
    b.label("z").call(z, &[back("i").counted(entries), send("return").leaving(&[outer])]);
    let world =
        World::new(b.finish()).reply("a", &[says("back"), ok(), says("back"), ok()]).reply("z", &[says("back"), ok()]);
    // Key numbers only grow.
    assert_eq!(
        world.run().iter().map(|line| line.split(':').next().unwrap()).collect::<Vec<_>>(),
        ["i/a#1", "i/a#2", "o/z#1", "i/a#3", "i/a#4", "o/z#2", "sent x.a.a.z.a.a.z"]
    );
}

#[test]
fn a_spent_count_ends_the_stage_around() {
    let mut b = Build::new();
    let s = b.stage("s", StageKind::Switch, None);
    let a = b.step("a", s);
    let entries = b.counter(1);
    b.enter(s);
    b.label("a").count(entries).call(a, &[back("a")]);
    assert_eq!(World::new(b.finish()).run(), ["s/a#1: x.a -> back", "Exhausted E0704 at s"]);
}

#[test]
fn references_gather_what_has_run() {
    let mut b = Build::new();
    let s = b.stage("s", StageKind::Switch, None);
    let (a, c, never) = (b.step("a", s), b.step("c", s), b.step("never", s));
    let registers = [b.register(), b.register(), b.register()];
    b.of(a).output = Some(registers[0]);
    b.of(a).input = Some(registers[1]);
    b.of(never).output = Some(registers[2]);
    let (output, input, missing) =
        (I::Ref { register: registers[0] }, I::Ref { register: registers[1] }, I::Ref { register: registers[2] });
    b.enter(s).call(a, &[carry_on("c")]);
    b.label("c")
        .put(I::Ref { register: INPUT })
        .put(output)
        .put(missing)
        .put(input)
        .put(I::Gather { step: c, parts: true });
    b.call(c, &[next("one")]);
    b.label("one").put(missing).put(output).put(I::Gather { step: c, parts: false }).call(c, &[next("none")]);
    b.label("none").put(missing).put(I::Gather { step: never, parts: false });
    b.call(never, &[back("return").leaving(&[s])]);
    assert_eq!(
        World::new(b.finish()).run(),
        [
            "s/a#1: x.a -> continue",
            "s/c#1: [in=x a=x.a a=x].c -> next",
            "s/c#2: x.a.c -> next",
            "s/never#1 not made E0701 -> back",
            "sent x.a.c!E0701"
        ]
    );
}

#[test]
fn a_stage_keeps_its_input_and_what_left_it_by_the_flow() {
    let mut b = Build::new();
    let s = b.stage("s", StageKind::Switch, None);
    let t = b.stage("t", StageKind::Switch, None);
    let (a, c) = (b.step("a", s), b.step("c", t));
    let registers = [b.register(), b.register()];
    (b.at(s).input, b.at(s).output) = (Some(registers[0]), Some(registers[1]));
    b.enter(s).call(a, &[next("t").leaving(&[s]), jump("t", "t").leaving(&[s])]);
    b.label("t").enter(t).put(I::Ref { register: registers[0] }).put(I::Ref { register: registers[1] });
    b.put(I::Gather { step: c, parts: true }).call(c, &[next("return").leaving(&[t])]);
    let module = b.finish();
    assert_eq!(World::new(module.clone()).end(), "sent [s=x s=x.a].c");
    assert_eq!(World::new(module).reply("a", &[says("t")]).end(), "sent [s=x].c");
}

/// `out` calls `inner`, which calls `a`; `inner` hands on the verdict `fine`.
fn definition(ways: &[Way]) -> Build {
    let mut b = Build::new();
    let s = b.stage("s", StageKind::Switch, None);
    let call = b.step_of("inner", s, StepTarget::Function(FunctionId(1)));
    b.of(call).verdicts = b.words(&["fine"]);
    let ways: Vec<Way> = ways.iter().map(|way| way.clone().leaving(&[s])).collect();
    b.enter(s).call(call, &ways);
    b.function("inner");
    b.module.functions[1].verdicts = b.words(&["fine"]);
    let t = b.stage("t", StageKind::Switch, None);
    let a = b.step("a", t);
    b.of(a).verdicts = b.words(&["fine"]);
    b.enter(t).call(a, &[send("return").leaving(&[t]), cancel()]);
    b
}

#[test]
fn a_definition_is_called_with_an_input_and_answers_with_its_verdict() {
    let world = World::new(definition(&[next("return")]).finish()).reply("a", &[says("fine")]);
    assert_eq!(world.run(), ["s/inner#1/t/a#1: x.a (fine) -> send", "s/inner#1 ended x.a -> next", "sent x.a (fine)"]);
}

#[test]
fn a_definition_that_ends_otherwise_is_a_call_that_failed() {
    let module = definition(&[next("return"), retry(1), back("return")]).finish();
    let world = World::new(module).reply("a", &[fails(), says("cancel")]);
    assert_eq!(
        world.run(),
        [
            "s/inner#1/t/a#1: Failure -> cancel",
            "s/inner#1 ended Failure E0900 -> retry",
            "s/inner#1/t/a#1: x.a (cancel) -> cancel",
            // A cancel that was chosen has no error to carry.
            "s/inner#1 ended Cancel -> back (not retry)",
            "sent x"
        ]
    );
}

#[test]
fn nobody_else_is_answered() {
    let module = ping_pong(1, |_, s| vec![send("return").leaving(&[s])]);
    let input = aivm_schema::artifact::Draft::default().seal(1, [0; 10]).unwrap();
    let mut machine = Machine::start(module, input.clone(), RunLimits::default());
    let Action::Call(call) = machine.step(&mut 100) else { panic!() };
    assert_eq!(machine.words(call.request), ["next"]);
    assert!(matches!(machine.step(&mut 100), Action::Wait));
    let done = Answer::Done { output: input.clone(), verdict: None, usage: Usage::default() };
    let stranger = RequestId(99);
    assert_eq!(machine.complete(stranger, done.clone()), Err(CompleteError::Unknown(stranger)));
    assert_eq!(machine.made(call.request, input), Err(CompleteError::WrongAnswer(call.request)));
    assert_eq!(machine.counted(call.request, 1), Err(CompleteError::WrongAnswer(call.request)));
    assert!(machine.complete(call.request, done.clone()).is_ok());
    assert_eq!(machine.complete(call.request, done), Err(CompleteError::Answered(call.request)));
    assert!(machine.words(call.request).is_empty());
    assert_eq!(machine.totals().calls, 1);
}
