//! `upgrade`: a run that has not ended goes on as one of another program, when that does the same up to here.

use crate::args::{Global, UpgradeArgs, Written};
use crate::fail::{Exit, Failure, coded};
use crate::runs::find;
use crate::{module, run};
use aivm_host::mint::Mint;
use aivm_host::recovery::{self, From, Recovered, RecoveryError};
use aivm_host::store::Store;
use aivm_schema::module::{Module, RunLimits};
use aivm_schema::unit::{Money, Tokens};
use aivm_vm::run::{Do, Status};
use serde_json::json;

/// `aivm upgrade RUN NEW.aivm`.
pub fn upgrade(global: &Global, args: &UpgradeArgs) -> Result<Exit, Failure> {
    let program = module::load(&args.file, &Written::default())?;
    let disk = crate::store::existing()?;
    let row = find::run(&disk, &args.run)?;
    let store = |error: aivm_host::store::StoreError| coded(&error.to_string());
    let kept = match args.plan {
        true => disk.look(&row.id).map_err(store)?,
        false => Some(disk.claim(&row.id).map_err(store)?),
    };
    let kept = kept.ok_or_else(|| Failure::usage("E0812", format!("no run is called {}", args.run)))?;
    let before = recovery::recover(&kept, From::Start).map_err(|error| coded(&error.to_string()))?;
    if before.run.has_finished() {
        return Err(Failure::usage("E0779", format!("the run {} has ended", row.id))
            .help(format!("a run that takes over what it answered: aivm fork {} --at STEP", row.id)));
    }
    let refuse = |what: String| {
        Failure::usage("E0779", format!("the run {} cannot be moved: {what}", row.id))
            .help(format!("let a new run go its own way from there: aivm fork {} --at STEP", row.id))
    };
    if let Some(key) = answered_by_another(&before, program.module.module()) {
        return Err(refuse(format!("{key} was answered by a worker that is another one now")));
    }
    let after = recovery::recover_as(&kept, program.module.clone()).map_err(|error| match error {
        RecoveryError::Replay { source, .. } => refuse(source.to_string()),
        other => coded(&other.to_string()),
    })?;
    let Recovered { mut run, history, .. } = after;
    let limits = limits(&before, program.module.module());
    let changed = Some(limits).filter(|limits| *limits != before.run.limits());
    let under_way: Vec<String> = run.under_way().map(|call| call.key.to_string()).collect();
    if !args.plan {
        let mint = Mint::system().map_err(|error| Failure::failed("E0803", format!("no random numbers: {error}")))?;
        let artifact = run::keep(&program, &mint, &kept)?;
        let status = Status::parse(&row.status).unwrap_or(Status::Parked);
        if let Some(batch) = run.upgrade(mint.now(), artifact.checksum(), changed, status) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .map_err(|error| Failure::failed("E0805", format!("no event loop: {error}")))?;
            runtime.block_on(kept.append(batch)).map_err(store)?;
        }
        disk.upgraded(&row.id, artifact.checksum()).map_err(store)?;
    }
    let answered = history.iter().filter(|row| matches!(row, Do::Ended(_))).count();
    if global.json {
        println!(
            "{}",
            json!({
                "v": 1, "run": row.id, "moved": !args.plan, "answered": answered, "under_way": under_way,
                "limits": {"calls": limits.calls, "money": limits.money, "tokens": limits.tokens},
            })
        );
        return Ok(Exit::SENT);
    }
    let stay = format!("{answered} answers stay as they are");
    match args.plan {
        true => println!("{} can be moved: {stay}", row.id),
        false => println!("{} is moved: {stay}; go on: aivm resume {}", row.id, row.id),
    }
    if changed.is_some() {
        println!("its limits are the new program's, but for those that somebody gave it: {}", limits_text(limits));
    }
    for key in under_way {
        println!("it stands at {}", crate::out::plain(&key));
    }
    Ok(Exit::SENT)
}

/// What the run is held to from now on: by the new program, where it was held to what the old one said; what somebody gave it stays.
fn limits(before: &Recovered, after: &Module) -> RunLimits {
    let (own, new, now) = (before.module.module().limits, after.limits, before.run.limits());
    let limit = |own: Option<u64>, new: Option<u64>, now: Option<u64>| if now == own { new } else { now };
    RunLimits {
        calls: limit(own.calls, new.calls, now.calls),
        money: limit(own.money, new.money, now.money),
        tokens: limit(own.tokens, new.tokens, now.tokens),
    }
}

fn limits_text(limits: RunLimits) -> String {
    let calls = limits.calls.map(|calls| format!("{calls} calls"));
    let (money, tokens) =
        (limits.money.map(|money| Money(money).to_string()), limits.tokens.map(|n| Tokens(n).to_string()));
    let all: Vec<String> = [calls, money, tokens].into_iter().flatten().collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

/// The first call that was answered by a worker whose definition is another one in the new program.
fn answered_by_another(before: &Recovered, after: &Module) -> Option<String> {
    let now = |name: &str| after.workers.iter().find(|worker| worker.name == name).map(|worker| &worker.definition);
    before.history.iter().find_map(|row| {
        let Do::Ended(ended) = row else { return None };
        let worker = before.module.module().workers.get(ended.call.worker.index())?;
        (now(&worker.name) != Some(&worker.definition)).then(|| ended.call.key.to_string())
    })
}
