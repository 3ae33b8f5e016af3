//! `--in`: text, `@FILE`, or `-` for standard input, and what type it is.

use crate::fail::Failure;
use crate::out::plain;
use crate::project;
use aivm_schema::artifact::Draft;
use std::io::IsTerminal;

/// The run's input as it was given on the command line.
pub fn draft(given: Option<&str>, media_type: Option<&str>) -> Result<Draft, Failure> {
    let (payload, guessed) = match given {
        None => (Vec::new(), "text/plain"),
        Some("-") => (project::read("-")?, "text/plain"),
        Some(text) => match text.strip_prefix('@') {
            Some(path) => (project::read(path)?, media_type_of(path)),
            None => (text.as_bytes().to_vec(), "text/plain"),
        },
    };
    drafted(payload, media_type.unwrap_or(guessed))
}

/// An input of this type.
pub fn drafted(payload: Vec<u8>, media_type: &str) -> Result<Draft, Failure> {
    if !is_media_type(media_type) {
        return Err(Failure::usage("E0804", format!("`--type {}` is not TYPE/SUBTYPE", plain(media_type)))
            .help("for example text/plain, text/csv, application/json"));
    }
    Ok(Draft {
        media_type: media_type.to_owned(),
        origin: "user".to_owned(),
        role: "input".to_owned(),
        scope: "run".to_owned(),
        attributes: Vec::new(),
        payload: crate::secret::given("the input", payload),
    })
}

/// `TYPE/SUBTYPE`, with or without parameters behind a semicolon.
fn is_media_type(text: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c))
    };
    let (essence, _) = text.split_once(';').unwrap_or((text, ""));
    !text.contains(char::is_control)
        && essence.trim_end().split_once('/').is_some_and(|(kind, subtype)| is_name(kind) && is_name(subtype))
}

/// Does standard input hold what nobody will read? Looks, and never waits.
pub fn is_waiting() -> bool {
    let stdin = std::io::stdin();
    !stdin.is_terminal() && rustix::io::ioctl_fionread(&stdin).is_ok_and(|bytes| bytes > 0)
}

/// The media type that a file's name tells.
pub fn media_type_of(path: &str) -> &'static str {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        "json" => "application/json",
        "jsonl" | "ndjson" | "lines" => "text/x-lines",
        "csv" => "text/csv",
        "md" | "markdown" => "text/markdown",
        "html" | "htm" => "text/html",
        "toml" => "application/toml",
        "yaml" | "yml" => "application/yaml",
        "txt" | "log" | "text" | "aivm" => "text/plain",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}
