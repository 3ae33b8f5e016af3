//! Messages: JSON with the length of it before. What is no message is answered and passed over; the conversation goes on.

use serde_json::{Value, json};
use std::io::{self, BufRead, Write};
use std::sync::mpsc::Sender;

/// The longest message, in bytes: a text of the longest source, with every byte of it escaped, fits.
const LONGEST: usize = 64 << 20;
/// The longest line of a head, in bytes.
const LONGEST_LINE: u64 = 4 << 10;

/// What was read.
#[derive(Debug)]
pub enum Message {
    /// It wants an answer.
    Request { id: Value, method: String, params: Value },
    /// It wants none.
    Notification { method: String, params: Value },
    /// An answer to a question; this server asks none.
    Response,
    /// It is none.
    Broken(Fault),
}

/// Why a request is not answered, as JSON-RPC and the protocol number it.
#[derive(Debug)]
pub struct Fault {
    code: i32,
    message: String,
}

impl Fault {
    fn new(code: i32, message: impl Into<String>) -> Fault {
        Fault { code, message: message.into() }
    }
    pub fn no_method(method: &str) -> Fault {
        Fault::new(-32601, format!("{method} is not known here"))
    }
    pub fn invalid_request(message: impl Into<String>) -> Fault {
        Fault::new(-32600, message)
    }
    pub fn invalid_params(message: impl Into<String>) -> Fault {
        Fault::new(-32602, message)
    }
    pub fn internal(message: impl Into<String>) -> Fault {
        Fault::new(-32603, message)
    }
    pub fn not_initialized() -> Fault {
        Fault::new(-32002, "`initialize` comes first")
    }
    pub fn cancelled() -> Fault {
        Fault::new(-32800, "cancelled")
    }
    /// It was understood, and cannot be done.
    pub fn refused(message: impl Into<String>) -> Fault {
        Fault::new(-32803, message)
    }
}

/// The answer that a request failed.
pub fn failed(id: &Value, fault: &Fault) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": fault.code, "message": fault.message}})
}

/// Reads messages until the input ends, or nobody takes them.
pub fn read_all(mut input: impl BufRead, to: &Sender<Message>) {
    while let Ok(Some(message)) = read(&mut input) {
        if to.send(message).is_err() {
            return;
        }
    }
}

/// The next message; none at the end of the input.
fn read(input: &mut impl BufRead) -> io::Result<Option<Message>> {
    let mut length = None;
    loop {
        let mut line = Vec::new();
        if io::Read::take(&mut *input, LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim();
        if line.is_empty() {
            // What stands between messages and is no head is passed over.
            if length.is_some() {
                break;
            }
        } else if let Some((name, value)) = line.split_once(':')
            && name.trim().eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse::<usize>().ok();
        }
    }
    let length = length.unwrap_or(0);
    if length > LONGEST {
        io::copy(&mut io::Read::take(&mut *input, length as u64), &mut io::sink())?;
        return Ok(Some(Message::Broken(Fault::invalid_request(format!("{length} bytes: at most {LONGEST}")))));
    }
    let mut bytes = vec![0; length];
    io::Read::read_exact(input, &mut bytes)?;
    Ok(Some(understood(&bytes)))
}

fn understood(bytes: &[u8]) -> Message {
    let mut value: Value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(error) => return Message::Broken(Fault::new(-32700, format!("this is no JSON: {error}"))),
    };
    let (id, method) = (value.get("id").cloned(), value.get("method").and_then(Value::as_str).map(str::to_owned));
    let params = value.get_mut("params").map(Value::take).unwrap_or_default();
    match (id, method) {
        (Some(id), Some(method)) if id.is_string() || id.is_number() => Message::Request { id, method, params },
        (None, Some(method)) => Message::Notification { method, params },
        (Some(_), None) if value.get("result").or(value.get("error")).is_some() => Message::Response,
        _ => Message::Broken(Fault::invalid_request("this is neither a request nor a notification")),
    }
}

/// Writes a message, whole.
pub fn write(out: &mut impl Write, message: &Value) -> io::Result<()> {
    let text = message.to_string();
    write!(out, "Content-Length: {}\r\n\r\n{text}", text.len())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &str) -> Vec<Message> {
        let mut input = input.as_bytes();
        std::iter::from_fn(|| read(&mut input).ok().flatten()).collect()
    }

    #[test]
    fn what_is_no_message_is_told_and_passed_over() {
        let good = r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#;
        let framed = |body: &str| format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let input = [framed("{no json"), "noise\r\n\r\n".into(), framed("[]"), framed(good), framed(good)].concat();
        let all = all(&input);
        assert!(matches!(&all[0], Message::Broken(Fault { code: -32700, .. })), "{all:?}");
        assert!(matches!(&all[1], Message::Broken(Fault { code: -32600, .. })), "{all:?}");
        assert!(matches!(&all[2], Message::Request { method, .. } if method == "m"), "{all:?}");
        assert_eq!(all.len(), 4);
        assert!(read(&mut "Content-Length: 10\r\n\r\n{}".as_bytes()).is_err(), "a message that is cut off is none");
    }
}
