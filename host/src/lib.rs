//! The only place with I/O: the driver that carries out what the machine asks, the workers, the pool, the store.
#![forbid(unsafe_code)]
// I/O is what this crate is for; `clippy.toml` keeps it out of the core.
#![allow(clippy::disallowed_methods)]

pub mod builtin;
pub mod cache;
pub mod cassette;
#[cfg(feature = "http")]
mod client;
pub mod driver;
pub mod facts;
pub mod kept;
pub mod limits;
pub mod mcp;
#[cfg(feature = "memory")]
pub mod memory;
pub mod mint;
pub mod models;
pub mod parts;
pub mod performance;
pub mod pool;
#[cfg(feature = "store")]
pub mod portable;
pub mod process;
pub mod recovery;
#[cfg(feature = "store")]
pub mod resume;
pub mod secret;
pub mod signals;
pub mod sources;
pub mod stdlib;
pub mod store;
pub mod trace;
mod webhook;
pub mod work;
