//! Calls: what one is given, and who answers it: a script, this thread, a lane of the pool, or a task that waits.

use super::*;

impl Driver<'_> {
    /// Begins a call; some are answered before this returns.
    pub(super) fn begin(&mut self, begin: Begin) -> Result<(), DriverError> {
        let Begin { call, nth } = begin;
        let request = call.request;
        if self.observer.is_watching() {
            let key = call.key.to_string();
            let worker = self.run.module().workers.get(call.worker.index()).map_or("", |worker| worker.name.as_str());
            self.observer.event(Event::Started { key: &key, worker, attempt: call.attempt });
        }
        let began = Instant::now();
        let at_once = |driver: &mut Driver, call, most, returned| {
            driver.calls.insert(request, UnderWay { call, stop: None, most, question: None, began });
            driver.answers.push_back((request, returned));
            Ok(())
        };
        let failed = |error| Returned::Failed { kind: EndKind::Failure, error, usage: Usage::default() };
        let worker = match self.prepared(&call) {
            Ok(worker) => worker,
            Err(error) => return at_once(self, call, None, failed(error)),
        };
        let most = worker.definition.most;
        let mock = match self.mock(&worker, nth) {
            Some(answering) if answering.is_quick() => {
                return at_once(self, call, most, answering.returned(&worker));
            }
            mock => mock,
        };
        let stop = Arc::new(Stop::default());
        let task = match self.task(&call, worker, stop.clone()) {
            Ok(task) => task,
            Err(error) => return at_once(self, call, most, failed(error)),
        };
        let task = match self.seeing(task, mock.is_none()) {
            Ok(task) => task,
            Err(error) => return at_once(self, call, most, failed(error)),
        };
        let question = if mock.is_none() && self.process.may_cache() { cache::Question::of(&task) } else { None };
        if let Some(returned) = question.as_ref().and_then(|asked| asked.answered(&*self.store, self.mint.now())) {
            return at_once(self, call, most, returned);
        }
        self.calls.insert(request, UnderWay { call, stop: Some(stop), most, question, began });
        if mock.is_none() && task.worker.is_pure() {
            return self.pure(request, task);
        }
        self.spawn(request, task, mock);
        Ok(())
    }

    /// What a call is given.
    pub(super) fn task(&mut self, call: &Call, worker: Arc<Prepared>, stop: Arc<Stop>) -> Result<Task, CallError> {
        let (input, turns) = match &worker.definition.does {
            Does::Model(ask) if !ask.tools.offers.is_empty() => work::turns_of(&call.input, &*self.store)?,
            _ => (call.input.clone(), Vec::new()),
        };
        let parts = work::parts_of(&input, &*self.store)?;
        Ok(Task {
            deadline_ms: call.deadline_ms.or(worker.definition.call_timeout().map(|timeout| timeout.0)),
            worker,
            key: call.key.clone(),
            attempt: call.attempt,
            input,
            parts: Arc::new(parts),
            saw: None,
            turns: turns.into(),
            words: self.words(call),
            around: self.around.clone(),
            hears: self.hears.clone(),
            told: self.observer.is_watching().then(|| self.tells.clone()),
            stop,
        })
    }

    /// The call with what it is shown of its data sources, when it is made.
    fn seeing(&self, task: Task, called: bool) -> Result<Task, CallError> {
        if !called || task.worker.definition.sources.is_empty() {
            return Ok(task);
        }
        let keeps = (&*self.store, &*self.mint);
        let saw = work::saw::see(&task.worker, &task.key, &self.around.outside.sources, &self.around.run, keeps)?;
        Ok(Task { saw: saw.map(Arc::new), ..task })
    }

    /// The words that a call may answer: those of a step are always the same.
    pub(super) fn words(&mut self, call: &Call) -> Arc<[String]> {
        let words = || self.run.words(call.request).into_iter().map(str::to_owned).collect();
        match call.purpose {
            Purpose::Step(step) => self.words.entry(step).or_insert_with(words).clone(),
            Purpose::Choose(_) | Purpose::Undo(_) => words(),
        }
    }

    /// The worker as a step calls it; read once for all steps that do not shape it.
    pub(super) fn prepared(&mut self, call: &Call) -> Result<Arc<Prepared>, CallError> {
        let worker = call.worker;
        let step = match call.purpose {
            Purpose::Step(step) => Some(step),
            Purpose::Choose(_) | Purpose::Undo(_) => None,
        };
        let module = self.run.module();
        let shaping = |step: &StepId| module.steps.get(step.index()).map_or(&[][..], |step| &step.behaviours);
        let step = step.filter(|step| !shaping(step).is_empty());
        let prepare = || {
            let definition =
                module.workers.get(worker.index()).ok_or_else(|| work::error("E0734", "no such worker"))?;
            let named = step.as_ref().map_or(&[][..], shaping);
            let behaviours: Vec<_> = named.iter().filter_map(|at| module.behaviours.get(usize::from(*at))).collect();
            Prepared::new(definition, &behaviours).map(Arc::new)
        };
        self.prepared.entry((worker, step)).or_insert_with(prepare).clone()
    }

    /// The scripted answer, when the call is not to be made.
    pub(super) fn mock(&self, worker: &Prepared, nth: u64) -> Option<mock::Answering> {
        let definition = &worker.definition;
        let scripted = matches!(definition.does, Does::Mock) || self.around.mock && !worker.is_pure();
        scripted.then(|| mock::Answering::of(definition.mock.as_deref(), nth as usize))
    }

    /// A pure built-in: on the spot when that is quickest, else on a lane.
    fn pure(&mut self, request: RequestId, task: Task) -> Result<(), DriverError> {
        let small =
            task.input.payload().len() + task.parts.iter().map(|(_, _, value)| value.payload().len()).sum::<usize>();
        if small <= ON_THE_SPOT && self.calls.len() == 1 {
            match builtins::at_once(builtins::call(&task)) {
                Ok(returned) => self.answers.push_back((request, returned.redacted())),
                Err(_) => self.spawn(request, task, None),
            }
            return Ok(());
        }
        if self.pool.is_none() {
            self.pool = Some(self.process.pool().map_err(DriverError::Pool)?);
        }
        let (sender, mint) = (self.sender.clone(), self.mint.clone());
        let job = move || {
            let called =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| builtins::at_once(builtins::call(&task))));
            let returned = match called {
                Ok(Ok(returned)) => returned.redacted().made(&task, &mint),
                _ => Returned::failed(
                    "E0718",
                    format!("the built-in `{}` crashed: please report this with its input", task.worker.name),
                ),
            };
            let _ = sender.send((request, Ok(returned)));
        };
        if let Some(pool) = &self.pool {
            pool.run(Box::new(job));
        }
        Ok(())
    }

    pub(super) fn spawn(&self, request: RequestId, task: Task, mock: Option<mock::Answering>) {
        self.process.begin(task, mock, Reply::new(request, self.sender.clone()));
    }
}
