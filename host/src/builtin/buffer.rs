//! Output under construction, which cannot outgrow its limit.

use super::{Failure, MOST_BYTES};
use serde::Serialize;
use std::io;

/// Bytes that refuse to become more than [`MOST_BYTES`].
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    full: bool,
}

impl Buffer {
    pub fn with_capacity(bytes: usize) -> Buffer {
        Buffer { bytes: Vec::with_capacity(bytes.min(MOST_BYTES)), full: false }
    }

    /// Appends; a failure leaves it as it was.
    pub fn push(&mut self, text: &str) -> Result<(), Failure> {
        self.push_bytes(text.as_bytes())
    }

    pub fn push_bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.bytes.len() + bytes.len() > MOST_BYTES {
            self.full = true;
            return Err(Failure::too_large("the output"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Appends compact JSON.
    pub fn push_json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(self, value).map_err(|_| Failure::too_large("the output"))
    }

    /// Appends JSON on several lines.
    pub fn push_pretty(&mut self, value: &impl Serialize, indent: usize) -> Result<(), Failure> {
        let indent = " ".repeat(indent.min(16));
        let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
        let mut serializer = serde_json::Serializer::with_formatter(self, formatter);
        value.serialize(&mut serializer).map_err(|_| Failure::too_large("the output"))
    }

    /// Was something refused?
    pub fn is_full(&self) -> bool {
        self.full
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.push_bytes(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(_) => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compact JSON.
pub(super) fn json(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    let mut buffer = Buffer::default();
    buffer.push_json(value)?;
    Ok(buffer.into_bytes())
}
