//! The calls of a run: when each begins, what its intent says, how it is stopped.

use super::*;

impl Run {
    pub(super) fn called(&mut self, mut call: Call) {
        let request = call.request;
        if let Some((key, input)) = &self.instead
            && *key == call.key.to_string()
        {
            call.input = input.clone();
        }
        if let Some(under_way) = self.reloaded.call(&call) {
            self.calls.insert(request, under_way);
            if let Some(intent) = self.intended.remove(&request) {
                self.intend(request, &intent);
            }
            return;
        }
        let mut nth = 0;
        if self.facts(call.worker).is_some_and(|facts| facts.scripted) {
            let calls = self.scripted.entry(call.worker).or_default();
            (nth, *calls) = (*calls, *calls + 1);
        }
        let wait = if call.attempt > 1 { self.backoff(&call) } else { 0 };
        let at = self.now.saturating_add(wait.saturating_mul(MILLISECOND));
        self.calls.insert(request, UnderWay { call, nth, state: Progress::Later(at), stop: false, expires: None });
        if self.replaying {
            if let Some(intent) = self.intended.remove(&request) {
                self.intend(request, &intent);
            }
            return;
        }
        if self.holding {
            // Whoever holds it says when.
        } else if wait > 0 {
            self.later.insert((at, request));
        } else {
            self.begin(request);
        }
    }

    /// The wait before a retry, in milliseconds: what the worker declares, less up to half of it, so that those who failed
    /// together do not come back together; the same for the same call.
    pub(super) fn backoff(&self, call: &Call) -> u64 {
        let Some(facts) = self.facts(call.worker) else { return 0 };
        let most = facts.backoff.before(call.attempt - 1).0;
        let Link(hash) = Link::default().then(u64::from(call.attempt), call.key.to_string().as_bytes());
        let part = u64::from(u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]));
        most - (((most / 2).min(u64::from(u32::MAX)) * part) >> 32)
    }

    /// A call's time has come: its intent, then the call. Where only so many may be under way it waits for a place, and
    /// nothing of it has happened: neither is there an intent, nor does its deadline pass.
    pub(super) fn begin(&mut self, request: RequestId) {
        let Some(under_way) = self.calls.get(&request) else { return };
        if self.facts.get(under_way.call.worker.index()).is_some_and(|facts| facts.question.is_some()) {
            return self.ask(request);
        }
        if self.places.is_some() && !self.placed.contains(&request) {
            self.held.insert(self.turn(&under_way.call));
            return;
        }
        let Some(under_way) = self.calls.get_mut(&request) else { return };
        under_way.state = Progress::Begun;
        let (begin, expires) = (Begin { call: under_way.call.clone(), nth: under_way.nth }, under_way.expires);
        let pure = self.is_pure(begin.call.worker);
        if !pure && self.recording {
            let intent = self.intent(&begin.call, expires);
            if let Some(under_way) = self.calls.get_mut(&request) {
                under_way.expires = intent.expires;
            }
            self.tell(self.now, Body::Intent(Box::new(intent)));
        }
        self.say(Do::Call(begin), !pure);
    }

    /// Those whose turn it is take the places that are free; does any? Only once the machine can do nothing more: somebody with a
    /// higher priority may come, and what has ended may have led to others being stopped, which then never begin.
    pub(super) fn fill(&mut self) -> bool {
        let mut any = false;
        while !self.replaying
            && self.places.is_some_and(|places| self.placed.len() < places)
            && let Some((_, next)) = self.held.pop_first()
        {
            self.placed.insert(next);
            self.begin(next);
            any = true;
        }
        any
    }

    /// Whose turn it is: what is begun is not ordered by it, so neither is what is told again.
    pub(super) fn turn(&self, call: &Call) -> Turn {
        (Reverse(self.facts(call.worker).map_or(0, |facts| facts.priority)), call.request)
    }

    /// Those that have a place, of a run that has been told its records: what was begun, also where nobody knows whether it
    /// still goes on.
    pub(super) fn with_places(&self) -> impl Iterator<Item = RequestId> {
        let has = |state| matches!(state, Progress::Begun | Progress::Unknown { .. });
        self.calls.iter().filter(move |(_, under_way)| has(under_way.state)).map(|(request, _)| *request)
    }

    /// `expires`: of an intent that stands already; its receiver counts from then.
    pub(super) fn intent(&self, call: &Call, expires: Option<u64>) -> Intent {
        let facts = self.facts(call.worker);
        let undo = match call.purpose {
            Purpose::Step(step) => self.module().steps.get(step.index()).and_then(|step| step.undo),
            _ => None,
        };
        Intent {
            request: call.request.0,
            key: call.key.text(),
            attempt: call.attempt,
            worker: facts.map_or_else(String::new, |facts| facts.name.clone()),
            effect: facts.map_or(Effect::Irreversible, |facts| facts.effect),
            digest: self.digest(call),
            expires: expires.or_else(|| {
                let ms = facts.and_then(|facts| facts.key_ms)?;
                Some(self.now.saturating_add(ms.saturating_mul(MILLISECOND)))
            }),
            undo: undo.map_or_else(String::new, |undo| self.target(undo)),
            deadline_ms: call.deadline_ms,
            money: call.money,
            tokens: call.tokens,
        }
    }

    pub(super) fn target(&self, target: aivm_schema::module::StepTarget) -> String {
        use aivm_schema::module::StepTarget;
        let module = self.module();
        let name = match target {
            StepTarget::Worker(worker) => module.workers.get(worker.index()).map(|worker| &worker.name),
            StepTarget::Function(function) => module.functions.get(function.index()).map(|function| &function.name),
        };
        name.cloned().unwrap_or_default()
    }

    /// Equal for equal requests: the worker's definition, and the content that it is called with.
    pub(super) fn digest(&self, call: &Call) -> [u8; 32] {
        let definition = self.facts(call.worker).map_or([0; 32], |facts| facts.digest);
        let mut link = Link(definition);
        link = link.then(0, &call.input.content_digest().0);
        link.0
    }

    pub(super) fn stop(&mut self, request: RequestId) {
        let Some(turn) = self.calls.get(&request).map(|under_way| self.turn(&under_way.call)) else { return };
        let Some(under_way) = self.calls.get_mut(&request) else { return };
        under_way.stop = true;
        match under_way.state {
            _ if self.replaying => {}
            Progress::Later(at) => {
                self.later.remove(&(at, request));
                self.held.remove(&turn);
                self.stopped.push_back(request);
            }
            Progress::Begun => self.say(Do::Stop(request), true),
            Progress::Asked => self.stopped.push_back(request),
            Progress::Unknown { .. } => {}
        }
    }
}
