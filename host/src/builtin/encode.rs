//! `encode` and `decode`: bytes as text that passes everywhere, and back.

use super::buffer::Buffer;
use super::input::Call;
use super::setting::{Options, Setting};
use super::{Builtin, Effect, Failure, MOST_BYTES, Output, media, nothing_more};
use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD, URL_SAFE_NO_PAD};

const AS: Setting =
    Setting::choice("as", &["base64", "base64url", "hex", "url"], "the encoding; `url` is percent-encoding");

pub(super) const ENCODE: Builtin = Builtin {
    name: "encode",
    effect: Effect::Pure,
    words: &[],
    instead: None,
    settings: &[AS],
    check: nothing_more,
    run: encode,
};

pub(super) const DECODE: Builtin = Builtin {
    name: "decode",
    effect: Effect::Pure,
    words: &[],
    instead: None,
    settings: &[AS, Setting::text("type", "text/plain", "the media type of what is inside")],
    check: nothing_more,
    run: decode,
};

fn engine(with: &Options<'_>) -> GeneralPurpose {
    if with.text("as") == "base64url" { URL_SAFE_NO_PAD } else { STANDARD }
}

fn encode(call: &Call<'_>) -> Result<Output, Failure> {
    let bytes = call.input.payload;
    call.whole()?;
    // Four characters for three bytes is the least growth.
    if bytes.len() > MOST_BYTES / 4 * 3 {
        return Err(Failure::too_large("the output"));
    }
    let mut out = Buffer::default();
    match call.with.text("as") {
        "hex" => {
            for byte in bytes {
                out.push(&format!("{byte:02x}"))?;
            }
        }
        "url" => {
            for byte in bytes {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
                    out.push_bytes(&[*byte])?;
                } else {
                    out.push(&format!("%{byte:02X}"))?;
                }
            }
        }
        _ => out.push(&engine(&call.with).encode(bytes))?,
    }
    Ok(Output::new(media::TEXT, out.into_bytes()))
}

fn decode(call: &Call<'_>) -> Result<Output, Failure> {
    let name = call.with.text("as");
    let text = call.text()?;
    let wrong = |what: String| Failure::Unreadable(format!("the input is not {name}: {what}"));
    let bytes = match name {
        "url" => percent(text.trim_end_matches(['\r', '\n'])).map_err(wrong)?,
        _ => {
            // Line breaks and spaces are how people and mail wrap it.
            let packed: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
            match name {
                "hex" => hex(&packed).map_err(wrong)?,
                _ => engine(&call.with).decode(&packed).map_err(|error| wrong(error.to_string()))?,
            }
        }
    };
    Ok(Output::new(call.with.text("type"), bytes))
}

fn nibble(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

fn hex(text: &[u8]) -> Result<Vec<u8>, String> {
    let pair = |(nth, pair): (usize, &[u8])| {
        match *pair {
            [high, low] => nibble(high).zip(nibble(low)).map(|(high, low)| high << 4 | low),
            _ => None,
        }
        .ok_or_else(|| format!("digits {} and {} are no byte", 2 * nth + 1, 2 * nth + 2))
    };
    text.chunks(2).enumerate().map(pair).collect()
}

fn percent(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let pair = bytes.next().and_then(nibble).zip(bytes.next().and_then(nibble));
        let (high, low) = pair.ok_or("a `%` is not followed by two hexadecimal digits")?;
        out.push(high << 4 | low);
    }
    Ok(out)
}
