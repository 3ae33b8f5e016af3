//! Small programs: of few steps, so that a crash hits each of their moments often.

use crate::dice::Dice;
use aivm_schema::module::StageKind;
use aivm_vm::VerifiedModule;
use std::fmt::Write;

/// A program of 1 to 5 steps.
pub fn program(number: u64) -> String {
    let mut dice = Dice::new(number ^ 0x51a1);
    let mut out = format!("+++\n[limits]\ncount = {}\n", 1 + dice.below(3));
    let mut places = Dice::new(number ^ 0x91ace);
    if places.chance(40) {
        let _ = writeln!(out, "concurrent = {}", 1 + places.below(2));
    }
    out.push_str("[worker.k]\nwords = [\"yes\", \"no\"]\nmock = []\n+++\nout <= (\n");
    let (deadlines, undo) = (dice.chance(25), dice.chance(65));
    let stages = 1 + dice.below(2);
    for stage in 0..stages {
        let join = dice.chance(25);
        let kind = if join { "join" } else { "switch" };
        let limit = if deadlines && dice.chance(60) {
            format!("<{}ms>", (1u64 << 33) + dice.next() % (1 << 36))
        } else {
            String::new()
        };
        let _ = writeln!(out, "    {}{kind}[s{stage}]{limit} <= (", if stage > 0 { "<= " } else { "" });
        let steps = if join { 2 } else { 1 + dice.below(3) };
        for _ in 0..steps {
            let worker = *dice.pick(&["a", "b", "c", "f", "g", "k"]);
            let undoer = if undo && dice.chance(60) { " ~ undo" } else { "" };
            let outcomes = *dice.pick(if join {
                &["next", "next | retry", "send | cancel", "next | continue"]
            } else {
                &["next", "next | retry", "next | retry * 2", "next | back", "next | cancel", "send", "next | continue"]
            });
            let _ = writeln!(out, "        {worker}{undoer} => {outcomes}");
        }
        out.push_str("    )\n");
        if dice.chance(20) {
            out.push_str("    <= match <= (\n        failure => next\n        default => send\n    )\n");
        }
    }
    out + ") <= in\n"
}

/// How the steps of a program follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    Switch,
    Join,
    /// A join whose calls take turns.
    Turns,
}

/// The program of so many steps, each with an undoer.
pub fn of_steps(steps: usize, order: Order) -> String {
    let turns = if order == Order::Turns { "concurrent = 1\n" } else { "" };
    let mut out = format!("+++\n[limits]\ncount = 2\n{turns}+++\nout <= (\n");
    let (kind, outcomes) = match order {
        Order::Switch => ("switch", "next | back | retry"),
        Order::Join | Order::Turns => ("join", "next"),
    };
    let _ = writeln!(out, "    {kind}[s] <= (");
    for worker in ["a", "b", "c"].into_iter().take(steps) {
        let _ = writeln!(out, "        {worker} ~ undo => {outcomes}");
    }
    out + "    )\n) <= in\n"
}

/// Without what depends on how long an interruption takes, the end is that of a run that is never interrupted.
pub fn is_timeless(module: &VerifiedModule) -> bool {
    let module = module.module();
    let timed = module.stages.iter().any(|stage| stage.kind == StageKind::Join || stage.deadline_ms.is_some());
    let fans = aivm_schema::module::disassemble(module).contains(" map ");
    !timed && !fans && module.steps.iter().all(|step| step.deadline_ms.is_none())
}
