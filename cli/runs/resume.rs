//! `resume`, `settle`: how a run goes on that was interrupted or waits for somebody.

use crate::args::{Global, GoOn, How, ResumeArgs, SettleArgs, Settled, Tape};
use crate::fail::{Exit, Failure, coded};
use crate::out::say;
use crate::runs::find;
use crate::runs::journal::Records;
use crate::{input, run};
use aivm_host::driver::{self, Options};
use aivm_host::kept::Kept;
use aivm_host::mint::Mint;
use aivm_host::process::Process;
use aivm_host::recovery::{From, Recovered};
use aivm_host::store::Store;
use aivm_host::work::Outside;
use aivm_host::work::Surroundings;
use aivm_schema::journal::{Body, RunStarted};
use aivm_schema::module::RunLimits;
use aivm_vm::action::Purpose;
use std::rc::Rc;
use std::sync::Arc;

/// `aivm resume RUN`.
pub fn resume(global: &Global, args: &ResumeArgs) -> Result<Exit, Failure> {
    go_on_by(global, &args.run, (&args.on, &[]), &args.tape, |run, mint, _, _| {
        raise(run, mint, args);
        Ok(())
    })
}

/// Other limits, where any are given.
pub fn raise(run: &mut aivm_vm::Run, mint: &Mint, args: &ResumeArgs) {
    let limits = run.limits();
    let raised = RunLimits {
        calls: args.max_calls.or(limits.calls),
        money: args.max_cost.map(|money| money.0).or(limits.money),
        tokens: args.max_tokens.map(|tokens| tokens.0).or(limits.tokens),
    };
    if raised != limits && !run.has_finished() {
        run.raise(mint.now(), raised);
    }
}

/// `aivm settle RUN STEP happened|not-happened`.
pub fn settle(global: &Global, args: &SettleArgs) -> Result<Exit, Failure> {
    let ended = go_on(global, &args.run, &args.on, &[], |run, mint, store, _| {
        let call = run.unknown().find(|call| call.key.to_string() == args.step).cloned();
        let Some(call) = call else {
            let keys: Vec<String> = run.unknown().map(|call| call.key.to_string()).collect();
            let failure = Failure::usage("E0772", format!("nothing is unknown of {}", args.step));
            return Err(match keys.is_empty() {
                true => failure.help("the run waits for nobody to settle anything: aivm resume RUN"),
                false => failure.help(format!("what is unknown: {}", keys.join(", "))),
            });
        };
        if let (Purpose::Step(step), Some(verdict)) = (call.purpose, &args.verdict) {
            let words = run.words_of(step);
            if !words.contains(&verdict.as_str()) {
                return Err(Failure::usage("E0772", format!("`{verdict}` is no outcome of {}", args.step))
                    .help(format!("its outcomes: {}", words.join(", "))));
            }
        }
        let happened = match args.how {
            Settled::NotHappened => None,
            Settled::Happened => {
                let draft = match &args.output {
                    Some(output) => input::draft(Some(output), None)?,
                    None => call.input.to_draft(),
                };
                let output = mint.seal(draft);
                let output = output
                    .map_err(|error| Failure::usage("E0804", format!("the output cannot be an artifact: {error}")))?;
                store.put(&output);
                Some((output, args.verdict.clone()))
            }
        };
        run.resolve(mint.now(), call.request, happened, &crate::project::who())
            .map_err(|error| Failure::failed("E0772", error.to_string()))
    })?;
    Ok(if ended == Exit::FAILED && is_taken_back(&args.run)? { Exit::SENT } else { ended })
}

/// Was a run cancelled because somebody asked for that, or for what it did to be taken back?
fn is_taken_back(name: &str) -> Result<bool, Failure> {
    let mut records = Records::open(name)?;
    if records.row.status != "cancelled" {
        return Ok(false);
    }
    while let Some((_, record)) = records.next()? {
        if matches!(record.body, Body::RollbackRequested(_) | Body::CancelRequested { .. }) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A run goes on in this process, after it has been told something more.
pub fn go_on(
    global: &Global,
    name: &str,
    on: &GoOn,
    as_asked: &'static [&'static str],
    tell: impl FnOnce(&mut aivm_vm::Run, &Mint, &dyn Store, &str) -> Result<(), Failure>,
) -> Result<Exit, Failure> {
    go_on_by(global, name, (on, as_asked), &Tape::default(), tell)
}

fn go_on_by(
    global: &Global,
    name: &str,
    (on, as_asked): (&GoOn, &'static [&'static str]),
    tape: &Tape,
    tell: impl FnOnce(&mut aivm_vm::Run, &Mint, &dyn Store, &str) -> Result<(), Failure>,
) -> Result<Exit, Failure> {
    let disk = crate::store::existing()?;
    let row = find::run(&disk, name)?;
    // Whoever owns it may still be at it: nothing is read before it is ours.
    let kept = disk.claim(&row.id).map_err(|error| coded(&error.to_string()))?;
    let from = if global.json { From::Start } else { From::Checkpoint };
    let mint = Mint::system().map_err(|error| Failure::failed("E0803", format!("no random numbers: {error}")))?;
    let mint = Arc::new(mint);
    let Recovered { mut run, started, history, module, .. } =
        aivm_host::resume::read(&kept, from, &mint).map_err(|error| coded(&error.to_string()))?;
    crate::secret::ready()?;
    aivm_host::secret::learn(module.module());
    let process = crate::cassette::resume(tape, started.cassette.as_ref())?;
    if let (Some(cassette), None, false) = (&started.cassette, crate::cassette::of(tape)?, on.quiet || global.json) {
        say(&format!("it goes on as it began: {}", crate::cassette::text(cassette)));
    }
    tell(&mut run, &mint, &kept, &row.id)?;
    let options = options(&run, started, global.json, crate::config::outside(on.sandbox)?, process);
    let store: Rc<dyn Store> = Rc::new(kept);
    let how = How { quiet: on.quiet, as_asked, ..How::default() };
    run::carry(global, &how, &module, &store, async |observer| {
        driver::drive(run, history, options, store.clone(), mint, observer).await
    })
}

/// How a run goes on that began so.
pub fn options(
    run: &aivm_vm::Run,
    started: RunStarted,
    trace: bool,
    outside: Outside,
    process: Rc<dyn Process>,
) -> Options {
    Options {
        around: Surroundings {
            kept: Kept::of(&crate::project::state_folder(), &started.run),
            run: started.run,
            workspace: started.workspace.into(),
            params: started.params.into_iter().collect(),
            mock: started.mock,
            outside,
        },
        limits: run.limits(),
        timeout_ms: started.timeout_ms,
        trace,
        started: None,
        webhook: crate::config::webhook(),
        reuse: None,
        process,
    }
}
