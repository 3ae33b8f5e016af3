//! `approve`, and what a person sees who is asked: the question, what it is about, the choices.

#[cfg(feature = "store")]
use crate::args::{ApproveArgs, Global};
#[cfg(feature = "store")]
use crate::fail::{Exit, Failure};
use crate::out::plain;
use crate::progress::say;
use aivm_schema::artifact::Checksum;
#[cfg(feature = "store")]
use aivm_vm::action::RequestId;
#[cfg(feature = "store")]
use aivm_vm::run::Decided;
use aivm_vm::run::Question;
use serde_json::{Value, json as object};
#[cfg(feature = "store")]
use std::io::{IsTerminal, Write};

/// So many lines of the content are shown.
const MOST_LINES: usize = 24;

/// `aivm approve RUN [OUTCOME]`.
#[cfg(feature = "store")]
pub fn approve(global: &Global, args: &ApproveArgs) -> Result<Exit, Failure> {
    crate::resume::go_on(global, &args.run, args.quiet, |run, mint, store, name| {
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
        if args.subject.as_ref().is_some_and(|subject| !digest.starts_with(subject.as_str())) {
            return Err(Failure::usage("E0775", "the decision is about something else than what is asked now")
                .help(format!("look at it again: aivm show {name}, then --subject {}", short(&digest))));
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
            comment: args.comment.clone(),
            edited,
            by: crate::run::who(),
        };
        run.decide(mint.now(), question.call.request, decided).map_err(|error| {
            Failure::usage("E0775", error.to_string()).help(format!("the choices: {}", question.choices.join(", ")))
        })
    })
}

fn subject(question: &Question) -> String {
    Checksum(question.subject).to_string()
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// For scripts.
pub fn json(question: &Question) -> Value {
    object!({
        "step": question.call.key.to_string(),
        "question": question.question,
        "choices": question.choices,
        "subject": subject(question),
        "expires": question.expires,
        "input": question.call.input.checksum(),
    })
}

/// What is asked, and how it is answered.
pub fn show(run: &str, question: &Question) {
    let key = question.call.key.to_string();
    say(&plain(&format!("{key} asks: {}", question.question)));
    content(question);
    say(&plain(&format!("choices: {}", question.choices.join(" | "))));
    say(&plain(&format!("decide:  aivm approve {run} OUTCOME --step '{key}' --subject {}", short(&subject(question)))));
}

/// Exactly what the decision is about.
fn content(question: &Question) {
    let input = &question.call.input;
    let (size, media_type) = (input.payload().len(), input.media_type());
    match std::str::from_utf8(input.payload()) {
        Ok(text) => {
            for line in text.lines().take(MOST_LINES) {
                eprintln!("  │ {}", plain(line));
            }
            let more = text.lines().count().saturating_sub(MOST_LINES);
            if more > 0 {
                eprintln!("  │ … {more} more lines: aivm artifact cat {}", short(&input.checksum().to_string()));
            }
        }
        Err(_) => say(&plain(&format!(
            "it is about {size} bytes of {media_type}: aivm artifact cat {}",
            short(&input.checksum().to_string())
        ))),
    }
}

#[cfg(feature = "store")]
/// Asks whoever sits at the terminal; none, when nobody does or wants to decide now.
pub fn ask(questions: &[Question]) -> Option<(RequestId, Decided)> {
    let question = questions.first()?;
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return None;
    }
    eprintln!("{}: {}", plain(&question.call.key.to_string()), plain(&question.question));
    content(question);
    loop {
        eprint!("{} (return alone decides later) > ", plain(&question.choices.join(" | ")));
        let _ = std::io::stderr().flush();
        let mut line = String::new();
        let length = std::io::stdin().read_line(&mut line).ok()?;
        let word = line.trim();
        if length == 0 || word.is_empty() {
            return None;
        }
        if question.choices.iter().any(|choice| choice == word) {
            let (subject, by) = (question.subject, crate::run::who());
            let decided = Decided { subject, verdict: Some(word.to_owned()), by, ..Decided::default() };
            return Some((question.call.request, decided));
        }
        eprintln!("`{}` is none of the choices", plain(word));
    }
}
