//! A plugin worker in Rust: it counts the words of its input, and says `long` or `short`. `docs/plugins.md` tells the protocol; the
//! crate `aivm-schema` reads and writes its frames.
//!
//!     [worker.measure]
//!     plugin = ["./plugin-rust"]
//!     effect = "read"
//!     words = ["long", "short"]

#![allow(clippy::disallowed_methods)] // A program does I/O.

use aivm_schema::plugin::{Answer, Call, Frame, LENGTH, Output, PROTOCOL};
use std::error::Error;
use std::io::{Read, Write};

fn main() -> Result<(), Box<dyn Error>> {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut send = |frame: Frame| -> Result<(), Box<dyn Error>> {
        output.write_all(&frame.to_bytes()?)?;
        Ok(output.flush()?)
    };
    send(Frame::Hello { protocol: PROTOCOL, name: "measure".into() })?;
    let mut length = [0; LENGTH];
    // When its input ends, it ends.
    while input.read_exact(&mut length).is_ok() {
        let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
        input.read_exact(&mut bytes)?;
        if let Frame::Call(call) = Frame::from_bytes(&bytes)? {
            send(Frame::Result(Answer { id: call.id, result: measure(&call), microdollars: 0, tokens: 0 }))?;
        }
    }
    Ok(())
}

fn measure(call: &Call) -> Result<Output, String> {
    let text = std::str::from_utf8(call.input.payload()).map_err(|error| format!("the input is no text: {error}"))?;
    let words = text.split_whitespace().count();
    let outcome = if words > 10 { "long" } else { "short" };
    Ok(Output { outcome: outcome.into(), media_type: "text/plain".into(), payload: words.to_string().into_bytes() })
}
