//! `fork`: a new run that takes over what another has answered, up to a step, and goes its own way from there.

use crate::args::{ForkArgs, Global, How};
use crate::fail::{Exit, Failure, coded};
use crate::runs::find;
use crate::{input, library, run};
use aivm_host::driver::{self, DriverError, Options, Report, Reuse};
use aivm_host::kept::Kept;
use aivm_host::mint::Mint;
use aivm_host::parts;
use aivm_host::recovery::{From, Recovered};
use aivm_host::store::disk::Disk;
use aivm_host::store::{RunRow, Store, StoreError};
use aivm_host::trace::Observer;
use aivm_host::work::Surroundings;
use aivm_lang::library::{Found, Library};
use aivm_schema::artifact::Artifact;
use aivm_schema::journal::{Forked, RunStarted};
use aivm_schema::module::{Module, drafts};
use aivm_schema::worker::WorkerDefinition;
use aivm_vm::action::{FINISH, Purpose};
use aivm_vm::run::Do;
use aivm_vm::verify::{VerifiedModule, verify};
use std::rc::Rc;
use std::sync::Arc;

/// `aivm fork RUN --at STEP`.
pub fn fork(global: &Global, args: &ForkArgs) -> Result<Exit, Failure> {
    let disk = crate::store::existing()?;
    let row = find::run(&disk, &args.run)?;
    let source = find::look(&disk, &row.id, From::Start)?;
    crate::secret::ready()?;
    aivm_host::secret::learn(source.module.module());
    let kept = disk.keep();
    let words = step(&source, &args.at)?;
    if let Some(word) = args.outcome.as_ref().filter(|word| !words.contains(word)) {
        return Err(Failure::usage("E0778", format!("`{word}` is no outcome of {}", args.at))
            .help(format!("its outcomes: {}", words.join(", "))));
    }
    let mint = Mint::system().map_err(|error| Failure::failed("E0803", format!("no random numbers: {error}")))?;
    let mint = Arc::new(mint);
    let value = |text: &str| {
        mint.seal(input::draft(Some(text), None)?)
            .map_err(|error| Failure::usage("E0804", format!("the input cannot be an artifact: {error}")))
    };
    let mut reuse = Reuse::of(&source.history, args.at.clone(), &kept);
    reuse.input = args.input.as_deref().map(value).transpose()?;
    let output = args.output.as_deref().map(value).transpose()?;
    reuse.outcome = args.outcome.clone().map(|word| (word, output));
    let another = match args.worker.is_empty() {
        true => None,
        false => Some(with_workers(source.module.clone(), &source.started.file, &args.worker)?),
    };
    let how = How { quiet: args.on.quiet, sandbox: args.on.sandbox, tape: args.tape.clone(), ..How::default() };
    let forked =
        Forked { run: row.id.clone(), key: args.at.clone(), input: reuse.input.as_ref().map(Artifact::checksum) };
    let name = row.id.clone();
    let mut fork = Fork::new(&disk, row, source, another, (forked, reuse), &how, mint)?;
    fork.options.trace = global.json;
    let (store, module) = (fork.store.clone(), fork.module.clone());
    let carried = run::carry(global, &how, &module, &store, async |observer| fork.drive(observer).await);
    // Parts of what was answered are taken over when it comes to them.
    carried.map_err(|failure| if failure.code() == "E0740" { find::still(&disk, &name, failure) } else { failure })
}

/// A run that begins with what another has answered, and has not taken its first step.
pub struct Fork {
    /// What runs.
    pub module: VerifiedModule,
    /// How.
    pub options: Options,
    /// Where it stays.
    pub store: Rc<dyn Store>,
    input: Artifact,
    mint: Arc<Mint>,
}

impl Fork {
    /// Begins one in the store, of the same program or of another.
    pub fn new(
        disk: &Disk,
        row: RunRow,
        source: Recovered,
        another: Option<VerifiedModule>,
        (forked, reuse): (Forked, Reuse),
        how: &How,
        mint: Arc<Mint>,
    ) -> Result<Fork, Failure> {
        let find = |checksum, what: &str| -> Result<Artifact, Failure> {
            let found = disk.find(checksum).map_err(|error| coded(&error.to_string()))?;
            let lost = || Failure::failed("E0759", format!("the run {} has lost {what}", row.id));
            found.ok_or_else(|| find::still(disk, &row.id, lost()))
        };
        let program = match &another {
            None => find(source.started.program, "its program")?,
            Some(module) => {
                let [draft, _] = drafts(module.module(), &Default::default());
                mint.seal(draft)
                    .map_err(|error| Failure::failed("E0808", format!("the program cannot be kept: {error}")))?
            }
        };
        let input = find(source.started.input, "its input")?;
        let id = mint.run_id();
        // What a replay answered is taken over; what is called from here on is called.
        let cassette = crate::cassette::of(&how.tape)?;
        let started = RunStarted {
            run: id.clone(),
            program: program.checksum(),
            principal: crate::project::who(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            forked: Some(forked),
            cassette: cassette.clone(),
            ..source.started
        };
        let options = Options {
            around: Surroundings {
                run: id.clone(),
                workspace: started.workspace.clone().into(),
                kept: Kept::of(&crate::project::state_folder(), &id),
                params: started.params.clone().into_iter().collect(),
                mock: started.mock,
                outside: crate::config::outside(how.sandbox)?,
            },
            limits: started.limits,
            timeout_ms: started.timeout_ms,
            trace: false,
            webhook: crate::config::webhook(),
            reuse: Some(reuse),
            process: crate::cassette::begin(cassette.as_ref())?,
            started: Some(started),
        };
        let began = RunRow {
            id,
            started: mint.now(),
            status: String::new(),
            program: row.program,
            module: program.checksum(),
            quarantine: None,
        };
        let store: Rc<dyn Store> = Rc::new(disk.keep());
        for artifact in [&program, &input] {
            let put = parts::put_whole(artifact, &*store);
            put.map_err(|error| find::still(disk, &row.id, coded(&error.to_string())))?;
        }
        // What it does not find any more it would ask for again.
        if disk.run(&row.id).map_err(|error| coded(&error.to_string()))?.is_none() {
            return Err(coded(&StoreError::Gone(row.id).to_string()));
        }
        store.begin(began).map_err(|error| coded(&error.to_string()))?;
        Ok(Fork { module: another.unwrap_or(source.module), options, store, input, mint })
    }

    /// Carries it on to its end, or to where it must wait.
    pub async fn drive(self, observer: &mut dyn Observer) -> Result<Report, DriverError> {
        driver::run(self.module, self.input, self.options, self.store, self.mint, observer).await
    }
}

/// The words that a step can answer, which the run must have come to.
fn step(source: &Recovered, key: &str) -> Result<Vec<String>, Failure> {
    let ended =
        source.history.iter().filter_map(|row| if let Do::Ended(ended) = row { Some(&ended.call) } else { None });
    let calls: Vec<_> = ended.chain(source.run.under_way()).collect();
    let Some(call) = calls.iter().find(|call| call.key.to_string() == key) else {
        let mut keys: Vec<String> = calls.iter().map(|call| call.key.to_string()).collect();
        keys.dedup();
        let near = aivm_lang::nearest(key, keys.iter().map(String::as_str));
        let (within, items) = (format!("{key}/"), format!("{key}["));
        if let Some(inner) = keys.iter().find(|inner| inner.starts_with(&within) || inner.starts_with(&items)) {
            return Err(Failure::usage("E0778", format!("{key} is no step: it is made of some"))
                .help(format!("fork at one of them, as {inner}")));
        }
        let failure = Failure::usage("E0778", format!("the run never came to {key}"));
        return Err(match near {
            Some(near) => failure.help(format!("did you mean {near}?")),
            None => failure.help("see its steps: aivm show RUN"),
        });
    };
    let module = source.module.module();
    match call.purpose {
        Purpose::Step(step) => Ok(source.run.words_of(step).into_iter().map(str::to_owned).collect()),
        // A chooser: the steps that it can name, also those that it had used up, and that it has done.
        Purpose::Choose(stage) => {
            let names = module.stages.get(stage.index()).map_or(&[][..], |stage| &stage.names);
            let names = names.iter().filter_map(|name| module.words.get(name.index()));
            Ok(names.map(ToString::to_string).chain([FINISH.to_owned()]).collect())
        }
        Purpose::Undo(_) => {
            Err(Failure::usage("E0778", format!("{key} takes a step back: fork at the step that it belongs to")))
        }
    }
}

/// The program with other workers: `word=other word` or `word=file`.
fn with_workers(module: VerifiedModule, file: &str, workers: &[String]) -> Result<VerifiedModule, Failure> {
    let mut module: Module = module.module().clone();
    for pair in workers {
        let refuse = |why: String| Failure::usage("E0778", format!("`--worker {pair}`: {why}"));
        let Some((word, other)) = pair.split_once('=') else { return Err(refuse("it is not WORD=OTHER".into())) };
        // The program's own words first.
        let own = module.workers.iter().find(|worker| worker.name == other).map(|worker| worker.definition.clone());
        let definition = match own {
            Some(own) => own,
            None => definition(file, other).map_err(refuse)?.to_json(),
        };
        let Some(worker) = module.workers.iter_mut().find(|worker| worker.name == word) else {
            return Err(refuse(format!("the program calls no `{word}`")));
        };
        worker.definition = definition;
    }
    verify(module).map_err(|error| coded(&error.to_string()))
}

fn definition(file: &str, other: &str) -> Result<WorkerDefinition, String> {
    if let Some(extension) = [".md", ".toml"].into_iter().find(|extension| other.ends_with(extension)) {
        let text = std::fs::read_to_string(other).map_err(|error| format!("cannot read {other}: {error}"))?;
        let read = if extension == ".md" {
            WorkerDefinition::from_markdown(&text)
        } else {
            WorkerDefinition::from_toml(&text)
        };
        return read.map_err(|error| error.to_string().trim().to_owned());
    }
    let library = library::Files::around(file).map_err(|error| error.to_string())?;
    match library.find(file, other).map_err(|error| error.to_string())? {
        Some(Found::Worker(definition)) => Ok(*definition),
        Some(_) => Err(format!("`{other}` is a program, not a worker")),
        None => Err(format!("no worker is called `{other}`")),
    }
}
