//! The canonical Cap'n Proto bytes of the one struct `Artifact`, written and read by hand: it is one segment of known shape,
//! and writing it this way is several times as fast as building, then canonicalising. A test holds it against the library.

use super::{Artifact, ArtifactError, Checksum, Inner};
use std::sync::{Arc, OnceLock};

/// The pointer fields, in order of their pointers.
#[derive(Clone, Copy)]
pub(super) enum Field {
    Id,
    Checksum,
    Pubkey,
    Version,
    Type,
    Origin,
    Role,
    Scope,
    Attributes,
    Payload,
    Signature,
}

impl Field {
    pub(super) const COUNT: usize = 11;
}

/// Bytes of a segment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Range {
    pub start: u32,
    pub end: u32,
}

/// What an artifact says, before or after it is bytes. Empty means unset.
#[derive(Clone)]
pub(super) struct Content<'a> {
    pub id: &'a str,
    pub checksum: &'a [u8],
    pub pubkey: &'a [u8],
    pub version: &'a str,
    pub media_type: &'a str,
    pub timestamp: u64,
    pub origin: &'a str,
    pub role: &'a str,
    pub scope: &'a str,
    pub attributes: Vec<(&'a str, &'a str)>,
    pub payload: &'a [u8],
    pub signature: &'a [u8],
}

const LIST: u64 = 1;
const BYTES: u64 = 2;
const COMPOSITE: u64 = 7;

impl<'a> Content<'a> {
    /// Field by field: the bytes, and whether a NUL follows them.
    fn field(&self, field: usize) -> (&'a [u8], bool) {
        match field {
            0 => (self.id.as_bytes(), true),
            1 => (self.checksum, false),
            2 => (self.pubkey, false),
            3 => (self.version.as_bytes(), true),
            4 => (self.media_type.as_bytes(), true),
            5 => (self.origin.as_bytes(), true),
            6 => (self.role.as_bytes(), true),
            7 => (self.scope.as_bytes(), true),
            9 => (self.payload, false),
            10 => (self.signature, false),
            _ => (&[], false),
        }
    }

    /// The bytes that the checksum and the signature cover.
    pub(super) fn unsigned_bytes(&self) -> Vec<u8> {
        Writer::write(&Content { checksum: &[], signature: &[], ..self.clone() }).bytes
    }
}

/// The artifact of a content, with this checksum in its place.
pub(super) fn encode(content: &Content, checksum: Checksum) -> Artifact {
    let writer = Writer::write(&Content { checksum: &checksum.0, ..content.clone() });
    Artifact(Arc::new(Inner {
        bytes: writer.bytes.into_boxed_slice(),
        fields: writer.fields,
        attributes: writer.attributes.into_boxed_slice(),
        timestamp: content.timestamp,
        checksum,
        digest: OnceLock::new(),
    }))
}

struct Writer {
    bytes: Vec<u8>,
    fields: [Range; Field::COUNT],
    attributes: Vec<(Range, Range)>,
}

impl Writer {
    fn write(content: &Content) -> Writer {
        let mut size = 64 + 8 * Field::COUNT;
        for field in 0..Field::COUNT {
            size += content.field(field).0.len() + 8;
        }
        size += content.attributes.iter().map(|(key, value)| key.len() + value.len() + 32).sum::<usize>();
        let mut writer = Writer { bytes: Vec::with_capacity(size), fields: Default::default(), attributes: Vec::new() };
        let present = |field: usize| match field {
            8 => !content.attributes.is_empty(),
            _ => !content.field(field).0.is_empty(),
        };
        let pointers = (0..Field::COUNT).rev().find(|field| present(*field)).map_or(0, |last| last + 1);
        let data = u64::from(content.timestamp != 0);
        // Trailing zero words are cut off; a struct of no words points at itself.
        let offset = if data == 0 && pointers == 0 { 0xffff_fffc } else { 0 };
        writer.word(offset | data << 32 | (pointers as u64) << 48);
        if content.timestamp != 0 {
            writer.word(content.timestamp);
        }
        let start = writer.bytes.len();
        writer.bytes.resize(start + 8 * pointers, 0);
        for field in (0..pointers).filter(|field| present(*field)) {
            let at = start + 8 * field;
            if field == Field::Attributes as usize {
                writer.attributes(at, &content.attributes);
            } else {
                let (bytes, nul) = content.field(field);
                writer.fields[field] = writer.blob(at, bytes, nul);
            }
        }
        writer
    }

    fn word(&mut self, word: u64) {
        self.bytes.extend_from_slice(&word.to_le_bytes());
    }

    fn put(&mut self, at: usize, word: u64) {
        if let Some(place) = self.bytes.get_mut(at..at + 8) {
            place.copy_from_slice(&word.to_le_bytes());
        }
    }

    /// A list pointer at `at` to what is written next.
    fn list(&mut self, at: usize, size: u64, count: usize) {
        let offset = ((self.bytes.len() - at - 8) / 8) as u64;
        self.put(at, LIST | offset << 2 | size << 32 | (count as u64) << 35);
    }

    fn blob(&mut self, at: usize, bytes: &[u8], nul: bool) -> Range {
        self.list(at, BYTES, bytes.len() + usize::from(nul));
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        let end = self.bytes.len();
        self.bytes.resize((end + usize::from(nul)).next_multiple_of(8), 0);
        Range { start: start as u32, end: end as u32 }
    }

    fn attributes(&mut self, at: usize, attributes: &[(&str, &str)]) {
        // Normal form has no empty values, so each element has both pointers.
        self.list(at, COMPOSITE, attributes.len() * 2);
        self.word((attributes.len() as u64) << 2 | 2 << 48);
        let start = self.bytes.len();
        self.bytes.resize(start + 16 * attributes.len(), 0);
        for (nth, (key, value)) in attributes.iter().enumerate() {
            let place = start + 16 * nth;
            let key = self.blob(place, key.as_bytes(), true);
            let value = self.blob(place + 8, value.as_bytes(), true);
            self.attributes.push((key, value));
        }
    }
}

/// What a segment says. Lenient about form: the caller writes it anew and compares.
pub(super) fn decode(bytes: &[u8]) -> Result<Content<'_>, ArtifactError> {
    let reader = Reader { bytes };
    if !bytes.len().is_multiple_of(8) {
        return Err(ArtifactError::Malformed("its length is no multiple of 8"));
    }
    let root = reader.word(0)?;
    let (data, pointers) = (root >> 32 & 0xffff, (root >> 48) as usize);
    if root & 0xffff_ffff != 0 || data > 1 || pointers > Field::COUNT {
        return Err(ArtifactError::Malformed("its root is no artifact of this version"));
    }
    let timestamp = if data == 1 { reader.word(8)? } else { 0 };
    let start = 8 + 8 * data as usize;
    let blob = |field: Field| match field as usize {
        field if field < pointers => reader.blob(start + 8 * field),
        _ => Ok(&[][..]),
    };
    let text = |field: Field, name: &'static str| text(blob(field)?, name);
    Ok(Content {
        id: text(Field::Id, "id")?,
        checksum: blob(Field::Checksum)?,
        pubkey: blob(Field::Pubkey)?,
        version: text(Field::Version, "version")?,
        media_type: text(Field::Type, "type")?,
        timestamp,
        origin: text(Field::Origin, "origin")?,
        role: text(Field::Role, "role")?,
        scope: text(Field::Scope, "scope")?,
        attributes: if (Field::Attributes as usize) < pointers { reader.attributes(start + 8 * Field::Attributes as usize)? } else { Vec::new() },
        payload: blob(Field::Payload)?,
        signature: blob(Field::Signature)?,
    })
}

/// Text without the NUL that ends it.
fn text<'a>(bytes: &'a [u8], name: &'static str) -> Result<&'a str, ArtifactError> {
    if bytes.is_empty() {
        return Ok("");
    }
    let bytes = bytes.strip_suffix(&[0]).ok_or(ArtifactError::NotText(name))?;
    std::str::from_utf8(bytes).map_err(|_| ArtifactError::NotText(name))
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn word(&self, at: usize) -> Result<u64, ArtifactError> {
        let bytes = self.bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u64::from_le_bytes).ok_or(ArtifactError::Malformed("it is cut short"))
    }

    /// Where the list behind a pointer starts, its element size and its count; none for a null pointer.
    fn list(&self, at: usize) -> Result<Option<(usize, u64, usize)>, ArtifactError> {
        let word = self.word(at)?;
        if word == 0 {
            return Ok(None);
        }
        // A list pointer, forwards: the canonical form has no others.
        if word & 3 != LIST || word & 0x8000_0000 != 0 {
            return Err(ArtifactError::Malformed("a pointer is no list"));
        }
        let start = at + 8 + 8 * (word as u32 >> 2) as usize;
        Ok(Some((start, word >> 32 & 7, (word >> 35) as usize)))
    }

    fn blob(&self, at: usize) -> Result<&'a [u8], ArtifactError> {
        match self.list(at)? {
            None => Ok(&[]),
            Some((start, BYTES, count)) => {
                self.bytes.get(start..start + count).ok_or(ArtifactError::Malformed("a field is cut short"))
            }
            Some(_) => Err(ArtifactError::Malformed("a field is no text or data")),
        }
    }

    fn attributes(&self, at: usize) -> Result<Vec<(&'a str, &'a str)>, ArtifactError> {
        let Some((start, size, words)) = self.list(at)? else { return Ok(Vec::new()) };
        let tag = self.word(start)?;
        let count = (tag as u32 >> 2) as usize;
        if size != COMPOSITE || tag >> 32 != 2 << 16 || tag & 3 != 0 || count.checked_mul(2) != Some(words) {
            return Err(ArtifactError::Malformed("the attributes are no list of pairs"));
        }
        if count > crate::limits::ATTRIBUTES {
            return Err(ArtifactError::TooLarge { field: "attributes", size: count, most: crate::limits::ATTRIBUTES });
        }
        let pair = |nth: usize| {
            let place = start + 8 + 16 * nth;
            Ok((text(self.blob(place)?, "attributes")?, text(self.blob(place + 8)?, "attributes")?))
        };
        (0..count).map(pair).collect()
    }
}
