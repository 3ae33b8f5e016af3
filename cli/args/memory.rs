//! What is said of what workers remember.

use clap::{Args as Group, Subcommand};

/// `memory`
#[derive(Debug, Group)]
pub struct MemoryArgs {
    /// What to do
    #[command(subcommand)]
    pub command: MemoryCommand,
}

/// `memory …`
#[derive(Debug, Subcommand)]
pub enum MemoryCommand {
    /// Each memory in which something is remembered, how much, and by which embedder
    Ls,
    /// The notes of a memory, and what is related
    Show {
        /// global, global/NAME or local/WORKER
        memory: String,
        /// Only notes behind this id
        #[arg(long, value_name = "ID", default_value = "")]
        after: String,
        /// At most so many
        #[arg(long, default_value_t = 100)]
        most: usize,
    },
    /// The notes that are nearest in meaning to a text
    Query {
        /// What is looked for
        query: String,
        /// global, global/NAME or local/WORKER
        #[arg(long = "in", value_name = "MEMORY", default_value = "global")]
        memory: String,
        /// At most so many
        #[arg(long, default_value_t = 5)]
        most: usize,
        /// Only notes whose metadata says so: '{"topic": "tax"}'
        #[arg(long = "where", value_name = "JSON")]
        only: Option<String>,
    },
    /// Everything that is remembered, a line of JSON each
    Export {
        /// Only this: global, global/NAME or local/WORKER
        memory: Option<String>,
    },
    /// Forget notes, or all that is in a memory
    Forget {
        /// global, global/NAME or local/WORKER
        memory: String,
        /// The ids of notes
        #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
        ids: Vec<String>,
        /// All notes, and all that is related
        #[arg(long)]
        all: bool,
        /// Say what would be forgotten, and forget nothing
        #[arg(long)]
        dry_run: bool,
    },
}
