//! Values as a model is shown them: text, the beginning of a long one, files.

use crate::builtin::is_text;
use crate::limits::PER_TOKEN;
use aivm_schema::artifact::Artifact;
use base64::Engine as _;
use genai::chat::{Binary, BinarySource, ContentPart};
use std::borrow::Cow;

/// The media types that models are given as files.
const FILES: [&str; 4] = ["image/", "audio/", "video/", "application/pdf"];

/// The beginning of a text, and what is missing.
pub(super) fn beginning(text: &str, keep: usize) -> Cow<'_, str> {
    if keep >= text.len() {
        return Cow::Borrowed(text);
    }
    let kept = text.get(..text.floor_char_boundary(keep)).unwrap_or("");
    let missing = ((text.len() - kept.len()) as u64).div_ceil(PER_TOKEN);
    Cow::Owned(format!("{kept}\n[… about {missing} tokens are left out here]"))
}

/// A value as a file that models read.
pub(super) fn part_of(name: Option<&str>, value: &Artifact) -> Option<ContentPart> {
    let media_type = value.media_type();
    FILES.iter().find(|file| media_type.starts_with(**file))?;
    let content = base64::engine::general_purpose::STANDARD.encode(value.payload());
    let source = BinarySource::Base64(content.into());
    Some(ContentPart::Binary(Binary::new(media_type, source, name.map(str::to_owned))))
}

/// A value as text.
pub(super) fn text_of(value: &Artifact) -> Option<&str> {
    std::str::from_utf8(value.payload()).ok().filter(|_| is_text(value.media_type()))
}
