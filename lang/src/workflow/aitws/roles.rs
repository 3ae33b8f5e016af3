//! Who may run what: whoever is a member of roles may do what one of them allows.
//!
//! The name of whoever runs a program is what the machine says, so this keeps mistakes off, and nobody who means to. Whom no role has as
//! a member is not known here, and is held to nothing.

use super::file::{Action, File, Text};
use super::names::{Names, Place};
use super::span;
use crate::diagnostic::{Code, Diagnostic};

/// What privileges and allowed actions call everything that can be run.
const EVERYTHING: [&str; 3] = ["all", "*", "execute"];

/// What they may not, each told at its place.
pub(super) fn refused(file: &File, names: &Names, places: &[Place], who: &str) -> Vec<Diagnostic> {
    let is_member = |members: &[Text]| members.iter().any(|member| member.get_ref() == who);
    let own: Vec<&str> = file
        .roles
        .iter()
        .filter(|role| is_member(&role.is.members))
        .map(|role| role.is.name.get_ref().as_str())
        .collect();
    if own.is_empty() {
        return Vec::new();
    }
    let refuse = |at: &Text, what: String| {
        Diagnostic::new(Code::RoleMissing, span(at), what)
            .reason(format!("`{who}` is a member of: {}", own.join(", ")))
            .help("let somebody run it who may, or change `members` of `[[roles]]`")
    };
    // Where nothing says what a role may do, each may do everything.
    if file.authorization.is_empty() {
        return Vec::new();
    }
    let privileges = file.roles.iter().map(|role| (&role.is.name, &role.is.privileges));
    let allowed = file.authorization.iter().map(|entry| (&entry.is.role, &entry.is.allowed_actions));
    let may: Vec<&str> = privileges
        .chain(allowed)
        .filter(|(role, _)| own.contains(&role.get_ref().as_str()))
        .flat_map(|(_, may)| may.iter().map(String::as_str))
        .collect();
    if may.iter().any(|may| EVERYTHING.contains(may)) {
        return Vec::new();
    }
    let is_allowed = |name: &Text| may.contains(&name.get_ref().as_str());
    let done_by = |action: &Action| is_allowed(&action.name) || action.kind.as_ref().is_some_and(is_allowed);
    // A task, and what a handler does, is an action or what an action does: what allows that allows this.
    let is_meant = |action: &Action, name: &Text| {
        action.name.get_ref() == name.get_ref()
            || action.kind.as_ref().is_some_and(|kind| kind.get_ref() == name.get_ref())
    };
    let actions = || file.stages.iter().flat_map(|stage| &stage.is.actions);
    let may_do = |name: &Text| is_allowed(name) || actions().any(|action| is_meant(action, name) && done_by(action));
    let mut told = Vec::new();
    for place in places {
        let denied: Vec<&Text> = match place {
            Place::Stage(stage) => {
                stage.is.actions.iter().filter(|action| !done_by(action)).map(|action| &action.name).collect()
            }
            Place::Parallel(parallel) => parallel.is.tasks.iter().filter(|task| !may_do(task)).collect(),
            Place::Other(name) => Some(*name).filter(|name| !may_do(name)).into_iter().collect(),
        };
        told.extend(denied);
    }
    told.extend(names.waited_for(file).map(|(_, action)| action).filter(|action| !may_do(action)));
    told.into_iter().map(|name| refuse(name, format!("`{who}` may not do `{}`", name.get_ref()))).collect()
}
