//! The verifier and the machine: bytecode in, actions out, answers in. No I/O, no clock, no randomness, no async.
#![forbid(unsafe_code)]

pub mod action;
pub mod key;

pub use action::*;
pub use key::StepKey;
