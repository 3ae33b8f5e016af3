//! Several values in one, in order, by reference: the payload of type [`MEDIA_TYPE`].

use super::words::{Blob, Reader, pointer, put_rows, put_word, rows_kind, rows_words};
use super::{ArtifactError, Checksum};
use crate::limits;

/// The media type of a *parts* artifact.
pub const MEDIA_TYPE: &str = "application/vnd.aivm.parts";

/// One of the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The name of the step or element that made it.
    pub name: String,
    /// Which artifact.
    pub artifact: Checksum,
    /// The verdict that came with it; empty: none.
    pub verdict: String,
}

/// The payload of these parts: one canonical segment. Empty means unset, as in artifacts.
///
/// More than [`limits::PARTS`] can be written, but not read.
pub fn encode(parts: &[Part]) -> Vec<u8> {
    if parts.is_empty() {
        // A struct of no words, whose pointer leads to itself.
        return 0xffff_fffc_u64.to_le_bytes().to_vec();
    }
    let rows =
        parts.iter().map(|part| [Blob::text(&part.name), Blob::data(&part.artifact.0), Blob::text(&part.verdict)]);
    // Canonical form cuts off pointers that are null in all of them.
    let width = if parts.iter().any(|part| !part.verdict.is_empty()) { 3 } else { 2 };
    let mut bytes = Vec::with_capacity(16 + 8 * rows_words(rows.clone(), width));
    put_word(&mut bytes, 1 << 48);
    put_word(&mut bytes, pointer(1, 2, rows_kind(parts.len(), width)));
    put_rows(&mut bytes, rows, width);
    bytes
}

/// The parts of a payload. Fails on anything that [`encode`] would write in another way.
pub fn decode(payload: &[u8]) -> Result<Vec<Part>, ArtifactError> {
    let reader = Reader::new(payload)?;
    let (start, count, width) = match reader.word(0)? {
        0xffff_fffc => (0, 0, 0),
        root if root == 1 << 48 => reader.rows(8)?,
        _ => return Err(ArtifactError::Malformed("the payload is no list of parts")),
    };
    if count > limits::PARTS {
        return Err(ArtifactError::TooLarge { field: "parts", size: count, most: limits::PARTS });
    }
    // Before anything is copied: many pointers may lead to one long name.
    let mut room = payload.len();
    let part = |row: usize| {
        let place = |field: usize| (field < width).then_some(start + 8 * (width * row + field));
        let text = |field| place(field).map_or(Ok(""), |at| reader.text(at, "parts"));
        let (name, verdict) = (text(0)?, text(2)?);
        room = room.checked_sub(name.len() + verdict.len()).ok_or(ArtifactError::NotCanonical)?;
        let artifact = place(1).map_or(Ok(&[][..]), |at| reader.data(at))?;
        let artifact = Checksum(artifact.try_into().map_err(|_| ArtifactError::NotAHash)?);
        Ok(Part { name: name.to_owned(), artifact, verdict: verdict.to_owned() })
    };
    let parts: Vec<Part> = (0..count).map(part).collect::<Result<_, ArtifactError>>()?;
    if encode(&parts) == payload { Ok(parts) } else { Err(ArtifactError::NotCanonical) }
}
