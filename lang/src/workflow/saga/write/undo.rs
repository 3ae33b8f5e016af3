//! How what steps did is taken back: their own compensations, the steps of type COMPENSATION, and what is done last.
//!
//! Not here: the step that is taken back, and whom a capability calls.

use super::*;

/// The keys of a step of type COMPENSATION with which nothing is done.
const OF_A_STEP: [&str; 6] =
    ["condition", "compensation", "max_retries", "timeout_seconds", "approval_config", "steps"];
impl<'a> Author<'a> {
    /// Steps of type COMPENSATION that take nothing back, or what is not there; and all that takes back, where nothing is.
    pub(super) fn compensations(&mut self) {
        let saga = self.saga;
        if !saga.rolls_back {
            let why = "because `enable_auto_rollback` is `false`,";
            for undo in &saga.last {
                let span =
                    undo.capability.as_ref().or(undo.step_name.as_ref()).map_or(saga.span, |name| self.span(name));
                self.reader
                    .warnings
                    .push(only_recorded(span, &format!("a step of `global_compensation_steps`, {why}")));
            }
            self.kept(&saga.steps, why);
        }
        let named = |step: &Named| step.step.compensation.as_ref()?.step_name.clone().map(Placed::into_inner);
        let last = saga.last.iter().filter_map(|undo| undo.step_name.clone().map(Placed::into_inner));
        let meant: Vec<String> = saga.steps.iter().filter_map(named).chain(last).collect();
        for step in saga.steps.iter().filter(|step| step.step.step_type == Kind::Compensation) {
            for of in step.step.depends_on.iter().filter(|of| !self.words.contains_key(of.get_ref().as_str())) {
                let message = format!("`{}` takes back unknown step `{}`", step.name, of.get_ref());
                self.reader.unknown_step(Code::UnknownNeed, of, message);
            }
            if step.step.capability.is_none() {
                self.lacks(Code::StepDoesNothing, step, "a step of type COMPENSATION has a `capability`");
            }
            self.idle(step, &OF_A_STEP);
            let takes_none = |of: &&Named| of.asks() || !of.steps.is_empty();
            for of in step.step.depends_on.iter() {
                let of_no_call = saga.steps.iter().find(|other| other.name == *of.get_ref()).filter(takes_none);
                let what = of_no_call.map(|other| {
                    format!("that `{}` takes back `{}`, which calls nothing itself,", step.name, other.name)
                });
                let span = self.span(of);
                self.reader.warnings.extend(what.map(|what| only_recorded(span, &what)));
            }
            if step.step.depends_on.is_empty() && !meant.contains(&step.name) {
                let what = format!("`{}`, which takes back no step,", step.name);
                self.reader.warnings.push(only_recorded(step.span, &what));
            }
        }
    }

    /// What would take these steps back, and never does.
    fn kept(&mut self, steps: &[Named], why: &str) {
        for step in steps {
            let what = match (&step.step.compensation, step.step.step_type) {
                (_, Kind::Compensation) => Some((step.span, format!("the step `{}`, {why}", step.name))),
                (Some(_), _) => Some((
                    step.key(&self.reader.tables, "compensation"),
                    format!("`compensation` of `{}`, {why}", step.name),
                )),
                (None, _) => None,
            };
            self.reader.warnings.extend(what.map(|(span, what)| only_recorded(span, &what)));
            self.kept(&step.steps, why);
        }
    }

    /// The state to begin with; and what is done last when all is taken back, because it was done first.
    pub(super) fn beginning(&mut self) -> Vec<(String, Span)> {
        let saga = self.saga;
        if !saga.initial_state.is_empty() {
            let state = json!(saga.initial_state);
            self.builtin("initial-state", "initial-state", [("state", state)], saga.span);
        }
        if saga.last.is_empty() || !saga.rolls_back {
            return vec![("initial-state => next".to_owned(), saga.span)];
        }
        // What is begun last is taken back first: each is the undoer of a beginning of its own, so that one which fails keeps none of the
        // others from running, and is told.
        let mut lines = Vec::new();
        for (nth, undo) in saga.last.iter().enumerate() {
            let word = self.writer.word(&format!("last-{}", nth + 1));
            if let Some((capability, inputs)) = self.compensating(undo) {
                self.undoer(&word, capability, inputs);
                lines.insert(0, (format!("begin ~ {word} => next"), saga.span));
            }
        }
        self.put("begin <= (\n    switch <= (\n        initial-state => next\n    )\n)\n\n", saga.span);
        lines
    }

    /// What takes a step back, if the saga rolls back at all: what it says itself, then the steps of type COMPENSATION that depend on
    /// it, in the order in which they are written.
    pub(super) fn compensations_of(&mut self, named: &'a Named) -> Vec<(&'a Placed<String>, &'a Values)> {
        if !self.saga.rolls_back {
            return Vec::new();
        }
        let own = named.step.compensation.as_ref();
        let by_name = own.and_then(|undo| undo.step_name.as_ref()).map(Placed::get_ref);
        let of_this = |step: &&Named| {
            step.step.step_type == Kind::Compensation
                && step.step.depends_on.iter().any(|name| *name.get_ref() == named.name)
                && by_name != Some(&step.name)
        };
        let steps = self.saga.steps.iter().filter(of_this);
        let others = steps.filter_map(|step| Some((step.step.capability.as_ref()?, &step.step.inputs)));
        own.and_then(|undo| self.compensating(undo)).into_iter().chain(others).collect()
    }

    /// The capability that a compensation calls, and what with.
    fn compensating(&mut self, undo: &'a Compensation) -> Option<(&'a Placed<String>, &'a Values)> {
        let step =
            undo.step_name.as_ref().and_then(|name| self.saga.steps.iter().find(|step| step.name == *name.get_ref()));
        let is_meant = |step: &&Named| step.step.step_type == Kind::Compensation;
        if let Some(capability) = &undo.capability {
            // Beside a capability it is a name like any other, unless a step has it.
            if let (Some(step), Some(name)) = (step.filter(is_meant), &undo.step_name) {
                let message = format!(
                    "this is taken back by the step `{}` and by `{}`: say one",
                    step.name,
                    capability.get_ref()
                );
                let help =
                    "leave one out; several steps of type COMPENSATION may have the same step in their `depends_on`";
                self.reader.tables.report(Diagnostic::new(Code::Saga, self.span(name), message).help(help));
            }
            return Some((capability, &undo.inputs));
        }
        let name = undo.step_name.as_ref()?;
        if let Some(step) = step.filter(|step| !is_meant(step)) {
            let message = format!("the step `{}` is not of type COMPENSATION, and takes nothing back", step.name);
            let help = format!("write `step_type: COMPENSATION` in `{}`, or name a `capability` here", step.name);
            self.reader.tables.report(Diagnostic::new(Code::Saga, self.span(name), message).help(help));
            return None;
        }
        let Some(step) = step else {
            let message = format!("no step of type COMPENSATION is called `{}`", name.get_ref());
            self.reader.unknown_step(Code::UnknownNeed, name, message);
            return None;
        };
        let inputs = if undo.inputs.is_empty() { &step.step.inputs } else { &undo.inputs };
        Some((step.step.capability.as_ref()?, inputs))
    }

    /// A definition that is called with the state of the time when a step completed.
    pub(super) fn undoer(&mut self, word: &str, capability: &Placed<String>, inputs: &Values) {
        let span = self.span(capability);
        let called = self.call(capability, Some(inputs), word);
        self.look(&called, inputs, |_, _| span);
        let filled = self.inputs(word, inputs, span);
        let text = format!(
            "{word} <= (\n    switch <= (\n        {filled} => next\n        {} => next\n    )\n)\n\n",
            called.word
        );
        self.put(&text, span);
    }
}
