//! Commands that look and change nothing. What the command line has of them is asked there.

use super::Repl;
use super::runs::key;
use crate::args::{ArtifactArgs, ArtifactCommand, Chosen, DiffArgs, WhyArgs, Workers};
use crate::fail::Failure;
use crate::out::{plain, width};
use crate::runs::{diff, find, journal, why};
use crate::{artifact, check};
use aivm_host::recovery::From;
use aivm_lang::Compiled;
use aivm_lang::cost::worst_case;
use aivm_lang::draw;

/// So many values of a run are listed.
const MOST_VALUES: usize = 100;

impl Repl<'_> {
    /// What `:run` runs, compiled.
    pub fn compiled(&self) -> Result<Compiled, Failure> {
        self.compile(&self.to_run()?)
    }

    /// `:graph`.
    pub fn graph(&self) -> Result<(), Failure> {
        let stands = self.standing()?;
        print!("{}", draw::terminal(&self.compiled()?.flow, stands.iter().map(String::as_str), width()));
        Ok(())
    }

    /// The calls that the run stands before, while it is one of what `:run` runs.
    fn standing(&self) -> Result<Vec<String>, Failure> {
        if !self.stands()? {
            return Ok(Vec::new());
        }
        let disk = crate::store::existing()?;
        let row = find::run(&disk, &self.current()?)?;
        let is_it =
            journal::source(&disk, &row).is_some_and(|source| self.to_run().is_ok_and(|own| own.text == source.text));
        let source = find::look(&disk, &row.id, From::Start)?;
        let calls = source.run.under_way().map(|call| call.key.to_string());
        Ok(if is_it { calls.collect() } else { Vec::new() })
    }

    /// `:cost`.
    pub fn cost(&self) -> Result<(), Failure> {
        print!("{}", check::cost_text(&worst_case(&self.compiled()?.flow)));
        Ok(())
    }

    /// `:why [STEP]`: the last call, unless another is named.
    pub fn why(&self, step: Option<String>) -> Result<(), Failure> {
        let run = self.current()?;
        let step = match step {
            Some(step) => step,
            None => {
                let source = find::look(&crate::store::existing()?, &run, From::Start)?;
                let nothing = || Failure::usage("E0959", format!("nothing has ended yet in the run {run}"));
                source.history.iter().rev().find_map(key).ok_or_else(nothing)?
            }
        };
        why::why(self.global, &WhyArgs { run, step }).map(drop)
    }

    /// `:artifact ID`.
    pub fn artifact(&self, artifact: String) -> Result<(), Failure> {
        artifact::artifact(self.global, &ArtifactArgs { command: ArtifactCommand::Cat { artifact } })?;
        println!("");
        Ok(())
    }

    /// `:artifacts`.
    pub fn artifacts(&self) -> Result<(), Failure> {
        let chosen = Chosen { run: Some(self.current()?), ..Chosen::default() };
        let command = ArtifactCommand::Ls { chosen, most: MOST_VALUES, after: String::new() };
        artifact::artifact(self.global, &ArtifactArgs { command }).map(drop)
    }

    /// `:diff [RUN RUN]`, or of two values.
    pub fn diff(&self, runs: Option<(String, String)>) -> Result<(), Failure> {
        if let Some((one, other)) = &runs
            && let (Some(artifact), Some(other)) = (one.strip_prefix('@'), other.strip_prefix('@'))
        {
            let command = ArtifactCommand::Diff { artifact: artifact.to_owned(), other: other.to_owned() };
            return artifact::artifact(self.global, &ArtifactArgs { command }).map(drop);
        }
        let (run, other) = match (runs, self.session.runs.as_slice()) {
            (Some(runs), _) => runs,
            (None, [.., one, other]) => (one.clone(), other.clone()),
            (None, _) => {
                return Err(Failure::usage("E0959", "this session has no two runs yet").help("name two: :diff RUN RUN"));
            }
        };
        diff::diff(self.global, &DiffArgs { run, other }).map(drop)
    }

    /// `:session`.
    pub fn show(&self) -> Result<(), Failure> {
        if self.session.has_program() || self.session.definitions().next().is_some() || !self.session.front().is_empty()
        {
            print!("{}", self.session.formatted()?);
        }
        println!("; workers {}", if self.session.workers == Workers::Mock { "mock" } else { "live" });
        if let Some(input) = &self.session.input {
            println!("; in {}", plain(input));
        }
        for param in &self.session.params {
            println!("; param {}", plain(param));
        }
        for stop in &self.session.breaks {
            println!("; stops at {}", plain(stop));
        }
        let Ok(disk) = crate::store::existing() else { return Ok(()) };
        for run in &self.session.runs {
            let status = find::run(&disk, run).map_or_else(|_| "gone".to_owned(), |row| row.status);
            println!("; run {run} {status}");
        }
        Ok(())
    }
}
