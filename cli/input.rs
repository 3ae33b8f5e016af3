//! `--in`: text, `@FILE`, or `-` for standard input, and what type it is.

use crate::fail::Failure;
use crate::project;
use aivm_schema::artifact::Draft;

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
    Ok(Draft {
        media_type: media_type.unwrap_or(guessed).to_owned(),
        origin: "user".to_owned(),
        role: "input".to_owned(),
        scope: "run".to_owned(),
        attributes: Vec::new(),
        payload,
    })
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
