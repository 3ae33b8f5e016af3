//! From the names of actions, tasks and conditions to workers: whom each calls, and what stands in for those that nobody is.

use super::file::{Condition, File, Text};
use super::names::Names;
use super::span;
use crate::diagnostic::{Code, Diagnostic};
use crate::library::{Found, Library};
use crate::lower::nearest;
use crate::tables::Tables;
use crate::workflow::page::{Writer, spelt};
use aivm_schema::worker::{Backoff, Does, MockEntry, WorkerDefinition};
use rustc_hash::FxHashMap;

/// What the worker of a condition answers.
const YES: &str = "yes";
const NO: &str = "no";

/// How a condition is judged.
pub(super) struct Judge {
    /// Whom it calls.
    pub word: String,
    /// What the step lists.
    pub outcomes: &'static str,
    /// The arms behind it: where it holds, and where it does not.
    pub answers: [&'static str; 2],
}

/// Finds the worker of each name, once.
pub(super) struct Binder<'a> {
    /// The name of the file.
    file: &'a str,
    library: &'a dyn Library,
    /// How long to wait before a retry, where the file says.
    backoff: Option<Backoff>,
    /// By word: the words that the worker may answer.
    bound: FxHashMap<String, Vec<String>>,
    pub told: Vec<Diagnostic>,
}

impl<'a> Binder<'a> {
    pub(super) fn new(name: &'a str, file: &File, library: &'a dyn Library) -> Binder<'a> {
        let interval = file.error_handling.as_ref().and_then(|section| section.is.retry_interval);
        let backoff = interval.map(|interval| Backoff { wait: interval.0, factor: 1.0, most: interval.0 });
        Binder { file: name, library, backoff, bound: FxHashMap::default(), told: Vec::new() }
    }

    /// The word that calls what a name means: a pipeline of the file, or a worker of the same name. A task says what it is for.
    pub(super) fn call(&mut self, names: &Names, writer: &mut Writer, name: &Text) -> String {
        let word = spelt(name.get_ref());
        if names.pipelines.contains_key(name.get_ref().as_str()) || self.bound.contains_key(&word) {
            return word;
        }
        let found = self.library.find(self.file, &word);
        let words = match &found {
            Ok(Some(Found::Worker(definition))) => definition.words.clone(),
            _ => Vec::new(),
        };
        match found {
            // Its waits are this file's; a mock does not wait.
            Ok(Some(Found::Worker(definition))) => {
                if let Some(backoff) = self.backoff.filter(|_| definition.does != Does::Mock) {
                    writer.worker(&word, &WorkerDefinition { backoff, ..*definition }, span(name));
                }
            }
            // What is wrong with it is told when it is compiled.
            Ok(Some(Found::Program { .. })) | Err(_) => {}
            Ok(None) => {
                self.tell_unbound(name, &word);
                let task = names.tasks.get(name.get_ref().as_str());
                let about = task.map_or(String::new(), |task| task.description.clone());
                writer.worker(&word, &WorkerDefinition { about, ..unbound(&word) }, span(name));
            }
        }
        self.bound.insert(word.clone(), words);
        word
    }

    /// Who judges a condition: a worker answers yes or no, and with `--mock` yes, unless it has answers of its own.
    pub(super) fn condition(&mut self, writer: &mut Writer, name: &Text, condition: Option<&Condition>) -> Judge {
        if let Some((condition, that)) = condition.and_then(|condition| Some((condition, condition.when.as_ref()?))) {
            let word = writer.word(condition.name.get_ref());
            writer.worker(&word, &when(that), span(that));
            return Judge { word, outcomes: "continue | cancel", answers: ["success", "cancel"] };
        }
        let word = self.judge(writer, name, condition);
        Judge { word, outcomes: "continue", answers: [YES, "default"] }
    }

    fn judge(&mut self, writer: &mut Writer, name: &Text, condition: Option<&Condition>) -> String {
        let name = condition.and_then(|condition| condition.kind.as_ref()).unwrap_or(name);
        let word = spelt(name.get_ref());
        if self.bound.contains_key(&word) {
            return word;
        }
        let definition = match self.library.find(self.file, &word) {
            Ok(Some(Found::Worker(definition))) => Some(*definition),
            Ok(Some(Found::Program { .. })) | Err(_) => None,
            Ok(None) => {
                self.tell_unbound(name, &word);
                Some(unbound(&word))
            }
        };
        if let Some(definition) = definition {
            let backoff = self.backoff.unwrap_or(definition.backoff);
            writer.worker(&word, &judging(WorkerDefinition { backoff, ..definition }), span(name));
        }
        self.bound.insert(word.clone(), Vec::new());
        word
    }

    /// The words that a worker which has been called may answer.
    pub(super) fn words(&self, word: &str) -> &[String] {
        self.bound.get(word).map_or(&[], Vec::as_slice)
    }

    /// Has it been called?
    pub(super) fn is_bound(&self, word: &str) -> bool {
        self.bound.contains_key(word)
    }

    /// Tells when nothing has this name, though nothing calls it.
    pub(super) fn look(&mut self, names: &Names, name: &Text) {
        let word = spelt(name.get_ref());
        let is_known = names.pipelines.contains_key(name.get_ref().as_str()) || self.bound.contains_key(&word);
        if !is_known && matches!(self.library.find(self.file, &word), Ok(None)) {
            self.tell_unbound(name, &word);
        }
    }

    fn tell_unbound(&mut self, name: &Text, word: &str) {
        if self.told.len() >= crate::diagnostic::MOST_ERRORS {
            return;
        }
        let known = self.library.names(self.file);
        let near = nearest(word, known.iter().map(String::as_str));
        let near = near.map_or(String::new(), |near| format!("; or did you mean `{near}`?"));
        self.told.push(
            Diagnostic::new(Code::UnboundAction, span(name), format!("nothing is bound to `{}`", name.get_ref()))
                .reason("an action is done by the worker of its name; reached without one it fails, and with --mock it passes")
                .help(format!(
                    "write workers/{word}.md or workers/{word}.toml beside the file, or [worker.{word}] in aivm.toml{near}"
                )),
        );
    }
}

/// Tells of the expressions that cannot be judged.
pub(super) fn judgeable(tables: &mut Tables, file: &File, library: &dyn Library) {
    for that in file.conditions.iter().filter_map(|condition| condition.is.when.as_ref()) {
        // What a stage returned flows on: no step is seen by its name.
        let mut of_no_step = when(that);
        of_no_step.with.insert("steps".to_owned(), serde_json::json!([]));
        if let Err(reason) = library.check(&of_no_step) {
            let reason = reason.strip_prefix("`that` of `when` ").unwrap_or(&reason);
            let diagnostic = Diagnostic::new(Code::Aitws, span(that), format!("`when` of `[[conditions]]` {reason}"));
            tables.report(diagnostic.help("what the stage before returned is `input`: `size(input) > 3`"));
        }
    }
}

/// Who judges an expression.
fn when(that: &Text) -> WorkerDefinition {
    let with = [("that", that.get_ref().as_str()), ("otherwise", "cancel")];
    let with = with.map(|(key, value)| (key.to_owned(), value.into())).into();
    WorkerDefinition { with, ..WorkerDefinition::new(Does::Builtin("when".to_owned())) }
}

/// Stands in for a worker that nobody is: it says so when it is called.
fn unbound(word: &str) -> WorkerDefinition {
    let with = [("capability".to_owned(), word.into())];
    WorkerDefinition { with: with.into(), ..WorkerDefinition::new(Does::Builtin("unbound".to_owned())) }
}

fn judging(mut definition: WorkerDefinition) -> WorkerDefinition {
    for word in [YES, NO] {
        if !definition.words.iter().any(|known| known == word) {
            definition.words.push(word.to_owned());
        }
    }
    if definition.mock.is_none() {
        definition.mock = Some(vec![MockEntry::Verdict(YES.to_owned())]);
    }
    definition
}
