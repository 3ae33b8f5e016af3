//! The machine under scripted hosts: straight, with a snapshot and reload before every answer, with little fuel.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests: a panic is how they speak.
#![allow(clippy::disallowed_methods)] // And some read their programs from files.

mod answers;
mod asm;
mod budgets;
mod build;
mod joins;
mod maps;
mod mutants;
mod selects;
mod snapshots;
mod timers;
mod unwinding;
mod world;
