//! A module as assembly text, for people to read and for [`super::assemble`] to read back. Total: what makes no sense is shown
//! by number, never refused. `docs/isa.md` says how the text is built.

use super::text::{definition, name};
use super::*;
use crate::isa::{self, Instruction, OperandKind};
use crate::unit::{Milliseconds, Money, Tokens};
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;
use std::ops::Range;

/// The module as text. `assemble` makes the same module of it.
pub fn disassemble(module: &Module) -> String {
    let mut printer = Printer::new(module);
    printer.tables();
    for block in blocks(module) {
        printer.block(&block);
    }
    printer.out
}

/// A function with the rows and the code that are shown under it: each row once, whatever the functions claim.
struct Block {
    function: Option<usize>,
    stages: Range<usize>,
    steps: Range<usize>,
    code: Range<usize>,
}

fn blocks(module: &Module) -> Vec<Block> {
    let all = |from: usize, len: usize| from..len;
    let (mut stages, mut steps, mut code) = (0, 0, 0);
    let mut blocks = Vec::with_capacity(module.functions.len());
    let last = module.functions.len().saturating_sub(1);
    let up_to = |from: usize, end: usize, len: usize| from..end.min(len).max(from);
    for (at, function) in module.functions.iter().enumerate() {
        let end = |(first, count): (u16, u16)| usize::from(first) + usize::from(count);
        let block = if at == last {
            Block {
                function: Some(at),
                stages: all(stages, module.stages.len()),
                steps: all(steps, module.steps.len()),
                code: all(code, module.code.len()),
            }
        } else {
            Block {
                function: Some(at),
                stages: up_to(stages, end(function.stages), module.stages.len()),
                steps: up_to(steps, end(function.steps), module.steps.len()),
                code: up_to(code, function.end as usize, module.code.len()),
            }
        };
        (stages, steps, code) = (block.stages.end, block.steps.end, block.code.end);
        blocks.push(block);
    }
    if blocks.is_empty() {
        let (stages, steps, code) =
            (all(0, module.stages.len()), all(0, module.steps.len()), all(0, module.code.len()));
        blocks.push(Block { function: None, stages, steps, code });
    }
    blocks
}

/// The first row of each name: what a name stands for when it is read back.
type Names<'a> = HashMap<&'a str, usize>;

fn first_of<'a>(names: impl Iterator<Item = &'a str>) -> Names<'a> {
    let mut map = HashMap::new();
    for (at, name) in names.enumerate() {
        map.entry(name).or_insert(at);
    }
    map
}

struct Printer<'a> {
    module: &'a Module,
    out: String,
    words: Names<'a>,
    workers: Names<'a>,
    behaviours: Names<'a>,
    functions: Names<'a>,
    /// Of the function being shown.
    stages: Names<'a>,
    steps: HashMap<String, usize>,
    counters: &'a [u16],
    owners: HashMap<RegisterId, String>,
    labels: BTreeSet<u32>,
}

/// Appends ` key value` for what is set.
macro_rules! optional {
    ($line:ident, $($key:literal: $value:expr),* $(,)?) => {$(
        if let Some(value) = $value {
            let _ = write!($line, concat!(" ", $key, " {}"), value);
        }
    )*};
}

impl<'a> Printer<'a> {
    fn new(module: &'a Module) -> Printer<'a> {
        Printer {
            module,
            out: String::new(),
            words: first_of(module.words.iter().map(String::as_str)),
            workers: first_of(module.workers.iter().map(|worker| worker.name.as_str())),
            behaviours: first_of(module.behaviours.iter().map(|behaviour| behaviour.name.as_str())),
            functions: first_of(module.functions.iter().map(|function| function.name.as_str())),
            stages: Names::new(),
            steps: HashMap::new(),
            counters: &[],
            owners: HashMap::new(),
            labels: labels(module),
        }
    }

    fn line(&mut self, text: impl AsRef<str>) {
        self.out.push_str(text.as_ref());
        self.out.push('\n');
    }

    fn tables(&mut self) {
        let module = self.module;
        self.line(format!("; aivm assembly, format {}", isa::FORMAT));
        let RunLimits { calls, money, tokens } = module.limits;
        if module.limits != RunLimits::default() {
            let mut line = "limits".to_owned();
            optional!(line, "calls": calls, "money": money.map(Money), "tokens": tokens.map(Tokens));
            self.line(line);
        }
        if let Some(most) = module.concurrent {
            self.line(format!("concurrent {most}"));
        }
        for param in &module.params {
            self.line(format!("param {} {}", name(&param.name), definition(&param.definition)));
        }
        let mut line = String::new();
        for word in &module.words {
            let word = name(word);
            if !line.is_empty() && line.len() + word.len() > 110 {
                self.line(std::mem::take(&mut line));
            }
            line.push_str(if line.is_empty() { "words " } else { ", " });
            line.push_str(&word);
        }
        if !line.is_empty() {
            self.line(line);
        }
        for worker in &module.workers {
            let mut line = format!("worker {}", name(&worker.name));
            optional!(line, "money": worker.money.map(Money), "tokens": worker.tokens.map(Tokens));
            self.line(format!("{line} {}", definition(&worker.definition)));
        }
        for behaviour in &module.behaviours {
            self.line(format!("behaviour {} {}", name(&behaviour.name), definition(&behaviour.definition)));
        }
    }

    fn block(&mut self, block: &Block) {
        let module = self.module;
        let first = block.stages.start;
        let stages = module.stages.get(block.stages.clone()).unwrap_or(&[]);
        self.stages = first_of(stages.iter().map(|stage| stage.key.as_str()));
        self.stages.values_mut().for_each(|at| *at += first);
        self.steps.clear();
        for at in block.steps.clone() {
            if let Some(path) = self.path(at) {
                self.steps.entry(path).or_insert(at);
            }
        }
        self.owners = self.owners(block);
        if let Some(function) = block.function.and_then(|at| module.functions.get(at)) {
            self.counters = &function.counters;
            self.function(function, block);
        }
        for at in block.stages.clone() {
            self.stage(at);
        }
        for at in block.steps.clone() {
            self.step(at);
        }
        if !block.code.is_empty() {
            self.line("");
        }
        for at in block.code.clone() {
            self.word(at);
        }
    }

    fn function(&mut self, function: &Function, block: &Block) {
        self.line(format!("\nfunction {} registers {}", name(&function.name), function.registers));
        // Where functions do not divide the tables as they are shown, they say what they claim.
        if (function.entry as usize, function.end as usize) != (block.code.start, block.code.end) {
            self.line(format!("  code {}..{}", function.entry, function.end));
        }
        for (table, (first, count), shown) in
            [("stages", function.stages, &block.stages), ("steps", function.steps, &block.steps)]
        {
            if (usize::from(first), usize::from(count)) != (shown.start, shown.len()) {
                self.line(format!("  {table} {first}+{count}"));
            }
        }
        if !function.counters.is_empty() {
            let counters: Vec<String> = function.counters.iter().map(u16::to_string).collect();
            self.line(format!("  counters {}", counters.join(", ")));
        }
        if !function.verdicts.is_empty() {
            let verdicts = self.word_list(&function.verdicts);
            self.line(format!("  verdicts {verdicts}"));
        }
    }

    fn stage(&mut self, at: usize) {
        let Some(stage) = self.module.stages.get(at) else { return };
        let kind = stage.kind.word();
        let mut line = format!("  stage {} {kind}", name(&stage.key));
        optional!(line, "around": stage.around.map(|around| self.stage_name(around)));
        self.quantities(&mut line, stage.deadline_ms, stage.money, stage.tokens);
        optional!(line, "input": stage.input.map(register), "output": stage.output.map(register));
        if stage.counters != (0, 0) {
            let _ = write!(line, " counters c{}+{}", stage.counters.0, stage.counters.1);
        }
        if let Some(handler) = stage.handler {
            let _ = write!(line, " handler {}", kinds(handler.kinds));
            optional!(line, "counter": handler.counter.map(counter));
            let _ = write!(line, " at {}", self.target(handler.target));
        }
        optional!(line, "chooser": stage.chooser.map(|worker| self.worker_name(worker)));
        if !stage.names.is_empty() {
            let _ = write!(line, " names {}", self.word_list(&stage.names));
        }
        self.line(line);
    }

    fn quantities(&self, line: &mut String, deadline_ms: Option<u64>, money: Option<u64>, tokens: Option<u64>) {
        optional!(line, "deadline": deadline_ms.map(Milliseconds), "money": money.map(Money), "tokens": tokens.map(Tokens));
    }

    fn step(&mut self, at: usize) {
        let Some(step) = self.module.steps.get(at) else { return };
        let mut line =
            format!("  step {} in {} {}", name(&step.name), self.stage_name(step.stage), self.called(step.target));
        if !step.behaviours.is_empty() {
            let behaviours: Vec<String> = step
                .behaviours
                .iter()
                .map(|at| self.named(&self.behaviours, &self.module.behaviours, (*at).into(), |row| &row.name))
                .collect();
            let _ = write!(line, " behaviours {}", behaviours.join(", "));
        }
        self.quantities(&mut line, step.deadline_ms, step.money, step.tokens);
        optional!(line, "input": step.input.map(register), "output": step.output.map(register));
        optional!(line, "undo": step.undo.map(|undo| self.called(undo)));
        if !step.verdicts.is_empty() {
            let _ = write!(line, " verdicts {}", self.word_list(&step.verdicts));
        }
        self.line(line);
    }

    fn word(&mut self, at: usize) {
        let Some(word) = self.module.code.get(at).copied() else { return };
        let label = if self.labels.contains(&(at as u32)) { format!("L{at}:") } else { String::new() };
        let Some(instruction) = Instruction::decode(word) else {
            return self.line(format!("{label:<6} raw {word:#018x}"));
        };
        let Some(row) = isa::row(instruction.number()) else { return };
        let listed =
            matches!(instruction, Instruction::Edge { .. } | Instruction::Branch { .. } | Instruction::Option { .. });
        let indent = if listed { "  " } else { "" };
        let mut text = format!("{label:<6} {indent}{:<7}", row.name);
        let mut operands: Vec<String> = row
            .operands
            .iter()
            .map(|(name, kind, slot)| self.operand(name, *kind, slot.of(word), at, instruction))
            .collect();
        while operands.last().is_some_and(|last| last == "-") {
            operands.pop();
        }
        for operand in &operands {
            text.push(' ');
            text.push_str(operand);
        }
        let text = text.trim_end();
        match self.comment(word, instruction) {
            Some(comment) => self.line(format!("{text:<46} ; {comment}")),
            None => self.line(text),
        }
    }

    /// One operand; `-` for none.
    fn operand(&self, name: &str, kind: OperandKind, value: u32, at: usize, instruction: Instruction) -> String {
        let short = value as u16;
        match kind {
            OperandKind::Stage => self.stage_name(StageId(short)),
            OperandKind::Step => self.step_name(short.into()),
            OperandKind::Counter => counter(CounterId(short)),
            OperandKind::OptionalCounter if value == isa::NO_COUNTER => "-".into(),
            OperandKind::OptionalCounter => counter(CounterId(short)),
            OperandKind::Register => register(RegisterId(short)),
            OperandKind::Word => self.word_name(WordId(short)),
            OperandKind::Number => value.to_string(),
            OperandKind::Target => self.target(value),
            OperandKind::Offset => match instruction {
                Instruction::Edge { kind: EdgeKind::Retry, .. } => value.to_string(),
                _ if value == 0 => "-".into(),
                _ => match at as u32 + value {
                    target if self.labels.contains(&target) => format!("L{target}"),
                    _ => format!("+{value}"),
                },
            },
            OperandKind::Edge => EdgeKind::from_number(value as u8).map_or("-".into(), |kind| kind.word().into()),
            OperandKind::Kinds => kinds(KindSet(value as u8)),
            OperandKind::Flag => if value == 1 { name } else { "-" }.into(),
        }
    }

    /// What an instruction's numbers mean.
    fn comment(&self, word: u64, instruction: Instruction) -> Option<String> {
        if let Instruction::Ref { register } = instruction {
            return self.owners.get(&register).cloned();
        }
        isa::operands(word).find_map(|(kind, value)| match kind {
            OperandKind::Counter | OperandKind::OptionalCounter => {
                self.counters.get(value as usize).map(|most| format!("c{value} at most {most}"))
            }
            _ => None,
        })
    }

    /// Whose input or output each register of a function holds: the first that says so.
    fn owners(&self, block: &Block) -> HashMap<RegisterId, String> {
        let mut owners = HashMap::new();
        let mut own = |path: &str, input: Option<RegisterId>, output: Option<RegisterId>| {
            for (register, side) in [(input, "in"), (output, "out")] {
                if let Some(register) = register {
                    owners.entry(register).or_insert_with(|| name(&format!("{path}.{side}")));
                }
            }
        };
        for stage in self.module.stages.get(block.stages.clone()).unwrap_or(&[]) {
            own(&stage.key, stage.input, stage.output);
        }
        for at in block.steps.clone() {
            if let (Some(step), Some(path)) = (self.module.steps.get(at), self.path(at)) {
                own(&path, step.input, step.output);
            }
        }
        owners
    }

    fn path(&self, at: usize) -> Option<String> {
        let step = self.module.steps.get(at)?;
        Some(format!("{}/{}", self.module.stages.get(step.stage.index())?.key, step.name))
    }

    /// The name of a row, where reading it back finds that row; else its number.
    fn named<T>(&self, names: &Names<'_>, table: &[T], at: usize, of: impl Fn(&T) -> &String) -> String {
        match table.get(at).map(of) {
            Some(text) if names.get(text.as_str()) == Some(&at) => name(text),
            _ => format!("#{at}"),
        }
    }

    fn stage_name(&self, id: StageId) -> String {
        self.named(&self.stages, &self.module.stages, id.index(), |stage| &stage.key)
    }

    fn step_name(&self, at: usize) -> String {
        match self.path(at) {
            Some(path) if self.steps.get(&path) == Some(&at) => name(&path),
            _ => format!("#{at}"),
        }
    }

    fn worker_name(&self, id: WorkerId) -> String {
        self.named(&self.workers, &self.module.workers, id.index(), |worker| &worker.name)
    }

    fn word_name(&self, id: WordId) -> String {
        self.named(&self.words, &self.module.words, id.index(), |word| word)
    }

    fn word_list(&self, words: &[WordId]) -> String {
        words.iter().map(|word| self.word_name(*word)).collect::<Vec<_>>().join(", ")
    }

    fn called(&self, target: StepTarget) -> String {
        match target {
            StepTarget::Worker(id) => format!("worker {}", self.worker_name(id)),
            StepTarget::Function(id) => {
                format!(
                    "function {}",
                    self.named(&self.functions, &self.module.functions, id.index(), |function| &function.name)
                )
            }
        }
    }

    fn target(&self, target: u32) -> String {
        if self.labels.contains(&target) { format!("L{target}") } else { format!("@{target}") }
    }
}

/// Every address that something leads to.
fn labels(module: &Module) -> BTreeSet<u32> {
    let mut labels: BTreeSet<u32> =
        module.stages.iter().filter_map(|stage| stage.handler).map(|handler| handler.target).collect();
    for (at, word) in module.code.iter().enumerate().filter(|(_, word)| Instruction::decode(**word).is_some()) {
        let retry = matches!(Instruction::decode(*word), Some(Instruction::Edge { kind: EdgeKind::Retry, .. }));
        labels.extend(isa::operands(*word).filter_map(|(kind, value)| match kind {
            OperandKind::Target => Some(value),
            OperandKind::Offset if value > 0 && !retry => Some(at as u32 + value),
            _ => None,
        }));
    }
    labels.split_off(&(module.code.len() as u32));
    labels
}

fn counter(id: CounterId) -> String {
    format!("c{}", id.0)
}

fn register(id: RegisterId) -> String {
    if id == INPUT { "in".into() } else { format!("r{}", id.0) }
}

/// `failure+exhausted`; a set with more than there is, as a number.
fn kinds(set: KindSet) -> String {
    if set.0 >= 1 << EndKind::ALL.len() {
        return format!("{:#04x}", set.0);
    }
    let words: Vec<&str> = EndKind::ALL.iter().filter(|kind| set.contains(**kind)).map(|kind| kind.word()).collect();
    if words.is_empty() { "-".into() } else { words.join("+") }
}
