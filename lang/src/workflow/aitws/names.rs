//! Which names the sections of a file define, and which of them others mean that are not there.

use super::file::{
    Action, Branch, Condition, Entry, Event, File, Handler, Parallel, Pipeline, Role, Stage, Task, Text,
};
use super::span;
use crate::diagnostic::{Code, Diagnostic};
use crate::lower::nearest;
use crate::span::Span;
use crate::tables::Tables;
use rustc_hash::FxHashMap;

/// A stage of the workflow: one of `[[stages]]`, or tasks at the same time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'f> {
    Stage(&'f Entry<Stage>),
    Parallel(&'f Entry<Parallel>),
    /// What a pipeline names, and no stage is: a worker of that name.
    Other(&'f Text),
}

impl<'f> Place<'f> {
    pub(super) fn name(self) -> &'f Text {
        match self {
            Place::Stage(stage) => &stage.is.name,
            Place::Parallel(parallel) => &parallel.is.name,
            Place::Other(name) => name,
        }
    }

    pub(super) fn span(self) -> Span {
        match self {
            Place::Stage(stage) => stage.span,
            Place::Parallel(parallel) => parallel.span,
            Place::Other(name) => span(name),
        }
    }

    fn order(self) -> Option<i64> {
        match self {
            Place::Stage(stage) => stage.is.order,
            Place::Parallel(parallel) => parallel.is.order,
            Place::Other(_) => None,
        }
    }

    fn is_empty(self) -> bool {
        match self {
            Place::Stage(stage) => stage.is.actions.is_empty(),
            Place::Parallel(parallel) => parallel.is.tasks.is_empty(),
            Place::Other(_) => false,
        }
    }
}

/// What the names of a file mean.
#[derive(Debug, Default)]
pub(super) struct Names<'f> {
    /// The stages that do something, in the order in which they run.
    pub places: Vec<Place<'f>>,
    /// Where among them each stage is.
    pub stages: FxHashMap<&'f str, usize>,
    pub actions: FxHashMap<&'f str, &'f Action>,
    pub conditions: FxHashMap<&'f str, &'f Condition>,
    pub pipelines: FxHashMap<&'f str, &'f Pipeline>,
    pub tasks: FxHashMap<&'f str, &'f Task>,
    pub handlers: FxHashMap<&'f str, &'f Handler>,
    events: FxHashMap<&'f str, &'f Event>,
    roles: FxHashMap<&'f str, &'f Role>,
}

impl<'f> Names<'f> {
    /// Of this file. A name that is given twice is wrong.
    pub(super) fn of(file: &'f File, tables: &mut Tables) -> Names<'f> {
        let mut twice = |of: &str, name: &Text| tables.report(named_twice(of, name));
        macro_rules! by_name {
            ($list:ident) => {{
                let mut names = FxHashMap::default();
                for entry in &file.$list {
                    if names.insert(entry.is.name.get_ref().as_str(), &entry.is).is_some() {
                        twice(&format!("`[[{}]]`", stringify!($list)), &entry.is.name);
                    }
                }
                names
            }};
        }
        let (stages, parallel) = (by_name!(stages), by_name!(parallel_execution));
        for (name, both) in &parallel {
            if stages.contains_key(name) {
                twice("stages", &both.name);
            }
        }
        by_name!(branches);
        let stages = file.stages.iter().map(Place::Stage);
        let mut places: Vec<Place> = stages.chain(file.parallel_execution.iter().map(Place::Parallel)).collect();
        places.retain(|place| !place.is_empty());
        places.sort_by_key(|place| (place.order().is_none(), place.order(), place.span()));
        let stages = places.iter().enumerate().map(|(at, place)| (place.name().get_ref().as_str(), at)).collect();
        let actions = file.stages.iter().flat_map(|stage| &stage.is.actions);
        let names = Names {
            places,
            stages,
            actions: actions.map(|action| (action.name.get_ref().as_str(), action)).collect(),
            conditions: by_name!(conditions),
            pipelines: by_name!(pipelines),
            tasks: by_name!(tasks),
            handlers: by_name!(handlers),
            events: by_name!(events),
            roles: by_name!(roles),
        };
        for branch in file.branches.iter().filter(|branch| branch.is.condition.is_none() && !branch.is_broken) {
            let message = format!("the branch `{}` has no `condition`", branch.is.name.get_ref());
            tables.report(Diagnostic::new(Code::Aitws, branch.span, message));
        }
        for condition in &file.conditions {
            if let (Some(_), Some(when)) = (&condition.is.kind, &condition.is.when) {
                let name = condition.is.name.get_ref();
                let message = format!("the condition `{name}` has a `type` and a `when`: it is judged by one of them");
                let help = "leave out `type`, a worker, or `when`, an expression";
                tables.report(Diagnostic::new(Code::Aitws, span(when), message).help(help));
            }
        }
        names
    }

    /// The stages of one pipeline, in its order.
    pub(super) fn places_of(&self, file: &'f File, pipeline: &str) -> Result<Vec<Place<'f>>, Diagnostic> {
        let named = file.pipelines.iter().find(|entry| entry.is.name.get_ref() == pipeline);
        let Some(Entry { is: pipeline, .. }) = named else {
            let near = nearest(pipeline, self.pipelines.keys().copied());
            let help = match (near, self.pipelines.is_empty()) {
                (Some(near), _) => format!("did you mean `{near}`?"),
                (None, true) => "the file has no `[[pipelines]]`".to_owned(),
                (None, false) => {
                    let names = file.pipelines.iter().map(|entry| entry.is.name.get_ref().as_str());
                    format!("its pipelines are: {}", names.collect::<Vec<_>>().join(", "))
                }
            };
            let message = format!("no pipeline is called `{pipeline}`");
            return Err(Diagnostic::new(Code::UnknownPipeline, Span::new(0, 1), message).help(help));
        };
        Ok(pipeline.stages.iter().map(|name| self.place(name)).collect())
    }

    /// What a pipeline means by this name.
    pub(super) fn place(&self, name: &'f Text) -> Place<'f> {
        let stage = self.stages.get(name.get_ref().as_str()).and_then(|at| self.places.get(*at));
        stage.copied().unwrap_or(Place::Other(name))
    }

    /// What is meant and is not there, or does nothing, in no order.
    pub(super) fn dangling(&self, file: &File) -> Vec<Diagnostic> {
        let mut told = Vec::new();
        let repositories = file.repositories.iter().filter_map(|entry| entry.is.access_role.as_ref());
        let authorized = file.authorization.iter().map(|entry| &entry.is.role);
        let approving = file.change_management.iter().flat_map(|section| &section.is.approval_roles);
        missing(&mut told, &self.roles, "role", repositories.chain(authorized).chain(approving));
        missing(&mut told, &self.events, "event", file.triggers.iter().filter_map(|entry| entry.is.event.as_ref()));
        missing(
            &mut told,
            &self.handlers,
            "handler",
            file.triggers.iter().filter_map(|entry| entry.is.handler.as_ref()),
        );
        let branches = || file.branches.iter().map(|entry| &entry.is);
        missing(&mut told, &self.conditions, "condition", branches().filter_map(|branch| branch.condition.as_ref()));
        let led_to = |branch: &'_ Branch| [branch.if_true.clone(), branch.if_false.clone(), branch.after.clone()];
        let led_to: Vec<Text> = branches().flat_map(led_to).flatten().collect();
        missing(&mut told, &self.stages, "stage", led_to.iter());
        missing(&mut told, &self.stages, "stage", file.pipelines.iter().flat_map(|entry| &entry.is.stages));
        let empty =
            file.stages.iter().filter(|stage| stage.is.actions.is_empty()).map(|stage| (stage.span, &stage.is.name));
        let idle = file.parallel_execution.iter().filter(|tasks| tasks.is.tasks.is_empty());
        for pipeline in file.pipelines.iter().filter(|pipeline| pipeline.is.stages.is_empty() && !pipeline.is_broken) {
            let message = format!("the pipeline `{}` has no stages, and does nothing", pipeline.is.name.get_ref());
            let help = "name them in their order: `stages = [\"STAGE\"]`";
            told.push(Diagnostic::new(Code::Placeless, pipeline.span, message).help(help));
        }
        let empty = empty.map(|stage| (stage, "give it actions: `[[stages.actions]]` with `name` and `type` below it"));
        let idle = idle.map(|tasks| ((tasks.span, &tasks.is.name), "name actions or workers: `tasks = [\"TASK\"]`"));
        for ((span, name), help) in empty.chain(idle) {
            let message = format!("the stage `{}` does nothing, and is left out", name.get_ref());
            told.push(Diagnostic::new(Code::Placeless, span, message).help(help));
        }
        told
    }

    /// What the handlers of the events of this type do.
    pub(super) fn handlers_of(&self, file: &'f File, kind: &str) -> Vec<&'f Text> {
        let of_kind = |event: &Event| event.kind.as_ref().unwrap_or(&event.name).get_ref() == kind;
        self.waited_for(file).filter(|(event, _)| of_kind(event)).map(|(_, action)| action).collect()
    }

    /// The events that a trigger waits for, and what its handler does.
    pub(super) fn waited_for(&self, file: &'f File) -> impl Iterator<Item = (&'f Event, &'f Text)> {
        file.triggers.iter().filter_map(|trigger| {
            let event = self.events.get(trigger.is.event.as_ref()?.get_ref().as_str())?;
            let handler = self.handlers.get(trigger.is.handler.as_ref()?.get_ref().as_str())?;
            Some((*event, handler.action.as_ref().unwrap_or(&handler.name)))
        })
    }
}

fn named_twice(of: &str, name: &Text) -> Diagnostic {
    Diagnostic::new(Code::NameTwice, span(name), format!("two {of} are called `{}`", name.get_ref()))
        .help("give one of them another name")
}

/// Tells of each name that is none of these.
fn missing<'a, T>(
    told: &mut Vec<Diagnostic>,
    known: &FxHashMap<&str, T>,
    what: &str,
    meant: impl Iterator<Item = &'a Text>,
) {
    for name in meant.filter(|name| !known.contains_key(name.get_ref().as_str())) {
        // Nobody reads more proposals than messages.
        let near =
            (told.len() < crate::diagnostic::MOST_ERRORS).then(|| nearest(name.get_ref(), known.keys().copied()));
        let diagnostic =
            Diagnostic::new(Code::Dangling, span(name), format!("no {what} is called `{}`", name.get_ref()));
        told.push(match near.flatten() {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(way_out(what, name.get_ref())),
        });
    }
}

fn way_out(what: &str, name: &str) -> String {
    match what {
        "stage" => {
            format!("add `[[stages]]` with this name, or a worker of this name, workers/{name}.md: it is called there")
        }
        "role" => "add it under `[[roles]]`".to_owned(),
        what => format!("add it under `[[{what}s]]`"),
    }
}
