//! What passes the verifier is safe to run, whoever wrote it: each module with one thing changed is refused, or runs to its end
//! whatever its workers answer: straight, with reloads and with little fuel alike, and without a fault of the machine's own.

use crate::world::*;
use aivm_schema::isa::{self, OpInfo, OperandKind, Slot, TABLE};
use aivm_schema::module::*;
use aivm_vm::verify;

/// A source of numbers, the same each time.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        // Neighbouring seeds are far apart.
        Dice(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn throw(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % sides
    }
}

/// How many mutants there were, and runs of them.
#[derive(Debug, Default)]
pub struct Tally {
    pub refused: usize,
    pub accepted: usize,
    pub runs: usize,
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

/// Every mutant is verified, and one in `sample` of those that pass is run. The long form, `AIVM_MUTANTS`, says how often
/// each of them is, with other answers each time.
pub fn survive(name: &str, module: &Module, sample: usize, tally: &mut Tally) {
    let long: Option<usize> = std::env::var("AIVM_MUTANTS").ok().and_then(|often| often.parse().ok());
    for (what, mutant) in mutants(module) {
        let _now = Now(format!("{name}: {what}"));
        let Ok(verified) = verify(mutant.clone()) else {
            tally.refused += 1;
            continue;
        };
        tally.accepted += 1;
        let sampled = tally.accepted.is_multiple_of(sample);
        for round in 0..long.unwrap_or(sampled.into()) {
            let seed = tally.accepted + round * 1_000_003;
            let _now = Now(format!("seed {seed}\n{}", disassemble(&mutant)));
            let happened = script(World::new(verified.clone()), &mutant, &mut Dice::new(seed as u64)).run();
            let broken = happened.iter().find(|line| line.contains("E0799"));
            assert_eq!(broken, None, "the machine found its own state wrong");
            tally.runs += 1;
        }
    }
}

/// Random answers for every worker, sometimes a limit, sometimes a cancel from outside.
fn script(mut world: World, module: &Module, dice: &mut Dice) -> World {
    for worker in &module.workers {
        let replies: Vec<Reply> = (0..1 + dice.throw(5)).map(|_| reply(module, dice)).collect();
        world = world.reply(&worker.name, &replies);
    }
    if dice.throw(6) == 0 {
        let limits = RunLimits { calls: Some(dice.throw(6) as u64), money: Some(300), tokens: None };
        world = world.limits(limits).raise(RunLimits::default());
    }
    if dice.throw(6) == 0 {
        world = world.cancel_at(dice.throw(12) as u64);
    }
    world
}

fn reply(module: &Module, dice: &mut Dice) -> Reply {
    let reply = match dice.throw(10) {
        0..3 => ok(),
        3 => text("p+q+r"),
        4 => text("none"),
        5 => fails(),
        6 => fails_by(EndKind::ALL[dice.throw(4)]),
        7 => says("finish"),
        _ if module.words.is_empty() => says("no-such-word"),
        _ => says(&module.words[dice.throw(module.words.len())]),
    };
    let reply = reply.after(dice.throw(4) as u64).costs(dice.throw(80) as u64);
    if dice.throw(8) == 0 { reply.stubborn() } else { reply }
}

/// The module with one thing changed, in every way that is not out of all proportion.
fn mutants(module: &Module) -> Vec<(String, Module)> {
    let mut mutants = Mutants { module, all: Vec::new() };
    mutants.operands();
    mutants.instructions();
    mutants.functions();
    mutants.stages();
    mutants.handlers();
    mutants.steps();
    mutants.rows();
    mutants.all
}

struct Mutants<'a> {
    module: &'a Module,
    all: Vec<(String, Module)>,
}

/// What stands next to a number.
fn near(number: u16) -> [u16; 2] {
    [number.wrapping_add(1), number.wrapping_sub(1)]
}

/// What else could stand there: nothing, or a row next to it, or the first.
fn other(number: Option<u16>) -> Vec<Option<u16>> {
    let rows = number.map_or(vec![0, 1], |number| near(number).to_vec());
    rows.into_iter().map(Some).chain([None]).collect()
}

fn row(word: u64) -> Option<&'static OpInfo> {
    isa::row((word >> 56) as u8)
}

fn put(word: u64, slot: Slot, value: u32) -> u64 {
    slot.put(word & !(u64::from(slot.max()) << slot.bits().0), value)
}

/// Code with a word more or less at `pc`: what stood from `from` on stands `by` further down.
fn moved(module: &mut Module, from: u32, by: i32) {
    let shift = |target: u32| if target >= from { target.wrapping_add_signed(by) } else { target };
    for (at, word) in module.code.iter_mut().enumerate() {
        let here = at as u32;
        let retry =
            matches!(isa::Instruction::decode(*word), Some(isa::Instruction::Edge { kind: EdgeKind::Retry, .. }));
        for (_, kind, slot) in row(*word).map_or(&[][..], |row| row.operands) {
            let value = slot.of(*word);
            match kind {
                OperandKind::Target => *word = put(*word, *slot, shift(value)),
                OperandKind::Offset if value > 0 && !retry => {
                    *word = put(*word, *slot, shift(here + value).wrapping_sub(shift(here)));
                }
                _ => {}
            }
        }
    }
    for function in &mut module.functions {
        (function.entry, function.end) = (shift(function.entry), shift(function.end));
    }
    for handler in module.stages.iter_mut().filter_map(|stage| stage.handler.as_mut()) {
        handler.target = shift(handler.target);
    }
}

impl Mutants<'_> {
    fn add(&mut self, what: String, change: impl FnOnce(&mut Module)) {
        let mut mutant = self.module.clone();
        change(&mut mutant);
        if mutant != *self.module {
            self.all.push((what, mutant));
        }
    }

    fn operands(&mut self) {
        for (pc, word) in self.module.code.iter().copied().enumerate() {
            let operands = row(word).map_or(&[][..], |row| row.operands);
            for (name, kind, slot) in operands {
                let value = slot.of(word);
                let mut values = vec![value.wrapping_add(1), value.wrapping_sub(1), 0];
                match kind {
                    OperandKind::Target => values.extend([value + 2, value.wrapping_sub(2), pc as u32]),
                    OperandKind::Offset => values.extend([value + 2, value.wrapping_sub(2)]),
                    OperandKind::Edge => values.extend(0..EdgeKind::ALL.len() as u32),
                    OperandKind::OptionalCounter => values.push(isa::NO_COUNTER),
                    _ => {}
                }
                for value in values {
                    let value = value & slot.max();
                    self.add(format!("word {pc}: {name} = {value}"), |m| m.code[pc] = put(word, *slot, value));
                }
            }
            for (at, (_, _, first)) in operands.iter().enumerate() {
                for (_, _, second) in &operands[at + 1..] {
                    let swapped = put(put(word, *first, second.of(word)), *second, first.of(word));
                    self.add(format!("word {pc}: operands swapped"), |m| m.code[pc] = swapped);
                }
            }
        }
    }

    fn instructions(&mut self) {
        for (pc, word) in self.module.code.iter().copied().enumerate() {
            for row in TABLE {
                let other = word & u64::MAX >> 8 | u64::from(row.number) << 56;
                self.add(format!("word {pc}: is {}", row.name), |m| m.code[pc] = other);
                let plain =
                    row.operands.iter().fold(u64::from(row.number) << 56, |plain, (_, kind, slot)| match kind {
                        OperandKind::OptionalCounter => slot.put(plain, isa::NO_COUNTER),
                        OperandKind::Target => slot.put(plain, pc as u32 + 1),
                        _ => plain,
                    });
                self.add(format!("before word {pc}: {}", row.name), |m| {
                    moved(m, pc as u32 + 1, 1);
                    m.code.insert(pc + 1, plain);
                });
            }
            self.add(format!("word {pc}: dropped"), |m| {
                m.code.remove(pc);
                moved(m, pc as u32 + 1, -1);
            });
            self.add(format!("word {pc}: dropped, targets stay"), |m| {
                m.code.remove(pc);
                for function in &mut m.functions {
                    function.end -= u32::from(function.end > pc as u32);
                    function.entry -= u32::from(function.entry > pc as u32);
                }
            });
            self.add(format!("word {pc}: swapped with the next"), |m| {
                let next = (pc + 1) % m.code.len();
                m.code.swap(pc, next);
            });
        }
    }

    fn functions(&mut self) {
        for (at, function) in self.module.functions.iter().enumerate() {
            let name = &function.name;
            for registers in near(function.registers) {
                self.add(format!("{name}: {registers} registers"), |m| m.functions[at].registers = registers);
            }
            for by in [-1, 1] {
                self.add(format!("{name}: entry {by}"), |m| {
                    m.functions[at].entry = function.entry.saturating_add_signed(by);
                });
                self.add(format!("{name}: end {by}"), |m| {
                    m.functions[at].end = function.end.saturating_add_signed(by);
                    if let Some(next) = m.functions.get_mut(at + 1) {
                        next.entry = next.entry.saturating_add_signed(by);
                    }
                });
            }
            for (counter, most) in function.counters.iter().enumerate() {
                for most in near(*most).into_iter().chain([1]) {
                    self.add(format!("{name}: c{counter} at most {most}"), |m| {
                        m.functions[at].counters[counter] = most
                    });
                }
            }
            self.add(format!("{name}: a counter less"), |m| _ = m.functions[at].counters.pop());
            self.add(format!("{name}: a verdict less"), |m| _ = m.functions[at].verdicts.pop());
        }
    }

    fn stages(&mut self) {
        for (at, stage) in self.module.stages.iter().enumerate() {
            let name = &stage.key;
            for kind in StageKind::ALL {
                self.add(format!("{name}: a {}", kind.word()), |m| m.stages[at].kind = kind);
            }
            for row in other(stage.around.map(|around| around.0)) {
                self.add(format!("{name}: around {row:?}"), |m| m.stages[at].around = row.map(StageId));
            }
            for row in other(stage.input.map(|register| register.0)) {
                self.add(format!("{name}: input {row:?}"), |m| m.stages[at].input = row.map(RegisterId));
            }
            for row in other(stage.output.map(|register| register.0)) {
                self.add(format!("{name}: output {row:?}"), |m| m.stages[at].output = row.map(RegisterId));
            }
            self.add(format!("{name}: registers swapped"), |m| {
                (m.stages[at].input, m.stages[at].output) = (stage.output, stage.input);
            });
            let (first, count) = stage.counters;
            for (first, count) in
                near(first).map(|first| (first, count)).into_iter().chain(near(count).map(|n| (first, n)))
            {
                self.add(format!("{name}: counters c{first}+{count}"), |m| m.stages[at].counters = (first, count));
            }
            for row in other(stage.chooser.map(|chooser| chooser.0)) {
                self.add(format!("{name}: chooser {row:?}"), |m| m.stages[at].chooser = row.map(WorkerId));
            }
            self.add(format!("{name}: a name less"), |m| _ = m.stages[at].names.pop());
            self.add(format!("{name}: a name more"), |m| m.stages[at].names.push(WordId(0)));
            self.add(format!("{name}: names reversed"), |m| m.stages[at].names.reverse());
            for some in [None, Some(2)] {
                self.add(format!("{name}: deadline {some:?}"), |m| m.stages[at].deadline_ms = some);
                self.add(format!("{name}: tokens {some:?}"), |m| m.stages[at].tokens = some);
            }
            for some in [None, Some(0), Some(100)] {
                self.add(format!("{name}: money {some:?}"), |m| m.stages[at].money = some);
            }
        }
    }

    fn handlers(&mut self) {
        for (at, stage) in self.module.stages.iter().enumerate() {
            let name = &stage.key;
            let Some(handler) = stage.handler else {
                for target in 0..self.module.code.len() as u32 {
                    self.add(format!("{name}: handler at {target}"), |m| {
                        m.stages[at].input = Some(RegisterId(1));
                        m.stages[at].handler = Some(Handler { kinds: KindSet(15), counter: None, target });
                        m.functions[0].registers = m.functions[0].registers.max(2);
                    });
                }
                continue;
            };
            self.add(format!("{name}: no handler"), |m| m.stages[at].handler = None);
            for kinds in 0..=16 {
                let handler = Handler { kinds: KindSet(kinds), ..handler };
                self.add(format!("{name}: catches {kinds}"), |m| m.stages[at].handler = Some(handler));
            }
            for row in other(handler.counter.map(|counter| counter.0)) {
                let handler = Handler { counter: row.map(CounterId), ..handler };
                self.add(format!("{name}: catches c{row:?}"), |m| m.stages[at].handler = Some(handler));
            }
            for target in 0..self.module.code.len() as u32 {
                let handler = Handler { target, ..handler };
                self.add(format!("{name}: handler at {target}"), |m| m.stages[at].handler = Some(handler));
            }
        }
    }

    fn steps(&mut self) {
        let rows = self.module.functions.len().max(self.module.workers.len()) as u16;
        let targets: Vec<StepTarget> = (0..=rows)
            .flat_map(|row| [StepTarget::Worker(WorkerId(row)), StepTarget::Function(FunctionId(row))])
            .collect();
        for (at, step) in self.module.steps.iter().enumerate() {
            let name = &step.name;
            for row in near(step.stage.0) {
                self.add(format!("{name}: in stage {row}"), |m| m.steps[at].stage = StageId(row));
            }
            for target in &targets {
                self.add(format!("{name}: {target:?}"), |m| m.steps[at].target = *target);
                self.add(format!("{name}: undo {target:?}"), |m| m.steps[at].undo = Some(*target));
            }
            self.add(format!("{name}: no undo"), |m| m.steps[at].undo = None);
            for row in other(step.input.map(|register| register.0)) {
                self.add(format!("{name}: input {row:?}"), |m| m.steps[at].input = row.map(RegisterId));
            }
            for row in other(step.output.map(|register| register.0)) {
                self.add(format!("{name}: output {row:?}"), |m| m.steps[at].output = row.map(RegisterId));
            }
            self.add(format!("{name}: registers swapped"), |m| {
                (m.steps[at].input, m.steps[at].output) = (step.output, step.input);
            });
            for some in [None, Some(0), Some(100)] {
                self.add(format!("{name}: money {some:?}"), |m| m.steps[at].money = some);
                self.add(format!("{name}: deadline {some:?}"), |m| m.steps[at].deadline_ms = some);
            }
            self.add(format!("{name}: a verdict less"), |m| _ = m.steps[at].verdicts.pop());
            self.add(format!("{name}: a verdict more"), |m| {
                m.steps[at].verdicts.push(WordId(m.words.len() as u16 - 1));
            });
            self.add(format!("{name}: a behaviour more"), |m| m.steps[at].behaviours.push(0));
        }
    }

    /// Rows change places, and what refers to them does not hear of it.
    fn rows(&mut self) {
        macro_rules! swap {
            ($($table:ident)*) => {$(
                for at in 1..self.module.$table.len() {
                    self.add(format!("{}: rows {} and {at} swapped", stringify!($table), at - 1), |m| m.$table.swap(at - 1, at));
                }
                self.add(format!("{}: a row less", stringify!($table)), |m| _ = m.$table.pop());
            )*};
        }
        swap!(words functions stages steps workers behaviours);
    }
}
