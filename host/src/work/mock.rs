//! Mocks: scripted answers, one entry a call, the last repeats.

use super::{Prepared, Returned, Task, error};
use crate::builtin::Body;
use aivm_schema::module::EndKind;
use aivm_schema::worker::{MockAnswer, MockEntry};
use aivm_vm::action::Usage;
use std::time::Duration;

/// What a mock answers to one call.
#[derive(Clone, Debug, Default)]
pub struct Answering {
    answer: MockAnswer,
}

impl Answering {
    /// The answer to call `nth` (from 0) of a script.
    pub fn of(script: Option<&[MockEntry]>, nth: usize) -> Answering {
        let script = script.unwrap_or(&[]);
        let entry = script.get(nth).or(script.last());
        Answering { answer: entry.map(MockEntry::answer).unwrap_or_default() }
    }

    /// Does it answer without waiting?
    pub fn is_quick(&self) -> bool {
        self.answer.sleep.is_none_or(|sleep| sleep.0 == 0)
    }

    /// The answer.
    pub fn returned(self, worker: &Prepared) -> Returned {
        let answer = self.answer;
        let usage = Usage {
            money: answer.cost.unwrap_or_default().0,
            tokens: answer.tokens.unwrap_or_default().0,
            ..Usage::default()
        };
        if let Some(reason) = answer.fail {
            return Returned::Failed { kind: EndKind::Failure, error: error("E0714", reason), usage };
        }
        let body = match answer.output {
            Some(text) => {
                let returns = worker.definition.returns.clone();
                let media_type = answer.media_type.or(returns).unwrap_or_else(|| "text/plain".to_owned());
                Body::New { media_type, payload: text.into_bytes() }
            }
            None => Body::Same,
        };
        Returned::Done { body, verdict: answer.verdict, attributes: Vec::new(), usage }
    }
}

/// The answer, after its sleep; a deadline or a cancel ends the sleep.
pub async fn run(task: &Task, answering: Answering) -> Returned {
    let Some(sleep) = answering.answer.sleep else { return answering.returned(&task.worker) };
    let deadline = task.deadline_ms.filter(|deadline| *deadline < sleep.0);
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(deadline.unwrap_or(sleep.0))) => match deadline {
            Some(deadline) => Returned::timed_out(&task.worker.name, deadline),
            None => answering.returned(&task.worker),
        },
        () = task.stop.asked() => Returned::stopped(),
    }
}
