//! `approve`: a person decides.

use crate::args::{ApproveArgs, Global};
use crate::fail::{Exit, Failure};
use crate::out::short;
use crate::question::subject;
use aivm_vm::run::{DecideError, Decided, Question};

/// So many digits of a digest name a subject, at least.
const LEAST: usize = 8;

/// `aivm approve RUN [OUTCOME]`.
pub fn approve(global: &Global, args: &ApproveArgs) -> Result<Exit, Failure> {
    crate::runs::resume::go_on(global, &args.run, &args.on, &[], |run, mint, store, name| {
        let questions = run.questions();
        let keys: Vec<String> = questions.iter().map(|question| question.call.key.to_string()).collect();
        let fitting =
            |question: &&Question| args.step.as_ref().is_none_or(|step| question.call.key.to_string() == *step);
        let mut asked = questions.iter().filter(fitting);
        let question = match (asked.next(), asked.next()) {
            (Some(question), None) => question,
            (Some(_), Some(_)) => {
                return Err(Failure::usage("E0774", format!("more than one step of {name} asks a person"))
                    .help(format!("say which by --step: {}", keys.join(", "))));
            }
            (None, _) if keys.is_empty() => {
                return Err(Failure::usage("E0774", format!("the run {name} asks nobody anything"))
                    .help(format!("see what it does: aivm show {name}")));
            }
            (None, _) => {
                return Err(Failure::usage("E0774", "that step asks nobody anything")
                    .help(format!("what is asked: {}", keys.join(", "))));
            }
        };
        let digest = subject(question);
        // A variable that a script did not set names nothing: it does not name everything.
        let names = |subject: &String| subject.len() >= LEAST && digest.starts_with(subject.as_str());
        if args.subject.as_ref().is_some_and(|subject| !names(subject)) {
            return Err(Failure::usage("E0775", "the decision is about something else than what is asked now")
                .help(format!("look at it again: aivm show {name}, then --subject {}", short(digest))));
        }
        let edited = match &args.edit {
            None => None,
            Some(file) => {
                let draft = crate::input::draft(Some(&format!("@{file}")), None)?;
                let edited = mint.seal(draft);
                let edited = edited
                    .map_err(|error| Failure::usage("E0804", format!("the file cannot be an artifact: {error}")))?;
                store.put(&edited);
                Some(edited)
            }
        };
        let decided = Decided {
            subject: question.subject,
            verdict: args.outcome.clone(),
            comment: aivm_host::secret::text(&args.comment).into_owned(),
            edited,
            by: crate::project::who(),
        };
        run.decide(mint.now(), question.call.request, decided).map_err(|error| {
            let help = match error {
                DecideError::Expired => format!("see what follows from that: aivm resume {name}"),
                _ => format!("the choices: {}", question.choices.join(", ")),
            };
            Failure::usage("E0775", error.to_string()).help(help)
        })
    })
}
