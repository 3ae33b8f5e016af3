//! The contract of durability, simulated: generated programs run over a disk that loses what was not flushed, are killed at any
//! moment, up to four times, and come back from their journals. What was acknowledged stays; what reaches the world is intended
//! first, happens once, or is asked about; the end is the same.
//!
//! `AIVM_CRASHES` says how many programs, `AIVM_CRASHES_FROM` the number of the first, `AIVM_CRASHES_BAR` how many crashes there
//! must be at least; then everything that can be recorded or decided must have been, too.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, dead_code)]

#[path = "crash/bugs.rs"]
mod bugs;
#[path = "common/dice.rs"]
mod dice;
#[path = "crash/disk.rs"]
mod disk;
#[path = "crash/ledger.rs"]
mod ledger;
#[path = "crash/live.rs"]
mod live;
#[path = "crash/people.rs"]
mod people;
#[path = "laws/places.rs"]
mod places;
#[path = "laws/program.rs"]
mod program;
#[path = "laws/script.rs"]
mod script;
#[path = "crash/setup.rs"]
mod setup;
#[path = "crash/small.rs"]
mod small;
#[path = "crash/spread.rs"]
mod spread;
#[path = "crash/tally.rs"]
mod tally;
#[path = "crash/world.rs"]
mod world;

use bugs::Bug;
use spread::{setting, spread};
use tally::Tally;
use world::{Fate, World};

/// Lives of each program.
const LIVES: u64 = 8;

/// A program and its lives. `bug` is planted in all of them.
fn hold(number: u64, bug: Option<Bug>, tally: &mut Tally) -> Result<(), String> {
    // Mostly small ones: there, a crash hits each moment often.
    let (source, setup) = setup::generated(number);
    let told = |what: String, fate: &Fate| {
        format!("program {number}, seed {}: {what}\n{source}{}", fate.seed, setup::classes(&setup))
    };
    let fate = Fate { seed: number, bug, ..Fate::default() };
    let whole = World::new(&setup, fate, tally).live().map_err(|what| told(what, &fate))?;
    for life in 0..LIVES {
        let seed = number.wrapping_mul(LIVES).wrapping_add(life) ^ 0xc4a5;
        let wild = life % 4 == 3;
        let fate = Fate { seed, crashes: 4, life: whole.operations + 2, wild, bug, ..Fate::default() };
        let crashed = World::new(&setup, fate, tally).live().map_err(|what| told(what, &fate))?;
        if setup.timeless && whole.comparable && crashed.comparable {
            tally.compared += 1;
            if whole.ending != crashed.ending {
                return Err(told(format!("it ends as\n{}\nwithout crashes\n{}", crashed.ending, whole.ending), &fate));
            }
        }
    }
    Ok(())
}

#[test]
fn an_interrupted_run_keeps_its_promises() {
    let (from, count) = (setting("AIVM_CRASHES_FROM").unwrap_or(0), setting("AIVM_CRASHES").unwrap_or(300));
    let tally = spread(from, count, &|number, tally| hold(number, None, tally));
    tally.report("generated");
    assert!(tally.crashes >= count * LIVES / 2 && tally.compared > count / 10, "{tally:?}");
    if let Some(bar) = setting("AIVM_CRASHES_BAR") {
        assert!(tally.crashes >= bar, "{} crashes: fewer than {bar}", tally.crashes);
        let seldom = tally.seldom(&tally::MUST, 10);
        assert!(seldom.is_empty(), "hardly ever hit: {seldom:?}");
    }
}

/// Every program of at most 3 steps, of every class, that succeeds, fails or goes back; a crash at every operation, after
/// which what was under way has happened, or has not, and what was not flushed is there, or is not.
#[test]
fn small_programs_keep_their_promises_whenever_they_are_interrupted() {
    let all = setup::exhaustive();
    // The short form takes some of them.
    let every = if setting("AIVM_CRASHES_BAR").is_some() { 1 } else { 97 };
    let chosen = all.len() as u64 / every;
    let tally = spread(0, chosen, &|number, tally| {
        let (steps, order, said) = &all[(number * every) as usize];
        let setup = setup::fixed(*steps, *order, said);
        let told = |what: String, fate: &Fate| {
            format!("{steps} steps, {order:?}, class * 3 + answer {said:?}, {fate:?}: {what}")
        };
        let fate = Fate::default();
        let whole = World::new(&setup, fate, tally).live().map_err(|what| told(what, &fate))?;
        for life in 0..whole.operations {
            for way in 0..4 {
                let (happens, power) = (Some(way & 1 == 0), Some(way & 2 == 0));
                let fate = Fate { seed: number, crashes: 1, life, exactly: true, happens, power, ..Fate::default() };
                let crashed = World::new(&setup, fate, tally).live().map_err(|what| told(what, &fate))?;
                if setup.timeless {
                    tally.compared += 1;
                    if crashed.ending != whole.ending {
                        let ends = format!("it ends as\n{}\nwithout a crash\n{}", crashed.ending, whole.ending);
                        return Err(told(ends, &fate));
                    }
                }
            }
        }
        Ok(())
    });
    println!("{chosen} of {} small programs", all.len());
    tally.report("small scope");
}

/// The same seed twice gives the same records and calls.
#[test]
fn the_same_seed_gives_the_same_trace() {
    let count = if setting("AIVM_CRASHES_BAR").is_some() { 1_000 } else { 100 };
    let tally = spread(0, count, &|number, tally| {
        let (_, setup) = setup::generated(number);
        let fate = Fate { seed: number, crashes: 4, life: 40, wild: number % 2 == 0, ..Fate::default() };
        let mut traces = [0, 0];
        for trace in &mut traces {
            *trace = World::new(&setup, fate, tally).live()?.trace;
        }
        if traces[0] == traces[1] { Ok(()) } else { Err(format!("program {number}: two traces")) }
    });
    tally.report("same seed twice");
}

/// Each slip of `crash/bugs.rs` breaks a promise.
#[test]
fn planted_slips_are_found() {
    let most = setting("AIVM_CRASHES_BAR").map_or(2_000, |_| 20_000);
    let missed: Vec<Bug> = Bug::ALL
        .into_iter()
        .filter(|bug| {
            let found = (0..most).find(|number| hold(*number, Some(*bug), &mut Tally::default()).is_err());
            match found {
                Some(number) => println!("found by program {number:>5}: {bug:?}"),
                None => println!("MISSED in {most} programs: {bug:?}"),
            }
            found.is_none()
        })
        .collect();
    assert!(missed.is_empty(), "{missed:?}");
}
