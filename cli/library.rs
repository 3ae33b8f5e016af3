//! The compiler's library on a real machine: files beside a program, the project's `aivm.toml`, the standard library.

use crate::project;
use aivm_host::{builtin, stdlib};
use aivm_lang::front::{FrontMatter, Limits};
use aivm_lang::library::{Found, Library, LibraryError};
use aivm_schema::limits::SOURCE;
use aivm_schema::worker::{BehaviourDefinition, Does, WorkerDefinition};
use std::path::{Path, PathBuf};

/// Looks names up in files.
#[derive(Debug, Default)]
pub struct Files {
    /// What `aivm.toml` defines.
    project: FrontMatter,
}

impl Files {
    /// The library around a program's file.
    pub fn around(file: &str) -> Result<Files, LibraryError> {
        let folder = folder(file);
        let Some(root) = project::nearest(&folder, "aivm.toml") else { return Ok(Files::default()) };
        let path = root.join("aivm.toml");
        let error = |reason: String| LibraryError { file: path.display().to_string(), reason };
        let text = read(&path)?.ok_or_else(|| error("it is no plain file".to_owned()))?;
        let project = crate::config::Project::parse(&text).map_err(error)?;
        Ok(Files { project: project.front })
    }
}

fn folder(file: &str) -> PathBuf {
    let parent = Path::new(file).parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// The text of a file that may not be there. Only a plain file is opened: reading another may never end.
pub fn read(path: &Path) -> Result<Option<String>, LibraryError> {
    let error = |reason: String| LibraryError { file: path.display().to_string(), reason };
    match std::fs::metadata(path) {
        Ok(about) if about.len() > SOURCE as u64 => return Err(error(format!("it is larger than {SOURCE} bytes"))),
        Ok(about) if !about.is_file() => return Ok(None),
        Ok(_) => {}
        Err(_) => return Ok(None),
    }
    std::fs::read_to_string(path).map(Some).map_err(|e| error(e.to_string()))
}

fn worker(path: &Path, text: &str) -> Result<Found, LibraryError> {
    let markdown = path.extension().is_some_and(|extension| extension == "md");
    let definition = if markdown { WorkerDefinition::from_markdown(text) } else { WorkerDefinition::from_toml(text) };
    let definition = definition
        .map_err(|e| LibraryError { file: path.display().to_string(), reason: e.to_string().trim().to_owned() })?;
    Ok(Found::Worker(Box::new(definition)))
}

impl Library for Files {
    fn find(&self, file: &str, name: &str) -> Result<Option<Found>, LibraryError> {
        // No file and no definition is called by a path of several words.
        if !name.contains('.') {
            let folder = folder(file);
            let program = Path::new(file).with_file_name(format!("{name}.aivm"));
            if let Some(source) = read(&program)? {
                return Ok(Some(Found::Program { file: program.display().to_string(), source }));
            }
            for extension in ["md", "toml"] {
                let path = folder.join("workers").join(format!("{name}.{extension}"));
                if let Some(text) = read(&path)? {
                    return worker(&path, &text).map(Some);
                }
            }
            if let Some(definition) = self.project.worker.get(name) {
                return Ok(Some(Found::Worker(Box::new(definition.clone()))));
            }
        }
        let Some(page) = stdlib::page(name) else { return Ok(None) };
        worker(Path::new(&format!("stdlib/workers/{name}.md")), page).map(Some)
    }

    fn find_behaviour(&self, _file: &str, name: &str) -> Result<Option<BehaviourDefinition>, LibraryError> {
        Ok(self.project.behaviour.get(name).cloned())
    }

    fn names(&self, file: &str) -> Vec<String> {
        let mut names: Vec<String> = stdlib::names().map(str::to_owned).collect();
        names.extend(self.project.worker.keys().cloned());
        let folder = folder(file);
        for (folder, extensions) in [(folder.clone(), &["aivm"][..]), (folder.join("workers"), &["md", "toml"])] {
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            for path in entries.flatten().take(10_000).map(|entry| entry.path()) {
                let own = path.file_name() == Path::new(file).file_name();
                let fits = path.extension().is_some_and(|extension| extensions.iter().any(|e| extension == *e)) && !own;
                names.extend(path.file_stem().filter(|_| fits).and_then(|stem| stem.to_str()).map(str::to_owned));
            }
        }
        names
    }

    fn check(&self, definition: &WorkerDefinition) -> Result<(), String> {
        match &definition.does {
            Does::Builtin(name) => builtin::check(name, &definition.with).map_err(|failure| failure.to_string()),
            #[cfg(feature = "http")]
            Does::Http(http) => {
                let told = |error: aivm_vm::action::CallError| format!("{}: {}", error.code, error.message);
                aivm_host::work::http::check(http, &definition.with).map_err(told)
            }
            _ => Ok(()),
        }
    }

    fn undoer(&self, definition: &WorkerDefinition) -> Option<(String, WorkerDefinition)> {
        stdlib::undoer(definition)
    }

    fn limits(&self) -> Limits {
        self.project.limits.clone()
    }
}
