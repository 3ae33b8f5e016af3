//! What tests of memory share.

use aivm_host::memory::embed::{Embedder, Purpose};
use aivm_host::memory::vectors::Later;
use aivm_host::memory::{Edge, Memory, Note};
use serde_json::{Map, Value, json};

/// A driver, and what it needs to live.
pub struct Driven {
    pub memory: Memory,
    pub _alive: Box<dyn std::any::Any>,
}

/// The file, in a folder of its own.
pub async fn embedded() -> Driven {
    let folder = tempfile::tempdir().unwrap();
    Driven { memory: Memory::at(folder.path(), Default::default()), _alive: Box::new(folder) }
}

/// A server of Qdrant's protocol, and its driver.
#[cfg(feature = "qdrant")]
pub async fn served() -> Driven {
    let (url, task) = crate::server::Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let qdrant = Some(aivm_host::memory::QdrantSettings { url, ..Default::default() });
    let settings = aivm_host::memory::MemorySettings { qdrant, ..Default::default() };
    let memory = Memory::at(folder.path(), settings);
    assert_eq!(memory.spaces().await.unwrap(), []);
    Driven { memory, _alive: Box::new((folder, task)) }
}

pub fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

pub fn note(id: &str, text: &str) -> Note {
    Note { id: id.to_owned(), text: text.to_owned(), metadata: Map::new() }
}

pub fn with(id: &str, text: &str, metadata: Value) -> Note {
    Note { metadata: map(metadata), ..note(id, text) }
}

pub fn edge(from: &str, relation: &str, to: &str) -> Edge {
    let metadata = map(json!({"by": from}));
    Edge { from: from.to_owned(), relation: relation.to_owned(), to: to.to_owned(), metadata }
}

/// An embedder that counts letters and digits.
#[derive(Debug)]
pub struct Letters;

impl Embedder for Letters {
    fn name(&self) -> &str {
        "letters"
    }

    fn embed<'a>(&'a self, texts: &'a [String], _: Purpose) -> Later<'a, Vec<Vec<f32>>> {
        let count = |text: &String| {
            let mut vector = vec![0.0; 36];
            for letter in text.chars().filter_map(|letter| letter.to_ascii_lowercase().to_digit(36)) {
                vector[letter as usize] += if letter < 10 { 5.0 } else { 1.0 };
            }
            vector
        };
        Box::pin(async move { Ok(texts.iter().map(count).collect()) })
    }
}

/// An embedder whose vectors cannot be compared.
#[derive(Debug)]
pub struct Broken;

impl Embedder for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    fn embed<'a>(&'a self, texts: &'a [String], _: Purpose) -> Later<'a, Vec<Vec<f32>>> {
        Box::pin(async move { Ok(texts.iter().map(|_| vec![1.0, f32::NAN]).collect()) })
    }
}
