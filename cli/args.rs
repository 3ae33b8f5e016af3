//! The command line, as clap reads it. The short help of the whole program is written by hand: five groups on one screen.

use clap::{Args as Group, Parser, Subcommand};

mod memory;
mod program;
mod repl;
mod runs;
mod serve;
mod set_up;
mod values;

pub use memory::*;
pub use program::*;
pub use repl::*;
pub use runs::*;
pub use serve::*;
pub use set_up::*;
pub use values::*;

const HELP: &str = "\
aivm: small programs of arrows that run agent pipelines

Usage: aivm COMMAND [OPTIONS]

Run
  run FILE | repl [FILE]   run a pipeline (.aivm, .aivmc); type it, step by step
  try [NAME]        run an example that is built in
  resume | cancel | rollback RUN   go on; stop for good; take back what it did
  approve RUN [OUTCOME]            decide what a run asks a person
  settle RUN STEP happened|not-happened   of a step that was interrupted
  fork | upgrade RUN               another way from a step on; another program
  mcp | openai FILE…               serve pipelines as tools; as models
Write
  check | cost FILE…  errors and warnings; the most that it can call and spend
  test | author [FILE]   what NAME.test.toml expects; write aiTWS by commands
  fix | fmt | graph FILE   slips mended; one layout; a picture (svg, png, dot …)
  init | schema KIND | grammar   a file to begin with; what editors check it by
Build
  compile | disasm | asm FILE   to a module (.aivmc); as assembly text, and back
Look
  runs | show RUN | logs RUN   what ran, its steps, its journal (-f follows)
  why RUN STEP | diff RUN RUN  why a step led where it did; where two part
  export | import | verify RUN  a run as one file; is it what was written?
  worker ls|show|try…  artifact ls|cat|put…  memory ls|show…   words, values
Set up
  keys new|trust…  secret set|ls|rm  source ls|show…   signing; keys; folders
  gc | store | doctor | self-test   old runs; the bucket; does all work here?
  config show | completions SHELL | lsp   settings; for shells; for editors

More: aivm help COMMAND | explain CODE. All take --json. Start with: aivm try
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
    /// The bucket that values go to, as s3://BUCKET/PREFIX
    #[arg(long, global = true, value_name = "URL", help_heading = "Global Options")]
    pub store: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a pipeline
    Run(RunArgs),
    /// Run an example that is built in
    Try(TryArgs),
    /// Serve pipelines as tools of the Model Context Protocol
    Mcp(McpArgs),
    /// Serve pipelines as models behind the interface of OpenAI
    Openai(OpenaiArgs),
    /// Serve a page on which programs are written, drawn and run with mocks
    Playground(PlaygroundArgs),
    /// Look for errors, warn, and say the worst case
    Check(CheckArgs),
    /// Write an aiTWS workflow by commands: /create, /add, /show, /save
    Author(AuthorArgs),
    /// Mend what is wrong with a program and can be mended without asking anybody
    Fix(FixArgs),
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
    /// Run the tests of pipelines
    Test(TestArgs),
    /// Begin a program, a workflow, a worker or the settings of a project from a template
    Init(InitArgs),
    /// The JSON Schema of what is written in TOML or YAML, for editors
    Schema(SchemaArgs),
    /// The grammar of the language, for people and for what samples models
    Grammar(GrammarArgs),
    /// Explain an error code
    Explain(ExplainArgs),
    /// The language server: what an editor asks, over standard input and output
    Lsp {
        /// What it does anyway: editors like to say so
        #[arg(long, hide = true)]
        stdio: bool,
    },
    /// The words that a program can use
    Worker(WorkerArgs),
    /// Keys that sign artifacts
    Keys(KeysArgs),
    /// Secrets: keys of models and servers
    Secret(SecretArgs),
    /// Data sources: folders whose files workers are shown
    Source(SourceArgs),
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
    /// Type programs, run them, step by step and back
    Repl(ReplArgs),
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
    /// The bucket that values go to
    Store(StoreArgs),
    /// What workers remember
    Memory(MemoryArgs),
    /// Remove runs that have ended, and what nothing refers to any more
    Gc(GcArgs),
}
