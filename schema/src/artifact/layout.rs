//! The canonical Cap'n Proto bytes of the one struct `Artifact`, written and read by hand: it is one segment of known shape,
//! and writing it this way is several times as fast as building, then canonicalising. A test holds it against the library.
//!
//! ```text
//! root | timestamp | pointers | id | checksum | pubkey version type origin role scope attributes payload | signature
//! ```
//!
//! Fields that are unset take no room, and the pointers end with the last field that is set. *Covered*, by checksum and
//! signature, is the same without those two.

use super::words::{Blob, Range, Reader, pointer, put_rows, put_word, rows_kind, rows_words};
use super::{Artifact, ArtifactError, Checksum, Inner};
use crate::limits;
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

/// Pointers of an attribute. Normal form has neither empty keys nor empty values, so each has both.
const PAIR: usize = 2;

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
        Blob::data(self.signature).put(&mut bytes);
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

    /// Says where the attributes stand, counted from their tag.
    fn put_covered(&self, covered: &Plan, bytes: &mut Vec<u8>) -> Box<[[Range; PAIR]]> {
        let (header, _) = covered.header();
        header.iter().take(covered.front()).for_each(|word| put_word(bytes, *word));
        Blob::text(self.id).put(bytes);
        let mut attributes = Box::default();
        for field in Field::MIDDLE {
            match field {
                Field::Attributes if self.attributes.is_empty() => {}
                Field::Attributes => attributes = put_rows(bytes, self.rows(), PAIR),
                field => self.blob(field).put(bytes),
            }
        }
        attributes
    }

    fn rows(&self) -> impl ExactSizeIterator<Item = [Blob<'a>; PAIR]> + Clone {
        self.attributes.iter().map(|(key, value)| [Blob::text(key), Blob::text(value)])
    }

    fn blob(&self, field: Field) -> Blob<'a> {
        match field {
            Field::Id => Blob::text(self.id),
            Field::Checksum => Blob::data(self.checksum),
            Field::Pubkey => Blob::data(self.pubkey),
            Field::Version => Blob::text(self.version),
            Field::Type => Blob::text(self.media_type),
            Field::Origin => Blob::text(self.origin),
            Field::Role => Blob::text(self.role),
            Field::Scope => Blob::text(self.scope),
            Field::Attributes => Blob::data(&[]),
            Field::Payload => Blob::data(self.payload),
            Field::Signature => Blob::data(self.signature),
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
        let mut plan =
            Plan { timestamp: content.timestamp, pointers: 0, kinds: [0; Field::COUNT], lengths: none, words: none };
        for field in [Id, Pubkey, Version, Type, Origin, Role, Scope, Payload, Signature] {
            plan.set(field, content.blob(field));
        }
        plan.set(Checksum, Blob::data(&[0; 32]));
        if !content.attributes.is_empty() {
            let words = rows_words(content.rows(), PAIR);
            plan.kinds[Attributes as usize] = rows_kind(content.attributes.len(), PAIR);
            plan.words[Attributes as usize] = words;
            plan.lengths[Attributes as usize] = 8 * words;
        }
        plan.pointed()
    }

    fn set(&mut self, field: Field, blob: Blob) {
        self.kinds[field as usize] = blob.kind();
        self.lengths[field as usize] = blob.bytes.len();
        self.words[field as usize] = blob.words();
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

/// What a segment says. Lenient about form, and fields may overlap: the caller writes it anew and compares.
pub(super) fn decode(bytes: &[u8]) -> Result<Content<'_>, ArtifactError> {
    let reader = Reader::new(bytes)?;
    let root = reader.word(0)?;
    let (data, pointers) = (root >> 32 & 0xffff, (root >> 48) as usize);
    if root & 0xffff_ffff != 0 || data > 1 || pointers > Field::COUNT {
        return Err(ArtifactError::Malformed("its root is no artifact of this version"));
    }
    let first = 8 + 8 * data as usize;
    let place = |field: Field| (pointers > field as usize).then_some(first + 8 * field as usize);
    let data_of = |field| place(field).map_or(Ok(&[][..]), |at| reader.data(at));
    let text_of = |field, name| place(field).map_or(Ok(""), |at| reader.text(at, name));
    Ok(Content {
        id: text_of(Field::Id, "id")?,
        checksum: data_of(Field::Checksum)?,
        pubkey: data_of(Field::Pubkey)?,
        version: text_of(Field::Version, "version")?,
        media_type: text_of(Field::Type, "type")?,
        timestamp: if data == 1 { reader.word(8)? } else { 0 },
        origin: text_of(Field::Origin, "origin")?,
        role: text_of(Field::Role, "role")?,
        scope: text_of(Field::Scope, "scope")?,
        attributes: place(Field::Attributes).map_or(Ok(Vec::new()), |at| attributes(reader, at))?,
        payload: data_of(Field::Payload)?,
        signature: data_of(Field::Signature)?,
    })
}

fn attributes<'a>(reader: Reader<'a>, at: usize) -> Result<Vec<(&'a str, &'a str)>, ArtifactError> {
    let (start, count, width) = reader.rows(at)?;
    if count > limits::ATTRIBUTES {
        return Err(ArtifactError::TooLarge { field: "attributes", size: count, most: limits::ATTRIBUTES });
    }
    if count > 0 && width != PAIR {
        return Err(ArtifactError::Malformed("an attribute is no pair"));
    }
    let text = |at| reader.text(at, "attributes");
    (0..count).map(|row| start + 8 * PAIR * row).map(|at| Ok((text(at)?, text(at + 8)?))).collect()
}
