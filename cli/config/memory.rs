//! `[memory]`: how workers remember.

use super::Project;
#[cfg(feature = "memory")]
use super::{is_address, models};
#[cfg(feature = "memory")]
use crate::fail::Failure;
#[cfg(feature = "memory")]
use crate::project;
#[cfg(feature = "memory")]
use aivm_host::memory::Memory;
#[cfg(feature = "memory")]
pub use aivm_host::memory::{MemorySettings, Search};

/// What a build without a memory has no use for.
#[cfg(not(feature = "memory"))]
pub type MemorySettings = toml::Table;

/// What can be known of it before it is used.
#[cfg(feature = "memory")]
pub fn check(memory: &MemorySettings) -> Result<(), String> {
    if memory.embedder.trim().is_empty() {
        return Err(
            "`embedder` of `[memory]` is empty: leave it out, or name `hash`, a model `provider/model`, or a folder `./NAME`"
                .to_owned(),
        );
    }
    if memory.part == 0 {
        return Err("`part` of `[memory]` is 0: it is the most characters of a part of a long text, as 1000".to_owned());
    }
    match &memory.qdrant {
        Some(server) if server.url.is_empty() => {
            Err("`[memory.qdrant]` has no `url`: its gRPC port, as `http://localhost:6334`".to_owned())
        }
        Some(server) if !is_address(&server.url) => Err(format!(
            "`url` of `[memory.qdrant]` is `{0}`, and an address begins with http:// or https://: write `http://{0}` if it is at that host",
            server.url
        )),
        _ => Ok(()),
    }
}

#[cfg(not(feature = "memory"))]
pub fn check(_: &MemorySettings) -> Result<(), String> {
    Ok(())
}

/// The name of the secret that its server wants.
#[cfg(feature = "memory")]
pub fn key(project: &Project) -> Option<String> {
    project.memory.qdrant.as_ref().and_then(|server| server.key.clone())
}

#[cfg(not(feature = "memory"))]
pub fn key(_: &Project) -> Option<String> {
    None
}

/// What workers of this project remember.
#[cfg(feature = "memory")]
pub fn of(project: &Project) -> Result<Memory, Failure> {
    Ok(Memory::at(&project::state_folder(), project.memory.clone()).asking(models()?))
}

/// Each setting: its name, what it is when it is said, and what it is otherwise.
#[cfg(feature = "memory")]
pub fn rows(memory: &MemorySettings) -> Vec<(&'static str, Option<String>, String)> {
    let preset = MemorySettings::default();
    let search = |search: Search| match search {
        Search::Auto => "auto",
        Search::Exact => "exact",
        Search::Quantised => "quantised",
    };
    let row = |name, value: String, default: String| (name, Some(value).filter(|value| *value != default), default);
    vec![
        row("memory.embedder", memory.embedder.clone(), preset.embedder),
        row("memory.part", memory.part.to_string(), preset.part.to_string()),
        row("memory.search", search(memory.search).to_owned(), search(preset.search).to_owned()),
        ("memory.qdrant", memory.qdrant.as_ref().map(|server| server.url.clone()), "none".to_owned()),
    ]
}

#[cfg(not(feature = "memory"))]
pub fn rows(_: &MemorySettings) -> Vec<(&'static str, Option<String>, String)> {
    Vec::new()
}
