//! What is said of words, keys, data sources and settings.

use clap::{Args as Group, Subcommand};

/// `init`
#[derive(Debug, Group)]
pub struct InitArgs {
    /// What to begin
    #[arg(value_enum, default_value = "aivm")]
    pub what: Begun,
    /// The file to write (its usual name otherwise; - for standard output)
    pub file: Option<String>,
}

/// What can be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Begun {
    /// A program of arrows: pipeline.aivm
    Aivm,
    /// Steps that need each other: workflow.toml
    Workflow,
    /// Steps that can be compensated, in YAML: saga.yaml
    Saga,
    /// Stages and actions: aitws.toml
    Aitws,
    /// A worker: workers/ask.md
    Worker,
    /// The settings of a project: aivm.toml
    Config,
}

/// `schema`
#[derive(Debug, Group)]
pub struct SchemaArgs {
    /// Of what
    #[arg(value_enum)]
    pub of: SchemaOf,
}

/// What has a JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SchemaOf {
    /// A worker's definition: workers/WORD.toml
    Worker,
    /// The front matter of a program
    Front,
    /// An aivm.toml
    Config,
    /// Steps that need each other: workflow.toml
    Workflow,
    /// Steps that can be compensated, in YAML
    Saga,
    /// Stages and actions in TOML: aiTWS
    Aitws,
}

/// `grammar`
#[derive(Debug, Group)]
pub struct GrammarArgs {
    /// The notation
    #[arg(long, value_enum, default_value_t = GrammarFormat::Ebnf)]
    pub format: GrammarFormat,
}

/// A notation of grammars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum GrammarFormat {
    /// That of the W3C, to read
    Ebnf,
    /// That of llama.cpp, which holds a model to it
    Gbnf,
}

/// `self-test`
#[derive(Debug, Group)]
pub struct SelfTestArgs {
    /// For so long, as 60s
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub torture: aivm_schema::unit::Milliseconds,
}

/// `worker`
#[derive(Debug, Group)]
pub struct WorkerArgs {
    /// What to do
    #[command(subcommand)]
    pub command: WorkerCommand,
}

/// `worker …`
#[derive(Debug, Subcommand)]
pub enum WorkerCommand {
    /// All words of the standard library and of this project
    Ls,
    /// What a word does, its settings and an example
    Show {
        /// The word
        word: String,
    },
    /// Call one worker alone, and keep nothing
    Try(WorkerTryArgs),
    /// How often each worker was called, how well that went, what it took
    Stats(WorkerStatsArgs),
    /// Read all workers anew: are all sound? Notes which they are
    Reload,
    /// Write the definitions of another program as workers/WORD.md
    Import(WorkerImportArgs),
}

/// `worker try`
#[derive(Debug, Group)]
pub struct WorkerTryArgs {
    /// The word
    pub word: String,
    /// The input: TEXT, @FILE, or - for standard input
    #[arg(long = "in", value_name = "TEXT|@FILE|-")]
    pub input: Option<String>,
    /// The media type of the input (told from the file's name otherwise)
    #[arg(long = "type", value_name = "TYPE")]
    pub media_type: Option<String>,
    /// Verdicts that it may answer, with commas between them
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    pub words: Vec<String>,
    /// Answer its `mock` entries instead
    #[arg(long)]
    pub mock: bool,
}

/// `worker stats`
#[derive(Debug, Group)]
pub struct WorkerStatsArgs {
    /// Only this worker, by its definitions
    pub word: Option<String>,
    /// Only calls of so long ago at most, in whole days: 7d
    #[arg(long, value_name = "TIME")]
    pub since: Option<aivm_schema::unit::Milliseconds>,
    /// Each call, as a line of JSON
    #[arg(long)]
    pub records: bool,
}

/// `worker import`
#[derive(Debug, Group)]
pub struct WorkerImportArgs {
    /// ai_worker_definitions.json, a bundle, an agent's .md; or mcp:SERVER, mcp:SERVER/TOOL
    pub file: String,
    /// When an entry is wrong: FailFastOnError writes nothing, LoadValidAndReportErrors the others
    #[arg(long, default_value = "LoadValidAndReportErrors")]
    pub policy: String,
    /// Into this folder
    #[arg(long, value_name = "FOLDER", default_value = "workers")]
    pub out: std::path::PathBuf,
    /// Write over files that are there
    #[arg(long)]
    pub force: bool,
    /// Say what would be written, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `keys`
#[derive(Debug, Group)]
pub struct KeysArgs {
    /// What to do
    #[command(subcommand)]
    pub command: KeysCommand,
}

/// `keys …`
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key pair; the public half is printed
    New {
        /// Its name
        #[arg(default_value = "me")]
        name: String,
    },
    /// Trust a public key under a name
    Trust {
        /// The name
        name: String,
        /// 64 hexadecimal digits
        key: String,
    },
    /// The keys that are trusted
    Ls,
    /// Sign an artifact of the store; the signed one is a new artifact
    Sign {
        /// The beginning of a checksum or key
        artifact: String,
        /// With which of your keys
        #[arg(long, default_value = "me")]
        name: String,
    },
}

/// `secret`
#[derive(Debug, Group)]
pub struct SecretArgs {
    /// What to do
    #[command(subcommand)]
    pub command: SecretCommand,
}

/// `secret …`
#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Keep a secret: its value is typed unseen, or read from standard input
    Set {
        /// The name, as of a variable of the environment
        name: String,
        /// In a file that only you can read, not in the keyring
        #[arg(long)]
        file: bool,
    },
    /// The names of all that are kept, and where; never their values
    Ls,
    /// Remove a secret from the keyring and from your file
    Rm {
        /// The name
        name: String,
    },
}

/// `source`
#[derive(Debug, Group)]
pub struct SourceArgs {
    /// What to do
    #[command(subcommand)]
    pub command: SourceCommand,
}

/// `source …`
#[derive(Debug, Subcommand)]
pub enum SourceCommand {
    /// The data sources of this project
    Ls,
    /// The files of a data source, as its workers are shown them
    Show {
        /// Its name
        name: String,
    },
    /// Bring the copy in .aivm/sources/NAME to what the source is now
    Sync {
        /// Its name
        name: String,
        /// Change nothing: say what would be
        #[arg(long)]
        dry_run: bool,
    },
}

/// `config`
#[derive(Debug, Group)]
pub struct ConfigArgs {
    /// What to do
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// `config …`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Every setting with its value
    Show {
        /// And where it comes from
        #[arg(long)]
        origin: bool,
    },
}
