//! Who is let in over HTTP: so many connections at once, of one address only a part of them, nobody from a web page of another server, and
//! only those who know the key, where there is one.

use super::patient::Patient;
use super::share::Shares;
use crate::fail::Failure;
use aivm_host::signals::Signals;
use aivm_schema::artifact::ContentDigest;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// The largest body of a request, in bytes.
pub const MOST_BODY: usize = 16 << 20;
/// So many connections are open at most; further ones wait.
const MOST_CONNECTIONS: usize = 512;
/// So many of one address; further ones are closed at once.
const MOST_OF_ONE: usize = 64;
/// So long it is waited for the head of a request, also of the next one of a connection, and until a piece of an answer is taken.
const PATIENCE: Duration = Duration::from_secs(30);
/// So long it is waited when the system has no connection to give.
const BREATH: Duration = Duration::from_secs(1);

/// How a request is refused: the interface that is served has its own form for it.
pub type Refuse = fn(StatusCode, &str, &str) -> Response;

/// From which machine a request comes; each has it among its extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer(pub IpAddr);

/// Where it is listened, and for whom.
pub struct Door {
    /// Where.
    pub address: SocketAddr,
    listener: std::net::TcpListener,
    key: Option<ContentDigest>,
}

impl Door {
    /// Listens. `key_env`: the name of the secret that is the key.
    pub fn open(at: &str, key_env: Option<&str>) -> Result<Door, Failure> {
        let key = match key_env {
            None => None,
            Some(name) => {
                // From now on it is in nothing that is shown or kept.
                let key = aivm_host::secret::find(name).map_err(|error| crate::fail::coded(&error.to_string()))?;
                let key = key.filter(|key| !key.is_empty());
                let key =
                    key.ok_or_else(|| wrong(at, format!("the secret {name} of --key-env is nowhere to be found")))?;
                Some(digest(&key))
            }
        };
        let door = Door::open_to_all(at)?;
        if !door.address.ip().is_loopback() && key.is_none() {
            let failure = wrong(at, "others than this machine could reach it, and it has no key".into());
            return Err(failure.help("put a key into a variable and name that: --key-env VARIABLE"));
        }
        Ok(Door { key, ..door })
    }

    /// Listens for everybody who can reach the address.
    pub fn open_to_all(at: &str) -> Result<Door, Failure> {
        let failed = |error: io::Error| wrong(at, error.to_string());
        let address = at.to_socket_addrs().ok().and_then(|mut all| all.next());
        let address =
            address.ok_or_else(|| wrong(at, "it is no ADDRESS:PORT".into()).help("for example 127.0.0.1:8417"))?;
        let listener = std::net::TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Door { address, listener, key: None })
    }

    /// Serves until a signal comes: then nobody more is let in, `closing` lets those go who stay for ever, and when the last has gone it
    /// is over. With a second signal they are left.
    pub async fn serve(self, routes: Router, refuse: Refuse, closing: impl Future<Output = ()>) -> Result<(), Failure> {
        let at = self.address;
        let failed = |error: io::Error| Failure::failed("E0942", format!("cannot listen on {at}: {error}"));
        let listener = TcpListener::from_std(self.listener).map_err(failed)?;
        let guard = Arc::new(Guard { loopback: at.ip().is_loopback(), key: self.key, refuse });
        let routes = TowerToHyperService::new(routes.layer(axum::middleware::from_fn_with_state(guard, let_in)));
        let (places, shares) = (Arc::new(Semaphore::new(MOST_CONNECTIONS)), Shares::of(MOST_OF_ONE));
        let mut http = Builder::new();
        // Whoever says nothing gives their place to another.
        http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
        let visits = GracefulShutdown::new();
        let mut signals = Signals::listen();
        let letting_in = async {
            loop {
                let place = places.clone().acquire_owned().await.ok();
                let (stream, peer) = accept(&listener).await;
                let Some(share) = shares.take(peer.0) else { continue };
                let routes = routes.clone();
                let from_peer = service_fn(move |mut request: hyper::Request<Incoming>| {
                    request.extensions_mut().insert(peer);
                    routes.call(request)
                });
                let visit =
                    visits.watch(http.serve_connection(TokioIo::new(Patient::new(stream, PATIENCE)), from_peer));
                tokio::spawn(async move {
                    // Whoever is cut off knows it.
                    let _ = visit.await;
                    drop((place, share));
                });
            }
        };
        tokio::select! {
            () = letting_in => {}
            _ = poll_fn(|context| signals.poll(context)) => {}
        }
        drop(listener);
        tokio::select! {
            _ = async { tokio::join!(closing, visits.shutdown()) } => {}
            _ = poll_fn(|context| signals.poll(context)) => {}
        }
        Ok(())
    }
}

fn wrong(at: &str, why: String) -> Failure {
    Failure::usage("E0942", format!("cannot listen on {at}: {why}"))
}

/// The next connection. What fails is over before it began, or there are no more files to be had, which passes.
async fn accept(listener: &TcpListener) -> (TcpStream, Peer) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // A piece of an answer does not wait for the next.
                let _ = stream.set_nodelay(true);
                return (stream, Peer(peer.ip()));
            }
            Err(error) if is_of_one(error.kind()) => {}
            Err(_) => tokio::time::sleep(BREATH).await,
        }
    }
}

/// Does an error concern one connection only?
fn is_of_one(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(kind, ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn digest(key: &str) -> ContentDigest {
    ContentDigest::of("text/plain", key.as_bytes())
}

struct Guard {
    loopback: bool,
    key: Option<ContentDigest>,
    refuse: Refuse,
}

async fn let_in(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    if let Err((status, code, message)) = guard.allows(request.headers()) {
        return (guard.refuse)(status, code, message);
    }
    next.run(request).await
}

impl Guard {
    fn allows(&self, headers: &HeaderMap) -> Result<(), (StatusCode, &'static str, &'static str)> {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        // A page whose name was made to lead to this machine still sends its name.
        if self.loopback && !is_loopback(host) {
            let message = "this server is for this machine: call it as 127.0.0.1 or localhost";
            return Err((StatusCode::FORBIDDEN, "E0946", message));
        }
        if let Some(origin) = headers.get(ORIGIN)
            && origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, from)| from) != Some(host)
        {
            return Err((StatusCode::FORBIDDEN, "E0946", "a web page of another server may not call this one"));
        }
        let Some(key) = &self.key else { return Ok(()) };
        let sent = headers.get(AUTHORIZATION).and_then(|sent| sent.to_str().ok());
        let sent = sent.and_then(|sent| sent.split_once(' ')).filter(|(how, _)| how.eq_ignore_ascii_case("bearer"));
        // Digests: how long it takes to compare them says nothing of the key.
        match sent.is_some_and(|(_, sent)| digest(sent.trim()) == *key) {
            true => Ok(()),
            false => Err((StatusCode::UNAUTHORIZED, "E0946", "the key is missing or wrong: send it as a bearer token")),
        }
    }
}

/// Does `HOST`, with or without a port, name this machine?
fn is_loopback(host: &str) -> bool {
    let authority: Option<Uri> = format!("http://{host}/").parse().ok();
    let host = authority.as_ref().and_then(Uri::host).unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// The clock stands still while something happens, and leaps when nothing does.
    #[tokio::test(start_paused = true)]
    async fn whoever_says_nothing_loses_the_place() {
        let door = Door::open("127.0.0.1:0", None).expect("a door");
        let at = door.address;
        let refuse: Refuse = |status, _, _| status.into_response();
        let routes = Router::new().route("/", axum::routing::get(|| async { "here" }));
        tokio::spawn(door.serve(routes, refuse, std::future::pending()));
        for said in ["", "GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n", "GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"] {
            let mut stream = TcpStream::connect(at).await.expect("let in");
            stream.write_all(said.as_bytes()).await.expect("said");
            let mut heard = String::new();
            // It ends: the server has closed it.
            stream.read_to_string(&mut heard).await.expect("heard");
            assert_eq!(heard.ends_with("here"), said.ends_with("\r\n\r\n"), "{said}: {heard}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_no_answer_loses_the_place() {
        let door = Door::open("127.0.0.1:0", None).expect("a door");
        let at = door.address;
        let refuse: Refuse = |status, _, _| status.into_response();
        // More than the system keeps for somebody who does not read.
        let routes = Router::new().route("/", axum::routing::get(|| async { vec![b'x'; 64 << 20] }));
        tokio::spawn(door.serve(routes, refuse, std::future::pending()));
        let mut stream = TcpStream::connect(at).await.expect("let in");
        stream.write_all(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").await.expect("said");
        tokio::time::sleep(PATIENCE * 3).await;
        let mut heard = Vec::new();
        // The server has closed it: that is an error, or the end.
        let _ = stream.read_to_end(&mut heard).await;
        assert!(!heard.is_empty() && heard.len() < 64 << 20, "{}", heard.len());
    }

    #[test]
    fn no_web_page_and_nobody_without_the_key_is_let_in() {
        let refuse: Refuse = |status, _, _| status.into_response();
        let open = Guard { loopback: true, key: None, refuse };
        let keyed = Guard { loopback: false, key: Some(digest("s3cret")), refuse };
        let headers = |all: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in all {
                headers.insert(*name, value.parse().expect("a value"));
            }
            headers
        };
        for (host, origin, allowed) in [
            ("127.0.0.1:8417", None, true),
            ("localhost", None, true),
            ("LOCALHOST:1", None, true),
            ("[::1]:8417", None, true),
            ("127.0.0.1:8417", Some("http://127.0.0.1:8417"), true),
            ("127.0.0.1:8417", Some("http://evil.example"), false),
            ("127.0.0.1:8417", Some("http://127.0.0.1:3000"), false),
            ("127.0.0.1:8417", Some("null"), false),
            ("evil.example:8417", None, false),
            ("evil.example:8417", Some("http://evil.example:8417"), false),
            ("127.0.0.1.evil.example", None, false),
            ("localhost@evil.example", None, false),
            ("", None, false),
        ] {
            let mut all = vec![("host", host)];
            all.extend(origin.map(|origin| ("origin", origin)));
            assert_eq!(open.allows(&headers(&all)).is_ok(), allowed, "{all:?}");
        }
        for (sent, allowed) in
            [("Bearer s3cret", true), ("bearer s3cret", true), ("Bearer s3cre", false), ("s3cret", false), ("", false)]
        {
            let headers = headers(&[("host", "example.org"), ("authorization", sent)]);
            assert_eq!(keyed.allows(&headers).is_ok(), allowed, "{sent}");
        }
        assert!(keyed.allows(&headers(&[("host", "example.org")])).is_err());
    }
}
