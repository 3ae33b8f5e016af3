//! Tree to flow graph: names become targets, labels become stages, limits and defaults become counts. Everything that the
//! language forbids beyond its grammar is refused here, with all independent errors of a file at once.
//!
//! Warnings about programs that are allowed but look wrong are `check`'s; code is `emit`'s.

use crate::diagnostic::{Code, Diagnostic, MOST_ERRORS, MOST_FOUND};
use crate::flow::{self, *};
use crate::front::FrontMatter;
use crate::library::Library;
use crate::parser::Parsed;
use crate::span::Span;
use crate::tree::{self, Tree};
use crate::words::Word;
use aivm_schema::limits::CALLS_DEEP;
use aivm_schema::module::StageKind;
use rustc_hash::FxHashMap;

mod choosers;
mod defaults;
mod limits;
mod names;
mod outcomes;
mod refs;
mod tools;
mod verdicts;

/// Files may call files; so deep and no deeper.
const FILES_DEEP: usize = 64;

/// The count that closes a cycle on which nothing is counted, unless front matter or project set another.
const DEFAULT_COUNT: u16 = 8;

/// The flow graph of a parsed file and of all that it calls.
pub fn lower(
    file: &str,
    source: &str,
    tree: &Tree,
    spans: &tree::Spans,
    library: &dyn Library,
) -> Result<Flow, Vec<Diagnostic>> {
    let mut lowering = Lowering {
        flow: Flow {
            words: tree.words.clone(),
            limits: library.limits().of_run(),
            concurrent: library.limits().concurrent,
            ..Flow::default()
        },
        library,
        programs: FxHashMap::default(),
        workers: FxHashMap::default(),
        open: Vec::new(),
    };
    lowering.program(file, source, tree, spans)?;
    Ok(lowering.flow)
}

/// What is wrong with a file besides its syntax, as far as that can be told: what a broken piece may have caused is left out.
pub fn also_wrong(file: &str, source: &str, parsed: &Parsed, library: &dyn Library) -> Vec<Diagnostic> {
    let broken =
        |code| matches!(code, Code::TooLong | Code::FrontMatterOpen | Code::TooDeep | Code::Unclosed | Code::Unopened);
    if parsed.diagnostics.iter().any(|error| broken(error.code)) {
        return Vec::new();
    }
    let line = |at: u32| source.get(..at as usize).map_or(0, |before| before.matches('\n').count());
    let lines: Vec<usize> = parsed.diagnostics.iter().map(|error| line(error.primary.span.start)).collect();
    // A name whose definition could not be read is no unknown name.
    let may_be_defined = |span: Span| {
        let name = source.get(span.range()).unwrap_or("");
        source.match_indices(name).any(|(at, _)| source[at + name.len()..].trim_start().starts_with("<="))
    };
    // Nor is a label whose stage could not be read an unknown label.
    let may_be_a_label = |span: Span| {
        let name = source.get(span.range()).unwrap_or("");
        let program = source.get(crate::parser::body(source).1 as usize..).unwrap_or("");
        program.split('[').skip(1).any(|label| label.trim_start().starts_with(name))
    };
    let tells = |error: &Diagnostic| match error.code {
        Code::NoSuchStage => !may_be_a_label(error.primary.span),
        Code::UnknownWorker => !may_be_defined(error.primary.span),
        Code::UnknownBehaviour | Code::FrontMatter | Code::WorkerDefinition | Code::NotAName | Code::BrokenFile => true,
        Code::BackInJoin | Code::OutNotLast | Code::ChainNeedsLabel | Code::LimitTwice | Code::FanOutOfSeveral => true,
        _ => false,
    };
    let mut errors = lower(file, source, &parsed.tree, &parsed.spans, library).err().unwrap_or_default();
    // Lowering sorts them: more than are shown need not be judged.
    errors.truncate(MOST_ERRORS);
    errors.retain(|error| tells(error) && !lines.contains(&line(error.primary.span.start)));
    errors
}

/// What is shared by all files of a program.
struct Lowering<'a> {
    flow: Flow,
    library: &'a dyn Library,
    /// The programs of files that have been lowered.
    programs: FxHashMap<String, FunctionId>,
    /// The workers of each name: files may define a name each for itself.
    workers: FxHashMap<String, Vec<WorkerId>>,
    /// The files that are being lowered, outermost first.
    open: Vec<String>,
}

/// One file while it is lowered.
struct File<'a, 'b> {
    all: &'a mut Lowering<'b>,
    name: &'a str,
    number: u16,
    tree: &'a Tree,
    spans: &'a tree::Spans,
    front: FrontMatter,
    /// Where its names are defined: `("worker", "shout")`.
    front_places: FxHashMap<(&'static str, String), Span>,
    /// A part of it that was not understood may define any name.
    front_hides_names: bool,
    /// The flow's word for each of the tree's.
    words: Vec<Word>,
    definitions: FxHashMap<String, FunctionId>,
    labels: FxHashMap<Word, StageId>,
    /// Of the labelled stages that something refers into: the first step of each name.
    steps_by_name: FxHashMap<StageId, FxHashMap<String, u32>>,
    /// Whom each path calls; none: reported already.
    targets: FxHashMap<String, Option<Target>>,
    behaviours: FxHashMap<Word, Option<BehaviourId>>,
    /// The tree's node of each stage and step of this file, with the flow's.
    stages: Vec<(tree::StageId, StageId)>,
    steps: Vec<(tree::StepId, StepId)>,
    diagnostics: Vec<Diagnostic>,
}

impl Lowering<'_> {
    /// Lowers one file; its program is the function returned. All its functions stand after those of the files around.
    fn program(
        &mut self,
        name: &str,
        source: &str,
        tree: &Tree,
        spans: &tree::Spans,
    ) -> Result<FunctionId, Vec<Diagnostic>> {
        let number = self.flow.places.files.len() as u16;
        self.flow.places.files.push((name.to_owned(), source.to_owned()));
        self.open.push(name.to_owned());
        let words = tree.words.texts().iter().map(|text| self.flow.words.intern(text)).collect();
        let mut file = File {
            all: self,
            name,
            number,
            tree,
            spans,
            front: FrontMatter::default(),
            front_places: FxHashMap::default(),
            front_hides_names: false,
            words,
            definitions: FxHashMap::default(),
            labels: FxHashMap::default(),
            steps_by_name: FxHashMap::default(),
            targets: FxHashMap::default(),
            behaviours: FxHashMap::default(),
            stages: Vec::new(),
            steps: Vec::new(),
            diagnostics: Vec::new(),
        };
        let program = file.lower();
        let mut diagnostics = file.diagnostics;
        self.open.pop();
        if diagnostics.is_empty() {
            self.programs.insert(name.to_owned(), program);
            Ok(program)
        } else {
            diagnostics.sort_by_key(|diagnostic| diagnostic.primary.span);
            diagnostics.truncate(MOST_ERRORS);
            Err(diagnostics)
        }
    }
}

impl File<'_, '_> {
    fn lower(&mut self) -> FunctionId {
        self.read_front_matter();
        let program = self.declare();
        for at in 0..self.stages.len() {
            let (node, id) = self.stages[at];
            self.stage(node, id);
        }
        for at in 0..self.steps.len() {
            let (node, id) = self.steps[at];
            self.step(node, id);
        }
        if self.diagnostics.is_empty() {
            self.let_models_choose();
            self.loop_over_tools();
        }
        if self.diagnostics.is_empty() {
            self.check_waits();
            self.check_recursion();
        }
        if self.diagnostics.is_empty() {
            self.set_default_counts();
            self.set_verdicts(program);
        }
        program
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        if !self.is_full() {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Are so many errors known that no other counts?
    fn is_full(&self) -> bool {
        self.diagnostics.len() >= MOST_FOUND
    }

    /// How many names are worth looking at for what was meant: nobody reads more proposals than errors.
    fn worth_comparing(&self) -> usize {
        if self.diagnostics.len() < MOST_ERRORS { usize::MAX } else { 0 }
    }

    fn word(&self, word: Word) -> Word {
        self.words[word.0 as usize]
    }

    fn text(&self, word: Word) -> &str {
        self.tree.words.text(word)
    }

    /// Makes the functions, stages and steps of this file, with nothing resolved yet. Returns the program's function.
    fn declare(&mut self) -> FunctionId {
        let program = FunctionId(self.all.flow.functions.len() as u32);
        let outermost = self.all.open.len() == 1;
        let name = if outermost { "out".to_owned() } else { stem(self.name).to_owned() };
        self.function(name, self.spans.program);
        let tree = self.tree;
        let mut bodies = vec![(program, tree.program)];
        for (definition, span) in tree.definitions.iter().zip(&self.spans.definitions) {
            let name = self.text(definition.name).to_owned();
            let id = self.function(name.clone(), *span);
            if let Some(first) = self.definitions.insert(name.clone(), id) {
                let first = (first.0 - program.0 - 1) as usize;
                let first = self.spans.definitions.get(first).copied().unwrap_or_default();
                self.report(
                    Diagnostic::new(Code::DuplicateDefinition, *span, format!("`{name}` is defined twice"))
                        .label(first, "first here")
                        .help("give one of them another name"),
                );
            }
            bodies.push((id, Some(definition.body)));
        }
        for (id, body) in bodies {
            let start = (self.all.flow.stages.len() as u32, self.all.flow.steps.len() as u32);
            let chain =
                body.and_then(|group| group.0).map(|chain| self.chain(chain, Inside::Function(id), id, None, ""));
            let flow = &mut self.all.flow;
            let function = &mut flow.functions[id.index()];
            function.chain = chain;
            function.stages = (start.0, flow.stages.len() as u32);
            function.steps = (start.1, flow.steps.len() as u32);
        }
        program
    }

    fn function(&mut self, name: String, span: Span) -> FunctionId {
        let functions = &mut self.all.flow.functions;
        functions.push(Function {
            name,
            chain: None,
            stages: (0, 0),
            steps: (0, 0),
            verdicts: Vec::new(),
            file: self.number,
            span,
        });
        FunctionId(functions.len() as u32 - 1)
    }

    /// Nesting is at most 64, so this may recurse.
    fn chain(
        &mut self,
        node: tree::ChainId,
        inside: Inside,
        function: FunctionId,
        around: Option<StageId>,
        prefix: &str,
    ) -> ChainId {
        let id = ChainId(self.all.flow.chains.len() as u32);
        self.all.flow.chains.push(Chain { stages: Vec::new(), inside });
        let tree = self.tree;
        for (position, stage) in tree.chains[node.index()].stages.iter().enumerate() {
            let stage = self.declare_stage(*stage, id, position as u32, function, around, prefix);
            self.all.flow.chains[id.index()].stages.push(stage);
        }
        id
    }

    fn declare_stage(
        &mut self,
        node: tree::StageId,
        chain: ChainId,
        position: u32,
        function: FunctionId,
        around: Option<StageId>,
        prefix: &str,
    ) -> StageId {
        let tree = self.tree;
        let stage = &tree.stages[node.index()];
        let kind = kind(stage.kind);
        let id = StageId(self.all.flow.stages.len() as u32);
        let label = stage.label.map(|label| self.word(label));
        let key = match stage.label {
            Some(label) => self.text(label).to_owned(),
            None => format!("{prefix}{}.{}", kind_word(kind), position + 1),
        };
        self.all.flow.stages.push(Stage { label, ..Stage::new(kind, key.clone(), chain, position, around, function) });
        self.stages.push((node, id));
        let places = &self.spans.stages[node.index()];
        self.all.flow.places.stages.push((self.number, places.head));
        if let Some(label) = label
            && let Some(other) = self.labels.insert(label, id)
        {
            // The program is declared before the definitions above it.
            let other = self.stage_spans(other).map(|spans| spans.label).unwrap_or_default();
            let (first, second) = (other.min(places.label), other.max(places.label));
            let text = self.all.flow.word(label).to_owned();
            self.report(
                Diagnostic::new(Code::DuplicateLabel, second, format!("the label `{text}` is used twice"))
                    .label(first, "first here")
                    .reason("labels are unique in a file: jumps and references name a stage by its label alone"),
            );
        }
        self.declare_elements(stage, places, id, function, &key);
        self.declare_arms(stage, id, function, &key);
        id
    }

    fn declare_elements(
        &mut self,
        stage: &tree::Stage,
        places: &tree::StageSpans,
        id: StageId,
        function: FunctionId,
        key: &str,
    ) {
        let mut seen: FxHashMap<Word, u32> = FxHashMap::default();
        let last = stage.elements.len().saturating_sub(1);
        let mut elements = Vec::with_capacity(stage.elements.len());
        for (at, element) in stage.elements.iter().enumerate() {
            let span = places.elements.get(at).copied().unwrap_or_default();
            elements.push(match *element {
                tree::Element::Step(node) => Element::Step(self.declare_step(node, id, at as u32, &mut seen)),
                tree::Element::Chain { chain, out } => {
                    if out && at < last && stage.kind == tree::Kind::Switch {
                        self.report(
                            Diagnostic::new(
                                Code::OutNotLast,
                                span,
                                "`out <=` stands before the last element of a `switch`",
                            )
                            .reason("what leaves the switch is its last element; what follows could never run")
                            .help("drop `out <=`: the chain's output then goes to the next element"),
                        );
                    }
                    let first = self.tree.chains[chain.index()].stages.first();
                    let labelled = first.is_some_and(|first| self.tree.stages[first.index()].label.is_some());
                    if stage.kind == tree::Kind::Select && !labelled {
                        self.report(
                            Diagnostic::new(
                                Code::ChainNeedsLabel,
                                span,
                                "a chain in a `select` has no name to be chosen by",
                            )
                            .help("give its first stage a label: `switch[name] <= (`"),
                        );
                    }
                    let prefix = format!("{key}/{}/", at + 1);
                    Element::Chain(self.chain(chain, Inside::Element(id, at as u32), function, Some(id), &prefix))
                }
            });
        }
        self.all.flow.stages[id.index()].elements = elements;
    }

    fn declare_arms(&mut self, stage: &tree::Stage, id: StageId, function: FunctionId, key: &str) {
        let mut arms = Vec::with_capacity(stage.arms.len());
        for (at, arm) in stage.arms.iter().enumerate() {
            let then = match &arm.then {
                tree::ArmThen::Ends(_) => Then::Ends(Vec::new()),
                tree::ArmThen::Chain(chain) => {
                    let prefix = format!("{key}/{}/", at + 1);
                    Then::Chain(self.chain(*chain, Inside::Arm(id, at as u32), function, Some(id), &prefix))
                }
            };
            arms.push(Arm { on: On::Default, then });
        }
        self.all.flow.stages[id.index()].arms = arms;
    }

    fn declare_step(
        &mut self,
        node: tree::StepId,
        stage: StageId,
        element: u32,
        seen: &mut FxHashMap<Word, u32>,
    ) -> StepId {
        let tree = self.tree;
        let step = &tree.steps[node.index()];
        let last = step.worker.rest.last().copied().unwrap_or(step.worker.first);
        let nth = seen.entry(last).and_modify(|nth| *nth += 1).or_insert(1);
        let name = if *nth == 1 { self.text(last).to_owned() } else { format!("{}.{nth}", self.text(last)) };
        let id = StepId(self.all.flow.steps.len() as u32);
        let nobody = Target::Function(FunctionId(u32::MAX));
        self.all.flow.steps.push(Step::new(name, stage, element, nobody));
        self.all.flow.places.steps.push((self.number, self.spans.steps[node.index()].whole));
        self.steps.push((node, id));
        id
    }

    /// Fills in what a stage's head and arms say.
    fn stage(&mut self, node: tree::StageId, id: StageId) {
        self.stage_limits(node, id);
        if let Some(label) = self.tree.stages[node.index()].label
            && self.flow_stage(id).kind == StageKind::Select
        {
            self.chooser(label, id);
        }
        self.arms(node, id);
    }

    /// Fills in what a step says.
    fn step(&mut self, node: tree::StepId, id: StepId) {
        let tree = self.tree;
        let step = &tree.steps[node.index()];
        let places = &self.spans.steps[node.index()];
        if let Some(target) = self.target(&step.worker, places.worker) {
            self.all.flow.steps[id.index()].target = target;
        }
        if let Some(undo) = &step.undo {
            let undo = self.target(undo, places.undo);
            self.all.flow.steps[id.index()].undo = undo;
        } else {
            self.declared_undo(id, places.worker);
        }
        let Step { target, undo, .. } = *self.all.flow.step(id);
        for called in [Some(target), undo] {
            self.declared_probe(called, places.worker);
        }
        self.step_limits(node, id);
        self.step_refs(node, id);
        self.step_outcomes(node, id);
    }

    fn flow_stage(&self, id: StageId) -> &Stage {
        &self.all.flow.stages[id.index()]
    }

    fn stage_spans(&self, id: StageId) -> Option<&tree::StageSpans> {
        let at = self.stages.binary_search_by_key(&id, |(_, flow)| *flow).ok()?;
        self.spans.stages.get(self.stages.get(at)?.0.index())
    }

    /// A file's functions call each other, never themselves, also not through others; then callers are put before the called.
    fn check_recursion(&mut self) {
        let flow = &mut self.all.flow;
        let order = match flow::order::callers_first(flow) {
            Ok(order) => order,
            Err(cycle) => {
                let names: Vec<&str> = cycle.iter().map(|step| flow.target_name(flow.step(*step).target)).collect();
                let path = names.join("` → `");
                let mut spans = cycle.iter().map(|step| flow.places.steps[step.index()].1);
                let mut diagnostic = Diagnostic::new(
                    Code::Recursion,
                    spans.next().unwrap_or_default(),
                    format!("a definition reaches itself: `{path}`"),
                )
                .reason("a run has a known worst case only when no definition calls itself, also not through others")
                .help("for a loop use `back` or a jump, with a count");
                for span in spans {
                    diagnostic = diagnostic.label(span, "and from here");
                }
                return self.report(diagnostic);
            }
        };
        // Only the outermost file sees all functions; an inner one is ordered with it.
        if self.all.open.len() > 1 {
            return;
        }
        flow::order::reorder(flow, &order);
        if let Some(step) = flow::order::too_deep(flow) {
            let name = flow.target_name(flow.step(step).target).to_owned();
            let (file, span) = flow.places.steps[step.index()];
            let span = if file == self.number { span } else { Span::default() };
            self.report(
                Diagnostic::new(Code::CallsTooDeep, span, format!("this call of `{name}` is too deep"))
                    .reason(format!("definitions call definitions at most {CALLS_DEEP} deep"))
                    .help("join some of them into one"),
            );
        }
    }
}

pub(crate) fn kind(kind: tree::Kind) -> StageKind {
    match kind {
        tree::Kind::Switch => StageKind::Switch,
        tree::Kind::Select => StageKind::Select,
        tree::Kind::Join => StageKind::Join,
        tree::Kind::Match => StageKind::Match,
    }
}

/// The keyword of a kind.
pub(crate) fn kind_word(kind: StageKind) -> &'static str {
    match kind {
        StageKind::Switch => "switch",
        StageKind::Select => "select",
        StageKind::Join => "join",
        StageKind::Match => "match",
    }
}

/// `dir/word.aivm` → `word`.
fn stem(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(".aivm").unwrap_or(name)
}

/// Longer words are not compared: nobody meant them.
const LONGEST_MEANT: usize = 64;
/// So many names are compared and no more.
const MOST_COMPARED: usize = 1_000;

/// The nearest of `names`, if it is near enough to be meant.
pub fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    if word.len() > LONGEST_MEANT {
        return None;
    }
    // A third of the letters wrong; of a word of two letters none, or every other would be meant.
    let far = |name: &str| word.len().max(name.len()) / 3;
    names
        .filter(|name| name.len().abs_diff(word.len()) <= far(name))
        .take(MOST_COMPARED)
        .map(|name| (strsim::osa_distance(word, name), name))
        .filter(|(distance, name)| *distance <= far(name))
        .min()
        .map(|(_, name)| name.to_owned())
}

/// A diagnostic that proposes the nearest name, with an edit.
fn suggest<'n>(diagnostic: Diagnostic, span: Span, word: &str, names: impl IntoIterator<Item = &'n str>) -> Diagnostic {
    match nearest(word, names.into_iter()) {
        Some(name) => diagnostic.fix(format!("did you mean `{name}`?"), vec![(span, name)]),
        None => diagnostic,
    }
}
