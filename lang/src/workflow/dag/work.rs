//! What a step does: itself, laid over the action that it uses, laid over the worker that this calls.

use super::keys::{Action, Named, Step, Workflow};
use crate::diagnostic::{Code, Diagnostic, MOST_ERRORS};
use crate::library::{Found, Library};
use crate::lower::nearest;
use crate::tables::{Placed, Tables};
use crate::workflow::page::{NOT_WRITTEN, written_down};
use aivm_schema::unit::Milliseconds;
use aivm_schema::word::{is_reserved, is_word};
use aivm_schema::worker::{Does, WorkerDefinition, Workspace};

/// What a step does.
pub(super) struct Work {
    pub does: Calls,
    /// How often it is called again after a failure.
    pub retry: u16,
    /// The deadline of one call.
    pub timeout: Option<Milliseconds>,
    /// Does it leave nothing in the workspace, because it works in a copy?
    pub is_ephemeral: bool,
}

/// Whom a step calls.
pub(super) enum Calls {
    /// A worker of its own.
    Own(Box<WorkerDefinition>),
    /// One that is defined elsewhere, as it is.
    Named(Placed<String>),
}

/// Finds out what steps do, and tells what is wrong with that.
pub(super) struct Works<'a> {
    pub tables: &'a mut Tables,
    /// The name of the file.
    pub file: &'a str,
    pub library: &'a dyn Library,
    pub workflow: &'a Workflow,
}

impl Works<'_> {
    /// What a step does; none when that was told.
    pub fn of(&mut self, step: &Named<Step>) -> Option<Work> {
        let Step { uses, run, .. } = &step.it;
        let by_name = |uses: &Placed<String>| self.workflow.actions.iter().find(|one| one.name == *uses.get_ref());
        let action = uses.as_ref().and_then(by_name);
        let whole = action.map_or_else(|| own(&step.it), |action| laid_over(own(&step.it), &action.it));
        if step.is_broken || action.is_some_and(|action| action.is_broken) {
            // What it lacks may have been meant there; what it calls has to be there all the same.
            if let Some(uses) = &whole.uses {
                self.found(uses);
            }
            return None;
        }
        let of = action.map_or_else(|| format!("`[steps.{}]`", step.name), |one| format!("`[actions.{}]`", one.name));
        match (&whole.run, &whole.uses) {
            _ if action.is_some() && run.is_some() => {
                self.tell_what_it_does(step, &format!("`[steps.{}]`", step.name), true);
                None
            }
            (Some(run), None) => {
                let definition = WorkerDefinition::new(Does::Command(run.clone()));
                self.own(step, definition, &whole)
            }
            (None, Some(uses)) => match self.found(uses)? {
                // Nothing is laid over it: it is called as it is.
                found if is_plain(&whole) && step.it.priority.is_none() && step.it.resources.is_none() => {
                    let worker = if let Found::Worker(worker) = found { Some(worker) } else { None };
                    if let Some(worker) = &worker {
                        self.fits(step, worker)?;
                    }
                    let is_ephemeral = worker.is_some_and(|worker| is_ephemeral(&worker));
                    let (does, retry, timeout) = (Calls::Named(uses.clone()), whole.retry.unwrap_or(0), whole.timeout);
                    Some(Work { does, retry, timeout, is_ephemeral })
                }
                Found::Program { file, .. } => {
                    let message = format!(
                        "`{}` is the pipeline {file}, and takes no `inputs`, `env`, `effect`, `workspace`, `priority`, `resources` or `backoff`",
                        uses.get_ref()
                    );
                    let diagnostic = Diagnostic::new(Code::Workflow, self.tables.span(uses.span()), message);
                    self.tables.report(diagnostic.help("leave them out, or use a worker"));
                    None
                }
                Found::Worker(definition) => self.own(step, *definition, &whole),
            },
            (run, _) => {
                self.tell_what_it_does(step, &of, run.is_some());
                None
            }
        }
    }

    /// A worker of its own: this one, and what is said laid over it.
    fn own(&mut self, step: &Named<Step>, mut definition: WorkerDefinition, said: &Action) -> Option<Work> {
        if !matches!(definition.does, Does::Command(_)) {
            let of_a_command = [
                ("env", !said.env.is_empty(), "has no variables", "give it what it reads as `inputs`"),
                ("workspace", said.workspace.is_some(), "works in no folder", "leave it out"),
            ];
            if let Some((key, _, why, help)) = of_a_command.into_iter().find(|(_, is_said, ..)| *is_said) {
                let message = format!("`{}` is no command, and {why}: `{key}` cannot be laid over it", step.name);
                let diagnostic = Diagnostic::new(Code::Workflow, step.value(self.tables, key), message);
                self.tables.report(diagnostic.help(help));
                return None;
            }
        }
        if !said.description.is_empty() {
            definition.about.clone_from(&said.description);
        }
        definition.with.extend(said.inputs.clone());
        definition.env.extend(said.env.clone());
        definition.effect = said.effect.or(definition.effect);
        definition.backoff = said.backoff.unwrap_or(definition.backoff);
        definition.priority = step.it.priority.unwrap_or(definition.priority);
        definition.resources = step.it.resources.unwrap_or(definition.resources);
        definition.workspace = said.workspace.clone().unwrap_or(definition.workspace);
        self.fits(step, &definition)?;
        let (retry, timeout, is_ephemeral) = (said.retry.unwrap_or(0), said.timeout, is_ephemeral(&definition));
        Some(Work { does: Calls::Own(Box::new(definition)), retry, timeout, is_ephemeral })
    }

    /// Whom this name calls; none when that was told.
    fn found(&mut self, uses: &Placed<String>) -> Option<Found> {
        let (name, span) = (uses.get_ref(), self.tables.span(uses.span()));
        let is_name = name.split('.').all(|word| is_word(word) && !is_reserved(word));
        let error = match self.library.find(self.file, name) {
            Ok(Some(found)) if is_name => return Some(found),
            // It may be an action that could not be read.
            Ok(_) if self.workflow.hides("actions") => return None,
            // Only an action says so: what a step names is looked up among the actions before.
            Ok(_) if self.workflow.actions.iter().any(|action| action.name == *name) => {
                let message = format!("`{name}` is an action, and an action uses none");
                self.tables.report(
                    Diagnostic::new(Code::Workflow, span, message)
                        .help("name a worker, or write what both do into each of them"),
                );
                return None;
            }
            Ok(_) if !is_name => {
                let message = format!("`{name}` is no name of an action of this file, nor of a worker");
                Diagnostic::new(Code::Workflow, span, message)
                    .help("a worker is a word, or words with a dot between them")
            }
            Ok(_) => Diagnostic::new(Code::UnknownWorker, span, format!("nothing is called `{name}`"))
                .reason("looked for an action of this file, files beside it, `aivm.toml` and the standard library")
                .help(format!("define it: `[actions.{name}]` in this file, or a file `workers/{name}.md`")),
            Err(error) => Diagnostic::new(Code::UnusableFile, span, format!("`{name}` cannot be used: {error}")),
        };
        // Nobody reads more proposals than messages.
        let is_read = self.tables.errors.len() < MOST_ERRORS;
        let known = if is_read { self.library.names(self.file) } else { Vec::new() };
        let names = self.workflow.actions.iter().map(|action| &action.name).chain(&known);
        self.tables.report(
            match nearest(name, names.map(String::as_str)).filter(|_| error.code != Code::UnusableFile) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error,
            },
        );
        None
    }

    /// Would it be called? Otherwise that is told at the key that it is about.
    fn fits(&mut self, step: &Named<Step>, definition: &WorkerDefinition) -> Option<()> {
        let fits = definition.check().map_err(|error| error.to_string());
        let Err(reason) = fits.and_then(|()| self.library.check(definition)) else { return Some(()) };
        let uses = step.it.uses.as_ref().map_or(step.span, |uses| self.tables.span(uses.span()));
        // What is said of arrows is written otherwise here.
        let reason = reason.replace("`builtin = ", "`uses = ").replace("`with = ", "`inputs = ");
        let named = step.places.named(&reason);
        let at = named.and_then(|key| if key.contains('.') { step.places.key(key) } else { step.places.value(key) });
        let span = at.map_or(uses, |range| self.tables.span(range));
        self.tables.report(match written_down(&reason) {
            Some(what) => {
                let message = format!("`[steps.{}]`: {what}", step.name);
                Diagnostic::new(Code::WrittenDown, step.span, message).help(NOT_WRITTEN)
            }
            None => Diagnostic::new(Code::Workflow, span, format!("`[steps.{}]`: {reason}", step.name)),
        });
        None
    }

    fn tell_what_it_does(&mut self, step: &Named<Step>, of: &str, twice: bool) {
        let message = match twice {
            true => format!("{of} does two things, `run` and `uses`: it does one"),
            false => format!("{of} does nothing"),
        };
        let span = step.it.uses.as_ref().map_or(step.span, |uses| self.tables.span(uses.span()));
        let diagnostic = Diagnostic::new(Code::StepDoesNothing, span, message);
        self.tables.report(diagnostic.help("say `run`, a line for the shell, or `uses`, an action or a worker"));
    }
}

fn is_ephemeral(worker: &WorkerDefinition) -> bool {
    worker.workspace == Workspace::Ephemeral
}

/// Is nothing laid over the worker that it calls?
fn is_plain(whole: &Action) -> bool {
    let none = whole.backoff.is_none() && whole.effect.is_none() && whole.workspace.is_none();
    none && whole.inputs.is_empty() && whole.env.is_empty()
}

/// What a step says itself.
fn own(step: &Step) -> Action {
    let Step { description, uses, run, inputs, effect, env, retry, backoff, timeout, workspace, .. } = step.clone();
    Action { description, uses, run, inputs, effect, env, retry, backoff, timeout, workspace }
}

/// What a step says goes before what its action says; tables are laid one over the other.
fn laid_over(own: Action, action: &Action) -> Action {
    let (mut inputs, mut env) = (action.inputs.clone(), action.env.clone());
    inputs.extend(own.inputs);
    env.extend(own.env);
    Action {
        description: if own.description.is_empty() { action.description.clone() } else { own.description },
        uses: action.uses.clone(),
        run: action.run.clone(),
        inputs,
        effect: own.effect.or(action.effect),
        env,
        retry: own.retry.or(action.retry),
        backoff: own.backoff.or(action.backoff),
        timeout: own.timeout.or(action.timeout),
        workspace: own.workspace.or_else(|| action.workspace.clone()),
    }
}
