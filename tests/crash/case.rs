//! Runs for the host's own driver: the same small programs, their workers defined as people define them, times of seconds.

use crate::dice::Dice;
use crate::script::Script;
use crate::small;
use aivm_host::facts;
use aivm_lang::library::Shelf;
use aivm_schema::module::RunLimits;
use aivm_vm::run::Facts;
use aivm_vm::{VerifiedModule, verify};
use std::fmt::Write;

/// Times of programs and scripts are divided by so many powers of two: a driver listens four times a second.
pub const SHIFT: u32 = 23;

/// A program and its run.
pub struct Case {
    pub number: u64,
    pub source: String,
    pub module: VerifiedModule,
    pub facts: Vec<Facts>,
    pub script: Script,
    pub limits: RunLimits,
    pub timeout_ms: Option<u64>,
    /// So often somebody wants it taken back when it has ended.
    pub rollbacks: u64,
    /// Bytes of records between checkpoints; none: as the driver has it.
    pub often: Option<usize>,
    /// The end does not depend on how long anything takes.
    pub timeless: bool,
    /// No timer is due before so many milliseconds.
    pub least_ms: u64,
}

impl Case {
    pub fn new(number: u64) -> Case {
        let (header, body) = small::program(number).split_once("[worker.k]").map(split).expect("a worker");
        let source = seconds(&format!("{header}{}+++\n{body}", workers(number)));
        let shelf = Shelf::default();
        let compiled = match aivm_lang::compile("law.aivm", &source, &shelf) {
            Ok(compiled) => compiled,
            Err(errors) => panic!("{source}\n{errors:#?}"),
        };
        let module = verify(compiled.module).expect("it is verified");
        let facts = facts::of(module.module(), false, false);
        let mut dice = Dice::new(number ^ 0x5e7);
        let limits = RunLimits { calls: dice.chance(15).then(|| 1 + dice.next() % 3), ..RunLimits::default() };
        let timeout_ms = dice.chance(8).then_some(1 << 12);
        let (stages, steps) = (&module.module().stages, &module.module().steps);
        let of_stages = stages.iter().filter_map(|stage| stage.deadline_ms);
        let of_steps = steps.iter().filter_map(|step| step.deadline_ms);
        let least_ms = of_stages.chain(of_steps).chain(timeout_ms).min().unwrap_or(0);
        let expires = facts.iter().any(|facts| facts.question.is_some() && facts.timeout_ms.is_some());
        Case {
            number,
            timeless: small::is_timeless(&module) && timeout_ms.is_none() && !expires,
            source,
            facts,
            script: Script::new(number),
            limits,
            timeout_ms,
            rollbacks: *dice.pick(&[0, 0, 1, 2]),
            often: *dice.pick(&[Some(200), Some(800), None]),
            least_ms,
            module,
        }
    }

    pub fn facts(&self, worker: &str) -> &Facts {
        self.facts.iter().find(|facts| facts.name == worker).expect("a worker of the program")
    }
}

/// What stands before the definition of a worker, and the program.
fn split((before, rest): (&str, &str)) -> (String, String) {
    let (_, body) = rest.split_once("+++\n").expect("the end of the front matter");
    (before.to_owned(), body.to_owned())
}

/// Each worker is of a class that follows from its name and the program.
fn workers(number: u64) -> String {
    let mut out = String::new();
    for (at, name) in (0..).zip(["a", "b", "c", "f", "g", "k", "undo"]) {
        let mut dice = Dice::new(number.wrapping_mul(31).wrapping_add(at));
        let _ = writeln!(out, "[worker.{name}]");
        if name == "k" {
            out.push_str("words = [\"yes\", \"no\"]\n");
        }
        if name != "undo" && dice.chance(15) {
            out.push_str("human = \"Is it good?\"\n");
            if dice.chance(40) {
                out.push_str("timeout = \"2048ms\"\n");
            }
            continue;
        }
        if name != "undo" && dice.chance(15) {
            out.push_str("mock = [{ output = \"m0\" }, { fail = \"m1\" }, { output = \"m2\" }]\n");
            continue;
        }
        let effects = ["pure", "read", "idempotent", "irreversible", "compensable"];
        let effect = *dice.pick(if name == "undo" { &effects[..4] } else { &effects });
        let _ = writeln!(out, "run = \"{name}\"\neffect = \"{effect}\"");
        if effect == "compensable" {
            out.push_str("undo = \"undo\"\n");
        }
        if effect == "idempotent" && dice.chance(60) {
            out.push_str("key_ttl = \"4096ms\"\n");
        }
        if dice.chance(50) {
            out.push_str("probe = \"probe\"\n");
        }
    }
    out + "[worker.probe]\nrun = \"probe\"\neffect = \"read\"\n"
}

/// The same program with deadlines of seconds.
fn seconds(source: &str) -> String {
    let mut out = String::new();
    let mut rest = source;
    while let Some((before, after)) = rest.split_once("]<") {
        let (digits, after) = after.split_once("ms>").expect("a deadline");
        let ms: u64 = digits.parse().expect("a number");
        let _ = write!(out, "{before}]<{}ms>", ms >> SHIFT);
        rest = after;
    }
    out + rest
}
