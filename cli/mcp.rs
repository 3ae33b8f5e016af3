//! `aivm mcp`: each pipeline is a tool of the Model Context Protocol, over standard input and output or over HTTP. `tool` says what a
//! client is told of a pipeline, and what becomes of a run's output; `authoring` has the tools by which a model writes pipelines.

use crate::args::{Global, McpArgs};
use crate::fail::{Exit, Failure};
use crate::serve::door::{Door, MOST_BODY};
use crate::serve::{self, Pipeline, Runner, Running, Told};
use aivm_host::secret;
use aivm_host::signals::Signals;
use authoring::Authoring;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, Implementation, ListToolsResult, PaginatedRequestParams,
    ProgressNotificationParam, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, ServerInitializeError};
use rmcp::transport::io::stdio_pipes;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt};
use serde_json::json;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

mod authoring;
mod tool;

/// So many clients have a session at once.
const MOST_SESSIONS: usize = 256;
/// A session is closed when nothing is heard of it for so long; calls of tools take long.
const IDLE: Duration = Duration::from_secs(6 * 60 * 60);
/// So long it is waited until a client has taken a word of progress.
const PATIENCE: Duration = Duration::from_secs(2);
/// So long it is waited at the end until a client has taken the last answers.
const LAST: Duration = Duration::from_secs(3);
/// Under which path it is served.
const PATH: &str = "/mcp";

/// `aivm mcp FILE…`.
pub fn mcp(global: &Global, args: &McpArgs) -> Result<Exit, Failure> {
    if args.serve.files.is_empty() && !args.authoring {
        return Err(Failure::usage("E0819", "no pipeline is named").help("aivm mcp FILE…, or aivm mcp --authoring"));
    }
    let server = serve::server(global, &args.serve)?;
    let key = args.serve.key_env.as_deref();
    let door = match (&args.http, key) {
        (Some(at), key) => Some(Door::open(at, key)?),
        (None, None) => None,
        (None, Some(_)) => {
            return Err(Failure::usage("E0942", "--key-env is of no use on standard input and output")
                .help("add --http ADDRESS:PORT, or leave it out"));
        }
    };
    let pipelines: Arc<[Pipeline]> = server.programs.iter().map(|(pipeline, _)| pipeline.clone()).collect();
    let authoring: &'static [Authoring] = if args.authoring { &authoring::TOOLS } else { &[] };
    let names: Vec<&str> = pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect();
    let names: Vec<&str> = names.into_iter().chain(authoring.iter().map(|tool| tool.name)).collect();
    if let Some(door) = &door {
        let url = format!("http://{}{PATH}", door.address);
        match global.json {
            true => println!("{}", json!({"v": 1, "url": url, "tools": names})),
            false => server.log.say(format!("{url} · tools: {}", names.join(", "))),
        }
    } else {
        server.log.say(format!("standard input and output · tools: {}", names.join(", ")));
    }
    server.serve(args.serve.at_once, async |runner| {
        let tools = Tools { pipelines, authoring, runner };
        match door {
            Some(door) => over_http(door, tools).await,
            None => over_stdio(tools).await,
        }
    })
}

/// Until the client closes standard input, or a signal comes.
async fn over_stdio(tools: Tools) -> Result<(), Failure> {
    let runner = tools.runner.clone();
    let mut signals = Signals::listen();
    let mut told = async || {
        poll_fn(|context| signals.poll(context)).await;
    };
    let failed =
        |error: &dyn std::fmt::Display| Failure::failed("E0947", format!("the client broke the protocol: {error}"));
    let service = tokio::select! {
        service = tools.serve(stdio_pipes()) => service,
        () = told() => return Ok(()),
    };
    let service = match service {
        Ok(service) => service,
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(failed(&error)),
    };
    let token = service.cancellation_token();
    let served = service.waiting();
    tokio::pin!(served);
    let left = async {
        told().await;
        tokio::select! {
            () = runner.close() => {}
            () = told() => {}
        }
        token.cancel();
    };
    tokio::select! {
        ended = &mut served => return ended.map(|_| ()).map_err(|error| failed(&error)),
        () = left => {}
    }
    // The last answers go out, to a client that reads them.
    tokio::select! {
        ended = &mut served => ended.map(|_| ()).map_err(|error| failed(&error)),
        () = told() => Ok(()),
        () = tokio::time::sleep(LAST) => Ok(()),
    }
}

async fn over_http(door: Door, tools: Tools) -> Result<(), Failure> {
    let runner = tools.runner.clone();
    let mut sessions = LocalSessionManager::default();
    sessions.session_config.keep_alive = Some(IDLE);
    let sessions = Arc::new(sessions);
    let config = StreamableHttpServerConfig::default()
        .disable_allowed_hosts() // The door looks at them.
        .with_max_request_body_bytes(MOST_BODY);
    let token = config.cancellation_token.clone();
    let service = StreamableHttpService::new(move || Ok(tools.clone()), sessions.clone(), config);
    let full = axum::middleware::from_fn(move |request: axum::extract::Request, next: axum::middleware::Next| {
        let sessions = sessions.clone();
        async move {
            let begins = !request.headers().contains_key("mcp-session-id");
            if begins && sessions.sessions.read().await.len() >= MOST_SESSIONS {
                return refuse(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "E0943",
                    "as many clients are here as there may be at once",
                );
            }
            next.run(request).await
        }
    });
    let routes = Router::new().route_service(PATH, service).layer(full);
    let closing = async move {
        runner.close().await;
        token.cancel();
    };
    door.serve(routes, refuse, closing).await
}

/// As the protocol has it for a request that is not even read.
fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    let error =
        json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32600, "message": format!("{code}: {message}")}});
    (status, [("content-type", "application/json")], error.to_string()).into_response()
}

/// The pipelines, as a client sees them.
#[derive(Clone)]
struct Tools {
    pipelines: Arc<[Pipeline]>,
    authoring: &'static [Authoring],
    runner: Runner,
}

impl Tools {
    fn authoring(&self, name: &str) -> Option<Authoring> {
        self.authoring.iter().find(|tool| tool.name == name).copied()
    }
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        let about = Implementation::new("aivm", env!("CARGO_PKG_VERSION"));
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build()).with_server_info(about)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let pipeline = self.pipelines.iter().find(|pipeline| pipeline.name == name).map(tool::tool);
        pipeline.or_else(|| self.authoring(name).map(Authoring::tool))
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let pipelines = self.pipelines.iter().map(tool::tool);
        let authoring = self.authoring.iter().copied().map(Authoring::tool);
        Ok(ListToolsResult::with_all_items(pipelines.chain(authoring).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let at = self.pipelines.iter().position(|pipeline| pipeline.name == request.name);
        let Some((at, pipeline)) = at.and_then(|at| Some((at, self.pipelines.get(at)?))) else {
            if let Some(tool) = self.authoring(&request.name) {
                let answer =
                    tokio::task::spawn_blocking(move || tool.call(&request.arguments.unwrap_or_default())).await;
                let answer = answer.unwrap_or_else(|_| Err(Failure::failed("E0948", "the tool came to no answer")));
                return Ok(answer.unwrap_or_else(|failure| tool::failed(&failure)).into());
            }
            let pipelines = self.pipelines.iter().map(|pipeline| pipeline.name.as_str());
            let names: Vec<&str> = pipelines.chain(self.authoring.iter().map(|tool| tool.name)).collect();
            let message = format!("there is no tool `{}`; there are: {}", request.name, names.join(", "));
            return Err(ErrorData::invalid_params(secret::text(&message).into_owned(), None));
        };
        let called = async {
            let input = tool::input(pipeline, request.arguments.unwrap_or_default())?;
            let mut running = self.runner.begin(at, input, false)?;
            tokio::select! {
                ended = followed(&mut running, &context) => ended,
                // Nobody waits for it: with `running` the run is cancelled.
                () = context.ct.cancelled() => Err(Failure::failed("E0948", "the client cancelled the call")),
            }
        };
        Ok(called.await.unwrap_or_else(|failure| tool::failed(&failure)).into())
    }
}

/// The result of a run; each step that begins or ends is told meanwhile, where that is wanted.
async fn followed(running: &mut Running, context: &RequestContext<RoleServer>) -> Result<CallToolResult, Failure> {
    let mut token = context.meta.get_progress_token();
    let mut so_far = 0.0;
    loop {
        match running.next().await {
            Told::Ended(ended) => return ended.map(|served| tool::result(&served)),
            Told::Step(text) => {
                let Some(to) = &token else { continue };
                so_far += 1.0;
                let progress = ProgressNotificationParam::new(to.clone(), so_far).with_message(text);
                // Whoever has closed the way by which progress goes still gets the result.
                if tokio::time::timeout(PATIENCE, context.peer.notify_progress(progress)).await.is_err() {
                    token = None;
                }
            }
            Told::Began(_) | Told::Piece(_) => {}
        }
    }
}
