//! A request over HTTP, as a definition says it. Who sends it is the host.

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// A request. Address, header values and body are templates over the call's input and `with`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Spelled", into = "Spelled")]
pub struct Http {
    /// Where to.
    pub url: String,
    /// How.
    pub method: Method,
    /// Its headers.
    pub headers: BTreeMap<String, String>,
    /// Its body; none: the input, where the method has a body.
    pub body: Option<String>,
    /// Which part of a JSON answer is the output: a JSON pointer or `a.b[0]`; none: all of it.
    pub path: Option<String>,
    /// Statuses after which it is worth trying again: the call fails, and its step's rules decide.
    pub retry: Vec<u16>,
    /// Addresses of this machine and of its own network may be asked, too.
    pub private: bool,
}

/// What is done to the address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE", try_from = "String")]
#[allow(missing_docs)]
pub enum Method {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// Does a request of this sort carry a body?
    pub fn has_body(self) -> bool {
        matches!(self, Method::Post | Method::Put | Method::Patch)
    }

    /// The word of the protocol.
    pub fn word(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

impl TryFrom<String> for Method {
    type Error = String;

    fn try_from(word: String) -> Result<Method, String> {
        let all = [Method::Get, Method::Head, Method::Post, Method::Put, Method::Patch, Method::Delete];
        all.into_iter()
            .find(|method| method.word() == word)
            .ok_or_else(|| format!("`method` is GET, HEAD, POST, PUT, PATCH or DELETE, not `{word}`"))
    }
}

/// Statuses that say that the same may go well a little later.
const RETRY: [u16; 5] = [408, 429, 502, 503, 504];

#[derive(Clone, Serialize, JsonSchema)]
#[serde(untagged)]
enum Spelled {
    Url(String),
    Full(Full),
}

/// By hand, so that what is wrong with a key of the table is said.
impl<'de> Deserialize<'de> for Spelled {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Spelled, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Spelled;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an address, or a table with `url` and more")
            }

            fn visit_str<E: serde::de::Error>(self, url: &str) -> Result<Spelled, E> {
                Ok(Spelled::Url(url.to_owned()))
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Spelled, M::Error> {
                Full::deserialize(MapAccessDeserializer::new(map)).map(Spelled::Full)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Full {
    url: String,
    #[serde(skip_serializing_if = "is_default")]
    method: Method,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<Vec<u16>>,
    #[serde(skip_serializing_if = "is_default")]
    private: bool,
}

use super::is_default;

impl TryFrom<Spelled> for Http {
    type Error = String;

    fn try_from(spelled: Spelled) -> Result<Http, String> {
        let full = match spelled {
            Spelled::Url(url) => Full { url, ..Full::default() },
            Spelled::Full(full) => full,
        };
        // What comes of a template is checked again before it is asked.
        if !["https://", "http://", "{{"].iter().any(|beginning| full.url.starts_with(beginning)) {
            return Err(format!(
                "`{}` is no address: it begins with `https://`, `http://` or a value in `{{{{ }}}}`",
                full.url
            ));
        }
        if full.body.is_some() && !full.method.has_body() {
            return Err(format!("a {} request has no body: set `method`", full.method.word()));
        }
        let retry = full.retry.unwrap_or_else(|| RETRY.to_vec());
        if let Some(status) = retry.iter().find(|status| !(300..=599).contains(*status)) {
            return Err(format!("`retry` has {status}: the statuses that are no success are 300 to 599"));
        }
        let Full { url, method, headers, body, path, private, .. } = full;
        Ok(Http { url, method, headers, body, path, retry, private })
    }
}

impl From<Http> for Spelled {
    fn from(http: Http) -> Spelled {
        let Http { url, method, headers, body, path, retry, private } = http;
        let retry = Some(retry).filter(|retry| retry != &RETRY);
        Spelled::Full(Full { url, method, headers, body, path, retry, private })
    }
}
