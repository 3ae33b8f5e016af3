//! Whom steps call: what a capability is bound to, and what it is given.

use super::*;
use crate::library::{Found, LibraryError};
use crate::workflow::page::{NOT_WRITTEN, written_down};
use aivm_schema::limits;
use aivm_schema::word::{is_reserved, is_word};
use aivm_schema::worker::{Effect, KEPT, Run};
use serde_json::Value;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The capability that runs a program. It is no worker: what is run stands in the page, and no template is part of it.
const RUN: &str = "sys.exec.run";
/// The programs that it may run, those first that only look.
const MAY_RUN: [&str; 14] =
    ["cat", "echo", "grep", "head", "ls", "pwd", "tail", "wc", "whoami", "find", "git", "node", "npm", "python"];
/// So many only look; the others can do anything.
const LOOK: usize = 9;

/// Whom a capability calls.
#[derive(Clone, Debug)]
pub(super) struct Called {
    /// Its word in the page.
    pub word: String,
    /// Is what it did taken back exactly, without being told how?
    pub undoes_itself: bool,
    /// What it is, where it is a worker that is known.
    worker: Option<Rc<WorkerDefinition>>,
}

impl Called {
    /// One of which nothing more is known.
    fn new(word: &str) -> Called {
        Called { word: word.to_owned(), undoes_itself: false, worker: None }
    }
}

impl<'a> Author<'a> {
    /// Whom this capability calls. `inputs` and `of` are the step's: a program that is run is one for each step.
    pub(super) fn call(&mut self, capability: &Placed<String>, inputs: Option<&Values>, of: &str) -> Called {
        let name = capability.get_ref();
        if let Some(known) = self.called.get(name) {
            return known.clone();
        }
        let called = match self.library.find(self.file, name) {
            Ok(Some(Found::Worker(worker))) => {
                if let Err(reason) = self.library.check(&worker) {
                    let message = format!("`{name}` cannot be called: {reason}");
                    let diagnostic = Diagnostic::new(Code::WorkerDefinition, self.span(capability), message);
                    self.reader.tables.report(diagnostic);
                }
                self.bound(name, &worker, self.span(capability))
            }
            Ok(Some(Found::Program { .. })) => Called::new(name),
            Ok(None) if name == RUN => return self.run(capability, inputs, of),
            Ok(None) => self.unbound(capability),
            Err(error) => self.unusable(capability, &error),
        };
        self.called.insert(name.clone(), called.clone());
        called
    }

    fn bound(&mut self, name: &str, worker: &WorkerDefinition, span: Span) -> Called {
        let undoes_itself = self.library.undoer(worker).is_some();
        let is_path = name.len() <= limits::WORD && name.split('.').all(|word| is_word(word) && !is_reserved(word));
        let known = Some(Rc::new(worker.clone()));
        let stays = !self.saga.rolls_back && (undoes_itself || worker.undo.is_some());
        if is_path && !stays {
            return Called { word: name.to_owned(), undoes_itself, worker: known };
        }
        // A word of the language is part of its name, or what it did is not to be taken back: it has another name here.
        let word = self.writer.word(name);
        let undo = if stays { Some(KEPT.to_owned()) } else { worker.undo.clone() };
        self.writer.worker(&word, &WorkerDefinition { undo, ..worker.clone() }, span);
        Called { word, undoes_itself, worker: known }
    }

    fn unbound(&mut self, capability: &Placed<String>) -> Called {
        let (name, span) = (capability.get_ref(), self.span(capability));
        let warning = Diagnostic::new(Code::Unbound, span, format!("nothing is bound to the capability `{name}`"))
            .reason("a step that reaches it fails; `--mock` runs without it")
            .help(format!("define a worker of this name: `workers/{name}.toml` beside the file, or `[worker.\"{name}\"]` in aivm.toml"));
        self.reader.warnings.push(warning);
        let word = self.writer.word(name);
        self.builtin(&word, "unbound", [("capability", json!(name))], span);
        Called::new(&word)
    }

    fn unusable(&mut self, capability: &Placed<String>, error: &LibraryError) -> Called {
        let name = capability.get_ref();
        let message = format!("`{name}` cannot be used: {error}");
        self.reader.tables.report(Diagnostic::new(Code::UnusableFile, self.span(capability), message));
        Called::new(name)
    }

    /// A program and its arguments: no shell, and nothing that a step before could have made up.
    fn run(&mut self, capability: &Placed<String>, inputs: Option<&Values>, of: &str) -> Called {
        let word = self.writer.word(&format!("{of}-run"));
        match inputs.map_or(Err("it needs a `command`".to_owned()), argv) {
            Ok(argv) => {
                let looks = argv.first().is_some_and(|program| MAY_RUN.iter().take(LOOK).any(|known| known == program));
                let mut worker = WorkerDefinition::new(Does::Command(Run::Argv(argv)));
                worker.effect = Some(if looks { Effect::Read } else { Effect::Irreversible });
                self.writer.worker(&word, &worker, self.span(capability));
            }
            Err(why) => self.reader.tables.wrong(capability.span(), format!("`{RUN}` of `{of}`: {why}")),
        }
        Called::new(&word)
    }

    /// Tells what is wrong with the inputs of a call, as far as that is known before it; `place` is where what a message names stands.
    pub(super) fn look(&mut self, called: &Called, inputs: &Values, place: impl Fn(&Tables, &str) -> Span) {
        let Some(worker) = &called.worker else { return };
        for message in self.library.wrong_inputs(worker, inputs) {
            let span = place(&self.reader.tables, &message);
            self.reader.tables.report(Diagnostic::new(Code::Saga, span, message));
        }
        for (input, path) in self.library.absolute_paths(worker, inputs) {
            let message = format!("`{input}` is `{path}`, which is refused unless the workspace is above it");
            let span = place(&self.reader.tables, &message);
            let folder = path.rsplit_once('/').map_or("/", |(folder, _)| if folder.is_empty() { "/" } else { folder });
            self.reader.warnings.push(
                Diagnostic::new(Code::AbsolutePath, span, message)
                    .help(format!("name a path within the workspace, or run it with `--workspace {folder}`")),
            );
        }
    }

    /// Who fills in the inputs of a step.
    pub(super) fn inputs(&mut self, of: &str, inputs: &Values, span: Span) -> String {
        if inputs.is_empty() {
            return "inputs".to_owned();
        }
        for (name, value) in inputs {
            let mut alone = WorkerDefinition::new(Does::Builtin("inputs".to_owned()));
            alone.with.insert("inputs".to_owned(), json!({ name: value }));
            if let Some(what) = self.library.check(&alone).err().and_then(|reason| written_down(&reason)) {
                // A message shows the line of its place, and must not show what is written there.
                let message = format!("`{name}` of `{of}`: {what}");
                self.reader.tables.report(Diagnostic::new(Code::WrittenDown, span, message).help(NOT_WRITTEN));
            }
        }
        let word = self.writer.word(&format!("{of}-inputs"));
        self.builtin(&word, "inputs", [("inputs", json!(inputs))], span);
        word
    }

    /// Who merges what a step returned: its part has the word of the step, unless the name is none.
    pub(super) fn merging(&mut self, word: &str, name: &str, span: Span) -> String {
        if word == name {
            return "merge-state".to_owned();
        }
        let merge = self.writer.word(&format!("{word}-state"));
        self.builtin(&merge, "merge-state", [("step", json!(name))], span);
        merge
    }

    /// The steps that a decision of a person leads to, once: going on, and failing.
    pub(super) fn decisions(&mut self) {
        if std::mem::replace(&mut self.decides, true) {
            return;
        }
        let reason = json!("Rejected by human approver");
        self.builtin("reject", "fail", [("code", json!("E1092")), ("reason", reason)], self.saga.span);
        self.put("approve <= ()\n\n", self.saga.span);
    }

    /// Who judges the condition of a step.
    pub(super) fn judges(&mut self, word: &str, named: &Named, condition: &Placed<String>) {
        let mut judge = WorkerDefinition::new(Does::Builtin("when".to_owned()));
        judge.with.insert("that".to_owned(), json!(condition.get_ref()));
        // What steps returned is in the state.
        let mut of_no_step = judge.clone();
        of_no_step.with.insert("steps".to_owned(), json!([]));
        if let Err(reason) = self.library.check(&of_no_step) {
            let reason = reason.strip_prefix("`that` of `when` ").unwrap_or(&reason);
            let message = format!("`condition` of step `{}` {reason}", named.name);
            let help = "the state is `input`: `input.amount > 3`, or `input.charge.amount > 3` for what the step `charge` returned";
            self.reader.tables.report(Diagnostic::new(Code::Saga, self.span(condition), message).help(help));
        }
        self.writer.worker(word, &judge, self.span(condition));
    }

    /// `[worker.WORD]` with a built-in.
    pub(super) fn builtin<const N: usize>(&mut self, word: &str, builtin: &str, with: [(&str, Value); N], span: Span) {
        let mut worker = WorkerDefinition::new(Does::Builtin(builtin.to_owned()));
        worker.with = BTreeMap::from(with.map(|(key, value)| (key.to_owned(), value)));
        self.writer.worker(word, &worker, span);
    }
}

/// A program that may be run, and its arguments.
fn argv(inputs: &Values) -> Result<Vec<String>, String> {
    let mut argv = match inputs.get("command") {
        Some(Value::String(command)) if inputs.contains_key("args") => vec![command.clone()],
        // Without a shell, what stands between spaces is an argument, and nothing else means anything.
        Some(Value::String(command)) => command.split_whitespace().map(str::to_owned).collect(),
        Some(Value::Array(_)) => texts(inputs.get("command"))?,
        _ => return Err("it needs a `command`: a program, and its arguments in `args`".to_owned()),
    };
    argv.extend(texts(inputs.get("args"))?);
    if let Some(filled) = argv.iter().find(|argument| argument.contains("{{")) {
        return Err(format!(
            "`{filled}`: no template becomes part of a command line; give a worker of your own a `run`"
        ));
    }
    let shell = |argument: &&String| argument.chars().any(|c| "|&;<>$`'\"\\\n".contains(c));
    if let Some(argument) = argv.iter().find(shell).filter(|_| !inputs.contains_key("args")) {
        return Err(format!("`{argument}`: there is no shell here; write the arguments one by one in `args`"));
    }
    match argv.first() {
        Some(program) if MAY_RUN.contains(&program.as_str()) => Ok(argv),
        Some(program) => Err(format!("`{program}` may not be run: only {}", MAY_RUN.join(" "))),
        None => Err("its `command` is empty".to_owned()),
    }
}

fn texts(value: Option<&Value>) -> Result<Vec<String>, String> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let list = value.as_array().ok_or("`args` takes a list")?;
    list.iter()
        .map(|item| match item {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            _ => Err("an argument is a text".to_owned()),
        })
        .collect()
}
