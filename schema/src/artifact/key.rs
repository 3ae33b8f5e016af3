//! Where an artifact stands in a store: `<origin>/<role>/<scope>/<timestamp>/<type>/<version>/<id>.artifact`.
//!
//! Each component is percent-encoded to `[A-Za-z0-9._-]`, never empty, `.` or `..`; the slash of the media type makes one
//! level more, and nothing else does. Encoding is injective. It is reversible too, except for a component longer than
//! [`LONGEST`] bytes, which ends in a digest instead.

use super::{Artifact, ContentDigest};

/// The longest encoded component, in bytes: every file system takes it, and seven of them are a key in S3, which has 1,024.
pub const LONGEST: usize = 120;

/// What an unset field is written as. No text holds a NUL, so no other component is written like this.
const UNSET: &str = "%00";

/// Stands before the digest of a component that is too long. It is no escape, so a cut component is never taken for a whole one.
const CUT: &str = "%%";

/// Hexadecimal digits of a digest.
const DIGITS: usize = 64;

/// How a store writes artifacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Framed Cap'n Proto, `.artifact`.
    Binary,
    /// JSON, `.json`.
    Json,
}

impl Form {
    /// The end of the file name.
    pub fn extension(self) -> &'static str {
        match self {
            Form::Binary => "artifact",
            Form::Json => "json",
        }
    }
}

/// What a key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Who made it.
    pub origin: Component,
    /// What it is to those who take it.
    pub role: Component,
    /// Who may see it.
    pub scope: Component,
    /// Unix nanoseconds.
    pub timestamp: u64,
    /// The media type.
    pub media_type: Component,
    /// `v0.0.1`.
    pub version: Component,
    /// UUID.
    pub id: Component,
    /// How it is written.
    pub form: Form,
}

/// One component of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Component {
    /// All of it.
    Whole(String),
    /// It was too long: how it begins. The digest behind that tells it from others, but does not tell the rest.
    Cut(String),
}

impl Component {
    /// The text, when all of it is known.
    pub fn whole(&self) -> Option<&str> {
        match self {
            Component::Whole(text) => Some(text),
            Component::Cut(_) => None,
        }
    }
}

/// The key of an artifact.
pub fn encode(artifact: &Artifact, form: Form) -> String {
    let (group, rest) =
        artifact.media_type().split_once('/').map_or((artifact.media_type(), None), |(a, b)| (a, Some(b)));
    let media_type = match rest {
        Some(rest) => format!("{}/{}", component(group), component(rest)),
        None => component(group),
    };
    format!(
        "{}/{}/{}/{}/{media_type}/{}/{}.{}",
        component(artifact.origin()),
        component(artifact.role()),
        component(artifact.scope()),
        artifact.timestamp(),
        component(artifact.version()),
        component(artifact.id()),
        form.extension()
    )
}

/// What a key says; none when it is no key.
pub fn decode(key: &str) -> Option<Key> {
    let parts: Vec<&str> = key.split('/').collect();
    let (origin, role, scope, timestamp, media_type, version, file) = match parts.as_slice() {
        [origin, role, scope, timestamp, media_type, version, file] => {
            (origin, role, scope, timestamp, decode_component(media_type)?, version, file)
        }
        [origin, role, scope, timestamp, group, rest, version, file] => {
            let media_type = match (decode_component(group)?, decode_component(rest)?) {
                (Component::Whole(group), Component::Whole(rest)) => Component::Whole(format!("{group}/{rest}")),
                (Component::Whole(group) | Component::Cut(group), Component::Whole(rest) | Component::Cut(rest)) => {
                    Component::Cut(format!("{group}/{rest}"))
                }
            };
            (origin, role, scope, timestamp, media_type, version, file)
        }
        _ => return None,
    };
    let (id, extension) = file.rsplit_once('.')?;
    let form = [Form::Binary, Form::Json].into_iter().find(|form| form.extension() == extension)?;
    Some(Key {
        origin: decode_component(origin)?,
        role: decode_component(role)?,
        scope: decode_component(scope)?,
        timestamp: timestamp.parse().ok().filter(|n: &u64| n.to_string() == **timestamp)?,
        media_type,
        version: decode_component(version)?,
        id: decode_component(id)?,
        form,
    })
}

/// One component: any text, as a level of a path.
pub fn component(text: &str) -> String {
    encode_component(text, LONGEST)
}

/// The text of a component; none when it is none, or was too long for one.
pub fn decode_whole(component: &str) -> Option<String> {
    match decode_component(component)? {
        Component::Whole(text) => Some(text),
        Component::Cut(_) => None,
    }
}

/// One component of at most `longest` bytes.
fn encode_component(text: &str, longest: usize) -> String {
    if text.is_empty() {
        return UNSET.to_owned();
    }
    let mut out = escape(text.as_bytes());
    if out.bytes().all(|byte| byte == b'.') {
        out = out.replace('.', "%2E");
    }
    if out.len() > longest {
        out.truncate(longest - CUT.len() - DIGITS);
        // Not within an escape.
        if let Some(at) = out.rfind('%').filter(|at| at + 3 > out.len()) {
            out.truncate(at);
        }
        out.push_str(CUT);
        out.push_str(&ContentDigest::of("", text.as_bytes()).to_string());
    }
    out
}

fn decode_component(text: &str) -> Option<Component> {
    if text == UNSET {
        return Some(Component::Whole(String::new()));
    }
    if let Some((start, digest)) = text.split_once(CUT) {
        let bytes = unescape(start)?;
        let written = escape(&bytes) == start || bytes.iter().all(|byte| *byte == b'.');
        // A whole escape less, where the cut would have gone through it.
        let full = (LONGEST - 2..=LONGEST).contains(&text.len());
        let digits = digest.len() == DIGITS && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        // The cut may stand within a character.
        return (written && full && digits).then(|| Component::Cut(String::from_utf8_lossy(&bytes).into_owned()));
    }
    let whole = String::from_utf8(unescape(text)?).ok()?;
    // Only what encoding gives is a component: `%41` for `A` is not.
    (encode_component(&whole, LONGEST) == text).then_some(Component::Whole(whole))
}

fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' => out.push((*byte).into()),
            byte => {
                out.push('%');
                out.push_str(&super::hex(&[*byte]).to_ascii_uppercase());
            }
        }
    }
    out
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            bytes.extend(super::unhex(std::str::from_utf8(digits).ok()?)?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    Some(bytes)
}
