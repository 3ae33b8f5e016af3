//! `aivm run`: from a file and an input to a result, with progress on a terminal, plain lines elsewhere, or one JSON object.

use crate::args::{Global, How, RunArgs, Written};
use crate::fail::{Exit, Failure, show_diagnostics};
use crate::input;
use crate::module::{self, Program};
use crate::out::{plain, say};
use crate::progress::Progress;
use aivm_host::driver::{self, DriverError, Options, Report};
use aivm_host::kept::Kept;
use aivm_host::mint::Mint;
use aivm_host::process::Refused;
#[cfg(feature = "store")]
use aivm_host::store::disk::Disk;
use aivm_host::store::{Memory, RunRow, Store};
use aivm_host::trace::{Nobody, Observer};
use aivm_host::work::Outside;
use aivm_host::work::Surroundings;
use aivm_host::work::sandbox::{Sandbox, Wanted};
use aivm_schema::artifact::{Artifact, ArtifactError, Checksum, Draft};
use aivm_schema::journal::RunStarted;
use aivm_schema::module::{DEBUG, Module, RunLimits, drafts};
use aivm_schema::worker::{Does, WorkerDefinition};
use aivm_vm::verify::VerifiedModule;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

mod outcome;
mod params;

pub use outcome::Outcome;
pub use outcome::readable_parts;
pub use params::{params, resolved};

/// The program of `aivm run FILE`, with what there is to say of it.
pub fn load(global: &Global, args: &RunArgs) -> Result<Program, Failure> {
    let written = Written { who: Some(crate::project::who()), ..args.written.clone() };
    let program = module::load(&args.file, &written)?;
    if let Some((source, compiled)) = &program.compiled
        && !global.json
        && !args.how.quiet
    {
        show_diagnostics(source, &compiled.warnings);
    }
    if !global.json && !args.how.quiet {
        say_elsewhere(&args.file);
    }
    if args.how.input.is_none() && !global.json && !args.how.quiet && input::is_waiting() {
        say("standard input is not read: add `--in -` to make it the input");
    }
    Ok(program)
}

/// Says what settings beside a program are not those of its runs.
pub fn say_elsewhere(program: &str) {
    if let Some(left) = crate::config::elsewhere(program) {
        say(&plain(&left));
    }
}

/// What the runs of a process share.
pub struct Shared {
    mint: Arc<Mint>,
    outside: Outside,
    /// Nothing is answered as it was before.
    #[cfg(feature = "store")]
    no_cache: bool,
    /// None: runs leave nothing.
    #[cfg(feature = "store")]
    disk: Option<Disk>,
}

impl Shared {
    /// Of runs that are run so.
    #[cfg_attr(not(feature = "store"), allow(unused_variables))]
    pub fn new(how: &How) -> Result<Shared, Failure> {
        let mint = Mint::system().map_err(|error| Failure::failed("E0803", format!("no random numbers: {error}")))?;
        Ok(Shared {
            mint: Arc::new(mint),
            outside: match how.ephemeral {
                true => crate::config::outside(how.sandbox)?.leaving_nothing(),
                false => crate::config::outside(how.sandbox)?,
            },
            #[cfg(feature = "store")]
            no_cache: how.no_cache,
            #[cfg(feature = "store")]
            disk: match how.ephemeral {
                true => None,
                false => {
                    Some(crate::store::open().map_err(|error| error.help("or keep nothing on disk: --ephemeral"))?)
                }
            },
        })
    }

    /// Says that commands are not held, of a program whose commands would be.
    pub fn say_unheld(&self, program: &VerifiedModule) {
        say_unheld(program.module(), &self.outside.sandbox);
    }

    /// Where a run and its artifacts stay.
    fn store(&self) -> Rc<dyn Store> {
        #[cfg(feature = "store")]
        if let Some(disk) = &self.disk {
            return Rc::new(if self.no_cache { disk.keep().asking_anew() } else { disk.keep() });
        }
        Rc::new(Memory::default())
    }
}

/// A run that is in the store and has not taken its first step.
pub struct Begun {
    /// What runs.
    pub module: VerifiedModule,
    /// How.
    pub options: Options,
    /// Where it stays.
    pub store: Rc<dyn Store>,
    input: Artifact,
    mint: Arc<Mint>,
}

impl Begun {
    /// Begins a run of a program, under a name of its own where it has one.
    pub fn new(
        shared: &Shared,
        how: &How,
        trace: bool,
        program: &Program,
        id: Option<&str>,
        draft: Draft,
    ) -> Result<Begun, Failure> {
        let mint = shared.mint.clone();
        let input = mint
            .seal(draft)
            .map_err(|error| Failure::usage("E0804", format!("the input cannot be an artifact: {error}")))?;
        let mut options = options(shared, how, trace, program)?;
        if let Some(id) = id {
            options.around.kept = Kept::of(&crate::project::state_folder(), id);
            options.around.run = id.to_owned();
        }
        let store = shared.store();
        let module = keep(program, &mint, &*store)?;
        if !how.ephemeral {
            let cassette = crate::cassette::of(&how.tape)?;
            let begun = started(program, &options, module.checksum(), input.checksum());
            options.started = Some(RunStarted { cassette, ..begun });
            let row = RunRow {
                id: options.around.run.clone(),
                started: mint.now(),
                status: String::new(),
                program: program.name.clone(),
                module: module.checksum(),
                quarantine: None,
            };
            store.begin(row).map_err(|error| crate::fail::coded(&error.to_string()))?;
        }
        Ok(Begun { module: program.module.clone(), options, store, input, mint })
    }

    /// Carries it on to its end, or to where it must wait.
    pub async fn drive(self, observer: &mut dyn Observer) -> Result<Report, DriverError> {
        driver::run(self.module, self.input, self.options, self.store, self.mint, observer).await
    }
}

/// Runs a program that has been loaded. `named`: under a name of its own, with an input that has been read.
pub fn run(global: &Global, how: &How, named: Option<(&str, Draft)>, program: &Program) -> Result<Exit, Failure> {
    let (id, draft) = match named {
        Some((id, draft)) => (Some(id), draft),
        None => (None, input::draft(how.input.as_deref(), how.media_type.as_deref())?),
    };
    let shared = Shared::new(how)?;
    if !global.json && !how.quiet && !how.mock {
        shared.say_unheld(&program.module);
    }
    let begun = Begun::new(&shared, how, global.json, program, id, draft)?;
    let store = begun.store.clone();
    carry(global, how, &program.module, &store, async |observer| begun.drive(observer).await)
}

/// Why a run was left where it was, as the command line says it.
pub fn left(error: &DriverError, how: &How) -> Failure {
    let failure = crate::fail::failed(&error.to_string());
    let failure = match error {
        DriverError::Refused(Refused::Cassette(_)) => crate::cassette::refused(failure, how.ephemeral),
        _ => failure,
    };
    match abandoned(error) {
        Some(exit) => failure.ending_with(exit),
        None => failure,
    }
}

/// Says that commands are not held, of those that would be if there were something to hold them by.
fn say_unheld(module: &Module, sandbox: &Sandbox) {
    let definitions = module.workers.iter().filter_map(|worker| WorkerDefinition::from_json(&worker.definition).ok());
    let mut commands = definitions
        .filter(|worker| worker.effect.is_none() && matches!(worker.does, Does::Command(_) | Does::Plugin(_)));
    if sandbox.wanted == Wanted::None || commands.next().is_none() {
        return;
    }
    if let Err(reason) = sandbox.means() {
        say(&plain(&format!("commands that declare no effect run without a sandbox here: {reason}")));
    }
}

/// Carries a run on to its end, or to where it must wait, and shows what came of it.
pub fn carry(
    global: &Global,
    how: &How,
    module: &VerifiedModule,
    store: &Rc<dyn Store>,
    drive: impl AsyncFnOnce(&mut dyn Observer) -> Result<Report, DriverError>,
) -> Result<Exit, Failure> {
    let watching = !global.json && !how.quiet;
    let mut observer: Box<dyn Observer> = if watching { Box::new(Progress::new(module)) } else { Box::new(Nobody) };
    let report = driven(how, &mut *observer, drive)?;
    drop(observer);
    tell(global, how, module, &**store, report)
}

/// Carries a run on while somebody follows it.
pub fn driven(
    how: &How,
    observer: &mut dyn Observer,
    drive: impl AsyncFnOnce(&mut dyn Observer) -> Result<Report, DriverError>,
) -> Result<Report, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("E0805", format!("no event loop: {error}")))?;
    let report = runtime.block_on(drive(observer));
    // What nobody waits for any more, a name that is looked up, holds nothing up.
    runtime.shutdown_background();
    report.map_err(|error| left(&error, how))
}

/// Shows what came of a run, and sees that it is kept.
pub fn tell(
    global: &Global,
    how: &How,
    module: &VerifiedModule,
    store: &dyn Store,
    mut report: Report,
) -> Result<Exit, Failure> {
    for step in &mut report.steps {
        if let Some(error) = step.error.as_mut().filter(|error| error.step.is_empty()) {
            error.step.clone_from(&step.key);
        }
    }
    let mut outcome = Outcome::of(&report, module.module());
    if outcome.exit == Exit::FAILED && how.as_asked.contains(&outcome.status) {
        outcome.exit = Exit::SENT;
    }
    let json = outcome.json(&report);
    let kept = store.flush();
    if global.json {
        println!("{json}");
    } else {
        outcome.show(&report, store, how);
    }
    // The result is shown even where it cannot be kept: it may have cost hours. Standard output has had its one object.
    if let Err(error) = kept {
        let failed = crate::fail::failed(&error.to_string()).show(false);
        return Ok(if outcome.exit == Exit::SENT { failed } else { outcome.exit });
    }
    Ok(outcome.exit)
}

/// How the program ends that was asked twice to stop.
pub fn abandoned(error: &DriverError) -> Option<Exit> {
    match error {
        DriverError::Abandoned { undo: true } => Some(Exit::NOT_UNDONE),
        DriverError::Abandoned { undo: false } => Some(Exit::INTERRUPTED),
        _ => None,
    }
}

/// Where commands run.
pub fn workspace(how: &How) -> Result<PathBuf, Failure> {
    let workspace = how.workspace.clone().map_or_else(std::env::current_dir, Ok);
    workspace
        .and_then(std::path::absolute)
        .and_then(|folder| {
            if folder.is_dir() { Ok(folder) } else { Err(std::io::Error::from(std::io::ErrorKind::NotADirectory)) }
        })
        .map_err(|error| Failure::usage("E0807", format!("the workspace: {error}")))
}

fn options(shared: &Shared, how: &How, trace: bool, program: &Program) -> Result<Options, Failure> {
    let params = resolved(how, program.module.module())?;
    let workspace = workspace(how)?;
    let own = program.module.module().limits;
    let limits = RunLimits {
        calls: how.limits.max_calls.or(own.calls),
        money: how.limits.max_cost.map(|money| money.0).or(own.money),
        tokens: how.limits.max_tokens.map(|tokens| tokens.0).or(own.tokens),
    };
    let run = shared.mint.run_id();
    let kept = match how.ephemeral {
        true => Kept::temporary(),
        false => Kept::of(&crate::project::state_folder(), &run),
    };
    Ok(Options {
        around: Surroundings { run, workspace, kept, params, mock: how.mock, outside: shared.outside.clone() },
        limits,
        timeout_ms: how.timeout.map(|timeout| timeout.0),
        trace,
        started: None,
        webhook: crate::config::webhook(),
        reuse: None,
        process: crate::cassette::begin(crate::cassette::of(&how.tape)?.as_ref())?,
    })
}

/// Puts the module into the store, and beside it where its nodes were written, for whoever asks later why it did something.
pub fn keep(program: &Program, mint: &Mint, store: &dyn Store) -> Result<Artifact, Failure> {
    let [mut module, debug] = drafts(program.module.module(), &program.debug.clone().unwrap_or_default());
    let failed = |error: ArtifactError| Failure::failed("E0808", format!("the program cannot be kept: {error}"));
    if program.debug.is_some() {
        let debug = mint.seal(debug).map_err(failed)?;
        store.put(&debug);
        module.attributes.push((DEBUG.to_owned(), debug.checksum().to_string()));
    }
    let module = mint.seal(module).map_err(failed)?;
    store.put(&module);
    Ok(module)
}

/// How a journal begins.
fn started(program: &Program, options: &Options, module: Checksum, input: Checksum) -> RunStarted {
    let around = &options.around;
    RunStarted {
        run: around.run.clone(),
        program: module,
        file: program.name.clone(),
        input,
        limits: options.limits,
        timeout_ms: options.timeout_ms,
        workspace: around.workspace.display().to_string(),
        params: around.params.clone().into_iter().collect(),
        mock: around.mock,
        principal: crate::project::who(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        forked: None,
        cassette: None,
    }
}
