//! `aivm run`: from a file and an input to a result, with progress on a terminal, plain lines elsewhere, or one JSON object.

use crate::args::{Global, How, RunArgs};
use crate::fail::{Exit, Failure, show_diagnostics};
use crate::input;
use crate::module::{self, Program};
use crate::out::{plain, say, short};
use crate::progress::Progress;
use aivm_host::driver::{self, DriverError, Ending, Options, Report};
use aivm_host::kept::Kept;
use aivm_host::mint::Mint;
use aivm_host::store::{Memory, RunRow, Store};
use aivm_host::trace::{Nobody, Observer, totals_text};
use aivm_host::work::Surroundings;
use aivm_host::work::sandbox::{Sandbox, Wanted};
use aivm_schema::artifact::{Artifact, ArtifactError, Checksum, Draft, json as artifact_json};
use aivm_schema::journal::RunStarted;
use aivm_schema::module::{DEBUG, EndKind, Module, RunLimits, drafts};
use aivm_schema::worker::{Does, WorkerDefinition};
use aivm_vm::action::{CallError, Limit, RunEnd};
use aivm_vm::run::Why;
use aivm_vm::verify::VerifiedModule;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::rc::Rc;
use std::sync::Arc;

/// The program of `aivm run FILE`, with what there is to say of it.
pub fn load(global: &Global, args: &RunArgs) -> Result<Program, Failure> {
    let program = module::load(&args.file)?;
    if let Some((source, compiled)) = &program.compiled
        && !global.json
        && !args.how.quiet
    {
        show_diagnostics(source, &compiled.warnings);
    }
    if args.how.input.is_none() && !global.json && !args.how.quiet && input::is_waiting() {
        say("standard input is not read: add `--in -` to make it the input");
    }
    Ok(program)
}

/// Runs a program that has been loaded. `named`: under a name of its own, with an input that has been read.
pub fn run(global: &Global, how: &How, named: Option<(&str, Draft)>, program: &Program) -> Result<Exit, Failure> {
    let mint = Mint::system().map_err(|error| Failure::failed("E0803", format!("no random numbers: {error}")))?;
    let mint = Arc::new(mint);
    let (id, draft) = match named {
        Some((id, draft)) => (Some(id), draft),
        None => (None, input::draft(how.input.as_deref(), how.media_type.as_deref())?),
    };
    let input = mint
        .seal(draft)
        .map_err(|error| Failure::usage("E0804", format!("the input cannot be an artifact: {error}")))?;
    let mut options = options(global, how, program, &mint)?;
    if let Some(id) = id {
        options.around.kept = Kept::of(&crate::project::state_folder(), id);
        options.around.run = id.to_owned();
    }
    if !global.json && !how.quiet && !how.mock {
        say_unheld(program.module.module(), &options.around.sandbox);
    }
    let store = store(how.ephemeral)?;
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
    carry(global, how, &program.module, &store, async |observer| {
        driver::run(program.module.clone(), input, options, store.clone(), mint, observer).await
    })
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
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("E0805", format!("no event loop: {error}")))?;
    let mut report = runtime.block_on(drive(&mut *observer)).map_err(|error| {
        let failure = crate::fail::failed(&error.to_string());
        let failure = match error {
            DriverError::Refused(_) => crate::cassette::refused(failure, how.ephemeral),
            _ => failure,
        };
        match abandoned(&error) {
            Some(exit) => failure.ending_with(exit),
            None => failure,
        }
    })?;
    drop(observer);
    for step in &mut report.steps {
        if let Some(error) = step.error.as_mut().filter(|error| error.step.is_empty()) {
            error.step.clone_from(&step.key);
        }
    }
    let outcome = Outcome::of(&report, module.module());
    let json = outcome.json(&report);
    let kept = store.flush();
    if global.json {
        println!("{json}");
    } else {
        outcome.show(&report, &**store, how);
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

/// `--param`, by name.
pub fn params(how: &How) -> Result<BTreeMap<String, String>, Failure> {
    let mut params = BTreeMap::new();
    for param in &how.params {
        let (key, value) = param
            .split_once('=')
            .filter(|(key, _)| aivm_schema::word::is_word(key))
            .ok_or_else(|| Failure::usage("E0806", format!("`--param {param}` is not KEY=VALUE")))?;
        params.insert(key.to_owned(), value.to_owned());
    }
    Ok(params)
}

fn options(global: &Global, how: &How, program: &Program, mint: &Mint) -> Result<Options, Failure> {
    let params = params(how)?;
    let workspace = how.workspace.clone().map_or_else(std::env::current_dir, Ok);
    let workspace = workspace
        .and_then(std::path::absolute)
        .and_then(|folder| {
            if folder.is_dir() { Ok(folder) } else { Err(std::io::Error::from(std::io::ErrorKind::NotADirectory)) }
        })
        .map_err(|error| Failure::usage("E0807", format!("the workspace: {error}")))?;
    let own = program.module.module().limits;
    let limits = RunLimits {
        calls: how.max_calls.or(own.calls),
        money: how.max_cost.map(|money| money.0).or(own.money),
        tokens: how.max_tokens.map(|tokens| tokens.0).or(own.tokens),
    };
    let run = mint.run_id();
    let kept = match how.ephemeral {
        true => Kept::temporary(),
        false => Kept::of(&crate::project::state_folder(), &run),
    };
    Ok(Options {
        around: Surroundings {
            run,
            workspace,
            kept,
            params,
            mock: how.mock,
            models: crate::config::models()?,
            sandbox: crate::config::sandbox(how.sandbox)?,
        },
        limits,
        timeout_ms: how.timeout.map(|timeout| timeout.0),
        trace: global.json,
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

/// Where the run and its artifacts stay.
#[cfg(feature = "store")]
fn store(ephemeral: bool) -> Result<Rc<dyn Store>, Failure> {
    if ephemeral {
        return Ok(Rc::new(Memory::default()));
    }
    let disk = crate::store::open().map_err(|error| error.help("or keep nothing on disk: aivm run --ephemeral"))?;
    Ok(Rc::new(disk.keep()))
}

#[cfg(not(feature = "store"))]
fn store(_ephemeral: bool) -> Result<Rc<dyn Store>, Failure> {
    Ok(Rc::new(Memory::default()))
}

/// How a run ended, as the command line says it.
pub struct Outcome {
    /// In a word.
    pub status: &'static str,
    /// With which code the program ends.
    pub exit: Exit,
    /// What was sent.
    pub output: Option<Artifact>,
    /// Or why not.
    pub error: Option<CallError>,
}

impl Outcome {
    /// Of a run of this program.
    pub fn of(report: &Report, module: &Module) -> Outcome {
        let end = match &report.ending {
            Ending::Parked(why, questions) => {
                let spent = |what: &str| ("E0770", format!("the run has spent its limit of {what}"), String::new());
                let (code, message, step) = match why {
                    Why::Limit(Limit::Calls) => spent("calls: raise --max-calls"),
                    Why::Limit(Limit::Money) => spent("money: raise --max-cost"),
                    Why::Limit(Limit::Tokens) => spent("tokens: raise --max-tokens"),
                    Why::Unknown(keys) => {
                        let first = keys.first().map(ToString::to_string).unwrap_or_default();
                        let settle = format!("aivm settle {} '{first}' happened|not-happened", report.run);
                        let mut message =
                            format!("it was interrupted, and may have happened or not: look, then  {settle}");
                        if let Some(worker) = module::worker_of(module, &first) {
                            message.push_str(&format!(
                                "  (where a call does no harm when it is made twice, a line for `{worker}` spares the question: effect = \"idempotent\", or effect = \"read\")"
                            ));
                        }
                        ("E0771", message, first)
                    }
                    Why::Asked(_) => {
                        let first = questions.first();
                        let about = first.map_or("", |question| question.question.as_str());
                        let step = first.map_or_else(String::new, |question| question.call.key.to_string());
                        ("E0773", format!("a person is asked: {about}"), step)
                    }
                };
                let error = CallError { code: code.into(), message, step };
                return Outcome { status: "parked", exit: Exit::PARKED, output: None, error: Some(error) };
            }
            Ending::Ended(end) => end,
        };
        let RunEnd { result, not_undone } = end;
        let (status, exit, output, error) = match result {
            Ok((output, _)) => ("sent", Exit::SENT, Some(output.clone()), None),
            Err((EndKind::Cancel, error)) => ("cancelled", Exit::FAILED, None, error.clone()),
            Err((EndKind::Timeout, error)) => ("timeout", Exit::TIMEOUT, None, error.clone()),
            Err((EndKind::Failure | EndKind::Exhausted, error)) => ("failed", Exit::FAILED, None, error.clone()),
        };
        let exit = match () {
            () if !not_undone.is_empty() => {
                let keys: Vec<String> = not_undone.iter().map(ToString::to_string).collect();
                let error = error.unwrap_or_else(|| CallError {
                    code: "E0763".into(),
                    message: format!("what it did could not be taken back: {}", keys.join(", ")),
                    step: String::new(),
                });
                return Outcome { status: "stuck", exit: Exit::NOT_UNDONE, output, error: Some(error) };
            }
            () if report.interrupted => Exit::INTERRUPTED,
            () => exit,
        };
        Outcome { status, exit, output, error }
    }

    fn json(&self, report: &Report) -> Value {
        let (questions, not_undone): (Vec<Value>, Vec<String>) = match &report.ending {
            Ending::Parked(_, questions) => (questions.iter().map(crate::question::json).collect(), Vec::new()),
            Ending::Ended(end) => (Vec::new(), end.not_undone.iter().map(ToString::to_string).collect()),
        };
        json!({
            "v": 1,
            "run": report.run,
            "status": self.status,
            "exit": self.exit.number(),
            "output": self.output.as_ref().map(artifact_json::to_json),
            "steps": report.steps,
            "totals": report.totals,
            "error": self.error,
            "questions": questions,
            "not_undone": not_undone,
        })
    }

    fn show(&self, report: &Report, store: &dyn Store, how: &How) {
        let kept = cfg!(feature = "store") && !how.ephemeral;
        if let Some(output) = &self.output {
            let terminal = std::io::stdout().is_terminal();
            let parts = readable_parts(output, store);
            let payload = parts.as_deref().unwrap_or(output.payload());
            match std::str::from_utf8(payload) {
                Ok(text) if terminal => println!("{}", plain(text.strip_suffix('\n').unwrap_or(text))),
                Err(_) if terminal => {
                    let (length, media_type) = (payload.len(), plain(output.media_type()));
                    let see = match kept {
                        true => format!("see it by  aivm artifact cat {}", short(output.checksum())),
                        false => "write it to a file by  > FILE".to_owned(),
                    };
                    say(&format!("the output is {length} bytes of {media_type}: {see}"));
                }
                _ => crate::out::bytes(payload),
            }
        }
        let asks = matches!(&report.ending, Ending::Parked(Why::Asked(_), _));
        if let Some(error) = self.error.as_ref().filter(|_| !asks) {
            let at = if error.step.is_empty() { String::new() } else { format!(" at {}", error.step) };
            // The step that failed has said why, when anybody looked.
            let said = report.steps.iter().rfind(|step| !how.quiet && step.key == error.step);
            let why = match said.and_then(|step| step.error.as_ref()) {
                Some(said) if said.message == error.message => String::new(),
                Some(said) => {
                    format!(": {}", error.message.replace(&format!(" ({}: {})", said.code, said.message), ""))
                }
                None => format!(": {}", error.message),
            };
            say(&plain(&format!("error[{}]{at}{why}", error.code)));
        }
        if let Ending::Parked(_, questions) = &report.ending {
            for question in questions {
                crate::question::show(&report.run, question);
            }
        }
        if let Ending::Ended(RunEnd { not_undone, .. }) = &report.ending {
            for key in not_undone {
                say(&plain(&format!("not undone: {key}")));
            }
            if !not_undone.is_empty() && kept {
                say(&format!("try again:  aivm rollback {}", report.run));
            }
        }
        if !how.quiet {
            let name = if kept { format!(" · run {}", report.run) } else { String::new() };
            say(&format!("{} · {}{name}", self.status, totals_text(&report.totals)));
        }
    }
}

/// Several values, each under its name, when all of them are text: for people.
pub fn readable_parts(output: &Artifact, store: &dyn Store) -> Option<Vec<u8>> {
    if output.media_type() != aivm_schema::artifact::parts::MEDIA_TYPE {
        return None;
    }
    let mut text = String::new();
    for (name, _, value) in aivm_host::parts::named(output, store).ok()? {
        let value = std::str::from_utf8(value.payload()).ok()?;
        text.push_str(&format!("── {name}\n{}\n", value.trim_end_matches('\n')));
    }
    Some(text.into_bytes())
}
