//! Where outcomes and the ends of arms lead: jumps find their labels, and what cannot be crossed is not crossed.

use super::*;
use crate::flow::levels::{At, Common};
use aivm_schema::module::{EndKind, StageKind};

impl File<'_, '_> {
    pub(super) fn step_outcomes(&mut self, node: tree::StepId, id: StepId) {
        let tree = self.tree;
        let at = At { stage: self.all.flow.step(id).stage, element: self.all.flow.step(id).element };
        let spans = &self.spans.steps[node.index()].outcomes;
        let in_join = self.flow_stage(at.stage).kind == StageKind::Join;
        let written = &tree.steps[node.index()].outcomes;
        let mut outcomes = Vec::with_capacity(written.len());
        for (nth, outcome) in written.iter().enumerate() {
            let span = spans.get(nth).copied().unwrap_or_default();
            if in_join && matches!(outcome, tree::Outcome::Back(_)) {
                self.report(
                    Diagnostic::new(Code::BackInJoin, span, "`back` in a `join`")
                        .reason("the elements of a join run at the same time: none is above another")
                        .help("use `retry`, or put the steps into a `switch` inside the join"),
                );
            }
            outcomes.extend(self.outcome(*outcome, at, span));
        }
        self.all.flow.steps[id.index()].outcomes = outcomes;
    }

    fn outcome(&mut self, outcome: tree::Outcome, at: At, span: Span) -> Option<Outcome> {
        Some(match outcome {
            tree::Outcome::Next => Outcome::Next,
            tree::Outcome::Continue => Outcome::Continue,
            tree::Outcome::Send => Outcome::Send,
            tree::Outcome::Back(n) => Outcome::Back(n),
            tree::Outcome::Retry(n) => Outcome::Retry(n),
            tree::Outcome::Cancel => Outcome::Cancel,
            tree::Outcome::Timeout => Outcome::Timeout,
            tree::Outcome::Jump { stage, step } => return self.jump(stage, step, at, span),
        })
    }

    fn jump(&mut self, label: Word, step: Option<Word>, at: At, span: Span) -> Option<Outcome> {
        let stage = self.labelled(label, at.stage, span)?;
        let element = match step {
            Some(step) => Some(self.step_of(stage, label, step, span)?),
            None => None,
        };
        let common = self.all.flow.common(at, stage, element);
        if !self.may_cross(at, stage, element, &common, span) {
            return None;
        }
        Some(Outcome::Jump { stage, element, word: self.word(step.unwrap_or(label)) })
    }

    /// The stage of a label, seen from a stage of the same function.
    pub(super) fn labelled(&mut self, label: Word, from: StageId, span: Span) -> Option<StageId> {
        let text = self.text(label).to_owned();
        let Some(stage) = self.labels.get(&self.word(label)).copied() else {
            let names = self.labels.keys().map(|word| self.all.flow.word(*word)).take(self.worth_comparing());
            let diagnostic = Diagnostic::new(Code::UnknownLabel, span, format!("no stage is labelled `{text}`"))
                .reason("a jump or reference names a stage of this file by its label: `switch[name] <= (`");
            let word = Span::new(span.start + 1, span.start + 1 + text.len() as u32);
            let starts_with_bracket = self.all.flow.places.files[usize::from(self.number)]
                .1
                .get(span.range())
                .is_some_and(|t| t.starts_with('['));
            let word = if starts_with_bracket { word } else { Span::new(span.start, span.start + text.len() as u32) };
            let diagnostic = match self.stage_of_step(&text) {
                Some(Some(stage)) => diagnostic.fix(
                    format!("it is a step of `{stage}`: write `{stage}.{text}`"),
                    vec![(word, format!("{stage}.{text}"))],
                ),
                Some(None) => {
                    diagnostic.help(format!("`{text}` is a step: give its stage a label and write `label.{text}`"))
                }
                None => suggest(diagnostic, word, &text, names),
            };
            self.report(diagnostic);
            return None;
        };
        if self.flow_stage(stage).function != self.flow_stage(from).function {
            let other = self.stage_spans(stage).map(|spans| spans.label).unwrap_or_default();
            self.report(
                Diagnostic::new(Code::PrivateLabel, span, format!("`{text}` belongs to another definition"))
                    .label(other, "its label")
                    .reason("a definition's labels are its own: its stages run only while it is called")
                    .help("hand the value through the definition's input or output"),
            );
            return None;
        }
        Some(stage)
    }

    /// If a step of this file has this name: the label of its stage, which may have none.
    fn stage_of_step(&self, name: &str) -> Option<Option<String>> {
        let flow = &self.all.flow;
        let mut steps = self.steps.iter().map(|(_, id)| flow.step(*id)).take(self.worth_comparing());
        let step = steps.find(|step| step.name == name)?;
        Some(flow.stage(step.stage).label.map(|label| flow.word(label).to_owned()))
    }

    /// Which element of a labelled stage is the first step of this name.
    pub(super) fn step_of(&mut self, stage: StageId, label: Word, step: Word, span: Span) -> Option<u32> {
        let text = self.text(step).to_owned();
        let flow = &self.all.flow;
        let names = || {
            flow.stage(stage).elements.iter().zip(0..).filter_map(|(element, at)| match element {
                Element::Step(step) => Some((flow.step(*step).name.as_str(), at)),
                Element::Chain(_) => None,
            })
        };
        // A name with `.2` is a second of that name: the first is what the word means.
        let known = self.steps_by_name.entry(stage).or_insert_with(|| {
            let mut known = FxHashMap::default();
            names().for_each(|(name, at)| _ = known.entry(name.to_owned()).or_insert(at));
            known
        });
        if let Some(found) = known.get(&text) {
            return Some(*found);
        }
        let label = self.text(label);
        let mut diagnostic =
            Diagnostic::new(Code::UnknownStep, span, format!("the stage `{label}` has no step `{text}`"));
        let first: Vec<&str> = names().map(|(name, _)| name).take(12).collect();
        if !first.is_empty() {
            diagnostic = diagnostic.reason(format!("its steps are `{}`", first.join("`, `")));
        }
        let names = names().map(|(name, _)| name).take(self.worth_comparing());
        if let Some(name) = nearest(&text, names) {
            diagnostic = diagnostic.help(format!("did you mean `{label}.{name}`?"));
        }
        self.report(diagnostic);
        None
    }

    /// A jump neither leaves nor enters the branch of a join.
    fn may_cross(&mut self, at: At, target: StageId, element: Option<u32>, common: &Common, span: Span) -> bool {
        let flow = &self.all.flow;
        let is_join = |stage: &StageId| flow.stage(*stage).kind == StageKind::Join;
        let below = |from: Option<StageId>| flow.outwards(from).take_while(|stage| Some(*stage) != common.stage);
        let left = below(Some(at.stage)).find(is_join);
        let entered = below(if element.is_some() { Some(target) } else { flow.stage(target).around }).find(is_join);
        let sideways = common.stage.filter(is_join).filter(|_| common.from != common.to);
        if let Some(join) = left.or(sideways) {
            let join = flow.places.stages[join.index()].1;
            self.report(
                Diagnostic::new(Code::JumpOutOfJoin, span, "a jump out of a branch of a `join`")
                    .label(join, "this join")
                    .reason("the other branches are still running: a branch hands in its part or is lost")
                    .help("let a `match` below the join jump"),
            );
            return false;
        }
        if let Some(join) = entered {
            let join = flow.places.stages[join.index()].1;
            self.report(
                Diagnostic::new(Code::JumpIntoJoin, span, "a jump into a branch of a `join`")
                    .label(join, "this join")
                    .reason("a branch runs only together with its siblings")
                    .help("label the join and jump to it as a whole"),
            );
            return false;
        }
        true
    }

    /// Fills in the arms of a match: when each is taken, where it leads, and what the match catches.
    pub(super) fn arms(&mut self, node: tree::StageId, id: StageId) {
        let tree = self.tree;
        let written = &tree.stages[node.index()].arms;
        if written.is_empty() {
            return;
        }
        let flow = &self.all.flow;
        let counted = flow.outwards(flow.stage(id).around).find(|stage| {
            let stage = flow.stage(*stage);
            // Written counts of stages are filled in outermost first.
            matches!(stage.kind, StageKind::Switch | StageKind::Match)
                && stage.entries.is_some_and(|count| count.written)
        });
        let follows = flow.above(id).is_some();
        let mut catches = KindSetBuilder::default();
        let mut success = false;
        for (at, arm) in written.iter().enumerate() {
            let on = match arm.on {
                tree::ArmOn::Default => On::Default,
                tree::ArmOn::Cancel => On::Ending(EndKind::Cancel),
                tree::ArmOn::Timeout => On::Ending(EndKind::Timeout),
                tree::ArmOn::Word(word) => match self.text(word) {
                    "success" => On::Success,
                    "failure" => On::Ending(EndKind::Failure),
                    "exhausted" => On::Ending(EndKind::Exhausted),
                    "done" => On::Done(counted),
                    _ => On::Verdict(self.word(word)),
                },
            };
            success |= on == On::Success;
            match on {
                On::Ending(kind) => catches.add(kind),
                On::Default => catches.default = true,
                _ => {}
            }
            if let tree::ArmThen::Ends(ends) = &arm.then {
                let spans = &self.spans.stages[node.index()].arms[at].ends;
                let from = At { stage: id, element: at as u32 };
                let mut resolved = Vec::with_capacity(ends.len());
                for (nth, end) in ends.iter().enumerate() {
                    let span = spans.get(nth).copied().unwrap_or_default();
                    // In an arm `next` is `send`.
                    let end = if *end == tree::Outcome::Next { tree::Outcome::Send } else { *end };
                    resolved.extend(self.outcome(end, from, span));
                }
                self.all.flow.stages[id.index()].arms[at].then = Then::Ends(resolved);
            }
            self.all.flow.stages[id.index()].arms[at].on = on;
        }
        if catches.default && success {
            catches.add(EndKind::Failure);
            catches.add(EndKind::Exhausted);
            catches.add(EndKind::Timeout);
        }
        if follows {
            self.all.flow.stages[id.index()].catches = catches.kinds;
        }
    }
}

#[derive(Default)]
struct KindSetBuilder {
    kinds: aivm_schema::module::KindSet,
    default: bool,
}

impl KindSetBuilder {
    fn add(&mut self, kind: EndKind) {
        self.kinds = self.kinds.with(kind);
    }
}
