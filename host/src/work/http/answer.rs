//! Answers: how much of one is read, which part is the value, and what is said when it is an error.

use crate::builtin::{Body, MOST_BYTES, essence, is_json};
use crate::secret;
use crate::work::error;
use aivm_schema::worker::{Http, WorkerDefinition};
use aivm_vm::action::CallError;
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use serde_json::Value;

/// So many characters of an error's body are repeated.
const SAID: usize = 200;
/// So many bytes of an error's body are read for them.
const MOST_SAID: usize = 4 << 10;

/// The value of an answer that is a success.
pub(super) async fn value(response: Response, http: &Http, definition: &WorkerDefinition) -> Result<Body, CallError> {
    let said = media_type(&response);
    // Before a part of it is taken, which may cut a secret.
    let payload = secret::bytes(
        read(response, MOST_BYTES)
            .await?
            .map_err(|()| error("E0916", format!("the answer is larger than {} MiB", MOST_BYTES >> 20)))?,
    );
    let (media_type, payload) = match &http.path {
        None => (said, payload),
        Some(path) => part(path, &payload, definition.returns.as_deref()).map_err(|reason| error("E0916", reason))?,
    };
    Ok(Body::New { media_type: definition.returns.clone().unwrap_or(media_type), payload })
}

/// What an answer says that it is. Types of this program's own mean something to it, and nobody else may claim them.
fn media_type(response: &Response) -> String {
    let said = response.headers().get(CONTENT_TYPE).and_then(|said| said.to_str().ok());
    let said = essence(said.unwrap_or("")).to_ascii_lowercase();
    let of_a_type = |c: char| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c);
    let is_type = said.len() <= 127
        && said.split_once('/').is_some_and(|(kind, name)| {
            !kind.is_empty() && !name.is_empty() && kind.chars().all(of_a_type) && name.chars().all(of_a_type)
        });
    if is_type && !said.starts_with("application/vnd.aivm.") { said } else { "application/octet-stream".to_owned() }
}

/// The part at a path: a text as it is, everything else as JSON.
fn part(path: &str, payload: &[u8], returns: Option<&str>) -> Result<(String, Vec<u8>), String> {
    let whole: Value = serde_json::from_slice(payload)
        .map_err(|e| format!("the answer is not JSON, and `path` asks for a part: {e}"))?;
    let part = whole.pointer(&pointer(path)?).ok_or_else(|| format!("the answer has no `{path}`"))?;
    match part {
        Value::String(text) if !returns.is_some_and(is_json) => {
            Ok(("text/plain".to_owned(), text.clone().into_bytes()))
        }
        part => Ok(("application/json".to_owned(), part.to_string().into_bytes())),
    }
}

/// A JSON pointer from one, or from `a.b[0]`.
pub(super) fn pointer(path: &str) -> Result<String, String> {
    if path.is_empty() || path.starts_with('/') {
        return Ok(path.to_owned());
    }
    let wrong = || format!("the path `{path}` is none: write `a.b[0]`, or a JSON pointer as `/a/b/0`");
    let mut pointer = String::new();
    for step in path.split('.') {
        let (name, indices) = step.split_at(step.find('[').unwrap_or(step.len()));
        // Only a path that begins with an index has no name there.
        let may_be_nameless = pointer.is_empty() && !indices.is_empty();
        if name.contains(']') || name.is_empty() && !may_be_nameless {
            return Err(wrong());
        }
        if !name.is_empty() {
            pointer.push('/');
            pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        }
        for index in indices.split_inclusive(']') {
            let index = index.strip_prefix('[').and_then(|index| index.strip_suffix(']')).ok_or_else(wrong)?;
            if index.is_empty() || !index.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(wrong());
            }
            pointer.push('/');
            pointer.push_str(index);
        }
    }
    Ok(pointer)
}

/// The failure that an answer is which is no success.
pub(super) async fn failure(response: Response, http: &Http, name: &str) -> CallError {
    let status = response.status();
    let host = response.url().host_str().unwrap_or("").to_owned();
    let again = http.retry.contains(&status.as_u16());
    let after = response.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok());
    let after = after.filter(|_| again).map(|after| match after.trim().parse::<u64>() {
        Ok(seconds) => format!(", to be asked again in {seconds} s"),
        Err(_) => format!(", to be asked again after {}", shortened(&secret::text(after), 40)),
    });
    let mut message = format!("`{name}` got status {} from {host}{}", status.as_u16(), after.unwrap_or_default());
    let body = match read(response, MOST_SAID).await {
        Ok(Ok(body)) => body,
        // What came first says enough.
        Ok(Err(())) | Err(_) => Vec::new(),
    };
    let said = shortened(&secret::text(&String::from_utf8_lossy(&body)), SAID);
    if !said.is_empty() {
        message.push_str(": ");
        message.push_str(&said);
    }
    error(if again { "E0914" } else { "E0915" }, message)
}

/// The body, when it is not larger than this.
pub(super) async fn read(mut response: Response, most: usize) -> Result<Result<Vec<u8>, ()>, CallError> {
    let host = response.url().host_str().unwrap_or("").to_owned();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| super::not_reached(&host, e))? {
        if body.len() + chunk.len() > most {
            return Ok(Err(()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Ok(body))
}

/// The first characters of what somebody else said, in one line.
fn shortened(text: &str, most: usize) -> String {
    let line = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = line.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or("").trim_end()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_pointer() {
        let cases = [("a.b[0]", "/a/b/0"), ("[1][2].a", "/1/2/a"), ("a~/b", "/a~0~1b"), ("/a/b", "/a/b"), ("", "")];
        for (path, expected) in cases {
            assert_eq!(pointer(path).as_deref(), Ok(expected), "{path}");
        }
        for wrong in ["a..b", ".a", "a.", "a[", "a[]", "a[x]", "a]", "a[0]b", "a.[0]"] {
            assert!(pointer(wrong).is_err(), "{wrong}: {:?}", pointer(wrong));
        }
    }
}
