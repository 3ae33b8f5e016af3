//! What a step does: itself, laid over the action that it uses, laid over the worker that this calls.

use super::keys::{Action, Named, Step, Workflow};
use crate::diagnostic::{Code, Diagnostic};
use crate::library::{Found, Library};
use crate::lower::nearest;
use crate::tables::{Placed, Tables};
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

/// What a step does; none when that was told.
pub(super) fn of(
    tables: &mut Tables,
    file: &str,
    library: &dyn Library,
    workflow: &Workflow,
    step: &Named<Step>,
) -> Option<Work> {
    let Step { uses, run, inputs, effect, env, retry, backoff, timeout, workspace, .. } = &step.it;
    let own = Action {
        description: step.it.description.clone(),
        uses: uses.clone(),
        run: run.clone(),
        inputs: inputs.clone(),
        effect: *effect,
        env: env.clone(),
        retry: *retry,
        backoff: *backoff,
        timeout: *timeout,
        workspace: workspace.clone(),
    };
    let action = uses.as_ref().and_then(|uses| workflow.actions.iter().find(|action| action.name == *uses.get_ref()));
    if step.is_broken || action.is_some_and(|action| action.is_broken) {
        return None;
    }
    let (whole, of) = match action {
        None => (own, format!("`[steps.{}]`", step.name)),
        Some(_) if run.is_some() => {
            tell_what_it_does(tables, step, &format!("`[steps.{}]`", step.name), true);
            return None;
        }
        Some(action) => (laid_over(own, &action.it), format!("`[actions.{}]`", action.name)),
    };
    let (does, uses) = match (whole.run.clone(), whole.uses.clone()) {
        (Some(run), None) => (Does::Command(run), None),
        (None, Some(uses)) if !uses.get_ref().split('.').all(|word| is_word(word) && !is_reserved(word)) => {
            let message = format!("`{}` is no name of an action of this file, nor of a worker", uses.get_ref());
            let names = workflow.actions.iter().map(|action| action.name.as_str());
            let diagnostic = Diagnostic::new(Code::Workflow, tables.span(uses.span()), message);
            tables.report(match nearest(uses.get_ref(), names) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic.help("a worker is a word, or words with a dot between them"),
            });
            return None;
        }
        (None, Some(uses)) => match found(file, library, uses.get_ref()) {
            // Nothing is laid over it: it is called as it is.
            found if is_plain(&whole) && step.it.priority.is_none() && step.it.resources.is_none() => {
                let (retry, timeout) = (whole.retry.unwrap_or(0), whole.timeout);
                let works_in_a_copy = |found| matches!(found, Found::Worker(worker) if is_ephemeral(&worker));
                let is_ephemeral = found.is_some_and(works_in_a_copy);
                return Some(Work { does: Calls::Named(uses), retry, timeout, is_ephemeral });
            }
            // Whoever reads the arrows says that nothing has this name.
            None => return Some(Work { does: Calls::Named(uses), retry: 0, timeout: None, is_ephemeral: false }),
            Some(Found::Program { file, .. }) => {
                let message = format!(
                    "`{}` is the pipeline {file}, and takes no `inputs`, `env`, `effect`, `workspace`, `priority`, `resources` or `backoff`",
                    uses.get_ref()
                );
                let span = tables.span(uses.span());
                let help = "leave them out, or use a worker";
                tables.report(Diagnostic::new(Code::Workflow, span, message).help(help));
                return None;
            }
            Some(Found::Worker(definition)) => (definition.does.clone(), Some((uses, definition))),
        },
        (run, _) => {
            tell_what_it_does(tables, step, &of, run.is_some());
            return None;
        }
    };
    let is_command = matches!(does, Does::Command(_));
    for (said, message, help) in [
        (!whole.env.is_empty(), "has no variables: `env` cannot be laid over it", "give it what it reads as `inputs`"),
        (whole.workspace.is_some(), "works in no folder: `workspace` cannot be laid over it", "leave it out"),
    ] {
        if said && !is_command {
            let span = uses.as_ref().map_or(step.span, |(uses, _)| tables.span(uses.span()));
            let message = format!("`{}` is no command, and {message}", step.name);
            tables.report(Diagnostic::new(Code::Workflow, span, message).help(help));
            return None;
        }
    }
    let mut definition = uses.map_or_else(|| WorkerDefinition::new(does), |(_, definition)| *definition);
    if !whole.description.is_empty() {
        definition.about = whole.description;
    }
    definition.with.extend(whole.inputs);
    definition.env.extend(whole.env);
    definition.effect = whole.effect.or(definition.effect);
    definition.backoff = whole.backoff.unwrap_or(definition.backoff);
    definition.priority = step.it.priority.unwrap_or(definition.priority);
    definition.resources = step.it.resources.unwrap_or(definition.resources);
    definition.workspace = whole.workspace.unwrap_or(definition.workspace);
    let (retry, timeout, is_ephemeral) = (whole.retry.unwrap_or(0), whole.timeout, is_ephemeral(&definition));
    Some(Work { does: Calls::Own(Box::new(definition)), retry, timeout, is_ephemeral })
}

fn is_ephemeral(worker: &WorkerDefinition) -> bool {
    worker.workspace == Workspace::Ephemeral
}

/// Is nothing laid over the worker that it calls?
fn is_plain(whole: &Action) -> bool {
    let none = whole.backoff.is_none() && whole.effect.is_none() && whole.workspace.is_none();
    none && whole.inputs.is_empty() && whole.env.is_empty()
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

fn found(file: &str, library: &dyn Library, name: &str) -> Option<Found> {
    library.find(file, name).ok().flatten()
}

fn tell_what_it_does(tables: &mut Tables, step: &Named<Step>, of: &str, twice: bool) {
    let message = match twice {
        true => format!("{of} does two things, `run` and `uses`: it does one"),
        false => format!("{of} does nothing"),
    };
    let span = step.it.uses.as_ref().map_or(step.span, |uses| tables.span(uses.span()));
    let diagnostic = Diagnostic::new(Code::StepDoesNothing, span, message);
    tables.report(diagnostic.help("say `run`, a line for the shell, or `uses`, an action or a worker"));
}
