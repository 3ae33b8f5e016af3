//! What a file says that this machine holds nobody to, and passwords that are written in it. Both are told, so that nothing is
//! dropped without a word.

use super::file::{File, Text};
use super::span;
use crate::diagnostic::{Code, Diagnostic};
use crate::span::Span;
use crate::workflow::page::only_recorded;

/// Told once for each section.
pub(super) fn recorded(file: &File) -> Vec<Diagnostic> {
    let mut told = Vec::new();
    macro_rules! record {
        ($($section:ident: $instead:literal)*) => {$(
            if let Some(entry) = file.$section.iter().next() {
                told.push(record(entry.span, stringify!($section), $instead));
            }
        )*};
    }
    record! {
        communication: "servers that workers ask are reached as their addresses say: https for TLS"
        repositories: "workers reach what their definitions name"
        templates: "workers reach what their definitions name"
        keys: "keys of servers are kept by `aivm secret`, those that sign by `aivm keys`"
        ai_governance: "what a worker sees and keeps is a matter of its definition: `redact`, `memory`, `sandbox`"
        logging: "every step is in the journal: `aivm logs RUN`"
        monitoring: "what ran and how it went: `aivm runs`, `aivm worker stats`"
        dependencies: "a command finds what the machine has"
        auditing: "the journal of every run is kept: `aivm verify` says whether it is what was written, `aivm gc` how long"
        external_services: "workers reach what their definitions name"
        version_control: "the program of a run is kept with it: `aivm artifact show`"
        monitors: "what ran and how it went: `aivm runs`, `aivm worker stats`"
        notifications: "a worker that is the action of a handler can tell somebody"
    }
    if file.stages.is_empty() && file.parallel_execution.is_empty() && !file.hides_names {
        let message = "the file has no stages, and a run of it does nothing";
        let help = "add `[[stages]]` with a `name`, and `[[stages.actions]]` below it";
        told.push(Diagnostic::new(Code::OnlyRecorded, Span::new(0, 1), message).help(help));
    }
    // Roles are held to once somebody has one.
    if file.roles.iter().all(|role| role.is.members.is_empty()) {
        let by_members = "who runs it is held to roles that have `members`; an approval names the roles that it wants";
        let sections = [
            ("roles", file.roles.first().map(|entry| entry.span)),
            ("authorization", file.authorization.first().map(|entry| entry.span)),
        ];
        told.extend(sections.into_iter().filter_map(|(name, span)| Some(record(span?, name, by_members))));
    }
    for (span, what) in urls(file).into_iter().filter(|(url, _)| has_password(url.get_ref())).map(|(_, of)| of) {
        told.push(
            Diagnostic::new(Code::WrittenCredential, span, format!("a password is written in the address of {what}"))
                .reason("it is for everybody to read who reads this file; it goes no further: neither into the program nor into a run")
                .help("write a word in its place, as `${DATABASE_PASSWORD}`, keep it by `aivm secret set`, and replace it"),
        );
    }
    told
}

fn record(span: Span, section: &str, instead: &str) -> Diagnostic {
    only_recorded(span, &format!("`{section}`")).help(instead)
}

/// Each address, with what it is of and where that begins: a message shows the line of its place, and must not show the address.
fn urls(file: &File) -> Vec<(&Text, (Span, String))> {
    let mut urls = Vec::new();
    macro_rules! of {
        ($($section:ident $key:ident)*) => {$(
            for entry in &file.$section {
                urls.extend(entry.is.$key.as_ref().map(|url| (url, (span(&entry.is.name), format!("`{}`", entry.is.name.get_ref())))));
            }
        )*};
    }
    of!(repositories url  templates url  external_services url  monitors target  notifications target);
    if let Some(entry) = &file.version_control {
        urls.extend(entry.is.url.as_ref().map(|url| (url, (entry.span, "`[version_control]`".to_owned()))));
    }
    urls
}

/// Is there a password between the scheme and the host? Not where a variable or a word in brackets stands for it.
fn has_password(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let password =
        authority.rsplit_once('@').and_then(|(login, _)| login.split_once(':')).map(|(_, password)| password);
    password.is_some_and(|password| !password.is_empty() && !password.contains(['$', '{', '}', '<', '>', '*']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_found_in_an_address() {
        for url in ["postgres://user:password@example.com:5432/dbname", "amqp://u:p@h"] {
            assert!(has_password(url), "{url}");
        }
        for url in
            ["https://example.com:8080/a@b", "postgres://user@host/x", "postgres://user:${PASSWORD}@host", "email:a@b"]
        {
            assert!(!has_password(url), "{url}");
        }
    }
}
