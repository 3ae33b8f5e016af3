//! What a step costs in the machine itself: a loop of a million calls whose worker does nothing, branches of a join, and
//! ten million steps whose memory must not grow. Prints one figure a line; `cargo run --release -p aivm-vm --example steps`.
#![allow(clippy::disallowed_methods)] // A benchmark reads the clock; the machine does not.

use aivm_schema::artifact::{Artifact, Draft};
use aivm_schema::isa::Instruction as I;
use aivm_schema::module::*;
use aivm_vm::{Action, Answer, Machine, Usage, VerifiedModule, verify};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let input =
        Draft { media_type: "text/plain".into(), payload: b"x".to_vec(), ..Draft::default() }.seal(1, [0; 10])?;
    let module = verify(loop_module())?;
    let rounds = 1_000_000 / u64::from(u16::MAX) + 1;
    let (ns, steps) = best(|| (0..rounds).map(|_| drive(&module, &input)).sum());
    println!("step {ns:.0} ns, the best of {ROUNDS} rounds of {steps} steps");

    let before = resident();
    let steps: u64 = (0..rounds * 10).map(|_| drive(&module, &input)).sum();
    println!("memory {} KiB more after {steps} steps", resident().saturating_sub(before));

    let join = verify(join_module(1_000))?;
    let (ns, branches) = best(|| (0..100).map(|_| drive(&join, &input)).sum());
    println!("branch {ns:.0} ns with its call, the best of {ROUNDS} rounds of {branches} branches");
    Ok(())
}

/// Others use this machine too: the best round says what it can do.
const ROUNDS: usize = 7;

/// Nanoseconds for each of what `round` counts, and how many those were.
fn best(mut round: impl FnMut() -> u64) -> (f64, u64) {
    let mut best = (f64::INFINITY, 0);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let count = round();
        let ns = begun.elapsed().as_nanos() as f64 / count as f64;
        if ns < best.0 {
            best = (ns, count);
        }
    }
    best
}

/// Runs a program whose workers return what they get; says how often they were called.
fn drive(module: &VerifiedModule, input: &Artifact) -> u64 {
    let mut machine = Machine::start(module.clone(), input.clone(), RunLimits::default());
    let mut calls = 0;
    let mut fuel = u64::MAX;
    loop {
        match machine.step(&mut fuel) {
            Action::Call(call) => {
                calls += 1;
                let answer = Answer::Done { output: call.input, verdict: None, usage: Usage::default() };
                assert!(machine.complete(call.request, answer).is_ok());
            }
            Action::Make(make) => assert!(machine.made(make.request, input.clone()).is_ok()),
            Action::End(_) => return calls,
            _ => {}
        }
    }
}

/// One step that goes back to itself as often as a count allows, then sends.
fn loop_module() -> Module {
    let back = I::Edge { kind: EdgeKind::Back, word: WordId(0), counter: Some(CounterId(0)), offset: 2 };
    let cancel = I::Edge { kind: EdgeKind::Cancel, word: WordId(1), counter: None, offset: 0 };
    let code = [
        I::Enter { stage: StageId(0) },
        I::Count { counter: CounterId(0) },
        I::Call { step: StepId(0) },
        back,
        cancel,
        I::Jump { target: 2 },
    ];
    module(&code, StageKind::Switch, 1, vec![u16::MAX], Vec::new())
}

/// One join of so many branches of one step each.
fn join_module(branches: u16) -> Module {
    let mut code = vec![I::Enter { stage: StageId(0) }, I::Join { stage: StageId(0), branches, take: branches }];
    let first = 4 + u32::from(branches);
    code.extend((0..branches).map(|element| I::Branch { element, target: first + 3 * u32::from(element) }));
    code.extend([I::Leave { stage: StageId(0), jump: false }, I::Return {}]);
    for step in 0..branches {
        let next = I::Edge { kind: EdgeKind::Next, word: WordId(0), counter: None, offset: 1 };
        code.extend([I::Call { step: StepId(step) }, next, I::Hand {}]);
    }
    module(&code, StageKind::Join, branches, Vec::new(), vec![WordId(2); branches.into()])
}

fn module(code: &[I], kind: StageKind, steps: u16, counters: Vec<u16>, names: Vec<WordId>) -> Module {
    let inside = (0, counters.len() as u16);
    let step = |at| Step {
        name: format!("step{at}"),
        stage: StageId(0),
        target: StepTarget::Worker(WorkerId(0)),
        behaviours: Vec::new(),
        deadline_ms: None,
        money: None,
        tokens: None,
        input: None,
        output: None,
        undo: None,
        verdicts: Vec::new(),
    };
    Module {
        code: code.iter().map(|instruction| instruction.encode()).collect(),
        words: vec!["next".into(), "cancel".into(), "step".into()],
        functions: vec![Function {
            name: "out".into(),
            entry: 0,
            end: code.len() as u32,
            stages: (0, 1),
            steps: (0, steps),
            registers: 1,
            counters,
            verdicts: Vec::new(),
        }],
        stages: vec![Stage { key: "s".into(), kind, counters: inside, names, ..Stage::default() }],
        steps: (0..steps).map(step).collect(),
        workers: vec![Worker { name: "w".into(), definition: "{}".into(), money: None, tokens: None }],
        ..Module::default()
    }
}

/// Kibibytes that the process holds; 0 where the system does not say.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}
