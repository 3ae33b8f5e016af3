//! Module to assembly text that people read and `asm` reads back.

use super::asm::KINDS;
use super::*;
use crate::isa::{self, FORMAT, Instruction, OperandKind};
use std::collections::BTreeSet;
use std::fmt::Write;

/// The assembly text of a module. Words that are no instruction are shown as comments.
pub fn disassemble(module: &Module) -> String {
    let mut out = format!(".format {FORMAT}\n");
    for words in module.words.chunks(12) {
        let _ = writeln!(out, ".words {}", words.join(" "));
    }
    let limits = [("calls", module.limits.calls), ("money", module.limits.money), ("tokens", module.limits.tokens)];
    if limits.iter().any(|(_, limit)| limit.is_some()) {
        out.push_str(".limits");
        limits.iter().for_each(|(name, limit)| pair(&mut out, name, *limit));
        out.push('\n');
    }
    for (at, worker) in module.workers.iter().enumerate() {
        let _ = write!(out, ".worker {} {}", quoted(&worker.name), quoted(&worker.definition));
        pair(&mut out, "money", worker.money);
        pair(&mut out, "tokens", worker.tokens);
        let _ = writeln!(out, "  ; w{at}");
    }
    for behaviour in &module.behaviours {
        let _ = writeln!(out, ".behaviour {} {}", quoted(&behaviour.name), quoted(&behaviour.definition));
    }
    let labels = labels(module);
    for (at, function) in module.functions.iter().enumerate() {
        write_function(module, at, function, &labels, &mut out);
    }
    out
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

fn pair(out: &mut String, name: &str, value: Option<impl std::fmt::Display>) {
    if let Some(value) = value {
        let _ = write!(out, " {name}={value}");
    }
}

fn word(module: &Module, id: WordId) -> &str {
    module.words.get(id.index()).map_or("?", String::as_str)
}

fn words(module: &Module, ids: &[WordId]) -> Option<String> {
    let words: Vec<&str> = ids.iter().map(|id| word(module, *id)).collect();
    (!words.is_empty()).then(|| words.join(","))
}

fn numbers(list: &[u16]) -> Option<String> {
    (!list.is_empty()).then(|| list.iter().map(u16::to_string).collect::<Vec<_>>().join(","))
}

fn kinds(set: KindSet) -> String {
    let names: Vec<&str> = KINDS.iter().filter(|(_, kind)| set.contains(*kind)).map(|(name, _)| *name).collect();
    names.join("+")
}

fn target(target: StepTarget) -> String {
    match target {
        StepTarget::Worker(worker) => format!("w{}", worker.0),
        StepTarget::Function(function) => format!("f{}", function.0),
    }
}

/// The addresses that something leads to.
fn labels(module: &Module) -> BTreeSet<u32> {
    let mut labels: BTreeSet<u32> = module.stages.iter().filter_map(|stage| stage.handler.map(|handler| handler.target)).collect();
    for (pc, word) in module.code.iter().enumerate() {
        labels.extend(match Instruction::decode(*word) {
            Some(Instruction::Edge { kind, offset, .. }) if offset > 0 && kind != EdgeKind::Retry => {
                Some(pc as u32 + u32::from(offset))
            }
            Some(
                Instruction::Jump { target }
                | Instruction::Map { item: target, .. }
                | Instruction::Branch { target, .. }
                | Instruction::Option { target, .. }
                | Instruction::IfWord { target, .. }
                | Instruction::IfLast { target, .. }
                | Instruction::IfKind { target, .. },
            ) => Some(target),
            _ => None,
        });
    }
    labels
}

fn write_function(module: &Module, at: usize, function: &Function, labels: &BTreeSet<u32>, out: &mut String) {
    let _ = write!(out, "\n.function {} registers={}", quoted(&function.name), function.registers);
    pair(out, "counters", numbers(&function.counters));
    pair(out, "verdicts", words(module, &function.verdicts));
    let _ = writeln!(out, "  ; f{at}");
    let rows = |(first, count): (u16, u16)| usize::from(first)..usize::from(first) + usize::from(count);
    for row in rows(function.stages) {
        if let Some(stage) = module.stages.get(row) {
            write_stage(module, row, stage, out);
        }
    }
    for row in rows(function.steps) {
        if let Some(step) = module.steps.get(row) {
            write_step(module, row, step, out);
        }
    }
    for pc in function.entry..function.end {
        let Some(word) = module.code.get(pc as usize) else { break };
        let label = if labels.contains(&pc) { format!("L{pc}:") } else { String::new() };
        let _ = match Instruction::decode(*word) {
            Some(instruction) => writeln!(out, "{label:<6} {}", text(module, pc, *word, instruction)),
            None => writeln!(out, "{label:<6} ; {word:#018x} is no instruction"),
        };
    }
}

fn write_stage(module: &Module, row: usize, stage: &Stage, out: &mut String) {
    let kind = ["switch", "select", "join", "match"].get(stage.kind as usize).copied().unwrap_or("");
    let _ = write!(out, ".stage {} {kind}", quoted(&stage.key));
    pair(out, "around", stage.around.map(|around| format!("s{}", around.0)));
    pair(out, "deadline", stage.deadline_ms);
    pair(out, "money", stage.money);
    pair(out, "tokens", stage.tokens);
    pair(out, "input", stage.input.map(|register| format!("r{}", register.0)));
    pair(out, "output", stage.output.map(|register| format!("r{}", register.0)));
    if stage.counters != (0, 0) {
        pair(out, "counters", Some(format!("{}+{}", stage.counters.0, stage.counters.1)));
    }
    if let Some(handler) = stage.handler {
        let counter = handler.counter.map_or(String::new(), |counter| format!(",c{}", counter.0));
        pair(out, "catches", Some(format!("{},L{}{counter}", kinds(handler.kinds), handler.target)));
    }
    pair(out, "chooser", stage.chooser.map(|chooser| format!("w{}", chooser.0)));
    pair(out, "names", words(module, &stage.names));
    let _ = writeln!(out, "  ; s{row}");
}

fn write_step(module: &Module, row: usize, step: &Step, out: &mut String) {
    let _ = write!(out, ".step {} stage=s{} calls={}", quoted(&step.name), step.stage.0, target(step.target));
    pair(out, "undo", step.undo.map(target));
    pair(out, "behaviours", numbers(&step.behaviours));
    pair(out, "deadline", step.deadline_ms);
    pair(out, "money", step.money);
    pair(out, "tokens", step.tokens);
    pair(out, "input", step.input.map(|register| format!("r{}", register.0)));
    pair(out, "output", step.output.map(|register| format!("r{}", register.0)));
    pair(out, "verdicts", words(module, &step.verdicts));
    let _ = writeln!(out, "  ; t{row}");
}

/// One instruction, with the name of the stage or step that it is about.
fn text(module: &Module, pc: u32, code: u64, instruction: Instruction) -> String {
    let Some(info) = isa::row(instruction.number()) else { return String::new() };
    let mut out = format!("{:<8}", info.name);
    let mut about = None;
    let retry = matches!(instruction, Instruction::Edge { kind: EdgeKind::Retry, .. });
    for (_, kind, slot) in info.operands {
        let value = slot.of(code);
        let operand = match kind {
            OperandKind::Stage => {
                about = module.stages.get(value as usize).map(|stage| stage.key.clone());
                format!("s{value}")
            }
            OperandKind::Step => {
                about = module.steps.get(value as usize).map(|step| step.name.clone());
                format!("t{value}")
            }
            OperandKind::OptionalCounter if value == u32::from(u16::MAX) => "-".into(),
            OperandKind::Counter | OperandKind::OptionalCounter => format!("c{value}"),
            OperandKind::Register => format!("r{value}"),
            OperandKind::Word => word(module, WordId(value as u16)).to_owned(),
            OperandKind::Number | OperandKind::Flag => value.to_string(),
            OperandKind::Target => format!("L{value}"),
            OperandKind::Offset if value == 0 => "-".into(),
            OperandKind::Offset if retry => format!("*{value}"),
            OperandKind::Offset => format!("L{}", pc + value),
            OperandKind::Edge => EdgeKind::from_number(value as u8).map_or("?", EdgeKind::word).to_owned(),
            OperandKind::Kinds => kinds(KindSet(value as u8)),
        };
        out.push(' ');
        out.push_str(&operand);
    }
    match about {
        Some(about) => format!("{out:<28} ; {about}"),
        None => out,
    }
}
