//! Snapshots: what every other test does by the way is not repeated here; hostile ones are.

use crate::build::*;
use aivm_schema::artifact::{Artifact, Checksum, Draft};
use aivm_schema::module::*;
use aivm_vm::snapshot::SNAPSHOT_VERSION;
use aivm_vm::*;
use std::collections::HashMap;

#[derive(Default)]
struct Store(HashMap<Checksum, Artifact>);

impl Store {
    fn make(&mut self, text: &str) -> Artifact {
        let artifact = Draft { payload: text.into(), ..Draft::default() }.seal(1, [3; 10]).unwrap();
        self.0.insert(artifact.checksum(), artifact.clone());
        artifact
    }

    fn reload(&self, module: &VerifiedModule, bytes: &[u8]) -> Result<Machine, SnapshotError> {
        Machine::reload(module.clone(), bytes, &mut |sum| self.0.get(&sum).cloned())
    }
}

/// A bit of everything: a join of a definition with a fan-out, a select and a waiting sibling; undo, handler, budget, deadline.
fn everything() -> VerifiedModule {
    let mut b = Build::new();
    let j = b.stage("j", StageKind::Join, None);
    (b.at(j).money, b.at(j).deadline_ms) = (Some(1_000), Some(5_000));
    let call = b.step_of("inner", j, StepTarget::Function(FunctionId(1)));
    b.of(call).deadline_ms = Some(1_000);
    let (a, late) = (b.step("a", j), b.step("late", j));
    let register = b.register();
    b.of(a).output = Some(register);
    b.of(a).money = Some(100);
    b.undo(a, "undo-a");
    let select = b.stage("select", StageKind::Select, Some(j));
    let option = b.step("option", select);
    let visits = b.counter(3);
    (b.at(j).counters, b.at(select).counters) = ((0, 1), (0, 1));
    let chooser = b.worker("chooser");
    b.at(select).chooser = Some(chooser);
    let m = b.stage("m", StageKind::Match, None);
    b.enter(j).join(j, 4, &["inner", "a", "late", "select"]).leave(j).ret();
    b.label("inner").call(call, &[next("hand"), retry(1)]);
    b.label("a").call(a, &[next("hand"), retry(2)]);
    b.label("late").put(aivm_schema::isa::Instruction::Wait { stage: j, element: 1 });
    b.put(aivm_schema::isa::Instruction::Ref { register }).put(aivm_schema::isa::Instruction::Ref { register: INPUT });
    b.put(aivm_schema::isa::Instruction::Gather { step: late, parts: true }).call(late, &[next("hand"), cancel()]);
    b.label("select").enter(select);
    b.label("choose").choose(select, None, &[("option", visits)]).leave(select).hand();
    b.label("option").call(option, &[next("choose")]);
    b.label("catch").enter(m).pick(&[send("return").leaving(&[m])]);
    b.catch(j, &[EndKind::Failure], None, "catch");
    b.function("inner");
    let s = b.stage("s", StageKind::Switch, None);
    let each = b.step("each", s);
    b.of(each).undo = Some(StepTarget::Function(FunctionId(2)));
    b.enter(s).map(each, "item", &[next("return").leaving(&[s])]);
    b.label("item").call(each, &[next("hand"), retry(1), carry_on("hand")]);
    b.function("take-back");
    let t = b.stage("t", StageKind::Switch, None);
    let back = b.step("back", t);
    b.enter(t).call(back, &[next("return").leaving(&[t])]);
    b.finish()
}

/// A source of numbers, the same each time.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Plays on with random answers, at most `moves` of them. Whatever happens, nothing panics; says whether the run ended.
fn play(
    machine: &mut Machine,
    store: &mut Store,
    dice: &mut Dice,
    moves: usize,
    mut each: impl FnMut(&Machine, &mut Store),
) -> bool {
    let (mut calls, mut makes, mut timers) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..moves {
        match machine.step(&mut 500) {
            Action::Call(call) => calls.push(call),
            Action::Make(make) => makes.push(make),
            Action::StartTimer { timer, .. } => timers.push(timer),
            Action::Park(_) => machine.raise(RunLimits::default()),
            Action::End(_) => return true,
            Action::Wait | Action::Yield => {
                each(machine, store);
                match dice.throw(40) {
                    0 => machine.cancel(),
                    1 if !timers.is_empty() => {
                        machine.expire(timers.swap_remove(dice.throw(timers.len() as u64) as usize))
                    }
                    // A forged machine may wait for an answer that nobody owes it.
                    _ if makes.is_empty() && calls.is_empty() => return false,
                    _ if !makes.is_empty() && (calls.is_empty() || dice.throw(2) == 0) => {
                        let make = makes.swap_remove(dice.throw(makes.len() as u64) as usize);
                        let made = match make.recipe {
                            Recipe::Count(_) => machine.counted(make.request, dice.throw(4) as u32),
                            _ => {
                                let artifact = store.make(&format!("{}", dice.throw(9)));
                                machine.made(make.request, artifact)
                            }
                        };
                        made.unwrap();
                    }
                    _ => {
                        let call = calls.swap_remove(dice.throw(calls.len() as u64) as usize);
                        let words: Vec<String> =
                            machine.words(call.request).iter().map(|word| word.to_string()).collect();
                        let verdict = words.get(dice.throw(words.len() as u64 + 3) as usize).cloned();
                        let usage = Usage { money: dice.throw(50), tokens: 1, ..Usage::default() };
                        let answer = if dice.throw(5) == 0 {
                            let error = CallError { code: "E0900".into(), message: "no".into(), step: String::new() };
                            Answer::Failed { kind: EndKind::Failure, error, usage }
                        } else {
                            Answer::Done { output: store.make(&format!("{}", dice.throw(9))), verdict, usage }
                        };
                        machine.complete(call.request, answer).unwrap();
                    }
                }
            }
            _ => {}
        }
    }
    false
}

#[test]
fn a_reloaded_machine_is_the_same_machine() {
    let module = everything();
    for seed in 1..200 {
        let (mut store, mut dice) = (Store::default(), Dice(seed));
        let mut machine =
            Machine::start(module.clone(), store.make("x"), RunLimits { calls: Some(9), ..RunLimits::default() });
        let mut snapshots = 0;
        let ended = play(&mut machine, &mut store, &mut dice, 5_000, |machine, store| {
            let snapshot = machine.snapshot();
            let again = store.reload(&module, &snapshot).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            // Numbers of free places may differ; what is written of it again, and again, does not.
            let once = store.reload(&module, &again.snapshot()).unwrap().snapshot();
            assert_eq!(once, again.snapshot());
            assert_eq!(once, snapshot);
            snapshots += 1;
        });
        assert!(ended && snapshots > 2, "seed {seed}");
    }
}

/// Snapshots of random moments of random runs.
fn samples(module: &VerifiedModule, store: &mut Store) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for seed in 1..40 {
        let mut machine = Machine::start(module.clone(), store.make("x"), RunLimits::default());
        play(&mut machine, store, &mut Dice(seed * 7_919), 5_000, |machine, _| all.push(machine.snapshot()));
        all.push(machine.snapshot());
    }
    all
}

/// `AIVM_SNAPSHOTS` makes it so many times longer.
#[test]
fn a_damaged_snapshot_is_refused_or_runs_without_a_panic() {
    let module = everything();
    let mut store = Store::default();
    let samples = samples(&module, &mut store);
    let mut dice = Dice(42);
    let (mut refused, mut ran) = (0, 0);
    let often = std::env::var("AIVM_SNAPSHOTS").ok().and_then(|often| often.parse().ok()).unwrap_or(1);
    for _ in 0..30_000 * often {
        let mut bytes = samples[dice.throw(samples.len() as u64) as usize].clone();
        for _ in 0..=dice.throw(3) {
            let at = dice.throw(bytes.len() as u64) as usize;
            bytes[at] = match dice.throw(4) {
                0 => dice.throw(256) as u8,
                3 => bytes[at] ^ 1 << dice.throw(8),
                1 => bytes[at].wrapping_add(1),
                _ => bytes[at].wrapping_sub(1),
            };
        }
        match store.reload(&module, &bytes) {
            Ok(mut machine) => {
                ran += 1;
                play(&mut machine, &mut store, &mut dice, 300, |machine, _| {
                    machine.snapshot();
                });
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 10_000 && ran > 1_000, "{refused} refused, {ran} ran");
}

#[test]
fn every_cut_is_refused() {
    let module = everything();
    let mut store = Store::default();
    for sample in samples(&module, &mut store).into_iter().step_by(40) {
        for end in 0..sample.len() {
            assert!(store.reload(&module, &sample[..end]).is_err(), "{end}");
        }
        let longer = [sample.as_slice(), &[0]].concat();
        assert!(matches!(store.reload(&module, &longer), Err(SnapshotError::Malformed(_))));
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let module = everything();
    let mut store = Store::default();
    let mut machine = Machine::start(module.clone(), store.make("x"), RunLimits::default());
    play(&mut machine, &mut store, &mut Dice(5), 20, |_, _| {});
    let snapshot = machine.snapshot();
    let refused = |store: &Store, module: &VerifiedModule, bytes: &[u8]| store.reload(module, bytes).err();
    assert_eq!(refused(&store, &module, &[]), Some(SnapshotError::Empty));
    let other = [&[SNAPSHOT_VERSION + 1], &snapshot[1..]].concat();
    assert_eq!(refused(&store, &module, &other), Some(SnapshotError::Version(SNAPSHOT_VERSION + 1)));
    let mut b = Build::new();
    b.ret();
    assert_eq!(refused(&store, &b.finish(), &snapshot), Some(SnapshotError::OtherProgram));
    assert!(matches!(refused(&Store::default(), &module, &snapshot), Some(SnapshotError::Missing(_))));
}

#[test]
fn what_is_asked_for_again_is_the_same() {
    let module = everything();
    let mut store = Store::default();
    let mut machine = Machine::start(module.clone(), store.make("x"), RunLimits::default());
    let mut asked = Vec::new();
    loop {
        match machine.step(&mut 500) {
            Action::Wait => break,
            action => asked.push(format!("{action:?}")),
        }
    }
    assert!(asked.iter().any(|action| action.contains("Count")), "{asked:#?}");
    let mut again = store.reload(&module, &machine.snapshot()).unwrap();
    let mut repeated = Vec::new();
    loop {
        match again.step(&mut 500) {
            Action::Wait => break,
            action => repeated.push(format!("{action:?}")),
        }
    }
    asked.sort();
    repeated.sort();
    assert_eq!(asked, repeated);
}
