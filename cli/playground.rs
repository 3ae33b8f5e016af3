//! `aivm playground`: a page on which programs are written, drawn and run, served by this program. Whoever can reach it may use it:
//! nothing is read or written, nothing is called but built-ins that only compute and mocks, and all of it is bounded.
//!
//! `page` is what the browser gets, `look` says what is known of a program, `run` runs one, `shelf` is what it can name, `meter` counts
//! who asks. What an editor asks comes from `aivm_lang::service`, as in `aivm lsp`.

use crate::args::{Global, PlaygroundArgs};
use crate::fail::{Exit, Failure};
use crate::serve::body;
use crate::serve::door::{Door, Peer};
use crate::serve::share::Shares;
use aivm_host::mint::Mint;
use aivm_host::pool::Pool;
use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use meter::Meter;
use refusal::Refusal;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

mod examples;
mod look;
mod meter;
mod page;
mod refusal;
mod run;
mod shelf;

/// The name of the program in messages.
const FILE: &str = "playground.aivm";
/// The longest program, in bytes.
const MOST_PROGRAM: usize = 64 << 10;
/// The largest request, in bytes.
const MOST_BODY: usize = 512 << 10;
/// So many questions are answered at once, for each core; further ones wait.
const QUESTIONS: usize = 2;
/// So long a question waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// `aivm playground`.
pub fn playground(global: &Global, args: &PlaygroundArgs) -> Result<Exit, Failure> {
    let fault =
        |error: &dyn std::fmt::Display| Failure::failed("E0805", format!("the playground cannot begin: {error}"));
    let door = Door::open_to_all(&args.listen)?;
    let url = format!("http://{}/", door.address);
    match global.json {
        true => println!("{}", json!({"v": 1, "url": url})),
        false => println!("{url}  (Ctrl-C ends it)"),
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let desk = Desk {
        mint: Arc::new(Mint::system().map_err(|error| fault(&error))?),
        pool: Arc::new(Pool::of_machine().map_err(|error| fault(&error))?),
        meter: Arc::default(),
        questions: Arc::new(Semaphore::new(QUESTIONS * cores)),
        runs: Arc::new(Semaphore::new(args.at_once.into())),
        // Whoever looks on at several runs leaves half of the places to others.
        shares: Shares::of(usize::from(args.at_once).div_ceil(2)),
    };
    let events = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let events = events.map_err(|error| fault(&error))?;
    let runs = desk.runs.clone();
    let over = async move {
        // Each run holds a place until it is over, and none is longer than seconds.
        let _ = runs.acquire_many(args.at_once.into()).await;
    };
    let served = events.block_on(door.serve(routes(desk), refusal::at_the_door, over));
    events.shutdown_background();
    served.map(|()| Exit::SENT)
}

/// What all requests share.
#[derive(Clone)]
struct Desk {
    mint: Arc<Mint>,
    pool: Arc<Pool>,
    meter: Arc<Meter>,
    questions: Arc<Semaphore>,
    runs: Arc<Semaphore>,
    shares: Shares,
}

fn routes(desk: Desk) -> Router {
    let nothing = |request: Request| async move {
        let message = format!("there is no {}", request.uri().path());
        Refusal::new(StatusCode::NOT_FOUND, "E0949", message)
    };
    let no_method = |request: Request| async move {
        let message = format!("{} is not for {}", request.method(), request.uri().path());
        Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "E0949", message)
    };
    page::routes()
        .route("/api/examples", get(|| async { told(&examples::all()) }))
        .route("/api/look", post(|desk, peer, request| answered(desk, peer, request, look::look)))
        .route("/api/complete", post(|desk, peer, request| answered(desk, peer, request, look::complete)))
        .route("/api/hover", post(|desk, peer, request| answered(desk, peer, request, look::hover)))
        .route("/api/graph", post(|desk, peer, request| answered(desk, peer, request, look::graph)))
        .route("/api/format", post(|desk, peer, request| answered(desk, peer, request, look::format)))
        .route("/api/run", post(begin))
        .fallback(nothing)
        .method_not_allowed_fallback(no_method)
        .layer(axum::middleware::map_response(page::held))
        .with_state(desk)
}

/// A question, which is answered on a thread for such.
async fn answered<Q: DeserializeOwned + Send + 'static>(
    State(desk): State<Desk>,
    Extension(peer): Extension<Peer>,
    request: Request,
    answer: fn(Q) -> Value,
) -> Result<Response, Refusal> {
    let question = asked(&desk, peer, request, meter::QUESTION).await?;
    let turn = turn(&desk.questions).await?;
    // A panic is this question's alone.
    let answer = tokio::task::spawn_blocking(move || {
        let answer = answer(question);
        drop(turn);
        answer
    });
    let answer =
        answer.await.map_err(|_| Refusal::fault("this program made the playground stumble: please report it"))?;
    Ok(told(&answer))
}

/// A run, which is told as it goes.
async fn begin(
    State(desk): State<Desk>,
    Extension(Peer(from)): Extension<Peer>,
    request: Request,
) -> Result<Response, Refusal> {
    let asked: run::Asked = asked(&desk, Peer(from), request, meter::RUN).await?;
    let share =
        desk.shares.take(from).ok_or_else(|| Refusal::busy("this address has many runs under way: let one end"))?;
    let place = turn(&desk.runs).await?;
    let (stage, seat) = run::theatre();
    let ready = tokio::task::spawn_blocking(move || run::Ready::of(asked)).await;
    let ready = ready.map_err(|_| Refusal::fault("this program made the compiler stumble: please report it"))??;
    tokio::task::spawn_blocking(move || {
        // Whoever looks on is told of what fails by the end of the lines.
        let _ = ready.run(desk.mint, desk.pool, stage);
        drop((place, share));
    });
    let lines = futures_util::stream::unfold(seat, |mut seat| async {
        let line = seat.next().await?;
        Some((Ok::<_, Infallible>(line), seat))
    });
    Ok(([(CONTENT_TYPE, "application/x-ndjson"), (CACHE_CONTROL, "no-store")], Body::from_stream(lines))
        .into_response())
}

/// What a request asks, when it may.
async fn asked<Q: DeserializeOwned>(desk: &Desk, Peer(from): Peer, request: Request, much: f64) -> Result<Q, Refusal> {
    desk.meter.take(from, much, Instant::now())?;
    let body = body::json(request, MOST_BODY).await;
    let body = body.map_err(|(status, message)| Refusal::new(status, "E0949", message))?;
    let program = body.get("program").and_then(Value::as_str).unwrap_or_default();
    if program.len() > MOST_PROGRAM {
        let message = format!("a program of the playground is at most {} KiB long", MOST_PROGRAM >> 10);
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "E0936", message));
    }
    serde_json::from_value(body).map_err(|error| Refusal::wrong(format!("the request: {error}")))
}

async fn turn(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Refusal> {
    let turn = tokio::time::timeout(PATIENCE, places.clone().acquire_owned()).await;
    turn.ok().and_then(Result::ok).ok_or_else(|| Refusal::busy("many others are at it: ask again in a moment"))
}

fn told(answer: &Value) -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], answer.to_string()).into_response()
}
