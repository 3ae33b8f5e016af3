//! One test: its program with its mocks, in a folder of its own, and what came of that.

use super::expect::{self, Came};
use super::file::{Case, FileOf, Suite};
use super::judge::{self, Judged};
use super::once::{Answers, Ran, once};
use crate::args::How;
use crate::examples::Folder;
use crate::fail::Failure;
use crate::run::Outcome;
use crate::{compile, module};
use aivm_host::driver::Ending;
use aivm_host::trace::StepRecord;
use aivm_schema::module::EndKind;
use aivm_schema::worker::WorkerDefinition;
use aivm_vm::verify::VerifiedModule;
use std::path::Path;
use std::time::Instant;

/// What is done besides comparing.
#[derive(Clone, Copy)]
pub struct Mode {
    /// Snapshots are written where they differ.
    pub accept: bool,
    /// Cassettes are written that are not there.
    pub record: bool,
}

/// How a test went.
pub struct Trial {
    pub name: String,
    pub line: usize,
    pub ms: f64,
    /// Whatever is not as expected.
    pub wrong: Vec<String>,
    /// Why nobody could say whether all is as expected.
    pub skipped: Option<String>,
    /// Its snapshot was written.
    pub accepted: bool,
    /// How the run ended; empty: there was none.
    pub status: &'static str,
    pub steps: Vec<StepRecord>,
    /// Somebody asked to stop.
    pub interrupted: bool,
}

impl Trial {
    pub fn failed(&self) -> bool {
        !self.wrong.is_empty()
    }

    /// In a word.
    pub fn word(&self) -> &'static str {
        match (&self.wrong[..], &self.skipped) {
            ([], None) => "passed",
            ([], Some(_)) => "skipped",
            _ => "failed",
        }
    }
}

/// Runs a test.
pub fn run(suite: &Suite, case: &Case, mode: Mode) -> Trial {
    let began = Instant::now();
    let mut trial = Trial {
        name: case.name.clone(),
        line: case.line,
        ms: 0.0,
        wrong: Vec::new(),
        skipped: None,
        accepted: false,
        status: "",
        steps: Vec::new(),
        interrupted: false,
    };
    if let Err(failure) = carry(suite, case, mode, &mut trial) {
        trial.wrong.push(failure.message());
    }
    trial.ms = began.elapsed().as_secs_f64() * 1e3;
    trial
}

fn carry(suite: &Suite, case: &Case, mode: Mode, trial: &mut Trial) -> Result<(), Failure> {
    let folder =
        Folder::new("test").map_err(|error| Failure::failed("E0983", format!("a folder for the test: {error}")))?;
    for (path, file) in &case.files {
        place(&folder.0.join(path), file)
            .map_err(|error| Failure::failed("E0983", format!("files: {} cannot be made: {error}", path.display())))?;
    }
    let answers = Answers::of(case, mode.record);
    let how = How {
        params: case.params.clone(),
        mock: answers == Answers::Mocks,
        ephemeral: true,
        timeout: case.timeout,
        workspace: Some(folder.0.clone()),
        ..How::default()
    };
    let module = mocked(suite, case)?;
    let ran = once(suite, &module, &how, &answers, case.input.clone(), &case.media_type)?;
    let Ran { report, store } = ran;
    trial.interrupted = report.interrupted;
    let outcome = Outcome::of(&report, module.module());
    let came = Came {
        status: outcome.status,
        exhausted: matches!(&report.ending, Ending::Ended(end) if matches!(end.result, Err((EndKind::Exhausted, _)))),
        verdict: match &report.ending {
            Ending::Ended(end) => end.result.as_ref().ok().and_then(|(_, verdict)| verdict.clone()),
            Ending::Parked(..) | Ending::Held => None,
        },
        output: outcome.output.map(|output| expect::Value::of(&output, &*store)),
        error: outcome.error,
        totals: report.totals,
        steps: report.steps,
    };
    trial.status = came.status;
    trial.wrong = expect::wrong(case, &came);
    let expected = case.output.as_ref();
    if let (Some(question), Some(value)) = (expected.and_then(|output| output.judge.as_ref()), &came.output) {
        match judge::ask(suite, &answers, question, value)? {
            Judged::Yes => {}
            Judged::No(why) => trial.wrong.push(format!("judge: no to `{question}`: {why}")),
            Judged::Nobody(why) => trial.skipped = Some(why),
        }
    }
    if let (true, Some(value)) = (expected.is_some_and(|output| output.snapshot), &came.output) {
        snapshot(case, value, mode, trial)?;
    }
    trial.steps = came.steps;
    Ok(())
}

/// The program, with the workers that the test mocks as mocks, whatever they are.
fn mocked(suite: &Suite, case: &Case) -> Result<VerifiedModule, Failure> {
    if case.mock.is_empty() {
        return Ok(suite.program.module.clone());
    }
    let mut module = suite.program.module.module().clone();
    for worker in &mut module.workers {
        let Some(entries) = case.mock.get(&worker.name) else { continue };
        let Ok(definition) = WorkerDefinition::from_json(&worker.definition) else { continue };
        worker.definition = definition.mocked(Some(entries.clone())).to_json();
    }
    module::verified(&suite.program.name, module)
}

/// Makes a file in the folder of a test.
fn place(path: &Path, file: &FileOf) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    match file {
        FileOf::Text(text) => std::fs::write(path, text),
        FileOf::Copy(copy) => copied(&copy.from, path),
    }
}

fn copied(from: &Path, to: &Path) -> std::io::Result<()> {
    if !from.is_dir() {
        return std::fs::copy(from, to).map(drop);
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        // A link may lead out of the folder, or around.
        if !entry.file_type()?.is_symlink() {
            copied(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Holds the output against what was accepted before.
fn snapshot(case: &Case, value: &expect::Value, mode: Mode, trial: &mut Trial) -> Result<(), Failure> {
    let text = match value.text() {
        Ok(text) => text,
        Err(why) => {
            trial.wrong.push(format!("snapshot: {why}"));
            return Ok(());
        }
    };
    let before = match std::fs::read_to_string(&case.snapshot) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            trial.wrong.push(format!("snapshot: {} cannot be read: {error}", case.snapshot.display()));
            return Ok(());
        }
    };
    let same = before.as_ref().is_some_and(|before| super::trimmed(before) == super::trimmed(text));
    if same {
        return Ok(());
    }
    // What is wrong otherwise is not made the rule.
    if mode.accept && trial.wrong.is_empty() {
        if let Some(folder) = case.snapshot.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| Failure::failed("E0983", format!("{} cannot be made: {error}", folder.display())))?;
        }
        compile::write_whole(&case.snapshot, format!("{}\n", super::trimmed(text)).as_bytes())?;
        trial.accepted = true;
        return Ok(());
    }
    trial.wrong.push(match before {
        Some(before) => format!(
            "snapshot: {} has another output; if this one is right: aivm test --accept\n{}",
            case.snapshot.display(),
            expect::difference(&before, text)
        ),
        None => format!(
            "snapshot: {} is not there; if this output is right: aivm test --accept\n{}",
            case.snapshot.display(),
            super::trimmed(text)
        ),
    });
    Ok(())
}
