//! The verifier: linear, total, and the only door to the machine. Bytes from anywhere may come; what passes has known
//! opcodes, operands in range, jumps to instructions of its own function, balanced stages, and a budget on every cycle.
//!
//! `tables` checks what stands beside the code, `shape` the code word by word and the stage that each word runs in, `cycles`
//! that every cycle is counted. Nothing here recurses over what it reads.

use aivm_schema::isa::Instruction;
use aivm_schema::module::Module;
use std::sync::Arc;

mod cycles;
mod shape;
mod tables;

/// A module that the machine accepts. Cloning shares it.
#[derive(Clone, Debug)]
pub struct VerifiedModule(Arc<Verified>);

#[derive(Debug)]
struct Verified {
    module: Module,
    code: Vec<Instruction>,
}

impl VerifiedModule {
    /// The module.
    pub fn module(&self) -> &Module {
        &self.0.module
    }

    /// Its code, decoded.
    #[inline]
    pub fn code(&self) -> &[Instruction] {
        &self.0.code
    }
}

/// Why a module is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// A table is not as it must be.
    #[error("E0610: the table of {table}, row {row}: {reason}")]
    Table {
        /// Which.
        table: &'static str,
        /// From 0.
        row: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// A word is no instruction.
    #[error("E0611: word {pc}: not an instruction of this format")]
    Unknown {
        /// Its address.
        pc: u32,
    },
    /// An operand names something that is not there, or may not be named here.
    #[error("E0612: word {pc}: {reason}")]
    Operand {
        /// Its address.
        pc: u32,
        /// What is wrong.
        reason: &'static str,
    },
    /// A target is no instruction of the same function that may be gone to.
    #[error("E0613: word {pc}: it leads to {target}, where nothing can go on")]
    Target {
        /// Its address.
        pc: u32,
        /// Where it leads.
        target: u32,
    },
    /// Edges, branches or options do not follow their head, or follow nothing.
    #[error("E0614: word {pc}: {reason}")]
    List {
        /// Its address.
        pc: u32,
        /// What is wrong.
        reason: &'static str,
    },
    /// Stages are not entered and left in order, or two ways to a word disagree.
    #[error("E0615: word {pc}: {reason}")]
    Stage {
        /// Its address.
        pc: u32,
        /// What is wrong.
        reason: &'static str,
    },
    /// A cycle that nothing counts.
    #[error("E0616: word {pc}: it lies on a cycle that no counter ends")]
    Endless {
        /// The smallest address on it.
        pc: u32,
    },
}

/// Checks a module.
pub fn verify(module: Module) -> Result<VerifiedModule, VerifyError> {
    tables::check(&module)?;
    let decode = |(pc, word): (usize, &u64)| Instruction::decode(*word).ok_or(VerifyError::Unknown { pc: pc as u32 });
    let code: Vec<Instruction> = module.code.iter().enumerate().map(decode).collect::<Result<_, _>>()?;
    for function in &module.functions {
        let states = shape::check(&module, &code, function)?;
        cycles::check(&module, &code, function, &states)?;
    }
    Ok(VerifiedModule(Arc::new(Verified { module, code })))
}

#[cfg(test)]
mod tests;
