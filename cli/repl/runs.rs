//! The runs of a session. Each is one of the store: begun, held between two calls, and gone on with as one that was interrupted there;
//! so it is the same whether this process goes on with it, or another after this one was killed.

use super::Repl;
use super::breaks::{Break, is_of};
use super::entry::Given;
use super::session::Session;
use super::watch::{Far, Waiting, Watch};
use crate::args::{How, Tape, Workers};
use crate::fail::{Exit, Failure, Source, coded};
use crate::module::Program;
use crate::out::{one_line, paint, plain, say, short, size_text};
use crate::run::{self, Begun, Shared};
use crate::runs::fork::Fork;
use crate::runs::resume::options;
use crate::runs::{find, journal};
use aivm_host::driver::{self, DriverError, Ending, Report, Reuse};
use aivm_host::mint::Mint;
use aivm_host::recovery::{From, Recovered};
use aivm_host::store::disk::Disk;
use aivm_host::store::{RunRow, Store};
use aivm_host::trace::Observer;
use aivm_lang::diagnostic::Code;
use aivm_schema::journal::Forked;
use aivm_vm::action::Taken;
use aivm_vm::run::Do;
use aivm_vm::verify::VerifiedModule;
use std::rc::Rc;
use std::sync::Arc;

/// So many calls are listed that come next.
const MOST_SHOWN: usize = 8;
/// So many characters are shown of what the next call is given.
const MOST_WORDS: usize = 60;

impl Repl<'_> {
    /// Runs the program from its beginning.
    pub fn run(&mut self, given: Option<Given>) -> Result<(), Failure> {
        let program = self.program()?;
        self.session.input_is(given.as_ref());
        self.begin(&program, given)
    }

    fn program(&mut self) -> Result<Program, Failure> {
        let source = self.to_run()?;
        self.program_of(source)
    }

    /// What `:run` runs.
    pub fn to_run(&self) -> Result<Source, Failure> {
        let none = || Failure::usage("E0959", "there is no program yet");
        let none = || none().help("type one, as  out <= ( switch <= ( echo => send ) ) <= in  or :load FILE");
        self.session.to_run().ok_or_else(none)
    }

    /// Runs a program to its end, or to a breakpoint.
    pub fn begin(&mut self, program: &Program, given: Option<Given>) -> Result<(), Failure> {
        let breaks = self.breaks()?;
        self.begin_and(program, given, Far::To(breaks))
    }

    fn begin_and(&mut self, program: &Program, given: Option<Given>, far: Far) -> Result<(), Failure> {
        if let Some((source, compiled)) = &program.compiled {
            // Definitions wait for a program that calls them.
            let warnings = compiled.warnings.iter().filter(|one| one.code != Code::Unused).cloned();
            crate::fail::show_diagnostics(source, &warnings.collect::<Vec<_>>());
        }
        let draft = self.draft(given)?;
        let how = self.how();
        let shared = Shared::new(&how)?;
        if self.session.workers == Workers::Live {
            shared.say_unheld(&program.module);
        }
        let begun = Begun::new(&shared, &how, false, program, None, draft)?;
        self.session.stand_at(&begun.options.around.run)?;
        let store = begun.store.clone();
        let watch = Watch::new(&program.module, far, false);
        self.carry(watch, &program.module, &store, async |observer| begun.drive(observer).await).map(drop)
    }

    /// One call more; of the program, when no run stands anywhere.
    pub fn step(&mut self) -> Result<(), Failure> {
        match self.stands()? {
            true => self.on(Far::OneCall),
            false => {
                let program = self.program()?;
                self.begin_and(&program, None, Far::OneCall)
            }
        }
    }

    /// On to the next breakpoint, or to the end.
    pub fn go_on(&mut self) -> Result<(), Failure> {
        let run = self.current()?;
        if !self.stands()? {
            return Err(Failure::usage("E0959", format!("the run {run} has ended"))
                .help(":run begins another, :back stands before its last call"));
        }
        let breaks = self.breaks()?;
        self.on(Far::To(breaks))
    }

    /// Goes on with a run that stands somewhere.
    fn on(&mut self, far: Far) -> Result<(), Failure> {
        let disk = crate::store::existing()?;
        let row = find::run(&disk, &self.current()?)?;
        let kept = disk.claim(&row.id).map_err(|error| coded(&error.to_string()))?;
        let mint = mint()?;
        let free = matches!(&far, Far::To(breaks) if breaks.is_empty());
        let read = match free {
            true => aivm_host::resume::read(&kept, From::Checkpoint, &mint),
            false => aivm_host::resume::hold(&kept, &mint),
        };
        let Recovered { run, started, history, module, .. } = read.map_err(|error| coded(&error.to_string()))?;
        crate::secret::ready()?;
        aivm_host::secret::learn(module.module());
        let process = crate::cassette::resume(&Tape::default(), started.cassette.as_ref())?;
        let options = options(&run, started, false, crate::config::outside(None)?, process);
        let store: Rc<dyn Store> = Rc::new(kept);
        let watch = Watch::new(&module, far, true);
        let drive = async |observer: &mut dyn Observer| {
            driver::drive(run, history, options, store.clone(), mint, observer).await
        };
        self.carry(watch, &module, &store, drive).map(drop)
    }

    /// Another run, that stands where this one stood before its last call.
    pub fn back(&mut self) -> Result<(), Failure> {
        let disk = crate::store::existing()?;
        let row = find::run(&disk, &self.current()?)?;
        let source = find::look(&disk, &row.id, From::Start)?;
        let Some(last) = source.history.iter().rposition(is_made) else {
            return Err(Failure::usage("E0959", format!("nothing was called yet in the run {}", row.id)));
        };
        self.stand_before(&disk, row, source, last)
    }

    /// Another run, that stands before a step, or where this one stands.
    pub fn fork(&mut self, step: Option<&str>) -> Result<(), Failure> {
        let disk = crate::store::existing()?;
        let row = find::run(&disk, &self.current()?)?;
        let source = find::look(&disk, &row.id, From::Start)?;
        let before = match step {
            None if source.run.has_finished() => {
                return Err(Failure::usage("E0959", format!("the run {} has ended", row.id))
                    .help("say before which step: :fork STEP"));
            }
            None => source.history.len(),
            Some(step) => {
                let waits = source.run.under_way().any(|call| is_of(&call.key.to_string(), step));
                let called = source
                    .history
                    .iter()
                    .rposition(|row| is_made(row) && key(row).is_some_and(|key| is_of(&key, step)));
                match called {
                    Some(called) if !waits => called,
                    _ if waits => source.history.len(),
                    _ => {
                        return Err(Failure::usage("E0778", format!("the run never came to {}", plain(step)))
                            .help(format!("see its steps: aivm show {}", row.id)));
                    }
                }
            }
        };
        self.stand_before(&disk, row, source, before)
    }

    /// Another run with all that this one was answered before a row of its history, held there.
    fn stand_before(&mut self, disk: &Disk, row: RunRow, source: Recovered, at: usize) -> Result<(), Failure> {
        let history = source.history.get(..at).unwrap_or(&source.history);
        let answered = history.iter().filter(|row| matches!(row, Do::Ended(_))).count();
        let reuse = Reuse::first(&source.history, answered, &disk.keep());
        let next = source.history.get(at..).and_then(|rest| rest.iter().find_map(key));
        let next = next.or_else(|| source.run.under_way().next().map(|call| call.key.to_string()));
        let forked = Forked { run: row.id.clone(), key: next.unwrap_or_default(), input: None };
        let as_it_was: Vec<(String, String)> = source.path().into_iter().take(history.len()).collect();
        let how = self.how();
        let from = row.id.clone();
        let fork = Fork::new(disk, row, source, None, (forked, reuse), &how, mint()?)?;
        let (run, store, module) = (fork.options.around.run.clone(), fork.store.clone(), fork.module.clone());
        self.session.stand_at(&run)?;
        let watch = Watch::new(&module, Far::Nowhere, true);
        let path = self.carry(watch, &module, &store, async |observer| fork.drive(observer).await)?;
        // What the other run took back, this one never did.
        let is_step = |(key, _): &&(String, String)| !key.contains("~undo");
        if !path.iter().filter(is_step).eq(as_it_was.iter().filter(is_step)) {
            say(&format!("not all of what {from} had been answered fits: this run stands earlier"));
        }
        Ok(())
    }

    /// Goes on where a run stands, with what was defined then.
    pub fn resume(&mut self, name: &str) -> Result<(), Failure> {
        let disk = crate::store::existing()?;
        let row = find::run(&disk, name)?;
        super::session::forget(|run| disk.run(run).is_ok_and(|row| row.is_some()));
        self.session = match Session::of_run(&row.id)? {
            Some(session) => session,
            None => {
                let mut session = Session::new(self.session.workers);
                if let Some(source) = journal::source(&disk, &row) {
                    session.load(&source.name, super::pieces_of(&source)?);
                }
                session
            }
        };
        self.session.stand_at(&row.id)?;
        println!("resumed {} ({})", row.id, row.status);
        match self.stands()? {
            true => self.on(Far::Nowhere),
            false => Ok(()),
        }
    }

    /// The run that commands are about.
    pub fn current(&self) -> Result<String, Failure> {
        let none =
            || Failure::usage("E0959", "nothing was run yet").help("type a program, or :run the one that is loaded");
        self.session.at.clone().ok_or_else(none)
    }

    /// Is there a run that has not ended?
    pub fn stands(&self) -> Result<bool, Failure> {
        let Ok(run) = self.current() else { return Ok(false) };
        let disk = crate::store::existing()?;
        Ok(matches!(find::run(&disk, &run)?.status.as_str(), "running" | "parked" | ""))
    }

    fn breaks(&self) -> Result<Vec<Break>, Failure> {
        self.session.breaks.iter().map(|one| Break::parse(one)).collect()
    }

    fn how(&self) -> How {
        let mock = self.session.workers == Workers::Mock;
        How { params: self.session.params.clone(), mock, goes_on: true, ..How::default() }
    }

    /// Carries a run on as far as it is to go, and shows what came of it; gives what was taken over when it goes nowhere.
    fn carry(
        &mut self,
        mut watch: Watch,
        module: &VerifiedModule,
        store: &Rc<dyn Store>,
        drive: impl AsyncFnOnce(&mut dyn Observer) -> Result<Report, DriverError>,
    ) -> Result<Vec<(String, String)>, Failure> {
        let how = self.how();
        let report = run::driven(&how, &mut watch, drive)?;
        let seen = watch.end();
        let exit = match &report.ending {
            Ending::Held => {
                store.flush().map_err(|error| crate::fail::failed(&error.to_string()))?;
                stand(&report.run, seen.stopped.as_deref(), &seen.waiting);
                Exit::SENT
            }
            _ => run::tell(self.global, &how, module, &**store, report)?,
        };
        self.came(exit);
        Ok(seen.path)
    }
}

/// Says where a run stands.
fn stand(run: &str, stopped: Option<&str>, waiting: &[Waiting]) {
    if let Some(stopped) = stopped {
        println!("stopped at {}", plain(stopped));
    }
    let Some((next, others)) = waiting.split_first() else { return };
    let colours = crate::fail::colours(&std::io::stdout());
    println!("{} stands before {}", paint(colours, "2", run), paint(colours, "1", &plain(&next.key)));
    let input = &next.input;
    let about =
        format!("{}, {}, {}", input.media_type(), size_text(input.payload().len() as u64), short(input.checksum()));
    let words = match std::str::from_utf8(input.payload()) {
        Ok(text) => one_line(text),
        Err(_) => String::new(),
    };
    let mut line = format!("  {} is given {about}", plain(&next.worker));
    if !words.is_empty() {
        let cut: String = words.chars().take(MOST_WORDS).collect();
        let more = if words.chars().count() > MOST_WORDS { "…" } else { "" };
        line.push_str(&format!(": {cut}{more}"));
    }
    println!("{line}");
    for other in others.iter().take(MOST_SHOWN) {
        println!("  then {}", plain(&other.key));
    }
    if others.len() > MOST_SHOWN {
        println!("  and {} more", others.len() - MOST_SHOWN);
    }
}

/// A call that was made, and not one that took back another or was cancelled.
fn is_made(row: &Do) -> bool {
    matches!(row, Do::Ended(ended) if !matches!(ended.decision.taken, Taken::Dropped | Taken::Undone))
}

/// The key of a call that has ended.
pub fn key(row: &Do) -> Option<String> {
    if let Do::Ended(ended) = row { Some(ended.call.key.to_string()) } else { None }
}

fn mint() -> Result<Arc<Mint>, Failure> {
    let mint = Mint::system().map_err(|error| Failure::failed("E0803", format!("no random numbers: {error}")))?;
    Ok(Arc::new(mint))
}
