//! Clients of HTTP: what all of them begin with, whoever they ask.

use reqwest::Client;
use std::time::Duration;

/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// What every client of this program begins with: its cryptography, no redirect that nobody looked at.
pub(crate) fn builder() -> reqwest::ClientBuilder {
    // Somebody may have chosen already; that is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().connect_timeout(CONNECT).redirect(reqwest::redirect::Policy::none())
}
