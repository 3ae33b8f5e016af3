//! Large files, written past the system's cache of pages: what is written there is seldom read again soon, and a page of memory that
//! has to be found first makes a write many times slower.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What a direct write begins at in memory and on disk, and has a multiple of, in bytes: no disk asks for more.
const ALIGNED: usize = 4 << 10;
/// So many bytes are written at once.
const CHUNK: usize = 1 << 20;

#[cfg(target_os = "linux")]
const DIRECT: i32 = rustix::fs::OFlags::DIRECT.bits() as i32;
#[cfg(not(target_os = "linux"))]
const DIRECT: i32 = 0;

/// What is written so; its memory is kept from file to file.
#[derive(Default)]
pub(super) struct Direct {
    memory: Vec<u8>,
}

impl Direct {
    /// Makes a file of these bytes, which is still to be flushed.
    pub(super) fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<File> {
        match self.past_the_cache(path, bytes) {
            // A file system that has no such writes; or one was cut short, and the next would not begin where it must.
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                let mut file = File::options().write(true).create(true).truncate(true).open(path)?;
                file.write_all(bytes)?;
                Ok(file)
            }
            done => done,
        }
    }

    fn past_the_cache(&mut self, path: &Path, bytes: &[u8]) -> io::Result<File> {
        let mut file = File::options().write(true).create_new(true).custom_flags(DIRECT).open(path)?;
        self.memory.resize(CHUNK + ALIGNED, 0);
        let start = self.memory.as_ptr().align_offset(ALIGNED);
        let room = self.memory.get_mut(start..).ok_or(ErrorKind::InvalidInput)?;
        for chunk in bytes.chunks(CHUNK) {
            let whole = room.get_mut(..chunk.len().next_multiple_of(ALIGNED)).ok_or(ErrorKind::InvalidInput)?;
            let (content, rest) = whole.split_at_mut(chunk.len());
            content.copy_from_slice(chunk);
            rest.fill(0);
            file.write_all(whole)?;
        }
        if !bytes.len().is_multiple_of(ALIGNED) {
            file.set_len(bytes.len() as u64)?;
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_any_size_are_what_was_given() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut direct = Direct::default();
        for size in [0, 1, ALIGNED - 1, ALIGNED, ALIGNED + 1, CHUNK, CHUNK + 1, 2 * CHUNK + ALIGNED, 3 * CHUNK - 7] {
            let bytes: Vec<u8> = (0..size).map(|at| (at * 31 + size) as u8).collect();
            let path = folder.path().join(size.to_string());
            drop(direct.write(&path, &bytes).expect("written"));
            assert!(std::fs::read(&path).expect("read") == bytes, "{size}");
        }
    }
}
