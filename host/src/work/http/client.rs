//! The clients of the process: one that asks only what is public, and one for definitions that may ask more. Each keeps its own
//! connections, so none that was made unchecked is ever used by a request that is checked.

use super::guard;
use crate::client;
use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, LazyLock};

static PUBLIC: LazyLock<Result<Client, String>> = LazyLock::new(|| new(true));
static ANY: LazyLock<Result<Client, String>> = LazyLock::new(|| new(false));

/// The client for requests to public addresses, or to any.
pub(super) fn client(public: bool) -> Result<&'static Client, String> {
    let client = if public { &PUBLIC } else { &ANY };
    client.as_ref().map_err(Clone::clone)
}

fn new(public: bool) -> Result<Client, String> {
    // A proxy would look names up by itself. Whether to try again is for the step to say.
    let mut builder = client::builder().no_proxy().referer(false).retry(reqwest::retry::never());
    builder = builder.user_agent(concat!("aivm/", env!("CARGO_PKG_VERSION")));
    if public {
        builder = builder.dns_resolver(Arc::new(Public));
    }
    builder.build().map_err(|error| error.to_string())
}

/// Looks a name up once. What it gives is what is connected to: nothing is looked up between the check and the connection.
struct Public;

impl Resolve for Public {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        Box::pin(async move {
            let addresses = look_up(host.clone(), ()).await?;
            guard::check(&host, &addresses)?;
            Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

/// The addresses of a name, as this machine knows them. Nobody can call a look-up off: `place` is kept until it is over, also when
/// nobody waits for it any more.
pub(crate) async fn look_up(host: String, place: impl Send + 'static) -> std::io::Result<Vec<IpAddr>> {
    let looked_up = move || {
        let addresses = (host.as_str(), 0).to_socket_addrs();
        drop(place);
        Ok(addresses?.map(|address| address.ip()).collect())
    };
    tokio::task::spawn_blocking(looked_up).await?
}
