//! A model takes back what its tools did: which call that was, and that nobody takes back another when this is repeated.

use super::super::Failure;
use super::super::input::Call;
use super::put_back;
use super::shelf::{Record, Shelf};

/// Takes back what the call of a tool changed: the last that is not taken back yet among those of the same visit of a model, or
/// the one that `step` names by the end of its place. Says what. Whoever repeats this takes back the same, and nothing else.
pub(in crate::builtin) fn take_back(call: &Call<'_>, step: Option<&str>) -> Result<String, Failure> {
    let key = call.context.key.to_string();
    let shelf = Shelf::make(call.context.kept, &key)?;
    let chosen = match shelf.read()?.and_then(|record| record.takes_back) {
        Some(chosen) => chosen,
        None => {
            let chosen = last(&shelf.all()?, &key, step)?;
            shelf.write(&Record { takes_back: Some(chosen.clone()), ..Record::new(&key, String::new()) })?;
            chosen
        }
    };
    match take_back_one(call, &chosen) {
        Ok(record) => Ok(format!("took back {}: {}", record.key, record.paths().join(", "))),
        Err(failure) => {
            // It has done nothing: the next one may choose again.
            shelf.forget(0)?;
            Err(failure)
        }
    }
}

/// The place of the call whose changes are to be taken back.
fn last(records: &[Record], key: &str, step: Option<&str>) -> Result<String, Failure> {
    let fits = |record: &&Record| match step {
        Some(step) => record.key == step || record.key.ends_with(&format!("/{step}")),
        // `…/answer#1/tool/undo#1` → `…/answer#1/tool/`
        None => record.key.starts_with(key.rsplit_once('/').map_or("", |(visit, _)| visit)),
    };
    let open = records.iter().filter(|record| !record.restored && record.takes_back.is_none());
    let chosen = open.filter(fits).max_by_key(|record| record.at);
    chosen.map(|record| record.key.clone()).ok_or_else(|| {
        Failure::NotKept(match step {
            Some(step) => {
                format!("nothing is left to take back of `{step}`: only what changes files by itself is taken back")
            }
            None => "nothing is left to take back: no tool has changed a file".to_owned(),
        })
    })
}

fn take_back_one(call: &Call<'_>, key: &str) -> Result<Record, Failure> {
    let gone = || Failure::NotKept(format!("nothing was kept for {key}"));
    let shelf = Shelf::find(call.context.kept, key)?.ok_or_else(gone)?;
    let record = shelf.read()?.ok_or_else(gone)?;
    put_back(call, &shelf, &record)?;
    Ok(record)
}
