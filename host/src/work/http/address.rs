//! Addresses of requests: a template, and what is filled in never changes more than it should. Scheme, host and port come from the
//! template's beginning; every value behind it is one component.

use crate::builtin::{names, render_with};
use minijinja::{Environment, ErrorKind};
use reqwest::Url;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};

/// Stands where an empty value was, until the path has been looked at: no address has one by itself.
const EMPTY: char = '\0';

/// An address to ask.
#[derive(Debug)]
pub(super) struct Address {
    pub url: Url,
    /// Does the definition alone say which host? Only such a one is given secrets, or may be private.
    pub own: bool,
}

/// The part of an address' template that says whom to ask.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Beginning<'t> {
    pub text: &'t str,
    /// Nothing but the definition's own settings is in it.
    pub own: bool,
}

impl Beginning<'_> {
    /// Finds it. An error when it cannot be filled in as it should.
    pub fn of(template: &str) -> Result<Beginning<'_>, String> {
        let scheme = template.find("://").filter(|at| !template.get(..*at).unwrap_or("").contains('{'));
        let end = match scheme {
            None => tag(template).ok_or("it begins with `https://`, `http://` or a value")?,
            Some(at) => {
                let start = at + 3;
                let length = authority(template.get(start..).unwrap_or(""));
                let authority = template.get(start..start + length).unwrap_or("");
                let host = authority.split('{').next().unwrap_or("");
                if authority.ends_with('}') && !host.is_empty() && !host.ends_with([':', '[']) {
                    return Err(format!(
                        "a value stands right behind the host `{host}` and would be part of it: write a `/` between"
                    ));
                }
                start + length
            }
        };
        let text = template.get(..end).unwrap_or(template);
        let own = names(text)?.iter().all(|name| name == "with");
        Ok(Beginning { text, own })
    }
}

/// Does it begin with a name or a password for the host?
pub(super) fn has_login(template: &str) -> bool {
    let rest = template.split_once("://").map_or("", |(_, rest)| rest);
    outside(rest.get(..authority(rest)).unwrap_or("")).contains('@')
}

/// How long the tag is that a text begins with.
fn tag(text: &str) -> Option<usize> {
    let close = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")].iter().find(|(open, _)| text.starts_with(open))?.1;
    Some(text.find(close).map_or(text.len(), |at| at + close.len()))
}

/// How long the part before the path is; tags are skipped.
fn authority(text: &str) -> usize {
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        match (tag(rest), rest.chars().next()) {
            (Some(length), _) => at += length,
            (None, Some('/' | '\\' | '?' | '#') | None) => break,
            (None, Some(c)) => at += c.len_utf8(),
        }
    }
    at
}

/// A text without its tags.
pub(super) fn outside(text: &str) -> String {
    let (mut out, mut at) = (String::new(), 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        match (tag(rest), rest.chars().next()) {
            (Some(length), _) => at += length,
            (None, Some(c)) => {
                out.push(c);
                at += c.len_utf8();
            }
            (None, None) => break,
        }
    }
    out
}

/// The address that a template gives with these values.
pub(super) fn fill(template: &str, vars: &Value) -> Result<Address, String> {
    let beginning = Beginning::of(template)?;
    let text = render_with(template, vars, |environment| as_components(environment, template.starts_with("{{")))?;
    let path = text.split(['?', '#']).next().unwrap_or("").split_once("://").map_or("", |(_, rest)| rest);
    let mut segments = path.split(['/', '\\']).skip(1);
    if let Some(segment) = segments.find(|segment| is_special(segment)) {
        return Err(match segment.starts_with(EMPTY) {
            true => "a value in its path is empty, and it would be another address".into(),
            false => format!("its path has a `{segment}`, which leads elsewhere"),
        });
    }
    let url = parse(&text.replace(EMPTY, ""))?;
    if beginning.own {
        let alone =
            render_with(beginning.text, vars, |environment| as_components(environment, template.starts_with("{{")))?;
        if parse(&alone.replace(EMPTY, ""))?.origin() != url.origin() {
            return Err("a value would change its host: write a `/` before it".into());
        }
    }
    Ok(Address { url, own: beginning.own })
}

/// Does a part of a path vanish, or take others with it?
fn is_special(segment: &str) -> bool {
    let text = segment.replace(EMPTY, "").to_ascii_lowercase().replace("%2e", ".");
    matches!(text.as_str(), "." | "..") || text.is_empty() && !segment.is_empty()
}

/// An address that can be asked.
pub(super) fn parse(text: &str) -> Result<Url, String> {
    // The parser would leave them out, and read another address than people do.
    if text.contains(|c: char| c.is_control() || c == '\\') {
        return Err("it has a character that no address has".into());
    }
    let url = Url::parse(text).map_err(|error| format!("it is none: {error}"))?;
    check(&url)?;
    Ok(url)
}

/// Is it HTTP, without a name or a password?
pub(super) fn check(url: &Url) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{}:` is not asked, only `https:` and `http:`", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it has a name or a password in it".into());
    }
    Ok(())
}

/// Every value is written as one component of an address, but one that is its beginning.
pub(super) fn as_components(environment: &mut Environment<'static>, begins: bool) {
    let begins = AtomicBool::new(begins);
    environment.set_formatter(move |out, _, value| {
        if matches!(value.kind(), minijinja::value::ValueKind::Map | minijinja::value::ValueKind::Seq)
            || value.is_none()
        {
            let reason = format!("{} is no text: choose a part of it", value.kind());
            return Err(minijinja::Error::new(ErrorKind::InvalidOperation, reason));
        }
        let text = value.to_string();
        let written = match begins.swap(false, Ordering::Relaxed) {
            true => text.trim().to_owned(),
            false if text.is_empty() => EMPTY.to_string(),
            false => component(&text),
        };
        out.write_str(&written).map_err(minijinja::Error::from)
    });
}

/// Everything but letters, digits and `-._~` is written as `%XX`.
fn component(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filled(template: &str, input: &str) -> Result<String, String> {
        let vars = json!({ "input": input, "with": { "base": "https://api.example/v1", "host": "api.example" } });
        fill(template, &vars).map(|address| format!("{} {}", if address.own { "own" } else { "free" }, address.url))
    }

    #[test]
    fn a_value_is_one_component() {
        let cases = [
            ("https://a.example/u/{{ input }}", "x y/z", "own https://a.example/u/x%20y%2Fz"),
            ("https://a.example/u/{{ input }}", "é?a=b#c&d", "own https://a.example/u/%C3%A9%3Fa%3Db%23c%26d"),
            ("https://a.example/?q={{ input }}&n=1", "a&n=2", "own https://a.example/?q=a%26n%3D2&n=1"),
            ("https://a.example/?q={{ input }}", "", "own https://a.example/?q="),
            ("https://a.example/u/{{ input | safe }}", "a/b", "own https://a.example/u/a%2Fb"),
            ("https://a.example/{% for c in input %}{{ c }}/{% endfor %}", "/?", "own https://a.example/%2F/%3F/"),
            ("{{ with.base }}/u/{{ input }}", "a/b", "own https://api.example/v1/u/a%2Fb"),
            ("https://{{ with.host }}/{{ input }}", "x", "own https://api.example/x"),
            ("https://{{ input }}.example/x", "a", "free https://a.example/x"),
            ("https://a.example:{{ input }}/x", "81", "free https://a.example:81/x"),
            ("{{ input }}", "http://b.example/x?y=1\n", "free http://b.example/x?y=1"),
            ("{{ input }}?q={{ input }}", "http://b.example/x", "free http://b.example/x?q=http%3A%2F%2Fb.example%2Fx"),
        ];
        for (template, input, expected) in cases {
            assert_eq!(filled(template, input).as_deref(), Ok(expected), "{template} with {input}");
        }
    }

    #[test]
    fn no_value_changes_whom_or_where_it_should_not() {
        let cases = [
            // Another host, port, name or scheme.
            ("https://a.example{{ input }}", ".evil.example"),
            ("https://a.example{{ input }}/x", "@evil.example"),
            ("https://{{ input }}.example/x", "evil.example/"),
            ("https://{{ input }}.example/x", "evil.example#"),
            ("https://{{ input }}.example/x", "me@evil"),
            ("https://{{ input }}/x", "evil.example:22"),
            ("https://{{ input }}/x", "me:pw@evil.example"),
            ("https://u{{ input }}@a.example/x", "x"),
            ("https://me:pw@a.example/x", ""),
            ("{{ with.base | replace('/v1', '') }}{{ input }}", ".evil.example"),
            ("{{ input }}", "file:///etc/passwd"),
            ("{{ input }}", "ftp://a.example/"),
            ("{{ input }}", "https://me:pw@a.example/"),
            ("{{ input }}", "http://a.exa\nmple/"),
            ("{{ input }}", "http:\\\\a.example\\x"),
            ("{{ input }}", "nothing"),
            // Another place on the same host.
            ("https://a.example/u/{{ input }}/delete", ".."),
            ("https://a.example/u/{{ input }}/delete", "."),
            ("https://a.example/u/.{{ input }}/delete", "."),
            ("https://a.example/u/%2e{{ input }}/delete", "."),
            ("https://a.example/u/{{ input }}{{ input }}/delete", "."),
            ("https://a.example/u/{{ input }}", ""),
            // What is no text.
            ("https://a.example/u/{{ with }}", ""),
            ("https://a.example/u/{{ none }}", ""),
            ("https://a.example/u/{{ nothing }}", ""),
        ];
        for (template, input) in cases {
            assert!(filled(template, input).is_err(), "{template} with {input}: {:?}", filled(template, input));
        }
    }
}
