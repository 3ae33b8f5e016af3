//! The closed set of words that each step may answer besides its outcomes: those of the match that its output reaches,
//! those that its worker declares, those that may leave the definition that it calls.

use super::*;
use aivm_schema::module::StageKind;
use std::rc::Rc;

/// The words that all steps together may answer: more fit in no module.
const MOST_VERDICTS: usize = aivm_schema::limits::MODULE / size_of::<u16>();

fn too_many_verdicts() -> Diagnostic {
    let message = format!("its steps may answer more than {MOST_VERDICTS} words, counted for each of them");
    Diagnostic::new(Code::TooLarge, Span::default(), message)
        .help("split it: every file is a pipeline that others can call by its name")
}

impl File<'_, '_> {
    /// For all functions, the called before their callers; only the outermost file sees them all.
    pub(super) fn set_verdicts(&mut self, program: FunctionId) {
        if self.all.open.len() > 1 || program.0 != 0 {
            return;
        }
        let flow = &mut self.all.flow;
        let declared: Vec<Vec<Word>> = {
            let Flow { workers, words, .. } = flow;
            workers
                .iter()
                .map(|worker| worker.definition.words.iter().map(|word| words.intern(word)).collect())
                .collect()
        };
        let mut reached = Reached {
            flow,
            exits: vec![None; flow.stages.len()],
            inner: vec![None; flow.stages.len()],
            words: FxHashMap::default(),
        };
        let mut all = 0;
        let mut by_match: Vec<Vec<Word>> = Vec::with_capacity(reached.flow.steps.len());
        for step in 0..reached.flow.steps.len() as u32 {
            let words = reached.words(StepId(step));
            all += words.len();
            if all > MOST_VERDICTS {
                return self.report(too_many_verdicts());
            }
            by_match.push(words);
        }
        if let Err((step, word)) = flow.let_stand_ins_say(&mut by_match) {
            let (file, span) = flow.places.steps[step.index()];
            let span = if file == self.number { span } else { Span::default() };
            let word = flow.word(word).to_owned();
            let message = format!("`{word}` is a tool of the model that is called here, and a word that it may answer");
            return self.report(
                Diagnostic::new(Code::WorkerDefinition, span, message)
                    .help("define a worker of another name that does the same, and give it that as a tool"),
            );
        }
        all = 0;
        for function in (0..flow.functions.len()).rev() {
            let (first, end) = flow.functions[function].steps;
            let mut leaving: Vec<Word> = Vec::new();
            for step in first..end {
                let step = StepId(step);
                let mut verdicts = by_match[step.index()].clone();
                match flow.step(step).target {
                    Target::Worker(worker) => verdicts.extend(declared.get(worker.index()).into_iter().flatten()),
                    Target::Function(callee) => verdicts.extend_from_slice(&flow.function(callee).verdicts),
                }
                verdicts.sort_unstable();
                verdicts.dedup();
                all += verdicts.len();
                if all > MOST_VERDICTS {
                    return self.report(too_many_verdicts());
                }
                leaving.extend_from_slice(&verdicts);
                flow.steps[step.index()].verdicts = verdicts;
            }
            leaving.sort_unstable();
            leaving.dedup();
            flow.functions[function].verdicts = leaving;
        }
    }
}

impl Flow {
    /// What stands in for a step may say what that one may: `words` has the words of the matches that each step's output reaches.
    /// Fails with a word that would then say two things.
    fn let_stand_ins_say(&mut self, words: &mut [Vec<Word>]) -> Result<(), (StepId, Word)> {
        let callers: FxHashMap<FunctionId, StepId> = (0..self.steps.len() as u32)
            .map(StepId)
            .filter_map(|id| match self.step(id).target {
                Target::Function(function) => Some((function, id)),
                Target::Worker(_) => None,
            })
            .collect();
        for at in 0..self.steps.len() {
            let step = &self.steps[at];
            let function = self.stage(step.stage).function;
            let Some(caller) = callers.get(&function).filter(|_| step.stands_in) else { continue };
            let spoken: Vec<String> = self.step(*caller).spoken(self).map(str::to_owned).collect();
            let mut heard = words[caller.index()].clone();
            heard.extend(spoken.iter().map(|word| self.words.intern(word)));
            if let Some(both) = words[at].iter().find(|word| heard.contains(word)) {
                return Err((*caller, *both));
            }
            words[at].extend(heard);
        }
        Ok(())
    }
}

/// Which matches a value reaches before it reaches a step.
struct Reached<'a> {
    flow: &'a Flow,
    /// By stage: the matches that its output reaches, once known.
    exits: Vec<Option<Vec<StageId>>>,
    /// By stage: the matches that its nested chains begin with, once known.
    inner: Vec<Option<Vec<StageId>>>,
    /// By place: the words of all matches that are reached from there.
    words: FxHashMap<Dest, Rc<[Word]>>,
}

impl Reached<'_> {
    fn words(&mut self, id: StepId) -> Vec<Word> {
        let step = self.flow.step(id);
        if step.each {
            return Vec::new();
        }
        let mut words = Vec::new();
        let forward = step.outcomes.iter().any(Outcome::is_forward);
        let leads =
            step.outcomes.iter().enumerate().filter(|(nth, o)| if forward { o.is_forward() } else { *nth == 0 });
        let mut seen: Vec<Dest> = Vec::new();
        for dest in leads.filter_map(|(_, outcome)| self.flow.dest(step.stage, step.element, *outcome)) {
            if seen.contains(&dest) {
                continue;
            }
            seen.push(dest);
            words.extend_from_slice(&self.words_at(dest));
        }
        words.sort_unstable();
        words.dedup();
        words
    }

    fn words_at(&mut self, dest: Dest) -> Rc<[Word]> {
        if let Some(known) = self.words.get(&dest) {
            return known.clone();
        }
        let flow = self.flow;
        let arms = self.at(dest).into_iter().flat_map(|stage| &flow.stage(stage).arms);
        let words = arms.filter_map(|arm| match arm.on {
            On::Verdict(word) => Some(word),
            _ => None,
        });
        let words: Rc<[Word]> = words.collect();
        self.words.insert(dest, words.clone());
        words
    }

    /// Nesting is bounded, and so is this recursion.
    fn at(&mut self, dest: Dest) -> Vec<StageId> {
        match dest {
            Dest::Stage(stage) => self.entered(stage),
            Dest::Element(stage, element) => match self.flow.stage(stage).elements.get(element as usize) {
                Some(Element::Chain(chain)) => {
                    self.flow.chain(*chain).stages.first().map(|first| self.entered(*first)).unwrap_or_default()
                }
                _ => Vec::new(),
            },
            Dest::Chooser(select) => {
                let mut found = self.left(select);
                found.extend(self.first_of_chains(select));
                found
            }
            Dest::Part(join, _) if self.flow.stage(join).is_race() => self.left(join),
            Dest::Part(..) | Dest::Return(_) => Vec::new(),
        }
    }

    fn entered(&mut self, id: StageId) -> Vec<StageId> {
        let stage = self.flow.stage(id);
        match stage.kind {
            StageKind::Match => vec![id],
            StageKind::Switch => self.at(Dest::Element(id, 0)),
            StageKind::Join | StageKind::Select => self.first_of_chains(id),
        }
    }

    fn first_of_chains(&mut self, id: StageId) -> Vec<StageId> {
        if let Some(known) = &self.inner[id.index()] {
            return known.clone();
        }
        let elements = self.flow.stage(id).elements.len() as u32;
        let found: Vec<StageId> = (0..elements).flat_map(|element| self.at(Dest::Element(id, element))).collect();
        self.inner[id.index()] = Some(found.clone());
        found
    }

    fn left(&mut self, id: StageId) -> Vec<StageId> {
        if let Some(known) = &self.exits[id.index()] {
            return known.clone();
        }
        // A select that finishes leads where its own exit leads, never back to itself.
        self.exits[id.index()] = Some(Vec::new());
        let found = self.at(self.flow.exit(id));
        self.exits[id.index()] = Some(found.clone());
        found
    }
}
