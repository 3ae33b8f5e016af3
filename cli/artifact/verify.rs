//! `artifact verify`: are values what was written? Their checksums, their one form, their keys; and what their signatures are worth.

use super::{each, failed, short, some};
use crate::args::{Chosen, Global};
use crate::fail::{Exit, Failure};
use crate::keys;
use aivm_host::store::values::{Entry, Values};
use aivm_schema::artifact::key;
use aivm_schema::keys::{Keyring, Trust};
use serde_json::json;

#[derive(Default)]
struct Counts {
    all: usize,
    signed: usize,
    unknown: usize,
    bytes: u64,
}

/// `aivm artifact verify`.
pub(super) fn verify(global: &Global, values: &dyn Values, chosen: &Chosen) -> Result<Exit, Failure> {
    let keyring = keys::keyring()?;
    let (mut counts, mut wrong) = (Counts::default(), Vec::new());
    each(values, chosen, "", |shown| {
        counts.all += 1;
        counts.bytes += shown.entry.size;
        wrong.extend(fault(values, &keyring, &shown.entry, &mut counts).map(|fault| (shown.entry, fault)));
        Ok(true)
    })?;
    some(chosen, counts.all)?;
    let unreadable = values.unreadable().map_err(failed)?;
    let Counts { all, signed, unknown, bytes } = counts;
    if global.json {
        let row = |(entry, (code, reason)): &(Entry, (&str, String))| json!({"checksum": entry.checksum, "key": entry.key, "run": entry.run, "code": code, "reason": reason});
        let damaged: Vec<_> = wrong.iter().map(row).collect();
        println!(
            "{}",
            json!({
                "v": 1, "artifacts": all, "bytes": bytes, "signed": signed, "unknown": unknown, "damaged": damaged,
                "unreadable": unreadable,
            })
        );
        return Ok(if wrong.is_empty() && unreadable == 0 { Exit::SENT } else { Exit::STORE });
    }
    for (entry, (code, reason)) in &wrong {
        println!("{}  {code}  {reason}", short(entry.checksum));
    }
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let whole = all - wrong.len();
    let mut line = format!("{} as written, {}", count(whole, "artifact"), crate::out::size_text(bytes));
    if signed > 0 {
        line.push_str(&format!(", {signed} signed by keys you trust"));
    }
    if unknown > 0 {
        line.push_str(&format!(", {unknown} signed by unknown keys"));
    }
    println!("{line}");
    match wrong.first() {
        Some((_, (code, _))) => {
            Err(Failure::failed(code, format!("{} of {all} are not what was written", count(wrong.len(), "artifact")))
                .help("what was made of them may be right all the same: aivm verify RUN"))
        }
        None if unreadable > 0 => Err(Failure::failed(
            "E0753",
            format!("{} cannot be read whole", count(unreadable as usize, "row of the store")),
        )
        .help("aivm verify RUN says whose")),
        None => Ok(Exit::SENT),
    }
}

/// What is wrong with a value.
fn fault(values: &dyn Values, keyring: &Keyring, entry: &Entry, counts: &mut Counts) -> Option<(&'static str, String)> {
    let artifact = match values.find(entry.checksum) {
        Ok(Some(artifact)) => artifact,
        Ok(None) => return Some(("E0753", "it is listed, and is not there".to_owned())),
        Err(error) => return Some(("E0753", error.to_string())),
    };
    let form = key::decode(&entry.key).map_or(key::Form::Binary, |place| place.form);
    if key::encode(&artifact, form) != entry.key {
        return Some(("E0753", "it stands under a key that is not its own".to_owned()));
    }
    match keyring.verify(&artifact) {
        Trust::Invalid => return Some(("E0833", "its signature is not that of its key".to_owned())),
        Trust::Trusted(_) => counts.signed += 1,
        Trust::Unknown(_) => counts.unknown += 1,
        Trust::Unsigned => {}
    }
    None
}
