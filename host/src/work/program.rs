//! A program that was written while the run goes on: compiled, held to what it may do, and carried on as a run of its own in the same
//! store. That run has a name that follows from the call, so a call that is made again finds it and goes on with it, or takes what it
//! came to: nothing is done twice.
//!
//! Compiling is not the host's: whoever made the run gives it a compiler.

use super::{Returned, Surroundings, Task, error, idempotency_key, mock};
use crate::builtin::{Body, is_parts, program as builtin};
use crate::driver::{self, DriverError, Ending, Options, Report};
use crate::facts;
use crate::kept::Kept;
use crate::mint::Mint;
use crate::process::{Process, Refused, Reply, SystemProcess};
use crate::recovery::RecoveryError;
#[cfg(feature = "store")]
use crate::recovery::{From, Recovered};
use crate::signals::Signals;
#[cfg(feature = "store")]
use crate::store::disk::Disk;
use crate::store::{Memory, RunRow, Store, StoreError};
use crate::trace::Nobody;
use aivm_schema::artifact::{Artifact, Draft};
use aivm_schema::journal::RunStarted;
use aivm_schema::module::{DEBUG, Debug, EndKind, RunLimits, Worker, drafts};
use aivm_schema::unit::{Money, Tokens};
use aivm_schema::worker::{Does, Effect, WorkerDefinition};
use aivm_vm::VerifiedModule;
use aivm_vm::action::{CallError, Usage};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::convert;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Programs are called by programs so deep.
const MOST_DEPTH: usize = 3;
/// Stands between the name of a program's run and that of the run that called it. A name that somebody gives has none.
const OF: char = '~';

/// Compiles a page of arrows, of a workspace. What is wrong with it comes as diagnostics of JSON.
pub type Compile = fn(&str, &Path) -> Result<Written, Vec<Value>>;

/// What runs of programs need.
#[derive(Clone, Debug, Default)]
pub struct Programs {
    /// The compiler; none: nobody compiles.
    pub compile: Option<Compile>,
    /// The store of the run that calls them: theirs, too. None: they stay nowhere.
    #[cfg(feature = "store")]
    pub store: Option<Disk>,
}

impl Programs {
    /// Those that this compiler reads, of runs that stay nowhere.
    pub fn compiled_by(compile: Compile) -> Programs {
        Programs {
            compile: Some(compile),
            #[cfg(feature = "store")]
            store: None,
        }
    }
}

/// A program that has been compiled.
pub struct Written {
    /// What runs.
    pub module: VerifiedModule,
    /// Where its nodes were written.
    pub debug: Debug,
    /// What it takes at most; none: nothing bounds it. Calls, millionths of a dollar, tokens.
    pub most: [Option<u64>; 3],
}

/// Is a run, by its name, one of a program that this run called?
pub fn is_of(name: &str, run: &str) -> bool {
    name.split_once(OF).is_some_and(|(_, of)| of == run)
}

/// Is a run, by its name, one of a program that some run called? It goes on with that.
pub fn is_called(name: &str) -> bool {
    name.contains(OF)
}

/// Is a worker one that runs programs?
pub fn runs_programs(worker: &Worker) -> bool {
    let definition = WorkerDefinition::from_json(&worker.definition);
    definition.is_ok_and(|definition| definition.does == Does::Builtin(builtin::PROGRAM.to_owned()))
}

/// Runs it, on a thread of its own: a run is carried on where it began.
pub async fn run(task: &Task) -> Result<Returned, Refused> {
    let (stop, asked) = unbounded_channel();
    let (tell, mut told) = tokio::sync::oneshot::channel();
    let own = task.clone();
    let work = move || {
        let _ = tell.send(here(&own, asked).or_else(|unable| match unable {
            Unable::Call(error) => Ok(Returned::Failed { kind: EndKind::Failure, error, usage: Usage::default() }),
            Unable::Run(refused) => Err(refused),
        }));
    };
    if let Err(error) = std::thread::Builder::new().name("aivm-program".to_owned()).spawn(work) {
        return Ok(Returned::failed("E0718", format!("no thread for `{}`: {error}", task.worker.name)));
    }
    let crashed =
        |_| Ok(Returned::failed("E0718", format!("`{}` crashed: please report this with its input", task.worker.name)));
    tokio::select! {
        returned = &mut told => return returned.unwrap_or_else(crashed),
        () = task.stop.asked() => {}
    }
    // A run that has ended meanwhile hears nothing.
    let _ = stop.send(format!("run {}", task.around.run));
    // It takes back what it did before anything else goes on.
    told.await.unwrap_or_else(crashed)
}

/// Why the call comes to nothing.
enum Unable {
    /// It fails.
    Call(CallError),
    /// The store does not keep the program's run: nobody is at fault, and the run around is left where it was.
    Run(Refused),
}

impl convert::From<CallError> for Unable {
    fn from(error: CallError) -> Unable {
        Unable::Call(error)
    }
}

impl convert::From<StoreError> for Unable {
    fn from(error: StoreError) -> Unable {
        RecoveryError::from(error).into()
    }
}

impl convert::From<RecoveryError> for Unable {
    fn from(error: RecoveryError) -> Unable {
        // What is damaged does not come back: to leave the run around would be to leave it for ever.
        match error.damage() {
            Some(_) => Unable::Call(cannot(error)),
            None => Unable::Run(Refused::Store(error.to_string())),
        }
    }
}

impl convert::From<DriverError> for Unable {
    fn from(error: DriverError) -> Unable {
        match error {
            DriverError::Store(error) => error.into(),
            DriverError::Refused(refused) => Unable::Run(refused),
            error => Unable::Call(cannot(error)),
        }
    }
}

fn cannot(reason: impl std::fmt::Display) -> CallError {
    error("E1052", reason.to_string())
}

fn here(task: &Task, asked: UnboundedReceiver<String>) -> Result<Returned, Unable> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|reason| cannot(format!("no event loop: {reason}")))?;
    let returned = runtime.block_on(carried(task, asked));
    runtime.shutdown_background();
    returned
}

async fn carried(task: &Task, asked: UnboundedReceiver<String>) -> Result<Returned, Unable> {
    let (text, input) = given(task)?;
    let mint = Arc::new(Mint::system().map_err(|reason| cannot(format!("no random numbers: {reason}")))?);
    let process = Rc::new(Inner { asked: RefCell::new(Some(asked)) });
    let child = Child { task, name: name(task), mint, process };
    #[cfg(feature = "store")]
    if let Some(disk) = &task.around.outside.programs.store {
        return match disk.run(&child.name)? {
            Some(_) => child.gone_on(disk).await,
            None => child.begun(&text, input, Rc::new(disk.keep()), Kept::of(disk.folder(), &child.name)).await,
        };
    }
    child.begun(&text, input, Rc::new(Memory::default()), Kept::temporary()).await
}

/// The name of the run of a call's program: each attempt has its own.
fn name(task: &Task) -> String {
    let key = idempotency_key(&task.around.run, &task.key, task.input.content_digest());
    format!("{}-{}{OF}{}", key.get(..12).unwrap_or(&key), task.attempt, task.around.run)
}

/// The text of the program, and its input: the value behind it, where there are two.
fn given(task: &Task) -> Result<(String, Draft), CallError> {
    let nothing = Draft {
        media_type: "text/plain".to_owned(),
        origin: task.worker.name.clone(),
        role: "input".to_owned(),
        scope: "run".to_owned(),
        ..Draft::default()
    };
    let (program, input) = match (is_parts(task.input.media_type()), task.parts.as_slice()) {
        (false, _) => (&task.input, nothing),
        (true, [(_, _, program)]) => (program, nothing),
        (true, [(_, _, program), (_, _, input)]) => (program, input.to_draft()),
        (true, parts) => {
            return Err(cannot(format!("a program and its input are wanted, and here are {} values", parts.len())));
        }
    };
    builtin::is_program(program.media_type()).map_err(|failure| error(failure.code(), failure.to_string()))?;
    let text = std::str::from_utf8(program.payload()).map_err(|_| cannot("the program is not UTF-8"))?;
    Ok((text.to_owned(), input))
}

/// A program's run.
struct Child<'t> {
    task: &'t Task,
    name: String,
    mint: Arc<Mint>,
    process: Rc<Inner>,
}

impl Child<'_> {
    /// The run is begun, unless the text is refused.
    async fn begun(&self, text: &str, input: Draft, store: Rc<dyn Store>, kept: Kept) -> Result<Returned, Unable> {
        let around = &self.task.around;
        if around.run.matches(OF).count() >= MOST_DEPTH {
            return Err(Unable::Call(cannot(format!("programs call programs {MOST_DEPTH} deep at most"))));
        }
        let compile = around.outside.programs.compile.ok_or_else(|| cannot("nobody compiles a program here"))?;
        let written = match compile(text, &around.workspace).and_then(|written| self.allowed(written)) {
            Ok(written) => written,
            Err(diagnostics) => return Ok(self.refused(text, &diagnostics)),
        };
        let sealed = |draft| self.mint.seal(draft).map_err(cannot);
        let input = sealed(input)?;
        let [mut module, debug] = drafts(written.module.module(), &written.debug);
        let debug = sealed(debug)?;
        module.attributes.push((DEBUG.to_owned(), debug.checksum().to_string()));
        let module = sealed(module)?;
        store.put(&debug);
        store.put(&module);
        let limits = self.limits();
        let file = format!("{} of {}", self.task.worker.name, around.run);
        let row = RunRow {
            id: self.name.clone(),
            started: self.mint.now(),
            status: String::new(),
            program: file.clone(),
            module: module.checksum(),
            quarantine: None,
        };
        store.begin(row)?;
        let started = RunStarted {
            run: self.name.clone(),
            program: module.checksum(),
            file,
            input: input.checksum(),
            limits,
            timeout_ms: self.task.deadline_ms,
            workspace: around.workspace.display().to_string(),
            params: around.params.clone().into_iter().collect(),
            mock: false,
            principal: format!("run {}", around.run),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            forked: None,
            cassette: None,
        };
        let options = self.options(kept, limits, Some(started));
        let report = driver::run(written.module, input, options, store.clone(), self.mint.clone(), &mut Nobody).await;
        self.returned(report?, &*store)
    }

    /// The run is there: it goes on where it was, or has ended.
    #[cfg(feature = "store")]
    async fn gone_on(&self, disk: &Disk) -> Result<Returned, Unable> {
        let kept = disk.claim(&self.name)?;
        let read = crate::resume::read(&kept, From::Checkpoint, &self.mint)?;
        let Recovered { run, history, .. } = read;
        let store: Rc<dyn Store> = Rc::new(kept);
        let options = self.options(Kept::of(disk.folder(), &self.name), run.limits(), None);
        let report = driver::drive(run, history, options, store.clone(), self.mint.clone(), &mut Nobody).await;
        self.returned(report?, &*store)
    }

    fn options(&self, kept: Kept, limits: RunLimits, started: Option<RunStarted>) -> Options {
        let around = &self.task.around;
        Options {
            around: Surroundings {
                run: self.name.clone(),
                workspace: around.workspace.clone(),
                kept,
                params: around.params.clone(),
                mock: false,
                outside: around.outside.clone(),
            },
            limits,
            timeout_ms: self.task.deadline_ms,
            trace: false,
            started,
            webhook: None,
            reuse: None,
            process: self.process.clone(),
        }
    }

    /// What the definition sets aside for the program: money and tokens are reserved of the run around before the call.
    fn limits(&self) -> RunLimits {
        let definition = &self.task.worker.definition;
        RunLimits {
            calls: Some(definition.with.get("calls").and_then(Value::as_u64).unwrap_or(builtin::CALLS)),
            money: Some(definition.cost.map_or(0, |money| money.0)),
            tokens: Some(definition.tokens.map_or(0, |tokens| tokens.0)),
        }
    }

    /// The program, when it may be run: it calls nobody else, and cannot take more than there is for it.
    fn allowed(&self, written: Written) -> Result<Written, Vec<Value>> {
        let wrong = |code: &str, message: String, help: &str| json!({"code": code, "severity": "error", "message": message, "help": help});
        let strangers = written.module.module().workers.iter().filter(|worker| !self.may_be_called(worker));
        let mut told: Vec<Value> = strangers
            .map(|worker| wrong("E1050", format!("the program may not call `{}`", worker.name), &self.may_call()))
            .collect();
        let shown: [fn(u64) -> String; 3] =
            [|calls| format!("{calls} calls"), |money| Money(money).to_string(), |tokens| Tokens(tokens).to_string()];
        let RunLimits { calls, money, tokens } = self.limits();
        for ((most, limit), shown) in written.most.iter().zip([calls, money, tokens]).zip(shown) {
            let limit = limit.unwrap_or(0);
            if most.is_none_or(|most| most > limit) {
                let (most, limit) = (most.map_or("without a bound".to_owned(), shown), shown(limit));
                let message = format!("what the program could take is {most}, and {limit} are set aside for it");
                told.push(wrong("E1051", message, "bound its loops and its fan-outs, or do less"));
            }
        }
        if told.is_empty() { Ok(written) } else { Err(told) }
    }

    /// Does a worker only compute, or is it one that the definition lists and that may be called again?
    fn may_be_called(&self, worker: &Worker) -> bool {
        let Ok(definition) = WorkerDefinition::from_json(&worker.definition) else { return false };
        let effect = facts::effect(&definition);
        match &definition.does {
            Does::Builtin(_) if effect == Effect::Pure => true,
            // One program would write what a word means that the next one calls.
            Does::Builtin(name)
                if crate::builtin::find(name)
                    .is_some_and(|found| builtin::changes_any_file(found, &definition.with)) =>
            {
                false
            }
            // Nobody would be there who answers.
            Does::Human(_) => false,
            _ => effect <= Effect::Idempotent && self.listed().contains(&worker.name.as_str()),
        }
    }

    fn listed(&self) -> Vec<&str> {
        let words = self.task.worker.definition.with.get("workers").and_then(Value::as_array);
        words.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    fn may_call(&self) -> String {
        let listed = self.listed();
        let more = if listed.is_empty() { String::new() } else { format!(", and: {}", listed.join(", ")) };
        format!(
            "it may call built-ins that only compute{more}; what changes files is held to a folder by `with = {{ within = \"out\" }}`"
        )
    }

    /// Whoever wrote it is told why, where the step can hear that; else it is a failure.
    fn refused(&self, text: &str, diagnostics: &[Value]) -> Returned {
        let hears = |word: &&str| self.task.words.iter().any(|heard| heard == word);
        let Some(word) = [builtin::REFUSED, "back"].into_iter().find(|word| hears(word)) else {
            let first = diagnostics.first().map_or(String::new(), |one| {
                let said = |key: &str| one[key].as_str().unwrap_or_default();
                let line = one["line"].as_u64().map_or(String::new(), |line| format!(", line {line}"));
                format!(": {}{line}: {}", said("code"), said("message"))
            });
            return Returned::failed("E1049", format!("the program is refused{first}"));
        };
        let told = json!({"program": text, "diagnostics": diagnostics});
        let body = Body::New { media_type: "application/json".to_owned(), payload: told.to_string().into_bytes() };
        Returned::Done { body, verdict: Some(word.to_owned()), attributes: Vec::new(), usage: Usage::default() }
    }

    /// What the run came to is what the call came to.
    fn returned(&self, report: Report, store: &dyn Store) -> Result<Returned, Unable> {
        store.flush()?;
        let usage = self.usage(&report);
        let (kind, error) = match report.ending {
            Ending::Ended(end) => match end.result {
                Ok((output, verdict)) => return Ok(self.sent(&output, verdict, usage)),
                Err((kind, error)) => (kind, error),
            },
            Ending::Parked(..) | Ending::Held => (EndKind::Failure, Some(cannot("it waits for somebody"))),
        };
        let CallError { code, message, step } = error.unwrap_or_else(|| cannot("it was cancelled"));
        let at = if step.is_empty() { String::new() } else { format!(" at {step}") };
        let error = super::error(&code, format!("{message}{at}, in the run {} of the program", self.name));
        let kind = match kind {
            EndKind::Cancel if !self.task.stop.is_asked() => EndKind::Failure,
            kind => kind,
        };
        Ok(Returned::Failed { kind, error, usage })
    }

    fn sent(&self, output: &Artifact, verdict: Option<String>, usage: Usage) -> Returned {
        if is_parts(output.media_type()) {
            let reason = format!("the run {} ended with several values: `merge` makes one of them", self.name);
            return Returned::Failed { kind: EndKind::Failure, error: cannot(reason), usage };
        }
        let body = Body::New { media_type: output.media_type().to_owned(), payload: output.payload().to_vec() };
        let verdict = verdict.filter(|word| self.task.words.contains(word));
        let attributes = vec![("program".to_owned(), self.name.clone())];
        Returned::Done { body, verdict, attributes, usage }
    }

    /// Of its calls together, also of those before an interruption.
    fn usage(&self, report: &Report) -> Usage {
        Usage { money: (report.totals.cost_usd * 1e6).round() as u64, tokens: report.totals.tokens, ..Usage::default() }
    }
}

/// The operating system for a program's run, but for what asks it to stop: that is the run around it.
struct Inner {
    asked: RefCell<Option<UnboundedReceiver<String>>>,
}

impl Process for Inner {
    fn begin(&self, task: Task, mock: Option<mock::Answering>, reply: Reply) {
        SystemProcess.begin(task, mock, reply);
    }

    fn end_leftovers(&self, around: &Surroundings, steps: &[String]) {
        SystemProcess.end_leftovers(around, steps);
    }

    fn signals(&self) -> Signals {
        match self.asked.borrow_mut().take() {
            Some(asked) => Signals::none().and_caller(asked),
            None => Signals::none(),
        }
    }
}
