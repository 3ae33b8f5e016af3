//! What is said of values.

use aivm_schema::unit::Milliseconds;
use clap::{Args as Group, Subcommand};
use std::path::PathBuf;

/// `artifact`
#[derive(Debug, Group)]
pub struct ArtifactArgs {
    /// What to do
    #[command(subcommand)]
    pub command: ArtifactCommand,
}

/// Which values: all that is said must fit.
#[derive(Clone, Debug, Default, Group)]
pub struct Chosen {
    /// How their keys begin, origin/role/scope/…, or their checksums
    #[arg(default_value = "", hide_default_value = true)]
    pub prefix: String,
    /// Only those that were made by this worker, or by `user`
    #[arg(long, value_name = "NAME")]
    pub origin: Option<String>,
    /// Only those that are this to those who take them
    #[arg(long, value_name = "NAME")]
    pub role: Option<String>,
    /// Only those that these may see
    #[arg(long, value_name = "NAME")]
    pub scope: Option<String>,
    /// Only those of this media type: text/plain, or text
    #[arg(long = "type", value_name = "TYPE")]
    pub media_type: Option<String>,
    /// Only those that a run keeps whose name begins so
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// Only those that were made at most so long ago, as 2h or 7d
    #[arg(long, value_name = "TIME")]
    pub since: Option<Milliseconds>,
}

/// `artifact …`
#[derive(Debug, Subcommand)]
pub enum ArtifactCommand {
    /// The values of the store, in order of their keys
    Ls {
        /// Which
        #[command(flatten)]
        chosen: Chosen,
        /// At most so many
        #[arg(long, default_value_t = 100, value_name = "N")]
        most: usize,
        /// Those behind this key: where the last listing ended
        #[arg(long, default_value = "", hide_default_value = true, value_name = "KEY")]
        after: String,
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
    /// Are values what was written, and their signatures good? All that are chosen, or all there are
    Verify {
        /// Which
        #[command(flatten)]
        chosen: Chosen,
    },
    /// What an artifact was made of, back to the run's input
    Lineage(LineageArgs),
    /// Where two artifacts differ: in what is said of them, and in what they hold
    Diff {
        /// The beginning of a checksum or key
        artifact: String,
        /// That of the other
        other: String,
    },
    /// Keep a file as a value; its checksum is printed
    Put(PutArgs),
    /// Write values as files under their keys
    Export(ExportValuesArgs),
}

/// `artifact lineage`
#[derive(Debug, Group)]
pub struct LineageArgs {
    /// The beginning of a checksum or key
    pub artifact: String,
    /// How it is shown (told from the name of the output file otherwise; text on standard output)
    #[arg(long, value_enum)]
    pub format: Option<LineageFormat>,
    /// The file to write (standard output otherwise)
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Dark colours
    #[arg(long)]
    pub dark: bool,
}

/// How a lineage is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LineageFormat {
    /// A line for each value.
    Text,
    /// A picture.
    Svg,
    /// A picture of pixels.
    Png,
}

/// `artifact put`
#[derive(Debug, Group)]
pub struct PutArgs {
    /// The file; - for standard input
    pub file: String,
    /// Its media type (told from the file's name otherwise)
    #[arg(long = "type", value_name = "TYPE")]
    pub media_type: Option<String>,
    /// Who made it
    #[arg(long, default_value = "user", value_name = "NAME")]
    pub origin: String,
    /// What it is to those who take it
    #[arg(long, default_value = "input", value_name = "NAME")]
    pub role: String,
    /// Who may see it
    #[arg(long, default_value = "project", value_name = "NAME")]
    pub scope: String,
    /// What else is said of it; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub attribute: Vec<String>,
}

/// `artifact export`
#[derive(Debug, Group)]
pub struct ExportValuesArgs {
    /// The folder to write into, made when it is not there
    pub folder: PathBuf,
    /// Which
    #[command(flatten)]
    pub chosen: Chosen,
    /// What is written: what a store holds, .artifact, or .json to be read
    #[arg(long, value_enum, default_value = "binary")]
    pub format: ExportFormat,
}

/// How a value is written as a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportFormat {
    /// Framed Cap'n Proto, as stores hold it
    Binary,
    /// JSON
    Json,
}
