//! What every part of aivm agrees on: the Artifact, the module format and its instruction table, worker definitions,
//! limits and units. Pure: no I/O, no clock, no randomness, no async.
#![forbid(unsafe_code)]

pub mod alias;
pub mod artifact;
pub mod isa;
pub mod journal;
pub mod keys;
pub mod limits;
pub mod module;
pub mod param;
pub mod plugin;
pub mod unit;
mod wire;
pub mod word;
pub mod worker;

#[allow(missing_docs, clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::expect_used, clippy::panic, unused)]
#[cfg(test)] // Artifacts are read and written by hand; tests hold that against this.
mod artifact_capnp {
    include!(concat!(env!("OUT_DIR"), "/artifact_capnp.rs"));
}
#[allow(missing_docs, clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::expect_used, clippy::panic, unused)]
mod module_capnp {
    include!(concat!(env!("OUT_DIR"), "/module_capnp.rs"));
}
#[allow(missing_docs, clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::expect_used, clippy::panic, unused)]
mod journal_capnp {
    include!(concat!(env!("OUT_DIR"), "/journal_capnp.rs"));
}
#[allow(missing_docs, clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::expect_used, clippy::panic, unused)]
mod plugin_capnp {
    include!(concat!(env!("OUT_DIR"), "/plugin_capnp.rs"));
}
