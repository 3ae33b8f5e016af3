//! `worker import mcp:SERVER`: the tools of a server as workers, each pinned to what it is now.

#[cfg(feature = "mcp")]
use crate::fail::Exit;
use crate::fail::Failure;
use aivm_schema::worker::seed::Bundle;
#[cfg(feature = "mcp")]
use {
    aivm_host::mcp::{Listed, McpError, Odd, Tool},
    aivm_schema::worker::Loaded,
    aivm_schema::worker::seed::{self, Seeded, Status, Wrong},
};

/// The workers that a server's tools are; `SERVER`, or `SERVER/TOOL` for one of them.
#[cfg(feature = "mcp")]
pub fn bundle(named: &str) -> Result<Bundle, Failure> {
    let (server, only) = named.split_once('/').map_or((named, None), |(server, tool)| (server, Some(tool)));
    crate::secret::ready()?;
    let servers = crate::config::servers()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed("E0805", format!("no event loop: {error}")))?;
    let listed = runtime.block_on(servers.tools(server));
    let Listed { tools, odd } = listed.map_err(|error| {
        let failure = Failure::failed(error.code(), crate::out::plain(&error.to_string()));
        // Who names no server of aivm.toml has not said what is meant.
        if matches!(error, McpError::Unknown(_)) { failure.ending_with(Exit::USAGE) } else { failure }
    })?;
    let mut bundle = Bundle::default();
    let is_meant = |name: &str| only.is_none_or(|only| only == name);
    for Odd { at, name, reason } in odd.into_iter().filter(|odd| is_meant(odd.name.as_deref().unwrap_or_default())) {
        bundle.wrong.push(Wrong { at: format!("mcp:{server}[{at}]"), name, reason });
    }
    for tool in tools.iter().filter(|tool| is_meant(&tool.name)) {
        match worker(server, tool, &bundle.workers) {
            Ok(worker) => bundle.workers.push(worker),
            Err(reason) => {
                bundle.wrong.push(Wrong { at: format!("mcp:{server}"), name: Some(tool.name.clone()), reason });
            }
        }
    }
    match only {
        Some(tool) if bundle.workers.is_empty() && bundle.wrong.is_empty() => {
            let known = tools.iter().map(|tool| format!("`{}`", tool.name)).collect::<Vec<_>>().join(", ");
            let error = McpError::NoTool { server: server.to_owned(), tool: tool.to_owned(), known };
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

/// The worker that a tool is; else why it is none.
#[cfg(feature = "mcp")]
fn worker(server: &str, tool: &Tool, known: &[Seeded]) -> Result<Seeded, String> {
    let name = tool.name.clone();
    let word = seed::word(&format!("{server}-{name}")).ok_or("no word can be made of its name")?;
    if known.iter().any(|known| known.word == word) {
        return Err(format!("it would be `{word}`, as another is"));
    }
    let definition = definition(server, tool);
    let schema = definition.accepts_schema.as_ref();
    if let Some(Err(reason)) = schema.map(|schema| aivm_host::builtin::violations(schema, &serde_json::Value::Null)) {
        return Err(format!("its schema is none: {reason}"));
    }
    // A worker file is TOML, and not all of JSON is.
    match Loaded::from_markdown(&definition.to_markdown()) {
        Ok(read) if read.definition == definition => {}
        Ok(_) => return Err("a worker file cannot say what its schema says".to_owned()),
        Err(reason) => return Err(format!("a worker file cannot say what its schema says: {reason}")),
    }
    Ok(Seeded { word, name, id: None, definition, status: Status::Active, price: None, key: None, notes: Vec::new() })
}

#[cfg(feature = "mcp")]
fn definition(server: &str, tool: &Tool) -> aivm_schema::worker::WorkerDefinition {
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
