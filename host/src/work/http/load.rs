//! Texts that are loaded before anything runs: a program at an address. Whom it may be asked of, how it is asked, and how much is read.
//!
//! What a person types may be this machine itself, where nobody is between; everybody else is asked by https alone, and what is not
//! public is not asked at all. A server that leads elsewhere is held to the same, and never leads to this machine.

use super::{MOST_HOPS, address, answer, client, guard, is_redirect, literal, refused};
use reqwest::Url;
use reqwest::header::LOCATION;
use std::net::IpAddr;
use std::time::Duration;

/// How long it may take in all.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why a text is not loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// It is not asked for there.
    #[error("E0854: {what} is not asked for a program: {reason}")]
    Refused {
        /// The host, or the address without what may be a credential.
        what: String,
        /// Why not.
        reason: String,
    },
    /// Nothing came.
    #[error("E0855: {host} gives no program: {reason}")]
    NotGiven {
        /// What was asked for, without what may be a credential.
        host: String,
        /// What happened.
        reason: String,
    },
    /// It is too long.
    #[error("E0856: what {host} gives is longer than {most} bytes, and no program is")]
    TooLong {
        /// What was asked for, without what may be a credential.
        host: String,
        /// As much is read.
        most: usize,
    },
}

/// What stands at an address, at most so many bytes.
pub async fn load(address: &str, most: usize) -> Result<Vec<u8>, LoadError> {
    // What is refused may have a password in it, and is not repeated.
    let refused = |reason| LoadError::Refused { what: "this address".to_owned(), reason };
    let first = address::parse(address).map_err(refused)?;
    let loaded = tokio::time::timeout(TIMEOUT, follow(first.clone(), most)).await;
    loaded.unwrap_or_else(|_| {
        Err(LoadError::NotGiven { host: place(&first), reason: format!("it took longer than {} s", TIMEOUT.as_secs()) })
    })
}

async fn follow(first: Url, most: usize) -> Result<Vec<u8>, LoadError> {
    let mut url = first.clone();
    for _ in 0..=MOST_HOPS {
        let host = place(&url);
        let not_given = |reason: String| LoadError::NotGiven { host: host.clone(), reason };
        let response = ask(&first, &url).await?;
        if !is_redirect(response.status()) {
            if !response.status().is_success() {
                return Err(not_given(format!("it answered {}", response.status())));
            }
            return match answer::read(response, most).await {
                Ok(Ok(bytes)) if bytes.trim_ascii_start().starts_with(b"<") => {
                    Err(not_given("what stands there is a page for a browser, and no program".to_owned()))
                }
                Ok(Ok(bytes)) => Ok(bytes),
                Ok(Err(())) => Err(LoadError::TooLong { host, most }),
                Err(error) => Err(not_given(error.message)),
            };
        }
        let next = response.headers().get(LOCATION).and_then(|next| next.to_str().ok());
        let next = next.and_then(|next| url.join(next).ok());
        let next = next.ok_or_else(|| not_given("it leads elsewhere, and does not say where to".to_owned()))?;
        address::check(&next).map_err(|reason| LoadError::Refused { what: self::host(&next), reason })?;
        url = next;
    }
    Err(LoadError::NotGiven { host: place(&url), reason: format!("it leads elsewhere more than {MOST_HOPS} times") })
}

/// Asks where the first address leads, when that may be asked.
async fn ask(first: &Url, url: &Url) -> Result<reqwest::Response, LoadError> {
    let host = host(url);
    let not_asked = |reason: String| LoadError::Refused { what: host.clone(), reason };
    let own = is_own(url) && url.origin() == first.origin();
    if url.scheme() != "https" && !own {
        return Err(not_asked("without https anybody on the way could change it".to_owned()));
    }
    let only_public = |refused: &guard::Refused| not_asked(format!("{refused}, and only public addresses are asked"));
    if let Some(address) = literal(url).filter(|_| !own) {
        guard::check(&host, &[address]).map_err(|refused| only_public(&refused))?;
    }
    let not_given = |reason: String| LoadError::NotGiven { host: place(url), reason };
    let client = client::client(!own).map_err(not_given)?;
    client.get(url.clone()).send().await.map_err(|error| match refused(&error) {
        Some(refused) => only_public(refused),
        None => not_given(super::not_reached(&host, error).message),
    })
}

/// An address without what may be a credential.
fn place(url: &Url) -> String {
    format!("{}{}", host(url), url.path())
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

/// Is it this machine itself, and nobody between?
fn is_own(url: &Url) -> bool {
    literal(url).is_some_and(|address: IpAddr| address.is_loopback()) || url.host_str() == Some("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refused(address: &str) -> String {
        load(address, 10).await.expect_err(address).to_string()
    }

    #[tokio::test]
    async fn who_is_not_public_or_not_asked_safely_is_not_asked() {
        for (address, why) in [
            ("http://example.com/w.toml", "without https"),
            ("http://127.0.0.1.example.com/w.toml", "without https"),
            ("https://10.0.0.1/w.toml", "in a private network"),
            ("https://169.254.169.254/latest", "the local link"),
            ("https://[fd00::1]/w.toml", "in a private network"),
            ("ftp://example.com/w.toml", "`ftp:` is not asked"),
            ("https://", "it is none"),
        ] {
            let said = refused(address).await;
            assert!(said.starts_with("E0854: ") && said.contains(why), "{address}: {said}");
        }
        let said = refused("https://me:secret@example.com/w.toml?key=secret").await;
        assert!(said.contains("a name or a password") && !said.contains("secret"), "{said}");
    }
}
