//! Where things are: the project around a folder, its `.aivm/`, the user's own files; and reading a program's text.

use crate::args::Written;
use crate::fail::{Failure, Source};
use crate::load;
use aivm_lang::library::LibraryError;
use aivm_lang::workflow::{Format, Layer, Reading};
use aivm_schema::limits::SOURCE;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The bytes of a file, or of standard input for `-`: as many as an artifact can hold.
pub fn read(path: &str) -> Result<Vec<u8>, Failure> {
    read_most(path, aivm_schema::limits::PAYLOAD as u64)
}

/// The bytes of a file, however large.
#[cfg(feature = "store")]
pub fn read_any(path: &str) -> Result<Vec<u8>, Failure> {
    read_most(path, u64::MAX - 1)
}

/// No source and no module is nearly so large; of a larger file nothing is kept.
const LARGEST_PROGRAM: u64 = 32 << 20;

/// The bytes of a source or module, or of standard input for `-`.
pub fn read_program(path: &str) -> Result<Vec<u8>, Failure> {
    read_most(path, LARGEST_PROGRAM)
}

fn read_most(path: &str, most: u64) -> Result<Vec<u8>, Failure> {
    let read = |from: &mut dyn Read| {
        let mut bytes = Vec::new();
        from.take(most + 1).read_to_end(&mut bytes).map(|_| bytes)
    };
    let result = match path {
        "-" => read(&mut std::io::stdin().lock()),
        path => std::fs::File::open(path).and_then(|mut file| read(&mut file)),
    };
    let error = |reason: String| Failure::usage("E0801", format!("cannot read {path}: {reason}"));
    let bytes = result.map_err(|reason| match beside(path).filter(|_| reason.kind() == ErrorKind::NotFound) {
        Some(near) => error(reason.to_string()).help(format!("did you mean {near}?")),
        None => error(reason.to_string()),
    })?;
    match bytes.len() as u64 <= most {
        true => Ok(bytes),
        false => Err(error(format!("it is larger than {} MiB", most.div_ceil(1 << 20)))),
    }
}

/// The file with the same ending, in the folder of one that is not there, that was most likely meant.
fn beside(path: &str) -> Option<String> {
    const MOST_LOOKED_AT: usize = 10_000;
    let path = Path::new(path);
    let folder = path.parent()?;
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries =
        std::fs::read_dir(here).ok()?.flatten().take(MOST_LOOKED_AT).map(|entry| PathBuf::from(entry.file_name()));
    let fitting = entries.filter(|name| name.extension() == path.extension());
    let stems: Vec<String> = fitting.filter_map(|name| Some(name.file_stem()?.to_str()?.to_owned())).collect();
    let near = aivm_lang::nearest(path.file_stem()?.to_str()?, stems.iter().map(String::as_str))?;
    let near = path.extension().map_or(PathBuf::from(&near), |ending| Path::new(&near).with_added_extension(ending));
    Some(folder.join(near).display().to_string())
}

/// A program's text, and behind it what is laid over it; its format is told from what it says, unless it is given.
pub fn read_source(path: &str, written: &Written) -> Result<Source, Failure> {
    let mut text = read_text(path)?;
    let format = written.format.unwrap_or_else(|| Format::of_file(path, &text));
    let (pipeline, who) = (written.pipeline.clone(), written.who.clone());
    let mut reading = Reading { format, over: Vec::new(), pipeline, who };
    for path in &written.with {
        reading.over.push(Layer { name: load::shown(path).to_owned(), start: text.len() });
        text.push_str(&read_text(path)?);
    }
    Ok(Source { name: load::shown(path).to_owned(), text, reading })
}

fn read_text(path: &str) -> Result<String, Failure> {
    let bytes = if load::is_address(path) { load::bytes(path)? } else { read_program(path)? };
    let utf8 = aivm_lang::parser::read_utf8(&bytes);
    let path = load::shown(path);
    if path.ends_with(".aivmc") || utf8.is_err() && aivm_schema::module::load(&bytes).is_ok() {
        let failure = Failure::usage("E0817", format!("{path} is a module, and a source is wanted"));
        return Err(failure.help("give the .aivm file that it was compiled from; aivm disasm shows a module"));
    }
    let told = |diagnostic| {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let source = Source { name: path.to_owned(), text, reading: Format::Aivm.into() };
        Failure::Program { source, diagnostics: vec![diagnostic] }
    };
    utf8.map(str::to_owned).map_err(told)
}

/// Only a workflow has keys over which something can be laid.
pub fn nothing_over(path: &str, written: &Written) -> Result<(), Failure> {
    match written.with.is_empty() && written.pipeline.is_none() {
        true => Ok(()),
        false => Err(Failure::usage(
            "E0853",
            format!("nothing is laid over or taken from {path}, which is no workflow any more"),
        )
        .help("do it with the file that it comes from: aivm compile FILE --with OVERRIDES --pipeline NAME")),
    }
}

/// The nearest ancestor of a folder, itself included, that has an entry of this name.
pub fn nearest(from: &Path, name: &str) -> Option<PathBuf> {
    let from = std::path::absolute(from).ok()?;
    from.ancestors().find(|folder| folder.join(name).exists()).map(Path::to_path_buf)
}

/// `.aivm/`: of the nearest folder that has one or an `aivm.toml`, upwards from the current one; else of that.
pub fn state_folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("AIVM_STATE").filter(|folder| !folder.is_empty()) {
        return folder.into();
    }
    let here = std::env::current_dir().unwrap_or_else(|_| ".".into());
    let is_root = |folder: &&Path| [".aivm", "aivm.toml"].iter().any(|name| folder.join(name).exists());
    here.ancestors().find(is_root).unwrap_or(&here).join(".aivm")
}

/// `~/.config/aivm` or what `XDG_CONFIG_HOME` says.
pub fn user_folder() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CONFIG_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".config")))
        .map(|folder| folder.join("aivm"))
}

/// Who types this.
pub fn who() -> String {
    let named = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok().filter(|who| !who.is_empty()));
    named.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

/// The text of a file that may not be there. Only a plain file is opened: reading another may never end.
pub fn read_plain(path: &Path) -> Result<Option<String>, LibraryError> {
    let error = |reason: String| LibraryError { file: path.display().to_string(), reason };
    match std::fs::metadata(path) {
        Ok(about) if about.len() > SOURCE as u64 => return Err(error(format!("it is larger than {SOURCE} bytes"))),
        Ok(about) if !about.is_file() => return Ok(None),
        Ok(_) => {}
        Err(_) => return Ok(None),
    }
    std::fs::read_to_string(path).map(Some).map_err(|e| error(e.to_string()))
}
