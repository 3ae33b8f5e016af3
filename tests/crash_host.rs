//! The contract of durability, simulated once more: what `tests/crash.rs` does with a run and its own driver, this does with the
//! driver and the recovery of the host, over a simulated disk, clock and process.
//!
//! `AIVM_CRASHES` says how many programs, `AIVM_CRASHES_FROM` the number of the first, `AIVM_CRASHES_BAR` how many crashes there
//! must be at least; then everything that can be recorded or decided must have been, too.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, dead_code)]

#[path = "crash/bugs.rs"]
mod bugs;
#[path = "crash/case.rs"]
mod case;
#[path = "common/dice.rs"]
mod dice;
#[path = "crash/disk.rs"]
mod disk;
#[path = "crash/ground.rs"]
mod ground;
#[path = "crash/ledger.rs"]
mod ledger;
#[path = "crash/lives.rs"]
mod lives;
#[path = "laws/script.rs"]
mod script;
#[path = "crash/seams.rs"]
mod seams;
#[path = "crash/small.rs"]
mod small;
#[path = "crash/spread.rs"]
mod spread;
#[path = "crash/tally.rs"]
mod tally;

use case::Case;
use ground::Fate;
use lives::live;
use spread::{setting, spread};
use std::rc::Rc;
use tally::Tally;

/// Lives of each program.
const LIVES: u64 = 8;

fn hold(number: u64, tally: &mut Tally) -> Result<(), String> {
    let case = Rc::new(Case::new(number));
    let told = |what: String, fate: &Fate| format!("program {number}, seed {}: {what}\n{}", fate.seed, case.source);
    let fate = Fate { seed: number, ..Fate::default() };
    let whole = live(&case, fate, tally).map_err(|what| told(what, &fate))?;
    for life in 0..LIVES {
        let seed = number.wrapping_mul(LIVES).wrapping_add(life) ^ 0xc4a5;
        let fate = Fate { seed, crashes: 4, life: whole.operations + 2, wild: life % 4 == 3 };
        let crashed = live(&case, fate, tally).map_err(|what| told(what, &fate))?;
        if case.timeless && whole.comparable && crashed.comparable {
            tally.compared += 1;
            if whole.ending != crashed.ending {
                return Err(told(format!("it ends as\n{}\nwithout crashes\n{}", crashed.ending, whole.ending), &fate));
            }
        }
    }
    Ok(())
}

#[test]
fn an_interrupted_run_keeps_its_promises_in_the_host() {
    let (from, count) = (setting("AIVM_CRASHES_FROM").unwrap_or(0), setting("AIVM_CRASHES").unwrap_or(100));
    let tally = spread(from, count, &hold);
    tally.report("host");
    assert!(tally.crashes >= count * LIVES / 2 && tally.compared > count / 10, "{tally:?}");
    if let Some(bar) = setting("AIVM_CRASHES_BAR") {
        assert!(tally.crashes >= bar, "{} crashes: fewer than {bar}", tally.crashes);
        let seldom = tally.seldom(&tally::MUST_OF_HOST, 10);
        assert!(seldom.is_empty(), "hardly ever hit: {seldom:?}");
    }
}

/// The same seed twice gives the same records and calls.
#[test]
fn the_same_seed_gives_the_same_trace_in_the_host() {
    let count = if setting("AIVM_CRASHES_BAR").is_some() { 1_000 } else { 50 };
    let tally = spread(0, count, &|number, tally| {
        let case = Rc::new(Case::new(number));
        let fate = Fate { seed: number, crashes: 4, life: 60, wild: number % 2 == 0 };
        let traces = [live(&case, fate, tally)?.trace, live(&case, fate, tally)?.trace];
        if traces[0] == traces[1] { Ok(()) } else { Err(format!("program {number}: two traces")) }
    });
    tally.report("host, same seed twice");
}
