//! What is said of programs: how one is run, checked, drawn, compiled.

use aivm_lang::workflow::Format;
use clap::Args as Group;

/// How a program is read.
#[derive(Clone, Debug, Default, Group)]
pub struct Written {
    /// What it is written in: aivm, workflow, aitws or saga (told from what it says otherwise)
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// A file that is laid over a workflow of TOML or YAML, key by key; the last is uppermost
    #[arg(long, value_name = "OVERRIDES")]
    pub with: Vec<String>,
    /// Of aiTWS: only the stages of this pipeline, in its order
    #[arg(long, value_name = "NAME")]
    pub pipeline: Option<String>,
    /// Who is about to run it.
    #[arg(skip)]
    pub who: Option<String>,
}

/// `run`
#[derive(Debug, Group)]
pub struct RunArgs {
    /// The program: arrows, a workflow of TOML or YAML, or .aivmc when it is compiled
    pub file: String,
    /// How it is read
    #[command(flatten)]
    pub written: Written,
    /// The name of the run: started once under this name, later starts get its result
    #[arg(long, value_name = "NAME", conflicts_with = "ephemeral")]
    pub id: Option<String>,
    /// How it is run
    #[command(flatten)]
    pub how: How,
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
    #[arg(long, conflicts_with_all = ["record", "replay"])]
    pub mock: bool,
    /// What is recorded or replayed
    #[command(flatten)]
    pub tape: Tape,
    /// Keep nothing on disk
    #[arg(long)]
    pub ephemeral: bool,
    /// Make every call, also those whose worker has an answer in the cache
    #[arg(long)]
    pub no_cache: bool,
    /// What one run may take
    #[command(flatten)]
    pub limits: super::MostOfRun,
    /// End the run by a timeout after so long, as 5m
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<aivm_schema::unit::Milliseconds>,
    /// Where commands run and files are read and written (the current folder otherwise)
    #[arg(long, value_name = "FOLDER")]
    pub workspace: Option<std::path::PathBuf>,
    /// What holds commands to their effects (as aivm.toml says otherwise)
    #[arg(long, value_enum)]
    pub sandbox: Option<crate::config::SandboxFlag>,
    /// Say nothing but the result
    #[arg(long, short)]
    pub quiet: bool,
    /// To end so, in its word, is what is asked for, as being sent is.
    #[arg(skip)]
    pub as_asked: &'static [&'static str],
    /// What it prints ends its last line, because more will follow.
    #[arg(skip)]
    pub goes_on: bool,
}

/// The most that one run takes; then it waits for somebody.
#[derive(Clone, Debug, Default, Group)]
pub struct MostOfRun {
    /// Park a run after so many calls
    #[arg(long, value_name = "N")]
    pub max_calls: Option<u64>,
    /// Park a run when it has cost so much, as $0.50
    #[arg(long, value_name = "MONEY")]
    pub max_cost: Option<aivm_schema::unit::Money>,
    /// Park a run when it has used so many tokens, as 20kt
    #[arg(long, value_name = "TOKENS")]
    pub max_tokens: Option<aivm_schema::unit::Tokens>,
}

/// What becomes of calls of models, over HTTP and of commands that are not pure.
#[derive(Clone, Debug, Default, Group)]
pub struct Tape {
    /// Write every call of a model, over HTTP, of a command that is not pure, and its answer into this file
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    pub record: Option<std::path::PathBuf>,
    /// Answer these calls from a file that was recorded, and make none
    #[arg(long, value_name = "FILE")]
    pub replay: Option<std::path::PathBuf>,
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

/// `test`
#[derive(Debug, Group)]
pub struct TestArgs {
    /// Test files, programs, or folders; all test files beneath the current folder otherwise
    pub files: Vec<String>,
    /// Only tests with this text in their name
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Write the snapshots that differ
    #[arg(long)]
    pub accept: bool,
    /// Make the calls of tests whose cassette is not there, and write it
    #[arg(long)]
    pub record: bool,
    /// Say which edges of each program no test takes
    #[arg(long)]
    pub coverage: bool,
    /// End with 1 when the tests of a program take less than so many percent of its edges
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub fail_under: Option<f64>,
    /// Write a report in JUnit's XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<std::path::PathBuf>,
}

/// `check`
#[derive(Debug, Group)]
pub struct CheckArgs {
    /// Programs
    #[arg(required = true)]
    pub files: Vec<String>,
    /// Take warnings for errors; hints stay hints
    #[arg(long)]
    pub strict: bool,
    /// How they are read
    #[command(flatten)]
    pub written: Written,
}

/// `author`
#[derive(Debug, Group)]
pub struct AuthorArgs {
    /// The workflow: loaded when it is there, and saved to
    pub file: Option<std::path::PathBuf>,
}

/// `fix`
#[derive(Debug, Group)]
pub struct FixArgs {
    /// Programs; - for standard input
    #[arg(required = true)]
    pub files: Vec<String>,
    /// Change nothing; end with 1 when something would be mended
    #[arg(long)]
    pub check: bool,
    /// Change nothing; show what would be changed
    #[arg(long)]
    pub diff: bool,
    /// Also take a name that nothing has for the nearest that there is: a guess, which may call somebody else
    #[arg(long)]
    pub names: bool,
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
    /// Show the arrows that a workflow of TOML or YAML becomes
    #[arg(long, value_enum, conflicts_with = "check")]
    pub to: Option<To>,
    /// How they are read
    #[command(flatten)]
    pub written: Written,
}

/// What a program is shown as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum To {
    /// Arrows.
    Aivm,
}

/// One file.
#[derive(Debug, Group)]
pub struct FileArgs {
    /// The file
    pub file: String,
    /// How it is read
    #[command(flatten)]
    pub written: Written,
}

/// A file in, a file out.
#[derive(Debug, Group)]
pub struct OutArgs {
    /// The file
    pub file: String,
    /// How it is read
    #[command(flatten)]
    pub written: Written,
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
    /// How it is drawn: svg, png, dot, mermaid or text (told from the name of the output file otherwise; svg on standard output); or, as
    /// of every command, what the program is written in
    #[arg(long, value_name = "FORMAT")]
    pub format: Vec<Picture>,
    /// A file that is laid over a workflow of TOML or YAML, key by key; the last is uppermost
    #[arg(long, value_name = "OVERRIDES", requires = "file")]
    pub with: Vec<String>,
    /// Of aiTWS: only the stages of this pipeline, in its order
    #[arg(long, value_name = "NAME", requires = "file")]
    pub pipeline: Option<String>,
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

/// What `--format` says of a picture.
#[derive(Clone, Copy, Debug)]
pub enum Picture {
    /// How it is drawn.
    Drawn(GraphFormat),
    /// What its program is written in.
    Of(Format),
}

impl std::str::FromStr for Picture {
    type Err = String;
    fn from_str(text: &str) -> Result<Picture, String> {
        let drawn = <GraphFormat as clap::ValueEnum>::from_str(text, false).map(Picture::Drawn);
        drawn
            .or_else(|_| text.parse().map(Picture::Of))
            .map_err(|error: String| format!("{error}; and no picture: svg, png, dot, mermaid, text"))
    }
}

/// `explain`
#[derive(Debug, Group)]
pub struct ExplainArgs {
    /// A code, such as E0104; none lists all
    pub code: Option<String>,
}

/// A share of a whole.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..=100.0).contains(number));
    number.ok_or_else(|| "it is a number from 0 to 100".to_owned())
}
