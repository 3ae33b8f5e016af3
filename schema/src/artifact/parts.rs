//! Several values in one, in order, by reference: the payload of type [`MEDIA_TYPE`].

use super::{ArtifactError, Checksum};
use crate::artifact_capnp::parts;
use capnp::message::{Builder, ReaderOptions};

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

/// The payload of these parts: one canonical segment.
pub fn encode(entries: &[Part]) -> Vec<u8> {
    let mut message = Builder::new_default();
    let mut list = message.init_root::<parts::Builder<'_>>().init_parts(entries.len() as u32);
    for (at, entry) in entries.iter().enumerate() {
        let mut part = list.reborrow().get(at as u32);
        // Empty means unset.
        if !entry.name.is_empty() {
            part.set_name(entry.name.as_str());
        }
        part.set_artifact(&entry.artifact.0);
        if !entry.verdict.is_empty() {
            part.set_verdict(entry.verdict.as_str());
        }
    }
    canonical(message)
}

fn canonical(message: Builder<capnp::message::HeapAllocator>) -> Vec<u8> {
    message.into_reader().canonicalize().map(|words| capnp::Word::words_to_bytes(&words).to_vec()).unwrap_or_default()
}

/// The parts of a payload.
pub fn decode(payload: &[u8]) -> Result<Vec<Part>, ArtifactError> {
    let error = |_| ArtifactError::Malformed("the payload is no list of parts");
    let segments = [payload];
    let mut options = ReaderOptions::new();
    options.traversal_limit_in_words(Some(payload.len() / 8 * 4 + 64)).nesting_limit(16);
    let message = capnp::message::Reader::new(capnp::message::SegmentArray::new(&segments), options);
    if !message.is_canonical().map_err(error)? {
        return Err(ArtifactError::NotCanonical);
    }
    let list = message.get_root::<parts::Reader<'_>>().and_then(|root| root.get_parts()).map_err(error)?;
    if list.len() as usize > crate::limits::PARTS {
        return Err(ArtifactError::TooLarge { field: "parts", size: list.len() as usize, most: crate::limits::PARTS });
    }
    let text = |text: capnp::Result<capnp::text::Reader<'_>>| -> Result<String, ArtifactError> {
        text.map_err(error)?.to_string().map_err(|_| ArtifactError::NotText("parts"))
    };
    list.iter()
        .map(|part| {
            let checksum: [u8; 32] = part.get_artifact().map_err(error)?.try_into().map_err(|_| ArtifactError::NotAHash)?;
            Ok(Part { name: text(part.get_name())?, artifact: Checksum(checksum), verdict: text(part.get_verdict())? })
        })
        .collect()
}
