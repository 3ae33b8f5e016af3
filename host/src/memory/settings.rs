//! `[memory]` of `aivm.toml`.

use schemars::JsonSchema;
use serde::Deserialize;

/// `[memory]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MemorySettings {
    /// What makes texts into vectors: `hash`; a model, `provider/model`; or a folder with a model, which has a `.` or `/` before it.
    pub embedder: String,
    /// The longest part that a text is divided into, in characters.
    pub part: usize,
    /// How near vectors are found.
    pub search: Search,
    /// A server that keeps the vectors, instead of the file.
    pub qdrant: Option<QdrantSettings>,
}

impl Default for MemorySettings {
    fn default() -> MemorySettings {
        MemorySettings { embedder: "hash".to_owned(), part: 1_000, search: Search::Auto, qdrant: None }
    }
}

/// How near vectors are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Search {
    /// As is best where they are kept: in the file exactly, on a server by its index.
    #[default]
    Auto,
    /// Each vector is compared.
    Exact,
    /// Vectors of bytes are compared, and the best of these exactly.
    Quantised,
}

/// `[memory.qdrant]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QdrantSettings {
    /// Where it is: `http://localhost:6334`, its gRPC port.
    pub url: String,
    /// The name of the secret that is its key; none: it wants none.
    pub key: Option<String>,
    /// What the names of its collections begin with.
    pub prefix: Option<String>,
}
