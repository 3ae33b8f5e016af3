//! The connections of the process. They live on a thread of their own: runs come and go, each on its own loop, and a connection
//! stays.

use super::connect::{Connection, connect};
use super::{Called, Content, Listed, McpError, Server, Settings, Tool};
use aivm_schema::worker::McpTool;
use rmcp::ServiceError;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResult, ClientRequest, ContentBlock, ResourceContents, ServerResult,
};
use rmcp::service::{Peer, PeerRequestOptions, RoleClient};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, oneshot};

/// How long a server may take to list its tools, where no call's deadline says.
const LISTED: Duration = Duration::from_secs(60);

/// All servers that settings name; connected when they are asked first.
#[derive(Debug, Default)]
pub struct Servers {
    settings: Settings,
    folder: PathBuf,
    desk: OnceLock<Result<Desk, String>>,
}

/// The thread, and what it holds.
#[derive(Debug)]
struct Desk {
    handle: Handle,
    connections: Connections,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// By server; none: not connected.
type Connections = BTreeMap<String, Arc<Mutex<Option<Arc<Connection>>>>>;

impl Drop for Desk {
    /// Programs are told to go, and what they were told before reaches them.
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Servers {
    /// Of these settings. Programs run in the folder.
    pub fn new(settings: Settings, folder: PathBuf) -> Servers {
        Servers { settings, folder, desk: OnceLock::new() }
    }

    fn desk(&self, server: &str) -> Result<(&Desk, Server), McpError> {
        let settings = self.settings.get(server).ok_or_else(|| McpError::Unknown(server.to_owned()))?;
        let desk = self.desk.get_or_init(|| Desk::new(&self.settings).map_err(|error| error.to_string()));
        let broken = |reason: &String| McpError::Broken { server: server.to_owned(), reason: reason.clone() };
        Ok((desk.as_ref().map_err(broken)?, settings.clone()))
    }

    /// What a server offers.
    pub async fn tools(&self, server: &str) -> Result<Listed, McpError> {
        let (desk, settings) = self.desk(server)?;
        let (name, folder) = (server.to_owned(), self.folder.clone());
        let place = desk.connections.get(server).cloned().unwrap_or_default();
        let listed = async move { connected(&place, &name, &settings, &folder).await?.tools(&name).await };
        let listed = tokio::time::timeout(LISTED, desk.carry_out(server, listed)).await;
        listed.unwrap_or_else(|_| {
            let reason = format!("has not said within {} seconds which tools it has", LISTED.as_secs());
            Err(McpError::Broken { server: server.to_owned(), reason })
        })
    }

    /// Calls a tool; one that is `pinned` only as it was. None: `given_up` came first, and the server was told.
    pub async fn call(
        &self,
        tool: &McpTool,
        arguments: Map<String, Value>,
        given_up: oneshot::Receiver<()>,
    ) -> Result<Option<Called>, McpError> {
        let (desk, settings) = self.desk(&tool.server)?;
        let place = desk.connections.get(&tool.server).cloned().unwrap_or_default();
        let (wanted, folder) = (tool.clone(), self.folder.clone());
        let call = async move {
            let connection = connected(&place, &wanted.server, &settings, &folder).await?;
            check(&connection.tools(&wanted.server).await?.tools, &wanted)?;
            let params = CallToolRequestParams::new(wanted.tool.clone()).with_arguments(arguments);
            let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
            answered(&wanted, connection.peer(), request, given_up).await
        };
        desk.carry_out(&tool.server, call).await
    }
}

async fn answered(
    wanted: &McpTool,
    peer: &Peer<RoleClient>,
    request: ClientRequest,
    given_up: oneshot::Receiver<()>,
) -> Result<Option<Called>, McpError> {
    let broken = |error: ServiceError| match error {
        ServiceError::McpError(error) => McpError::Failed { tool: wanted.tool.clone(), reason: error.to_string() },
        error => McpError::Broken { server: wanted.server.clone(), reason: format!("broke off: {error}") },
    };
    let mut sent = peer.send_request_with_option(request, PeerRequestOptions::no_options()).await.map_err(broken)?;
    let came = tokio::select! {
        came = &mut sent.rx => came,
        Ok(()) = given_up => {
            // It may be gone: then nothing has to be told.
            let _ = sent.cancel(Some("given up".to_owned())).await;
            return Ok(None);
        }
    };
    match came.unwrap_or(Err(ServiceError::TransportClosed)).map_err(broken)? {
        ServerResult::CallToolResult(result) => read(&wanted.tool, result).map(Some),
        _ => Err(McpError::Unusable {
            tool: wanted.tool.clone(),
            reason: "it asks somebody for more, and nobody can answer here".to_owned(),
        }),
    }
}

impl Desk {
    fn new(settings: &Settings) -> std::io::Result<Desk> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let connections: Connections = settings.keys().map(|name| (name.clone(), Arc::default())).collect();
        let open = connections.clone();
        let thread = std::thread::Builder::new().name("mcp".to_owned()).spawn(move || {
            runtime.block_on(async {
                let _ = ended.await;
                for place in open.values() {
                    if let Some(connection) = place.lock().await.take() {
                        connection.close().await;
                    }
                }
            });
        })?;
        Ok(Desk { handle, connections, end: Some(end), thread: Some(thread) })
    }

    /// On the thread; dropped, it is dropped there, too.
    async fn carry_out<T: Send + 'static>(
        &self,
        server: &str,
        what: impl Future<Output = Result<T, McpError>> + Send + 'static,
    ) -> Result<T, McpError> {
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn_on(what, &self.handle);
        match tasks.join_next().await {
            Some(Ok(result)) => result,
            _ => Err(McpError::Broken { server: server.to_owned(), reason: "was given up".to_owned() }),
        }
    }
}

/// The connection, made when there is none or when it is over.
async fn connected(
    place: &Mutex<Option<Arc<Connection>>>,
    name: &str,
    settings: &Server,
    folder: &std::path::Path,
) -> Result<Arc<Connection>, McpError> {
    let mut place = place.lock().await;
    if let Some(connection) = place.as_ref().filter(|connection| !connection.is_over()) {
        return Ok(connection.clone());
    }
    let connection = Arc::new(connect(name, settings, folder).await?);
    *place = Some(connection.clone());
    Ok(connection)
}

/// Is it there, and what it was?
fn check(tools: &[Tool], wanted: &McpTool) -> Result<(), McpError> {
    let McpTool { server, tool, pin } = wanted.clone();
    let Some(found) = tools.iter().find(|known| known.name == tool) else {
        let known = tools.iter().map(|known| format!("`{}`", known.name)).collect::<Vec<_>>().join(", ");
        return Err(McpError::NoTool { server, tool, known });
    };
    match pin {
        Some(pin) if pin != found.digest() => Err(McpError::Changed { server, tool, is: found.digest() }),
        _ => Ok(()),
    }
}

fn read(tool: &str, result: CallToolResult) -> Result<Called, McpError> {
    let pieces = result.content.into_iter().map(|block| content(tool, block));
    let content = pieces.collect::<Result<Vec<Content>, McpError>>()?;
    if result.is_error == Some(true) {
        let texts = content.iter().filter(|piece| piece.media_type.starts_with("text/"));
        let reason =
            texts.map(|piece| String::from_utf8_lossy(&piece.payload).into_owned()).collect::<Vec<_>>().join(" ");
        return Err(McpError::Failed { tool: tool.to_owned(), reason });
    }
    Ok(Called { content, structured: result.structured_content })
}

fn content(tool: &str, block: ContentBlock) -> Result<Content, McpError> {
    let bytes = |data: &str| {
        use base64::Engine as _;
        let decoded = base64::engine::general_purpose::STANDARD.decode(data);
        decoded.map_err(|error| McpError::Unusable { tool: tool.to_owned(), reason: format!("its base64: {error}") })
    };
    let unknown = |reason: &str| McpError::Unusable { tool: tool.to_owned(), reason: reason.to_owned() };
    let text = |media_type: Option<String>, text: String| Content {
        media_type: media_type.unwrap_or_else(|| "text/plain".to_owned()),
        payload: text.into_bytes(),
    };
    Ok(match block {
        ContentBlock::Text(piece) => text(None, piece.text),
        ContentBlock::Image(piece) => Content { payload: bytes(&piece.data)?, media_type: piece.mime_type },
        ContentBlock::Audio(piece) => Content { payload: bytes(&piece.data)?, media_type: piece.mime_type },
        ContentBlock::Resource(piece) => match piece.resource {
            ResourceContents::TextResourceContents { mime_type, text: said, .. } => text(mime_type, said),
            ResourceContents::BlobResourceContents { mime_type, blob, .. } => Content {
                payload: bytes(&blob)?,
                media_type: mime_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
            },
            _ => return Err(unknown("a resource of another kind")),
        },
        ContentBlock::ResourceLink(link) => text(Some("text/uri-list".to_owned()), link.uri),
        _ => return Err(unknown("content of another kind")),
    })
}
