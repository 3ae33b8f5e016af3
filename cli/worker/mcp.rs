//! `worker import mcp:SERVER`: the tools of a server as workers, each pinned to what it is now.

use crate::fail::Failure;
use aivm_schema::worker::seed::Bundle;

/// The workers that a server's tools are; `SERVER`, or `SERVER/TOOL` for one of them.
#[cfg(feature = "mcp")]
pub fn bundle(named: &str) -> Result<Bundle, Failure> {
    use aivm_schema::worker::seed::{self, Seeded, Status};
    let (server, only) = named.split_once('/').map_or((named, None), |(server, tool)| (server, Some(tool)));
    crate::secret::ready()?;
    let servers = crate::config::servers()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed("E0805", format!("no event loop: {error}")))?;
    let tools = runtime.block_on(servers.tools(server));
    let tools = tools.map_err(|error| Failure::failed(error.code(), crate::out::plain(&error.to_string())))?;
    let mut bundle = Bundle::default();
    for tool in tools.iter().filter(|tool| only.is_none_or(|only| only == tool.name)) {
        let Some(word) = seed::word(&format!("{server}-{}", tool.name)) else {
            bundle.notes.push(format!("no word can be made of the name `{}`: it is not written", tool.name));
            continue;
        };
        if bundle.workers.iter().any(|known| known.word == word) {
            bundle.notes.push(format!("`{}` would be `{word}`, as another is: it is not written", tool.name));
            continue;
        }
        let definition = definition(server, tool);
        let (name, id, status) = (tool.name.clone(), None, Status::Active);
        bundle.workers.push(Seeded { word, name, id, definition, status, price: None, key: None, notes: Vec::new() });
    }
    match (only, bundle.workers.is_empty()) {
        (Some(tool), true) => {
            let known = tools.iter().map(|tool| format!("`{}`", tool.name)).collect::<Vec<_>>().join(", ");
            let error = aivm_host::mcp::McpError::NoTool { server: server.to_owned(), tool: tool.to_owned(), known };
            Err(Failure::usage(error.code(), error.to_string()))
        }
        _ => {
            bundle
                .notes
                .push("`effect` is what the server says of its tools: look at it before you rely on it".to_owned());
            Ok(bundle)
        }
    }
}

#[cfg(feature = "mcp")]
fn definition(server: &str, tool: &aivm_host::mcp::Tool) -> aivm_schema::worker::WorkerDefinition {
    use aivm_schema::worker::{Does, Effect, McpTool, WorkerDefinition};
    let pin = Some(tool.digest());
    let does = Does::Mcp(McpTool { server: server.to_owned(), tool: tool.name.clone(), pin });
    let mut schema = tool.schema.clone();
    without_null(&mut schema);
    WorkerDefinition {
        // A line of `+++` would end the settings.
        about: tool
            .about
            .lines()
            .map(|line| if line.trim() == "+++" { "++" } else { line })
            .collect::<Vec<_>>()
            .join("\n"),
        effect: match (tool.read_only, tool.idempotent) {
            (true, _) => Some(Effect::Read),
            (false, true) => Some(Effect::Idempotent),
            (false, false) => None,
        },
        accepts: vec!["application/json".to_owned()],
        accepts_schema: Some(schema),
        ..WorkerDefinition::new(does)
    }
}

/// A worker file has no null: a default that is none is as good as no default.
#[cfg(feature = "mcp")]
fn without_null(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(without_null);
        }
        serde_json::Value::Array(elements) => {
            elements.retain(|element| !element.is_null());
            elements.iter_mut().for_each(without_null);
        }
        _ => {}
    }
}

/// This build asks no servers.
#[cfg(not(feature = "mcp"))]
pub fn bundle(_: &str) -> Result<Bundle, Failure> {
    Err(Failure::usage("E0732", "this build of aivm asks no MCP servers"))
}
