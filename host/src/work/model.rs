//! Calls of models: the question is made of the call, models are asked in order of preference until one answers, and the answer
//! becomes a value and a word. A model can only choose a word that its step allows: anything else is a failure.

use super::{Piece, Returned, Task, error, waits};
use crate::builtin::{Body, names};
use crate::models::{AskError, ModelName, Models};
use crate::secret;
use crate::trace::{PASSED_OVER, REFUSED};
use aivm_schema::module::EndKind;
use aivm_schema::worker::Ask;
use aivm_vm::action::Usage;
use std::time::{Duration, Instant};

mod answer;
mod question;
mod shown;
mod tools;
mod turns;

use answer::Answer;
use question::Question;
use tools::{Tools, Wanted};

/// So many models that gave no answer are told of, each in so many characters.
const MOST_CAUSES: usize = 8;
const MOST_CAUSE: usize = 300;

/// Asks.
pub async fn run(task: &Task, ask: &Ask, models: &Models) -> Returned {
    let deadline = task.deadline_ms.map(Duration::from_millis);
    let asked = asked(task, ask, models);
    let in_time = async {
        match deadline {
            Some(deadline) => tokio::time::timeout(deadline, asked).await.ok(),
            None => Some(asked.await),
        }
    };
    tokio::select! {
        returned = in_time => returned.unwrap_or_else(|| Returned::timed_out(&task.worker.name, task.deadline_ms.unwrap_or(0))),
        () = task.stop.asked() => Returned::stopped(),
    }
}

/// What can be known of a question before it is asked: that its prompt is a template, and its models have names of some, or names that
/// stand for some.
pub fn check(ask: &Ask, is_alias: impl Fn(&str) -> bool) -> Result<(), String> {
    if question::is_template(&ask.prompt) {
        names(&ask.prompt).map_err(|reason| format!("E0901: the prompt cannot be filled in: {reason}"))?;
    }
    for model in ask.models.iter().filter(|model| !is_alias(model)) {
        let wrong = |reason| AskError::Construction { model: model.clone(), reason }.to_string();
        ModelName::parse(model).map_err(wrong)?;
    }
    Ok(())
}

async fn asked(task: &Task, ask: &Ask, models: &Models) -> Returned {
    let names = models.in_order(&ask.models);
    if names.is_empty() {
        return Returned::failed(
            "E0900",
            format!(
                "`{}` asks a model, and none is configured: set AIVM_MODEL=provider/model, or [models] default in aivm.toml, or run with `--mock`",
                task.worker.name
            ),
        );
    }
    let question = match Question::of(task, ask) {
        Ok(question) => question,
        Err(error) => return Returned::Failed { kind: EndKind::Failure, error, usage: Usage::default() },
    };
    let (mut usage, mut failures) = (Usage::default(), Vec::new());
    let until = task.deadline_ms.map(|ms| Instant::now() + Duration::from_millis(ms));
    for name in &names {
        match one(task, models, name, &question, until, &mut usage).await {
            Ok((came, refused)) => {
                models.health().answered(name);
                let mut attributes = vec![("model".to_owned(), name.clone())];
                attributes.extend(refused.map(|refused| (REFUSED.to_owned(), refused)));
                attributes.extend(passed_over(&failures).map(|lines| (PASSED_OVER.to_owned(), lines)));
                let (media_type, payload, verdict) = match came {
                    Came::Answer(Answer { verdict, output }) => {
                        (question.form.media_type.clone(), output.into_bytes(), verdict)
                    }
                    Came::Wants(wanted) => {
                        attributes.extend(wanted.attributes);
                        (wanted.media_type.to_owned(), wanted.payload, Some(wanted.word))
                    }
                };
                return Returned::Done { body: Body::New { media_type, payload }, verdict, attributes, usage };
            }
            Err(failure) => {
                if let Some(seconds) = failure.ails_for() {
                    models.health().failed(name, seconds);
                }
                failures.push(failure);
            }
        }
    }
    // The exact cause of each: the code is that of the preferred one.
    let code = failures.first().map_or("E0900", AskError::code);
    let reasons: Vec<String> = failures.iter().map(ToString::to_string).collect();
    let message = reasons.join("; ");
    let message = message.strip_prefix(&format!("{code}: ")).map(str::to_owned).unwrap_or(message);
    Returned::Failed { kind: EndKind::Failure, error: error(code, message), usage }
}

/// Why those that were asked before gave no answer, a line each; none: there were none.
fn passed_over(failures: &[AskError]) -> Option<String> {
    let line = |failure: &AskError| {
        let line = secret::text(&failure.to_string()).split_whitespace().collect::<Vec<_>>().join(" ");
        match line.char_indices().nth(MOST_CAUSE) {
            Some((at, _)) => format!("{}…", line.get(..at).unwrap_or("")),
            None => line,
        }
        .replace('\0', " ")
    };
    let mut lines: Vec<String> = failures.iter().take(MOST_CAUSES).map(line).collect();
    let more = failures.len().saturating_sub(MOST_CAUSES);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    Some(lines.join("\n")).filter(|lines| !lines.is_empty())
}

/// What comes of a question.
enum Came {
    Answer(Answer),
    /// A tool is to be called first.
    Wants(Wanted),
}

/// Asks one model; an answer that cannot be read is given back to it once. Beside what came: the call that was refused before.
async fn one(
    task: &Task,
    models: &Models,
    name: &str,
    question: &Question,
    until: Option<Instant>,
    usage: &mut Usage,
) -> Result<(Came, Option<String>), AskError> {
    let mut request = question.request.clone();
    let (mut repaired, mut refused) = (false, None);
    let tell = |text: &str| {
        if let Some(hears) = &task.hears {
            // The run may have stopped listening.
            let _ = hears.send(Piece { key: task.key.clone(), text: text.to_owned() });
        }
    };
    let heard: Option<&(dyn Fn(&str) + Sync)> = if task.hears.is_some() { Some(&tell) } else { None };
    loop {
        let asked = models.ask(name, request.clone(), &question.options, heard);
        let said = waits::of_model(task, name, question.bound(), until, usage, asked).await?;
        let used = said.used.unwrap_or_else(|| question.guessed(&said.text));
        usage.tokens = usage.tokens.saturating_add(used.tokens());
        usage.output_tokens = usage.output_tokens.saturating_add(used.output);
        usage.money = usage.money.saturating_add(models.cost(name, used).unwrap_or_default().0);
        let unusable = |reason: String| AskError::Unparsable { model: name.to_owned(), reason };
        if let Some(call) = said.calls.into_iter().next() {
            match question.tools.wanted(&call, &said.text) {
                Ok(wanted) => return Ok((Came::Wants(wanted), refused)),
                Err(reason) if repaired => {
                    let before = refused.map(|before| format!("; before that it {before}")).unwrap_or_default();
                    return Err(unusable(format!("it {}{before}", tools::refused(&call, &reason))));
                }
                Err(reason) => {
                    refused = Some(tools::refused(&call, &reason));
                    request = Tools::again(request, call, &reason);
                    repaired = true;
                    continue;
                }
            }
        }
        match question.form.read(&said.text, said.cut) {
            Ok(answer) => return Ok((Came::Answer(answer), refused)),
            Err(reason) if repaired => return Err(unusable(reason)),
            Err(reason) => {
                request = question.again(request, &said.text, &reason);
                repaired = true;
            }
        }
    }
}
