//! What a person sees who is asked: the question, what it is about, the choices.

use crate::out::{plain, say, short};
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

/// The digest of exactly what is decided.
pub fn subject(question: &Question) -> String {
    Checksum(question.subject).to_string()
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
    say(&plain(&format!("decide:  aivm approve {run} OUTCOME --step '{key}' --subject {}", short(subject(question)))));
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
                eprintln!("  │ … {more} more lines: aivm artifact cat {}", short(input.checksum()));
            }
        }
        Err(_) => say(&plain(&format!(
            "it is about {size} bytes of {media_type}: aivm artifact cat {}",
            short(input.checksum())
        ))),
    }
}

/// Asks whoever sits at the terminal; none, when nobody does or wants to decide now.
#[cfg(feature = "store")]
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
            let (subject, by) = (question.subject, crate::project::who());
            let decided = Decided { subject, verdict: Some(word.to_owned()), by, ..Decided::default() };
            return Some((question.call.request, decided));
        }
        eprintln!("`{}` is none of the choices", plain(word));
    }
}
