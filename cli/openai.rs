//! `aivm openai`: each pipeline is a model, behind the chat completions and the responses of OpenAI's interface. `request` reads what is
//! asked, `chat` and `responses` are the two forms of an answer, `refusal` that of an error.

use crate::args::{Global, OpenaiArgs};
use crate::fail::{Exit, Failure};
use crate::serve::door::{Door, MOST_BODY};
use crate::serve::{self, Pipeline, Runner, Running, Served, Told};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use refusal::Refusal;
use request::Asked;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

mod chat;
mod refusal;
mod request;
mod responses;

/// So often a stream says that it is alive, when it has nothing else to say.
const ALIVE: Duration = Duration::from_secs(15);

/// `aivm openai FILE…`.
pub fn openai(global: &Global, args: &OpenaiArgs) -> Result<Exit, Failure> {
    if args.serve.files.is_empty() {
        return Err(Failure::usage("E0819", "no pipeline is named").help("aivm openai FILE…"));
    }
    let server = serve::server(global, &args.serve)?;
    let door = Door::open(&args.listen, args.serve.key_env.as_deref())?;
    let pipelines: Arc<[Pipeline]> = server.programs.iter().map(|(pipeline, _)| pipeline.clone()).collect();
    let names: Vec<&str> = pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect();
    let url = format!("http://{}/v1", door.address);
    match global.json {
        true => println!("{}", json!({"v": 1, "url": url, "models": names})),
        false => server.log.say(format!("{url} · models: {}", names.join(", "))),
    }
    server.serve(args.serve.at_once, async |runner| {
        let closing = runner.clone();
        let models = Models { pipelines, runner, conversation: args.conversation, since: now() };
        door.serve(routes(models), refusal::at_the_door, async move { closing.close().await }).await
    })
}

fn routes(models: Models) -> Router {
    let nothing = |request: Request| async move {
        Refusal::new(StatusCode::NOT_FOUND, "not_found", format!("there is no {}", request.uri().path()))
            .into_response()
    };
    let no_method = |request: Request| async move {
        let message = format!("{} is not for {}", request.method(), request.uri().path());
        Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message).into_response()
    };
    Router::new()
        .route("/v1/models", get(list))
        .route("/v1/models/{name}", get(show))
        .route("/v1/chat/completions", post(complete))
        .route("/v1/responses", post(respond))
        .fallback(nothing)
        .method_not_allowed_fallback(no_method)
        .with_state(models)
}

/// The pipelines, as a client sees them.
#[derive(Clone)]
struct Models {
    pipelines: Arc<[Pipeline]>,
    runner: Runner,
    /// The input is the whole conversation.
    conversation: bool,
    since: u64,
}

impl Models {
    fn model(&self, pipeline: &Pipeline) -> Value {
        json!({"id": pipeline.name, "object": "model", "created": self.since, "owned_by": "aivm", "description": pipeline.about})
    }

    fn find(&self, name: &str) -> Result<(usize, &Pipeline), Refusal> {
        let found = self.pipelines.iter().enumerate().find(|(_, pipeline)| pipeline.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = self.pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect();
            let message = format!("there is no model `{name}`; there are: {}", names.join(", "));
            Refusal::new(StatusCode::NOT_FOUND, "model_not_found", message)
        })
    }

    fn begin(&self, asked: &Asked) -> Result<Running, Refusal> {
        let (at, pipeline) = self.find(&asked.model)?;
        let input = asked.input(pipeline, self.conversation)?;
        self.runner.begin(at, input, asked.stream).map_err(Refusal::from)
    }
}

async fn list(State(models): State<Models>) -> Response {
    let all: Vec<Value> = models.pipelines.iter().map(|pipeline| models.model(pipeline)).collect();
    axum_json(&json!({"object": "list", "data": all}))
}

async fn show(State(models): State<Models>, Path(name): Path<String>) -> Response {
    match models.find(&name) {
        Ok((_, pipeline)) => axum_json(&models.model(pipeline)),
        Err(refusal) => refusal.into_response(),
    }
}

async fn complete(State(models): State<Models>, request: Request) -> Response {
    answered(&models, request, Asked::of_chat, chat::Form::new).await.unwrap_or_else(Refusal::into_response)
}

async fn respond(State(models): State<Models>, request: Request) -> Response {
    answered(&models, request, Asked::of_responses, responses::Form::new).await.unwrap_or_else(Refusal::into_response)
}

/// How a run is answered: all at once, or as a stream of events.
trait Form: Send + 'static {
    /// The whole answer.
    fn whole(&mut self, served: &Served) -> Value;
    /// The run has begun.
    fn begin(&mut self, run: &str) -> String;
    /// A piece of the output.
    fn piece(&mut self, text: &str) -> String;
    /// It is over.
    fn end(&mut self, served: &Served) -> String;
    /// It is over, and there is no output, or not the one that was begun.
    fn fail(&mut self, refusal: &Refusal) -> String;
}

async fn answered<F: Form>(
    models: &Models,
    request: Request,
    read: impl FnOnce(&Value) -> Result<Asked, Refusal>,
    form: impl FnOnce(&Asked) -> F,
) -> Result<Response, Refusal> {
    let body = serve::body::json(request, MOST_BODY).await;
    let body = body.map_err(|(status, message)| Refusal::new(status, "E0949", message))?;
    let asked = read(&body)?;
    let mut running = models.begin(&asked)?;
    let mut form = form(&asked);
    if asked.stream {
        return Ok(streamed(running, form));
    }
    let served = running.end().await?;
    match served.is_sent() {
        true => Ok(([("aivm-run", served.run.clone())], axum_json(&form.whole(&served))).into_response()),
        false => Err(Refusal::of(&served)),
    }
}

/// The events of a run. When nobody reads them any more, `running` goes, and with it the run.
fn streamed(running: Running, form: impl Form) -> Response {
    let events = futures_util::stream::unfold(Some((running, form)), |state| async {
        let (mut running, mut form) = state?;
        let (text, over) = match tokio::time::timeout(ALIVE, running.next()).await {
            Err(_) => (": \n\n".to_owned(), false),
            Ok(Told::Began(run)) => (form.begin(&run), false),
            Ok(Told::Step(step)) => (format!(": {}\n\n", step.replace(['\n', '\r'], " ")), false),
            Ok(Told::Piece(text)) => (form.piece(&text), false),
            Ok(Told::Ended(Ok(served))) if served.is_sent() => (form.end(&served), true),
            Ok(Told::Ended(Ok(served))) => (form.fail(&Refusal::of(&served)), true),
            Ok(Told::Ended(Err(failure))) => (form.fail(&failure.into()), true),
        };
        Some((Ok::<_, Infallible>(text), (!over).then_some((running, form))))
    });
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")];
    (headers, Body::from_stream(events)).into_response()
}

fn axum_json(value: &Value) -> Response {
    ([(CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
