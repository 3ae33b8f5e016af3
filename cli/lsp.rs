//! `lsp`: the language server, over standard input and output. What it says of a program is `aivm_lang::service`'s; here is only the
//! protocol around it: `wire` reads and writes messages, `desk` keeps the texts that are open, `answer` answers questions about them,
//! `told` turns the service's answers into the protocol's, `lines` its bytes into lines, and `past` knows what runs left behind.
//!
//! One thread answers, one message after the other. Texts change at once, and are compiled when somebody asks about them, or when
//! nothing else waits: so what is typed quickly costs one compilation. Nothing but messages goes to standard output.

use crate::fail::{Exit, Failure};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use wire::{Fault, Message};

mod answer;
mod desk;
mod lines;
#[cfg(feature = "store")]
mod past;
mod told;
mod wire;

use desk::Desk;

/// Where a conversation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nobody has said `initialize`.
    New,
    /// It goes on.
    Open,
    /// `shutdown` was said: nothing follows but `exit`.
    Shut,
}

/// `aivm lsp`.
pub fn lsp() -> Result<Exit, Failure> {
    let (sender, messages) = mpsc::channel();
    // It ends with the input; or with this program, which nothing else waits for.
    std::thread::spawn(move || wire::read_all(std::io::stdin().lock(), &sender));
    let mut server = Server { desk: Desk::default(), phase: Phase::New };
    let mut waiting = VecDeque::new();
    loop {
        if waiting.is_empty() {
            waiting.extend(messages.try_iter());
        }
        if waiting.is_empty() {
            send(server.settle())?;
            match messages.recv() {
                Ok(message) => waiting.push_back(message),
                Err(_) => return Ok(server.ended()),
            }
        }
        waiting.extend(messages.try_iter());
        send(withdraw(&mut waiting))?;
        match waiting.pop_front() {
            Some(Message::Notification { method, .. }) if method == "exit" => return Ok(server.ended()),
            Some(message) => send(server.hear(message))?,
            None => {}
        }
    }
}

fn send(messages: impl IntoIterator<Item = Value>) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    for message in messages {
        wire::write(&mut out, &message)
            .map_err(|error| Failure::failed("E0810", format!("cannot write standard output: {error}")))?;
    }
    Ok(())
}

/// Takes the requests out of the queue that are cancelled further on in it, and answers that they are.
fn withdraw(waiting: &mut VecDeque<Message>) -> Vec<Value> {
    let cancelled: Vec<Value> = waiting
        .iter()
        .filter_map(|message| match message {
            Message::Notification { method, params } if method == "$/cancelRequest" => Some(params["id"].clone()),
            _ => None,
        })
        .collect();
    let mut answers = Vec::new();
    waiting.retain(|message| match message {
        Message::Request { id, .. } if cancelled.contains(id) => {
            answers.push(wire::failed(id, &Fault::cancelled()));
            false
        }
        Message::Notification { method, .. } => method != "$/cancelRequest",
        _ => true,
    });
    answers
}

struct Server {
    desk: Desk,
    phase: Phase,
}

impl Server {
    /// How the program ends when nobody speaks any more.
    fn ended(&self) -> Exit {
        if self.phase == Phase::Shut { Exit::SENT } else { Exit::FAILED }
    }

    /// Hears a message; the answer to it, when it asks for one. A panic is an answer, too.
    fn hear(&mut self, message: Message) -> Option<Value> {
        match message {
            Message::Request { id, method, params } => {
                let answer = catch_unwind(AssertUnwindSafe(|| self.request(&method, params)));
                let answer = answer.unwrap_or_else(|_| Err(Fault::internal(format!("{method} could not be answered"))));
                Some(match answer {
                    Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
                    Err(fault) => wire::failed(&id, &fault),
                })
            }
            Message::Notification { method, params } => {
                if self.phase == Phase::Open {
                    // Nobody hears an error of a notification.
                    let _ = catch_unwind(AssertUnwindSafe(|| self.desk.notified(&method, params)));
                }
                None
            }
            Message::Response => None,
            Message::Broken(fault) => Some(wire::failed(&Value::Null, &fault)),
        }
    }

    fn request(&mut self, method: &str, params: Value) -> Result<Value, Fault> {
        match (self.phase, method) {
            (Phase::New, "initialize") => {
                self.phase = Phase::Open;
                Ok(self.desk.open_to(&params))
            }
            (Phase::New, _) => Err(Fault::not_initialized()),
            (Phase::Open, "initialize") | (Phase::Shut, _) => {
                Err(Fault::invalid_request(format!("{method} is not for this moment")))
            }
            (Phase::Open, "shutdown") => {
                self.phase = Phase::Shut;
                Ok(Value::Null)
            }
            (Phase::Open, _) => answer::answer(&mut self.desk, method, params),
        }
    }

    /// What is to be said of the texts that have changed, now that nothing else waits.
    fn settle(&mut self) -> Vec<Value> {
        let desk = &mut self.desk;
        catch_unwind(AssertUnwindSafe(|| desk.publish())).unwrap_or_default()
    }
}
