//! The verifier and the machine: bytecode in, actions out, answers in. No I/O, no clock, no randomness, no async.
#![forbid(unsafe_code)]

pub mod action;
mod error;
pub mod key;
pub mod machine;
mod outcome;
mod pending;
mod program;
pub mod run;
mod slab;
pub mod snapshot;
mod state;
pub mod verify;

pub use action::*;
pub use key::StepKey;
pub use machine::{CompleteError, Machine, Totals};
pub use run::Run;
pub use snapshot::SnapshotError;
pub use verify::{VerifiedModule, VerifyError, verify};
