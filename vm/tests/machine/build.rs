//! Modules for tests, put together in a few lines. Jumps go to labels; an edge leads through a `jump`, as compiled programs do.

use aivm_schema::isa::Instruction as I;
use aivm_schema::module::*;
use aivm_vm::{VerifiedModule, verify};
use std::collections::HashMap;

/// A module while it grows. Functions are opened one after the other, callers first.
#[derive(Default)]
pub struct Build {
    pub module: Module,
    labels: HashMap<String, u32>,
    patches: Vec<(usize, String)>,
}

/// Where an edge leads, and how.
#[derive(Clone)]
pub struct Way {
    kind: EdgeKind,
    word: String,
    to: String,
    leave: Vec<StageId>,
    counter: Option<CounterId>,
    times: u16,
}

fn way(kind: EdgeKind, to: &str) -> Way {
    Way { kind, word: kind.word().to_owned(), to: to.to_owned(), leave: vec![], counter: None, times: 0 }
}

pub fn next(to: &str) -> Way {
    way(EdgeKind::Next, to)
}
pub fn carry_on(to: &str) -> Way {
    way(EdgeKind::Continue, to)
}
pub fn send(to: &str) -> Way {
    way(EdgeKind::Send, to)
}
pub fn back(to: &str) -> Way {
    way(EdgeKind::Back, to)
}
pub fn jump(word: &str, to: &str) -> Way {
    Way { word: word.to_owned(), ..way(EdgeKind::Jump, to) }
}
pub fn retry(times: u16) -> Way {
    Way { times, ..way(EdgeKind::Retry, "") }
}
pub fn cancel() -> Way {
    way(EdgeKind::Cancel, "")
}
pub fn timeout() -> Way {
    way(EdgeKind::Timeout, "")
}

impl Way {
    /// Counted when it is taken.
    pub fn counted(self, counter: CounterId) -> Way {
        Way { counter: Some(counter), ..self }
    }
    /// These stages are left on the way, innermost first.
    pub fn leaving(self, stages: &[StageId]) -> Way {
        Way { leave: stages.to_vec(), ..self }
    }
}

impl Build {
    /// With the program's function open.
    pub fn new() -> Build {
        let mut build = Build::default();
        build.function("out");
        build
    }

    /// Ends the function before and opens another.
    pub fn function(&mut self, name: &str) -> FunctionId {
        self.close();
        let (stages, steps) = (self.module.stages.len() as u16, self.module.steps.len() as u16);
        self.module.functions.push(Function {
            name: name.to_owned(),
            entry: self.here(),
            stages: (stages, 0),
            steps: (steps, 0),
            registers: 1,
            ..Function::default()
        });
        FunctionId(self.module.functions.len() as u16 - 1)
    }

    fn close(&mut self) {
        let (stages, steps, end) = (self.module.stages.len() as u16, self.module.steps.len() as u16, self.here());
        if let Some(open) = self.module.functions.last_mut() {
            open.stages.1 = stages - open.stages.0;
            open.steps.1 = steps - open.steps.0;
            open.end = end;
        }
    }

    fn open(&mut self) -> &mut Function {
        self.module.functions.last_mut().unwrap()
    }

    pub fn word(&mut self, text: &str) -> WordId {
        let known = self.module.words.iter().position(|word| word == text);
        WordId(known.unwrap_or_else(|| {
            self.module.words.push(text.to_owned());
            self.module.words.len() - 1
        }) as u16)
    }

    /// The words of a function's or a step's verdicts, ascending.
    pub fn words(&mut self, texts: &[&str]) -> Vec<WordId> {
        let mut words: Vec<WordId> = texts.iter().map(|text| self.word(text)).collect();
        words.sort_unstable();
        words
    }

    pub fn register(&mut self) -> RegisterId {
        self.open().registers += 1;
        RegisterId(self.open().registers - 1)
    }

    pub fn counter(&mut self, most: u16) -> CounterId {
        self.open().counters.push(most);
        CounterId(self.open().counters.len() as u16 - 1)
    }

    /// A stage of the open function.
    pub fn stage(&mut self, key: &str, kind: StageKind, around: Option<StageId>) -> StageId {
        self.module.stages.push(Stage { key: key.to_owned(), kind, around, ..Stage::default() });
        StageId(self.module.stages.len() as u16 - 1)
    }

    pub fn at(&mut self, stage: StageId) -> &mut Stage {
        &mut self.module.stages[stage.index()]
    }

    /// A step of the open function that calls the worker of its name.
    pub fn step(&mut self, name: &str, stage: StageId) -> StepId {
        let worker = self.worker(name);
        self.step_of(name, stage, StepTarget::Worker(worker))
    }

    pub fn step_of(&mut self, name: &str, stage: StageId, target: StepTarget) -> StepId {
        self.module.steps.push(Step {
            name: name.to_owned(),
            stage,
            target,
            behaviours: vec![],
            deadline_ms: None,
            money: None,
            tokens: None,
            input: None,
            output: None,
            undo: None,
            verdicts: vec![],
        });
        StepId(self.module.steps.len() as u16 - 1)
    }

    pub fn of(&mut self, step: StepId) -> &mut Step {
        &mut self.module.steps[step.index()]
    }

    pub fn worker(&mut self, name: &str) -> WorkerId {
        let known = self.module.workers.iter().position(|worker| worker.name == name);
        WorkerId(known.unwrap_or_else(|| {
            let definition = r#"{"does":"mock"}"#.to_owned();
            self.module.workers.push(Worker { name: name.to_owned(), definition, money: None, tokens: None });
            self.module.workers.len() - 1
        }) as u16)
    }

    /// A step is undone by this worker.
    pub fn undo(&mut self, step: StepId, worker: &str) {
        let worker = self.worker(worker);
        self.of(step).undo = Some(StepTarget::Worker(worker));
    }

    pub fn price(&mut self, worker: &str, money: u64) {
        let worker = self.worker(worker);
        self.module.workers[worker.index()].money = Some(money);
    }

    pub fn here(&self) -> u32 {
        self.module.code.len() as u32
    }

    pub fn put(&mut self, instruction: I) -> &mut Build {
        self.module.code.push(instruction.encode());
        self
    }

    pub fn label(&mut self, label: &str) -> &mut Build {
        assert!(self.labels.insert(label.to_owned(), self.here()).is_none(), "{label} twice");
        self
    }

    fn put_to(&mut self, instruction: I, label: &str) {
        self.patches.push((self.module.code.len(), label.to_owned()));
        self.put(instruction);
    }

    pub fn enter(&mut self, stage: StageId) -> &mut Build {
        self.put(I::Enter { stage })
    }
    pub fn leave(&mut self, stage: StageId) -> &mut Build {
        self.put(I::Leave { stage, jump: false })
    }
    pub fn count(&mut self, counter: CounterId) -> &mut Build {
        self.put(I::Count { counter })
    }
    pub fn goto(&mut self, label: &str) -> &mut Build {
        self.put_to(I::Jump { target: 0 }, label);
        self
    }
    pub fn hand(&mut self) -> &mut Build {
        self.put(I::Hand {})
    }
    pub fn ret(&mut self) -> &mut Build {
        self.put(I::Return {})
    }
    pub fn if_word(&mut self, word: &str, label: &str) -> &mut Build {
        let word = self.word(word);
        self.put_to(I::IfWord { word, target: 0 }, label);
        self
    }
    pub fn if_last(&mut self, counter: CounterId, label: &str) -> &mut Build {
        self.put_to(I::IfLast { counter, target: 0 }, label);
        self
    }
    pub fn if_kind(&mut self, kinds: &[EndKind], label: &str) -> &mut Build {
        let kinds = kinds.iter().fold(KindSet::default(), |kinds, kind| kinds.with(*kind));
        self.put_to(I::IfKind { kinds, target: 0 }, label);
        self
    }

    pub fn call(&mut self, step: StepId, ways: &[Way]) -> &mut Build {
        self.put(I::Call { step });
        self.edges(ways)
    }
    pub fn map(&mut self, step: StepId, item: &str, ways: &[Way]) -> &mut Build {
        self.put_to(I::Map { step, item: 0 }, item);
        self.edges(ways)
    }
    pub fn pick(&mut self, ways: &[Way]) -> &mut Build {
        self.put(I::Pick {});
        self.edges(ways)
    }

    /// A join with a branch for each label; its elements are called by their labels.
    pub fn join(&mut self, stage: StageId, take: u16, branches: &[&str]) -> &mut Build {
        self.at(stage).names = vec![];
        for branch in branches {
            let word = self.word(branch);
            self.at(stage).names.push(word);
        }
        self.put(I::Join { stage, branches: branches.len() as u16, take });
        for (element, branch) in branches.iter().enumerate() {
            self.put_to(I::Branch { element: element as u16, target: 0 }, branch);
        }
        self
    }

    /// A choice among steps that are called as their labels are.
    pub fn choose(&mut self, stage: StageId, counter: Option<CounterId>, options: &[(&str, CounterId)]) -> &mut Build {
        self.at(stage).names = vec![];
        for (option, _) in options {
            let word = self.word(option);
            self.at(stage).names.push(word);
        }
        self.put(I::Choose { stage, options: options.len() as u16, counter });
        for (option, counter) in options {
            self.put_to(I::Option { counter: *counter, target: 0 }, option);
        }
        self
    }

    fn edges(&mut self, ways: &[Way]) -> &mut Build {
        let first = self.module.code.len();
        for way in ways {
            let word = self.word(&way.word);
            self.put(I::Edge { kind: way.kind, word, counter: way.counter, offset: way.times });
        }
        for (at, way) in ways.iter().enumerate().filter(|(_, way)| !way.to.is_empty()) {
            self.module.code[first + at] |= (self.module.code.len() - first - at) as u64;
            for stage in &way.leave {
                self.put(I::Leave { stage: *stage, jump: way.kind == EdgeKind::Jump });
            }
            match way.to.as_str() {
                "hand" => self.hand(),
                "return" => self.ret(),
                label => self.goto(label),
            };
        }
        self
    }

    /// Where the match below `stage` catches.
    pub fn catch(&mut self, stage: StageId, kinds: &[EndKind], counter: Option<CounterId>, label: &str) {
        let register = self.register();
        let kinds = kinds.iter().fold(KindSet::default(), |kinds, kind| kinds.with(*kind));
        let target = self.labels[label];
        let row = self.at(stage);
        row.input = Some(register);
        row.handler = Some(Handler { kinds, counter, target });
    }

    pub fn finish(mut self) -> VerifiedModule {
        self.close();
        for (at, label) in &self.patches {
            let target = self.labels.get(label).unwrap_or_else(|| panic!("no label {label}"));
            self.module.code[*at] |= u64::from(*target);
        }
        verify(self.module).unwrap_or_else(|error| panic!("{error}"))
    }
}
