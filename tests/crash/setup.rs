//! Runs out of numbers: programs, what their workers are, what is asked of them.

use crate::dice::Dice;
use crate::program::Program;
use crate::script::Script;
use crate::small::{self, Order};
use crate::world::{Answers, Setup};
use aivm_lang::library::Shelf;
use aivm_schema::module::RunLimits;
use aivm_schema::worker::{Backoff, Effect};
use aivm_vm::run::Facts;
use aivm_vm::{VerifiedModule, verify};

const CLASSES: [Effect; 5] =
    [Effect::Pure, Effect::Read, Effect::Idempotent, Effect::Compensable, Effect::Irreversible];

fn compile(source: &str) -> VerifiedModule {
    let shelf = Shelf { anything: true, ..Shelf::default() };
    let compiled = match aivm_lang::compile("law.aivm", source, &shelf) {
        Ok(compiled) => compiled,
        Err(errors) => panic!("{source}\n{errors:#?}"),
    };
    verify(compiled.module).expect("it is verified")
}

/// Each worker is of a class that follows from its name and the program.
fn facts(number: u64, at: usize, name: &str) -> Facts {
    let mut dice = Dice::new(number.wrapping_mul(31).wrapping_add(at as u64));
    let effect = *dice.pick(&CLASSES);
    let asked = dice.chance(15);
    let scripted = dice.chance(15);
    Facts {
        name: name.to_owned(),
        digest: [at as u8; 32],
        effect: if asked { Effect::Read } else { effect },
        scripted: scripted && !asked,
        backoff: Backoff::default(),
        probed: dice.chance(50),
        question: asked.then(|| "Is it good?".to_owned()),
        timeout_ms: (asked && dice.chance(40)).then_some(1 << 34),
        key_ms: dice.chance(40).then_some(1 << 35),
        priority: (number as i32 + at as i32) % 3,
    }
}

/// A program and its run. One in 32 is large.
pub fn generated(number: u64) -> (String, Setup) {
    let large = number % 32 == 31;
    let source = if large { Program::new(number).to_string() } else { small::program(number) };
    let module = compile(&source);
    let mut dice = Dice::new(number ^ 0x5e7);
    let workers = module.module().workers.iter().enumerate();
    let facts: Vec<Facts> = workers.map(|(at, worker)| facts(number, at, &worker.name)).collect();
    let limits = RunLimits { calls: dice.chance(15).then(|| 1 + dice.next() % 3), ..RunLimits::default() };
    let timeout_ms = dice.chance(8).then_some(1 << 35);
    let expires = facts.iter().any(|facts| facts.timeout_ms.is_some());
    let (stages, steps) = (&module.module().stages, &module.module().steps);
    let of_stages = stages.iter().filter_map(|stage| stage.deadline_ms);
    let of_steps = steps.iter().filter_map(|step| step.deadline_ms);
    let least_ms = of_stages.chain(of_steps).chain(timeout_ms).min().unwrap_or(0);
    let budget = stages.iter().any(|stage| stage.money.or(stage.tokens).is_some())
        || steps.iter().any(|step| step.money.or(step.tokens).is_some());
    let timeless = small::is_timeless(&module) && timeout_ms.is_none() && !expires;
    let setup = Setup {
        number,
        facts,
        answers: Answers::Random(Script::new(number)),
        limits,
        timeout_ms,
        rollbacks: *dice.pick(&[0, 0, 1, 2]),
        often: *dice.pick(&[200, 800, 1 << 20]),
        timeless,
        budget,
        least_ms,
        module,
    };
    (source, setup)
}

/// To show which worker is what.
pub fn classes(setup: &Setup) -> String {
    let mut out = format!(
        "limits {:?}, timeout {:?}, often {}, rollbacks {}\n",
        setup.limits.calls, setup.timeout_ms, setup.often, setup.rollbacks
    );
    for facts in &setup.facts {
        let Facts { name, effect, scripted, probed, question, timeout_ms, key_ms, .. } = facts;
        out += &format!(
            "{name}: {effect:?}, scripted {scripted}, probed {probed}, {question:?}, {timeout_ms:?}, {key_ms:?}\n"
        );
    }
    out
}

/// Steps, how they follow each other, and of each worker: class * 3 + answer.
pub type Case = (usize, Order, Vec<u8>);

/// All of them.
pub fn exhaustive() -> Vec<Case> {
    let mut all = Vec::new();
    let switches = [1, 2, 3].map(|steps| (steps, Order::Switch));
    let joins = [(2, Order::Join), (3, Order::Join), (2, Order::Turns)];
    for (steps, order) in switches.into_iter().chain(joins) {
        for number in 0..15usize.pow(steps as u32) {
            let said = (0..steps).map(|at| (number / 15usize.pow(at as u32) % 15) as u8).collect();
            all.push((steps, order, said));
        }
    }
    all
}

/// One of them.
pub fn fixed(steps: usize, order: Order, said: &[u8]) -> Setup {
    let module = compile(&small::of_steps(steps, order));
    let place = |name: &str| ["a", "b", "c"].iter().position(|worker| *worker == name);
    let of = |name: &str| place(name).and_then(|at| said.get(at)).copied();
    let workers = &module.module().workers;
    let facts = workers.iter().enumerate().map(|(at, worker)| Facts {
        name: worker.name.clone(),
        digest: [at as u8; 32],
        // The undoer may be called twice.
        effect: of(&worker.name).map_or(Effect::Idempotent, |said| CLASSES[usize::from(said / 3)]),
        scripted: false,
        backoff: Backoff::default(),
        probed: false,
        question: None,
        timeout_ms: None,
        priority: 0,
        key_ms: None,
    });
    let facts = facts.collect();
    let answers = workers.iter().map(|worker| of(&worker.name).map_or(0, |said| said % 3)).collect();
    Setup {
        number: 0,
        facts,
        answers: Answers::Fixed(answers),
        limits: RunLimits::default(),
        timeout_ms: None,
        rollbacks: 0,
        often: 1 << 20,
        timeless: order != Order::Join,
        budget: false,
        least_ms: 0,
        module,
    }
}
