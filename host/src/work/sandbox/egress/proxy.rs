//! A proxy of HTTP: `CONNECT`, and requests with a whole address. Names are looked up here, once; what was checked is what is
//! connected to. It keeps nothing of what passes.

use super::rules::Rules;
use crate::work::http::client::look_up;
use aivm_schema::worker::Host;
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode, Uri, Version, client, server};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, split};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// The largest head of a request, in bytes, and how long it may take; as long a connection waits for the next one.
const HEAD: usize = 64 << 10;
const HEAD_TIME: Duration = Duration::from_secs(30);
/// How long a host may take to be looked up and connected to.
const CONNECT_TIME: Duration = Duration::from_secs(30);
/// How long the one side may still speak after the other has ended.
const HALF_CLOSED: Duration = Duration::from_secs(60);

type Body = Either<Incoming, Full<Bytes>>;
/// What a connection becomes after `CONNECT`: where it leads, once its head is answered.
type Tunnel = Mutex<Option<(OnUpgrade, TcpStream)>>;

/// Why nobody is connected to.
enum Not {
    Allowed(String),
    Reached(String),
}

/// Serves one connection until it ends.
pub async fn serve(inside: TcpStream, rules: Arc<Rules>) {
    let tunnel = Arc::new(Tunnel::default());
    // The connections that its requests are sent by; they go with it.
    let outside = Arc::new(Mutex::new(JoinSet::new()));
    let service = {
        let tunnel = tunnel.clone();
        service_fn(move |request| {
            let (rules, tunnel, outside) = (rules.clone(), tunnel.clone(), outside.clone());
            async move { Ok::<_, Infallible>(answer(request, &rules, &tunnel, &outside).await) }
        })
    };
    let mut http = server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(HEAD);
    let served = http.serve_connection(TokioIo::new(inside), service).with_upgrades().await;
    let tunnel = tunnel.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let (Ok(()), Some((upgrade, outside))) = (served, tunnel)
        && let Ok(inside) = upgrade.await
    {
        let _ = carry(TokioIo::new(inside), outside).await;
    }
}

async fn answer(
    mut request: Request<Incoming>,
    rules: &Rules,
    tunnel: &Tunnel,
    connections: &Mutex<JoinSet<()>>,
) -> Response<Body> {
    let (host, port) = match asked(&request) {
        Ok(asked) => asked,
        Err(reason) => return said(StatusCode::BAD_REQUEST, reason),
    };
    let outside = match connect(rules, &host, port).await {
        Ok(outside) => outside,
        Err(Not::Allowed(reason)) => return said(StatusCode::FORBIDDEN, &reason),
        Err(Not::Reached(reason)) => return said(StatusCode::BAD_GATEWAY, &reason),
    };
    if request.method() == Method::CONNECT {
        let upgrade = hyper::upgrade::on(&mut request);
        *tunnel.lock().unwrap_or_else(PoisonError::into_inner) = Some((upgrade, outside));
        return Response::new(Either::Right(Full::default()));
    }
    let passed = pass(request, (&host, port), outside, connections).await;
    passed.unwrap_or_else(|error| said(StatusCode::BAD_GATEWAY, &format!("{host}:{port} does not answer: {error}")))
}

/// Whom a request is for.
fn asked(request: &Request<Incoming>) -> Result<(Host, u16), &'static str> {
    let whole = "this is a proxy: it takes CONNECT, and requests with a whole address that begins with http://";
    let (uri, connects) = (request.uri(), request.method() == Method::CONNECT);
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or(whole)?;
    let port = match (connects, uri.scheme_str(), authority.port_u16()) {
        (true, None, Some(port)) | (false, Some("http"), Some(port)) => port,
        (false, Some("http"), None) if authority.as_str().ends_with(authority.host()) => 80,
        _ => return Err(whole),
    };
    Ok((Host::parse(authority.host())?, port))
}

/// Connects, if that is allowed.
async fn connect(rules: &Rules, host: &Host, port: u16) -> Result<TcpStream, Not> {
    rules.listed(host, port).map_err(Not::Allowed)?;
    let failed = |why: &dyn std::fmt::Display| Not::Reached(format!("{host}:{port} was not reached: {why}"));
    let connected = async {
        let addresses: Vec<IpAddr> = match host {
            Host::Address(address) => vec![*address],
            // Who lists it means this machine, whatever a name server says.
            Host::Name(name) if name == "localhost" => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            Host::Name(name) => {
                let place = rules.look_ups.clone().acquire_owned().await.map_err(|error| failed(&error))?;
                let addresses = look_up(name.clone(), place).await.map_err(|error| failed(&error))?;
                rules.connectable(name, port, &addresses).map_err(Not::Allowed)?;
                addresses
            }
        };
        let addresses: Vec<SocketAddr> = addresses.into_iter().map(|address| (address, port).into()).collect();
        TcpStream::connect(&addresses[..]).await.map_err(|error| failed(&error))
    };
    tokio::time::timeout(CONNECT_TIME, connected).await.unwrap_or_else(|_| Err(failed(&"it takes too long")))
}

/// Sends a request on, to whom it was checked for, whatever it says itself.
async fn pass(
    request: Request<Incoming>,
    (host, port): (&Host, u16),
    outside: TcpStream,
    connections: &Mutex<JoinSet<()>>,
) -> Result<Response<Body>, Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(outside)).await?;
    {
        let mut connections = connections.lock().unwrap_or_else(PoisonError::into_inner);
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            let _ = connection.await;
        });
    }
    let (mut head, body) = request.into_parts();
    without_hops(&mut head.headers);
    let name = if port == 80 { host.to_string() } else { format!("{host}:{port}") };
    head.headers.insert(HOST, HeaderValue::from_str(&name)?);
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    head.uri = if path.starts_with('/') { path.parse::<Uri>()? } else { format!("/{path}").parse::<Uri>()? };
    head.version = Version::HTTP_11;
    let response = sender.send_request(Request::from_parts(head, body)).await?;
    let (mut head, body) = response.into_parts();
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err("it wants to speak something else: use CONNECT".into());
    }
    without_hops(&mut head.headers);
    head.version = Version::HTTP_11;
    Ok(Response::from_parts(head, Either::Left(body)))
}

/// Takes off the headers that belong to a connection, not to what is sent by it.
fn without_hops(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').filter_map(|name| name.trim().parse().ok()))
        .collect();
    // How long a body is that comes in pieces, the pieces say.
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    const HOPS: [HeaderName; 8] =
        [CONNECTION, EXPECT, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
    const OLD: [&str; 2] = ["keep-alive", "proxy-connection"];
    for name in HOPS.into_iter().chain(OLD.map(HeaderName::from_static)).chain(named) {
        headers.remove(name);
    }
}

fn said(status: StatusCode, reason: &str) -> Response<Body> {
    let mut response = Response::new(Either::Right(Full::from(format!("aivm: {reason}\n"))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Carries both ways, until both sides have ended, or one has and the other does not in time.
async fn carry(inside: impl AsyncRead + AsyncWrite, outside: TcpStream) -> std::io::Result<()> {
    let ((mut from_inside, mut to_inside), (mut from_outside, mut to_outside)) = (split(inside), outside.into_split());
    let out = async {
        copy(&mut from_inside, &mut to_outside).await?;
        to_outside.shutdown().await
    };
    let back = async {
        copy(&mut from_outside, &mut to_inside).await?;
        to_inside.shutdown().await
    };
    tokio::pin!(out, back);
    tokio::select! {
        ended = &mut out => {
            ended?;
            tokio::time::timeout(HALF_CLOSED, back).await?
        }
        ended = &mut back => {
            ended?;
            tokio::time::timeout(HALF_CLOSED, out).await?
        }
    }
}
