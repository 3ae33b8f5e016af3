//! its store is damaged. What it promised holds all the same.
//!
//! `AIVM_TORTURE=1` is what CI runs, `AIVM_TORTURE=long` the long form; unset, each part only shows that it works.
//! `AIVM_TORTURE_FROM` is the number that the dice begin with. What was counted is left in `torture.json` in the target folder.
#![cfg(all(target_os = "linux", feature = "store"))]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

#[path = "common/dice.rs"]
mod dice;
#[path = "torture/faults.rs"]
mod faults;
#[path = "torture/flips.rs"]
mod flips;
#[path = "torture/full.rs"]
mod full;
#[path = "torture/ground.rs"]
mod ground;
#[path = "torture/killed.rs"]
mod killed;
#[path = "torture/parked.rs"]
mod parked;
#[path = "torture/place.rs"]
mod place;
#[path = "torture/service.rs"]
mod service;
#[path = "torture/starts.rs"]
mod starts;
#[path = "torture/subject.rs"]
mod subject;
