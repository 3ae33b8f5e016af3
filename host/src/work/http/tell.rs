//! A service that a program names is told something. A program may be somebody else's: it leads to what is public, by https, or to a server
//! that the user allows, and nowhere else, not even after a redirect; and an address that is a secret is named, so that it stands in no
//! program, log or picture.

use super::{address, client, guard, literal, refused};
use crate::secret;
use crate::secret::shape::named;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use std::time::Duration;

/// How long a service may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Posts JSON to an address, or to the one that is kept as `secret("NAME")`. What went wrong is said without the address. `allowed` are
/// servers that need not be public, nor be asked by https.
pub(crate) async fn tell(address: &str, body: String, allowed: &[String]) -> Result<(), String> {
    let kept = match named(address).as_slice() {
        [] => None,
        [name, ..] => match secret::find(name) {
            Ok(Some(kept)) => Some(kept),
            Ok(None) => return Err(format!("there is no secret `{name}`: aivm secret set {name}")),
            Err(error) => return Err(error.to_string()),
        },
    };
    let url = address::parse(kept.as_deref().unwrap_or(address).trim())?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let is_allowed = allowed.iter().any(|own| address::parse(own).is_ok_and(|own| own.origin() == url.origin()));
    let way = format!("`[webhooks] allow = [\"{}\"]` in aivm.toml allows it", url.origin().ascii_serialization());
    if url.scheme() != "https" && !is_allowed {
        return Err(format!("{host} is not asked without https: {way}"));
    }
    let only_public = |refused: &guard::Refused| format!("{refused}, and only public addresses are asked: {way}");
    if let Some(address) = literal(&url).filter(|_| !is_allowed) {
        guard::check(&host, &[address]).map_err(|refused| only_public(&refused))?;
    }
    let asked = client::client(!is_allowed)?.post(url).timeout(TIMEOUT);
    let sent = asked.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body).send().await;
    let response = sent.map_err(|error| match refused(&error) {
        Some(refused) => only_public(refused),
        None => super::not_reached(&host, error).message,
    })?;
    match response.status().is_success() {
        true => Ok(()),
        false => Err(format!("{host} answered {}", response.status())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_is_told_who_is_not_public_and_no_address_is_repeated() {
        for (address, why) in [
            ("https://127.0.0.1/hidden", "this machine itself"),
            ("https://localhost/hidden", "only public"),
            ("https://169.254.169.254/hidden", "local link"),
            ("http://example.com/hidden", "without https"),
            ("https://me:hidden@example.com/", "a name or a password"),
            ("hidden", "it is none"),
            ("secret(\"NO_SUCH_HOOK\")", "no secret `NO_SUCH_HOOK`"),
        ] {
            let allowed = ["http://localhost:1".to_owned(), "http://127.0.0.1".to_owned()];
            let said = tell(address, "{}".to_owned(), &allowed).await.expect_err(address);
            assert!(said.contains(why) && !said.contains("hidden"), "{address}: {said}");
        }
    }
}
