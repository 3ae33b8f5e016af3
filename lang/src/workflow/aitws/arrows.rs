//! The page: what the stages, branches, pipelines and handlers of a file are in arrows.

use super::bind::Binder;
use super::file::{Action, Branch, Entry, File, Pipeline, Text};
use super::names::{Names, Place};
use super::span;
use crate::diagnostic::{Code, Diagnostic};
use crate::lower::nearest;
use crate::span::Span;
use crate::workflow::page::{Writer, spelt};
use aivm_schema::worker::{Does, WorkerDefinition};
use rustc_hash::{FxHashMap, FxHashSet};

/// An event fires when a stage of this name has ended, in success or in a failure.
const DONE: &str = ".done";
const FAILED: &str = ".failed";

/// Writes them all; or those places alone that are wanted, and what they call.
pub(super) fn write<'f>(
    file: &'f File,
    names: &Names<'f>,
    wanted: Option<Vec<Place<'f>>>,
    binder: &mut Binder,
    writer: &mut Writer,
) {
    for name in callable(file, names) {
        writer.reserve(&spelt(name.get_ref()));
    }
    let is_whole = wanted.is_none();
    let places = wanted.unwrap_or_else(|| names.places.clone());
    let labels = places.iter().map(|place| writer.label(place.name().get_ref())).collect();
    let mut stages = FxHashMap::default();
    for (at, place) in places.iter().enumerate() {
        stages.entry(place.name().get_ref().as_str()).or_insert(at);
    }
    let retries = file.error_handling.as_ref().map_or(0, |section| section.is.retry_count);
    let retry = if retries == 0 { String::new() } else { format!(" | retry * {retries}") };
    let raise = None;
    let mut page =
        Arrows { file, names, binder, writer, places, stages, labels, retry, raise, fired: FxHashSet::default() };
    page.title();
    page.pipelines();
    page.program();
    // What is waited for in vain, or idle, is so in the whole file.
    if is_whole {
        page.unfired();
        page.idle_tasks();
    }
}

/// The names that workers and pipelines are called by.
fn callable<'f>(file: &'f File, names: &Names) -> impl Iterator<Item = &'f Text> {
    let actions = file.stages.iter().flat_map(|stage| &stage.is.actions).map(kind);
    let tasks = file.parallel_execution.iter().flat_map(|parallel| &parallel.is.tasks);
    let pipelines = file.pipelines.iter().flat_map(|entry| std::iter::once(&entry.is.name).chain(&entry.is.stages));
    actions.chain(tasks).chain(judged_and_handled(file, names)).chain(pipelines)
}

/// Those of them that no stage has among its actions.
fn judged_and_handled<'f>(file: &'f File, names: &Names) -> impl Iterator<Item = &'f Text> {
    let handlers = file.handlers.iter().map(|handler| handler.is.action.as_ref().unwrap_or(&handler.is.name));
    let by_worker = file.conditions.iter().filter(|entry| entry.is.when.is_none());
    let conditions = by_worker.map(|entry| entry.is.kind.as_ref().unwrap_or(&entry.is.name));
    let of_branch = |branch: &'f Entry<Branch>| {
        let condition = branch.is.condition.as_ref();
        let dangling = condition.filter(|name| !names.conditions.contains_key(name.get_ref().as_str()));
        [dangling, branch.is.if_true.as_ref(), branch.is.if_false.as_ref()].into_iter().flatten().collect::<Vec<_>>()
    };
    let branches = file.branches.iter().flat_map(of_branch);
    handlers.chain(conditions).chain(branches)
}

/// What an action calls.
fn kind(action: &Action) -> &Text {
    action.kind.as_ref().unwrap_or(&action.name)
}

struct Arrows<'f, 'n, 'b, 'l, 'w> {
    file: &'f File,
    names: &'n Names<'f>,
    binder: &'b mut Binder<'l>,
    writer: &'w mut Writer,
    /// The stages of the program itself, in the order in which they run.
    places: Vec<Place<'f>>,
    /// Where among them each stage is.
    stages: FxHashMap<&'f str, usize>,
    /// Of the places.
    labels: Vec<String>,
    /// What stands behind the outcomes of every action.
    retry: String,
    /// The worker that fails as its input did, when there is need of it.
    raise: Option<String>,
    /// The types of the events that can fire.
    fired: FxHashSet<String>,
}

impl<'f> Arrows<'f, '_, '_, '_, '_> {
    fn put(&mut self, text: &str, origin: Span) {
        self.writer.put(text, origin);
    }

    fn call(&mut self, name: &Text) -> String {
        self.binder.call(self.names, self.writer, name)
    }

    fn title(&mut self) {
        let Some(metadata) = &self.file.metadata else { return };
        for line in [title(self.file), metadata.is.description.clone()].iter().flat_map(|text| text.lines()) {
            self.put(&format!("; {}\n", plain(line)), metadata.span);
        }
    }

    /// Those that something calls: any other is there to be run alone.
    fn pipelines(&mut self) {
        let file = self.file;
        let called = self.called_pipelines();
        let is_called = |entry: &&Entry<Pipeline>| called.contains(entry.is.name.get_ref().as_str());
        for Entry { span: origin, is: pipeline, .. } in file.pipelines.iter().filter(is_called) {
            let name = spelt(pipeline.name.get_ref());
            self.put(&format!("{name} <= (\n"), span(&pipeline.name));
            for (nth, stage) in pipeline.stages.iter().enumerate() {
                self.put(if nth == 0 { "    " } else { "    <= " }, *origin);
                let label = self.writer.label(&format!("{}-{}", pipeline.name.get_ref(), stage.get_ref()));
                self.place(self.names.place(stage), &label);
            }
            self.put(")\n\n", *origin);
        }
    }

    /// Those that the stages call, and what these call.
    fn called_pipelines(&self) -> FxHashSet<&'f str> {
        let mut open = self.places.clone();
        open.extend(judged_and_handled(self.file, self.names).map(Place::Other));
        let mut called = FxHashSet::default();
        while let Some(place) = open.pop() {
            let names: Vec<&Text> = match place {
                Place::Stage(stage) => stage.is.actions.iter().map(kind).collect(),
                Place::Parallel(parallel) => parallel.is.tasks.iter().map(|task| self.meant(task)).collect(),
                Place::Other(name) => vec![name],
            };
            for name in names {
                if let Some((name, pipeline)) = self.names.pipelines.get_key_value(name.get_ref().as_str())
                    && called.insert(*name)
                {
                    open.extend(pipeline.stages.iter().map(|stage| self.names.place(stage)));
                }
            }
        }
        called
    }

    /// The name of an action means what it does.
    fn meant(&self, task: &'f Text) -> &'f Text {
        self.names.actions.get(task.get_ref().as_str()).map_or(task, |action| kind(action))
    }

    fn program(&mut self) {
        self.put("out <= (\n", Span::default());
        let mut first = true;
        if let Some(section) = self.file.change_management.as_ref().filter(|section| section.is.review_required) {
            self.between(&mut first, section.span);
            self.review(section.span, &section.is.approval_roles);
        }
        let branches = self.branches();
        let places = self.places.clone();
        for (at, place) in places.into_iter().enumerate() {
            for branch in
                branches.iter().filter(|(before, stage, _)| *before && *stage == at).map(|(.., branch)| *branch)
            {
                self.between(&mut first, branch.span);
                self.branch(branch);
            }
            self.between(&mut first, place.span());
            self.place(place, &self.labels[at].clone());
            for branch in
                branches.iter().filter(|(before, stage, _)| !*before && *stage == at).map(|(.., branch)| *branch)
            {
                self.between(&mut first, branch.span);
                self.branch(branch);
            }
        }
        self.put(") <= in\n", Span::default());
    }

    fn between(&mut self, first: &mut bool, origin: Span) {
        self.put(if *first { "    " } else { "    <= " }, origin);
        *first = false;
    }

    /// Somebody of these roles allows the run.
    fn review(&mut self, origin: Span, roles: &[Text]) {
        let label = self.writer.label("Review");
        let word = self.writer.word("review");
        let roles: Vec<&str> = roles.iter().map(|role| role.get_ref().as_str()).collect();
        let by = if roles.is_empty() { String::new() } else { format!(" It is up to: {}.", roles.join(", ")) };
        let question = format!("May “{}” run?{by}", title(self.file));
        self.writer.worker(&word, &WorkerDefinition::new(Does::Human(question)), origin);
        self.put(&format!("switch[{label}] <= (\n        {word} => next | cancel\n    )\n"), origin);
    }

    /// Where each branch stands: before or behind a stage. Told when it stands nowhere.
    fn branches(&mut self) -> Vec<(bool, usize, &'f Entry<Branch>)> {
        let stage = |name: &Option<Text>| self.stages.get(name.as_ref()?.get_ref().as_str()).copied();
        let is_left_out = |name: &&Text| {
            let name = name.get_ref().as_str();
            self.names.stages.contains_key(name) && !self.stages.contains_key(name)
        };
        let mut standing = Vec::new();
        for branch in &self.file.branches {
            let meant = [&branch.is.if_true, &branch.is.if_false, &branch.is.after];
            if let Some(out) = meant.into_iter().flatten().find(is_left_out) {
                let name = branch.is.name.get_ref();
                let message = format!("the branch `{name}` leads out of the pipeline, and is left out");
                self.binder.told.push(
                    Diagnostic::new(Code::Placeless, span(out), message)
                        .help("give the pipeline this stage, or run the whole workflow"),
                );
                continue;
            }
            let after = stage(&branch.is.after).map(|at| (false, at));
            let before = || stage(&branch.is.if_true).or(stage(&branch.is.if_false)).map(|at| (true, at));
            match after.or_else(before) {
                Some((before, at)) => standing.push((before, at, branch)),
                // That there is no such stage is told where it is named.
                None if meant
                    .into_iter()
                    .flatten()
                    .any(|name| !self.names.stages.contains_key(name.get_ref().as_str())) => {}
                None => self.binder.told.push(
                    Diagnostic::new(
                        Code::Placeless,
                        branch.span,
                        format!("the branch `{}` stands nowhere, and is left out", branch.is.name.get_ref()),
                    )
                    .reason("a branch stands before the stage that `if_true` names, else before that of `if_false`")
                    .help("name a stage, or say behind which one it stands: `after = \"STAGE\"`"),
                ),
            }
        }
        standing
    }

    /// A condition that is judged, and where each answer leads.
    fn branch(&mut self, Entry { span: origin, is: branch, .. }: &Entry<Branch>) {
        let Some(name) = &branch.condition else { return };
        let condition = self.names.conditions.get(name.get_ref().as_str()).copied();
        let judge = self.binder.condition(self.writer, name, condition);
        let label = self.writer.label(branch.name.get_ref());
        let most = branch.max_iterations.map_or(String::new(), |most| format!("<{most}>"));
        self.put(&format!("switch[{label}]{most} <= (\n"), span(&branch.name));
        let step = format!("        {} => {}{}\n", judge.word, judge.outcomes, self.retry);
        self.put(&step, span(name));
        self.put("    ) <= match <= (\n", *origin);
        for (answer, target) in judge.answers.iter().zip([&branch.if_true, &branch.if_false]) {
            let end = match target {
                None => "send".to_owned(),
                Some(target) => match self.stages.get(target.get_ref().as_str()) {
                    Some(at) => format!("[{}.jump]", self.labels[*at]),
                    // Whoever has this name is called, and that is the end: there is no way on.
                    None => format!("out <= switch <= ( {} => cancel )", self.call(target)),
                },
            };
            self.put(&format!("        {answer} => {end}\n"), target.as_ref().map_or(*origin, span));
        }
        self.put("    )\n", *origin);
    }

    /// A stage, and behind it what its events call.
    fn place(&mut self, place: Place<'f>, label: &str) {
        let name = place.name();
        match place {
            Place::Stage(stage) => {
                self.put(&format!("switch[{label}] <= (\n"), span(name));
                for action in &stage.is.actions {
                    self.action(action);
                }
            }
            Place::Other(other) => {
                let word = self.call(other);
                let step = format!("switch[{label}] <= ( {word} => next{}\n", self.retry);
                self.put(&step, span(other));
            }
            Place::Parallel(parallel) => {
                self.put(&format!("join[{label}] <= (\n"), span(name));
                for task in &parallel.is.tasks {
                    let word = self.call(self.meant(task));
                    let step = format!("        {word} => next{}\n", self.retry);
                    self.put(&step, span(task));
                }
            }
        }
        self.put("    )\n", place.span());
        let failed = self.handlers(&format!("{}{FAILED}", name.get_ref()));
        if !failed.is_empty() {
            let raise = self.raise(place.span());
            let arms = format!("success => send\n default => out <= switch <= ( {failed} {raise} => next )\n");
            self.put(&format!("    <= match <= (\n {arms} )\n"), place.span());
        }
        let done = self.handlers(&format!("{}{DONE}", name.get_ref()));
        if !done.is_empty() {
            self.put(&format!("    <= switch <= ( {done} )\n"), place.span());
        }
    }

    fn action(&mut self, action: &Action) {
        let word = self.call(kind(action));
        let step = format!("{word} => next{}", self.retry);
        let mut arms = String::new();
        for said in self.binder.words(&word).to_vec() {
            let handlers = self.handlers(&said);
            if !handlers.is_empty() {
                arms.push_str(&format!("{said} => out <= switch <= ( {handlers} )\n"));
            }
        }
        let text = match (arms.is_empty(), plain(action.name.get_ref())) {
            (true, name) if name == word => format!("        {step}\n"),
            (true, name) => format!("        {step} ; {name}\n"),
            (false, name) => {
                format!("        ; {name}\n switch <= ( {step} ) <= match <= (\n {arms} default => send\n )\n")
            }
        };
        self.put(&text, span(kind(action)));
    }

    /// The steps that an event of this type calls: they see what flows and do not change it.
    fn handlers(&mut self, kind: &str) -> String {
        let actions = self.names.handlers_of(self.file, kind);
        self.fired.insert(kind.to_owned());
        let steps: Vec<String> =
            actions.into_iter().map(|action| format!("{} => continue", self.call(action))).collect();
        steps.join(" ")
    }

    /// The word of the worker that fails as its input did.
    fn raise(&mut self, origin: Span) -> String {
        if let Some(word) = &self.raise {
            return word.clone();
        }
        let word = self.writer.word("fail");
        self.writer.worker(&word, &WorkerDefinition::new(Does::Builtin("fail".to_owned())), origin);
        self.raise = Some(word.clone());
        word
    }

    /// Tells of the events that are waited for in vain.
    fn unfired(&mut self) {
        let file = self.file;
        for (event, action) in self.names.waited_for(file) {
            let kind = event.kind.as_ref().unwrap_or(&event.name);
            if self.fired.contains(kind.get_ref()) {
                continue;
            }
            self.binder.look(self.names, action);
            let help = match nearest(kind.get_ref(), self.fired.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "let the worker of an action answer it: `words = [\"{}\"]` in its definition",
                    spelt(kind.get_ref())
                ),
            };
            self.binder.told.push(
                Diagnostic::new(Code::Unfired, span(kind), format!("nothing fires an event of type `{}`", kind.get_ref()))
                    .reason("an event fires when an action answers the word of its type, or when a stage ends: `STAGE.done`, `STAGE.failed`")
                    .help(help),
            );
        }
    }

    /// Tells of the tasks that are only described.
    fn idle_tasks(&mut self) {
        for Entry { span: origin, is: task, .. } in &self.file.tasks {
            if !self.binder.is_bound(&spelt(task.name.get_ref())) {
                let message = format!("the task `{}` is recorded, and nothing runs it", task.name.get_ref());
                self.binder.told.push(
                    Diagnostic::new(Code::OnlyRecorded, *origin, message)
                        .help("name it among the `tasks` of `[[parallel_execution]]`, or as the `type` of an action"),
                );
            }
        }
    }
}

/// What the file calls itself.
fn title(file: &File) -> String {
    let Some(metadata) = &file.metadata else { return "this workflow".to_owned() };
    let title = format!("{} {}", metadata.is.name, metadata.is.version);
    if title.trim().is_empty() { "this workflow".to_owned() } else { plain(title.trim()) }
}

/// A name as part of a line.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
