//! The law of the machine: what it does is what the reference evaluator says. Programs and answers are made from numbers;
//! calls, inputs, outcomes, their order and times, and the ending must be the same on both sides. No run calls, spends or takes more than
//! its worst case says (`laws/worst.rs`).
//!
//! `AIVM_LAWS` says how many programs (2,000 unless set), `AIVM_LAWS_FROM` the number of the first. A program on which the two
//! differ is made smaller as long as they still do (`AIVM_LAWS_SHRINK=0`: not), then shown with both transcripts; a thread stops
//! when it has found `AIVM_LAWS_SHOW` (1). Half of the programs run one instruction at a time, and these are counted; a quarter
//! with a snapshot and reload before every answer.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

#[path = "laws/cover.rs"]
mod cover;
#[path = "common/dice.rs"]
mod dice;
#[path = "laws/driver.rs"]
mod driver;
#[path = "laws/places.rs"]
mod places;
#[path = "laws/program.rs"]
mod program;
#[path = "laws/script.rs"]
mod script;
#[path = "laws/shrink.rs"]
mod shrink;
#[path = "laws/worst.rs"]
mod worst;

use aivm_lang::eval::{self, Value};
use aivm_lang::library::Shelf;
use aivm_vm::{VerifiedModule, verify};
use cover::Cover;
use driver::Mode;
use program::Program;
use std::sync::atomic::{AtomicU64, Ordering};

/// What came of one program.
enum Outcome {
    Same,
    /// Two things happened at one time, and the language does not say which is first.
    Tie,
    Differs(String),
    /// The compiler refused it.
    Invalid(String),
}

/// A program through both.
fn hold(program: &Program, number: u64, cover: &mut Cover) -> Outcome {
    let source = program.to_string();
    let shelf = Shelf { anything: true, ..Shelf::default() };
    let compiled = match aivm_lang::compile("law.aivm", &source, &shelf) {
        Ok(compiled) => compiled,
        Err(errors) => return Outcome::Invalid(format!("{source}\n{errors:#?}")),
    };
    let module = match verify(compiled.module) {
        Ok(module) => module,
        Err(error) => return Outcome::Differs(format!("{source}\nthe verifier refuses it: {error}")),
    };
    let script = script::Script::new(number);
    let report = eval::run(&compiled.flow, Value::text("x"), &|call| script.answer(call));
    if report.tie {
        return Outcome::Tie;
    }
    let meant = script::transcript(&report);
    cover.code(module.module());
    let mode = [Mode::Straight, Mode::Trickle, Mode::Reload, Mode::Trickle][(number % 4) as usize];
    let done = play(module, &script, mode, cover);
    if done == meant {
        cover.report(&report);
        return Outcome::Same;
    }
    let at = done.iter().zip(&meant).take_while(|(done, meant)| done == meant).count();
    Outcome::Differs(format!(
        "{source}\n--- both\n{}\n--- the evaluator\n{}\n--- the machine\n{}",
        meant[..at].join("\n"),
        meant[at..].join("\n"),
        done[at..].join("\n")
    ))
}

fn play(module: VerifiedModule, script: &script::Script, mode: Mode, cover: &mut Cover) -> Vec<String> {
    // A machine that does not come to an end, or breaks its own rules, differs as well.
    let run = std::panic::AssertUnwindSafe(|| driver::run(module, script, mode, cover));
    std::panic::catch_unwind(run).unwrap_or_else(|cause| {
        let cause = cause.downcast_ref::<String>().map(String::as_str).or(cause.downcast_ref::<&str>().copied());
        vec![format!("panicked: {}", cause.unwrap_or("?"))]
    })
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().expect("a number"))
}

/// The worst case of a program against some of its runs.
fn hold_worst_case(program: &Program, number: u64, seen: &mut Seen) -> Outcome {
    let source = program.to_string();
    let shelf = Shelf { anything: true, ..Shelf::default() };
    let Ok(compiled) = aivm_lang::compile("law.aivm", &source, &shelf) else { return Outcome::Invalid(source) };
    let module = match verify(compiled.module) {
        Ok(module) => module,
        Err(error) => return Outcome::Differs(format!("{source}\nthe verifier refuses it: {error}")),
    };
    let promise = worst::Promise::of(compiled.flow);
    seen.bounded += u64::from(promise.is_bounded());
    let mut exact = false;
    for answers in 0..4 {
        let script = script::Script::tireless(number + answers * 0x1_0000_0000, answers);
        let spent = driver::spend(module.clone(), &script, &promise);
        let broken = promise.broken(&spent);
        if !broken.is_empty() {
            return Outcome::Differs(format!("{source}\n{}", broken.join("\n")));
        }
        exact |= promise.is_exact(&spent);
    }
    seen.exact += u64::from(exact);
    Outcome::Same
}

/// How many worst cases had a bound for everything, and how many were reached by a run.
#[derive(Default)]
struct Seen {
    bounded: u64,
    exact: u64,
}

#[test]
fn no_run_takes_more_than_its_worst_case() {
    let (from, count) = (setting("AIVM_LAWS_FROM", 0), setting("AIVM_LAWS", 2_000));
    let shrinks = setting("AIVM_LAWS_SHRINK", 1) > 0;
    let next = AtomicU64::new(from);
    let work = || {
        let mut seen = Seen::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= from + count {
                return (seen, None);
            }
            let program = Program::new(number);
            match hold_worst_case(&program, number, &mut seen) {
                Outcome::Same | Outcome::Tie => {}
                Outcome::Invalid(why) => return (seen, Some((number, format!("does not compile:\n{why}")))),
                Outcome::Differs(_) => {
                    let broken = |program: &Program| {
                        matches!(hold_worst_case(program, number, &mut Seen::default()), Outcome::Differs(_))
                    };
                    let small = if shrinks { shrink::smallest(program, &broken) } else { program };
                    if let Outcome::Differs(how) = hold_worst_case(&small, number, &mut Seen::default()) {
                        return (seen, Some((number, how)));
                    }
                }
            }
        }
    };
    let threads: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread that ends")).collect()
    });
    let bounded: u64 = threads.iter().map(|(seen, _)| seen.bounded).sum();
    let exact: u64 = threads.iter().map(|(seen, _)| seen.exact).sum();
    println!("{count} programs, {bounded} with a bound for everything, {exact} that a run called as often as was said");
    let broken = threads.into_iter().filter_map(|(_, broken)| broken).min();
    if let Some((number, how)) = broken {
        // The other law keeps panics quiet while it runs.
        println!("=== program {number}\n{how}\n\nprogram {number} is the first to differ from its worst case");
        panic!("a worst case that does not hold");
    }
    assert!(bounded * 4 >= count, "too few have a bound");
}

#[test]
fn the_machine_does_what_the_evaluator_says() {
    let (from, count) = (setting("AIVM_LAWS_FROM", 0), setting("AIVM_LAWS", 2_000));
    let next = AtomicU64::new(from);
    let (show, shrinks) = (setting("AIVM_LAWS_SHOW", 1) as usize, setting("AIVM_LAWS_SHRINK", 1) > 0);
    std::panic::set_hook(Box::new(|_| {}));
    let threads: Vec<(Cover, Vec<(u64, String)>)> = std::thread::scope(|scope| {
        let work = || {
            let (mut cover, mut wrong) = (Cover::default(), Vec::new());
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= from + count || wrong.len() >= show {
                    return (cover, wrong);
                }
                let program = Program::new(number);
                match hold(&program, number, &mut cover) {
                    Outcome::Same => cover.same += 1,
                    Outcome::Tie => cover.ties += 1,
                    Outcome::Invalid(why) => wrong.push((number, format!("does not compile:\n{why}"))),
                    Outcome::Differs(_) => {
                        let differs = |program: &Program| {
                            matches!(hold(program, number, &mut Cover::default()), Outcome::Differs(_))
                        };
                        let small = if shrinks { shrink::smallest(program, &differs) } else { program };
                        if let Outcome::Differs(how) = hold(&small, number, &mut Cover::default()) {
                            wrong.push((number, how));
                        }
                    }
                }
            }
        };
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread that ends")).collect()
    });
    let _ = std::panic::take_hook();
    let (mut cover, mut wrong) = (Cover::default(), Vec::new());
    for (one, found) in threads {
        cover.add(one);
        wrong.extend(found);
    }
    wrong.sort();
    for (number, how) in &wrong {
        println!("=== program {number}\n{how}\n");
    }
    println!("{cover}");
    assert!(wrong.is_empty(), "program {} is the first to differ", wrong[0].0);
    assert!(cover.ties * 20 <= count, "too many ties");
    if count >= 20_000 {
        let rare = cover.rare(100);
        assert!(rare.is_empty(), "too rare: {}", rare.join(", "));
    }
}
