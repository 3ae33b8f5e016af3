//! The command line, as clap reads it. The short help of the whole program is written by hand: five groups on one screen.

use clap::{Args as Group, Parser, Subcommand};

const HELP: &str = "\
aivm: small programs of arrows that run agent pipelines

Usage: aivm COMMAND [OPTIONS]

Run
  run FILE          run a pipeline (.aivm or .aivmc)
  try [NAME]        run an example that is built in
  resume | cancel | rollback RUN   go on; stop for good; take back what it did
  approve RUN [OUTCOME]            decide what a run asks a person
  settle RUN STEP happened|not-happened   of a step that was interrupted
  fork | upgrade RUN               another way from a step on; another program
Write
  check FILE…       errors, warnings, and the worst case
  fmt FILE…         format a program
  cost FILE         the most that it can call, take and spend
  graph FILE        draw it (svg, png, dot, mermaid, text)
  explain CODE      what an error means, with an example
Build
  compile | disasm | asm FILE   to a module (.aivmc); as assembly text, and back
Look
  runs | show RUN | logs RUN   what ran, its steps, its journal (-f follows)
  why RUN STEP | diff RUN RUN  why a step led where it did; where two part
  export | import | verify RUN  a run as one file; is it what was written?
  worker ls|show | artifact ls|show|cat|lineage   words, values
Set up
  keys new|trust|ls|sign    sign artifacts; whom to trust
  gc | doctor | self-test   remove old runs; does all work here? does this disk?
  config show | completions SHELL   the settings; for bash, zsh, fish …

More: aivm help COMMAND. Every command takes --json. Start with: aivm try
";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "aivm", version, override_help = HELP, arg_required_else_help = true)]
pub struct Args {
    /// For every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// For every command.
#[derive(Clone, Debug, Group)]
pub struct Global {
    /// Print one JSON object instead of text for people
    #[arg(long, global = true)]
    pub json: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a pipeline
    Run(RunArgs),
    /// Run an example that is built in
    Try(TryArgs),
    /// Look for errors, warn, and say the worst case
    Check(FilesArgs),
    /// Format a program
    Fmt(FmtArgs),
    /// The most that a program can call, take and spend
    Cost(FileArgs),
    /// Draw a program, or a finished run
    Graph(GraphArgs),
    /// Compile a program to a module
    Compile(OutArgs),
    /// Show a module as assembly text
    Disasm(FileArgs),
    /// Make a module of assembly text
    Asm(OutArgs),
    /// Explain an error code
    Explain(ExplainArgs),
    /// The words that a program can use
    Worker(WorkerArgs),
    /// Keys that sign artifacts
    Keys(KeysArgs),
    /// The settings
    Config(ConfigArgs),
    /// Does everything work here?
    Doctor,
    /// Kill runs on this disk at random moments, and see that they keep their promises
    SelfTest(SelfTestArgs),
    /// Completions for a shell
    Completions {
        /// bash, zsh, fish, elvish or powershell
        shell: clap_complete::Shell,
    },
    /// What needs a store.
    #[command(flatten)]
    Stored(Stored),
}

/// What needs a store: the runs, and the values that they made.
#[derive(Debug, Subcommand)]
pub enum Stored {
    /// The runs of this project
    Runs(RunsArgs),
    /// Go on with a run that was interrupted, or that waits
    Resume(ResumeArgs),
    /// Say whether a step happened that was interrupted, and go on
    Settle(SettleArgs),
    /// Decide what a run asks a person, and go on
    Approve(ApproveArgs),
    /// Take back what a run did, the last first
    Rollback(RollbackArgs),
    /// Begin a run that takes everything from another up to a step, and goes its own way from there
    Fork(ForkArgs),
    /// Let a run that has not ended go on as one of another program
    Upgrade(UpgradeArgs),
    /// Write a run into one file
    Export(ExportArgs),
    /// Bring a run from a file into this store, to show, verify and fork it
    Import(ImportArgs),
    /// Is a run, or the file of one, what was written?
    Verify(VerifyArgs),
    /// Stop a run for good, and undo what it did
    Cancel(CancelArgs),
    /// The steps of a run
    Show(RunArg),
    /// The journal of a run, record by record
    Logs(LogsArgs),
    /// Why a step of a run led where it did
    Why(WhyArgs),
    /// Where two runs part
    Diff(DiffArgs),
    /// The values that runs made
    Artifact(ArtifactArgs),
    /// Remove runs that have ended, and what nothing refers to any more
    Gc(GcArgs),
}

/// `run`
#[derive(Debug, Group)]
pub struct RunArgs {
    /// The program: .aivm, or .aivmc when it is compiled
    pub file: String,
    /// The name of the run: started once under this name, later starts get its result
    #[arg(long, value_name = "NAME", conflicts_with = "ephemeral")]
    pub id: Option<String>,
    /// How it is run
    #[command(flatten)]
    pub how: How,
}

/// `runs`
#[derive(Debug, Group)]
pub struct RunsArgs {
    /// Only those whose names begin so
    #[arg(default_value = "")]
    pub prefix: String,
    /// Only those that stand so; may be given several times
    #[arg(long, value_name = "STATUS", value_parser = STATUSES)]
    pub status: Vec<String>,
    /// Only those of this program: its file, or a part of its path
    #[arg(long, value_name = "NAME")]
    pub program: Option<String>,
    /// Only those that began at most so long ago, as 2h or 7d
    #[arg(long, value_name = "TIME")]
    pub since: Option<aivm_schema::unit::Milliseconds>,
    /// So many at most, the newest first
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub most: usize,
}

/// How a run can stand; `running` are also those that were interrupted.
const STATUSES: [&str; 8] = ["running", "interrupted", "parked", "stuck", "sent", "cancelled", "failed", "timeout"];

/// `gc`
#[derive(Debug, Group)]
pub struct GcArgs {
    /// Only runs that ended so long ago, as 12h or 30d
    #[arg(long, value_name = "TIME")]
    pub older_than: Option<aivm_schema::unit::Milliseconds>,
    /// But for the newest so many of each program
    #[arg(long, value_name = "N")]
    pub keep: Option<usize>,
    /// Only those that ended so; may be given several times
    #[arg(long, value_name = "STATUS", value_enum)]
    pub status: Vec<crate::config::Ended>,
    /// This run in any case, also one that has not ended; may be given several times
    #[arg(long, value_name = "RUN")]
    pub run: Vec<String>,
    /// Remove nothing: say what would be
    #[arg(long)]
    pub dry_run: bool,
}

/// `show`
#[derive(Debug, Group)]
pub struct RunArg {
    /// The run, or how its name begins
    pub run: String,
}

/// `logs`
#[derive(Debug, Group)]
pub struct LogsArgs {
    /// The run, or how its name begins
    pub run: String,
    /// Go on while another process carries the run on
    #[arg(long, short)]
    pub follow: bool,
}

/// `why`
#[derive(Debug, Group)]
pub struct WhyArgs {
    /// The run, or how its name begins
    pub run: String,
    /// The step: its key, or an unambiguous part of it
    pub step: String,
}

/// `diff`
#[derive(Debug, Group)]
pub struct DiffArgs {
    /// The run, or how its name begins
    pub run: String,
    /// The other run
    pub other: String,
}

/// `cancel`
#[derive(Debug, Group)]
pub struct CancelArgs {
    /// The run, or how its name begins
    pub run: String,
    /// Say nothing but the result
    #[arg(long, short)]
    pub quiet: bool,
}

/// `resume`
#[derive(Debug, Group)]
pub struct ResumeArgs {
    /// The run, or how its name begins
    #[arg(required_unless_present = "all", conflicts_with = "all", default_value = "", hide_default_value = true)]
    pub run: String,
    /// Every run that can go on: those that were interrupted, or whose time has come; not those that wait for somebody
    #[arg(long)]
    pub all: bool,
    /// With --all: only those of this program, its file or a part of its path
    #[arg(long, value_name = "NAME", requires = "all")]
    pub program: Option<String>,
    /// A new limit of calls
    #[arg(long, value_name = "N")]
    pub max_calls: Option<u64>,
    /// A new limit of money, as $0.50
    #[arg(long, value_name = "MONEY")]
    pub max_cost: Option<aivm_schema::unit::Money>,
    /// A new limit of tokens, as 20kt
    #[arg(long, value_name = "TOKENS")]
    pub max_tokens: Option<aivm_schema::unit::Tokens>,
    /// Say nothing but the result
    #[arg(long, short)]
    pub quiet: bool,
}

/// `settle`
#[derive(Debug, Group)]
pub struct SettleArgs {
    /// The run, or how its name begins
    pub run: String,
    /// The step's key
    pub step: String,
    /// What is true
    pub how: Settled,
    /// What it returned: TEXT, @FILE, or - for standard input (its input otherwise)
    #[arg(long, value_name = "TEXT|@FILE|-")]
    pub output: Option<String>,
    /// The word that it said
    #[arg(long, value_name = "WORD")]
    pub verdict: Option<String>,
    /// Say nothing but the result
    #[arg(long, short)]
    pub quiet: bool,
}

/// `approve`
#[derive(Debug, Group)]
pub struct ApproveArgs {
    /// The run, or how its name begins
    pub run: String,
    /// One of the choices (plain yes otherwise)
    pub outcome: Option<String>,
    /// The step's key, when more than one asks
    #[arg(long, value_name = "STEP")]
    pub step: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub comment: String,
    /// What goes on instead of what was shown
    #[arg(long, value_name = "FILE")]
    pub edit: Option<String>,
    /// The digest of what was shown, or how it begins: anything else is not decided
    #[arg(long, value_name = "DIGEST")]
    pub subject: Option<String>,
    /// Say nothing but the result
    #[arg(long, short)]
    pub quiet: bool,
}

/// `rollback`
#[derive(Debug, Group)]
pub struct RollbackArgs {
    /// The run, or how its name begins
    pub run: String,
    /// Only what was done after this step
    #[arg(long, value_name = "STEP")]
    pub to: Option<String>,
    /// Do nothing: show what would be taken back, in order
    #[arg(long)]
    pub plan: bool,
    /// This undoer's work has been done by hand
    #[arg(long, value_name = "STEP~undo")]
    pub done: Vec<String>,
    /// Say nothing but the result
    #[arg(long, short)]
    pub quiet: bool,
}

/// `self-test`
#[derive(Debug, Group)]
pub struct SelfTestArgs {
    /// For so long, as 60s
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub torture: aivm_schema::unit::Milliseconds,
}

/// `fork`
#[derive(Debug, Group)]
pub struct ForkArgs {
    /// The run, or how its name begins
    pub run: String,
    /// The key of the step or choice from which on it is another run
    #[arg(long, value_name = "STEP")]
    pub at: String,
    /// What the step is called with: TEXT, @FILE, or - for standard input
    #[arg(long = "in", value_name = "TEXT|@FILE|-")]
    pub input: Option<String>,
    /// Another worker for a word of the program: another word, or a worker's file (.md, .toml)
    #[arg(long, value_name = "WORD=OTHER")]
    pub worker: Vec<String>,
    /// The step is not called: it answers this word; of a choice, the step that is chosen
    #[arg(long, value_name = "WORD")]
    pub outcome: Option<String>,
    /// And returns this: TEXT, @FILE, or - for standard input (its input otherwise)
    #[arg(long, value_name = "TEXT|@FILE|-", requires = "outcome")]
    pub output: Option<String>,
    /// Say nothing but the result
    #[arg(long, short)]
    pub quiet: bool,
}

/// `upgrade`
#[derive(Debug, Group)]
pub struct UpgradeArgs {
    /// The run, or how its name begins
    pub run: String,
    /// The new program
    pub file: String,
    /// Do nothing: say whether it can be moved, and where it stands
    #[arg(long)]
    pub plan: bool,
}

/// `export`
#[derive(Debug, Group)]
pub struct ExportArgs {
    /// The run, or how its name begins
    pub run: String,
    /// The file to write; - for standard output (RUN.aivmrun otherwise)
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<std::path::PathBuf>,
    /// Sign it with this key of yours
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "me")]
    pub sign: Option<String>,
}

/// `import`
#[derive(Debug, Group)]
pub struct ImportArgs {
    /// The file
    pub file: String,
}

/// `verify`
#[derive(Debug, Group)]
pub struct VerifyArgs {
    /// The run, or how its name begins; or a file, NAME.aivmrun
    pub run: String,
}

/// Did it happen?
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Settled {
    /// It did
    Happened,
    /// It did not: it is called again
    NotHappened,
}

/// How a program is run.
#[derive(Clone, Debug, Default, Group)]
pub struct How {
    /// The input: TEXT, @FILE, or - for standard input
    #[arg(long = "in", value_name = "TEXT|@FILE|-")]
    pub input: Option<String>,
    /// The media type of the input (told from the file's name otherwise)
    #[arg(long = "type", value_name = "TYPE")]
    pub media_type: Option<String>,
    /// A value that workers can use, as AIVM_STEP_PARAM_KEY or {{ params.key }}
    #[arg(long = "param", value_name = "KEY=VALUE")]
    pub params: Vec<String>,
    /// Call nothing but pure built-ins: every other worker answers its `mock` entries
    #[arg(long)]
    pub mock: bool,
    /// Keep nothing on disk
    #[arg(long)]
    pub ephemeral: bool,
    /// Park the run after so many calls
    #[arg(long, value_name = "N")]
    pub max_calls: Option<u64>,
    /// Park the run when it has cost so much, as $0.50
    #[arg(long, value_name = "MONEY")]
    pub max_cost: Option<aivm_schema::unit::Money>,
    /// Park the run when it has used so many tokens, as 20kt
    #[arg(long, value_name = "TOKENS")]
    pub max_tokens: Option<aivm_schema::unit::Tokens>,
    /// End the run by a timeout after so long, as 5m
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<aivm_schema::unit::Milliseconds>,
    /// Where commands run and files are read and written (the current folder otherwise)
    #[arg(long, value_name = "FOLDER")]
    pub workspace: Option<std::path::PathBuf>,
    /// Say nothing but the result
    #[arg(long, short)]
    pub quiet: bool,
}

/// `try`
#[derive(Debug, Group)]
pub struct TryArgs {
    /// Which example; none lists them and runs the first
    pub name: Option<String>,
    /// List the examples
    #[arg(long)]
    pub list: bool,
    /// Another input than the example's: TEXT, @FILE, or - for standard input
    #[arg(long = "in", value_name = "TEXT|@FILE|-", conflicts_with = "copy")]
    pub input: Option<String>,
    /// Copy the example's files into this folder instead of running it
    #[arg(long, value_name = "FOLDER")]
    pub copy: Option<std::path::PathBuf>,
}

/// Some files.
#[derive(Debug, Group)]
pub struct FilesArgs {
    /// Programs
    #[arg(required = true)]
    pub files: Vec<String>,
}

/// `fmt`
#[derive(Debug, Group)]
pub struct FmtArgs {
    /// Programs; - for standard input
    #[arg(required = true)]
    pub files: Vec<String>,
    /// Change nothing; end with 1 when a file is not formatted
    #[arg(long)]
    pub check: bool,
}

/// One file.
#[derive(Debug, Group)]
pub struct FileArgs {
    /// The file
    pub file: String,
}

/// A file in, a file out.
#[derive(Debug, Group)]
pub struct OutArgs {
    /// The file
    pub file: String,
    /// The module to write (beside the file otherwise)
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<std::path::PathBuf>,
    /// Leave debug information (the source text, places) out
    #[arg(long)]
    pub strip: bool,
}

/// `graph`
#[derive(Debug, Group)]
pub struct GraphArgs {
    /// The program; or with --run the name of a run
    pub file: Option<String>,
    /// How it is drawn (told from the name of the output file otherwise; svg on standard output)
    #[arg(long, value_enum)]
    pub format: Option<GraphFormat>,
    /// Draw a finished run with the path it took
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// The file to write (standard output otherwise)
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<std::path::PathBuf>,
    /// Dark colours
    #[arg(long)]
    pub dark: bool,
}

/// How a graph is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum GraphFormat {
    /// A picture.
    Svg,
    /// A picture of pixels.
    Png,
    /// For Graphviz.
    Dot,
    /// For Markdown.
    Mermaid,
    /// The flow graph in words.
    Text,
}

/// `explain`
#[derive(Debug, Group)]
pub struct ExplainArgs {
    /// A code, such as E0104; none lists all
    pub code: Option<String>,
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
}

/// `artifact`
#[derive(Debug, Group)]
pub struct ArtifactArgs {
    /// What to do
    #[command(subcommand)]
    pub command: ArtifactCommand,
}

/// `artifact …`
#[derive(Debug, Subcommand)]
pub enum ArtifactCommand {
    /// Artifacts whose key or checksum begins with PREFIX
    Ls {
        /// origin/role/scope/…
        #[arg(default_value = "")]
        prefix: String,
        /// At most so many
        #[arg(long, default_value_t = 100)]
        most: usize,
    },
    /// An artifact as JSON, with what its signature is worth
    Show {
        /// The beginning of a checksum or key
        artifact: String,
    },
    /// The payload of an artifact
    Cat {
        /// The beginning of a checksum or key
        artifact: String,
    },
    /// What an artifact was made of, back to the run's input
    Lineage {
        /// The beginning of a checksum or key
        artifact: String,
    },
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
