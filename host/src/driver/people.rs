//! What a run needs of others than workers: people who decide, probes that find out, and whoever keeps its checkpoints.

use super::*;
use aivm_schema::artifact::{Draft, parts};
use aivm_schema::worker::WorkerDefinition;
use aivm_vm::action::Answer;
use aivm_vm::run::{Checkpoint, Decided, Probed, Question};
use std::collections::BTreeSet;

/// The word by which a probe says that a call happened; its output is then the call's.
pub const HAPPENED: &str = "happened";
/// The word by which a probe says that it did not.
pub const NOT_HAPPENED: &str = "not-happened";
/// The media type of a checkpoint.
pub const CHECKPOINT: &str = "application/vnd.aivm.checkpoint";

impl Driver<'_> {
    /// Calls whoever finds out whether a call happened: with its input, under its key.
    pub(super) fn probe(&mut self, call: Call) {
        let request = call.request;
        let module = self.run.module();
        let probe = module
            .workers
            .get(call.worker.index())
            .and_then(|worker| WorkerDefinition::from_json(&worker.definition).ok()?.probe)
            .and_then(|name| module.workers.iter().position(|worker| worker.name == name));
        let worker = probe.and_then(|at| u16::try_from(at).ok()).map(WorkerId);
        let call = Call { worker: worker.unwrap_or(call.worker), attempt: 1, deadline_ms: None, ..call };
        let task = match worker {
            Some(_) => self.prepared(&call).and_then(|worker| self.task(&call, worker, Arc::new(Stop::default()))),
            None => Err(work::error("E0734", "there is no such probe in the program")),
        };
        self.observer.event(Event::Said(&format!("{} was interrupted: looking whether it happened", call.key)));
        self.probes.insert(request, call);
        match task {
            Ok(task) => {
                let task = Task { words: [HAPPENED.into(), NOT_HAPPENED.into()].into(), ..task };
                let mock = self.mock(&task.worker, 0);
                self.spawn(request, task, mock);
            }
            Err(error) => {
                let returned = Returned::Failed { kind: EndKind::Failure, error, usage: Usage::default() };
                self.answers.push_back((request, returned));
            }
        }
    }

    /// A probe has answered.
    pub(super) fn probed(&mut self, request: RequestId, returned: Returned) -> Result<(), DriverError> {
        let Some(call) = self.probes.remove(&request) else { return Ok(()) };
        let name = self.run.module().workers.get(call.worker.index()).map_or("", |worker| worker.name.as_str());
        let by = format!("probe {name}");
        let (probed, said) = match self.value_of(&call, returned) {
            Answer::Done { output, verdict, .. } => match verdict.as_deref() {
                Some(HAPPENED) => (Probed::Happened(output), HAPPENED.to_owned()),
                Some(NOT_HAPPENED) => (Probed::NotHappened, NOT_HAPPENED.to_owned()),
                other => (Probed::NotKnown, format!("neither of its words, but `{}`", other.unwrap_or(""))),
            },
            Answer::Failed { error, .. } => (Probed::NotKnown, error.message),
        };
        self.observer.event(Event::Said(&format!("{}: {by} says: {said}", call.key)));
        Ok(self.run.probed(self.mint.now(), request, probed, &by)?)
    }

    /// A person is asked: whoever wants to know is told.
    pub(super) fn notify(&mut self, question: Question) {
        let body = crate::webhook::body(&self.around.run, &question);
        let worker = self.run.module().workers.get(question.call.worker.index());
        let definition = worker.and_then(|worker| WorkerDefinition::from_json(&worker.definition).ok());
        let of_program = definition.as_ref().and_then(|definition| definition.with.get("webhook")?.as_str());
        if let Some(address) = of_program {
            let allowed = self.around.outside.hooks.clone();
            self.told.push(tokio::spawn(crate::webhook::tell(address.to_owned(), body.to_string(), allowed)));
        }
        if let Some(address) = self.webhook.clone() {
            self.told.push(tokio::task::spawn_blocking(move || crate::webhook::post(&address, &body)));
        }
    }

    /// Web hooks take a while; that one cannot be told is no reason for the run to fail.
    pub(super) async fn hear_webhooks(&mut self) {
        for told in std::mem::take(&mut self.told) {
            if let Ok(Err(reason)) = told.await {
                self.observer.event(Event::Said(&format!("the web hook could not be told: {reason}")));
            }
        }
    }

    /// Is there a person here who decides? Then the run goes on.
    pub(super) fn decide(&mut self, why: &Why) -> bool {
        if !matches!(why, Why::Asked(_)) {
            return false;
        }
        let Some((request, decided)) = self.observer.decide(&self.run.questions()) else {
            // Nobody could come back to it: what it did is taken back.
            let lost = !self.run.is_recorded();
            if lost {
                self.observer.event(Event::Said("nobody here decides, and the run is kept nowhere: it is cancelled"));
                self.run.cancel(self.mint.now(), "nobody here decides");
            }
            return lost;
        };
        let decided = Decided { comment: crate::secret::text(&decided.comment).into_owned(), ..decided };
        match self.run.decide(self.mint.now(), request, decided) {
            Ok(()) => true,
            Err(error) => {
                self.observer.event(Event::Said(&error.to_string()));
                false
            }
        }
    }

    /// Keeps the run as it stands, with everything that it names, beside the records that come next.
    pub(super) fn checkpoint(&mut self, checkpoint: Checkpoint) {
        let draft = Draft {
            media_type: CHECKPOINT.to_owned(),
            origin: "aivm".to_owned(),
            role: "checkpoint".to_owned(),
            scope: "run".to_owned(),
            attributes: vec![("run".to_owned(), self.around.run.clone())],
            payload: checkpoint.bytes,
        };
        // One that is too large is left out: then more is told again.
        let Ok(artifact) = self.mint.seal(draft) else { return };
        let (mut kept, mut size) = (BTreeSet::new(), artifact.bytes().len());
        let mut open = checkpoint.artifacts;
        open.extend(self.program.clone());
        while let Some(value) = open.pop() {
            if !kept.insert(value.checksum().0) {
                continue;
            }
            if value.media_type() == parts::MEDIA_TYPE
                && let Ok(named) = crate::parts::named(&value, &*self.store)
            {
                open.extend(named.into_iter().map(|(_, _, part)| part));
            }
            size += value.bytes().len();
            self.store.put(&value);
        }
        self.store.put(&artifact);
        self.run.checkpointed(artifact.checksum(), size);
    }
}
