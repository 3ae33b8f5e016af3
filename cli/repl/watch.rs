//! Who follows a run of the session: shows its progress, and says at each stop whether the next call is made.

use super::breaks::Break;
use crate::progress::Progress;
use aivm_host::trace::{Event, Observer};
use aivm_schema::artifact::Artifact;
use aivm_schema::module::Module;
use aivm_vm::action::{Call, RequestId};
use aivm_vm::run::{Decided, Question};
use aivm_vm::verify::VerifiedModule;

/// How far a run goes.
#[derive(Clone, Debug)]
pub enum Far {
    /// Nowhere: it is looked where it stands.
    Nowhere,
    /// One call.
    OneCall,
    /// To the first of these, or to its end.
    To(Vec<Break>),
}

/// A call that waits to be made.
pub struct Waiting {
    /// Its place in the run.
    pub key: String,
    /// Whom it calls.
    pub worker: String,
    /// What it is called with.
    pub input: Artifact,
}

/// Follows a run.
pub struct Watch {
    progress: Progress,
    workers: Vec<String>,
    far: Far,
    /// It stood before a call, which is made whatever stops there.
    stood: bool,
    /// Calls that were let go.
    made: usize,
    seen: Seen,
}

/// What was seen of a run that is left where it stands.
#[derive(Default)]
pub struct Seen {
    /// The breakpoint that it stopped at.
    pub stopped: Option<String>,
    /// What it stands before.
    pub waiting: Vec<Waiting>,
    /// Keys and the words of what followed, of what was taken over where nothing is called.
    pub path: Vec<(String, String)>,
}

impl Watch {
    /// Of a run of this program, that begins or stood somewhere.
    pub fn new(program: &VerifiedModule, far: Far, stood: bool) -> Watch {
        let workers = |module: &Module| module.workers.iter().map(|worker| worker.name.clone()).collect();
        Watch {
            progress: Progress::new(program),
            workers: workers(program.module()),
            far,
            stood,
            made: 0,
            seen: Seen::default(),
        }
    }

    /// What was seen; its progress is no longer drawn.
    pub fn end(self) -> Seen {
        self.seen
    }

    fn goes_on(&mut self, next: &Call) -> bool {
        match &self.far {
            Far::Nowhere => false,
            Far::OneCall => self.made == 0,
            Far::To(_) if self.made == 0 && self.stood => true,
            Far::To(_) if self.seen.stopped.is_some() => false,
            Far::To(breaks) => {
                let key = next.key.to_string();
                self.seen.stopped = breaks.iter().find(|one| one.is_before(&key)).map(ToString::to_string);
                self.seen.stopped.is_none()
            }
        }
    }
}

impl Observer for Watch {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Ended(record) = &event {
            if matches!(self.far, Far::Nowhere) {
                self.seen.path.push((record.key.clone(), record.outcome.clone()));
                return;
            }
            if let Far::To(breaks) = &self.far
                && let Some(hit) = breaks.iter().find(|one| one.is_edge(&record.key, &record.outcome))
            {
                self.seen.stopped.get_or_insert(hit.to_string());
            }
        }
        self.progress.event(event);
    }

    fn is_listening(&self) -> bool {
        self.progress.is_listening()
    }

    fn decide(&mut self, questions: &[Question]) -> Option<(RequestId, Decided)> {
        match self.far {
            Far::Nowhere => None,
            _ => self.progress.decide(questions),
        }
    }

    fn is_holding(&self) -> bool {
        !matches!(&self.far, Far::To(breaks) if breaks.is_empty())
    }

    fn next(&mut self, on_hold: &[&Call]) -> Option<RequestId> {
        let first = on_hold.first()?;
        if self.goes_on(first) {
            self.made += 1;
            return Some(first.request);
        }
        let waiting = |call: &&Call| Waiting {
            key: call.key.to_string(),
            worker: self.workers.get(call.worker.index()).cloned().unwrap_or_default(),
            input: call.input.clone(),
        };
        self.seen.waiting = on_hold.iter().map(waiting).collect();
        None
    }
}
