//! What is said of pipelines that other programs call.

use clap::Args as Group;

/// `mcp`
#[derive(Debug, Group)]
pub struct McpArgs {
    /// What is served, and how
    #[command(flatten)]
    pub serve: ServeArgs,
    /// Serve the tools by which a model writes pipelines, too: check, explain, graph, the reference
    #[arg(long)]
    pub authoring: bool,
    /// Serve streamable HTTP here, under /mcp, instead of standard input and output
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub http: Option<String>,
}

/// `openai`
#[derive(Debug, Group)]
pub struct OpenaiArgs {
    /// What is served, and how
    #[command(flatten)]
    pub serve: ServeArgs,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8417")]
    pub listen: String,
    /// The input is the whole conversation, as JSON, and not its last message
    #[arg(long)]
    pub conversation: bool,
}

/// `playground`
#[derive(Debug, Group)]
#[cfg_attr(not(feature = "serve"), allow(dead_code))]
pub struct PlaygroundArgs {
    /// Where to listen; on another address than this machine's own, everybody who reaches it may use it
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8419")]
    pub listen: String,
    /// So many runs at once; more wait a moment, and are refused then
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    pub at_once: u16,
}

/// Which pipelines are served, and how each call of one is run.
#[derive(Debug, Group)]
#[cfg_attr(not(feature = "serve"), allow(dead_code))]
pub struct ServeArgs {
    /// Programs, each under the name of its file, or as NAME=FILE
    #[arg(value_name = "FILE")]
    pub files: Vec<String>,
    /// Let only those in who send this secret, a variable or one of `aivm secret`, as their bearer token
    #[arg(long, value_name = "NAME")]
    pub key_env: Option<String>,
    /// So many runs at once; more are refused
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    pub at_once: u16,
    /// A value that workers can use, as AIVM_STEP_PARAM_KEY or {{ params.key }}
    #[arg(long = "param", value_name = "KEY=VALUE")]
    pub params: Vec<String>,
    /// Call nothing but pure built-ins: every other worker answers its `mock` entries
    #[arg(long)]
    pub mock: bool,
    /// Keep nothing on disk
    #[arg(long)]
    pub ephemeral: bool,
    /// Make every call, also those whose worker has an answer in the cache
    #[arg(long)]
    pub no_cache: bool,
    /// What one run may take
    #[command(flatten)]
    pub limits: super::MostOfRun,
    /// End a run by a timeout after so long, as 5m
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<aivm_schema::unit::Milliseconds>,
    /// Where commands run and files are read and written (the current folder otherwise)
    #[arg(long, value_name = "FOLDER")]
    pub workspace: Option<std::path::PathBuf>,
    /// Say nothing of each run
    #[arg(long, short)]
    pub quiet: bool,
}
