//! Flow graph to module. Nothing is decided here: each node has one shape of code, and whoever hands control to a node
//! counts its entry (an `edge`, an `option`, a `count` before it, or the machine for a handler).
//!
//! `emit/code.rs` writes the code of one function; here are the tables around it.

use crate::diagnostic::{Code, Diagnostic};
use crate::flow::{self, Flow};
use crate::span::Span;
use crate::words::Word;
use aivm_schema::module::{self as m, Module};
use rustc_hash::FxHashMap;

mod code;

/// The module of a flow graph, and where its nodes were written.
///
/// Fails only when a table of the module overflows: a program of more than 65,535 steps, say.
pub fn emit(flow: &Flow) -> Result<(Module, m::Debug), Diagnostic> {
    let mut emitter = Emitter::new(flow);
    emitter.number();
    for function in emitter.order.clone() {
        emitter.function(function)?;
    }
    emitter.tables()?;
    Ok((emitter.module, emitter.debug))
}

/// A module while it grows.
struct Emitter<'a> {
    flow: &'a Flow,
    module: Module,
    debug: m::Debug,
    /// The functions that the program reaches, callers first.
    order: Vec<flow::FunctionId>,
    functions: FxHashMap<flow::FunctionId, m::FunctionId>,
    /// By flow index; `u16::MAX` where the node is not emitted.
    stages: Vec<u16>,
    steps: Vec<u16>,
    workers: FxHashMap<flow::WorkerId, m::WorkerId>,
    /// Those workers in the order of their rows.
    called: Vec<flow::WorkerId>,
    words: FxHashMap<Word, m::WordId>,
    texts: FxHashMap<String, m::WordId>,
    /// Set when a table overflowed.
    overflow: Option<&'static str>,
}

/// The counters and registers of one function, by flow index.
struct Slots {
    entries: FxHashMap<flow::StageId, m::CounterId>,
    choices: FxHashMap<flow::StageId, m::CounterId>,
    visits: FxHashMap<flow::StepId, m::CounterId>,
    inside: FxHashMap<flow::StageId, (u16, u16)>,
    stage_in: FxHashMap<flow::StageId, m::RegisterId>,
    stage_out: FxHashMap<flow::StageId, m::RegisterId>,
    step_in: FxHashMap<flow::StepId, m::RegisterId>,
    step_out: FxHashMap<flow::StepId, m::RegisterId>,
    limits: Vec<u16>,
    registers: usize,
}

impl<'a> Emitter<'a> {
    fn new(flow: &'a Flow) -> Emitter<'a> {
        Emitter {
            flow,
            module: Module { limits: flow.limits, concurrent: flow.concurrent.map(Into::into), ..Module::default() },
            debug: m::Debug { files: flow.places.files.clone(), ..m::Debug::default() },
            order: Vec::new(),
            functions: FxHashMap::default(),
            stages: vec![u16::MAX; flow.stages.len()],
            steps: vec![u16::MAX; flow.steps.len()],
            workers: FxHashMap::default(),
            called: Vec::new(),
            words: FxHashMap::default(),
            texts: FxHashMap::default(),
            overflow: None,
        }
    }

    /// A table index; past its end the overflow is remembered and reported once.
    fn index(&mut self, table: &'static str, at: usize) -> u16 {
        u16::try_from(at).ok().filter(|at| *at != u16::MAX).unwrap_or_else(|| {
            self.overflow.get_or_insert(table);
            0
        })
    }

    /// Decides which functions, stages and steps are emitted, and their numbers.
    fn number(&mut self) {
        let flow = self.flow;
        let mut reached = vec![false; flow.functions.len()];
        for (at, function) in flow.functions.iter().enumerate() {
            if at > 0 && !reached[at] {
                continue;
            }
            reached[at] = true;
            let number = m::FunctionId(self.index("functions", self.order.len()));
            self.functions.insert(flow::FunctionId(at as u32), number);
            self.order.push(flow::FunctionId(at as u32));
            for step in &flow.steps[function.steps.0 as usize..function.steps.1 as usize] {
                for target in [Some(step.target), step.undo].into_iter().flatten() {
                    if let flow::Target::Function(callee) = target {
                        reached[callee.index()] = true;
                    }
                }
            }
        }
        let (mut stages, mut steps) = (0, 0);
        for function in self.order.clone() {
            let function = flow.function(function);
            for stage in function.stages.0..function.stages.1 {
                self.stages[stage as usize] = self.index("stages", stages);
                stages += 1;
            }
            for step in function.steps.0..function.steps.1 {
                self.steps[step as usize] = self.index("steps", steps);
                steps += 1;
            }
        }
    }

    fn stage_id(&self, id: flow::StageId) -> m::StageId {
        m::StageId(self.stages[id.index()])
    }

    fn step_id(&self, id: flow::StepId) -> m::StepId {
        m::StepId(self.steps[id.index()])
    }

    fn word(&mut self, word: Word) -> m::WordId {
        if let Some(id) = self.words.get(&word) {
            return *id;
        }
        let flow = self.flow;
        let id = self.text(flow.word(word));
        self.words.insert(word, id);
        id
    }

    fn text(&mut self, text: &str) -> m::WordId {
        if let Some(id) = self.texts.get(text) {
            return *id;
        }
        let id = m::WordId(self.index("words", self.module.words.len()));
        self.module.words.push(text.to_owned());
        self.texts.insert(text.to_owned(), id);
        id
    }

    fn worker(&mut self, id: flow::WorkerId) -> m::WorkerId {
        if let Some(known) = self.workers.get(&id) {
            return *known;
        }
        let number = m::WorkerId(self.index("workers", self.module.workers.len()));
        let worker = self.flow.worker(id);
        let (money, tokens) = worker.price;
        self.module.workers.push(m::Worker {
            name: worker.name.clone(),
            definition: worker.definition.to_json(),
            money: money.map(|money| money.0),
            tokens: tokens.map(|tokens| tokens.0),
        });
        self.workers.insert(id, number);
        self.called.push(id);
        number
    }

    fn target(&mut self, target: flow::Target) -> m::StepTarget {
        match target {
            flow::Target::Worker(worker) => m::StepTarget::Worker(self.worker(worker)),
            flow::Target::Function(function) => {
                m::StepTarget::Function(self.functions.get(&function).copied().unwrap_or(m::FunctionId(0)))
            }
        }
    }

    /// Code and table rows of one function.
    fn function(&mut self, id: flow::FunctionId) -> Result<(), Diagnostic> {
        let flow = self.flow;
        let function = flow.function(id);
        let slots = self.slots(function);
        let (entry, handlers) = code::write(self, id, &slots)?;
        for stage in function.stages.0..function.stages.1 {
            self.stage_row(flow::StageId(stage), &slots, &handlers);
        }
        for step in function.steps.0..function.steps.1 {
            self.step_row(flow::StepId(step), &slots);
        }
        let mut verdicts: Vec<m::WordId> = function.verdicts.iter().map(|word| self.word(*word)).collect();
        verdicts.sort_unstable();
        let first_stage =
            self.index("stages", self.module.stages.len() - (function.stages.1 - function.stages.0) as usize);
        let first_step = self.index("steps", self.module.steps.len() - (function.steps.1 - function.steps.0) as usize);
        let row = m::Function {
            name: function.name.clone(),
            entry,
            end: self.module.code.len() as u32,
            stages: (first_stage, (function.stages.1 - function.stages.0) as u16),
            steps: (first_step, (function.steps.1 - function.steps.0) as u16),
            registers: self.index("registers", slots.registers),
            counters: slots.limits,
            verdicts,
        };
        self.module.functions.push(row);
        self.check_overflow(function)
    }

    fn check_overflow(&self, function: &flow::Function) -> Result<(), Diagnostic> {
        let Some(table) = self.overflow else { return Ok(()) };
        let span = self.flow.places.stages.get(function.stages.0 as usize).map_or(Span::default(), |place| place.1);
        Err(Diagnostic::new(
            Code::TooLarge,
            span,
            format!("the program has too many {table}: a module holds fewer than 65,535"),
        )
        .help("move a part of it into a pipeline of its own, and run that from a command"))
    }

    /// Counters are numbered so that those inside a stage stand together: entering it sets them to zero at once.
    fn slots(&mut self, function: &flow::Function) -> Slots {
        let mut slots = Slots {
            entries: FxHashMap::default(),
            choices: FxHashMap::default(),
            visits: FxHashMap::default(),
            inside: FxHashMap::default(),
            stage_in: FxHashMap::default(),
            stage_out: FxHashMap::default(),
            step_in: FxHashMap::default(),
            step_out: FxHashMap::default(),
            limits: Vec::new(),
            registers: 1,
        };
        if let Some(chain) = function.chain {
            self.count_chain(chain, &mut slots);
        }
        for at in function.stages.0..function.stages.1 {
            let id = flow::StageId(at);
            let stage = self.flow.stage(id);
            if stage.input_used || self.flow.catcher(id).is_some() {
                let register = self.register(&mut slots);
                slots.stage_in.insert(id, register);
            }
            if stage.output_used {
                let register = self.register(&mut slots);
                slots.stage_out.insert(id, register);
            }
        }
        for at in function.steps.0..function.steps.1 {
            let id = flow::StepId(at);
            let step = self.flow.step(id);
            if step.input_used {
                let register = self.register(&mut slots);
                slots.step_in.insert(id, register);
            }
            if step.output_used {
                let register = self.register(&mut slots);
                slots.step_out.insert(id, register);
            }
        }
        slots
    }

    fn register(&mut self, slots: &mut Slots) -> m::RegisterId {
        slots.registers += 1;
        m::RegisterId(self.index("registers", slots.registers - 1))
    }

    fn counter(&mut self, slots: &mut Slots, most: u16) -> m::CounterId {
        slots.limits.push(most);
        m::CounterId(self.index("counted steps", slots.limits.len() - 1))
    }

    fn count_chain(&mut self, chain: flow::ChainId, slots: &mut Slots) {
        let flow = self.flow;
        for id in &flow.chain(chain).stages {
            let stage = flow.stage(*id);
            if let Some(count) = stage.entries {
                let counter = self.counter(slots, count.most);
                slots.entries.insert(*id, counter);
            }
            let first = slots.limits.len();
            if let Some(most) = stage.choices {
                let counter = self.counter(slots, most);
                slots.choices.insert(*id, counter);
            }
            for element in &stage.elements {
                match element {
                    flow::Element::Step(step) => {
                        if let Some(count) = flow.step(*step).visits {
                            let counter = self.counter(slots, count.most);
                            slots.visits.insert(*step, counter);
                        }
                    }
                    flow::Element::Chain(chain) => self.count_chain(*chain, slots),
                }
            }
            for arm in &stage.arms {
                if let flow::Then::Chain(chain) = arm.then {
                    self.count_chain(chain, slots);
                }
            }
            slots.inside.insert(*id, (first as u16, (slots.limits.len() - first) as u16));
        }
    }

    fn stage_row(&mut self, id: flow::StageId, slots: &Slots, handlers: &FxHashMap<flow::StageId, u32>) {
        let flow = self.flow;
        let stage = flow.stage(id);
        let handler = flow.catcher(id).and_then(|catcher| {
            Some(m::Handler {
                kinds: flow.stage(catcher).catches,
                counter: slots.entries.get(&catcher).copied(),
                target: *handlers.get(&catcher)?,
            })
        });
        let names = match stage.kind {
            m::StageKind::Select | m::StageKind::Join => {
                (0..stage.elements.len() as u32).map(|element| self.text(&flow.element_name(id, element))).collect()
            }
            m::StageKind::Match => {
                stage.arms.iter().filter_map(|arm| arm.on.word(flow)).map(|word| self.text(word)).collect()
            }
            m::StageKind::Switch => Vec::new(),
        };
        let row = m::Stage {
            key: stage.key.clone(),
            kind: stage.kind,
            around: stage.around.map(|around| self.stage_id(around)),
            deadline_ms: stage.deadline_ms,
            money: stage.money,
            tokens: stage.tokens,
            input: slots.stage_in.get(&id).copied(),
            output: slots.stage_out.get(&id).copied(),
            counters: slots.inside.get(&id).copied().unwrap_or_default(),
            handler,
            chooser: stage.chooser.map(|chooser| self.worker(chooser)),
            names,
        };
        self.module.stages.push(row);
        let (file, span) = flow.places.stages.get(id.index()).copied().unwrap_or_default();
        self.debug.stages.push((file, span.start, span.end));
    }

    fn step_row(&mut self, id: flow::StepId, slots: &Slots) {
        let flow = self.flow;
        let step = flow.step(id);
        let mut verdicts: Vec<m::WordId> = step.verdicts.iter().map(|word| self.word(*word)).collect();
        verdicts.sort_unstable();
        let row = m::Step {
            name: step.name.clone(),
            stage: self.stage_id(step.stage),
            target: self.target(step.target),
            behaviours: step.behaviours.iter().map(|behaviour| behaviour.0 as u16).collect(),
            deadline_ms: step.deadline_ms,
            money: step.money,
            tokens: step.tokens,
            input: slots.step_in.get(&id).copied(),
            output: slots.step_out.get(&id).copied(),
            undo: step.undo.map(|undo| self.target(undo)),
            verdicts,
        };
        self.module.steps.push(row);
        let (file, span) = flow.places.steps.get(id.index()).copied().unwrap_or_default();
        self.debug.steps.push((file, span.start, span.end));
    }

    fn tables(&mut self) -> Result<(), Diagnostic> {
        let flow = self.flow;
        self.module.behaviours = flow
            .behaviours
            .iter()
            .map(|behaviour| m::Behaviour {
                name: behaviour.name.clone(),
                definition: serde_json::to_string(&behaviour.definition).unwrap_or_default(),
            })
            .collect();
        let params = flow.params.iter();
        let params = params.map(|(name, param)| m::Param { name: name.clone(), definition: param.to_json() });
        self.module.params = params.collect();
        self.index("behaviours", flow.behaviours.len());
        // No step calls a probe, but whoever resumes the run may; it may have one itself.
        let mut at = 0;
        while let Some(id) = self.called.get(at) {
            if let Some(probe) = flow.worker(*id).probe {
                self.worker(probe);
            }
            at += 1;
        }
        match flow.functions.first() {
            Some(program) => self.check_overflow(program),
            None => Ok(()),
        }
    }
}

impl flow::On {
    /// The word that an arm is written with.
    pub fn word<'a>(&self, flow: &'a Flow) -> Option<&'a str> {
        use aivm_schema::module::EndKind;
        Some(match self {
            flow::On::Verdict(word) => flow.word(*word),
            flow::On::Success => "success",
            flow::On::Done(_) => "done",
            flow::On::Default => "default",
            flow::On::Ending(EndKind::Cancel) => "cancel",
            flow::On::Ending(EndKind::Failure) => "failure",
            flow::On::Ending(EndKind::Exhausted) => "exhausted",
            flow::On::Ending(EndKind::Timeout) => "timeout",
        })
    }
}
