//! What is said of runs.

use clap::Args as Group;

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
    /// Only runs that ended, or values that were made, so long ago, as 12h or 30d
    #[arg(long, value_name = "TIME")]
    pub older_than: Option<aivm_schema::unit::Milliseconds>,
    /// No runs, but values of this role that no run keeps: put, signed, or left by runs that are gone
    #[arg(long, value_name = "NAME", conflicts_with_all = ["keep", "status", "run"])]
    pub role: Option<String>,
    /// The same of this scope; of both, if both are given
    #[arg(long, value_name = "NAME", conflicts_with_all = ["keep", "status", "run"])]
    pub scope: Option<String>,
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

/// `store`
#[derive(Debug, Group)]
pub struct StoreArgs {
    /// What to do
    #[command(subcommand)]
    pub command: StoreCommand,
}

/// `store …`
#[derive(Debug, clap::Subcommand)]
pub enum StoreCommand {
    /// Which bucket, what is still to be sent, and what its server does
    Status,
    /// Send what has not been sent
    Sync {
        /// Send everything again: where the bucket has lost something
        #[arg(long)]
        all: bool,
    },
    /// The runs that are in the bucket, of whatever machine
    Runs,
}

/// `show`
#[derive(Debug, Group)]
pub struct RunArg {
    /// The run, or how its name begins; `last` for the newest
    pub run: String,
}

/// `logs`
#[derive(Debug, Group)]
pub struct LogsArgs {
    /// The run, or how its name begins; `last` for the newest
    pub run: String,
    /// Go on while another process carries the run on
    #[arg(long, short)]
    pub follow: bool,
}

/// `why`
#[derive(Debug, Group)]
pub struct WhyArgs {
    /// The run, or how its name begins; `last` for the newest
    pub run: String,
    /// The step: its key, or an unambiguous part of it
    pub step: String,
}

/// `diff`
#[derive(Debug, Group)]
pub struct DiffArgs {
    /// The run, or how its name begins; `last` for the newest
    pub run: String,
    /// The other run
    pub other: String,
}

/// How a run is gone on with, by whatever command.
#[derive(Debug, Default, Group)]
pub struct GoOn {
    /// What holds commands to their effects (as aivm.toml says otherwise)
    #[arg(long, value_enum)]
    pub sandbox: Option<crate::config::SandboxFlag>,
    /// Say nothing but the result
    #[arg(long, short)]
    pub quiet: bool,
}

/// `cancel`
#[derive(Debug, Group)]
pub struct CancelArgs {
    /// The run, or how its name begins; `last` for the newest
    pub run: String,
    /// How the run goes on
    #[command(flatten)]
    pub on: GoOn,
}

/// `resume`
#[derive(Debug, Group)]
pub struct ResumeArgs {
    /// The run, or how its name begins; `last` for the newest
    #[arg(required_unless_present = "all", conflicts_with = "all", default_value = "", hide_default_value = true)]
    pub run: String,
    /// Every run that can go on: those that were interrupted, or whose time has come; not those that wait for somebody
    #[arg(long, conflicts_with_all = ["record", "replay"])]
    pub all: bool,
    /// With --all: only those of this program, its file or a part of its path
    #[arg(long, value_name = "NAME", requires = "all")]
    pub program: Option<String>,
    /// What is recorded or replayed
    #[command(flatten)]
    pub tape: super::Tape,
    /// A new limit of calls
    #[arg(long, value_name = "N")]
    pub max_calls: Option<u64>,
    /// A new limit of money, as $0.50
    #[arg(long, value_name = "MONEY")]
    pub max_cost: Option<aivm_schema::unit::Money>,
    /// A new limit of tokens, as 20kt
    #[arg(long, value_name = "TOKENS")]
    pub max_tokens: Option<aivm_schema::unit::Tokens>,
    /// How the run goes on
    #[command(flatten)]
    pub on: GoOn,
}

/// `settle`
#[derive(Debug, Group)]
pub struct SettleArgs {
    /// The run, or how its name begins; `last` for the newest
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
    /// How the run goes on
    #[command(flatten)]
    pub on: GoOn,
}

/// `approve`
#[derive(Debug, Group)]
pub struct ApproveArgs {
    /// The run, or how its name begins; `last` for the newest
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
    /// How the run goes on
    #[command(flatten)]
    pub on: GoOn,
}

/// `rollback`
#[derive(Debug, Group)]
pub struct RollbackArgs {
    /// The run, or how its name begins; `last` for the newest
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
    /// How the run goes on
    #[command(flatten)]
    pub on: GoOn,
}

/// `fork`
#[derive(Debug, Group)]
pub struct ForkArgs {
    /// The run, or how its name begins; `last` for the newest
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
    /// What is recorded or replayed
    #[command(flatten)]
    pub tape: super::Tape,
    /// How the run goes on
    #[command(flatten)]
    pub on: GoOn,
}

/// `upgrade`
#[derive(Debug, Group)]
pub struct UpgradeArgs {
    /// The run, or how its name begins; `last` for the newest
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
    /// The run, or how its name begins; `last` for the newest
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
    /// The run, or how its name begins; `last` for the newest; or a file, NAME.aivmrun
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
