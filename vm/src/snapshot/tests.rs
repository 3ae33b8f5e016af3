//! Forged snapshots: the state of a suspended run with a few of its numbers changed, so that the rest still fits. Whatever is
//! accepted runs on without a panic. `vm/tests/machine/snapshots.rs` damages bytes; these forgeries get further.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods)]

use super::*;
use crate::action::*;
use crate::slab::{FiberId, FrameId, GroupId, Id, ScopeId};
use crate::verify::verify;
use aivm_schema::artifact::Draft;
use aivm_schema::module::*;
use std::collections::HashMap;
use std::path::Path;

/// A source of numbers, the same each time.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides.max(1)
    }

    fn id<I: Id>(&mut self, entries: usize) -> I {
        I::from_index(self.throw(entries + 1) as u32)
    }
}

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

/// Plays on with random answers, at most `moves` of them; `each` sees every suspended state.
fn play(machine: &mut Machine, store: &mut Store, dice: &mut Dice, moves: usize, mut each: impl FnMut(&Machine)) {
    let (mut calls, mut makes, mut timers) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..moves {
        match machine.step(&mut 200) {
            Action::Call(call) => calls.push(call.request),
            Action::Make(make) => makes.push(make),
            Action::StartTimer { timer, .. } => timers.push(timer),
            Action::Park(_) => {
                each(machine);
                machine.raise(RunLimits::default());
            }
            Action::End(_) => {
                each(machine);
                // Whatever a host still says is heard without harm.
                timers.into_iter().for_each(|timer| machine.expire(timer));
                machine.raise(RunLimits::default());
                machine.cancel();
                return;
            }
            Action::Wait | Action::Yield => {
                each(machine);
                match dice.throw(16) {
                    0 => machine.cancel(),
                    1 | 2 if !timers.is_empty() => machine.expire(timers.swap_remove(dice.throw(timers.len()))),
                    _ if !makes.is_empty() && dice.throw(2) == 0 => {
                        let make = makes.swap_remove(dice.throw(makes.len()));
                        let _ = match make.recipe {
                            Recipe::Count(_) => machine.counted(make.request, dice.throw(4) as u32),
                            _ if dice.throw(6) == 0 => machine.not_made(make.request, error()),
                            _ => machine.made(make.request, store.make(&dice.throw(9).to_string())),
                        };
                    }
                    _ if !calls.is_empty() => {
                        let request = calls.swap_remove(dice.throw(calls.len()));
                        let words: Vec<String> = machine.words(request).into_iter().map(str::to_owned).collect();
                        let verdict = words.get(dice.throw(words.len() + 2)).cloned();
                        let usage = Usage { money: dice.throw(50) as u64, tokens: 1, ..Usage::default() };
                        let answer = match dice.throw(4) {
                            0 => Answer::Failed { kind: EndKind::ALL[dice.throw(4)], error: error(), usage },
                            _ => Answer::Done { output: store.make(&dice.throw(9).to_string()), verdict, usage },
                        };
                        let _ = machine.complete(request, answer);
                    }
                    // A forged machine may wait for an answer that nobody owes it.
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

fn error() -> CallError {
    CallError { code: "E0900".into(), message: "no".into(), step: String::new() }
}

fn image(snapshot: &[u8]) -> Image {
    postcard::from_bytes(&snapshot[1..]).unwrap()
}

fn bytes(image: &Image) -> Vec<u8> {
    [vec![SNAPSHOT_VERSION], postcard::to_stdvec(image).unwrap()].concat()
}

/// The modules of `tests/asm`.
fn modules() -> Vec<(String, VerifiedModule)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/asm");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "asm"));
    paths.sort();
    let module = |path: &std::path::PathBuf| {
        let module = assemble(&std::fs::read_to_string(path).unwrap()).unwrap();
        (path.display().to_string(), verify(module).unwrap())
    };
    paths.iter().map(module).collect()
}

fn pick<I: Id, T>(slab: &Slab<I, T>, dice: &mut Dice) -> Option<I> {
    let ids: Vec<I> = slab.iter().map(|(id, _)| id).collect();
    ids.get(dice.throw(ids.len())).copied()
}

/// Changes something, and says what.
fn forge(data: &mut Data<u32>, module: &Module, dice: &mut Dice) -> Option<String> {
    match dice.throw(4) {
        0 => forge_fiber(data, module, dice),
        1 => forge_activation(data, module, dice),
        2 => forge_scope(data, module, dice),
        _ => forge_group(data, module, dice),
    }
}

fn forge_fiber(data: &mut Data<u32>, module: &Module, dice: &mut Dice) -> Option<String> {
    let (groups, requests) = (data.groups.len(), data.next_request);
    let id = pick(&data.fibers, dice)?;
    let fiber = &mut data.fibers[id];
    match dice.throw(8) {
        0 => {
            fiber.role = Role::Child { group: dice.id(groups), part: dice.throw(3) as u32, seat: dice.throw(3) as u32 }
        }
        1 => fiber.gathered.push((RegisterId(dice.throw(4) as u16), fiber.value)),
        2 => fiber.verdict = Some(WordId(dice.throw(module.words.len() + 2) as u16)),
        3 => drop(fiber.stack.pop()),
        4 => data.root = id,
        5 => data.starved.push_back(dice.id(groups)),
        _ => {
            let request = RequestId(requests);
            data.next_request += 1;
            let asked = [
                Asked::Step,
                Asked::Undo,
                Asked::Choose { number: dice.throw(3) as u32, attempt: dice.throw(4) as u32 },
            ];
            let making =
                [Making::Gather, Making::Count, Making::Item, Making::Parts, Making::WithError(Box::new(error()))];
            fiber.state = match dice.throw(8) {
                0 => State::Parked,
                1 => State::Group,
                2 => State::Waiting { group: dice.id(groups), element: dice.throw(3) as u32 },
                3 => State::Calling { request, asked: asked[dice.throw(3)], allowance: Allowance::default() },
                4 | 5 => State::Making { request, what: making[dice.throw(5)].clone() },
                _ => State::Ready,
            };
        }
    }
    Some(format!("fiber {id:?}: {:?}", data.fibers[id]))
}

fn forge_activation(data: &mut Data<u32>, module: &Module, dice: &mut Dice) -> Option<String> {
    let (scopes, groups, frames) = (data.scopes.len(), data.groups.len(), data.frames.len());
    let id = pick(&data.fibers, dice)?;
    let fiber = &mut data.fibers[id];
    let level = dice.throw(fiber.stack.len());
    let value = fiber.value;
    let activation = fiber.stack.get_mut(level)?;
    let step = StepId(dice.throw(module.steps.len() + 1) as u16);
    match dice.throw(12) {
        0..3 => activation.pc = dice.throw(module.code.len() + 1) as u32,
        3 => activation.scope = dice.id::<ScopeId>(scopes),
        4 => activation.base = dice.id::<ScopeId>(scopes),
        5 => activation.group = (dice.throw(3) > 0).then(|| dice.id::<GroupId>(groups)),
        6 => activation.frame = dice.id::<FrameId>(frames),
        7 => activation.function = FunctionId(dice.throw(module.functions.len() + 1) as u16),
        8 => {
            let (item, scoped) = ((dice.throw(2) == 0).then_some(1), dice.throw(2) == 0);
            let attempt = dice.throw(3) as u32;
            activation.visit =
                (dice.throw(3) > 0).then_some(Visit { step, number: 1, item, attempt, input: None, scoped });
        }
        9 => activation.unwind = None,
        10 => {
            let undoer = Undoer { sequence: 0, step, key: "x".into(), output: value };
            activation.unwind = Some(Box::new(Unwind {
                ending: Ending::cancelled(),
                until: (dice.throw(2) == 0).then(|| dice.id::<ScopeId>(scopes)),
                undoing: (dice.throw(2) == 0).then_some(Undoing { undoer, attempt: dice.throw(4) as u32 }),
            }));
        }
        _ => (activation.undo, activation.owns_frame) = (dice.throw(2) == 0, dice.throw(2) == 0),
    }
    Some(format!("fiber {id:?}, level {level}: {activation:?}"))
}

fn forge_scope(data: &mut Data<u32>, module: &Module, dice: &mut Dice) -> Option<String> {
    let (scopes, fibers, timers) = (data.scopes.len(), data.fibers.len(), data.next_timer);
    let id = pick(&data.scopes, dice)?;
    let scope = &mut data.scopes[id];
    match dice.throw(8) {
        0 => scope.parent = (dice.throw(3) > 0).then(|| dice.id::<ScopeId>(scopes)),
        1 => scope.fiber = dice.id::<FiberId>(fibers),
        2 => scope.level = dice.throw(3) as u32,
        3 => scope.kind = ScopeKind::Stage(StageId(dice.throw(module.stages.len() + 1) as u16)),
        4 => scope.kind = [ScopeKind::Base, ScopeKind::Undo, ScopeKind::Visit(StepId(0))][dice.throw(3)],
        5 => scope.timer = Some(TimerId(dice.throw(timers as usize + 1) as u64)),
        6 => {
            let pc = dice.throw(module.code.len() + 1) as u32;
            scope.finish = Some(Box::new(Finish { pc, value: 0, verdict: None }));
        }
        _ => {
            let step = StepId(dice.throw(module.steps.len() + 1) as u16);
            scope.undoers.push(Undoer { sequence: data.sequence, step, key: "x".into(), output: 0 });
        }
    }
    Some(format!("scope {id:?}: {scope:?}"))
}

fn forge_group(data: &mut Data<u32>, module: &Module, dice: &mut Dice) -> Option<String> {
    let (scopes, fibers) = (data.scopes.len(), data.fibers.len());
    let id = pick(&data.groups, dice)?;
    let group = &mut data.groups[id];
    match dice.throw(12) {
        0 => group.parent = dice.id::<FiberId>(fibers),
        1 => group.level = dice.throw(3) as u32,
        2 => group.scope = dice.id::<ScopeId>(scopes),
        3 => group.parts.push(Part::Lost),
        4 => drop(group.parts.pop()),
        5 => drop(group.living.pop()),
        6 => group.living.push(dice.id::<FiberId>(fibers)),
        7 => group.winner = Some(dice.throw(4) as u32),
        8 => group.lost = Some(Ending::cancelled()),
        9 => group.closing = !group.closing,
        10 => group.waiting.push(dice.id::<FiberId>(fibers)),
        _ => {
            let at = dice.throw(group.parts.len());
            let verdict = Some(WordId(dice.throw(module.words.len() + 1) as u16));
            *group.parts.get_mut(at)? = [Part::Running, Part::Lost, Part::Handed(0, verdict)][dice.throw(3)].clone();
            group.handed = group.parts.iter().filter(|part| matches!(part, Part::Handed(..))).count() as u32;
        }
    }
    Some(format!("group {id:?}: {group:?}"))
}

/// Puts into the queues who belongs there by its state.
fn queue(data: &mut Data<u32>) {
    let with = |state| data.fibers.iter().filter(move |(_, fiber)| fiber.state == state).map(|(id, _)| id);
    let (ready, parked) = (with(State::Ready).collect(), with(State::Parked).map(|id| (id, Limit::Calls)).collect());
    (data.ready, data.parked) = (ready, parked);
}

/// Says at what a test panicked.
struct Now(String);

impl Drop for Now {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}

/// `AIVM_SNAPSHOTS` is how many forgeries of each suspended state are tried; one, if it is not set.
#[test]
fn a_forged_snapshot_is_refused_or_runs_without_a_panic() {
    let often: usize = std::env::var("AIVM_SNAPSHOTS").ok().and_then(|often| often.parse().ok()).unwrap_or(1);
    let (mut refused, mut ran) = (0, 0);
    for (name, module) in modules() {
        let mut store = Store::default();
        let mut snapshots = Vec::new();
        for seed in 1..25 {
            let limits = RunLimits { calls: (seed % 4 == 0).then_some(seed % 7), ..RunLimits::default() };
            let mut machine = Machine::start(module.clone(), store.make("x"), limits);
            play(&mut machine, &mut store, &mut Dice(seed * 7_919), 400, |machine| snapshots.push(machine.snapshot()));
        }
        let mut dice = Dice(42);
        for snapshot in snapshots.iter().flat_map(|snapshot| std::iter::repeat_n(snapshot, often)) {
            let mut image = image(snapshot);
            let forgeries: Vec<_> =
                (0..=dice.throw(3)).filter_map(|_| forge(&mut image.data, module.module(), &mut dice)).collect();
            if dice.throw(4) > 0 {
                queue(&mut image.data);
            }
            let _now = Now(format!("{name}\n{}", forgeries.join("\n")));
            match store.reload(&module, &bytes(&image)) {
                Ok(mut machine) => {
                    ran += 1;
                    play(&mut machine, &mut store, &mut dice, 300, |machine| drop(machine.snapshot()));
                }
                Err(_) => refused += 1,
            }
        }
    }
    println!("{refused} refused, {ran} ran");
    assert!(refused > 1_000 && ran > 200, "{refused} refused, {ran} ran");
}

#[test]
fn an_ended_run_has_nothing_but_its_end() {
    let (_, module) = modules().remove(0);
    let mut store = Store::default();
    let mut machine = Machine::start(module.clone(), store.make("x"), RunLimits::default());
    play(&mut machine, &mut store, &mut Dice(1), 1, |_| {});
    let mut forged = image(&machine.snapshot());
    forged.data.end = Some(Err(Ending::cancelled()));
    assert_eq!(
        store.reload(&module, &bytes(&forged)).err(),
        Some(SnapshotError::Impossible("something is left of a run that has ended"))
    );
}
