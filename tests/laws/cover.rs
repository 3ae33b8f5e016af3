//! How often everything happened: each instruction, each outcome in each kind of stage, each arm, each way to end.

use aivm_lang::eval::Report;
use aivm_schema::isa::{Instruction, TABLE};
use aivm_schema::module::{Module, StepId};
use aivm_vm::{Call, Decision, Machine, Purpose, Taken};
use std::collections::BTreeMap;
use std::fmt;

#[derive(Default)]
pub struct Cover {
    pub same: u64,
    pub ties: u64,
    /// By its name: in the code, and carried out where instructions are counted.
    instructions: BTreeMap<&'static str, (u64, u64)>,
    /// Stage kind, or who else was called, and what followed.
    taken: BTreeMap<(&'static str, &'static str), u64>,
}

/// What a step may lead to in every kind of stage where steps stand.
const STEP: [&str; 13] = [
    "next",
    "continue",
    "send",
    "back",
    "retry",
    "jump",
    "cancel",
    "timeout",
    "ends cancelled",
    "ends failed",
    "ends exhausted",
    "ends timeout",
    "dropped",
];

/// What the language has no way to: `back` is an error in a join.
const IMPOSSIBLE: [(&str, &str); 1] = [("join", "back")];

const OTHERS: [(&str, &[&str]); 5] = [
    ("chooser", &["chosen", "finish", "not-chosen", "dropped", "not covered"]),
    ("undoer", &["undone", "not-undone"]),
    ("arm", &["a verdict", "success", "done", "default", "cancel", "failure", "exhausted", "timeout"]),
    ("match", &["send", "cancel", "timeout", "jump", "exhausted", "chain"]),
    ("run", &["sent", "cancelled", "failed", "exhausted", "timeout"]),
];

impl Cover {
    /// The code of a program.
    pub fn code(&mut self, module: &Module) {
        for word in &module.code {
            self.instruction(*word, |counts| counts.0 += 1);
        }
    }

    /// What the machine carries out next; a list with its head.
    pub fn next(&mut self, machine: &Machine) {
        let Some(pc) = machine.next_instruction() else { return };
        let code = &machine.module().code[pc as usize..];
        let is_listed = |word: &u64| {
            matches!(
                Instruction::decode(*word),
                Some(Instruction::Edge { .. } | Instruction::Branch { .. } | Instruction::Option { .. })
            )
        };
        let listed = code[1..].iter().take_while(|word| is_listed(word)).count();
        for word in &code[..=listed] {
            self.instruction(*word, |counts| counts.1 += 1);
        }
    }

    fn instruction(&mut self, word: u64, count: impl Fn(&mut (u64, u64))) {
        let row = aivm_schema::isa::row((word >> 56) as u8).expect("a known instruction");
        count(self.instructions.entry(row.name).or_default());
    }

    pub fn step(&mut self, machine: &Machine, step: StepId, decision: &Decision) {
        let module = machine.module();
        let kind = module.stages[module.steps[step.index()].stage.index()].kind.word();
        self.count(if matches!(decision.taken, Taken::Undone | Taken::NotUndone) { "undoer" } else { kind }, decision);
    }

    pub fn call(&mut self, machine: &Machine, call: &Call, decision: &Decision) {
        match call.purpose {
            Purpose::Step(step) => self.step(machine, step, decision),
            Purpose::Choose(_) => self.count("chooser", decision),
            Purpose::Undo(_) => self.count("undoer", decision),
        }
    }

    /// A select that a budget ended.
    pub fn not_covered(&mut self) {
        *self.taken.entry(("chooser", "not covered")).or_default() += 1;
    }

    fn count(&mut self, who: &'static str, decision: &Decision) {
        use aivm_schema::module::{EdgeKind, EndKind};
        let what = match &decision.taken {
            Taken::Jump(_) => "jump",
            Taken::Chose(word) if &**word == "finish" => "finish",
            Taken::Chose(_) => "chosen",
            Taken::Dropped => "dropped",
            Taken::Ends(EndKind::Cancel) => "ends cancelled",
            Taken::Ends(EndKind::Failure) => "ends failed",
            Taken::Ends(EndKind::Exhausted) => "ends exhausted",
            Taken::Ends(EndKind::Timeout) => "ends timeout",
            Taken::Edge(kind) => EdgeKind::word(*kind),
            Taken::NotChosen => "not-chosen",
            Taken::Undone => "undone",
            Taken::NotUndone => "not-undone",
        };
        *self.taken.entry((who, what)).or_default() += 1;
    }

    pub fn report(&mut self, report: &Report) {
        use aivm_schema::module::EndKind;
        for (on, then) in &report.arms {
            *self.taken.entry(("arm", on)).or_default() += 1;
            *self.taken.entry(("match", then)).or_default() += 1;
        }
        let end = match &report.result {
            Ok(_) => "sent",
            Err((EndKind::Cancel, _)) => "cancelled",
            Err((EndKind::Failure, _)) => "failed",
            Err((EndKind::Exhausted, _)) => "exhausted",
            Err((EndKind::Timeout, _)) => "timeout",
        };
        *self.taken.entry(("run", end)).or_default() += 1;
    }

    pub fn add(&mut self, other: Cover) {
        self.same += other.same;
        self.ties += other.ties;
        for (what, counts) in other.instructions {
            let sum = self.instructions.entry(what).or_default();
            *sum = (sum.0 + counts.0, sum.1 + counts.1);
        }
        for (what, count) in other.taken {
            *self.taken.entry(what).or_default() += count;
        }
    }

    /// All that there is, with how often it happened.
    fn rows(&self) -> Vec<(String, u64)> {
        let carried_out =
            TABLE.iter().map(|row| (row.name.to_owned(), self.instructions.get(row.name).map_or(0, |counts| counts.1)));
        let steps = ["switch", "select", "join"].into_iter().flat_map(|kind| STEP.map(|what| (kind, what)));
        let others = OTHERS.into_iter().flat_map(|(who, what)| what.iter().map(move |what| (who, *what)));
        let taken = steps
            .chain(others)
            .filter(|pair| !IMPOSSIBLE.contains(pair))
            .map(|pair| (format!("{} {}", pair.0, pair.1), self.taken.get(&pair).copied().unwrap_or(0)));
        carried_out.chain(taken).collect()
    }

    /// What happened less often than this.
    pub fn rare(&self, least: u64) -> Vec<String> {
        let rare = self.rows().into_iter().filter(|(_, count)| *count < least);
        rare.map(|(what, count)| format!("{what} ({count})")).collect()
    }
}

impl fmt::Display for Cover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} programs the same, {} left out because of ties\n", self.same, self.ties)?;
        writeln!(f, "{:<22}{:>10}{:>12}", "instruction", "written", "carried out")?;
        for row in TABLE {
            let (written, carried_out) = self.instructions.get(row.name).copied().unwrap_or_default();
            writeln!(f, "{:<22}{written:>10}{carried_out:>12}", row.name)?;
        }
        writeln!(f, "\n{:<22}{:>10}", "what followed", "taken")?;
        for (what, count) in self.rows().into_iter().skip(TABLE.len()) {
            writeln!(f, "{what:<22}{count:>10}")?;
        }
        Ok(())
    }
}
