//! One connection: how it is made, and what the server offers on it.

use super::{Listed, McpError, Odd, Server, Tool};
use crate::builtin::render_with;
use crate::secret;
use crate::secret::shape;
use http::{HeaderName, HeaderValue};
use rmcp::ServiceError;
use rmcp::handler::client::ClientHandler;
use rmcp::model::{
    ClientConfig, ClientRequest, CustomResult, Implementation, ListToolsRequest, PaginatedRequestParams, ServerResult,
    Tool as Described,
};
use rmcp::service::{NotificationContext, Peer, RoleClient, RunningService, ServiceExt};
use rmcp::transport::streamable_http_client::{StreamableHttpClientTransport, StreamableHttpClientTransportConfig};
use serde::Deserialize as _;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

/// How long a server may take to be ready; some are fetched from a registry first.
const READY: Duration = Duration::from_secs(60);
/// The most tools of a server, and the most pages on which it lists them.
const MOST_TOOLS: usize = 1_000;
const MOST_PAGES: usize = 100;
/// How long a program may take to end when its input has.
const LEAVE: Duration = Duration::from_millis(500);
/// What a program is given of the environment in any case.
const PLAIN: [&str; 6] = ["PATH", "HOME", "LANG", "TMPDIR", "USER", "SHELL"];

/// A connection.
pub(super) struct Connection {
    service: RunningService<RoleClient, Listener>,
    tools: Mutex<Option<Listed>>,
    /// The program that is the server.
    child: Mutex<Option<Child>>,
}

/// Hears what the server says by itself.
struct Listener {
    info: ClientConfig,
    changed: Arc<AtomicBool>,
}

impl ClientHandler for Listener {
    fn get_info(&self) -> ClientConfig {
        self.info.clone()
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.changed.store(true, Ordering::Release);
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connection {
    pub fn peer(&self) -> &Peer<RoleClient> {
        self.service.peer()
    }

    pub fn is_over(&self) -> bool {
        self.service.is_closed() || self.peer().is_transport_closed()
    }

    /// Ends it: what was sent is sent, a program is left to end by itself for a moment.
    pub async fn close(&self) {
        self.service.cancellation_token().cancel();
        if let Some(mut child) = self.child.lock().await.take()
            && tokio::time::timeout(LEAVE, child.wait()).await.is_err()
        {
            let _ = child.kill().await;
        }
    }

    /// What the server offers; asked again when it says that this has changed.
    pub async fn tools(&self, server: &str) -> Result<Listed, McpError> {
        let mut known = self.tools.lock().await;
        let changed = self.service.service().changed.swap(false, Ordering::AcqRel);
        if let Some(listed) = known.as_ref().filter(|_| !changed) {
            return Ok(listed.clone());
        }
        let broken = |error: ServiceError| broken(server, format!("does not say which tools it has: {error}"));
        let (mut all, mut cursor) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let asked = PaginatedRequestParams::default().with_cursor(cursor.take());
            let (tools, next) = self.page(asked).await.map_err(broken)?;
            all.extend(tools);
            cursor = next;
            if cursor.is_none() || all.len() > MOST_TOOLS {
                break;
            }
        }
        if cursor.is_some() || all.len() > MOST_TOOLS {
            let reason = format!("has more than {MOST_TOOLS} tools, or says so on more than {MOST_PAGES} pages");
            return Err(McpError::Broken { server: server.to_owned(), reason });
        }
        let mut listed = Listed::default();
        for (at, tool) in all.into_iter().enumerate() {
            match tool {
                Ok(tool) => listed.tools.push(of(tool)),
                Err(odd) => listed.odd.push(Odd { at, ..odd }),
            }
        }
        Ok(known.insert(listed).clone())
    }

    /// One page of the list, and where the next begins. The library reads all of it or nothing: then each is read by itself.
    async fn page(
        &self,
        asked: PaginatedRequestParams,
    ) -> Result<(Vec<Result<Described, Odd>>, Option<String>), ServiceError> {
        match self.peer().list_tools(Some(asked.clone())).await {
            Ok(page) => return Ok((page.tools.into_iter().map(Ok).collect(), page.next_cursor)),
            Err(ServiceError::UnexpectedResponse) => {}
            Err(error) => return Err(error),
        }
        let request = ClientRequest::ListToolsRequest(ListToolsRequest::with_param(asked));
        let ServerResult::CustomResult(CustomResult(page)) = self.peer().send_request(request).await? else {
            return Err(ServiceError::UnexpectedResponse);
        };
        let tools = page.get("tools").and_then(Value::as_array).ok_or(ServiceError::UnexpectedResponse)?;
        let one = |tool: &Value| {
            Described::deserialize(tool).map_err(|error| {
                let name = tool.get("name").and_then(Value::as_str).map(str::to_owned);
                Odd { at: 0, name, reason: format!("what the server says of it cannot be read: {error}") }
            })
        };
        let next = page.get("nextCursor").and_then(Value::as_str).map(str::to_owned);
        Ok((tools.iter().map(one).collect(), next))
    }
}

fn of(tool: Described) -> Tool {
    let hints = tool.annotations.unwrap_or_default();
    Tool {
        name: tool.name.into_owned(),
        about: tool.description.map(|about| about.into_owned()).unwrap_or_default(),
        schema: Value::Object((*tool.input_schema).clone()),
        read_only: hints.read_only_hint == Some(true),
        idempotent: hints.idempotent_hint == Some(true),
    }
}

fn broken(server: &str, reason: String) -> McpError {
    McpError::Broken { server: server.to_owned(), reason }
}

/// Starts it or reaches it, and shakes hands.
pub(super) async fn connect(name: &str, server: &Server, folder: &Path) -> Result<Connection, McpError> {
    let mut info = ClientConfig::default();
    info.client_info = Implementation::new("aivm", env!("CARGO_PKG_VERSION"));
    let listener = Listener { info, changed: Arc::default() };
    let late = |_| broken(name, format!("is not ready after {} seconds", READY.as_secs()));
    let failed = |error: rmcp::service::ClientInitializeError| broken(name, format!("does not answer as one: {error}"));
    let (service, child) = match (server.run.split_first(), &server.url) {
        (Some((program, arguments)), None) => {
            let mut child = start(name, server, program, arguments, folder)?;
            let (Some(output), Some(input)) = (child.stdout.take(), child.stdin.take()) else {
                return Err(broken(name, "has no pipes".to_owned()));
            };
            (tokio::time::timeout(READY, listener.serve((output, input))).await.map_err(late)?, Some(child))
        }
        (None, Some(url)) => {
            let client = crate::client::builder().build();
            let client = client.map_err(|error| broken(name, error.to_string()))?;
            let config = StreamableHttpClientTransportConfig::with_uri(url.as_str());
            let config = config.custom_headers(headers(name, server)?);
            let transport = StreamableHttpClientTransport::with_client(client, config);
            (tokio::time::timeout(READY, listener.serve(transport)).await.map_err(late)?, None)
        }
        _ => return Err(broken(name, format!("is to be one of both: `run` or `url` in [mcp.{name}] of aivm.toml"))),
    };
    Ok(Connection { service: service.map_err(failed)?, tools: Mutex::default(), child: Mutex::new(child) })
}

fn start(name: &str, server: &Server, program: &str, arguments: &[String], folder: &Path) -> Result<Child, McpError> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env_clear().kill_on_drop(true);
    for variable in PLAIN {
        if let Some(value) = std::env::var_os(variable) {
            command.env(variable, value);
        }
    }
    for variable in &server.env {
        command.env(variable, named(name, variable)?);
    }
    // What it says beside the protocol is its own: some greet.
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().map_err(|error| {
        broken(name, format!("cannot be started: `{program}`: {error}; see `run` in [mcp.{name}] of aivm.toml"))
    })
}

fn named(server: &str, variable: &str) -> Result<String, McpError> {
    let found = secret::find(variable).map_err(|error| broken(server, error.to_string()))?;
    found.ok_or_else(|| broken(server, format!("needs {variable}, and it is not set")))
}

fn headers(name: &str, server: &Server) -> Result<HashMap<HeaderName, HeaderValue>, McpError> {
    let mut headers = HashMap::new();
    for (header, value) in &server.headers {
        let mut secrets = HashMap::new();
        for variable in shape::named(value) {
            let secret = named(name, &variable)?;
            secrets.insert(variable, secret);
        }
        let text = render_with(value, &serde_json::json!({}), |environment| {
            environment.add_function("secret", move |name: &str| secrets.get(name).cloned().unwrap_or_default());
        });
        let text = text.map_err(|_| broken(name, format!("has a header that is no template: `{header}`")))?;
        let wrong = || broken(name, format!("has a header that is none: `{header}`"));
        let header = HeaderName::try_from(header.as_str()).map_err(|_| wrong())?;
        headers.insert(header, HeaderValue::try_from(text).map_err(|_| wrong())?);
    }
    Ok(headers)
}
