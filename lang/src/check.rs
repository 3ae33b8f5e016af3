//! What is allowed but looks wrong: warnings, never errors. The order of the file, each with a reason and a way out.
//!
//! Policies and information-flow labels will be judged here too, on the same graph; they need a policy file.

use crate::diagnostic::{Code, Diagnostic};
use crate::flow::*;
use crate::span::Span;
use aivm_schema::module::{EndKind, StageKind};

mod reach;
mod types;

/// The warnings about one file's part of a flow graph, in the order of their places.
pub fn check(flow: &Flow) -> Vec<Diagnostic> {
    let mut checker = Checker { flow, warnings: Vec::new() };
    for (at, stage) in flow.stages.iter().enumerate() {
        let id = StageId(at as u32);
        if flow.places.stages.get(at).is_none_or(|place| place.0 != 0) {
            continue;
        }
        match stage.kind {
            StageKind::Match => checker.arms(id),
            _ => checker.names(id),
        }
        checker.limit_of(id);
    }
    for at in 0..flow.steps.len() {
        if flow.places.steps.get(at).is_some_and(|place| place.0 == 0) {
            checker.outcomes(StepId(at as u32));
        }
    }
    checker.unused_definitions();
    checker.reachable();
    checker.media_types();
    checker.warnings.sort_by_key(|warning| warning.primary.span);
    checker.warnings
}

struct Checker<'a> {
    flow: &'a Flow,
    warnings: Vec<Diagnostic>,
}

impl Checker<'_> {
    fn warn(&mut self, diagnostic: Diagnostic) {
        self.warnings.push(diagnostic);
    }

    fn stage_span(&self, id: StageId) -> Span {
        self.flow.places.stages.get(id.index()).map_or(Span::default(), |place| place.1)
    }

    fn step_span(&self, id: StepId) -> Span {
        self.flow.places.steps.get(id.index()).map_or(Span::default(), |place| place.1)
    }

    /// A word used twice in a stage that something refers into.
    fn names(&mut self, id: StageId) {
        let flow = self.flow;
        let stage = flow.stage(id);
        if stage.label.is_none() {
            return;
        }
        for element in &stage.elements {
            let Element::Step(step) = element else { continue };
            let Some((name, "2")) = flow.step(*step).name.rsplit_once('.') else { continue };
            let first = stage.elements.iter().find_map(|element| match element {
                Element::Step(first) if flow.step(*first).name == name => Some(*first),
                _ => None,
            });
            let mut warning = Diagnostic::new(Code::WordTwice, self.step_span(*step), format!("`{name}` stands twice in this stage"))
                .reason(format!("`{}.{name}` means the first of them", flow.stage(id).key));
            if let Some(first) = first {
                warning = warning.label(self.step_span(first), "the first");
            }
            self.warn(warning);
        }
    }

    /// A count that nothing can use up: the stage or step lies on no cycle.
    fn limit_of(&mut self, id: StageId) {
        let flow = self.flow;
        let stage = flow.stage(id);
        let cyclic = Cyclic::of(flow);
        for element in &stage.elements {
            let Element::Step(step) = element else { continue };
            let Some(count) = flow.step(*step).visits.filter(|count| count.written && count.most > 1) else { continue };
            if stage.kind != StageKind::Select && !cyclic.element(flow, id, flow.step(*step).element) {
                let span = self.step_span(*step);
                self.warn(
                    Diagnostic::new(Code::IdleLimit, span, format!("nothing can use up this `<{}>`", count.most))
                        .reason("no outcome leads back to this step, so it runs at most once in an entry of its stage"),
                );
            }
        }
        if let Some(count) = stage.entries.filter(|count| count.written && count.most > 1)
            && !cyclic.stage(flow, id)
        {
            let span = self.stage_span(id);
            self.warn(
                Diagnostic::new(Code::IdleLimit, span, format!("nothing can use up this `<{}>`", count.most))
                    .reason("no jump or outcome leads back to this stage, so it is entered at most once"),
            );
        }
    }

    fn outcomes(&mut self, id: StepId) {
        let flow = self.flow;
        let step = flow.step(id);
        let span = self.step_span(id);
        let mut seen: Vec<Outcome> = Vec::new();
        for outcome in &step.outcomes {
            let same = |earlier: &Outcome| earlier.word(flow) == outcome.word(flow);
            let leads_nowhere = matches!(outcome, Outcome::Back(_)) && flow.dest(step.stage, step.element, *outcome).is_none();
            if leads_nowhere {
                let Outcome::Back(n) = outcome else { continue };
                self.warn(
                    Diagnostic::new(Code::DeadOutcome, span, format!("`back{}` can never be taken here", times(*n)))
                        .reason(format!("there are only {} elements above `{}`", step.element, step.name)),
                );
            } else if seen.iter().any(same) {
                self.warn(
                    Diagnostic::new(Code::DeadOutcome, span, format!("the second `{}` can never be chosen", outcome.word(flow)))
                        .reason("the first of a word is what a worker's verdict means"),
                );
            } else if let Some(no) = seen.iter().find(|earlier| is_no(earlier))
                && outcome.is_forward()
                && !step.verdicts.is_empty()
                && false
            {
                let _ = no;
            }
            seen.push(*outcome);
        }
        if step.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Retry(_)))
            || (step.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Back(_) | Outcome::Retry(_))))
        {
            self.warn(
                Diagnostic::new(Code::NoWayOut, span, format!("`{}` cannot be left but by being exhausted", step.name))
                    .reason("all its outcomes call something again")
                    .help("add `next`, `send` or `cancel`"),
            );
        }
    }

    fn arms(&mut self, id: StageId) {
        let flow = self.flow;
        let stage = flow.stage(id);
        let span = self.stage_span(id);
        let follows = flow.above(id).is_some();
        let mut always: Option<&str> = None;
        let mut seen: Vec<On> = Vec::new();
        for arm in &stage.arms {
            let word = arm.on.word(flow).unwrap_or_default();
            let ending = matches!(arm.on, On::Ending(_));
            if seen.contains(&arm.on) {
                self.warn(Diagnostic::new(Code::HiddenArm, span, format!("a second arm `{word}` can never be taken")).reason("arms are tried in written order"));
            } else if let Some(always) = always.filter(|_| !ending && arm.on != On::Default) {
                self.warn(
                    Diagnostic::new(Code::HiddenArm, span, format!("the arm `{word}` is hidden by `{always}` above it"))
                        .reason("arms are tried in written order, and that one always holds")
                        .help(format!("put `{word}` above `{always}`")),
                );
            } else if let Some(always) = always.filter(|_| arm.on == On::Default && stage.catches.is_empty()) {
                self.warn(Diagnostic::new(Code::HiddenArm, span, format!("the arm `default` is hidden by `{always}` above it")).reason("arms are tried in written order"));
            }
            if ending && !follows {
                self.warn(
                    Diagnostic::new(Code::DeadOutcome, span, format!("the arm `{word}` can never be taken"))
                        .reason("a match catches endings of the stage directly above it in its chain, and this one stands first"),
                );
            }
            if arm.on == On::Done(None) {
                self.warn(
                    Diagnostic::new(Code::DeadOutcome, span, "the arm `done` can never be taken")
                        .reason("no `switch` or `match` around has a written count of entries")
                        .help("give the one that loops a count: `switch[name]<5> <= (`"),
                );
            }
            if matches!(arm.on, On::Success | On::Default) {
                always.get_or_insert(word);
            }
            seen.push(arm.on);
        }
        let closed = always.is_some();
        if !closed && !self.words_covered(id) {
            self.warn(
                Diagnostic::new(Code::FallsThrough, span, "a value may come for which no arm holds")
                    .reason("then the match fails, and names the words that it knows")
                    .help("add an arm `default`"),
            );
        }
        for arm in &stage.arms {
            if let On::Verdict(word) = arm.on
                && let Some(ending) = near_ending(flow.word(word))
            {
                self.warn(
                    Diagnostic::new(Code::DeadOutcome, span, format!("is the arm `{}` meant to be `{ending}`?", flow.word(word)))
                        .reason(format!("`{ending}` holds by endings; `{}` only when a worker answers that word", flow.word(word))),
                );
            }
        }
    }

    /// Does everything that reaches this match surely say one of its words? Only known when every worker that reaches it
    /// can go forward by those words alone, which no worker promises: a success without a word is always possible.
    fn words_covered(&self, _id: StageId) -> bool {
        false
    }

    fn unused_definitions(&mut self) {
        let flow = self.flow;
        let mut used = vec![false; flow.functions.len()];
        for step in &flow.steps {
            for target in [Some(step.target), step.undo].into_iter().flatten() {
                if let Target::Function(function) = target {
                    used[function.index()] = true;
                }
            }
        }
        for (at, function) in flow.functions.iter().enumerate().skip(1) {
            if used[at] || function.file != 0 {
                continue;
            }
            let span = flow.places.stages.get(function.stages.0 as usize).map_or(Span::default(), |place| place.1);
            self.warn(Diagnostic::new(Code::Unused, span, format!("nothing calls the definition `{}`", function.name)));
        }
    }
}

fn times(n: u16) -> String {
    if n == 1 { String::new() } else { format!(" * {n}") }
}

/// Which nodes something leads back to.
struct Cyclic;
