//! The canonical bytes of the two records that every call writes, its intent and its value, written by hand: several times as
//! fast as building, then canonicalising. A test holds them against the library.
//!
//! ```text
//! root | record | pointer | call | pointers | texts and data
//! ```
//!
//! Words and pointers at the end of a struct that are zero are left out.

use super::{Body, Outcome, Record};
use crate::artifact::words::{Blob, pointer, put_word};
use crate::wire::some64;

/// The bytes of an intent or of an outcome with a value; none for any other record.
pub(super) fn call(record: &Record) -> Option<Vec<u8>> {
    match &record.body {
        Body::Intent(intent) => {
            let attempt = u64::from(intent.attempt) | (intent.effect as u64) << 32;
            let limits = [intent.expires, intent.deadline_ms, intent.money, intent.tokens].map(some64);
            let [expires, deadline, money, tokens] = limits;
            let data = [intent.request, attempt, expires, deadline, money, tokens];
            let texts = [&intent.key, &intent.worker].map(|text| Blob::text(text));
            let [key, worker] = texts;
            Some(put(record, 1, &data, &[key, worker, Blob::data(&intent.digest), Blob::text(&intent.undo)]))
        }
        Body::Outcome(outcome) => {
            let output = outcome.result.as_ref().ok()?;
            let Outcome { request, attempt, money, tokens, micros, output_tokens, waited_ms, .. } = **outcome;
            let data = [request, u64::from(attempt), money, tokens, micros, output_tokens, waited_ms];
            let (key, worker) = (Blob::text(&outcome.key), Blob::text(&outcome.worker));
            let verdict = Blob::text(output.verdict.as_deref().unwrap_or_default());
            let (artifact, error) = (Blob::data(&output.artifact.0), Blob::data(&[]));
            Some(put(record, 2, &data, &[key, worker, artifact, verdict, error, Blob::text(&outcome.taken)]))
        }
        _ => None,
    }
}

/// `sort`: the number of the record's sort in the schema.
fn put(record: &Record, sort: u64, data: &[u64], pointers: &[Blob<'_>]) -> Vec<u8> {
    let head = [record.at, sort | u64::from(record.together) << 16, 0, record.yields];
    let (head, data) = (trimmed(&head), trimmed(data));
    let count = pointers.iter().rposition(|blob| blob.words() > 0).map_or(0, |last| last + 1);
    let pointers = &pointers[..count];
    let first = 2 + head.len() + data.len();
    let words = first + count + pointers.iter().map(|blob| blob.words()).sum::<usize>();
    let mut bytes = Vec::with_capacity(8 * words);
    put_word(&mut bytes, (head.len() as u64) << 32 | 1 << 48);
    head.iter().for_each(|word| put_word(&mut bytes, *word));
    put_word(&mut bytes, (data.len() as u64) << 32 | (count as u64) << 48);
    data.iter().for_each(|word| put_word(&mut bytes, *word));
    let mut target = first + count;
    for (at, blob) in (first..).zip(pointers) {
        put_word(&mut bytes, if blob.words() == 0 { 0 } else { pointer(at, target, blob.kind()) });
        target += blob.words();
    }
    pointers.iter().for_each(|blob| blob.put(&mut bytes));
    bytes
}

fn trimmed(words: &[u64]) -> &[u64] {
    let used = words.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
    &words[..used]
}
