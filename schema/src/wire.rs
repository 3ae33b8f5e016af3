//! What all messages in Cap'n Proto have in common: opened with limits from their size, written in canonical form, optional
//! numbers stored plus one.

use capnp::message::{Builder, HeapAllocator, Reader, ReaderOptions, SegmentArray};

/// The most rows of all tables together that a message may have without any room for them.
const EMPTY_ROWS: usize = 8 << 16;

/// A message of one segment. Fails when the bytes are no whole words.
pub(crate) fn open<'a>(segments: &'a [&'a [u8]; 1]) -> Result<Reader<SegmentArray<'a>>, &'static str> {
    let length = segments.first().map_or(0, |segment| segment.len());
    if !length.is_multiple_of(8) {
        return Err("its length is no multiple of 8");
    }
    let mut options = ReaderOptions::new();
    // Reading walks the message once; hostile pointers may not make it more. Rows that say nothing take no room, but count.
    options.traversal_limit_in_words(Some(length / 8 * 2 + EMPTY_ROWS)).nesting_limit(16);
    Ok(Reader::new(SegmentArray::new(segments), options))
}

/// The bytes of a message: equal content has one form.
pub(crate) fn canonical(message: Builder<HeapAllocator>) -> Vec<u8> {
    // Only a message over the reader's limits cannot be canonicalised, and our own has none.
    message.into_reader().canonicalize().map(|words| capnp::Word::words_to_bytes(&words).to_vec()).unwrap_or_default()
}

pub(crate) fn text(text: capnp::Result<capnp::text::Reader<'_>>) -> capnp::Result<String> {
    Ok(text?.to_str()?.to_owned())
}

pub(crate) fn some16(value: Option<u16>) -> u16 {
    value.map_or(0, |value| value.saturating_add(1))
}

pub(crate) fn some64(value: Option<u64>) -> u64 {
    value.map_or(0, |value| value.saturating_add(1))
}

pub(crate) fn none16(value: u16) -> Option<u16> {
    value.checked_sub(1)
}

pub(crate) fn none64(value: u64) -> Option<u64> {
    value.checked_sub(1)
}

/// Sets a text or list unless it is empty: empty means unset.
macro_rules! set {
    ($builder:ident.$init:ident, $list:expr) => {
        if !$list.is_empty() {
            let mut list = $builder.reborrow().$init($list.len() as u32);
            for (at, value) in $list.iter().enumerate() {
                list.set(at as u32, *value);
            }
        }
    };
    ($builder:ident.$set:ident = $text:expr) => {
        if !$text.is_empty() {
            $builder.$set($text.as_str());
        }
    };
}
pub(crate) use set;
