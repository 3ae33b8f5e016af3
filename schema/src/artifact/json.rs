//! An artifact as JSON, in names and order of the format; the payload as `text` when it is UTF-8, else as `base64`. The
//! timestamp is text: nanoseconds are more than the numbers of many JSON readers hold exactly.

use super::{Artifact, ArtifactError, hex, layout, unhex};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

/// The JSON of an artifact. Fields that are unset are left out.
pub fn to_json(artifact: &Artifact) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: String| {
        if !value.is_empty() {
            object.insert(key.to_owned(), Value::String(value));
        }
    };
    put("id", artifact.id().to_owned());
    put("checksum", artifact.checksum().to_string());
    put("pubkey", hex(artifact.pubkey()));
    put("version", artifact.version().to_owned());
    put("type", artifact.media_type().to_owned());
    put("timestamp", artifact.timestamp().to_string());
    put("origin", artifact.origin().to_owned());
    put("role", artifact.role().to_owned());
    put("scope", artifact.scope().to_owned());
    let attributes = artifact.attributes().map(|(key, value)| (key.to_owned(), Value::String(value.to_owned())));
    object.insert("attributes".into(), Value::Object(attributes.collect()));
    match std::str::from_utf8(artifact.payload()) {
        Ok(text) => object.insert("text".into(), text.into()),
        Err(_) => object.insert("base64".into(), BASE64.encode(artifact.payload()).into()),
    };
    if !artifact.signature().is_empty() {
        object.insert("signature".into(), hex(artifact.signature()).into());
    }
    Value::Object(object)
}

/// The artifact of its JSON; its checksum must match. Names that are no fields say nothing, and the timestamp may be a number.
pub fn from_json(value: &Value) -> Result<Artifact, ArtifactError> {
    let error = |reason: &str| ArtifactError::Json(reason.to_owned());
    let object = value.as_object().ok_or_else(|| error("not an object"))?;
    let text = |key: &str| {
        object.get(key).map_or(Ok(""), |value| value.as_str().ok_or_else(|| error(&format!("`{key}` is no text"))))
    };
    let bytes = |key: &str| unhex(text(key)?).ok_or_else(|| error(&format!("`{key}` is not hexadecimal")));
    let payload = match (object.get("text"), object.get("base64")) {
        (Some(_), None) => text("text")?.as_bytes().to_vec(),
        (None, Some(_)) => BASE64.decode(text("base64")?).map_err(|_| error("`base64` is not base64"))?,
        _ => return Err(error("it has one of `text` and `base64`")),
    };
    let (checksum, pubkey, signature) = (bytes("checksum")?, bytes("pubkey")?, bytes("signature")?);
    let empty = Map::new();
    let attributes = object
        .get("attributes")
        .map_or(Ok(&empty), |value| value.as_object().ok_or_else(|| error("`attributes` is no object")))?;
    let mut attributes: Vec<(&str, &str)> = attributes
        .iter()
        .map(|(key, value)| {
            value.as_str().map(|value| (key.as_str(), value)).ok_or_else(|| error("an attribute is no text"))
        })
        .collect::<Result<_, _>>()?;
    attributes.sort_unstable();
    let content = layout::Content {
        id: text("id")?,
        checksum: &checksum,
        pubkey: &pubkey,
        version: text("version")?,
        media_type: text("type")?,
        timestamp: match object.get("timestamp") {
            Some(Value::String(text)) => text.parse().ok(),
            Some(value) => value.as_u64(),
            None => None,
        }
        .ok_or_else(|| error("`timestamp` is no number of nanoseconds"))?,
        origin: text("origin")?,
        role: text("role")?,
        scope: text("scope")?,
        attributes,
        payload: &payload,
        signature: &signature,
    };
    content.open()
}
