//! How a run ended: in a word, with which exit code, and as people and scripts are told.

use crate::args::How;
use crate::fail::Exit;
use crate::module;
use crate::out::{plain, say, short};
use aivm_host::driver::{Ending, Report};
use aivm_host::store::Store;
use aivm_host::trace::totals_text;
use aivm_schema::artifact::{Artifact, json as artifact_json};
use aivm_schema::module::{EndKind, Module};
use aivm_vm::action::{CallError, Limit, RunEnd};
use aivm_vm::run::Why;
use serde_json::{Value, json};
use std::io::IsTerminal;

/// How a run ended, as the command line says it.
pub struct Outcome {
    /// In a word.
    pub status: &'static str,
    /// With which code the program ends.
    pub exit: Exit,
    /// What was sent.
    pub output: Option<Artifact>,
    /// Or why not.
    pub error: Option<CallError>,
}

impl Outcome {
    /// Of a run of this program.
    pub fn of(report: &Report, module: &Module) -> Outcome {
        let end = match &report.ending {
            Ending::Parked(why, questions) => {
                let run = &report.run;
                let spent = |what: &str, more: &str| {
                    let message = format!(
                        "what comes next does not fit into the run's limit of {what}; with more it goes on: aivm resume {run} {more}"
                    );
                    ("E0770", message, String::new())
                };
                let (code, message, step) = match why {
                    Why::Limit(Limit::Calls) => spent("calls", "--max-calls N"),
                    Why::Limit(Limit::Money) => spent("money", "--max-cost MONEY"),
                    Why::Limit(Limit::Tokens) => spent("tokens", "--max-tokens TOKENS"),
                    Why::Unknown(keys) => {
                        let first = keys.first().map(ToString::to_string).unwrap_or_default();
                        let settle = format!("aivm settle {} '{first}' happened|not-happened", report.run);
                        let mut message =
                            format!("it was interrupted, and may have happened or not: look, then  {settle}");
                        if let Some(worker) = module::worker_of(module, &first) {
                            message.push_str(&format!(
                                "  (where a call does no harm when it is made twice, a line for `{worker}` spares the question: effect = \"idempotent\", or effect = \"read\")"
                            ));
                        }
                        ("E0771", message, first)
                    }
                    Why::Asked(_) => {
                        let first = questions.first();
                        let about = first.map_or("", |question| question.question.as_str());
                        let step = first.map_or_else(String::new, |question| question.call.key.to_string());
                        ("E0773", format!("a person is asked: {about}"), step)
                    }
                };
                let error = CallError { code: code.into(), message, step };
                return Outcome { status: "parked", exit: Exit::PARKED, output: None, error: Some(error) };
            }
            Ending::Held => return Outcome { status: "held", exit: Exit::SENT, output: None, error: None },
            Ending::Ended(end) => end,
        };
        let RunEnd { result, not_undone } = end;
        let (status, exit, output, error) = match result {
            Ok((output, _)) => ("sent", Exit::SENT, Some(output.clone()), None),
            Err((EndKind::Cancel, error)) => ("cancelled", Exit::FAILED, None, error.clone()),
            Err((EndKind::Timeout, error)) => ("timeout", Exit::TIMEOUT, None, error.clone()),
            Err((EndKind::Failure | EndKind::Exhausted, error)) => ("failed", Exit::FAILED, None, error.clone()),
        };
        let exit = match () {
            () if !not_undone.is_empty() => {
                let keys: Vec<String> = not_undone.iter().map(ToString::to_string).collect();
                let error = error.unwrap_or_else(|| CallError {
                    code: "E0763".into(),
                    message: format!("what it did could not be taken back: {}", keys.join(", ")),
                    step: String::new(),
                });
                return Outcome { status: "stuck", exit: Exit::NOT_UNDONE, output, error: Some(error) };
            }
            () if report.interrupted => Exit::INTERRUPTED,
            () => exit,
        };
        Outcome { status, exit, output, error }
    }

    pub(super) fn json(&self, report: &Report) -> Value {
        let (questions, not_undone): (Vec<Value>, Vec<String>) = match &report.ending {
            Ending::Parked(_, questions) => (questions.iter().map(crate::question::json).collect(), Vec::new()),
            Ending::Held => (Vec::new(), Vec::new()),
            Ending::Ended(end) => (Vec::new(), end.not_undone.iter().map(ToString::to_string).collect()),
        };
        json!({
            "v": 1,
            "run": report.run,
            "status": self.status,
            "exit": self.exit.number(),
            "output": self.output.as_ref().map(artifact_json::to_json),
            "steps": report.steps,
            "totals": report.totals,
            "error": self.error,
            "questions": questions,
            "not_undone": not_undone,
        })
    }

    pub(super) fn show(&self, report: &Report, store: &dyn Store, how: &How) {
        let kept = cfg!(feature = "store") && !how.ephemeral;
        if let Some(output) = &self.output {
            let terminal = std::io::stdout().is_terminal();
            let readable = readable_parts(output, store);
            let payload = readable.as_deref().unwrap_or(output.payload());
            match std::str::from_utf8(payload) {
                Ok(text) if terminal => println!("{}", plain(text.strip_suffix('\n').unwrap_or(text))),
                Err(_) if terminal => {
                    let (length, media_type) = (payload.len(), plain(output.media_type()));
                    let see = match kept {
                        true => format!("see it by  aivm artifact cat {}", short(output.checksum())),
                        false => "write it to a file by  > FILE".to_owned(),
                    };
                    say(&format!("the output is {length} bytes of {media_type}: {see}"));
                }
                _ => {
                    crate::out::bytes(payload);
                    if how.goes_on && !payload.ends_with(b"\n") {
                        crate::out::bytes(b"\n");
                    }
                }
            }
        }
        let asks = matches!(&report.ending, Ending::Parked(Why::Asked(_), _));
        if let Some(error) = self.error.as_ref().filter(|_| !asks) {
            let at = if error.step.is_empty() { String::new() } else { format!(" at {}", error.step) };
            // The step that failed has said why, when anybody looked.
            let said = report.steps.iter().rfind(|step| !how.quiet && step.key == error.step);
            let why = match said.and_then(|step| step.error.as_ref()) {
                Some(said) if said.message == error.message => String::new(),
                Some(said) => {
                    let cause = format!(" ({}: {})", said.code, said.message);
                    format!(": {}", error.message.replace(&cause, &format!(" ({}, as told above)", said.code)))
                }
                None => format!(": {}", error.message),
            };
            say(&plain(&format!("error[{}]{at}{why}", error.code)));
        }
        if let Ending::Parked(_, questions) = &report.ending {
            for question in questions {
                crate::question::show(&report.run, question);
            }
        }
        if let Ending::Ended(RunEnd { not_undone, .. }) = &report.ending {
            for key in not_undone {
                say(&plain(&format!("not undone: {key}")));
            }
            if !not_undone.is_empty() && kept {
                say(&format!("try again:  aivm rollback {}", report.run));
            }
        }
        if !how.quiet {
            let name = if kept { format!(" · run {}", report.run) } else { String::new() };
            say(&format!("{} · {}{name}", self.status, totals_text(&report.totals)));
        }
    }
}

/// Several values as a text for people, each under its name, those within others as `outer/inner`; of bytes, how many and of what.
pub fn readable_parts(output: &Artifact, store: &dyn Store) -> Option<Vec<u8>> {
    if output.media_type() != aivm_schema::artifact::parts::MEDIA_TYPE {
        return None;
    }
    let mut text = String::new();
    for (name, _, value) in aivm_host::work::parts_of(output, store).ok()? {
        match std::str::from_utf8(value.payload()) {
            Ok(said) => text.push_str(&format!("── {name}\n{}\n", said.trim_end_matches('\n'))),
            Err(_) => {
                let (length, digest) = (value.payload().len(), value.content_digest().to_string());
                let digest = digest.get(..12).unwrap_or_default();
                text.push_str(&format!("── {name}\n({length} bytes of {}, {digest})\n", value.media_type()));
            }
        }
    }
    Some(text.into_bytes())
}
