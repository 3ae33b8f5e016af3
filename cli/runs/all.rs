//! `resume --all`: every run of the store that can go on does, many at once.

use crate::args::{Global, ResumeArgs};
use crate::fail::{Exit, Failure, coded, failed};
use crate::out::one_line;
use crate::out::{paint, say};
use crate::run::{Outcome, abandoned};
use crate::runs::list::is_of;
use crate::runs::{journal, resume};
use crate::{fail, store};
use aivm_host::driver::{Options, Report};
use aivm_host::mint::Mint;
use aivm_host::recovery::{self, From, Recovered, RecoveryError};
use aivm_host::resume::{ResumeError, Resumer};
use aivm_host::store::disk::Disk;
use aivm_host::store::{RunRow, StoreError};
use aivm_host::work::Outside;
use aivm_host::work::program::is_called;
use aivm_vm::VerifiedModule;
use aivm_vm::run::HELD;
use serde_json::json;
use std::sync::Arc;

/// `aivm resume --all`.
pub fn all(global: &Global, args: &ResumeArgs) -> Result<Exit, Failure> {
    crate::secret::ready()?;
    let disk = store::existing()?;
    let mint = Mint::system().map_err(|error| Failure::failed("E0803", format!("no random numbers: {error}")))?;
    let mint = Arc::new(mint);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("E0805", format!("no event loop: {error}")))?;
    let colours = fail::colours(&std::io::stdout());
    let mut all = All {
        disk: &disk,
        mint: &mint,
        outside: crate::config::outside(args.on.sandbox)?,
        args,
        json: global.json,
        colours,
        left: 0,
        went: 0,
        stopped: false,
        worst: Exit::SENT,
    };
    // A run that waits now and goes on may be found again as one that runs, and not the other way round.
    for status in ["parked", "running"] {
        let done = runtime.block_on(aivm_host::resume::all(&disk, status, &mint, &mut all));
        done.map_err(|error| coded(&error.to_string()))?;
        if all.stopped {
            break;
        }
    }
    if !global.json && !args.on.quiet {
        let left = match all.left {
            0 => String::new(),
            n => format!(", {n} left waiting: aivm runs --status parked"),
        };
        say(&format!("{} went on{left}", all.went));
    }
    Ok(all.worst)
}

struct All<'a> {
    disk: &'a Disk,
    mint: &'a Arc<Mint>,
    outside: Outside,
    args: &'a ResumeArgs,
    json: bool,
    colours: bool,
    /// So many wait for somebody.
    left: u64,
    /// So many do not.
    went: u64,
    /// Somebody wants it to end.
    stopped: bool,
    worst: Exit,
}

impl All<'_> {
    /// Would it do something else than to park again?
    fn can(&self, row: &RunRow) -> Result<bool, StoreError> {
        if row.status == "running" {
            return Ok(!self.disk.is_carried(&row.id));
        }
        let args = self.args;
        let raised = match journal::parked(self.disk, row)?.as_deref() {
            // It was told something since.
            None => true,
            Some("calls") => args.max_calls.is_some(),
            Some("money") => args.max_cost.is_some(),
            Some("tokens") => args.max_tokens.is_some(),
            // Its next call is due, and is not made before somebody says so.
            Some(HELD) => return Ok(false),
            Some(_) => false,
        };
        if raised {
            return Ok(true);
        }
        // Its time may be up, or that of its question.
        let Some(kept) = self.disk.look(&row.id)? else { return Ok(false) };
        match recovery::recover(&kept, From::Checkpoint) {
            Ok(recovered) => Ok(recovered.run.next_due().is_some_and(|at| at <= self.mint.now())),
            Err(RecoveryError::Store(StoreError::Gone(_))) => Ok(false),
            // Whoever takes it over says what is wrong.
            Err(_) => Ok(true),
        }
    }

    fn show(&mut self, row: &RunRow, status: &str, exit: Exit, error: Option<(String, String)>) {
        self.went += 1;
        self.worst = self.worst.worse(exit);
        if self.json {
            let error = error.map(|(code, message)| json!({"code": code, "message": message}));
            println!(
                "{}",
                json!({"v": 1, "run": row.id, "status": status, "exit": exit.number(), "program": row.program, "error": error})
            );
            return;
        }
        let colour = match exit {
            Exit::SENT => "32",
            Exit::PARKED => "33",
            _ => "31",
        };
        let why = error.map(|(code, message)| format!("  [{code}] {message}")).unwrap_or_default();
        let program = one_line(&format!("{}{why}", row.program));
        println!("{}  {}  {program}", row.id, paint(self.colours, colour, &format!("{status:<9}")));
    }
}

impl Resumer for All<'_> {
    fn wants(&mut self, row: &RunRow) -> Result<bool, StoreError> {
        // A program's run goes on with the run that called it.
        if !is_of(row, self.args.program.as_deref()) || is_called(&row.id) {
            return Ok(false);
        }
        let can = self.can(row)?;
        self.left += u64::from(!can && row.status == "parked");
        Ok(can)
    }

    fn how(&mut self, recovered: &mut Recovered) -> Options {
        resume::raise(&mut recovered.run, self.mint, self.args);
        let process = crate::cassette::resume_one(recovered.started.cassette.as_ref());
        resume::options(&recovered.run, recovered.started.clone(), false, self.outside.clone(), process)
    }

    fn came(&mut self, row: &RunRow, came: Result<(Report, VerifiedModule), ResumeError>) -> bool {
        match came {
            Ok((report, module)) => {
                let Outcome { status, exit, error, .. } = Outcome::of(&report, module.module());
                self.show(row, status, exit, error.map(|error| (error.code, error.message)));
                self.stopped |= report.interrupted;
                !self.stopped
            }
            Err(error) => {
                let abandoned = match &error {
                    ResumeError::Driver(error) => abandoned(error),
                    ResumeError::Recovery(_) => None,
                };
                self.stopped |= abandoned.is_some();
                let status = match &error {
                    ResumeError::Recovery(error) if error.damage().is_some() => "damaged",
                    _ => "error",
                };
                let failure = failed(&error.to_string());
                let failure = match abandoned {
                    Some(exit) => failure.ending_with(exit),
                    None => failure,
                };
                if let Failure::Other { code, message, exit, .. } = failure {
                    self.show(row, status, exit, Some((code, message)));
                }
                !self.stopped
            }
        }
    }
}
