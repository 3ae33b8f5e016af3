//! The Artifact: the one type that flows. Immutable, always in canonical form, checked once at the door.
//!
//! Here: the value, its names (checksum, content digest) and how one is made. The bytes are in `layout`, the place in a
//! store in `key`, JSON in `json`, several values in one in `parts`; signatures are in [`crate::keys`].

use crate::limits;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

pub mod json;
pub mod key;
mod layout;
pub mod parts;
pub(crate) mod words;

use layout::Field;
use words::Range;

/// The version that this build writes into new artifacts.
pub const VERSION: &str = "v0.0.1";

/// Attributes that only the machine and its host may write.
pub const RESERVED_PREFIX: &str = "aivm.";

/// The attribute that says what a value is worth.
pub const INTEGRITY: &str = "aivm.integrity";
/// Of [`INTEGRITY`]: nobody answers for it. It is data, and no instruction.
pub const UNTRUSTED: &str = "untrusted";

macro_rules! hashes {
    ($($(#[$doc:meta])* $name:ident),*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; 32]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(std::str::from_utf8(&hex_digits(&self.0)).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = ArtifactError;
            fn from_str(text: &str) -> Result<Self, ArtifactError> {
                unhex_array(text).map($name).ok_or(ArtifactError::NotAHash)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
                } else {
                    <[u8; 32]>::deserialize(deserializer).map($name)
                }
            }
        }
    )*};
}
hashes! {
    /// BLAKE3-256 of an artifact's canonical bytes with checksum and signature empty: its name in chains and snapshots.
    Checksum,
    /// BLAKE3-256 of type and payload: equal for equal content, whoever made it and when.
    ContentDigest
}

impl ContentDigest {
    /// Of a media type and a payload, each with its length before it.
    pub fn of(media_type: &str, payload: &[u8]) -> ContentDigest {
        let mut hasher = blake3::Hasher::new();
        for part in [media_type.as_bytes(), payload] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        ContentDigest(*hasher.finalize().as_bytes())
    }
}

/// Bytes from lower- or upper-case hexadecimal.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

/// So many bytes, from lower- or upper-case hexadecimal.
pub(crate) fn unhex_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let mut out = [0; N];
    (pairs.len() == N).then_some(())?;
    for (place, [high, low]) in out.iter_mut().zip(pairs) {
        *place = digit(*high)? << 4 | digit(*low)?;
    }
    Some(out)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(HEX[usize::from(half & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

fn hex_digits(bytes: &[u8; 32]) -> [u8; 64] {
    let mut out = [0; 64];
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
    out
}

/// Why bytes are no artifact, or why one cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// Cut short, a pointer out of bounds, a field of the wrong shape.
    #[error("A0101: not an artifact: {0}")]
    Malformed(&'static str),
    /// Equal content has one form, and this is another.
    #[error("A0102: not in canonical form: write it anew with this program")]
    NotCanonical,
    /// The bytes are not those that were summed.
    #[error("A0103: the checksum does not match: the artifact was damaged or changed")]
    ChecksumMismatch,
    /// Text that is not UTF-8, or holds a NUL.
    #[error("A0104: the field `{0}` is not text")]
    NotText(&'static str),
    /// A field over its limit.
    #[error("A0105: `{field}` is too large: {size}, at most {most}")]
    TooLarge {
        /// Which.
        field: &'static str,
        /// How large.
        size: usize,
        /// How large it may be.
        most: usize,
    },
    /// An attribute without a key, keys twice or out of order.
    #[error("A0106: attributes must have distinct keys in order: `{0}`")]
    Attributes(String),
    /// A worker wrote an attribute that is the machine's.
    #[error("A0107: the attribute `{0}` is reserved: keys under `aivm.` are written by the machine alone")]
    ReservedAttribute(String),
    /// No id, or one that is no UUID.
    #[error("A0108: the id is no UUID")]
    NotAnId,
    /// No version, or one of another shape.
    #[error("A0111: the version is not of the form `v0.0.1`")]
    NotAVersion,
    /// 64 hexadecimal digits were expected.
    #[error("A0109: not a hash: 64 hexadecimal digits")]
    NotAHash,
    /// JSON that does not say an artifact.
    #[error("A0110: not the JSON of an artifact: {0}")]
    Json(String),
}

/// A value with its metadata. Cloning shares it.
#[derive(Clone)]
pub struct Artifact(Arc<Inner>);

struct Inner {
    /// The canonical segment.
    bytes: Box<[u8]>,
    fields: [Range; Field::COUNT],
    attributes: Box<[[Range; 2]]>,
    timestamp: u64,
    checksum: Checksum,
    digest: OnceLock<ContentDigest>,
}

impl Artifact {
    fn range(&self, range: Range) -> &[u8] {
        self.0.bytes.get(range.start as usize..range.end as usize).unwrap_or(&[])
    }

    fn text(&self, range: Range) -> &str {
        // Checked when the artifact was made.
        std::str::from_utf8(self.range(range)).unwrap_or("")
    }

    fn field(&self, field: Field) -> Range {
        self.0.fields[field as usize]
    }

    /// A range that is counted from the attributes.
    fn inner(&self, range: Range) -> Range {
        let start = self.field(Field::Attributes).start;
        Range { start: start + range.start, end: start + range.end }
    }

    /// UUIDv7.
    pub fn id(&self) -> &str {
        self.text(self.field(Field::Id))
    }
    /// Its name in chains and snapshots.
    pub fn checksum(&self) -> Checksum {
        self.0.checksum
    }
    /// The signer's Ed25519 public key; empty when unsigned.
    pub fn pubkey(&self) -> &[u8] {
        self.range(self.field(Field::Pubkey))
    }
    /// `v0.0.1`.
    pub fn version(&self) -> &str {
        self.text(self.field(Field::Version))
    }
    /// The media type of the payload.
    pub fn media_type(&self) -> &str {
        self.text(self.field(Field::Type))
    }
    /// Unix nanoseconds.
    pub fn timestamp(&self) -> u64 {
        self.0.timestamp
    }
    /// Who made it.
    pub fn origin(&self) -> &str {
        self.text(self.field(Field::Origin))
    }
    /// What it is to those who take it.
    pub fn role(&self) -> &str {
        self.text(self.field(Field::Role))
    }
    /// Who may see it.
    pub fn scope(&self) -> &str {
        self.text(self.field(Field::Scope))
    }
    /// In order of their keys.
    pub fn attributes(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.attributes.iter().map(|[key, value]| (self.text(self.inner(*key)), self.text(self.inner(*value))))
    }
    /// The value of an attribute.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        let other = |range| self.range(self.inner(range));
        let at = self.0.attributes.binary_search_by(|[range, _]| other(*range).cmp(key.as_bytes())).ok()?;
        self.0.attributes.get(at).map(|[_, value]| self.text(self.inner(*value)))
    }
    /// What it holds.
    pub fn payload(&self) -> &[u8] {
        self.range(self.field(Field::Payload))
    }
    /// Ed25519; empty when unsigned.
    pub fn signature(&self) -> &[u8] {
        self.range(self.field(Field::Signature))
    }
    /// The canonical segment.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }
    /// The name of its content: type and payload.
    pub fn content_digest(&self) -> ContentDigest {
        *self.0.digest.get_or_init(|| ContentDigest::of(self.media_type(), self.payload()))
    }
    /// The same, when somebody has asked for it before: of a large payload it takes a while.
    pub fn known_content_digest(&self) -> Option<ContentDigest> {
        self.0.digest.get().copied()
    }

    /// An artifact from its canonical segment: the one door. Everything is checked here; nothing is checked again.
    pub fn from_bytes(bytes: &[u8]) -> Result<Artifact, ArtifactError> {
        let content = layout::decode(bytes)?;
        // Before anything is copied: of a few bytes that many pointers lead to, much could be made.
        if content.size() != bytes.len() {
            return Err(ArtifactError::NotCanonical);
        }
        let artifact = content.open()?;
        // Equal content has exactly one form, and the encoder writes it.
        if artifact.bytes() == bytes { Ok(artifact) } else { Err(ArtifactError::NotCanonical) }
    }

    /// What stands before the one segment in the file form: Cap'n Proto's stream framing.
    pub fn frame(&self) -> [u8; 8] {
        let words = (self.bytes().len() / 8) as u64;
        (words << 32).to_le_bytes()
    }

    /// The file form: the frame and the segment.
    pub fn to_framed(&self) -> Vec<u8> {
        [&self.frame(), self.bytes()].concat()
    }

    /// The first artifact of a stream in file form, and the bytes behind it.
    pub fn from_framed(bytes: &[u8]) -> Result<(Artifact, &[u8]), ArtifactError> {
        let malformed = ArtifactError::Malformed("the frame is cut short or has more than one segment");
        let (head, rest) = bytes.split_at_checked(8).ok_or(malformed.clone())?;
        let number = |at: usize| head.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
        let (Some(0), Some(words)) = (number(0), number(4)) else { return Err(malformed) };
        let (segment, rest) = rest.split_at_checked(words as usize * 8).ok_or(malformed)?;
        Ok((Artifact::from_bytes(segment)?, rest))
    }

    /// Everything but the payload, checksum included: what a store keeps beside a payload that stands in a file of its own.
    pub fn head(&self) -> Vec<u8> {
        layout::Content { payload: &[], ..self.content() }.with_checksum(self.0.checksum).bytes().to_vec()
    }

    /// The artifact of a [`head`](Artifact::head) and its payload. Checked as by [`Artifact::from_bytes`].
    pub fn from_head(head: &[u8], payload: &[u8]) -> Result<Artifact, ArtifactError> {
        layout::Content { payload, ..layout::decode(head)? }.open()
    }

    /// Everything but id, timestamp, checksum and signature: to make a new artifact like this one.
    pub fn to_draft(&self) -> Draft {
        Draft {
            media_type: self.media_type().to_owned(),
            origin: self.origin().to_owned(),
            role: self.role().to_owned(),
            scope: self.scope().to_owned(),
            attributes: self.attributes().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            payload: self.payload().to_vec(),
        }
    }

    /// With a signer's key and signature in place; the checksum covers the key.
    pub(crate) fn with_signature(&self, pubkey: &[u8], sign: impl FnOnce(&[u8]) -> Vec<u8>) -> Artifact {
        let mut content = layout::Content { pubkey, signature: &[], ..self.content() };
        let signature = sign(&content.covered());
        content.signature = &signature;
        content.seal()
    }

    /// The bytes that the checksum and the signature cover.
    pub(crate) fn covered_bytes(&self) -> Vec<u8> {
        self.content().covered()
    }

    fn content(&self) -> layout::Content<'_> {
        layout::Content {
            id: self.id(),
            checksum: &self.0.checksum.0,
            pubkey: self.pubkey(),
            version: self.version(),
            media_type: self.media_type(),
            timestamp: self.timestamp(),
            origin: self.origin(),
            role: self.role(),
            scope: self.scope(),
            attributes: self.attributes().collect(),
            payload: self.payload(),
            signature: self.signature(),
        }
    }
}

impl PartialEq for Artifact {
    fn eq(&self, other: &Artifact) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.bytes() == other.bytes()
    }
}

impl Eq for Artifact {}

impl fmt::Debug for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Artifact({}, {}, {} bytes)", self.id(), self.media_type(), self.payload().len())
    }
}

/// An artifact that is not made yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// The media type of the payload.
    pub media_type: String,
    /// Who makes it.
    pub origin: String,
    /// What it is to those who take it.
    pub role: String,
    /// Who may see it.
    pub scope: String,
    /// In any order; keys must be distinct. A key with an empty value is left out: empty means unset.
    pub attributes: Vec<(String, String)>,
    /// What it holds.
    pub payload: Vec<u8>,
}

impl Draft {
    /// Sets an attribute, in place of one of the same key.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.attributes.retain(|(other, _)| other != key);
        self.attributes.push((key.to_owned(), value.into()));
    }

    /// Refuses attributes that only the machine may write: for drafts that come from workers.
    pub fn check_unreserved(&self) -> Result<(), ArtifactError> {
        // Whoever says of his own that nobody answers for it gains nothing by that.
        let lowers = |key: &str, value: &str| key == INTEGRITY && value == UNTRUSTED;
        let reserved = |(key, value): &&(String, String)| key.starts_with(RESERVED_PREFIX) && !lowers(key, value);
        let reserved = self.attributes.iter().find(reserved);
        reserved.map_or(Ok(()), |(key, _)| Err(ArtifactError::ReservedAttribute(key.clone())))
    }

    /// Makes it. `random`: 10 bytes that nobody has used before; `timestamp`: unix nanoseconds.
    ///
    /// Fails when a field is over its limit, a text holds a NUL or two attributes have one key.
    pub fn seal(mut self, timestamp: u64, random: [u8; 10]) -> Result<Artifact, ArtifactError> {
        self.attributes.retain(|(_, value)| !value.is_empty());
        self.attributes.sort_unstable();
        let id = uuid::Builder::from_unix_timestamp_millis(timestamp / 1_000_000, &random).into_uuid();
        let mut buffer = uuid::Uuid::encode_buffer();
        let content = layout::Content {
            id: id.hyphenated().encode_lower(&mut buffer),
            checksum: &[],
            pubkey: &[],
            version: VERSION,
            media_type: &self.media_type,
            timestamp,
            origin: &self.origin,
            role: &self.role,
            scope: &self.scope,
            attributes: self.attributes.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
            payload: &self.payload,
            signature: &[],
        };
        content.check()?;
        Ok(content.seal())
    }
}

impl layout::Content<'_> {
    /// The limits and the normal form.
    fn check(&self) -> Result<(), ArtifactError> {
        if !is_uuid(self.id) {
            return Err(ArtifactError::NotAnId);
        }
        if !is_version(self.version) {
            return Err(ArtifactError::NotAVersion);
        }
        let texts = [("type", self.media_type), ("origin", self.origin), ("role", self.role), ("scope", self.scope)];
        for (field, text) in texts {
            check_text(field, text)?;
        }
        let too_large =
            |field, size, most| if size > most { Err(ArtifactError::TooLarge { field, size, most }) } else { Ok(()) };
        too_large("payload", self.payload.len(), limits::PAYLOAD)?;
        too_large("attributes", self.attributes.len(), limits::ATTRIBUTES)?;
        if !matches!((self.pubkey.len(), self.signature.len()), (0, 0) | (32, 0 | 64)) {
            return Err(ArtifactError::Malformed("a public key has 32 bytes, a signature 64, and never stands alone"));
        }
        let mut before = "";
        for (key, value) in &self.attributes {
            check_text("attributes", key)?;
            check_text("attributes", value)?;
            if *key <= before || value.is_empty() {
                return Err(ArtifactError::Attributes((*key).to_owned()));
            }
            before = key;
        }
        Ok(())
    }

    /// The artifact, when all limits are kept and its checksum is the one that it says.
    fn open(&self) -> Result<Artifact, ArtifactError> {
        self.check()?;
        let artifact = self.seal();
        if self.checksum == artifact.checksum().0 { Ok(artifact) } else { Err(ArtifactError::ChecksumMismatch) }
    }
}

/// The one way to write a UUID: lower-case digits in groups of 8, 4, 4, 4 and 12.
fn is_uuid(text: &str) -> bool {
    let fits = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
    };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}

/// `v` and three numbers, none with zeros before it.
fn is_version(text: &str) -> bool {
    let number = |text: &str| {
        (1..=9).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && (text == "0" || !text.starts_with('0'))
    };
    text.strip_prefix('v').is_some_and(|text| text.split('.').count() == 3 && text.split('.').all(number))
}

fn check_text(field: &'static str, text: &str) -> Result<(), ArtifactError> {
    if text.len() > limits::ARTIFACT_TEXT {
        return Err(ArtifactError::TooLarge { field, size: text.len(), most: limits::ARTIFACT_TEXT });
    }
    if text.contains('\0') { Err(ArtifactError::NotText(field)) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
