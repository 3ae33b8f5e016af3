//! What memory promises, of every driver.
#![cfg(feature = "memory")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

#[path = "memory/common.rs"]
mod common;
#[path = "memory/contract.rs"]
mod contract;

#[path = "memory/laws.rs"]
mod laws;
#[cfg(feature = "candle")]
#[path = "memory/model.rs"]
mod model;
#[cfg(feature = "models")]
#[path = "memory/provider.rs"]
mod provider;
#[cfg(feature = "qdrant")]
#[path = "memory/server.rs"]
mod server;
#[path = "memory/survives.rs"]
mod survives;

use common::note;

contract::on!(file, common::embedded());
#[cfg(feature = "qdrant")]
contract::on!(qdrant, common::served());

#[cfg(feature = "qdrant")]
#[tokio::test]
async fn a_server_that_is_not_there_is_an_error() {
    let qdrant = aivm_host::memory::QdrantSettings { url: "http://127.0.0.1:9".to_owned(), ..Default::default() };
    let settings = aivm_host::memory::MemorySettings { qdrant: Some(qdrant), ..Default::default() };
    let memory = aivm_host::memory::Memory::at(std::path::Path::new("nowhere"), settings);
    let error = memory.remember(&aivm_host::memory::Place::Global, "", note("a", "text")).await.unwrap_err();
    assert_eq!(error.code(), "E0993", "{error}");
    assert!(error.to_string().contains("http://127.0.0.1:9"), "{error}");
}

#[tokio::test]
async fn what_is_remembered_is_there_in_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let open = || aivm_host::memory::Memory::at(folder.path(), Default::default());
    let place = aivm_host::memory::Place::Global;
    assert_eq!(open().recall(&place, "", "anything", &Default::default(), 5).await.unwrap(), []);
    assert!(!folder.path().join("memory.db").exists(), "whoever reads makes nothing");
    open().remember(&place, "", note("a", "the sky is blue")).await.unwrap();
    let hits = open().recall(&place, "", "what is blue?", &Default::default(), 5).await.unwrap();
    assert_eq!(hits[0].note, note("a", "the sky is blue"));
}
