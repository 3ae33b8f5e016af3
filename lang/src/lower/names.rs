//! Front matter, and whom a path calls: definitions of the file, its front matter, then the library.

use super::*;
use crate::front::Read;
use crate::library::Found;
use aivm_schema::limits;
use aivm_schema::module::RunLimits;
use aivm_schema::word::{is_reserved, is_word};
use aivm_schema::worker::{Effect, KEPT, WorkerDefinition};
use rustc_hash::FxHashSet;

fn not_a_name(name: &str, span: Span) -> Diagnostic {
    Diagnostic::new(Code::NotAName, span, format!("`{name}` cannot name a worker"))
        .reason("a name is a letter or `_`, then letters, digits, `_` and `-`, and not a word of the language")
}

impl File<'_, '_> {
    pub(super) fn read_front_matter(&mut self) {
        let Some(text) = &self.tree.front_matter else { return };
        let Read { front, places, errors, hides_names } = crate::front::read(text, self.spans.front_matter.start);
        errors.into_iter().for_each(|error| self.report(error));
        (self.front_places, self.front_hides_names) = (places, hides_names);
        if self.all.open.len() == 1 {
            let (own, project) = (front.limits.of_run(), self.all.flow.limits);
            self.all.flow.limits = RunLimits {
                calls: own.calls.or(project.calls),
                money: own.money.or(project.money),
                tokens: own.tokens.or(project.tokens),
            };
            self.all.flow.concurrent = front.limits.concurrent.or(self.all.flow.concurrent);
            self.all.flow.params = front.param.clone().into_iter().collect();
        }
        for (name, param) in &front.param {
            if !is_word(name) {
                self.report(not_a_name(name, self.key_span("param", name)));
            }
            if let Err(error) = param.check() {
                let span = self.key_span("param", name);
                self.report(Diagnostic::new(Code::FrontMatter, span, format!("the parameter `{name}`: {error}")));
            }
        }
        let tree = self.tree;
        let defined: FxHashSet<&str> =
            tree.definitions.iter().map(|definition| tree.words.text(definition.name)).collect();
        for (name, definition) in &front.worker {
            if self.is_full() {
                break;
            }
            if !is_word(name) || is_reserved(name) {
                self.report(not_a_name(name, self.key_span("worker", name)));
            } else if defined.contains(name.as_str()) {
                let span = self.key_span("worker", name);
                self.report(
                    Diagnostic::new(Code::Ambiguous, span, format!("`{name}` is a worker here and a definition below"))
                        .help("give one of them another name"),
                );
            }
            if let Err(reason) = self.all.library.check(definition) {
                let span = self.key_span("worker", name);
                self.report(Diagnostic::new(Code::WorkerDefinition, span, format!("the worker `{name}`: {reason}")));
            }
        }
        let selects = tree.stages.iter().filter(|stage| stage.kind == tree::Kind::Select);
        let selects: FxHashSet<&str> = selects.filter_map(|stage| Some(tree.words.text(stage.label?))).collect();
        for name in front.stage.keys() {
            if !selects.contains(name.as_str()) && !self.is_full() {
                let span = self.key_span("stage", name);
                let message = format!("`[stage.{name}]` belongs to no `select` of this file");
                let diagnostic = Diagnostic::new(Code::NoSuchStage, span, message)
                    .help("its name is the label of a select: `select[name] <= (`");
                let near = selects.iter().copied().take(self.worth_comparing());
                let diagnostic = suggest(diagnostic, span, name, near);
                self.report(diagnostic);
            }
        }
        self.front = front;
    }

    /// Where a name of the front matter is defined.
    pub(super) fn key_span(&self, group: &'static str, name: &str) -> Span {
        self.front_places.get(&(group, name.to_owned())).copied().unwrap_or(self.spans.front_matter)
    }

    /// Whom a path calls; none when that was reported.
    pub(super) fn target(&mut self, path: &tree::Path, span: Span) -> Option<Target> {
        let name = self.path_text(path);
        self.named_target(&name, span)
    }

    fn path_text(&self, path: &tree::Path) -> String {
        let mut name = self.text(path.first).to_owned();
        for word in &path.rest {
            name.push('.');
            name.push_str(self.text(*word));
        }
        name
    }

    /// Whom a name calls; each unknown name is reported once a file.
    pub(super) fn named_target(&mut self, name: &str, span: Span) -> Option<Target> {
        if let Some(known) = self.targets.get(name) {
            return *known;
        }
        let target = self.look_up(name, span);
        self.targets.insert(name.to_owned(), target);
        target
    }

    fn look_up(&mut self, name: &str, span: Span) -> Option<Target> {
        if let Some(function) = self.definitions.get(name) {
            return Some(Target::Function(*function));
        }
        if let Some(definition) = self.front.worker.get(name) {
            let definition = definition.clone();
            let span = self.key_span("worker", name);
            return Some(self.worker(name, definition, span));
        }
        // A chooser or an undoer is named by a text of the front matter: what is no word is no question for a library of files.
        if !name.split('.').all(is_word) || name.len() > limits::WORD {
            self.report(not_a_name(name, span));
            return None;
        }
        if self.is_full() {
            return None;
        }
        match self.all.library.find(self.name, name) {
            Ok(Some(Found::Worker(definition))) => {
                if let Err(reason) = self.all.library.check(&definition) {
                    self.report(Diagnostic::new(
                        Code::WorkerDefinition,
                        span,
                        format!("the worker `{name}`: {reason}"),
                    ));
                    return None;
                }
                Some(self.worker(name, *definition, span))
            }
            Ok(Some(Found::Program { file, source })) => self.file(name, span, file, &source),
            // The front matter may define it, and cannot be read.
            Ok(None) if self.front_hides_names => None,
            Ok(None) => {
                let most = self.worth_comparing();
                let names = if most > 0 { self.all.library.names(self.name) } else { Vec::new() };
                let own = self.definitions.keys().chain(self.front.worker.keys());
                let names = names.iter().chain(own).map(String::as_str).take(most);
                let diagnostic = Diagnostic::new(Code::UnknownWorker, span, format!("nothing is called `{name}`"))
                    .reason("looked for a definition in this file, a worker in its front matter, files beside it, `aivm.toml` and the standard library")
                    .help(format!("define it: `[worker.{name}]` between two `+++` lines at the top, or a file `workers/{name}.md`"));
                let source = &self.all.flow.places.files[usize::from(self.number)].1;
                // A name that stands in a definition is not what the place of that definition says.
                let diagnostic = match source.get(span.range()) == Some(name) {
                    true => suggest(diagnostic, span, name, names),
                    false => match nearest(name, names) {
                        Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
                        None => diagnostic,
                    },
                };
                self.report(diagnostic);
                None
            }
            Err(error) => {
                self.report(Diagnostic::new(Code::UnusableFile, span, format!("`{name}` cannot be used: {error}")));
                None
            }
        }
    }

    /// The same definition under the same name is one worker.
    pub(super) fn worker(&mut self, name: &str, definition: WorkerDefinition, span: Span) -> Target {
        let place = (self.number, span);
        let workers = &mut self.all.flow.workers;
        let same_name = self.all.workers.entry(name.to_owned()).or_default();
        if let Some(known) =
            same_name.iter().find(|id| workers.get(id.index()).is_some_and(|worker| worker.definition == definition))
        {
            return Target::Worker(*known);
        }
        let id = WorkerId(workers.len() as u32);
        same_name.push(id);
        let price = self.all.library.price(&definition);
        workers.push(Worker { name: name.to_owned(), definition, price, probe: None, place });
        Target::Worker(id)
    }

    /// A pipeline in a file of its own.
    fn file(&mut self, name: &str, span: Span, file: String, source: &str) -> Option<Target> {
        if let Some(function) = self.all.programs.get(&file) {
            return Some(Target::Function(*function));
        }
        if let Some(at) = self.all.open.iter().position(|open| *open == file) {
            // The front matter may define it, and cannot be read.
            if self.front_hides_names {
                return None;
            }
            let mut path: Vec<&str> = self.all.open.iter().skip(at).map(String::as_str).collect();
            path.push(&file);
            let path = path.join("` → `");
            let diagnostic = Diagnostic::new(Code::Recursion, span, format!("a file reaches itself: `{path}`"))
                .reason("a run has a known worst case only when no file calls itself, also not through others");
            self.report(match self.all.library.defined_in(self.name, name) {
                Some(worker) => diagnostic.help(format!(
                    "a file is found before a worker of the same name, and there is one in {worker}: rename one of the two"
                )),
                None => diagnostic,
            });
            return None;
        }
        if self.all.open.len() >= FILES_DEEP {
            self.report(Diagnostic::new(
                Code::UnusableFile,
                span,
                format!("`{name}` lies more than {FILES_DEEP} files deep"),
            ));
            return None;
        }
        let parsed = crate::parser::parse(source);
        let result = match parsed.diagnostics.is_empty() {
            true => self.all.program(&file, source, &parsed.tree, &parsed.spans),
            false => Err(parsed.diagnostics),
        };
        match result {
            Ok(function) => Some(Target::Function(function)),
            Err(errors) => {
                let first =
                    errors.first().map(|error| format!("{}: {}", error.code, error.message)).unwrap_or_default();
                self.report(
                    Diagnostic::new(
                        Code::BrokenFile,
                        span,
                        format!("`{name}` is the pipeline in {file}, which has errors"),
                    )
                    .reason(first)
                    .help(format!("see all of them: aivm check {file}")),
                );
                None
            }
        }
    }

    /// `undo = "word"` of the worker's own definition, or the undoer that a built-in brings along; none where it says `"none"`.
    pub(super) fn declared_undo(&mut self, id: StepId, span: Span) {
        let Target::Worker(called) = self.all.flow.step(id).target else { return };
        let Some(worker) = self.all.flow.workers.get(called.index()) else { return };
        if worker.definition.undo.as_deref() == Some(KEPT) {
            return;
        }
        let undo = match (self.all.library.undoer(&worker.definition), worker.definition.undo.clone()) {
            (Some((name, definition)), _) => Some(self.worker(&name, definition, span)),
            (None, Some(undo)) => {
                let span = self.definition_span(called, span);
                self.named_target(&undo, span)
            }
            (None, None) if worker.definition.effect == Some(Effect::Compensable) => {
                let name = worker.name.clone();
                let message = format!("`{name}` is compensable, and nothing takes back what it did");
                self.report(Diagnostic::new(Code::NoUndoer, span, message).help(format!(
                    "name the worker that does: `undo = \"WORD\"` in its definition, or `{name} ~ WORD` here; if none can: `effect = \"irreversible\"`"
                )));
                return;
            }
            (None, None) => return,
        };
        self.all.flow.steps[id.index()].undo = undo;
    }

    /// `probe = "word"` of the definition of a worker that is called.
    pub(super) fn declared_probe(&mut self, target: Option<Target>, span: Span) {
        let Some(Target::Worker(worker)) = target else { return };
        let Some(Worker { definition, probe: None, .. }) = self.all.flow.workers.get(worker.index()) else { return };
        let Some(probe) = definition.probe.clone() else { return };
        let span = self.definition_span(worker, span);
        match self.named_target(&probe, span) {
            Some(Target::Worker(found)) => self.all.flow.workers[worker.index()].probe = Some(found),
            Some(Target::Function(_)) => self.report(
                Diagnostic::new(Code::WorkerDefinition, span, format!("`{probe}` is a pipeline: a probe is a worker"))
                    .help("name a worker that says `happened` or `not-happened`, and changes nothing"),
            ),
            None => {}
        }
    }

    /// Where this file defines a worker; else where it is called.
    pub(super) fn definition_span(&self, worker: WorkerId, span: Span) -> Span {
        let name = self.all.flow.workers.get(worker.index()).map_or("", |worker| &worker.name);
        if self.front.worker.contains_key(name) { self.key_span("worker", name) } else { span }
    }

    /// The behaviour of a word; none when that was reported.
    pub(super) fn behaviour(&mut self, word: Word, span: Span) -> Option<BehaviourId> {
        if let Some(known) = self.behaviours.get(&word) {
            return *known;
        }
        let name = self.text(word).to_owned();
        let found = match self.front.behaviour.get(&name) {
            Some(definition) => Ok(Some(definition.clone())),
            None => self.all.library.find_behaviour(self.name, &name),
        };
        let id = match found {
            Ok(Some(definition)) => {
                let behaviours = &mut self.all.flow.behaviours;
                behaviours.push(Behaviour { name, definition });
                Some(BehaviourId(behaviours.len() as u32 - 1))
            }
            Ok(None) if self.front_hides_names => None,
            Ok(None) => {
                let names = self.front.behaviour.keys().map(String::as_str).take(self.worth_comparing());
                let diagnostic =
                    Diagnostic::new(Code::UnknownBehaviour, span, format!("no behaviour is called `{name}`"))
                        .help(format!("define it: `[behaviour.{name}]` with a `prompt` or settings under `with`"));
                let diagnostic = suggest(diagnostic, span, &name, names);
                self.report(diagnostic);
                None
            }
            Err(error) => {
                self.report(Diagnostic::new(Code::UnusableFile, span, format!("`{name}` cannot be used: {error}")));
                None
            }
        };
        self.behaviours.insert(word, id);
        id
    }
}
