//! `rollback`: what a run did is taken back, the last first, from what each step returned then.

use crate::args::{Global, RollbackArgs};
use crate::fail::{Exit, Failure};
use crate::out::{plain, say};
use crate::runs::find;
use crate::runs::resume;
use aivm_host::facts;
use aivm_host::recovery::{From, Recovered};
use aivm_schema::module::WorkerId;
use aivm_schema::worker::{Effect, WorkerDefinition};
use aivm_vm::action::Purpose;
use aivm_vm::run::Do;
use serde_json::json;

/// `aivm rollback RUN`.
pub fn rollback(global: &Global, args: &RollbackArgs) -> Result<Exit, Failure> {
    if args.plan {
        return plan(global, args);
    }
    let ended = resume::go_on(global, &args.run, &args.on, &["cancelled", "failed"], |run, mint, _, name| {
        let keys: Vec<String> = run.undoable().iter().map(ToString::to_string).collect();
        if run.has_finished() && keys.is_empty() {
            return Err(nothing(name));
        }
        for done in &args.done {
            if !keys.iter().any(|key| format!("{key}~undo") == *done) {
                return Err(unknown(done, &keys.iter().map(|key| format!("{key}~undo")).collect::<Vec<_>>()));
            }
        }
        match run.rollback(mint.now(), args.to.as_deref(), args.done.clone(), &crate::project::who()) {
            true => Ok(()),
            false => Err(unknown(args.to.as_deref().unwrap_or_default(), &keys)),
        }
    })?;
    if !global.json && !args.on.quiet {
        let disk = crate::store::existing()?;
        let row = find::run(&disk, &args.run)?;
        say_stays(&staying(&find::look(&disk, &row.id, From::Start)?));
    }
    Ok(ended)
}

fn nothing(name: &str) -> Failure {
    Failure::usage("E0776", format!("the run {name} did nothing that can be taken back"))
        .help("a step is taken back by its undoer: worker ~ undoer")
}

fn unknown(key: &str, keys: &[String]) -> Failure {
    Failure::usage("E0776", format!("{key} is nothing that can be taken back"))
        .help(format!("what can be: {}", keys.join(", ")))
}

/// What would be taken back, in that order.
fn plan(global: &Global, args: &RollbackArgs) -> Result<Exit, Failure> {
    let disk = crate::store::existing()?;
    let row = find::run(&disk, &args.run)?;
    let recovered = find::look(&disk, &row.id, From::Start)?;
    let stays = staying(&recovered);
    let mut keys: Vec<String> = recovered.run.undoable().iter().map(ToString::to_string).collect();
    if let Some(to) = &args.to {
        match keys.iter().position(|key| key == to) {
            Some(at) => keys.truncate(at),
            None => return Err(unknown(to, &keys)),
        }
    }
    if global.json {
        println!("{}", json!({"v": 1, "run": row.id, "undo": keys, "stays": stays}));
        return Ok(Exit::SENT);
    }
    if keys.is_empty() && stays.is_empty() {
        return Err(nothing(&row.id));
    }
    for key in keys {
        println!("{}~undo", plain(&key));
    }
    say_stays(&stays);
    Ok(Exit::SENT)
}

fn say_stays(keys: &[String]) {
    for key in keys {
        say(&format!("stays, for nothing takes it back: {}", plain(key)));
    }
}

/// The calls that changed the world, or may have, and that no rollback takes back.
fn staying(recovered: &Recovered) -> Vec<String> {
    let workers = &recovered.module.module().workers;
    let changes = |worker: WorkerId| {
        let definition =
            workers.get(worker.index()).and_then(|worker| WorkerDefinition::from_json(&worker.definition).ok());
        definition.is_some_and(|definition| facts::effect(&definition) > Effect::Read)
    };
    let ended = recovered.history.iter().filter_map(|row| match row {
        Do::Ended(ended) => Some(ended),
        _ => None,
    });
    let undoable: Vec<String> = recovered.run.undoable().iter().map(ToString::to_string).collect();
    let mut stays = Vec::new();
    for ended in ended {
        let key = ended.call.key.to_string();
        match ended.call.purpose {
            Purpose::Step(_) if ended.kind.is_none() && changes(ended.call.worker) => stays.push(key),
            Purpose::Undo(_) if ended.kind.is_none() => {
                stays.retain(|done| !is_within(done, key.strip_suffix("~undo").unwrap_or(&key)));
            }
            _ => {}
        }
    }
    stays.retain(|done| !recovered.started.mock && !undoable.iter().any(|key| is_within(done, key)));
    stays
}

/// Is this call that one, or one of the definition that it called?
fn is_within(key: &str, of: &str) -> bool {
    key.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
