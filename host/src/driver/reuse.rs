//! Forks: a run that takes from another what that has answered already, up to the step from which on it goes its own way.

use super::*;
use aivm_vm::action::{Answer, Taken};
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
        let ended = || history.iter().filter_map(|row| if let Do::Ended(ended) = row { Some(&**ended) } else { None });
        let undone: Vec<String> = ended()
            .filter(|ended| ended.decision.taken == Taken::Undone)
            .map(|ended| ended.call.key.to_string())
            .collect();
        let mut answers = HashMap::new();
        for (order, ended) in ended().enumerate() {
            let key = ended.call.key.to_string();
            if ended.decision.taken == Taken::Dropped || undone.contains(&ended.call.key.to_undo().to_string()) {
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
            let input = ended.call.input.content_digest().0;
            answers.insert((key, ended.call.attempt), Reusable { order, input, answer });
        }
        Reuse { at, input: None, outcome: None, answers }
    }

    /// The first answer of the other run to one of these calls.
    fn next<'c>(&self, held: impl Iterator<Item = &'c Call>) -> Option<(RequestId, Answer)> {
        let answer = |call: &'c Call| {
            let key = call.key.to_string();
            if key == self.at {
                return None;
            }
            let taken = self.answers.get(&(key, call.attempt))?;
            (taken.input == call.input.content_digest().0).then_some((taken.order, call.request, &taken.answer))
        };
        let first = held.filter_map(answer).min_by_key(|(order, ..)| *order)?;
        Some((first.1, first.2.clone()))
    }
}

impl Driver<'_> {
    /// One answer is taken over; when there is none any more, everything else begins.
    pub(super) fn reuse(&mut self) -> Result<(), DriverError> {
        let Some(reuse) = &mut self.reuse else { return Ok(()) };
        let now = self.mint.now();
        if let Some((request, answer)) = reuse.next(self.run.under_way()) {
            if let Answer::Done { output, .. } = &answer {
                parts::put_whole(output, &*self.store)?;
            }
            return Ok(self.run.answered(now, request, answer, 0)?);
        }
        let at = self.run.under_way().find(|call| call.key.to_string() == reuse.at).cloned();
        if let (Some(call), Some((word, output))) = (at, reuse.outcome.take()) {
            let output = output.unwrap_or(call.input);
            parts::put_whole(&output, &*self.store)?;
            let answer = Answer::Done { output, verdict: Some(word), usage: Usage::default() };
            self.run.answered(now, call.request, answer, 0)?;
        }
        self.reuse = None;
        self.run.release(now);
        Ok(())
    }
}
