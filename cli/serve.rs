//! Pipelines that other programs call: what `aivm mcp` and `aivm openai` share. Each call is a run as `aivm run` begins one, with a
//! journal; here is how programs are loaded for that, and what is told of a run that is over. `runner` begins runs, `carrier` carries
//! them on, `door` lets requests in, `share` and `patient` keep places for others, `body` reads what is asked, `pipeline` says what is known
//! of a program outside.

use crate::args::{Global, How, ServeArgs, Written};
use crate::fail::{Exit, Failure, show_diagnostics};
use crate::module;
use crate::out::plain;
use crate::run::{Outcome, Shared};
use aivm_host::builtin;
use aivm_host::driver::{Ending, Report};
use aivm_host::store::Store;
use aivm_host::trace::{Totals, totals_text};
use aivm_schema::artifact::{Artifact, Draft};
use aivm_vm::action::CallError;
use aivm_vm::run::Why;
use base64::Engine as _;
use std::path::Path;

pub mod body;
mod carrier;
pub mod door;
mod live;
mod log;
mod patient;
mod pipeline;
mod runner;
pub mod share;

pub use carrier::Server;
pub use pipeline::{Pipeline, Takes};
pub use runner::{Runner, Running, Told};

/// The longest name of a pipeline, in bytes.
const MOST_NAME: usize = 64;

/// What is served, ready to run. Of several files that are wrong all are told.
pub fn server(global: &Global, args: &ServeArgs) -> Result<Server, Failure> {
    let mut programs: Vec<(Pipeline, module::Program)> = Vec::new();
    let mut failed = None;
    for given in &args.files {
        let (name, file) = name_of(given)?;
        if programs.iter().any(|(other, _)| other.name == name) {
            return Err(Failure::usage("E0941", format!("two pipelines are called `{name}`"))
                .help(format!("give one another name: NAME={file}")));
        }
        match module::load(&file, &Written::default()) {
            Ok(program) => {
                if let Some((source, compiled)) = &program.compiled
                    && !global.json
                    && !args.quiet
                {
                    show_diagnostics(source, &compiled.warnings);
                }
                if !global.json && !args.quiet {
                    crate::run::say_elsewhere(&file);
                }
                programs.push((Pipeline::of(name, &program), program));
            }
            Err(failure) => {
                if let Some(before) = failed.replace(failure) {
                    before.show(global.json);
                }
            }
        }
    }
    if let Some(failure) = failed {
        return Err(failure);
    }
    let how = How {
        params: args.params.clone(),
        mock: args.mock,
        ephemeral: args.ephemeral,
        no_cache: args.no_cache,
        limits: args.limits.clone(),
        timeout: args.timeout,
        workspace: args.workspace.clone(),
        quiet: args.quiet,
        ..How::default()
    };
    // What no run could begin with is said now.
    crate::run::params(&how)?;
    crate::run::workspace(&how)?;
    let shared = Shared::new(&how)?;
    Ok(Server::new(programs, how, shared))
}

/// `NAME=FILE`, or the name of the file.
fn name_of(given: &str) -> Result<(String, String), Failure> {
    let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let is_name = |name: &str| !name.is_empty() && name.len() <= MOST_NAME && name.chars().all(known);
    if let Some((name, file)) = given.split_once('=')
        && is_name(name)
        && !Path::new(given).exists()
    {
        return Ok((name.to_owned(), file.to_owned()));
    }
    let stem = Path::new(given).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    match is_name(stem) {
        true => Ok((stem.to_owned(), given.to_owned())),
        false => Err(Failure::usage("E0941", format!("`{stem}` cannot be the name of a pipeline"))
            .help(format!("letters, digits, `-`, `_` and `.`, at most {MOST_NAME}: NAME={given}"))),
    }
}

/// The input of a run.
pub fn input(media_type: &str, payload: Vec<u8>) -> Draft {
    Draft {
        media_type: media_type.to_owned(),
        origin: "user".to_owned(),
        role: "input".to_owned(),
        scope: "run".to_owned(),
        attributes: Vec::new(),
        payload: crate::secret::given("the input of a call", payload),
    }
}

/// A run that is over, or waits for somebody.
#[derive(Debug)]
pub struct Served {
    /// Its name.
    pub run: String,
    /// How it ended, in a word.
    pub status: &'static str,
    /// What it sent: one value without a name, or several with theirs.
    pub values: Vec<(String, Artifact)>,
    /// Why it sent nothing.
    pub error: Option<CallError>,
    /// What its calls took.
    pub totals: Totals,
    /// Of their tokens, those of the answers.
    pub output_tokens: u64,
    exit: Exit,
    help: String,
    ephemeral: bool,
}

impl Served {
    fn of(outcome: Outcome, report: &Report, store: &dyn Store, ephemeral: bool) -> Result<Served, Failure> {
        let values = match outcome.output {
            None => Vec::new(),
            Some(output) => match aivm_host::work::parts_of(&output, store) {
                Ok(parts) if parts.is_empty() => vec![(String::new(), output)],
                Ok(parts) => parts.into_iter().map(|(name, _, value)| (name, value)).collect(),
                Err(CallError { code, message, .. }) => return Err(Failure::failed(&code, message)),
            },
        };
        let mut served = Served {
            run: report.run.clone(),
            status: outcome.status,
            values,
            error: outcome.error,
            totals: report.totals,
            output_tokens: 0,
            exit: outcome.exit,
            help: String::new(),
            ephemeral,
        };
        served.help = served.way_out(report);
        Ok(served)
    }

    /// Is there an output?
    pub fn is_sent(&self) -> bool {
        self.exit == Exit::SENT
    }

    /// What to do about it.
    fn way_out(&self, report: &Report) -> String {
        if let Ending::Parked(Why::Asked(_), questions) = &report.ending {
            let all = questions.iter().map(|question| {
                let (run, key, choices) = (&report.run, &question.call.key, question.choices.join(" | "));
                format!("aivm approve {run} OUTCOME --step '{key}'  ({choices})")
            });
            return format!("somebody decides, and it goes on: {}", all.collect::<Vec<_>>().join("; "));
        }
        match &report.ending {
            Ending::Ended(end) if !end.not_undone.is_empty() => format!("try again: aivm rollback {}", report.run),
            _ => self.look(),
        }
    }

    /// Where more is said.
    pub fn look(&self) -> String {
        let code = self.error.as_ref().map_or("", |error| error.code.as_str());
        match self.ephemeral {
            true if code.is_empty() => "it is kept nowhere".to_owned(),
            true => format!("more about it: aivm explain {code}"),
            false => format!("look at it: aivm show {}", self.run),
        }
    }

    /// Why there is no output: its code, and what, where, why, and the way out.
    pub fn failure(&self) -> (String, String) {
        let (code, message) = match &self.error {
            Some(CallError { code, message, step }) if step.is_empty() => (code.clone(), message.clone()),
            Some(CallError { code, message, step }) => (code.clone(), format!("at {step}: {message}")),
            None => (String::new(), "it has no output".to_owned()),
        };
        let how = match self.status {
            "cancelled" => "was cancelled",
            "timeout" => "timed out",
            "parked" => "waits",
            "stuck" => "is stuck",
            _ => "failed",
        };
        (code, format!("the run {} {how}: {message}\n  help: {}", self.run, self.help))
    }

    /// The output as text: several values under their names, and what is no text as a `data:` address.
    pub fn text(&self) -> String {
        let text = |value: &Artifact| match text_of(value) {
            Some(text) => text.to_owned(),
            None => format!("data:{};base64,{}", value.media_type(), base64(value.payload())),
        };
        match self.values.as_slice() {
            [(name, value)] if name.is_empty() => text(value),
            values => {
                let all =
                    values.iter().map(|(name, value)| format!("── {name}\n{}\n", text(value).trim_end_matches('\n')));
                all.collect()
            }
        }
    }

    /// For whoever watches the server.
    fn line(&self, pipeline: &str) -> String {
        let error = self.error.as_ref().map(|error| format!(" [{}] {}", error.code, error.message)).unwrap_or_default();
        plain(&format!("{pipeline} {} · {} · run {}{error}", self.status, totals_text(&self.totals), self.run))
    }
}

/// The text of a value that is one.
pub fn text_of(value: &Artifact) -> Option<&str> {
    std::str::from_utf8(value.payload()).ok().filter(|_| builtin::is_text(value.media_type()))
}

/// As it is written everywhere.
pub fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The bytes that are written so.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}
