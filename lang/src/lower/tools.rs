//! A model with tools is a small loop, and a loop is a definition: the model is asked, a match looks at what it wants, the tool is
//! called as every worker is, and what it returned flows into the question again, behind what was asked and wanted before. So
//! each call of a tool is a step of the graph: counted, paid for, journaled, undone.
//!
//! ```text
//! switch[ask] <rounds>: the model ──► match[tools] ─┬─ a tool's word ─► switch[tool]: the tool ─► ask
//!                                                   └─ anything else ─► out
//! ```
//!
//! The model's input is always a list: what came in, or what it was asked with before, what it wanted, what came of that.

use super::*;
use crate::library::Found;
use aivm_schema::module::StageKind;
use aivm_schema::word::{BY_ENDING, is_reserved};
use aivm_schema::worker::{Does, Offer, Tools, WorkerDefinition};

/// The most tools of one model: more than any provider takes.
const MOST_TOOLS: usize = 128;

/// The longest name that providers take.
const LONGEST: usize = 64;

/// A tool of a model.
struct Tool {
    word: String,
    target: Target,
}

/// Why a worker cannot be the tool of a model; none: it can.
fn no_tool(definition: &WorkerDefinition) -> Option<&'static str> {
    match &definition.does {
        Does::Model(ask) if !ask.tools.is_empty() || !definition.memory.is_empty() => {
            Some("it has tools of its own, which are called in a loop of its own")
        }
        Does::Human(_) => Some("what a person decides is an outcome of a step, and a tool has none"),
        _ => None,
    }
}

impl File<'_, '_> {
    /// Makes loops of the steps of this file that call a model with tools.
    pub(super) fn loop_over_tools(&mut self) {
        for at in 0..self.steps.len() {
            let (node, id) = self.steps[at];
            let Target::Worker(model) = self.all.flow.step(id).target else { continue };
            let Some(Worker { name, definition, .. }) = self.all.flow.workers.get(model.index()) else { continue };
            let Does::Model(ask) = &definition.does else { continue };
            let (memory, allowed) = (definition.memory.tools(name), ask.tools.clone());
            if ask.tools.is_empty() && memory.is_empty() {
                continue;
            }
            let name = name.clone();
            let span = self.spans.steps[node.index()].worker;
            let defined = self.definition_span(model, span);
            let answers = definition.words.clone();
            let Some(mut tools) = self.tools(&name, &allowed, defined) else { continue };
            for (word, definition) in memory {
                // A worker of one's own is called instead, and one that is denied is not called.
                if !allowed.denies(word) && tools.iter().all(|tool| tool.word != word) {
                    let target = self.worker(word, definition, defined);
                    tools.push(Tool { word: word.to_owned(), target });
                }
            }
            if tools.is_empty() {
                continue;
            }
            if let Some(both) = tools.iter().find(|tool| answers.contains(&tool.word)) {
                let message = format!("`{}` is a tool of the model `{name}`, and one of its `words`", both.word);
                self.report(
                    Diagnostic::new(Code::WorkerDefinition, defined, message)
                        .help("define a worker of another name that does the same, and give it that as a tool"),
                );
                continue;
            }
            let model = self.offering(model, &tools);
            self.declare_loop(id, model, allowed.rounds.get(), &tools, span);
        }
    }

    /// Whom the model may call; none when something about them was reported.
    fn tools(&mut self, model: &str, allowed: &Tools, span: Span) -> Option<Vec<Tool>> {
        let mut words: Vec<String> = Vec::new();
        let wrong = |message: String| Diagnostic::new(Code::WorkerDefinition, span, message);
        for allow in &allowed.allow {
            match allow.strip_suffix('*') {
                None => words.push(allow.clone()),
                Some(start) => {
                    let mut known = self.all.library.own_names(self.name);
                    known.extend(self.front.worker.keys().chain(self.definitions.keys()).cloned());
                    known.retain(|name| name.starts_with(start) && name != model);
                    if known.is_empty() {
                        self.report(
                            wrong(format!("the model `{model}` is given tools `{allow}`, and nothing is called so"))
                                .help("a pattern stands for the words that begin so: those of this file, of files beside it and of the project"),
                        );
                        return None;
                    }
                    words.extend(known);
                }
            }
        }
        words.retain(|word| allowed.allows(word));
        let mut seen = rustc_hash::FxHashSet::default();
        words.retain(|word| seen.insert(word.clone()));
        if words.len() > MOST_TOOLS {
            self.report(wrong(format!(
                "the model `{model}` is given {} tools: at most {MOST_TOOLS} can be shown to it",
                words.len()
            )));
            return None;
        }
        let mut tools = Vec::with_capacity(words.len());
        for word in words {
            if word.len() > LONGEST {
                let message =
                    format!("the model `{model}` cannot be given a tool `{word}`: providers take {LONGEST} letters");
                self.report(wrong(message).help("define a worker of a shorter name that does the same"));
                return None;
            }
            if is_reserved(&word) || BY_ENDING.contains(&word.as_str()) {
                self.report(
                    wrong(format!(
                        "the model `{model}` cannot be given a tool `{word}`: that is a word of the language"
                    ))
                    .help("define a worker of another name that does the same"),
                );
                return None;
            }
            let target = self.named_target(&word, span)?;
            if let Target::Worker(worker) = target
                && let Some(why) = no_tool(&self.all.flow.worker(worker).definition)
            {
                self.report(
                    wrong(format!("the model `{model}` cannot be given `{word}` as a tool: {why}")).help(format!(
                        "give it a definition that calls it: `NAME <= ( switch <= ( {word} => send ) )`"
                    )),
                );
                return None;
            }
            tools.push(Tool { word, target });
        }
        Some(tools)
    }

    /// What a model is shown of a tool. A built-in with settings of one's own is still what its word is.
    fn offer(&self, tool: &Tool) -> Offer {
        let (mut about, mut schema) = (String::new(), None);
        if let Target::Worker(worker) = tool.target {
            let definition = &self.all.flow.worker(worker).definition;
            (about, schema) = (definition.about.clone(), definition.accepts_schema.clone());
            if let Does::Builtin(name) = &definition.does
                && let Ok(Some(Found::Worker(own))) = self.all.library.find(self.name, name)
                && own.does == definition.does
            {
                about = if about.is_empty() { own.about } else { about };
                schema = schema.or(own.accepts_schema);
            }
        }
        Offer { word: tool.word.clone(), about, schema }
    }

    /// The model as it is called in its loop: the definition says what it is shown of each tool.
    fn offering(&mut self, model: WorkerId, tools: &[Tool]) -> WorkerId {
        let offers: Vec<Offer> = tools.iter().map(|tool| self.offer(tool)).collect();
        let Worker { name, mut definition, place, .. } = self.all.flow.worker(model).clone();
        if let Does::Model(ask) = &mut definition.does {
            ask.tools.offers = offers;
        }
        match self.worker(&name, definition, place.1) {
            Target::Worker(id) => id,
            Target::Function(_) => model,
        }
    }

    fn bare_chain(&mut self, inside: Inside) -> ChainId {
        let chains = &mut self.all.flow.chains;
        chains.push(Chain { stages: Vec::new(), inside });
        ChainId(chains.len() as u32 - 1)
    }

    /// A stage at the end of a chain.
    fn bare_stage(
        &mut self,
        kind: StageKind,
        label: &str,
        chain: ChainId,
        function: FunctionId,
        around: Option<StageId>,
        span: Span,
    ) -> StageId {
        let number = self.number;
        let flow = &mut self.all.flow;
        let id = StageId(flow.stages.len() as u32);
        let position = flow.chain(chain).stages.len() as u32;
        let word = flow.words.intern(label);
        let stage = Stage::new(kind, label.to_owned(), chain, position, around, function);
        flow.stages.push(Stage { label: Some(word), ..stage });
        flow.places.stages.push((number, span));
        flow.chains[chain.index()].stages.push(id);
        id
    }

    /// A step at the end of a stage.
    fn bare_step(&mut self, name: String, stage: StageId, target: Target, span: Span) -> StepId {
        let number = self.number;
        let flow = &mut self.all.flow;
        let id = StepId(flow.steps.len() as u32);
        let elements = &mut flow.stages[stage.index()].elements;
        elements.push(Element::Step(id));
        let element = elements.len() as u32 - 1;
        flow.steps.push(Step::new(name, stage, element, target));
        flow.places.steps.push((number, span));
        id
    }

    /// The definition that a step calls instead of its model.
    fn declare_loop(&mut self, caller: StepId, model: WorkerId, rounds: u16, tools: &[Tool], span: Span) {
        let name = self.all.flow.worker(model).name.clone();
        let function = self.function(name.clone(), span);
        let first = (self.all.flow.stages.len() as u32, self.all.flow.steps.len() as u32);
        let body = self.bare_chain(Inside::Function(function));
        let ask = self.bare_stage(StageKind::Switch, "ask", body, function, None, span);
        let choose = self.bare_stage(StageKind::Match, "tools", body, function, None, span);
        let asked = self.bare_step(name, ask, Target::Worker(model), span);
        let flow = &mut self.all.flow;
        let stage = &mut flow.stages[ask.index()];
        (stage.entries, stage.input_used) = (Some(Count { most: rounds, written: true }), true);
        let behaviours = std::mem::take(&mut flow.steps[caller.index()].behaviours);
        let before = [SourceOf::StepIn(asked), SourceOf::StepOut(asked), SourceOf::StageIn(ask)];
        let again = Outcome::Jump { stage: ask, element: None, word: flow.words.intern("ask") };
        let step = &mut flow.steps[asked.index()];
        step.refs = before.map(|of| Source { of, wait: None }).to_vec();
        (step.outcomes, step.stands_in, step.behaviours) = (vec![Outcome::Next], true, behaviours);
        (step.input_used, step.output_used) = (true, true);
        let mut arms = Vec::with_capacity(tools.len() + 1);
        for (at, tool) in tools.iter().enumerate() {
            let chain = self.bare_chain(Inside::Arm(choose, at as u32));
            let call = self.bare_stage(StageKind::Switch, "tool", chain, function, Some(choose), span);
            let called = self.bare_step(tool.word.clone(), call, tool.target, span);
            self.declared_undo(called, span);
            self.declared_probe(Some(tool.target), span);
            let flow = &mut self.all.flow;
            // Also when it failed: that is no end, the model is told.
            flow.steps[called.index()].outcomes = vec![again];
            let word = flow.words.intern(&tool.word);
            arms.push(Arm { on: On::Verdict(word), then: Then::Chain(chain) });
        }
        arms.push(Arm { on: On::Default, then: Then::Ends(vec![Outcome::Send]) });
        let flow = &mut self.all.flow;
        flow.stages[choose.index()].arms = arms;
        let (stages, steps) = (flow.stages.len() as u32, flow.steps.len() as u32);
        let function_row = &mut flow.functions[function.index()];
        (function_row.chain, function_row.stages, function_row.steps) =
            (Some(body), (first.0, stages), (first.1, steps));
        flow.steps[caller.index()].target = Target::Function(function);
    }
}
