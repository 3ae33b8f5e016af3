//! The forms in which a secret shows itself: as it is, and as the usual encodings write it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A secret that is shorter is too likely part of something else.
pub const LEAST: usize = 4;
/// The same of what an encoding makes of it.
const LEAST_ENCODED: usize = 8;
/// A line of a secret that has several is one of its own from this length on: of a private key often a line alone is shown.
const LEAST_LINE: usize = 16;
/// What addresses may have as it is.
const UNRESERVED: &str = "-._~";

/// All forms of a secret; none of one that is too short to be told from other text.
pub fn of(value: &str) -> BTreeSet<String> {
    let value = value.trim();
    let mut forms = BTreeSet::new();
    if value.len() < LEAST {
        return forms;
    }
    let mut wholes = vec![value];
    if value.contains('\n') {
        wholes.extend(value.lines().map(str::trim).filter(|line| line.len() >= LEAST_LINE && !line.contains("-----")));
    }
    for whole in wholes {
        let mut encoded = Vec::new();
        texts(whole, &mut encoded);
        // As names of hosts are written, and of variables.
        encoded.extend([whole.to_lowercase(), whole.to_uppercase()]);
        bytes(whole.as_bytes(), &mut encoded);
        forms.extend(encoded.into_iter().filter(|form| form.len() >= LEAST_ENCODED));
        forms.insert(whole.to_owned());
    }
    forms
}

/// As texts within other texts are written: JSON, addresses, HTML.
fn texts(value: &str, out: &mut Vec<String>) {
    let json = json(value);
    out.push(json.replace('/', "\\/"));
    out.push(self::json(&json));
    out.push(json);
    for upper in [false, true] {
        out.push(escaped(value, upper, |c| !c.is_ascii()));
        out.push(escaped(value, upper, |_| true));
        // RFC 3986; what JavaScript, Python and forms leave as it is.
        for keep in [UNRESERVED, "-._~!'()*", "-._~/", "-._~!'()*;,/?:@&=+$#", ""] {
            out.push(percent(value, upper, |c| c.is_ascii_alphanumeric() || keep.contains(c)));
        }
        out.push(percent(value, upper, |c| c.is_ascii_alphanumeric() || " -._*".contains(c)).replace(' ', "+"));
        out.push(percent(value, upper, |_| false));
    }
    let html = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    out.push(html.replace('\'', "&#39;"));
    out.push(html.replace('\'', "&#x27;"));
    out.push(html);
}

/// As bytes are written in letters: hexadecimal, and base64 wherever in the encoded whole they stand.
fn bytes(value: &[u8], out: &mut Vec<String>) {
    out.push(value.iter().map(|byte| format!("{byte:02x}")).collect());
    out.push(value.iter().map(|byte| format!("{byte:02X}")).collect());
    for (engine, padded) in [(STANDARD_NO_PAD, STANDARD), (URL_SAFE_NO_PAD, URL_SAFE)] {
        for before in 0..3 {
            let whole = [&[0; 3][..before], value].concat();
            // Letters that other bytes have a part in are not always the same.
            let (from, to) = ((before * 8).div_ceil(6), whole.len() * 8 / 6);
            for text in [engine.encode(&whole), padded.encode(&whole)] {
                let own = [text.get(from..to), text.get(from..)];
                for form in own.into_iter().flatten() {
                    out.push(percent(form, true, |c| c.is_ascii_alphanumeric() || UNRESERVED.contains(c)));
                    out.push(form.replace('/', "\\/"));
                    out.push(form.to_owned());
                }
            }
        }
    }
}

/// Within quotes.
fn json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

/// Some characters by their number.
fn escaped(value: &str, upper: bool, which: impl Fn(char) -> bool) -> String {
    let mut out = String::new();
    for c in value.chars() {
        if !which(c) {
            out.push_str(&json(c.encode_utf8(&mut [0; 4])));
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = if upper { write!(out, "\\u{unit:04X}") } else { write!(out, "\\u{unit:04x}") };
        }
    }
    out
}

/// As in addresses, but for what is left as it is.
fn percent(value: &str, upper: bool, keep: impl Fn(char) -> bool) -> String {
    let mut out = String::new();
    for c in value.chars() {
        if keep(c) {
            out.push(c);
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            let _ = if upper { write!(out, "%{byte:02X}") } else { write!(out, "%{byte:02x}") };
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_in_base64_wherever_it_stands() {
        let secret = "c4n4ry/+\"é s3cret";
        let forms = of(secret);
        for before in 0..7 {
            for after in 0..4 {
                let text = ["x".repeat(before), secret.to_owned(), "y".repeat(after)].concat();
                for encoded in [STANDARD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                    let most = forms.iter().filter(|form| encoded.contains(form.as_str())).map(String::len).max();
                    assert!(most >= Some(secret.len() * 8 / 6 - 2), "{before} before, {after} after: {most:?}");
                }
            }
        }
    }

    #[test]
    fn a_secret_in_another_case_is_one() {
        let forms = of("tok-5up3rS3cret");
        assert!(forms.contains("tok-5up3rs3cret") && forms.contains("TOK-5UP3RS3CRET"));
    }

    #[test]
    fn what_is_short_is_no_secret() {
        assert!(of("abc").is_empty() && of("  a \n").is_empty());
        assert_eq!(of("abcd").iter().next().map(String::as_str), Some("%61%62%63%64"));
        assert!(of("abcd").iter().all(|form| form == "abcd" || form.len() >= LEAST_ENCODED));
    }

    #[test]
    fn lines_of_a_long_secret_are_secrets() {
        let key = "-----BEGIN X-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nabc\n-----END X-----\n";
        let forms = of(key);
        assert!(forms.contains("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC") && !forms.contains("abc"));
        assert!(!forms.contains("-----BEGIN X-----") && forms.contains(&key.trim().replace('\n', "\\n")));
    }
}
