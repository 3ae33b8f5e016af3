//! The verifier: linear, total, and the only door to the machine. Bytes from anywhere may come; what passes has known
//! opcodes, operands in range, jumps to instructions of its own function, balanced stages, and a budget on every cycle.
//!
//! `tables` checks what stands beside the code, `shape` the code word by word, `flow` in which stage and branch each word runs,
//! `cycles` that every cycle is counted; `rule` has the rules. Nothing here recurses over what it reads. What a worker's
//! definition says is the host's to read, and what a program *means* was the compiler's.

use aivm_schema::isa::Instruction;
use aivm_schema::module::Module;
use std::sync::Arc;

mod cycles;
mod flow;
mod rule;
mod shape;
mod tables;

pub use rule::{Place, Rule, VerifyError};

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

/// Checks a module. Fails with the first rule that it breaks, and where.
pub fn verify(module: Module) -> Result<VerifiedModule, VerifyError> {
    let facts = tables::check(&module)?;
    let code = shape::check(&module)?;
    for (function, facts) in module.functions.iter().zip(&facts) {
        let graph = flow::check(&module, &code, function, facts)?;
        if let Some(word) = cycles::endless(&graph) {
            return Err(Rule::Endless.at(function.entry.saturating_add(word)));
        }
    }
    Ok(VerifiedModule(Arc::new(Verified { module, code })))
}
