//! Forks: a run that takes from another what that has answered already, up to the step from which on it goes its own way.

use super::*;
use aivm_schema::artifact::{Checksum, ContentDigest, parts};
use aivm_vm::action::{Answer, Taken};
use aivm_vm::run::Ended;
use std::collections::HashMap;

/// What a fork takes from another run.
pub struct Reuse {
    /// The key of the step from which on it is another run: what does not follow from it is taken over.
    pub at: String,
    /// What that step is called with, when it is something else.
    pub input: Option<Artifact>,
    /// What came of that step, when it is not to be called: its word, and its output when that is not its input.
    pub outcome: Option<(String, Option<Artifact>)>,
    answers: HashMap<(String, u32), Reusable>,
    contents: Contents,
}

/// The calls that have ended, in that order.
fn ended(history: &[Do]) -> impl Iterator<Item = &Ended> {
    history.iter().filter_map(|row| if let Do::Ended(ended) = row { Some(&**ended) } else { None })
}

/// An answer of the other run.
struct Reusable {
    order: usize,
    input: [u8; 32],
    answer: Answer,
}

impl Reuse {
    /// From the history of the other run: [`Do::Ended`]. What was cancelled, and what has been undone, is not taken over.
    pub fn of(history: &[Do], at: String, store: &dyn Store) -> Reuse {
        let undone: Vec<String> = ended(history)
            .filter(|ended| ended.decision.taken == Taken::Undone)
            .map(|ended| ended.call.key.to_string())
            .collect();
        let is_taken = |ended: &&Ended| !undone.contains(&ended.call.key.to_undo().to_string());
        Reuse::taking(ended(history).filter(is_taken), at, store)
    }

    /// The first answers of the other run, so many, so that it stands as that did then.
    pub fn first(history: &[Do], most: usize, store: &dyn Store) -> Reuse {
        Reuse::taking(ended(history).take(most), String::new(), store)
    }

    fn taking<'e>(ended: impl Iterator<Item = &'e Ended>, at: String, store: &dyn Store) -> Reuse {
        let (mut answers, mut contents) = (HashMap::new(), Contents::default());
        for (order, ended) in ended.enumerate() {
            let key = ended.call.key.to_string();
            if ended.decision.taken == Taken::Dropped {
                continue;
            }
            // It is not paid for again.
            let usage = Usage::default();
            let answer = match (ended.output, ended.kind, &ended.error) {
                (Some(output), None, _) => {
                    let Some(output) = store.get(output) else { continue };
                    Answer::Done { output, verdict: ended.verdict.clone(), usage }
                }
                (_, Some(kind), Some(error)) => Answer::Failed { kind, error: error.clone(), usage },
                _ => continue,
            };
            let input = contents.of(&ended.call.input, store);
            answers.insert((key, ended.call.attempt), Reusable { order, input, answer });
        }
        Reuse { at, input: None, outcome: None, answers, contents }
    }

    /// The first answer of the other run to one of these calls.
    fn next<'c>(&mut self, held: impl Iterator<Item = &'c Call>, store: &dyn Store) -> Option<(RequestId, Answer)> {
        let Reuse { at, answers, contents, .. } = self;
        let answer = |call: &'c Call| {
            let key = call.key.to_string();
            if key == *at {
                return None;
            }
            let taken = answers.get(&(key, call.attempt))?;
            (taken.input == contents.of(&call.input, store)).then_some((taken.order, call.request, &taken.answer))
        };
        let first = held.filter_map(answer).min_by_key(|(order, ..)| *order)?;
        Some((first.1, first.2.clone()))
    }
}

/// What values are, whatever run packed them: how several are packed names artifacts of one run.
#[derive(Default)]
struct Contents(HashMap<Checksum, [u8; 32]>);

impl Contents {
    /// Of a value that was packed of others; those are mostly known already, so this does not go deep.
    fn of(&mut self, value: &Artifact, store: &dyn Store) -> [u8; 32] {
        let plain = || value.content_digest().0;
        if value.media_type() != parts::MEDIA_TYPE {
            return plain();
        }
        if let Some(known) = self.0.get(&value.checksum()) {
            return *known;
        }
        let content = match crate::parts::named(value, store) {
            Ok(members) => {
                let mut bytes = Vec::new();
                for (name, verdict, member) in &members {
                    bytes.extend_from_slice(format!("{} {} {name}{verdict}", name.len(), verdict.len()).as_bytes());
                    bytes.extend_from_slice(&self.of(member, store));
                }
                ContentDigest::of(parts::MEDIA_TYPE, &bytes).0
            }
            Err(_) => plain(),
        };
        self.0.insert(value.checksum(), content);
        content
    }
}

impl Driver<'_> {
    /// One answer is taken over; when there is none any more, everything else begins.
    pub(super) fn reuse(&mut self) -> Result<(), DriverError> {
        let Some(reuse) = &mut self.reuse else { return Ok(()) };
        let now = self.mint.now();
        if let Some((request, answer)) = reuse.next(self.run.under_way(), &*self.store) {
            if let Answer::Done { output, .. } = &answer {
                crate::parts::put_whole(output, &*self.store)?;
            }
            return Ok(self.run.answered(now, request, answer, 0)?);
        }
        let at = self.run.under_way().find(|call| call.key.to_string() == reuse.at).cloned();
        if let (Some(call), Some((word, output))) = (at, reuse.outcome.take()) {
            let output = output.unwrap_or(call.input);
            crate::parts::put_whole(&output, &*self.store)?;
            let answer = Answer::Done { output, verdict: Some(word), usage: Usage::default() };
            self.run.answered(now, call.request, answer, 0)?;
        }
        self.reuse = None;
        if !self.observer.is_holding() {
            self.run.release(now);
        }
        Ok(())
    }
}
