//! What media types mean here: which are text, which are JSON, and which file names they go with.

/// Plain text.
pub const TEXT: &str = "text/plain";
/// One item a line.
pub const LINES: &str = "text/x-lines";
/// JSON.
pub const JSON: &str = "application/json";
/// One JSON value a line.
pub const NDJSON: &str = "application/x-ndjson";
/// Comma-separated values with a header row.
pub const CSV: &str = "text/csv";
/// The same with tabs.
pub const TSV: &str = "text/tab-separated-values";
/// Markdown.
pub const MARKDOWN: &str = "text/markdown";
/// What nobody knows.
pub const BYTES: &str = "application/octet-stream";

/// File extensions and their types; the first of a type is what files of it are named.
const EXTENSIONS: [(&str, &str); 31] = [
    ("txt", TEXT),
    ("log", TEXT),
    ("json", JSON),
    ("ndjson", NDJSON),
    ("jsonl", NDJSON),
    ("csv", CSV),
    ("tsv", TSV),
    ("md", MARKDOWN),
    ("markdown", MARKDOWN),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("css", "text/css"),
    ("js", "text/javascript"),
    ("diff", "text/x-diff"),
    ("patch", "text/x-diff"),
    ("rs", "text/x-rust"),
    ("py", "text/x-python"),
    ("sh", "text/x-shellscript"),
    ("xml", "application/xml"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("toml", "application/toml"),
    ("pdf", "application/pdf"),
    ("zip", "application/zip"),
    ("gz", "application/gzip"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("svg", "image/svg+xml"),
];

/// The type without its parameters.
pub fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or("").trim()
}

/// Several values in one.
pub fn is_parts(media_type: &str) -> bool {
    essence(media_type) == "application/vnd.aivm.parts"
}

/// One JSON value.
pub fn is_json(media_type: &str) -> bool {
    let essence = essence(media_type);
    essence == JSON || essence.ends_with("+json")
}

/// One JSON value a line.
pub fn is_ndjson(media_type: &str) -> bool {
    matches!(essence(media_type), NDJSON | "application/jsonl" | "application/x-jsonlines")
}

/// Text that people read as such, JSON included. No type counts as text.
pub fn is_text(media_type: &str) -> bool {
    let essence = essence(media_type);
    essence.is_empty()
        || essence.starts_with("text/")
        || is_json(media_type)
        || is_ndjson(media_type)
        || ["+xml", "/xml", "/yaml", "/toml", "/javascript"].iter().any(|end| essence.ends_with(end))
}

/// What files of this type are called at the end; `bin` for a stranger.
pub fn extension(media_type: &str) -> &'static str {
    let essence = essence(media_type);
    let known = EXTENSIONS.iter().find(|(_, of)| *of == essence).map(|(extension, _)| *extension);
    known.unwrap_or(if is_json(essence) {
        "json"
    } else if is_text(essence) {
        "txt"
    } else {
        "bin"
    })
}

/// The type of a file, by the end of its name; none for a stranger.
pub fn of_name(name: &str) -> Option<&'static str> {
    let (_, extension) = name.rsplit_once('.')?;
    EXTENSIONS.iter().find(|(known, _)| known.eq_ignore_ascii_case(extension)).map(|(_, of)| *of)
}
