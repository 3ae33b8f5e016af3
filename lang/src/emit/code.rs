//! The code of one function. Targets are written as labels and patched when all addresses are known.

use super::{Emitter, Slots};
use crate::diagnostic::{Code, Diagnostic};
use crate::flow::*;
use aivm_schema::isa::Instruction;
use aivm_schema::module::{self as m, CounterId, EdgeKind, EndKind, KindSet, StageKind};
use aivm_schema::word::UNSPOKEN;
use rustc_hash::FxHashMap;

/// A place in the code that is named before it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Label {
    /// Where a stage is entered.
    Stage(StageId),
    /// A select's chooser.
    Chooser(StageId),
    /// A step's code.
    Step(StepId),
    /// Where a branch or an arm begins: before its entry is counted.
    Begin(StageId, u32),
    /// The code of one item of a fan-out.
    Item(StepId),
}

/// Writes the function at the end of the code; returns its entry and, by match, where it begins when it catches.
pub(super) fn write(
    emitter: &mut Emitter,
    id: FunctionId,
    slots: &Slots,
) -> Result<(u32, FxHashMap<StageId, u32>), Diagnostic> {
    let flow = emitter.flow;
    let entry = emitter.module.code.len() as u32;
    let mut writer = Writer {
        emitter,
        flow,
        slots,
        labels: FxHashMap::default(),
        patches: Vec::new(),
        handlers: FxHashMap::default(),
        far: None,
    };
    match flow.function(id).chain {
        Some(chain) => {
            let first = flow.chain(chain).stages.first().copied();
            writer.count(first.and_then(|first| writer.entries(first)));
            writer.chain(chain);
        }
        None => writer.put(Instruction::Return {}),
    }
    writer.patch();
    if let Some(step) = writer.far {
        let span = flow.places.steps.get(step.index()).map(|place| place.1).unwrap_or_default();
        return Err(Diagnostic::new(Code::TooLarge, span, "this step's outcomes lead through too many stages"));
    }
    Ok((entry, writer.handlers))
}

struct Writer<'e, 'a> {
    emitter: &'e mut Emitter<'a>,
    flow: &'a Flow,
    slots: &'e Slots,
    labels: FxHashMap<Label, u32>,
    /// Words whose 32-bit target is still a label.
    patches: Vec<(u32, Label)>,
    handlers: FxHashMap<StageId, u32>,
    /// A step whose stubs lie too far from their edges.
    far: Option<StepId>,
}

/// How control gets from one place to another: stages left, stages entered, what is counted first.
struct Route {
    leave: Vec<StageId>,
    enter: Vec<StageId>,
    dest: Dest,
    jump: bool,
}

impl<'a> Writer<'_, 'a> {
    fn here(&self) -> u32 {
        self.emitter.module.code.len() as u32
    }

    fn put(&mut self, instruction: Instruction) {
        self.emitter.module.code.push(instruction.encode());
    }

    /// An instruction with a 32-bit target.
    fn put_to(&mut self, label: Label, instruction: Instruction) {
        self.patches.push((self.here(), label));
        self.put(instruction);
    }

    fn mark(&mut self, label: Label) {
        self.labels.insert(label, self.here());
    }

    fn count(&mut self, counter: Option<CounterId>) {
        if let Some(counter) = counter {
            self.put(Instruction::Count { counter });
        }
    }

    fn patch(&mut self) {
        for (at, label) in std::mem::take(&mut self.patches) {
            let target = self.labels.get(&label).copied().unwrap_or(u32::MAX);
            if let Some(word) = self.emitter.module.code.get_mut(at as usize) {
                // The target fills the low 32 bits, written as zero.
                *word |= u64::from(target);
            }
        }
    }

    fn entries(&self, stage: StageId) -> Option<CounterId> {
        self.slots.entries.get(&stage).copied()
    }

    fn element_counter(&self, stage: StageId, element: u32) -> Option<CounterId> {
        match self.flow.stage(stage).elements.get(element as usize)? {
            Element::Step(step) => self.slots.visits.get(step).copied(),
            Element::Chain(chain) => self.entries(*self.flow.chain(*chain).stages.first()?),
        }
    }

    fn element_label(&self, stage: StageId, element: u32) -> Option<Label> {
        Some(match self.flow.stage(stage).elements.get(element as usize)? {
            Element::Step(step) => Label::Step(*step),
            Element::Chain(chain) => Label::Stage(*self.flow.chain(*chain).stages.first()?),
        })
    }

    fn chain(&mut self, id: ChainId) {
        for stage in &self.flow.chain(id).stages {
            self.stage(*stage);
        }
    }

    fn stage(&mut self, id: StageId) {
        self.mark(Label::Stage(id));
        let stage = self.emitter.stage_id(id);
        self.put(Instruction::Enter { stage });
        match self.flow.stage(id).kind {
            StageKind::Switch => {
                self.count(self.element_counter(id, 0));
                self.elements(id);
            }
            StageKind::Select => self.select(id, stage),
            StageKind::Join => self.join(id, stage),
            StageKind::Match => self.matching(id, stage),
        }
    }

    fn elements(&mut self, id: StageId) {
        for element in &self.flow.stage(id).elements {
            match element {
                Element::Step(step) => self.step(*step),
                Element::Chain(chain) => self.chain(*chain),
            }
        }
    }

    fn select(&mut self, id: StageId, stage: m::StageId) {
        self.mark(Label::Chooser(id));
        let options = self.flow.stage(id).elements.len();
        let counter = self.slots.choices.get(&id).copied();
        self.put(Instruction::Choose { stage, options: options as u16, counter });
        for element in 0..options as u32 {
            // Every element of a select is counted; see `lower/defaults.rs`.
            let counter = self.element_counter(id, element).unwrap_or(CounterId(u16::MAX - 1));
            let label = self.element_label(id, element).unwrap_or(Label::Stage(id));
            self.put_to(label, Instruction::Option { counter, target: 0 });
        }
        self.leave_by_flow(id);
        self.elements(id);
    }

    fn join(&mut self, id: StageId, stage: m::StageId) {
        let join = self.flow.stage(id);
        let branches = join.elements.len();
        self.put(Instruction::Join { stage, branches: branches as u16, take: join.take.unwrap_or(0) });
        for element in 0..branches as u32 {
            self.put_to(Label::Begin(id, element), Instruction::Branch { element: element as u16, target: 0 });
        }
        self.leave_by_flow(id);
        for (at, element) in join.elements.iter().enumerate() {
            self.mark(Label::Begin(id, at as u32));
            self.count(self.element_counter(id, at as u32));
            match element {
                Element::Step(step) => self.step(*step),
                Element::Chain(chain) => self.chain(*chain),
            }
        }
    }

    fn matching(&mut self, id: StageId, stage: m::StageId) {
        let arms = &self.flow.stage(id).arms;
        let mut open = true;
        for (at, arm) in arms.iter().enumerate() {
            let label = Label::Begin(id, at as u32);
            match arm.on {
                On::Verdict(word) => {
                    let word = self.emitter.word(word);
                    self.put_to(label, Instruction::IfWord { word, target: 0 });
                }
                On::Done(Some(counted)) => {
                    if let Some(counter) = self.entries(counted) {
                        self.put_to(label, Instruction::IfLast { counter, target: 0 });
                    }
                }
                On::Success | On::Default => {
                    self.put_to(label, Instruction::Jump { target: 0 });
                    open = false;
                    break;
                }
                On::Done(None) | On::Ending(_) => {}
            }
        }
        if open {
            self.put(Instruction::Fail { stage });
        }
        self.catching(id, stage);
        for (at, arm) in arms.iter().enumerate() {
            self.mark(Label::Begin(id, at as u32));
            match &arm.then {
                Then::Ends(ends) => {
                    self.put(Instruction::Pick {});
                    self.edges(id, at as u32, ends, None);
                }
                Then::Chain(chain) => {
                    let first = self.flow.chain(*chain).stages.first().copied();
                    self.count(first.and_then(|first| self.entries(first)));
                    self.chain(*chain);
                }
            }
        }
    }

    /// Where a match begins when it catches an ending of the stage above.
    fn catching(&mut self, id: StageId, stage: m::StageId) {
        let matching = self.flow.stage(id);
        if matching.catches.is_empty() || self.flow.above(id).is_none() {
            return;
        }
        self.handlers.insert(id, self.here());
        self.put(Instruction::Enter { stage });
        let everything_else = KindSet::default().with(EndKind::Failure).with(EndKind::Exhausted).with(EndKind::Timeout);
        let beside_success = matching.arms.iter().any(|arm| arm.on == On::Success);
        for (at, arm) in matching.arms.iter().enumerate() {
            let kinds = match arm.on {
                On::Ending(kind) => KindSet::default().with(kind),
                On::Default if beside_success => everything_else,
                _ => continue,
            };
            self.put_to(Label::Begin(id, at as u32), Instruction::IfKind { kinds, target: 0 });
        }
        self.put(Instruction::Fail { stage });
    }

    fn step(&mut self, id: StepId) {
        let step = self.flow.step(id);
        self.mark(Label::Step(id));
        let number = self.emitter.step_id(id);
        for (join, element) in step.refs.iter().filter_map(|source| source.wait) {
            let stage = self.emitter.stage_id(join);
            self.put(Instruction::Wait { stage, element: element as u16 });
        }
        for source in &step.refs {
            let register = self.register(source.of);
            self.put(Instruction::Ref { register });
        }
        if !step.refs.is_empty() {
            self.put(Instruction::Gather { step: number, parts: step.refs.len() > 1 });
        }
        if step.each {
            self.put_to(Label::Item(id), Instruction::Map { step: number, item: 0 });
            self.edges(step.stage, step.element, &step.outcomes, Some(id));
            self.item(id, number);
        } else {
            self.put(Instruction::Call { step: number });
            self.edges(step.stage, step.element, &step.outcomes, Some(id));
        }
    }

    /// One item of a fan-out: retried by itself, and handed in as it came where the step may `continue`.
    fn item(&mut self, id: StepId, number: m::StepId) {
        self.mark(Label::Item(id));
        self.put(Instruction::Call { step: number });
        let outcomes = &self.flow.step(id).outcomes;
        let retry = outcomes.iter().find(|outcome| matches!(outcome, Outcome::Retry(_)));
        let go_on = outcomes.contains(&Outcome::Continue);
        let after = 1 + u16::from(retry.is_some()) + u16::from(go_on);
        let next = self.emitter.text("next");
        self.put(Instruction::Edge { kind: EdgeKind::Next, word: next, counter: None, offset: after });
        if let Some(Outcome::Retry(times)) = retry {
            let word = self.emitter.text("retry");
            self.put(Instruction::Edge { kind: EdgeKind::Retry, word, counter: None, offset: *times });
        }
        if go_on {
            let word = self.emitter.text("continue");
            self.put(Instruction::Edge { kind: EdgeKind::Continue, word, counter: None, offset: 1 });
        }
        self.put(Instruction::Hand {});
    }

    fn register(&self, of: SourceOf) -> m::RegisterId {
        let found = match of {
            SourceOf::Input => Some(&m::INPUT),
            SourceOf::StageIn(stage) => self.slots.stage_in.get(&stage),
            SourceOf::StageOut(stage) => self.slots.stage_out.get(&stage),
            SourceOf::StepIn(step) => self.slots.step_in.get(&step),
            SourceOf::StepOut(step) => self.slots.step_out.get(&step),
        };
        found.copied().unwrap_or(m::INPUT)
    }

    /// The edges of a call or an arm, and behind them the code that each leads through.
    fn edges(&mut self, stage: StageId, element: u32, outcomes: &[Outcome], step: Option<StepId>) {
        // A retry of a fan-out is each item's own, unless there is nothing else.
        let each = step.is_some_and(|step| self.flow.step(step).each);
        let only_retry = outcomes.iter().all(|outcome| matches!(outcome, Outcome::Retry(_)));
        let mut stubs: Vec<(u32, Route)> = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            let unspoken = step.is_some_and(|step| self.flow.step(step).stands_in);
            let word = self.emitter.text(if unspoken { UNSPOKEN } else { outcome.word(self.flow) });
            let kind = edge_kind(outcome);
            match outcome {
                Outcome::Retry(_) if each && !only_retry => {}
                Outcome::Retry(times) => self.put(Instruction::Edge { kind, word, counter: None, offset: *times }),
                Outcome::Cancel | Outcome::Timeout => {
                    self.put(Instruction::Edge { kind, word, counter: None, offset: 0 })
                }
                _ => {
                    let Some(dest) = self.flow.dest(stage, element, *outcome) else {
                        // A `back` to above the first element: a worker may say it, and it cannot be taken.
                        self.put(Instruction::Edge { kind, word, counter: None, offset: 0 });
                        continue;
                    };
                    let route = self.route(stage, dest, matches!(outcome, Outcome::Jump { .. }));
                    let counter = match route.enter.first() {
                        Some(first) => self.entries(*first),
                        None => self.dest_counter(dest),
                    };
                    stubs.push((self.here(), route));
                    self.put(Instruction::Edge { kind, word, counter, offset: 0 });
                }
            }
        }
        for (edge, route) in stubs {
            let offset = self.here() - edge;
            if offset > u32::from(u16::MAX) {
                self.far = self.far.or(step);
            }
            if let Some(word) = self.emitter.module.code.get_mut(edge as usize) {
                *word |= u64::from(offset as u16);
            }
            self.follow(&route);
        }
    }

    fn dest_counter(&self, dest: Dest) -> Option<CounterId> {
        match dest {
            Dest::Element(stage, element) => self.element_counter(stage, element),
            Dest::Stage(stage) => self.entries(stage),
            Dest::Chooser(_) | Dest::Part(..) | Dest::Return(_) => None,
        }
    }

    /// From inside a stage to a destination of the same function.
    fn route(&self, from: StageId, dest: Dest, jump: bool) -> Route {
        let around = match dest {
            Dest::Element(stage, _) | Dest::Chooser(stage) | Dest::Part(stage, _) => Some(stage),
            Dest::Stage(stage) => self.flow.stage(stage).around,
            Dest::Return(_) => None,
        };
        let mut leave = Vec::new();
        let mut enter = Vec::new();
        let (mut inner, mut outer) = (Some(from), around);
        while inner != outer {
            // A stage stands after the stage around it.
            match (inner, outer) {
                (Some(stage), _) if inner > outer => {
                    leave.push(stage);
                    inner = self.flow.stage(stage).around;
                }
                (_, Some(stage)) => {
                    enter.push(stage);
                    outer = self.flow.stage(stage).around;
                }
                _ => break,
            }
        }
        enter.reverse();
        Route { leave, enter, dest, jump }
    }

    /// Writes a route; what it enters first has been counted by whoever leads here.
    fn follow(&mut self, route: &Route) {
        for stage in &route.leave {
            let stage = self.emitter.stage_id(*stage);
            self.put(Instruction::Leave { stage, jump: route.jump });
        }
        for (nth, stage) in route.enter.iter().enumerate() {
            if nth > 0 {
                self.count(self.entries(*stage));
            }
            let stage = self.emitter.stage_id(*stage);
            self.put(Instruction::Enter { stage });
        }
        if !route.enter.is_empty() {
            self.count(self.dest_counter(route.dest));
        }
        let label = match route.dest {
            Dest::Element(stage, element) => self.element_label(stage, element),
            Dest::Stage(stage) => Some(Label::Stage(stage)),
            Dest::Chooser(stage) => Some(Label::Chooser(stage)),
            Dest::Part(..) => return self.put(Instruction::Hand {}),
            Dest::Return(_) => return self.put(Instruction::Return {}),
        };
        if let Some(label) = label {
            self.put_to(label, Instruction::Jump { target: 0 });
        }
    }

    /// Where a select or a join goes on when it has ended.
    fn leave_by_flow(&mut self, id: StageId) {
        let mut route = self.route(id, self.flow.exit(id), false);
        // Nobody has counted yet, and whoever counts must stand outside what it leaves.
        for stage in std::mem::take(&mut route.leave) {
            let stage = self.emitter.stage_id(stage);
            self.put(Instruction::Leave { stage, jump: false });
        }
        self.count(self.dest_counter(route.dest));
        self.follow(&route);
    }
}

fn edge_kind(outcome: &Outcome) -> EdgeKind {
    match outcome {
        Outcome::Next => EdgeKind::Next,
        Outcome::Continue => EdgeKind::Continue,
        Outcome::Send => EdgeKind::Send,
        Outcome::Back(_) => EdgeKind::Back,
        Outcome::Retry(_) => EdgeKind::Retry,
        Outcome::Jump { .. } => EdgeKind::Jump,
        Outcome::Cancel => EdgeKind::Cancel,
        Outcome::Timeout => EdgeKind::Timeout,
    }
}
