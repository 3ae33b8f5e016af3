//! What is allowed but looks wrong: warnings, never errors. Each with a reason and, where there is one, a way out.
//!
//! Here: what one node tells by itself. What needs the paths between nodes is in `check/reach.rs`. Policies and
//! information-flow labels will be judged here too, on the same graph; they need a policy file.

use crate::diagnostic::{Code, Diagnostic, MOST_ERRORS, MOST_FOUND};
use crate::flow::*;
use crate::library::{Found, Library};
use crate::span::Span;
use aivm_schema::module::StageKind;
use aivm_schema::worker::{Does, Effect};
use rustc_hash::FxHashSet;

mod mocks;
mod reach;

/// The warnings about the outermost file of a flow graph, in the order of their places; at most [`MOST_ERRORS`].
pub fn check(flow: &Flow) -> Vec<Diagnostic> {
    let mut checker = Checker { flow, warnings: Vec::new() };
    for at in 0..flow.stages.len() {
        let id = StageId(at as u32);
        if flow.places.stages.get(at).is_some_and(|place| place.0 == 0) {
            checker.arms(id);
            checker.names(id);
        }
    }
    for at in 0..flow.steps.len() {
        if flow.places.steps.get(at).is_some_and(|place| place.0 == 0) {
            checker.outcomes(StepId(at as u32));
            checker.media_types(StepId(at as u32));
        }
    }
    checker.unused_definitions();
    checker.idle_undoers();
    checker.mocks();
    checker.paths();
    checker.finish()
}

/// What the outermost file could say and does not, likewise: nothing looks wrong.
///
/// `file` is the name of the program, and what stands around it is in the library.
pub fn hints(flow: &Flow, file: &str, library: &dyn Library) -> Vec<Diagnostic> {
    let mut checker = Checker { flow, warnings: Vec::new() };
    checker.effects(|worker| match library.find(file, &worker.name) {
        Ok(Some(Found::Worker(found))) if *found == worker.definition => library.defined_in(file, &worker.name),
        _ => None,
    });
    checker.finish()
}

struct Checker<'a> {
    flow: &'a Flow,
    warnings: Vec<Diagnostic>,
}

impl Checker<'_> {
    fn finish(mut self) -> Vec<Diagnostic> {
        self.warnings.sort_by_key(|warning| warning.primary.span);
        self.warnings.truncate(MOST_ERRORS);
        self.warnings
    }

    fn warn(&mut self, diagnostic: Diagnostic) {
        if self.warnings.len() < MOST_FOUND {
            self.warnings.push(diagnostic);
        }
    }

    fn stage_span(&self, id: StageId) -> Span {
        self.flow.places.stages.get(id.index()).map_or(Span::default(), |place| place.1)
    }

    fn step_span(&self, id: StepId) -> Span {
        self.flow.places.steps.get(id.index()).map_or(Span::default(), |place| place.1)
    }

    /// A word that stands twice in a stage that others can refer into.
    fn names(&mut self, id: StageId) {
        let flow = self.flow;
        let stage = flow.stage(id);
        if stage.label.is_none() {
            return;
        }
        for element in &stage.elements {
            let Element::Step(step) = element else { continue };
            // Only a second of its name has a dot.
            let Some((name, "2")) = flow.step(*step).name.rsplit_once('.') else { continue };
            self.warn(
                Diagnostic::new(Code::WordTwice, self.step_span(*step), format!("`{name}` stands twice in this stage"))
                    .reason(format!("`{}.{name}` means the first of them", stage.key)),
            );
        }
    }

    fn outcomes(&mut self, id: StepId) {
        let flow = self.flow;
        let step = flow.step(id);
        let span = self.step_span(id);
        for (nth, outcome) in step.outcomes.iter().enumerate() {
            let earlier = step.outcomes.iter().take(nth).any(|earlier| earlier.word(flow) == outcome.word(flow));
            if let Outcome::Back(n) = outcome
                && u32::from(*n) > step.element
            {
                let times = if *n == 1 { String::new() } else { format!(" * {n}") };
                self.warn(
                    Diagnostic::new(Code::DeadOutcome, span, format!("`back{times}` can never be taken here")).reason(
                        match step.element {
                            0 => format!("`{}` is the first of its stage", step.name),
                            above => format!("only {above} elements stand above `{}`", step.name),
                        },
                    ),
                );
            } else if earlier {
                self.warn(
                    Diagnostic::new(
                        Code::DeadOutcome,
                        span,
                        format!("the second `{}` can never be chosen", outcome.word(flow)),
                    )
                    .reason("a worker's verdict means the first of a word"),
                );
            }
        }
        self.retry_or_continue(id);
        if step.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Back(_) | Outcome::Retry(_))) {
            self.warn(
                Diagnostic::new(Code::NoWayOut, span, format!("`{}` cannot be left but by being exhausted", step.name))
                    .reason("all its outcomes call something again")
                    .help("add `next`, `send` or `cancel`"),
            );
        }
    }

    /// `next | retry * 2 | continue` and `next | continue | retry * 2`: of a failure only the first of both counts. A part of a
    /// fan-out is retried and then done without.
    fn retry_or_continue(&mut self, id: StepId) {
        let step = self.flow.step(id);
        let position = |of: fn(&Outcome) -> bool| step.outcomes.iter().position(of);
        let (Some(retry), Some(carry_on)) =
            (position(|o| matches!(o, Outcome::Retry(_))), position(|o| *o == Outcome::Continue))
        else {
            return;
        };
        let sent = position(|o| matches!(o, Outcome::Next | Outcome::Send));
        if step.each || sent.is_none_or(|sent| sent > carry_on) {
            return;
        }
        let name = &step.name;
        let (message, reason) = if retry < carry_on {
            (
                format!("when its retries are used up, `{name}` ends exhausted: it does not continue"),
                "a \"no\" does not become a \"yes\": behind `retry` a failure takes no `continue`",
            )
        } else {
            (
                format!("after a failure `{name}` continues at once: it is not retried"),
                "`continue` stands before `retry` and can always be taken",
            )
        };
        self.warn(Diagnostic::new(Code::RetryOrContinue, self.step_span(id), message).reason(reason).help(
            "to retry and then go on without it, retry in a definition and do without its call: aivm explain E0512",
        ));
    }

    fn arms(&mut self, id: StageId) {
        let flow = self.flow;
        let stage = flow.stage(id);
        if stage.kind != StageKind::Match {
            return;
        }
        let span = self.stage_span(id);
        let follows = flow.above(id).is_some();
        // The first arm that always holds when a value comes.
        let mut always: Option<&str> = None;
        let mut earlier = FxHashSet::default();
        for (nth, arm) in stage.arms.iter().enumerate() {
            let word = arm.on.word(flow).unwrap_or_default();
            let ending = matches!(arm.on, On::Ending(_));
            let catches = arm.on == On::Default && !stage.catches.is_empty();
            if !earlier.insert(arm.on) {
                self.warn(
                    Diagnostic::new(Code::HiddenArm, span, format!("a second arm `{word}` is never taken"))
                        .reason("arms are tried in written order"),
                );
            } else if let Some(always) = always.filter(|_| !ending && !catches) {
                self.warn(
                    Diagnostic::new(
                        Code::HiddenArm,
                        span,
                        format!("the arm `{word}` is hidden by `{always}` above it"),
                    )
                    .reason(format!("arms are tried in written order, and `{always}` always holds"))
                    .help(format!("put `{word}` above `{always}`")),
                );
            }
            if ending && !follows {
                self.warn(Diagnostic::new(Code::DeadOutcome, span, format!("the arm `{word}` is never taken")).reason(
                    "a match catches endings of the stage directly above it in its chain; this one stands first",
                ));
            }
            if arm.on == On::Done(None) {
                self.warn(
                    Diagnostic::new(Code::DeadOutcome, span, "the arm `done` is never taken")
                        .reason("it holds in the last entry of the `switch` or `match` around that has a written count; none has")
                        .help("give the stage that loops a count: `switch[name]<5> <= (`"),
                );
            }
            if let Then::Ends(ends) = &arm.then {
                self.ends(id, nth as u32, ends);
            }
            if matches!(arm.on, On::Success | On::Default) {
                always.get_or_insert(word);
            }
        }
        if always.is_none() {
            self.warn(
                Diagnostic::new(Code::FallsThrough, span, "a value may come for which no arm holds")
                    .reason("a worker may always succeed without a word; then the match fails")
                    .help("add an arm `default`, or `success`"),
            );
        }
    }

    /// Ends of an arm that stand behind one that can always be taken, or may not be reached from a "no".
    fn ends(&mut self, id: StageId, arm: u32, ends: &[Outcome]) {
        let flow = self.flow;
        let mut before: Option<(&str, &str)> = None;
        for end in ends {
            if let Some((word, why)) = before.filter(|(_, why)| !why.is_empty() || end.is_forward()) {
                let why = if why.is_empty() {
                    "from a jump nothing goes on to `send`: a \"no\" does not become a \"yes\""
                } else {
                    why
                };
                self.warn(
                    Diagnostic::new(
                        Code::DeadOutcome,
                        self.stage_span(id),
                        format!("`{}` behind `{word}` is never taken", end.word(flow)),
                    )
                    .reason(why),
                );
                return;
            }
            let counted = match flow.dest(id, arm, *end) {
                Some(Dest::Stage(stage)) => flow.stage(stage).entries.is_some(),
                Some(Dest::Element(stage, element)) => match flow.stage(stage).elements.get(element as usize) {
                    Some(Element::Step(step)) => flow.step(*step).visits.is_some(),
                    _ => true,
                },
                _ => false,
            };
            before = Some((end.word(flow), if counted { "" } else { "what stands before it can always be taken" }));
            if counted && end.is_forward() {
                before = None;
            }
        }
    }

    /// What a worker returns along an arrow that the next does not accept.
    fn media_types(&mut self, id: StepId) {
        let flow = self.flow;
        let step = flow.step(id);
        let Target::Worker(worker) = step.target else { return };
        let Some(returns) = &flow.worker(worker).definition.returns else { return };
        for outcome in step.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Next | Outcome::Send)) {
            let Some(Dest::Element(stage, element)) = flow.dest(step.stage, step.element, *outcome) else { continue };
            let Some(Element::Step(next)) = flow.stage(stage).elements.get(element as usize) else { continue };
            let taker = flow.step(*next);
            let Target::Worker(taking) = taker.target else { continue };
            let accepts = &flow.worker(taking).definition.accepts;
            if !taker.refs.is_empty() || accepts.is_empty() || accepts.iter().any(|pattern| fits(returns, pattern)) {
                continue;
            }
            self.warn(
                Diagnostic::new(
                    Code::MediaType,
                    self.step_span(*next),
                    format!("`{}` does not accept `{returns}`", taker.name),
                )
                .label(self.step_span(id), format!("`{}` returns `{returns}`", step.name))
                .reason(format!("it accepts `{}`", accepts.join("`, `"))),
            );
        }
    }

    /// Commands that may do anything, as far as anybody knows. Where one is defined elsewhere, `defined_in` says so.
    fn effects(&mut self, defined_in: impl Fn(&Worker) -> Option<String>) {
        for worker in &self.flow.workers {
            let (file, span) = worker.place;
            if file != 0
                || worker.definition.effect.is_some()
                || !matches!(worker.definition.does, Does::Command(_) | Does::Plugin(_))
            {
                continue;
            }
            let place = defined_in(worker).map_or(String::new(), |file| format!(", in {file}"));
            self.warn(
                Diagnostic::new(Code::NoEffect, span, format!("`{}` does not say what it does to the world", worker.name))
                    .reason("it counts as irreversible: after a crash it is not called again, and somebody is asked whether it happened")
                    .help(format!("add a line to its definition{place}: effect = \"read\" if it only looks, effect = \"idempotent\" if doing it twice is doing it once, else effect = \"irreversible\"; more: aivm explain E0514")),
            );
        }
    }

    /// A worker that says it changes nothing, and who takes that back or finds out about it.
    fn idle_undoers(&mut self) {
        for worker in &self.flow.workers {
            let (file, span) = worker.place;
            let effect = match worker.definition.effect {
                Some(Effect::Pure) => "pure",
                Some(Effect::Read) => "read",
                _ => continue,
            };
            let named = [("undo", &worker.definition.undo), ("probe", &worker.definition.probe)];
            let Some((key, _)) = named.iter().find(|(_, named)| named.is_some() && file == 0) else { continue };
            self.warn(
                Diagnostic::new(Code::IdleUndo, span, format!("`{}` changes nothing, and has `{key}`", worker.name))
                    .reason(format!("its effect is `{effect}`: there is nothing to take back, and after a crash it is simply called again"))
                    .help(format!("drop `{key}`, or say what it does: `effect = \"compensable\"`")),
            );
        }
    }

    fn unused_definitions(&mut self) {
        let flow = self.flow;
        let mut used = vec![false; flow.functions.len()];
        for step in &flow.steps {
            for target in [Some(step.target), step.undo].into_iter().flatten() {
                if let Target::Function(function) = target
                    && let Some(used) = used.get_mut(function.index())
                {
                    *used = true;
                }
            }
        }
        for (function, used) in flow.functions.iter().zip(used).skip(1) {
            if !used && function.file == 0 {
                self.warn(Diagnostic::new(
                    Code::Unused,
                    function.span,
                    format!("nothing calls the definition `{}`", function.name),
                ));
            }
        }
    }
}

/// `text/csv` fits `text/*`.
fn fits(media_type: &str, pattern: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or("").trim();
    match pattern.strip_suffix("/*") {
        Some("*") => true,
        Some(group) => essence.split('/').next() == Some(group),
        None => essence == pattern,
    }
}
