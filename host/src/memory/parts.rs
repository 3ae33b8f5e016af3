//! Long texts are divided where sentences, paragraphs or headings end; the parts make up the text when they are joined.

use super::MemoryError;
use text_splitter::{ChunkConfig, MarkdownSplitter, TextSplitter};

/// The parts of a text, each of at most so many characters. There is at least one.
pub(super) fn of(text: &str, media_type: &str, most: usize) -> Result<Vec<String>, MemoryError> {
    if most == 0 {
        return Err(MemoryError::Settings("`part` is at least 1".to_owned()));
    }
    if text.len() <= most {
        return Ok(vec![text.to_owned()]);
    }
    let config = ChunkConfig::new(most).with_trim(false);
    let markdown = media_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/markdown"));
    let parts: Vec<&str> = match markdown {
        true => MarkdownSplitter::new(config).chunks(text).collect(),
        false => TextSplitter::new(config).chunks(text).collect(),
    };
    let mut joined: Vec<String> = Vec::with_capacity(parts.len());
    for part in parts {
        // What is blank says nothing by itself.
        match joined.last_mut() {
            Some(last) if part.trim().is_empty() || last.trim().is_empty() => last.push_str(part),
            _ => joined.push(part.to_owned()),
        }
    }
    Ok(joined)
}
