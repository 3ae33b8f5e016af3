//! What pictures say in words: limits, outcomes, references. The same in every format.

use crate::flow::*;
use aivm_schema::module::StageKind;
use aivm_schema::unit::{Milliseconds, Money, Tokens};

/// Limits, and whether nobody wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub text: String,
    pub default: bool,
}

pub(super) fn step_limits(step: &Step) -> Option<Limits> {
    limits(step.visits, step.deadline_ms, step.money, step.tokens, None)
}

pub(super) fn stage_limits(stage: &Stage) -> Option<Limits> {
    limits(stage.entries, stage.deadline_ms, stage.money, stage.tokens, stage.choices)
}

fn limits(
    count: Option<Count>,
    ms: Option<u64>,
    money: Option<u64>,
    tokens: Option<u64>,
    choices: Option<u16>,
) -> Option<Limits> {
    let mut texts = Vec::new();
    texts.extend(count.map(|count| format!("≤{}", count.most)));
    texts.extend(choices.map(|most| format!("≤{most} choices")));
    texts.extend(ms.map(|ms| Milliseconds(ms).to_string()));
    texts.extend(money.map(|money| Money(money).to_string()));
    texts.extend(tokens.map(|tokens| Tokens(tokens).to_string()));
    let default = texts.len() == 1 && count.is_some_and(|count| !count.written);
    (!texts.is_empty()).then(|| Limits { text: texts.join(" · "), default })
}

/// `first 1 of 3`; none: the join takes all.
pub(super) fn takes(stage: &Stage) -> Option<String> {
    (stage.kind == StageKind::Join && stage.takes() < stage.elements.len())
        .then(|| format!("first {} of {}", stage.takes(), stage.elements.len()))
}

/// An outcome on its edge.
pub(super) fn outcome(flow: &Flow, outcome: Outcome) -> String {
    match outcome {
        Outcome::Retry(most) => format!("retry ≤{most}"),
        Outcome::Jump { word, .. } => format!("jump {}", flow.word(word)),
        other => other.word(flow).to_owned(),
    }
}

/// `×3`; what happened once needs no number.
pub(super) fn times(n: u32) -> Option<String> {
    (n > 1).then(|| format!("×{n}"))
}

/// A label with how often it happened.
pub(super) fn with_times(label: String, n: Option<u32>) -> String {
    match n.and_then(times) {
        Some(times) if label.is_empty() => times,
        Some(times) => format!("{label} {times}"),
        None => label,
    }
}

/// `← in, step2.plan.out.*`
pub(super) fn sources(flow: &Flow, step: &Step) -> Option<String> {
    let names: Vec<String> = step.refs.iter().map(|of| source(flow, *of)).collect();
    let each = if step.each { ".*" } else { "" };
    (!names.is_empty()).then(|| format!("← {}{each}", names.join(", ")))
}

/// `step2.plan.out`
pub(super) fn source(flow: &Flow, source: Source) -> String {
    let stage =
        |id: StageId| flow.stage(id).label.map_or(flow.stage(id).key.as_str(), |label| flow.word(label)).to_owned();
    let step = |id: StepId| format!("{}.{}", stage(flow.step(id).stage), flow.step(id).name);
    match source.of {
        SourceOf::Input => "in".to_owned(),
        SourceOf::StageIn(id) => format!("{}.in", stage(id)),
        SourceOf::StageOut(id) => format!("{}.out", stage(id)),
        SourceOf::StepIn(id) => format!("{}.in", step(id)),
        SourceOf::StepOut(id) => format!("{}.out", step(id)),
    }
}

/// The behaviours that shape a step, its stage's first.
pub(super) fn behaviours(flow: &Flow, step: &Step) -> Option<String> {
    let names: Vec<&str> = step
        .behaviours
        .iter()
        .filter_map(|id| flow.behaviours.get(id.index()))
        .map(|behaviour| behaviour.name.as_str())
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// Which endings a match catches.
pub(super) fn caught(stage: &Stage) -> String {
    use aivm_schema::module::EndKind;
    let names = [
        (EndKind::Failure, "failure"),
        (EndKind::Exhausted, "exhausted"),
        (EndKind::Timeout, "timeout"),
        (EndKind::Cancel, "cancel"),
    ];
    let names: Vec<&str> =
        names.iter().filter(|(kind, _)| stage.catches.contains(*kind)).map(|(_, name)| *name).collect();
    names.join(", ")
}

/// Where a step is, as traces say it.
pub(super) fn key(flow: &Flow, step: &Step) -> String {
    format!("{}/{}", flow.stage(step.stage).key, step.name)
}
