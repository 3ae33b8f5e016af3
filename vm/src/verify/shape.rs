//! The code word by word, whether anything leads there or not: instructions that there are, operands in range, lists under
//! their heads, targets that can be gone to.

use super::rule::{Rule, VerifyError};
use super::tables::span;
use aivm_schema::isa::{self, Instruction, OperandKind};
use aivm_schema::module::{EdgeKind, Function, KindSet, Module};

/// Checks all code, and decodes it.
pub(super) fn check(module: &Module) -> Result<Vec<Instruction>, VerifyError> {
    let decode = |(word, pc): (&u64, u32)| Instruction::decode(*word).ok_or(Rule::Opcode.at(pc));
    let code: Vec<Instruction> = module.code.iter().zip(0..).map(decode).collect::<Result<_, _>>()?;
    for function in &module.functions {
        let shape = Shape { module, code: &code, function };
        let mut pc = function.entry;
        while pc < function.end {
            pc = shape.group(pc)?;
        }
        for (row, stage) in span(function.stages).zip(module.stages.get(span(function.stages)).unwrap_or(&[])) {
            if stage.handler.is_some_and(|handler| !shape.can_go_to(handler.target)) {
                return Err(Rule::Target.in_row("stages", row));
            }
        }
    }
    Ok(code)
}

struct Shape<'a> {
    module: &'a Module,
    code: &'a [Instruction],
    function: &'a Function,
}

impl Shape<'_> {
    fn at(&self, pc: u32) -> Option<Instruction> {
        self.code.get(pc as usize).copied().filter(|_| pc < self.function.end)
    }

    fn can_go_to(&self, target: u32) -> bool {
        let listed = |instruction| {
            matches!(instruction, Instruction::Edge { .. } | Instruction::Branch { .. } | Instruction::Option { .. })
        };
        target >= self.function.entry && self.at(target).is_some_and(|instruction| !listed(instruction))
    }

    /// Checks an instruction with the list under it; says where the next one stands.
    fn group(&self, pc: u32) -> Result<u32, VerifyError> {
        let Some(instruction) = self.at(pc) else { return Err(Rule::Division.at(pc)) };
        self.operands(pc)?;
        let mut next = pc + 1;
        let mut falls_through = true;
        match instruction {
            Instruction::Call { .. } | Instruction::Map { .. } | Instruction::Pick {} => {
                while let Some(Instruction::Edge { kind, counter, offset, .. }) = self.at(next) {
                    self.operands(next)?;
                    self.edge(next, kind, counter.is_some(), offset, instruction == Instruction::Pick {})?;
                    next += 1;
                }
                if next == pc + 1 {
                    return Err(Rule::List.at(pc));
                }
                falls_through = false;
            }
            Instruction::Join { branches, take, .. } => {
                if branches == 0 || take > branches {
                    return Err(Rule::JoinShape.at(pc));
                }
                for nth in 0..branches {
                    match self.at(next) {
                        Some(Instruction::Branch { element, .. }) if element == nth => self.operands(next)?,
                        Some(Instruction::Branch { .. }) => return Err(Rule::JoinShape.at(next)),
                        _ => return Err(Rule::List.at(pc)),
                    }
                    next += 1;
                }
            }
            Instruction::Choose { options, .. } => {
                for _ in 0..options {
                    let Some(Instruction::Option { .. }) = self.at(next) else { return Err(Rule::List.at(pc)) };
                    self.operands(next)?;
                    next += 1;
                }
            }
            Instruction::Ref { .. } => match self.at(next) {
                Some(Instruction::Ref { .. } | Instruction::Gather { .. }) => {}
                _ => return Err(Rule::Gather.at(pc)),
            },
            Instruction::Gather { step, .. } => match self.at(next) {
                Some(Instruction::Call { step: called } | Instruction::Map { step: called, .. }) if called == step => {}
                _ => return Err(Rule::Gather.at(pc)),
            },
            Instruction::Edge { .. } | Instruction::Branch { .. } | Instruction::Option { .. } => {
                return Err(Rule::List.at(pc));
            }
            Instruction::Jump { .. } | Instruction::Hand {} | Instruction::Fail { .. } | Instruction::Return {} => {
                falls_through = false;
            }
            _ => {}
        }
        match self.at(next) {
            None if falls_through => Err(Rule::FallsOff.at(pc)),
            // A list that is longer than its head says.
            Some(Instruction::Edge { .. } | Instruction::Branch { .. } | Instruction::Option { .. }) => {
                Err(Rule::List.at(next))
            }
            _ => Ok(next),
        }
    }

    fn operands(&self, pc: u32) -> Result<(), VerifyError> {
        let Some(word) = self.module.code.get(pc as usize) else { return Err(Rule::Opcode.at(pc)) };
        for (kind, value) in isa::operands(*word) {
            let row = value as usize;
            let rule = match kind {
                OperandKind::Stage if !span(self.function.stages).contains(&row) => Rule::Operand,
                OperandKind::Step if !span(self.function.steps).contains(&row) => Rule::Operand,
                OperandKind::OptionalCounter if value == isa::NO_COUNTER => continue,
                OperandKind::Counter | OperandKind::OptionalCounter if row >= self.function.counters.len() => {
                    Rule::Operand
                }
                OperandKind::Register if row >= self.function.registers.into() => Rule::Operand,
                OperandKind::Word if row >= self.module.words.len() => Rule::Operand,
                OperandKind::Kinds if !KindSet(value as u8).is_known() => Rule::Kinds,
                OperandKind::Target if !self.can_go_to(value) => Rule::Target,
                _ => continue,
            };
            return Err(rule.at(pc));
        }
        Ok(())
    }

    fn edge(&self, pc: u32, kind: EdgeKind, counted: bool, offset: u16, arm: bool) -> Result<(), VerifyError> {
        let fine = match kind {
            EdgeKind::Retry => offset > 0 && !counted && !arm,
            EdgeKind::Cancel | EdgeKind::Timeout => offset == 0 && !counted,
            // A `back` to above the first element can never be taken.
            EdgeKind::Back => offset > 0 || !counted,
            EdgeKind::Next | EdgeKind::Continue | EdgeKind::Send | EdgeKind::Jump => offset > 0,
        };
        if !fine {
            return Err(Rule::Edge.at(pc));
        }
        let leads = offset > 0 && kind != EdgeKind::Retry;
        if leads && !self.can_go_to(pc.saturating_add(offset.into())) { Err(Rule::Target.at(pc)) } else { Ok(()) }
    }
}
