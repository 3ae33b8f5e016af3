//! The texts that are open in the editor: changed as it says, compiled when somebody wants to know.

use super::lines::{Lines, Range, Units};
use super::told;
use super::wire::Fault;
use crate::library::Files;
use aivm_lang::service::Document;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The texts that are open.
#[derive(Default)]
pub struct Desk {
    units: Units,
    /// Where the pages of error codes are, when the client has said so.
    pages: Option<String>,
    open: BTreeMap<String, Open>,
}

/// A text that is open.
pub struct Open {
    uri: String,
    version: i64,
    text: String,
    lines: Lines,
    units: Units,
    /// What is known of it; none since it was changed.
    known: Option<Known>,
    /// Is what was said of it last still so?
    told: bool,
    /// The editor has closed it, and that has not been told yet.
    is_closed: bool,
}

/// What is known of a text.
struct Known {
    document: Document,
    library: Files,
    /// Why the settings of the project are not read.
    trouble: Option<String>,
}

/// A text, what is known of it, and what it can name.
pub struct Looked<'a> {
    pub uri: &'a str,
    pub document: &'a Document,
    pub library: &'a Files,
    pub lines: &'a Lines,
    pub units: Units,
}

#[derive(Deserialize)]
struct Item {
    uri: String,
    #[serde(default)]
    version: i64,
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct About {
    text_document: Item,
    #[serde(default)]
    content_changes: Vec<Change>,
}

/// A part of a text that is another now; without a range, all of it.
#[derive(Deserialize)]
struct Change {
    range: Option<Range>,
    text: String,
}

impl Desk {
    /// Begins: what client and server agree on, and what the server can do.
    pub fn open_to(&mut self, params: &Value) -> Value {
        let encodings = params.pointer("/capabilities/general/positionEncodings").and_then(Value::as_array);
        let has_utf8 = encodings.is_some_and(|all| all.iter().any(|one| one == "utf-8"));
        self.units = if has_utf8 { Units::Utf8 } else { Units::Utf16 };
        let pages = params.pointer("/initializationOptions/errorPages").and_then(Value::as_str);
        self.pages = pages.map(|pages| pages.trim_end_matches('/').to_owned());
        json!({
            "serverInfo": {"name": "aivm", "version": env!("CARGO_PKG_VERSION")},
            "capabilities": told::capabilities(self.units),
        })
    }

    /// Takes note of what happened in the editor.
    pub fn notified(&mut self, method: &str, params: Value) -> Result<(), Fault> {
        match method {
            "textDocument/didOpen" => {
                let Item { uri, version, text } = read::<About>(params)?.text_document;
                let lines = Lines::of(&text, self.units);
                let open = Open {
                    uri: uri.clone(),
                    version,
                    text,
                    lines,
                    units: self.units,
                    known: None,
                    told: false,
                    is_closed: false,
                };
                self.open.insert(uri, open);
            }
            "textDocument/didChange" => {
                let About { text_document: Item { uri, version, .. }, content_changes } = read(params)?;
                let Some(open) = self.open.get_mut(&uri) else { return Err(not_open(&uri)) };
                content_changes.into_iter().for_each(|change| open.change(change));
                open.version = version;
                open.forget();
            }
            "textDocument/didClose" => {
                let uri = read::<About>(params)?.text_document.uri;
                if let Some(open) = self.open.get_mut(&uri) {
                    // What was said of it is taken back; then it is gone.
                    open.text.clear();
                    open.is_closed = true;
                    open.told = false;
                }
            }
            // A file that was written may be one that the others name.
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => {
                self.open.values_mut().for_each(Open::forget);
            }
            _ => {}
        }
        Ok(())
    }

    /// A text that is open, compiled.
    pub fn look(&mut self, uri: &str) -> Result<Looked<'_>, Fault> {
        let open = self.open.get_mut(uri).filter(|open| !open.is_closed).ok_or_else(|| not_open(uri))?;
        open.look();
        let (lines, units, uri) = (&open.lines, open.units, open.uri.as_str());
        let known = open.known.as_ref().ok_or_else(|| Fault::internal("it could not be compiled"))?;
        Ok(Looked { uri, document: &known.document, library: &known.library, lines, units })
    }

    /// What is wrong with each text that has changed since it was said last.
    pub fn publish(&mut self) -> Vec<Value> {
        let mut messages = Vec::new();
        for open in self.open.values_mut().filter(|open| !open.told) {
            open.told = true;
            let mut params = json!({"uri": open.uri, "diagnostics": []});
            if !open.is_closed {
                open.look();
                params["version"] = open.version.into();
                params["diagnostics"] = open.diagnostics(self.pages.as_deref());
            }
            messages.push(json!({"jsonrpc": "2.0", "method": "textDocument/publishDiagnostics", "params": params}));
        }
        self.open.retain(|_, open| !open.is_closed);
        messages
    }
}

impl Open {
    fn change(&mut self, change: Change) {
        match change.range {
            Some(range) => {
                let span = self.lines.span(&self.text, range);
                self.text.replace_range(span.range(), &change.text);
            }
            None => self.text = change.text,
        }
        self.lines = Lines::of(&self.text, self.units);
    }

    fn forget(&mut self) {
        self.known = None;
        self.told = false;
    }

    fn look(&mut self) {
        if self.known.is_some() {
            return;
        }
        let file = file(&self.uri);
        let (library, trouble) = match Files::around(&file) {
            Ok(library) => (library, None),
            Err(error) => (Files::default(), Some(error.to_string())),
        };
        let document = Document::new(&file, self.text.clone(), &library);
        self.known = Some(Known { document, library, trouble });
    }

    fn diagnostics(&self, pages: Option<&str>) -> Value {
        let Some(known) = &self.known else { return json!([]) };
        let told = known.document.diagnostics().iter();
        let told = told.map(|one| told::diagnostic(one, &self.uri, &self.text, &self.lines, pages));
        let trouble = known.trouble.iter().map(|trouble| {
            let range = self.lines.range(&self.text, Default::default());
            json!({"range": range, "severity": 1, "code": "E0802", "source": "aivm", "message": trouble})
        });
        trouble.chain(told).collect()
    }
}

/// What a message says, as the type that is wanted of it.
pub fn read<T: DeserializeOwned>(params: Value) -> Result<T, Fault> {
    serde_json::from_value(params).map_err(|error| Fault::invalid_params(error.to_string()))
}

fn not_open(uri: &str) -> Fault {
    Fault::invalid_params(format!("{uri} is not open"))
}

/// The path of a file's address. A text that is in no file is looked up beside as if it were in the current folder.
pub fn file(uri: &str) -> String {
    let Some(path) = uri.strip_prefix("file://") else {
        let name = uri.rsplit(['/', ':']).next().unwrap_or(uri);
        return name.to_owned();
    };
    let path = path.get(path.find('/').unwrap_or(0)..).unwrap_or(path);
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let code = behind.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or(&[]);
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The address of a file.
pub fn uri(file: &str) -> String {
    let path: PathBuf = std::path::absolute(Path::new(file)).unwrap_or_else(|_| file.into());
    let mut uri = "file://".to_owned();
    for byte in path.display().to_string().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => uri.push(byte.into()),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_address() {
        for path in ["/a/b.aivm", "/a b/ä+%20.aivm", "/"] {
            assert_eq!(file(&uri(path)), path);
        }
        assert_eq!(file("file://host/a%2Fb"), "/a/b");
        assert_eq!(file("untitled:Untitled-1"), "Untitled-1");
    }
}
