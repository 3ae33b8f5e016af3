//! Text to flow graph to bytecode, and back to well-set text. Pure: no I/O, no clock, no randomness, no async.
#![forbid(unsafe_code)]

pub mod span;
pub mod tree;
pub mod words;
