//! Why memory does not do what it was asked.

/// Why memory does not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// The file cannot be opened, read or written.
    #[error("E0986: the memory {path}: {reason}")]
    File {
        /// Which.
        path: String,
        /// Why not.
        reason: String,
    },
    /// The file is not what was written, or not ours.
    #[error("E0987: the memory {path} cannot be read: {reason}")]
    Damaged {
        /// Which.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// Another process writes all the time.
    #[error("E0988: the memory {path} is busy: another process has been writing to it for {seconds} s; try again")]
    Busy {
        /// Which.
        path: String,
        /// So long was waited.
        seconds: u64,
    },
    /// It was asked for something that cannot be.
    #[error("E0989: {0}")]
    Asked(String),
    /// Texts could not be made into vectors.
    #[error("E0991: the embedder {embedder} gave no vectors: {reason}")]
    Embedder {
        /// Which.
        embedder: String,
        /// Why not.
        reason: String,
    },
    /// What an embedder gave is no vector that can be compared.
    #[error("E0992: the embedder {embedder} gave a vector that cannot be used: {reason}")]
    Vector {
        /// Which.
        embedder: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server that keeps the vectors.
    #[error("E0993: the vector server {server}: {reason}")]
    Server {
        /// Where.
        server: String,
        /// What it said, or why it was not reached.
        reason: String,
    },
    /// The settings name something that this program has not.
    #[error("E0994: [memory] in aivm.toml: {0}")]
    Settings(String),
}

impl MemoryError {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            MemoryError::File { .. } => "E0986",
            MemoryError::Damaged { .. } => "E0987",
            MemoryError::Busy { .. } => "E0988",
            MemoryError::Asked(_) => "E0989",
            MemoryError::Embedder { .. } => "E0991",
            MemoryError::Vector { .. } => "E0992",
            MemoryError::Server { .. } => "E0993",
            MemoryError::Settings(_) => "E0994",
        }
    }
}
