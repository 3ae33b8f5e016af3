//! Who is let in over HTTP: so many connections at once, nobody from a web page, and only those who know the key, where there is one.

use crate::fail::Failure;
use aivm_host::signals::Signals;
use aivm_schema::artifact::ContentDigest;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use axum::serve::Listener;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The largest body of a request, in bytes.
pub const MOST_BODY: usize = 16 << 20;
/// So many connections are open at most; further ones wait.
const MOST_CONNECTIONS: usize = 512;

/// How a request is refused: the interface that is served has its own form for it.
pub type Refuse = fn(StatusCode, &str, &str) -> Response;

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
        let wrong = |why: String| Failure::usage("E0942", format!("cannot listen on {at}: {why}"));
        let key = match key_env {
            None => None,
            Some(name) => {
                // From now on it is in nothing that is shown or kept.
                let key = aivm_host::secret::find(name).map_err(|error| crate::fail::coded(&error.to_string()))?;
                let key = key.filter(|key| !key.is_empty());
                let key = key.ok_or_else(|| wrong(format!("the secret {name} of --key-env is nowhere to be found")))?;
                Some(digest(&key))
            }
        };
        let address = at.to_socket_addrs().ok().and_then(|mut all| all.next());
        let address =
            address.ok_or_else(|| wrong("it is no ADDRESS:PORT".into()).help("for example 127.0.0.1:8417"))?;
        if !address.ip().is_loopback() && key.is_none() {
            let failure = wrong("others than this machine could reach it, and it has no key".into());
            return Err(failure.help("put a key into a variable and name that: --key-env VARIABLE"));
        }
        let listener = std::net::TcpListener::bind(address).map_err(|error| wrong(error.to_string()))?;
        listener.set_nonblocking(true).map_err(|error| wrong(error.to_string()))?;
        let address = listener.local_addr().map_err(|error| wrong(error.to_string()))?;
        Ok(Door { address, listener, key })
    }

    /// Serves until a signal comes: then nobody more is let in, `closing` lets those go who stay for ever, and when the last has gone it
    /// is over. With a second signal they are left.
    pub async fn serve(self, routes: Router, refuse: Refuse, closing: impl Future<Output = ()>) -> Result<(), Failure> {
        let at = self.address;
        let failed = |error: io::Error| Failure::failed("E0942", format!("cannot listen on {at}: {error}"));
        let listener = TcpListener::from_std(self.listener).map_err(failed)?;
        let limited = Limited { listener, places: Arc::new(Semaphore::new(MOST_CONNECTIONS)) };
        let guard = Arc::new(Guard { loopback: at.ip().is_loopback(), key: self.key, refuse });
        let routes = routes.layer(axum::middleware::from_fn_with_state(guard, let_in));
        let mut signals = Signals::listen();
        let (close, closed) = tokio::sync::oneshot::channel::<()>();
        let serving = axum::serve(limited, routes).with_graceful_shutdown(async {
            let _ = closed.await;
        });
        let serving = serving.into_future();
        let told = async {
            poll_fn(|context| signals.poll(context)).await;
            let _ = close.send(());
            tokio::join!(closing, poll_fn(|context| signals.poll(context)));
        };
        tokio::select! {
            served = serving => served.map_err(failed),
            () = told => Ok(()),
        }
    }
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

/// A listener that lets so many in at once.
struct Limited {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl Listener for Limited {
    type Io = Visit;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visit, SocketAddr) {
        let place = self.places.clone().acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // A piece of an answer does not wait for the next.
        let _ = stream.set_nodelay(true);
        (Visit { stream, _place: place }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection and its place.
struct Visit {
    stream: TcpStream,
    _place: Option<OwnedSemaphorePermit>,
}

impl AsyncRead for Visit {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Visit {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;

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
