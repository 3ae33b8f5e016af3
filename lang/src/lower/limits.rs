//! What stands between `<` and `>`.

use super::*;
use crate::tree::Limit;
use aivm_schema::module::StageKind;

/// The limits of one head or step, one of each sort.
#[derive(Default)]
struct Limits {
    count: Option<(u16, Span)>,
    deadline_ms: Option<(u64, Span)>,
    money: Option<(u64, Span)>,
    tokens: Option<(u64, Span)>,
    behaviours: Vec<BehaviourId>,
}

impl File<'_, '_> {
    fn limits(&mut self, limits: &[Limit], spans: &[Span]) -> Limits {
        let mut out = Limits::default();
        for (at, limit) in limits.iter().enumerate() {
            let span = spans.get(at).copied().unwrap_or_default();
            let (sort, first) = match *limit {
                Limit::Count(n) => ("count", put(&mut out.count, n, span)),
                Limit::Duration(ms) => ("duration", put(&mut out.deadline_ms, ms, span)),
                Limit::Money(amount) => ("amount of money", put(&mut out.money, amount, span)),
                Limit::Tokens(n) => ("number of tokens", put(&mut out.tokens, n, span)),
                Limit::Behaviour(word) => {
                    out.behaviours.extend(self.behaviour(word, span));
                    continue;
                }
            };
            if let Some(first) = first {
                self.report(
                    Diagnostic::new(Code::LimitTwice, span, format!("a second {sort}"))
                        .label(first, "the first")
                        .help("keep one: a stage or step has one limit of each sort"),
                );
            }
        }
        out
    }

    pub(super) fn step_limits(&mut self, node: tree::StepId, id: StepId) {
        let tree = self.tree;
        let limits = self.limits(&tree.steps[node.index()].limits, &self.spans.steps[node.index()].limits);
        let mut behaviours: Vec<BehaviourId> = Vec::new();
        if !self.all.flow.behaviours.is_empty() {
            let stages: Vec<StageId> = self.all.flow.outwards(Some(self.all.flow.step(id).stage)).collect();
            for stage in stages.into_iter().rev() {
                behaviours.extend(self.stage_behaviours(stage));
            }
        }
        behaviours.extend(limits.behaviours);
        let step = &mut self.all.flow.steps[id.index()];
        step.behaviours = behaviours;
        step.visits = limits.count.map(|(most, _)| Count { most, written: true });
        step.deadline_ms = limits.deadline_ms.map(|(ms, _)| ms);
        step.money = limits.money.map(|(amount, _)| amount);
        step.tokens = limits.tokens.map(|(n, _)| n);
    }

    /// A behaviour on a stage shapes every step in it.
    fn stage_behaviours(&mut self, id: StageId) -> Vec<BehaviourId> {
        let Ok(at) = self.stages.binary_search_by_key(&id, |(_, flow)| *flow) else { return Vec::new() };
        let node = self.stages[at].0;
        let words = self.tree.stages[node.index()].limits.iter().filter_map(|limit| match limit {
            Limit::Behaviour(word) => Some(*word),
            _ => None,
        });
        words.filter_map(|word| self.behaviours.get(&word).copied().flatten()).collect()
    }

    pub(super) fn stage_limits(&mut self, node: tree::StageId, id: StageId) {
        let tree = self.tree;
        let limits = self.limits(&tree.stages[node.index()].limits, &self.spans.stages[node.index()].limits);
        let elements = self.flow_stage(id).elements.len();
        if elements > usize::from(u16::MAX) {
            let span = self.spans.stages[node.index()].head;
            self.report(Diagnostic::new(
                Code::TooLarge,
                span,
                format!("a stage has {elements} elements: at most 65,535"),
            ));
        }
        let stage = &mut self.all.flow.stages[id.index()];
        stage.deadline_ms = limits.deadline_ms.map(|(ms, _)| ms);
        stage.money = limits.money.map(|(amount, _)| amount);
        stage.tokens = limits.tokens.map(|(n, _)| n);
        let Some((count, span)) = limits.count else { return };
        match stage.kind {
            StageKind::Switch | StageKind::Match => stage.entries = Some(Count { most: count, written: true }),
            StageKind::Select => stage.choices = Some(count),
            StageKind::Join if usize::from(count) <= elements => stage.take = Some(count),
            StageKind::Join => self.report(
                Diagnostic::new(
                    Code::JoinCount,
                    span,
                    format!("the join takes {count} outputs, more than its elements: {elements}"),
                )
                .reason("a count on a join is how many of its elements' outputs it takes")
                .help(format!("write at most `<{elements}>`, or no count to take all")),
            ),
        }
    }
}

/// Puts a value in its place; the span of the one that was there already.
fn put<T>(place: &mut Option<(T, Span)>, value: T, span: Span) -> Option<Span> {
    match place {
        Some((_, first)) => Some(*first),
        None => {
            *place = Some((value, span));
            None
        }
    }
}
