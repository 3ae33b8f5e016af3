//! Calls over HTTP: a request is filled in, its address is checked, and what is answered becomes a value. A request is sent once:
//! whether to try again is for the step to say.

use super::{Returned, Task, error, idempotency_key};
use crate::builtin::{Part, essence, is_json, is_parts, names, render_with};
use crate::facts;
use crate::limits::Who;
use crate::secret;
use crate::secret::shape::named;
use aivm_schema::module::EndKind;
use aivm_schema::worker::{Effect, Http, Method};
use aivm_vm::action::{CallError, Usage};
use minijinja::{AutoEscape, ErrorKind};
use reqwest::header::{
    ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{StatusCode, Url};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

mod address;
mod answer;
mod check;
pub(crate) mod client;
pub(crate) mod guard;
pub mod load;
pub(crate) mod tell;

use address::Address;
pub use check::check;

/// So many redirects are followed.
const MOST_HOPS: usize = 5;
/// The header by which a server knows a request that it has seen.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Asks.
pub async fn run(task: &Task, http: &Http) -> Returned {
    let asked = async {
        asked(task, http).await.unwrap_or_else(|error| Returned::Failed {
            kind: EndKind::Failure,
            error,
            usage: Usage::default(),
        })
    };
    let in_time = async {
        match task.deadline_ms {
            Some(ms) => tokio::time::timeout(Duration::from_millis(ms), asked).await.ok(),
            None => Some(asked.await),
        }
    };
    tokio::select! {
        returned = in_time => returned.unwrap_or_else(|| Returned::timed_out(&task.worker.name, task.deadline_ms.unwrap_or(0))),
        () = task.stop.asked() => Returned::stopped(),
    }
}

async fn asked(task: &Task, http: &Http) -> Result<Returned, CallError> {
    let definition = &task.worker.definition;
    // The compiler has looked already; a module may come from elsewhere.
    check(http, &definition.with)?;
    let request = Request::fill(task, http)?;
    let response = send(&request, http, &task.worker.name).await?;
    if !response.status().is_success() {
        leave_alone(task, http, &response);
        return Err(answer::failure(response, http, &task.worker.name).await);
    }
    let attributes = vec![("status".to_owned(), response.status().as_u16().to_string())];
    let body = answer::value(response, http, definition).await?;
    Ok(Returned::Done { body, verdict: None, attributes, usage: Usage::default() })
}

/// A server that says when it wants to be asked again is not asked before.
fn leave_alone(task: &Task, http: &Http, response: &reqwest::Response) {
    let after = response.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.trim().parse().ok());
    if let Some(seconds) = after.filter(|_| http.retry.contains(&response.status().as_u16())) {
        task.around.outside.models.limits().leave_alone(Who::Worker(task.worker.name.clone()), seconds);
    }
}

/// A request that is filled in.
struct Request {
    address: Address,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

/// The secrets that a request needs, by name.
#[derive(Clone, Default)]
struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// Those that these texts name; why one cannot be had.
    fn of<'t>(texts: impl Iterator<Item = &'t str>) -> Result<Secrets, String> {
        let mut secrets = BTreeMap::new();
        for name in texts.flat_map(named) {
            match secret::find(&name) {
                Ok(Some(value)) => secrets.insert(name, value),
                Ok(None) => {
                    return Err(format!(
                        "needs the secret `{name}`: set {name} in the environment, or: aivm secret set {name}"
                    ));
                }
                Err(error) => return Err(format!("needs the secret `{name}`: {error}")),
            };
        }
        Ok(Secrets(secrets))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// How values are written into a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    /// As JSON: none can add members.
    Json,
    /// As components: none can add fields.
    Form,
    /// As they are.
    Plain,
}

impl Written {
    fn of(http: &Http) -> Written {
        let said = http.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        match said.map(|(_, value)| value.to_ascii_lowercase()) {
            Some(said) if essence(&said) == "application/x-www-form-urlencoded" => Written::Form,
            Some(said) if !is_json(&said) => Written::Plain,
            _ => Written::Json,
        }
    }
}

impl Request {
    fn fill(task: &Task, http: &Http) -> Result<Request, CallError> {
        let name = &task.worker.name;
        let wrong =
            |what: &str, reason: String| error("E0911", format!("{what} of `{name}` cannot be filled in: {reason}"));
        let vars = vars(task, http).map_err(|reason| wrong("the request", reason))?;
        let address = address::fill(&http.url, &vars).map_err(|reason| wrong("the address", reason))?;
        let secrets = Secrets::of(http.headers.values().map(String::as_str))
            .map_err(|reason| error("E0918", format!("`{name}` {reason}")))?;
        let mut headers = HeaderMap::new();
        for (header, text) in &http.headers {
            let what = format!("the header `{header}`");
            let (key, value) = self::header(header, text, &vars, &secrets).map_err(|reason| wrong(&what, reason))?;
            headers.append(key, value);
        }
        let body = match &http.body {
            Some(text) => {
                let (body, media_type) =
                    self::body(text, Written::of(http), &vars).map_err(|reason| wrong("the body", reason))?;
                headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(media_type));
                Some(body)
            }
            None if http.method.has_body() => {
                let media_type = task.input.media_type();
                if is_parts(media_type) {
                    let way = "set `body`, or put `merge` before it";
                    return Err(wrong("the body", format!("the input has {} parts: {way}", task.parts.len())));
                }
                if let Ok(media_type) = HeaderValue::from_str(media_type) {
                    headers.entry(CONTENT_TYPE).or_insert(media_type);
                }
                Some(task.input.payload().to_vec())
            }
            None => None,
        };
        if facts::effect(&task.worker.definition) == Effect::Idempotent {
            let key = idempotency_key(&task.around.run, &task.key, task.input.content_digest());
            if let Ok(key) = HeaderValue::from_str(&key) {
                headers.entry(IDEMPOTENCY_KEY).or_insert(key);
            }
        }
        Ok(Request { address, headers, body })
    }
}

/// What templates see. The input is read only where one asks for it: what is no text can still be sent as it is.
fn vars(task: &Task, http: &Http) -> Result<Value, String> {
    let texts = [&http.url].into_iter().chain(http.headers.values()).chain(&http.body);
    let asked: Vec<String> =
        texts.map(|text| names(text)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let asks = |name: &str| asked.iter().any(|asked| asked == name);
    let mut vars = Map::new();
    let value = |name, value: &aivm_schema::artifact::Artifact| {
        let part = Part { name, media_type: value.media_type(), payload: value.payload(), verdict: None };
        part.value().map_err(|failure| failure.to_string())
    };
    if asks("input") || asks("parts") {
        let mut parts = Map::new();
        for (name, _, part) in task.parts.iter() {
            parts.insert(name.clone(), value(name, part)?);
        }
        let input = match is_parts(task.input.media_type()) {
            true => Value::Array(parts.values().cloned().collect()),
            false => value("in", &task.input)?,
        };
        vars.insert("input".into(), input);
        vars.insert("parts".into(), Value::Object(parts));
    }
    vars.insert("with".into(), task.worker.definition.with.clone().into_iter().collect::<Map<_, _>>().into());
    vars.insert(
        "params".into(),
        task.around.params.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect::<Map<_, _>>().into(),
    );
    Ok(vars.into())
}

fn header(name: &str, text: &str, vars: &Value, secrets: &Secrets) -> Result<(HeaderName, HeaderValue), String> {
    let (known, named) = (secrets.clone(), named(text));
    let is_secret = !named.is_empty();
    let value = render_with(text, vars, |environment| {
        environment.add_function("secret", move |name: &str| {
            match known.get(name).filter(|_| named.iter().any(|n| n == name)) {
                Some(value) => Ok(value.to_owned()),
                None => Err(minijinja::Error::new(ErrorKind::InvalidOperation, "a secret is named by a text")),
            }
        });
    });
    // What the template's engine says of a value may repeat it.
    let value = value.map_err(|reason| if is_secret { "its template does not render".to_owned() } else { reason })?;
    let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "it is no name of a header".to_owned())?;
    if value.contains(|c: char| c.is_control() && c != '\t') {
        return Err(
            "a value has a line end or another character that no header has: `| trim` takes them off its ends".into()
        );
    }
    let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| "no header has such a value".to_owned())?;
    value.set_sensitive(is_secret);
    Ok((key, value))
}

fn body(text: &str, written: Written, vars: &Value) -> Result<(Vec<u8>, &'static str), String> {
    let body = render_with(text, vars, |environment| match written {
        Written::Json => environment.set_auto_escape_callback(|_| AutoEscape::Json),
        Written::Form => address::as_components(environment, false),
        Written::Plain => {}
    })?;
    match written {
        Written::Json => match serde_json::from_str::<serde::de::IgnoredAny>(&body) {
            Ok(_) => Ok((body.into_bytes(), "application/json")),
            Err(reason) => {
                Err(format!("it is not JSON: {reason}; set the header `Content-Type` when it is to be something else"))
            }
        },
        // An empty value is one here.
        Written::Form => Ok((body.replace('\0', "").into_bytes(), "application/x-www-form-urlencoded")),
        Written::Plain => Ok((body.into_bytes(), "text/plain")),
    }
}

/// Sends it, and follows where the answer leads, as far as that is safe.
async fn send(request: &Request, http: &Http, name: &str) -> Result<reqwest::Response, CallError> {
    let method = reqwest::Method::from_bytes(http.method.word().as_bytes()).unwrap_or_default();
    let (mut url, mut headers) = (request.address.url.clone(), request.headers.clone());
    for _ in 0..=MOST_HOPS {
        // Only the host that the definition names may be private: not one that a value or a server names.
        let any = http.private && request.address.own && url.host_str() == request.address.url.host_str();
        let host = url.host_str().unwrap_or("").to_owned();
        if let Some(address) = literal(&url).filter(|_| !any) {
            guard::check(&host, &[address]).map_err(|refused| not_asked(&refused, http))?;
        }
        let client = client::client(!any).map_err(|reason| error("E0913", format!("nobody can be asked: {reason}")))?;
        let mut sent = client.request(method.clone(), url.clone()).headers(headers.clone());
        if let Some(body) = &request.body {
            sent = sent.body(body.clone());
        }
        let response = sent.send().await.map_err(|e| match refused(&e) {
            Some(refused) => not_asked(refused, http),
            None => not_reached(&host, e),
        })?;
        let leads = is_redirect(response.status()) && !http.retry.contains(&response.status().as_u16());
        if !leads {
            return Ok(response);
        }
        let wrong = |reason: String| error("E0917", format!("`{name}` was sent elsewhere by {host}: {reason}"));
        if !matches!(http.method, Method::Get | Method::Head) {
            let reason = format!("a {} is not sent twice: write the address to which it leads", http.method.word());
            return Err(wrong(reason));
        }
        let next = response.headers().get(LOCATION).and_then(|next| next.to_str().ok());
        let next = next.and_then(|next| url.join(next).ok()).ok_or_else(|| wrong("it does not say where to".into()))?;
        address::check(&next).map_err(wrong)?;
        if next.origin() != url.origin() {
            headers = for_strangers(&headers);
        }
        url = next;
    }
    Err(error("E0917", format!("`{name}` was sent elsewhere more than {MOST_HOPS} times")))
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// The headers that another server is told, too: none that may be a credential.
fn for_strangers(headers: &HeaderMap) -> HeaderMap {
    let harmless = [ACCEPT, ACCEPT_LANGUAGE];
    let kept = headers.iter().filter(|(name, value)| harmless.contains(name) && !value.is_sensitive());
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The address that a URL has instead of a name.
fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// What the guard said when a name was looked up.
fn refused(error: &reqwest::Error) -> Option<&guard::Refused> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref() {
            return Some(refused);
        }
        cause = error.source();
    }
    None
}

fn not_asked(refused: &guard::Refused, http: &Http) -> CallError {
    let way = match http.private {
        true => "`private` holds only for the host that the definition itself names",
        false => "`private = true` allows it for a host that the definition itself names",
    };
    error("E0912", format!("{refused}, and only public addresses are asked: {way}"))
}

/// Why there is no answer, without the address: it may hold what was filled in.
fn not_reached(host: &str, failure: reqwest::Error) -> CallError {
    let failure = failure.without_url();
    let mut text = failure.to_string();
    let mut cause = std::error::Error::source(&failure);
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = next.source();
    }
    error("E0913", format!("{host} was not reached: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_bring_their_quotes_into_json_and_can_add_nothing() {
        let vars = json!({ "input": "a\", \"admin\": true, \"b\": \"", "n": 5 });
        let (sent, _) = body(r#"{"text": {{ input }}, "n": {{ n }}}"#, Written::Json, &vars).expect("JSON");
        let sent: Value = serde_json::from_slice(&sent).expect("JSON");
        assert_eq!(sent, json!({ "text": vars["input"], "n": 5 }));
        assert!(body(r#"{"text": "x {{ input }}"}"#, Written::Json, &vars).is_err());
        let (sent, media_type) =
            body("a={{ input }}&b=1", Written::Form, &json!({ "input": "x&b=2" })).expect("a form");
        assert_eq!((sent.as_slice(), media_type), (&b"a=x%26b%3D2&b=1"[..], "application/x-www-form-urlencoded"));
    }

    #[test]
    fn a_header_has_one_line() {
        let secrets = Secrets::default();
        for input in ["a\r\nX-Other: b", "a\n", "a\0b"] {
            assert!(header("X-A", "{{ input }}", &json!({ "input": input }), &secrets).is_err(), "{input:?}");
        }
        let (_, value) = header("X-A", "{{ input | trim }}", &json!({ "input": "é\n" }), &secrets).expect("a header");
        assert_eq!(value.as_bytes(), "é".as_bytes());
    }

    #[test]
    fn another_server_is_told_nothing_that_may_be_a_credential() {
        let names = ["authorization", "cookie", "x-api-key", "x-anything", "idempotency-key", "accept"];
        let headers: HeaderMap =
            names.iter().map(|name| (HeaderName::from_static(name), HeaderValue::from_static("v"))).collect();
        let left = for_strangers(&headers);
        assert_eq!(left.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["accept"]);
    }
}
