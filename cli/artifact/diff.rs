//! `artifact diff`: where two values differ, in what is said of them and in what they hold: text by lines, JSON by places, other
//! bytes by their sizes, digests, and where they part.

use super::short;
use crate::args::Global;
use crate::fail::{self, Exit, Failure};
use crate::out::{one_line, paint};
use crate::runs::diff::{line_text, lines};
use crate::store::find;
use aivm_host::builtin::media;
use aivm_host::store::values::Values;
use aivm_schema::artifact::Artifact;
use serde_json::{Value, json};
use similar::ChangeTag;
use std::collections::BTreeSet;

/// Equal lines around each that differs.
const AROUND: usize = 3;
/// Larger texts are compared as bytes: a comparison by lines would take long.
const LARGEST_TEXT: usize = 4 << 20;
/// So many places of two JSON values are told.
const MOST_PLACES: usize = 1_000;

/// What differs: its name, and both sides.
type Difference = (String, Option<String>, Option<String>);

/// How what they hold differs.
enum Held {
    Same,
    Lines(Vec<(Option<ChangeTag>, String)>),
    /// By JSON pointer; how many more there are.
    Places(Vec<(String, Option<Value>, Option<Value>)>, usize),
    /// The first byte that differs.
    Bytes(usize),
}

/// `aivm artifact diff A B`.
pub(super) fn diff(global: &Global, values: &dyn Values, names: [&String; 2]) -> Result<Exit, Failure> {
    let (one, other) = (find(values, names[0])?, find(values, names[1])?);
    let said = said(&one, &other);
    let held = held(&one, &other);
    let equal = said.is_empty() && matches!(held, Held::Same);
    if global.json {
        let said: Vec<_> =
            said.iter().map(|(what, one, other)| json!({"what": what, "one": one, "other": other})).collect();
        println!(
            "{}",
            json!({
                "v": 1, "one": one.checksum(), "other": other.checksum(), "equal": equal, "differences": said,
                "payload": held_json(&held, &one, &other),
            })
        );
    } else {
        print!("{}", text(&said, &held, &one, &other));
    }
    Ok(if equal { Exit::SENT } else { Exit::FAILED })
}

/// What is said of both, but for what no two values share: their names and times.
fn said(one: &Artifact, other: &Artifact) -> Vec<Difference> {
    let mut list = Vec::new();
    let mut differ = |what: &str, one: Option<&str>, other: Option<&str>| {
        let some = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        if some(one) != some(other) {
            list.push((what.to_owned(), some(one), some(other)));
        }
    };
    differ("type", Some(one.media_type()), Some(other.media_type()));
    differ("origin", Some(one.origin()), Some(other.origin()));
    differ("role", Some(one.role()), Some(other.role()));
    differ("scope", Some(one.scope()), Some(other.scope()));
    differ("version", Some(one.version()), Some(other.version()));
    let signer = |artifact: &Artifact| artifact.pubkey().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    differ("signer", Some(&signer(one)), Some(&signer(other)));
    let names: BTreeSet<&str> = one.attributes().chain(other.attributes()).map(|(name, _)| name).collect();
    for name in names {
        differ(&format!("attribute {name}"), one.attribute(name), other.attribute(name));
    }
    list
}

fn held(one: &Artifact, other: &Artifact) -> Held {
    let (old, new) = (one.payload(), other.payload());
    if old == new {
        return Held::Same;
    }
    if media::is_json(one.media_type())
        && media::is_json(other.media_type())
        && let (Ok(old), Ok(new)) = (serde_json::from_slice(old), serde_json::from_slice(new))
    {
        let mut places = Vec::new();
        let found = compare(&old, &new, &mut String::new(), &mut places);
        if found > 0 {
            let more = found - places.len();
            return Held::Places(places, more);
        }
        // Written otherwise, the same value.
    }
    match (std::str::from_utf8(old), std::str::from_utf8(new)) {
        (Ok(old), Ok(new)) if old.len().max(new.len()) <= LARGEST_TEXT => {
            Held::Lines(lines(old, new, AROUND, usize::MAX))
        }
        _ => {
            let same = old.iter().zip(new).take_while(|(one, other)| one == other).count();
            Held::Bytes(same)
        }
    }
}

/// Where two JSON values differ; how often.
fn compare(
    old: &Value,
    new: &Value,
    at: &mut String,
    places: &mut Vec<(String, Option<Value>, Option<Value>)>,
) -> usize {
    let mut inner = |name: &str, old: Option<&Value>, new: Option<&Value>| {
        let before = at.len();
        at.push('/');
        at.push_str(&name.replace('~', "~0").replace('/', "~1"));
        let found = match (old, new) {
            (Some(old), Some(new)) => compare(old, new, at, places),
            (None, None) => 0,
            (old, new) => {
                if places.len() < MOST_PLACES {
                    places.push((at.clone(), old.cloned(), new.cloned()));
                }
                1
            }
        };
        at.truncate(before);
        found
    };
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let added = new.keys().filter(|key| !old.contains_key(*key));
            old.keys().chain(added).map(|key| inner(key, old.get(key), new.get(key))).sum()
        }
        (Value::Array(old), Value::Array(new)) => {
            (0..old.len().max(new.len())).map(|nth| inner(&nth.to_string(), old.get(nth), new.get(nth))).sum()
        }
        _ if old == new => 0,
        _ => {
            if places.len() < MOST_PLACES {
                places.push((at.clone(), Some(old.clone()), Some(new.clone())));
            }
            1
        }
    }
}

fn held_json(held: &Held, one: &Artifact, other: &Artifact) -> Value {
    let side = |artifact: &Artifact| json!({"size": artifact.payload().len(), "digest": artifact.content_digest()});
    let sign = |tag: &Option<ChangeTag>| match tag {
        Some(ChangeTag::Delete) => "-",
        Some(ChangeTag::Insert) => "+",
        _ => " ",
    };
    let mut object = match held {
        Held::Same => json!({"by": "bytes", "equal": true}),
        Held::Lines(lines) => {
            let lines: Vec<String> = lines.iter().map(|(tag, line)| format!("{}{line}", sign(tag))).collect();
            json!({"by": "lines", "equal": false, "lines": lines})
        }
        Held::Places(places, more) => {
            let places: Vec<_> =
                places.iter().map(|(at, one, other)| json!({"at": at, "one": one, "other": other})).collect();
            json!({"by": "places", "equal": false, "places": places, "more": more})
        }
        Held::Bytes(at) => json!({"by": "bytes", "equal": false, "first": at}),
    };
    if let Some(object) = object.as_object_mut() {
        object.insert("one".into(), side(one));
        object.insert("other".into(), side(other));
    }
    object
}

fn text(said: &[Difference], held: &Held, one: &Artifact, other: &Artifact) -> String {
    let colours = fail::colours(&std::io::stdout());
    let side = |text: Option<String>, colour: &str| match text {
        Some(text) => paint(colours, colour, &one_line(&text)),
        None => paint(colours, "2", "nothing"),
    };
    let sides = |name: &str, one: Option<String>, other: Option<String>| {
        format!("{}  {} | {}\n", paint(colours, "2", &one_line(name)), side(one, "31"), side(other, "32"))
    };
    let mut out = String::new();
    for (what, one, other) in said {
        out.push_str(&sides(what, one.clone(), other.clone()));
    }
    match held {
        Held::Same if said.is_empty() => out.push_str("equal\n"),
        Held::Same => out.push_str("equal in what they hold\n"),
        Held::Lines(lines) => {
            for (tag, line) in lines {
                out.push_str(&format!("{}\n", line_text(*tag, line, colours)));
            }
        }
        Held::Places(places, more) => {
            for (at, one, other) in places {
                let text = |value: &Option<Value>| value.as_ref().map(Value::to_string);
                let at = if at.is_empty() { "the whole value" } else { at };
                out.push_str(&sides(at, text(one), text(other)));
            }
            if *more > 0 {
                out.push_str(&format!("and {more} more places\n"));
            }
        }
        Held::Bytes(at) => {
            let about = |artifact: &Artifact| {
                Some(format!("{} B {}", artifact.payload().len(), short(artifact.content_digest())))
            };
            out.push_str(&sides("bytes", about(one), about(other)));
            out.push_str(&format!("they part at byte {at}\n"));
        }
    }
    out
}
