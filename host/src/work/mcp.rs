//! Calls of tools of MCP servers: what flows becomes arguments, what the tool gives becomes a value.

use super::{Returned, Task};
use crate::builtin::{Body, NewPart, is_json};
use crate::mcp::{Called, Content, McpError, Servers};
use aivm_schema::worker::McpTool;
use aivm_vm::action::Usage;
use serde_json::{Map, Value};
use std::pin::pin;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long it may take to tell a server that nobody waits any more.
const TOLD: Duration = Duration::from_millis(500);

/// Calls it.
pub async fn run(task: &Task, tool: &McpTool, servers: &Servers) -> Returned {
    let arguments = match arguments(task) {
        Ok(arguments) => arguments,
        Err(reason) => return failed(&McpError::Unusable { tool: tool.tool.clone(), reason }),
    };
    let (give_up, given_up) = oneshot::channel();
    let mut called = pin!(servers.call(tool, arguments, given_up));
    let late = async {
        match task.deadline_ms {
            Some(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        came = &mut called => return match came {
            Ok(Some(called)) => returned(task, called),
            Ok(None) => Returned::stopped(),
            Err(error) => failed(&error),
        },
        () = late => Returned::timed_out(&task.worker.name, task.deadline_ms.unwrap_or(0)),
        () = task.stop.asked() => Returned::stopped(),
    };
    let _ = give_up.send(());
    // The server is told; one that does not even listen is not waited for.
    let _ = tokio::time::timeout(TOLD, called).await;
    ended
}

fn failed(error: &McpError) -> Returned {
    Returned::failed(error.code(), error.to_string())
}

/// A JSON object is the arguments; several values are, by their names; nothing is none.
fn arguments(task: &Task) -> Result<Map<String, Value>, String> {
    let value = |media_type: &str, payload: &[u8]| match is_json(media_type) {
        true => serde_json::from_slice(payload).map_err(|error| format!("its input is not JSON: {error}")),
        false => match std::str::from_utf8(payload) {
            Ok(text) => Ok(Value::String(text.to_owned())),
            Err(_) => Err(format!("its input is {media_type}, and arguments are JSON or text")),
        },
    };
    if !task.parts.is_empty() {
        let named =
            task.parts.iter().map(|(name, _, part)| Ok((name.clone(), value(part.media_type(), part.payload())?)));
        return named.collect();
    }
    match value(task.input.media_type(), task.input.payload())? {
        Value::Object(arguments) => Ok(arguments),
        Value::String(text) if text.trim().is_empty() => Ok(Map::new()),
        Value::String(text) => match serde_json::from_str(&text) {
            Ok(Value::Object(arguments)) => Ok(arguments),
            _ => Err("its input is to be a JSON object with its arguments".to_owned()),
        },
        _ => Err("its input is to be a JSON object with its arguments".to_owned()),
    }
}

fn returned(task: &Task, called: Called) -> Returned {
    let Called { mut content, structured } = called;
    let wants_json = task.worker.definition.returns.as_deref().is_some_and(is_json);
    let body = match (structured, content.len()) {
        (Some(value), _) if wants_json || content.is_empty() => {
            Body::New { media_type: "application/json".to_owned(), payload: value.to_string().into_bytes() }
        }
        (_, 0 | 1) => {
            let nothing = Content { media_type: "text/plain".to_owned(), payload: Vec::new() };
            let Content { media_type, payload } = content.pop().unwrap_or(nothing);
            Body::New { media_type: task.worker.definition.returns.clone().unwrap_or(media_type), payload }
        }
        _ => {
            let part =
                |(at, Content { media_type, payload })| NewPart { name: format!("{}", at + 1), media_type, payload };
            Body::Parts(content.into_iter().enumerate().map(part).collect())
        }
    };
    Returned::Done { body, verdict: None, attributes: Vec::new(), usage: Usage::default() }
}
