//! The spelling that assembler and disassembler share: tokens of a line, names and texts as tokens.
//!
//! Nothing printed here can steer a terminal: what is not plainly visible is escaped.

/// One token of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Anything without a space, a comma, a quote, a brace or a semicolon.
    Bare(&'a str),
    /// Text in quotes.
    Quoted(String),
    /// An object in braces, as it stands.
    Json(&'a str),
    Comma,
}

/// The tokens of a line, without its comment.
pub(super) fn tokens(line: &str) -> Result<Vec<Token<'_>>, String> {
    let mut tokens = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            ';' => break,
            ',' => (Token::Comma, 1),
            '"' => {
                let (text, length) = unquote(rest)?;
                (Token::Quoted(text), length)
            }
            '{' => {
                let length = json_length(rest).ok_or("a `{` is not closed")?;
                (Token::Json(rest.get(..length).unwrap_or(rest)), length)
            }
            _ => {
                let end = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '"' | '{');
                let length = rest.find(end).unwrap_or(rest.len());
                (Token::Bare(rest.get(..length).unwrap_or(rest)), length)
            }
        };
        tokens.push(token);
        rest = rest.get(length..).unwrap_or("").trim_start();
    }
    Ok(tokens)
}

/// The text in quotes at the start, and how many bytes it takes.
fn unquote(text: &str) -> Result<(String, usize), String> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((out, at + 1)),
            '\\' => match chars.next() {
                Some((_, c @ ('"' | '\\'))) => out.push(c),
                Some((_, 'u')) => {
                    let digits: String =
                        chars.by_ref().map(|(_, c)| c).skip_while(|c| *c == '{').take_while(|c| *c != '}').collect();
                    let c = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                    out.push(c.ok_or("`\\u{…}` wants the number of a character, in hexadecimal")?);
                }
                _ => return Err("a backslash stands before `\"`, `\\` or `u{…}`".into()),
            },
            c => out.push(c),
        }
    }
    Err("a `\"` is not closed".into())
}

/// How many bytes the object at the start takes.
fn json_length(text: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' if !quoted => depth += 1,
            b'}' if !quoted => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// Can it be seen for what it is?
fn is_visible(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The text with what cannot be seen escaped.
pub(super) fn visible(text: &str) -> String {
    let escape = |c: char| if is_visible(c) { c.to_string() } else { format!("\\u{{{:x}}}", u32::from(c)) };
    text.chars().map(escape).collect()
}

/// A name as a token: bare where that reads back as the same.
pub(super) fn name(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/' | b'-');
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if first && text.bytes().all(plain) { text.to_owned() } else { quote(text) }
}

fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if is_visible(c) => out.push(c),
            c => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// A definition as a token: as it stands where it is one visible object.
pub(super) fn definition(text: &str) -> String {
    let whole = text.starts_with('{') && json_length(text) == Some(text.len());
    if whole && text.chars().all(is_visible) { text.to_owned() } else { quote(text) }
}
