//! The laws of interruption: generated programs run, are killed at any moment, and come back from their journals. What was
//! durable stays; what reaches the world is intended first, happens once, or is asked about; the end is the same.
//!
//! `AIVM_CRASHES` says how many programs (2,000 unless set), `AIVM_CRASHES_FROM` the number of the first.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, dead_code)]

#[path = "crash/world.rs"]
mod crash;
#[path = "laws/places.rs"]
mod places;
#[path = "laws/program.rs"]
mod program;
#[path = "laws/script.rs"]
mod script;

use aivm_lang::library::Shelf;
use aivm_schema::module::StageKind;
use aivm_vm::{VerifiedModule, verify};
use crash::{Tally, World};
use program::Program;
use script::Dice;

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().expect("a number"))
}

/// Without what depends on how long an interruption takes, the end is that of a run that is never interrupted.
fn is_timeless(module: &VerifiedModule) -> bool {
    let module = module.module();
    let timed = module.stages.iter().any(|stage| stage.kind == StageKind::Join || stage.deadline_ms.is_some());
    let fans = aivm_schema::module::disassemble(module).contains(" map ");
    !timed && !fans && module.steps.iter().all(|step| step.deadline_ms.is_none())
}

#[test]
fn an_interrupted_run_keeps_its_promises() {
    let (from, count) = (setting("AIVM_CRASHES_FROM", 0), setting("AIVM_CRASHES", 2_000));
    let mut tally = Tally::default();
    for number in from..from + count {
        let source = Program::new(number).to_string();
        let shelf = Shelf { anything: true, ..Shelf::default() };
        let compiled = aivm_lang::compile("law.aivm", &source, &shelf).expect("it compiles");
        let module = verify(compiled.module).expect("it is verified");
        let mut dice = Dice::new(number ^ 0xc4a5);
        let whole = World::new(number, module.clone()).run(&mut dice, 0, &mut tally);
        let crashed = World::new(number, module.clone()).run(&mut dice, 4, &mut tally);
        if is_timeless(&module) {
            tally.compared += 1;
            assert_eq!(whole, crashed, "program {number}\n{source}");
        }
    }
    println!("{tally:#?}");
    if count >= 2_000 {
        assert!(tally.crashes > count / 2 && tally.compared > count / 10, "{tally:?}");
        assert!(tally.least() >= 10, "something was hardly ever hit: {tally:?}");
    }
}
