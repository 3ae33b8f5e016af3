//! Words, pointers and lists of Cap'n Proto, as far as artifacts and parts need them: what is text, data or a list of structs
//! that hold nothing else. In the order of the canonical form, which is also the order of writing.

use super::ArtifactError;

const LIST: u64 = 1;
const BYTES: u64 = 2;
const COMPOSITE: u64 = 7;

/// A place in a segment, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Range {
    pub start: u32,
    pub end: u32,
}

/// What a pointer leads to: bytes, and whether a NUL ends them. No bytes: a null pointer.
#[derive(Clone, Copy)]
pub(crate) struct Blob<'a> {
    pub bytes: &'a [u8],
    nul: bool,
}

impl<'a> Blob<'a> {
    pub(crate) fn text(text: &'a str) -> Blob<'a> {
        Blob { bytes: text.as_bytes(), nul: true }
    }

    pub(crate) fn data(bytes: &'a [u8]) -> Blob<'a> {
        Blob { bytes, nul: false }
    }

    /// Bytes, the NUL included.
    fn count(self) -> usize {
        if self.bytes.is_empty() { 0 } else { self.bytes.len() + usize::from(self.nul) }
    }

    pub(crate) fn words(self) -> usize {
        self.count().div_ceil(8)
    }

    /// The upper half of its pointer.
    pub(crate) fn kind(self) -> u64 {
        BYTES | (self.count() as u64) << 3
    }

    pub(crate) fn put(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.bytes);
        bytes.resize(bytes.len() - self.bytes.len() + 8 * self.words(), 0);
    }
}

pub(crate) fn put_word(bytes: &mut Vec<u8>, word: u64) {
    bytes.extend_from_slice(&word.to_le_bytes());
}

/// The list pointer in word `at` to word `target`.
pub(crate) fn pointer(at: usize, target: usize, kind: u64) -> u64 {
    LIST | ((target - at - 1) as u64) << 2 | kind << 32
}

/// The upper half of the pointer to a list of structs: it counts the words of the structs, but neither the tag before them
/// nor what their pointers lead to.
pub(super) fn rows_kind(count: usize, width: usize) -> u64 {
    COMPOSITE | ((count * width) as u64) << 3
}

/// Words of a list of structs of `width` pointers, with the tag and what the pointers lead to.
pub(super) fn rows_words<'a, const N: usize>(
    rows: impl ExactSizeIterator<Item = [Blob<'a>; N]>,
    width: usize,
) -> usize {
    1 + rows.len() * width + rows.flatten().map(Blob::words).sum::<usize>()
}

/// Writes a list of structs of `width` pointers; says where their bytes stand, counted from its tag.
pub(super) fn put_rows<'a, const N: usize>(
    bytes: &mut Vec<u8>,
    rows: impl ExactSizeIterator<Item = [Blob<'a>; N]> + Clone,
    width: usize,
) -> Box<[[Range; N]]> {
    put_word(bytes, (rows.len() as u64) << 2 | (width as u64) << 48);
    let (mut at, mut target) = (0, width * rows.len());
    let row = |row: [Blob<'a>; N]| {
        let mut ranges = [Range::default(); N];
        for (blob, range) in row.into_iter().zip(&mut ranges).take(width) {
            let words = blob.words();
            put_word(bytes, if words == 0 { 0 } else { pointer(at, target, blob.kind()) });
            let start = 8 * (target + 1);
            *range = Range { start: start as u32, end: (start + blob.bytes.len()) as u32 };
            at += 1;
            target += words;
        }
        ranges
    };
    let ranges = rows.clone().map(row).collect();
    rows.flatten().for_each(|blob| blob.put(bytes));
    ranges
}

/// Reads a segment that anybody may have made.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Of a segment of whole words.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Reader<'a>, ArtifactError> {
        let whole = bytes.len().is_multiple_of(8);
        if whole { Ok(Reader { bytes }) } else { Err(ArtifactError::Malformed("its length is no multiple of 8")) }
    }

    pub(super) fn word(self, at: usize) -> Result<u64, ArtifactError> {
        let bytes = self.bytes.get(at..).and_then(<[u8]>::first_chunk);
        bytes.map(|bytes| u64::from_le_bytes(*bytes)).ok_or(ArtifactError::Malformed("it is cut short"))
    }

    /// Where the list behind the pointer at byte `at` starts, its element size and its count; none for a null pointer.
    fn list(self, at: usize) -> Result<Option<(usize, u64, usize)>, ArtifactError> {
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

    pub(super) fn data(self, at: usize) -> Result<&'a [u8], ArtifactError> {
        match self.list(at)? {
            None => Ok(&[]),
            Some((start, BYTES, count)) => {
                let bytes = self.bytes.get(start..).and_then(|bytes| bytes.get(..count));
                bytes.ok_or(ArtifactError::Malformed("a field is cut short"))
            }
            Some(_) => Err(ArtifactError::Malformed("a field is no text or data")),
        }
    }

    /// Text without the NUL that ends it.
    pub(super) fn text(self, at: usize, name: &'static str) -> Result<&'a str, ArtifactError> {
        let bytes = self.data(at)?;
        if bytes.is_empty() {
            return Ok("");
        }
        let bytes = bytes.strip_suffix(&[0]).ok_or(ArtifactError::NotText(name))?;
        std::str::from_utf8(bytes).map_err(|_| ArtifactError::NotText(name))
    }

    /// A list of structs of pointers: where its structs start, how many they are and how many pointers each has. All of them
    /// are within the segment.
    pub(super) fn rows(self, at: usize) -> Result<(usize, usize, usize), ArtifactError> {
        let error = ArtifactError::Malformed("a list is cut short, or one of something else");
        let Some((start, size, words)) = self.list(at)? else { return Ok((0, 0, 0)) };
        let tag = self.word(start)?;
        let (count, data, width) = ((tag as u32 >> 2) as usize, tag >> 32 & 0xffff, (tag >> 48) as usize);
        let fits = count.checked_mul(width) == Some(words) && words <= self.bytes.len() / 8;
        // Structs of no words could be a billion in no room.
        let sound = size == COMPOSITE && tag & 3 == 0 && data == 0 && (width > 0 || count == 0);
        if fits && sound { Ok((start + 8, count, width)) } else { Err(error) }
    }
}
