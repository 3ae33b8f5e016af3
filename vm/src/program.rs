//! A verified module with what the machine looks up at every step worked out once: edges, words and keys.

use crate::action::Word;
use crate::outcome::Edge;
use crate::verify::VerifiedModule;
use aivm_schema::isa::Instruction;
use aivm_schema::module::{
    EdgeKind, Function, FunctionId, INPUT, Module, RegisterId, Stage, StageId, Step, StepId, WordId,
};
use aivm_schema::word::UNSPOKEN;
use rustc_hash::FxHashSet;
use std::sync::Arc;

pub(crate) struct Program {
    verified: VerifiedModule,
    words: Vec<Word>,
    /// The words, sorted by their letters; a hash could be made to collide.
    sorted: Vec<WordId>,
    /// Every edge of the code, in order; by address, the first and the number of those that follow.
    edges: Vec<Edge>,
    outcomes: Vec<(u32, u32)>,
    /// `stage/step` of each step, and each stage's key.
    steps: Vec<Arc<str>>,
    stages: Vec<Arc<str>>,
    /// The name of each register of each function, for parts.
    registers: Vec<Vec<Arc<str>>>,
    /// Some stage or step has a budget of its own.
    budgets: bool,
}

impl Program {
    pub fn new(verified: VerifiedModule) -> Program {
        let module = verified.module();
        let words: Vec<Word> = module.words.iter().map(|word| word.as_str().into()).collect();
        let mut sorted: Vec<WordId> = (0..words.len()).map(|at| WordId(at as u16)).collect();
        sorted.sort_unstable_by_key(|id| &words[id.index()]);
        let steps = module.steps.iter().map(|step| path(&module.stages[step.stage.index()].key, &step.name)).collect();
        let stages = module.stages.iter().map(|stage| stage.key.as_str().into()).collect();
        let budgets = module.stages.iter().any(|stage| stage.money.is_some() || stage.tokens.is_some())
            || module.steps.iter().any(|step| step.money.is_some() || step.tokens.is_some());
        let registers = module.functions.iter().map(|function| register_names(module, function)).collect();
        let (edges, outcomes) = collect_edges(verified.code());
        Program { words, sorted, edges, outcomes, steps, stages, registers, budgets, verified }
    }

    pub fn module(&self) -> &Module {
        self.verified.module()
    }

    #[inline]
    pub fn code(&self) -> &[Instruction] {
        self.verified.code()
    }

    #[inline]
    pub fn function(&self, id: FunctionId) -> &Function {
        &self.module().functions[id.index()]
    }

    #[inline]
    pub fn stage(&self, id: StageId) -> &Stage {
        &self.module().stages[id.index()]
    }

    #[inline]
    pub fn step(&self, id: StepId) -> &Step {
        &self.module().steps[id.index()]
    }

    #[inline]
    pub fn word(&self, id: WordId) -> &Word {
        &self.words[id.index()]
    }

    pub fn word_id(&self, text: &str) -> Option<WordId> {
        let at = self.sorted.binary_search_by(|id| (**self.word(*id)).cmp(text)).ok()?;
        self.sorted.get(at).copied()
    }

    /// The edges that follow the `call`, `map` or `pick` at `pc`.
    #[inline]
    pub fn edges(&self, pc: u32) -> &[Edge] {
        let (first, count) = self.outcomes[pc as usize];
        &self.edges[first as usize..(first + count) as usize]
    }

    #[inline]
    pub fn step_path(&self, id: StepId) -> &Arc<str> {
        &self.steps[id.index()]
    }

    pub fn stage_key(&self, id: StageId) -> &Arc<str> {
        &self.stages[id.index()]
    }

    pub fn register_name(&self, function: FunctionId, register: RegisterId) -> &str {
        self.registers[function.index()].get(register.index()).map_or("", |name| name)
    }

    pub fn has_budgets(&self) -> bool {
        self.budgets
    }

    /// How an edge is shown among those that were passed over: `back`, `step2.jump`.
    pub fn edge_text(&self, edge: &Edge) -> String {
        match edge.kind {
            EdgeKind::Jump => format!("{}.jump", self.word(edge.word)),
            kind => kind.word().to_owned(),
        }
    }

    /// The words that the step at `pc` may answer: those of its edges, then its verdicts.
    pub fn closed_set(&self, pc: u32, step: StepId) -> Vec<&str> {
        let verdicts = self.step(step).verdicts.iter().copied();
        let words = self.edges(pc).iter().map(|edge| edge.word).chain(verdicts);
        let mut seen = FxHashSet::default();
        words
            .filter(|word| seen.insert(*word))
            .map(|word| &**self.word(word))
            .filter(|word| *word != UNSPOKEN)
            .collect()
    }
}

fn path(stage: &str, step: &str) -> Arc<str> {
    if stage.is_empty() { step.into() } else { format!("{stage}/{step}").into() }
}

fn collect_edges(code: &[Instruction]) -> (Vec<Edge>, Vec<(u32, u32)>) {
    let mut edges = Vec::new();
    let mut outcomes = vec![(0, 0); code.len()];
    let (mut owner, mut retries) = (None, 0u32);
    for (at, instruction) in code.iter().enumerate() {
        match *instruction {
            Instruction::Edge { kind, word, counter, offset } => {
                if kind == EdgeKind::Retry {
                    retries = retries.saturating_add(offset.into());
                }
                edges.push(Edge { kind, word, counter, offset, retries, at: at as u32 });
                if let Some(owner) = owner {
                    let (_, count): &mut (u32, u32) = &mut outcomes[owner];
                    *count += 1;
                }
            }
            Instruction::Call { .. } | Instruction::Map { .. } | Instruction::Pick {} => {
                outcomes[at].0 = edges.len() as u32;
                (owner, retries) = (Some(at), 0);
            }
            _ => owner = None,
        }
    }
    (edges, outcomes)
}

fn register_names(module: &Module, function: &Function) -> Vec<Arc<str>> {
    let mut names: Vec<Arc<str>> = vec!["".into(); function.registers.into()];
    let mut set = |register: Option<RegisterId>, name: &str| {
        if let Some(slot) = register.and_then(|register| names.get_mut(register.index())) {
            *slot = name.into();
        }
    };
    set(Some(INPUT), "in");
    let rows = |(first, count): (u16, u16)| usize::from(first)..usize::from(first) + usize::from(count);
    for stage in module.stages.get(rows(function.stages)).unwrap_or(&[]) {
        set(stage.input, &stage.key);
        set(stage.output, &stage.key);
    }
    for step in module.steps.get(rows(function.steps)).unwrap_or(&[]) {
        set(step.input, &step.name);
        set(step.output, &step.name);
    }
    names
}
