//! Where inputs come from: references to stages and steps, and which siblings of a join they wait for.

use super::*;
use crate::flow::levels::At;
use crate::tree::{RefOf, Side};
use aivm_schema::module::StageKind;

impl File<'_, '_> {
    pub(super) fn step_refs(&mut self, node: tree::StepId, id: StepId) {
        let tree = self.tree;
        let written = &tree.steps[node.index()].refs;
        let spans = &self.spans.steps[node.index()].refs;
        let each = written.iter().position(|reference| reference.each);
        if let Some(each) = each
            && written.len() > 1
        {
            let span = spans.get(each).copied().unwrap_or_default();
            self.report(
                Diagnostic::new(Code::FanOutOfSeveral, span, "`.*` beside another reference")
                    .reason("a fan-out makes one call for each part of one value")
                    .help("gather the values in a step before, and fan out over its output"),
            );
        }
        let at = At { stage: self.all.flow.step(id).stage, element: self.all.flow.step(id).element };
        let mut refs = Vec::with_capacity(written.len());
        for (nth, reference) in written.iter().enumerate() {
            let span = spans.get(nth).copied().unwrap_or_default();
            refs.extend(self.source(*reference, at, span));
        }
        let step = &mut self.all.flow.steps[id.index()];
        step.refs = refs;
        step.each = each.is_some();
    }

    fn source(&mut self, reference: tree::Ref, at: At, span: Span) -> Option<Source> {
        let (stage, element) = match reference.of {
            RefOf::Input => return Some(Source { of: SourceOf::Input, wait: None }),
            RefOf::One(label) => (self.labelled(label, at.stage, span)?, None),
            RefOf::Two(label, step) => {
                let stage = self.labelled(label, at.stage, span)?;
                (stage, Some(self.step_of(stage, label, step, span)?))
            }
        };
        let wait = self.sibling(at, stage, element, reference.side, span)?;
        let flow = &mut self.all.flow;
        let step = element.and_then(|element| match flow.stage(stage).elements.get(element as usize) {
            Some(Element::Step(step)) => Some(*step),
            _ => None,
        });
        let of = match (step, reference.side) {
            (None, Side::Out) => {
                flow.stages[stage.index()].output_used = true;
                SourceOf::StageOut(stage)
            }
            (None, Side::In) => {
                flow.stages[stage.index()].input_used = true;
                SourceOf::StageIn(stage)
            }
            (Some(step), Side::Out) => {
                flow.steps[step.index()].output_used = true;
                SourceOf::StepOut(step)
            }
            (Some(step), Side::In) => {
                flow.steps[step.index()].input_used = true;
                SourceOf::StepIn(step)
            }
        };
        Some(Source { of, wait })
    }

    /// The sibling to wait for, if the reference is to one; none when that was reported.
    #[allow(clippy::option_option)]
    fn sibling(
        &mut self,
        at: At,
        stage: StageId,
        element: Option<u32>,
        side: Side,
        span: Span,
    ) -> Option<Option<(StageId, u32)>> {
        let flow = &self.all.flow;
        let common = flow.common(at, stage, element);
        let Some(join) = common.stage.filter(|join| flow.stage(*join).kind == StageKind::Join) else {
            return Some(None);
        };
        // The join as a whole, seen from inside it: its input is known, its output is not yet.
        if common.from == common.to && element.is_none_or(|_| stage != join) {
            return Some(None);
        }
        let direct = match element {
            Some(_) => stage == join,
            None => {
                let last = flow.below(stage).is_none();
                flow.stage(stage).around == Some(join) && last
            }
        };
        if direct && side == Side::Out {
            return Some(Some((join, common.to)));
        }
        let head = flow.places.stages[join.index()].1;
        let diagnostic = Diagnostic::new(Code::DeepSibling, span, "a reference into another branch of a `join`")
            .label(head, "the join whose elements run at the same time");
        self.report(if direct {
            diagnostic
                .reason("what goes into a sibling is what goes into the join")
                .help("refer to the join's own `.in`")
        } else {
            diagnostic
                .reason("one can wait for the output of a whole sibling element, not for something inside it")
                .help("refer to the output of the element: a step of the join, or the last stage of a branch")
        });
        None
    }

    /// Siblings that wait for each other in a circle would wait for ever.
    pub(super) fn check_waits(&mut self) {
        let flow = &self.all.flow;
        let mut waits: FxHashMap<StageId, Vec<(u32, u32)>> = FxHashMap::default();
        for (_, id) in &self.steps {
            let step = flow.step(*id);
            for (join, element) in step.refs.iter().filter_map(|source| source.wait) {
                let own = if step.stage == join {
                    Some(step.element)
                } else {
                    flow.element_in(step.stage, Some(join)).map(|(at, _)| at)
                };
                waits.entry(join).or_default().extend(own.map(|own| (own, element)));
            }
        }
        let mut found = Vec::new();
        for (join, edges) in waits {
            let n = flow.stage(join).elements.len();
            let cyclic = crate::flow::cycles::on_cycle(n, &edges, &vec![false; n]);
            let names: Vec<String> = (0..n as u32)
                .filter(|element| cyclic[*element as usize])
                .map(|element| flow.element_name(join, element))
                .collect();
            if !names.is_empty() {
                found.push((join, names));
            }
        }
        found.sort_unstable();
        for (join, names) in found {
            let head = self.all.flow.places.stages[join.index()].1;
            self.report(
                Diagnostic::new(
                    Code::SiblingCycle,
                    head,
                    format!("elements of this join wait for each other: `{}`", names.join("`, `")),
                )
                .reason("a reference to a sibling waits for it, so they would wait for ever")
                .help("drop one of the references"),
            );
        }
    }
}
