//! The compiler's library on a real machine: files beside a program, the project's `aivm.toml`, `ai_worker_definitions.json` and
//! agents, the standard library.

use crate::config::{self, Project};
use crate::project;
use aivm_host::models::Models;
use aivm_host::secret::shape;
use aivm_host::{builtin, stdlib};
use aivm_lang::front::Limits;
use aivm_lang::library::{Found, Library, LibraryError};
use aivm_schema::unit::{Money, Tokens};
use aivm_schema::worker::seed::{self, Bundle, Status};
use aivm_schema::worker::{BehaviourDefinition, Does, Loaded, Settings, WorkerDefinition};
use std::cell::OnceCell;
use std::path::{Path, PathBuf};

/// Looks names up in files.
#[derive(Debug, Default)]
pub struct Files {
    /// The folder of `aivm.toml`.
    root: Option<PathBuf>,
    /// What `aivm.toml` says.
    project: Project,
    /// What models cost, when somebody has asked.
    models: OnceCell<Models>,
    /// What `ai_worker_definitions.json` beside it says, when somebody has looked.
    seeds: OnceCell<Result<Bundle, LibraryError>>,
}

/// A worker, and where it is defined.
pub struct Known {
    /// What it is.
    pub loaded: Loaded,
    /// The file that defines it.
    pub origin: String,
}

impl Files {
    /// The library around a program's file.
    pub fn around(file: &str) -> Result<Files, LibraryError> {
        let folder = folder(file);
        let Some(root) = project::nearest(&folder, "aivm.toml") else { return Ok(Files::default()) };
        let path = root.join("aivm.toml");
        let error = |reason: String| LibraryError { file: path.display().to_string(), reason };
        let text = project::read_plain(&path)?.ok_or_else(|| error("it is no plain file".to_owned()))?;
        let project = Project::parse(&text).map_err(error)?;
        Ok(Files { root: Some(root), project, ..Files::default() })
    }

    /// The workers of `ai_worker_definitions.json`, valid ones; and where it is.
    pub fn seeds(&self) -> Result<Option<(PathBuf, &Bundle)>, LibraryError> {
        let Some(path) = self.root.as_ref().map(|root| root.join(seed::FILE)) else { return Ok(None) };
        let seeds = self.seeds.get_or_init(|| config::read_seeds(&path).map(Option::unwrap_or_default));
        seeds.as_ref().map(|bundle| Some((path, bundle))).map_err(Clone::clone)
    }

    fn seeded(&self, name: &str) -> Result<Option<Known>, LibraryError> {
        let Some((path, bundle)) = self.seeds()? else { return Ok(None) };
        let origin = path.display().to_string();
        let error = |reason: String| LibraryError { file: origin.clone(), reason };
        match (bundle.worker(name), bundle.wrong(name)) {
            (Some(worker), _) if worker.status != Status::Active => {
                Err(error(format!("`{}` is {}, not active", worker.name, worker.status.word())))
            }
            (Some(worker), _) => {
                let (definition, notes) = (worker.definition.clone(), worker.notes.clone());
                let loaded = Loaded { definition, name: Some(worker.name.clone()), notes };
                Ok(Some(Known { loaded, origin }))
            }
            (None, Some(wrong)) => Err(error(wrong.to_string())),
            (None, None) => Ok(None),
        }
    }

    /// Where agents are: beside `aivm.toml`, or beside the program where there is none.
    fn agents(&self, file: &str) -> PathBuf {
        self.root.clone().unwrap_or_else(|| folder(file)).join(".claude").join("agents")
    }

    fn read_worker(&self, path: &Path, name: &str, text: &str) -> Result<Known, LibraryError> {
        let origin = path.display().to_string();
        let error = |reason: String| LibraryError { file: origin.clone(), reason };
        let markdown = path.extension().is_some_and(|extension| extension == "md");
        let agent = markdown && Loaded::is_agent(text);
        // What another program's file gives away is not taken over.
        let (masked, credentials) = if agent { shape::masked(text) } else { (text.to_owned(), 0) };
        let text = masked.as_str();
        let mut loaded = match markdown {
            true => Loaded::from_markdown(text).map_err(error)?,
            false => WorkerDefinition::from_toml(text).map_err(|e| error(e.to_string().trim().to_owned()))?.into(),
        };
        if agent {
            self.name_models(&mut loaded, name);
            loaded.notes.extend(config::not_taken_over(&loaded.definition, credentials));
        }
        Ok(Known { loaded, origin })
    }

    /// What the bare name of an agent's model stands for here: what `[models.alias]` says, else whoever is asked anyway.
    fn name_models(&self, loaded: &mut Loaded, word: &str) {
        if let Some(name) = loaded.name.as_ref().filter(|name| *name != word) {
            loaded.notes.push(format!("its name is `{name}`, and its word that of its file, `{word}`"));
        }
        let Does::Model(ask) = &mut loaded.definition.does else { return };
        for model in std::mem::take(&mut ask.models) {
            match self.project.models.models.alias.get(&model) {
                Some(known) => ask.models.push(known.clone()),
                None if model.contains('/') => ask.models.push(model),
                None => loaded
                    .notes
                    .push(format!("the configured model is asked: `{model}` is none in [models.alias] of aivm.toml")),
            }
        }
    }

    /// The worker of this name in the files around a program, with what is to be known of it; a program of that name is none.
    pub fn known(&self, file: &str, name: &str) -> Result<Option<Known>, LibraryError> {
        for extension in ["md", "toml"] {
            let path = folder(file).join("workers").join(format!("{name}.{extension}"));
            if let Some(text) = project::read_plain(&path)? {
                return self.read_worker(&path, name, &text).map(Some);
            }
        }
        if let Some(definition) = self.project.front.worker.get(name) {
            let origin = self.root.clone().unwrap_or_default().join("aivm.toml").display().to_string();
            return Ok(Some(Known { loaded: definition.clone().into(), origin }));
        }
        // No agent is called by a path of several words.
        if !name.contains('.') {
            if let Some(known) = self.seeded(name)? {
                return Ok(Some(known));
            }
            let path = self.agents(file).join(format!("{name}.md"));
            if let Some(text) = project::read_plain(&path)? {
                return self.read_worker(&path, name, &text).map(Some);
            }
        }
        let Some(page) = stdlib::page(name) else { return Ok(None) };
        self.read_worker(Path::new(&format!("stdlib/workers/{name}.md")), name, page).map(Some)
    }

    /// The names of programs and workers that files around a program have, beside the standard library.
    pub fn own_names(&self, file: &str) -> Vec<String> {
        let mut names: Vec<String> = self.project.front.worker.keys().cloned().collect();
        if let Ok(Some((_, bundle))) = self.seeds() {
            let active = bundle.workers.iter().filter(|worker| worker.status == Status::Active);
            names.extend(active.map(|worker| worker.word.clone()));
        }
        let folder = folder(file);
        for (folder, extensions) in
            [(folder.clone(), &["aivm"][..]), (folder.join("workers"), &["md", "toml"]), (self.agents(file), &["md"])]
        {
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            for path in entries.flatten().take(10_000).map(|entry| entry.path()) {
                let own = path.file_name() == Path::new(file).file_name();
                let fits = path.extension().is_some_and(|extension| extensions.iter().any(|e| extension == *e)) && !own;
                names.extend(path.file_stem().filter(|_| fits).and_then(|stem| stem.to_str()).map(str::to_owned));
            }
        }
        names.sort();
        names.dedup();
        names
    }
}

/// What is wrong with the definition of a built-in.
pub fn check_builtin(name: &str, definition: &WorkerDefinition) -> Result<(), String> {
    builtin::check(name, &definition.with).map_err(|failure| failure.to_string())?;
    builtin::memory::check(definition).map_err(|failure| format!("{}: {failure}", failure.code()))
}

/// The path of a program. What stands beside one that comes from an address is what is here: nothing else is loaded from there.
fn path(file: &str) -> &Path {
    if crate::load::is_address(file) { Path::new("") } else { Path::new(file) }
}

fn folder(file: &str) -> PathBuf {
    let parent = path(file).parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

impl Library for Files {
    fn find(&self, file: &str, name: &str) -> Result<Option<Found>, LibraryError> {
        if !name.contains('.') {
            let program = path(file).with_file_name(format!("{name}.aivm"));
            if let Some(source) = project::read_plain(&program)? {
                return Ok(Some(Found::Program { file: program.display().to_string(), source }));
            }
        }
        Ok(self.known(file, name)?.map(|known| Found::Worker(Box::new(known.loaded.definition))))
    }

    fn find_behaviour(&self, _file: &str, name: &str) -> Result<Option<BehaviourDefinition>, LibraryError> {
        Ok(self.project.front.behaviour.get(name).cloned())
    }

    fn names(&self, file: &str) -> Vec<String> {
        let mut names: Vec<String> = stdlib::names().map(str::to_owned).collect();
        names.extend(self.own_names(file));
        names
    }

    fn own_names(&self, file: &str) -> Vec<String> {
        Files::own_names(self, file)
    }

    fn beside(&self, file: &str, name: &str) -> Result<Option<String>, LibraryError> {
        project::read_plain(&folder(file).join(name))
    }

    fn defined_in(&self, file: &str, name: &str) -> Option<String> {
        self.known(file, name).ok().flatten().map(|known| known.origin.trim_start_matches("./").to_owned())
    }

    fn origin(&self, file: &str, name: &str) -> Option<String> {
        let origin = self.known(file, name).ok().flatten()?.origin;
        // A page of the standard library is in this program, and nowhere on the disk.
        Path::new(&origin).is_file().then_some(origin)
    }

    fn check(&self, definition: &WorkerDefinition) -> Result<(), String> {
        match &definition.does {
            Does::Builtin(name) => check_builtin(name, definition),
            #[cfg(feature = "http")]
            Does::Http(http) => {
                let told = |error: aivm_vm::action::CallError| format!("{}: {}", error.code, error.message);
                aivm_host::work::http::check(http, &definition.with).map_err(told)
            }
            #[cfg(feature = "models")]
            Does::Model(ask) => {
                // A run takes them from the settings of the store, which may be another file's.
                aivm_host::work::model::check(ask, |name| {
                    let is_known = |project: &Project| project.models.models.alias.contains_key(name);
                    is_known(&self.project) || Project::of_the_store().is_ok_and(|project| is_known(&project))
                })
            }
            _ => Ok(()),
        }?;
        if let Some(reason) = aivm_host::cache::refused(definition) {
            return Err(reason);
        }
        match shape::credential(&definition.to_json()) {
            Some((_, what)) => Err(format!("E0964: {what} is written in it, for everybody to read")),
            None => Ok(()),
        }
    }

    fn wrong_inputs(&self, definition: &WorkerDefinition, inputs: &Settings) -> Vec<String> {
        match &definition.does {
            Does::Builtin(name) => builtin::wrong_inputs(name, inputs),
            _ => builtin::capability_of(definition).map_or(Vec::new(), |name| builtin::wrong_inputs(name, inputs)),
        }
    }

    fn absolute_paths<'i>(&self, definition: &WorkerDefinition, inputs: &'i Settings) -> Vec<(&'i str, &'i str)> {
        match &definition.does {
            Does::Builtin(name) => builtin::absolute_paths(name, inputs),
            _ => Vec::new(),
        }
    }

    fn price(&self, definition: &WorkerDefinition) -> (Option<Money>, Option<Tokens>) {
        let (money, tokens) = definition.price();
        let Does::Model(ask) = &definition.does else { return (money, tokens) };
        let models = self.models.get_or_init(|| Models::new(config::asked(self.project.models.clone())));
        let (most_money, most_tokens) = models.most(ask);
        (money.or(most_money), tokens.or(most_tokens))
    }

    fn undoer(&self, definition: &WorkerDefinition) -> Option<(String, WorkerDefinition)> {
        stdlib::undoer(definition)
    }

    fn has_model(&self) -> bool {
        config::model_named().is_some() || !self.project.models.models.default.is_empty()
    }

    fn limits(&self) -> Limits {
        self.project.front.limits.clone()
    }
}
