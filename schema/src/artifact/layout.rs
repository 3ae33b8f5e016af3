//! The canonical Cap'n Proto bytes of the one struct `Artifact`, written and read by hand: it is one segment of known shape,
//! and writing it this way is several times as fast as building, then canonicalising. A test holds it against the library.
//!
//! ```text
//! root | timestamp | pointers | id | checksum | pubkey version type origin role scope attributes payload | signature
//! ```
//!
//! Fields that are unset take no room, and the pointers end with the last field that is set. *Covered*, by checksum and
//! signature, is the same without those two.

use super::{Artifact, ArtifactError, Checksum, Inner};
use std::sync::{Arc, OnceLock};

/// The pointer fields, in order of their pointers.
#[derive(Clone, Copy, PartialEq, Eq)]
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
    /// Those between checksum and signature.
    const MIDDLE: [Field; 8] = {
        use Field::*;
        [Pubkey, Version, Type, Origin, Role, Scope, Attributes, Payload]
    };
}

/// Bytes of a segment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Range {
    pub start: u32,
    pub end: u32,
}

/// Key and value of an attribute, counted from where the attributes start.
pub(super) type Pair = (Range, Range);

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
    /// The artifact that says this, with its own checksum.
    pub(super) fn seal(&self) -> Artifact {
        self.build(|covered| Checksum(*blake3::hash(covered).as_bytes()))
    }

    /// The artifact that says this, with that checksum.
    pub(super) fn with_checksum(&self, checksum: Checksum) -> Artifact {
        self.build(|_| checksum)
    }

    /// How many bytes the artifact will have, from the lengths alone.
    pub(super) fn size(&self) -> usize {
        Plan::of(self).bytes()
    }

    /// The bytes that checksum and signature cover.
    pub(super) fn covered(&self) -> Vec<u8> {
        let plan = Plan::of(self).covered();
        let mut bytes = Vec::with_capacity(plan.bytes());
        self.put_covered(&plan, &mut bytes);
        bytes
    }

    /// The payload is copied once: what stands in front of the checksum is written twice instead, first as the sum sees it, so
    /// far behind the start that all else is in its place, and then as it stays.
    fn build(&self, sum: impl FnOnce(&[u8]) -> Checksum) -> Artifact {
        let plan = Plan::of(self);
        let covered = plan.covered();
        let gap = plan.bytes() - covered.bytes() - 8 * plan.words[Field::Signature as usize];
        let mut bytes = Vec::with_capacity(plan.bytes());
        bytes.resize(gap, 0);
        let attributes = self.put_covered(&covered, &mut bytes);
        let checksum = sum(&bytes[gap..]);
        put_blob(&mut bytes, self.signature, false);
        let (header, fields) = plan.header();
        for (place, word) in bytes.chunks_exact_mut(8).zip(header).take(plan.front()) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        let Range { start, .. } = fields[Field::Id as usize];
        let Range { start: end, .. } = fields[Field::Checksum as usize];
        let id = &mut bytes[start as usize..end as usize];
        id.fill(0);
        id[..self.id.len()].copy_from_slice(self.id.as_bytes());
        bytes[end as usize..end as usize + 32].copy_from_slice(&checksum.0);
        let bytes = bytes.into_boxed_slice();
        let digest = OnceLock::new();
        Artifact(Arc::new(Inner { bytes, fields, attributes, timestamp: self.timestamp, checksum, digest }))
    }

    fn put_covered(&self, covered: &Plan, bytes: &mut Vec<u8>) -> Box<[Pair]> {
        let (header, _) = covered.header();
        header.iter().take(covered.front()).for_each(|word| put_word(bytes, *word));
        put_blob(bytes, self.id.as_bytes(), true);
        let mut pairs = Box::default();
        for field in Field::MIDDLE {
            let (blob, nul) = self.blob(field);
            if field == Field::Attributes {
                pairs = put_attributes(bytes, &self.attributes);
            } else {
                put_blob(bytes, blob, nul);
            }
        }
        pairs
    }

    /// The bytes of a field, and whether a NUL follows them.
    fn blob(&self, field: Field) -> (&'a [u8], bool) {
        match field {
            Field::Id => (self.id.as_bytes(), true),
            Field::Checksum => (self.checksum, false),
            Field::Pubkey => (self.pubkey, false),
            Field::Version => (self.version.as_bytes(), true),
            Field::Type => (self.media_type.as_bytes(), true),
            Field::Origin => (self.origin.as_bytes(), true),
            Field::Role => (self.role.as_bytes(), true),
            Field::Scope => (self.scope.as_bytes(), true),
            Field::Attributes => (&[], false),
            Field::Payload => (self.payload, false),
            Field::Signature => (self.signature, false),
        }
    }
}

/// The room that each field takes, from which follows where it stands.
struct Plan {
    timestamp: u64,
    /// Pointers: up to the last field that is set.
    pointers: usize,
    /// The upper half of each field's pointer: kind and count.
    kinds: [u64; Field::COUNT],
    /// The bytes that each field is read as.
    lengths: [usize; Field::COUNT],
    /// The words of each field; 0: unset.
    words: [usize; Field::COUNT],
}

impl Plan {
    /// Of an artifact, whose checksum is set whatever it is.
    fn of(content: &Content) -> Plan {
        use Field::*;
        let none = [0; Field::COUNT];
        let mut plan = Plan { timestamp: content.timestamp, pointers: 0, kinds: [0; Field::COUNT], lengths: none, words: none };
        for field in [Id, Pubkey, Version, Type, Origin, Role, Scope, Payload, Signature] {
            let (blob, nul) = content.blob(field);
            plan.set(field, blob.len(), nul);
        }
        plan.set(Checksum, 32, false);
        if !content.attributes.is_empty() {
            let texts = content.attributes.iter().map(|(key, value)| text_words(key) + text_words(value));
            // The pointer counts the words of the elements, but neither the tag before them nor the texts behind them.
            let elements = 2 * content.attributes.len();
            let words = 1 + elements + texts.sum::<usize>();
            plan.kinds[Attributes as usize] = COMPOSITE | (elements as u64) << 3;
            plan.words[Attributes as usize] = words;
            plan.lengths[Attributes as usize] = 8 * words;
        }
        plan.pointed()
    }

    fn set(&mut self, field: Field, length: usize, nul: bool) {
        if length > 0 {
            let count = length + usize::from(nul);
            self.kinds[field as usize] = BYTES | (count as u64) << 3;
            self.lengths[field as usize] = length;
            self.words[field as usize] = count.div_ceil(8);
        }
    }

    fn pointed(mut self) -> Plan {
        // Never none: every artifact has an id.
        self.pointers = self.words.iter().rposition(|words| *words > 0).map_or(0, |last| last + 1);
        self
    }

    /// Of what checksum and signature cover.
    fn covered(&self) -> Plan {
        let mut words = self.words;
        words[Field::Checksum as usize] = 0;
        words[Field::Signature as usize] = 0;
        Plan { words, ..*self }.pointed()
    }

    /// Words before the first field's.
    fn front(&self) -> usize {
        1 + usize::from(self.timestamp != 0) + self.pointers
    }

    fn bytes(&self) -> usize {
        8 * (self.front() + self.words.iter().sum::<usize>())
    }

    /// The words before the first field's, and where the fields stand.
    fn header(&self) -> ([u64; 2 + Field::COUNT], [Range; Field::COUNT]) {
        let mut header = [0; 2 + Field::COUNT];
        let mut ranges = [Range::default(); Field::COUNT];
        header[0] = u64::from(self.timestamp != 0) << 32 | (self.pointers as u64) << 48;
        header[1] = self.timestamp;
        let first = self.front() - self.pointers;
        let mut target = self.front();
        for field in 0..self.pointers {
            let start = 8 * target;
            ranges[field] = Range { start: start as u32, end: start as u32 };
            if self.words[field] > 0 {
                ranges[field].end = (start + self.lengths[field]) as u32;
                header[first + field] = pointer(first + field, target, self.kinds[field]);
            }
            target += self.words[field];
        }
        (header, ranges)
    }
}

/// The list pointer in word `at` to word `target`.
fn pointer(at: usize, target: usize, kind: u64) -> u64 {
    LIST | ((target - at - 1) as u64) << 2 | kind << 32
}

fn text_words(text: &str) -> usize {
    (text.len() + 1).div_ceil(8)
}

fn put_word(bytes: &mut Vec<u8>, word: u64) {
    bytes.extend_from_slice(&word.to_le_bytes());
}

fn put_blob(bytes: &mut Vec<u8>, blob: &[u8], nul: bool) {
    if !blob.is_empty() {
        bytes.extend_from_slice(blob);
        bytes.resize((bytes.len() + usize::from(nul)).next_multiple_of(8), 0);
    }
}

/// Normal form has neither empty keys nor empty values, so each element has both pointers.
fn put_attributes(bytes: &mut Vec<u8>, attributes: &[(&str, &str)]) -> Box<[Pair]> {
    if attributes.is_empty() {
        return Box::default();
    }
    put_word(bytes, (attributes.len() as u64) << 2 | 2 << 48);
    let (mut at, mut target) = (0, 2 * attributes.len());
    let mut place = |text: &str| {
        put_word(bytes, pointer(at, target, BYTES | (text.len() as u64 + 1) << 3));
        let start = 8 * (target + 1);
        at += 1;
        target += text_words(text);
        Range { start: start as u32, end: (start + text.len()) as u32 }
    };
    let pairs = attributes.iter().map(|(key, value)| (place(key), place(value))).collect();
    for (key, value) in attributes {
        put_blob(bytes, key.as_bytes(), true);
        put_blob(bytes, value.as_bytes(), true);
    }
    pairs
}

/// What a segment says. Lenient about form, and fields may overlap: the caller writes it anew and compares.
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
        let bytes = self.bytes.get(at..).and_then(<[u8]>::first_chunk);
        bytes.map(|bytes| u64::from_le_bytes(*bytes)).ok_or(ArtifactError::Malformed("it is cut short"))
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
        // In 64 bits: it may not fit the machine's own.
        let start = at as u64 + 8 + 8 * u64::from(word as u32 >> 2);
        let start = usize::try_from(start).map_err(|_| ArtifactError::Malformed("a pointer leads out of it"))?;
        Ok(Some((start, word >> 32 & 7, (word >> 35) as usize)))
    }

    fn blob(&self, at: usize) -> Result<&'a [u8], ArtifactError> {
        match self.list(at)? {
            None => Ok(&[]),
            Some((start, BYTES, count)) => self
                .bytes
                .get(start..)
                .and_then(|bytes| bytes.get(..count))
                .ok_or(ArtifactError::Malformed("a field is cut short")),
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
