//! What can be known of a request before it is sent: that its templates are some, and that it gives no credential away.

use super::address::{Beginning, has_login, outside};
use super::{Written, answer};
use crate::builtin::names;
use crate::secret::shape as secret;
use crate::work::error;
use aivm_schema::worker::{Http, Settings};
use aivm_vm::action::CallError;
use reqwest::header::HeaderName;

/// Headers that carry credentials, whatever their value looks like.
const CREDENTIALS: [&str; 8] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "api-key",
    "x-api-key",
    "x-auth-token",
    "x-access-token",
    "private-token",
];
/// Headers that belong to the connection.
const NOT_OURS: [&str; 10] = [
    "host",
    "connection",
    "keep-alive",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "proxy-connection",
];

/// Is a definition one that can be sent? `E0911` when not, `E0919` when it has a credential in it or would give one away.
pub fn check(http: &Http, with: &Settings) -> Result<(), CallError> {
    let wrong = |reason: String| error("E0911", reason);
    let plain = |what: &str| {
        let way = "send it as a header, with `secret(\"NAME\")` for the part that nobody may see";
        Err(error("E0919", format!("{what} has a credential in it, for everybody to read: {way}")))
    };
    if has_login(&http.url) || secret::has_key(&http.url) {
        return plain("the address");
    }
    let with = serde_json::to_string(with).unwrap_or_default();
    if secret::has_key(&with) {
        return plain("`with`");
    }
    let beginning =
        Beginning::of(&http.url).map_err(|reason| wrong(format!("the address cannot be filled in: {reason}")))?;
    names(&http.url).map_err(|reason| wrong(format!("the address does not parse: {reason}")))?;
    for (name, value) in &http.headers {
        let lower = name.to_ascii_lowercase();
        if HeaderName::from_bytes(name.as_bytes()).is_err() || NOT_OURS.contains(&lower.as_str()) {
            return Err(wrong(format!("`{name}` is no header that a definition can set")));
        }
        names(value).map_err(|reason| wrong(format!("the header `{name}` does not parse: {reason}")))?;
        let named = secret::named(value);
        if secret::has_key(value) || CREDENTIALS.contains(&lower.as_str()) && (named.is_empty() || has_words(value)) {
            let way = "write `secret(\"NAME\")` for it, as in `Bearer {{ secret(\"API_KEY\") }}`, and set NAME in the environment";
            return Err(error(
                "E0919",
                format!("the header `{name}` has a credential in it, for everybody to read: {way}"),
            ));
        }
        if named.is_empty() && secret::is_asked(value) {
            return Err(wrong(format!("the secret of the header `{name}` is named by a text: `secret(\"NAME\")`")));
        }
        if !named.is_empty() && !beginning.own {
            let reason = "what flows says which host is asked, and it would be given";
            return Err(error(
                "E0919",
                format!("{reason} the secret of the header `{name}`: write the host into the address"),
            ));
        }
    }
    if secret::is_asked(&http.url) || http.body.as_deref().is_some_and(secret::is_asked) {
        return Err(wrong("`secret` is for headers: nothing else is kept out of what is shown and logged".into()));
    }
    if let Some(body) = &http.body {
        if secret::has_key(body) {
            return plain("the body");
        }
        names(body).map_err(|reason| wrong(format!("the body does not parse: {reason}")))?;
        if Written::of(http) == Written::Json && body.contains("\"{{") {
            let way = "a value brings its quotes along: write `{{ input }}` without them";
            return Err(wrong(format!("the body is JSON, and {way}, or set the header `Content-Type`")));
        }
    }
    if let Some(path) = &http.path {
        answer::pointer(path).map_err(wrong)?;
    }
    Ok(())
}

/// Is there more around the secret of a header than the word for its kind, as `Bearer` or `session=`?
fn has_words(value: &str) -> bool {
    outside(value).split_whitespace().count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(definition: &str) -> String {
        let definition = aivm_schema::worker::WorkerDefinition::from_toml(definition).unwrap();
        let aivm_schema::worker::Does::Http(http) = &definition.does else { panic!("a request") };
        check(http, &definition.with).map_or_else(|error| error.code, |()| "fine".into())
    }

    #[test]
    fn credentials_are_not_written_into_definitions() {
        let cases = [
            (r#"http = "https://a.example/{{ input }}""#, "fine"),
            (r#"http = "https://me:pw@a.example/""#, "E0919"),
            (r#"http = "https://me@a.example/""#, "E0919"),
            (r#"http = "https://a.example/?me@b""#, "fine"),
            (r#"http = "https://a.example/?k=sk-abcdefghijklmnopqrst""#, "E0919"),
            (r#"http = { url = "https://a.example", headers = { Authorization = "Bearer abc" } }"#, "E0919"),
            (r#"http = { url = "https://a.example", headers = { authorization = "{{ 'abc' }}" } }"#, "E0919"),
            (r#"http = { url = "https://a.example", headers = { Authorization = "{{ params.key }}" } }"#, "E0919"),
            (r#"http = { url = "https://a.example", headers = { X-Api-Key = "abc" } }"#, "E0919"),
            (r#"http = { url = "https://a.example", headers = { X-Mine = "ghp_abcdefghijklmnopqrstuv" } }"#, "E0919"),
            (
                r#"http = { url = "https://a.example", headers = { Authorization = "Bearer {{ secret('K') }}" } }"#,
                "fine",
            ),
            (
                r#"http = { url = "https://a.example", headers = { Authorization = "Bearer abc {{ secret('K') }}" } }"#,
                "E0919",
            ),
            (r#"http = { url = "https://a.example", headers = { Cookie = "s={{ secret('K') }}" } }"#, "fine"),
            (r#"http = { url = "https://a.example", headers = { X-A = "{{ secret(input) }}" } }"#, "E0911"),
            // What flows would choose who is given the secret.
            (r#"http = { url = "{{ input }}", headers = { X-A = "{{ secret('K') }}" } }"#, "E0919"),
            (r#"http = { url = "https://{{ params.h }}/", headers = { X-A = "{{ secret('K') }}" } }"#, "E0919"),
            (
                "with = { h = 'a' }\nhttp = { url = 'https://{{ with.h }}/', headers = { X-A = '{{ secret(\"K\") }}' } }",
                "fine",
            ),
            (r#"http = "https://a.example/{{ secret('K') }}""#, "E0911"),
            ("with = { k = 'AKIAABCDEFGHIJKLMNOP' }\nhttp = 'https://a.example/'", "E0919"),
        ];
        for (definition, expected) in cases {
            assert_eq!(code(definition), expected, "{definition}");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_told_before() {
        let cases = [
            r#"http = "https://a.example{{ input }}""#,
            r#"http = "https://a.example/{{ input""#,
            r#"http = { url = "https://a.example", headers = { "a b" = "x" } }"#,
            r#"http = { url = "https://a.example", headers = { Host = "b.example" } }"#,
            r#"http = { url = "https://a.example", headers = { A = "{% if %}" } }"#,
            r#"http = { url = "https://a.example", method = "POST", body = '{"a": "{{ input }}"}' }"#,
            r#"http = { url = "https://a.example", method = "POST", body = "{{ secret('K') }}" }"#,
            r#"http = { url = "https://a.example", path = "a[x]" }"#,
        ];
        for definition in cases {
            assert_eq!(code(definition), "E0911", "{definition}");
        }
    }
}
