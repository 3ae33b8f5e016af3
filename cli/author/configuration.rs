//! The configuration that is being written: TOML whose comments and order stay, changed by commands, and sound after each.

use super::line::Settings;
use crate::fail::Failure;
use crate::library::check_builtin;
use aivm_host::secret::shape;
use aivm_lang::diagnostic::Code;
use aivm_lang::library::{Found, Library, LibraryError};
use aivm_lang::nearest;
use aivm_lang::workflow::{self, Format};
use aivm_schema::worker::{Does, WorkerDefinition};
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, Value};

/// A configuration.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    document: DocumentMut,
}

/// Who has a worker of every name, and judges expressions as a run would.
struct Anything;

impl Library for Anything {
    fn find(&self, _file: &str, _name: &str) -> Result<Option<Found>, LibraryError> {
        Ok(Some(Found::Worker(Box::new(WorkerDefinition::new(Does::Mock)))))
    }

    fn check(&self, definition: &WorkerDefinition) -> Result<(), String> {
        match &definition.does {
            Does::Builtin(name) => check_builtin(name, definition),
            _ => Ok(()),
        }
    }
}

/// A section that a configuration can have.
struct Section {
    name: &'static str,
    /// The first of a list is what its entries are known by.
    keys: Vec<&'static str>,
    is_list: bool,
}

/// The actions of a stage, which stand below it.
const ACTIONS: &str = "actions";

/// What keys take that do not take any text.
const EXAMPLES: [(&str, &str); 22] = [
    ("allowed_actions", "[\"read\", \"write\"]"),
    ("approval_roles", "[\"Administrator\"]"),
    ("data_privacy", "\"GDPR\""),
    ("destination", "\"CloudWatch\""),
    ("health_check_interval", "\"5 minutes\""),
    ("interval", "\"30 days\""),
    ("key_rotation_interval", "\"30 days\""),
    ("key_store", "\"HashiCorp_Vault\""),
    ("level", "\"info\""),
    ("max_iterations", "3"),
    ("members", "[\"ann\"]"),
    ("order", "1"),
    ("port", "443"),
    ("privileges", "[\"read\", \"write\"]"),
    ("protocol", "\"TLS\""),
    ("retry_count", "3"),
    ("retry_interval", "\"5 seconds\""),
    ("review_required", "true"),
    ("stages", "[\"Execution\", \"Evaluation\"]"),
    ("strict", "true"),
    ("tasks", "[\"TaskA\", \"TaskB\"]"),
    ("when", "\"size(input) > 3\""),
];
/// Keys that stand in no example: actions have a command of their own, and a condition has a `type` or a `when`.
const IN_NO_EXAMPLE: [(&str, &str); 2] = [("stages", ACTIONS), ("conditions", "type")];

impl Section {
    fn all() -> Vec<Section> {
        let actions = Section { name: ACTIONS, keys: vec!["name", "type", "stage"], is_list: true };
        let read = workflow::aitws_sections().into_iter();
        read.map(|(name, keys, is_list)| Section { name, keys, is_list }).chain([actions]).collect()
    }

    fn named(name: &str) -> Result<Section, Failure> {
        let all = Section::all();
        let names: Vec<&str> = all.iter().map(|section| section.name).collect();
        let near = nearest(name, names.iter().copied());
        all.into_iter().find(|section| section.name == name).ok_or_else(|| {
            let failure = Failure::usage("E1061", format!("there is no section `{name}`"));
            failure.help(
                near.map_or(format!("the sections are {}", names.join(", ")), |near| format!("did you mean `{near}`?")),
            )
        })
    }

    /// How something is added to it.
    fn form(&self) -> String {
        let example = |key: &&str| match EXAMPLES.iter().find(|(name, _)| name == key) {
            Some((key, value)) => format!("{key}={value}"),
            None => format!("{key}=\"…\""),
        };
        let shown = self.keys.iter().filter(|key| !IN_NO_EXAMPLE.contains(&(self.name, key)));
        let keys: Vec<String> = shown.take(4).map(example).collect();
        format!("/add {} {}", self.name, keys.join(" "))
    }

    fn check(&self, settings: &Settings) -> Result<(), Failure> {
        let Some((key, _)) = settings.iter().find(|(key, _)| !self.keys.contains(&key.as_str())) else { return Ok(()) };
        let failure = Failure::usage("E1063", format!("`{}` has no key `{key}`", self.name));
        Err(failure.help(match nearest(key, self.keys.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("its keys are {}", self.keys.join(", ")),
        }))
    }

    /// The key that its entries are known by, and the one that is meant.
    fn identity<'s>(&self, settings: &'s Settings) -> Result<(&'static str, &'s str), Failure> {
        let key = self.keys.first().copied().unwrap_or("name");
        let value = settings.iter().find(|(name, _)| name == key).and_then(|(_, value)| value.as_str());
        value.filter(|value| !value.trim().is_empty()).map(|value| (key, value)).ok_or_else(|| {
            Failure::usage("E1064", format!("`{}` wants a {key}", self.name)).help(format!("write {}", self.form()))
        })
    }
}

impl Configuration {
    /// From its text; one in which something is wrong is none.
    pub fn parse(text: &str) -> Result<Configuration, String> {
        let document = text.parse::<DocumentMut>().map_err(|error| error.message().to_owned())?;
        let configuration = Configuration { document };
        configuration.wrong().map_or(Ok(configuration), Err)
    }

    /// A new one.
    pub fn create(name: &str) -> Configuration {
        let mut metadata = Table::new();
        metadata.insert("name", toml_edit::value(name));
        metadata.insert("version", toml_edit::value("0.1.0"));
        let mut configuration = Configuration::default();
        configuration.document.insert("metadata", Item::Table(metadata));
        configuration
    }

    /// Its text.
    pub fn text(&self) -> String {
        self.document.to_string()
    }

    /// Its text, or that of a section, with passwords and keys masked.
    pub fn show(&self, section: Option<&str>) -> Result<String, Failure> {
        let text = match section {
            None => self.text(),
            Some(name) => {
                let section = Section::named(name)?;
                let item = self.document.get(section.name).ok_or_else(|| not_there(name, None))?;
                let mut alone = DocumentMut::new();
                alone.insert(section.name, item.clone());
                alone.to_string()
            }
        };
        Ok(shape::masked(&text).0)
    }

    /// The keys of a section.
    pub fn explain(name: &str) -> Result<String, Failure> {
        let section = Section::named(name)?;
        Ok(format!("{}: {}\nfor example: {}", section.name, section.keys.join(", "), section.form()))
    }

    /// Adds to a section, or changes what has this name already; says which.
    pub fn add(&mut self, name: &str, settings: &Settings) -> Result<String, Failure> {
        let section = Section::named(name)?;
        section.check(settings)?;
        if settings.is_empty() {
            return Err(Failure::usage("E1062", "nothing is there to add").help(format!("write {}", section.form())));
        }
        let mut changed = self.clone();
        let said = match (section.name, section.is_list) {
            (ACTIONS, _) => changed.add_action(&section, settings)?,
            (_, true) => {
                let entries = entries(changed.document.as_table_mut(), section.name)?;
                add_entry(&section, entries, settings)?
            }
            (_, false) => {
                let is_there = changed.document.contains_key(section.name);
                let table = changed.document.entry(section.name).or_insert_with(|| Item::Table(apart()));
                let table = table.as_table_mut().ok_or_else(|| no_table(section.name))?;
                for (key, value) in settings {
                    set(table, key, value.clone());
                }
                format!("{} {}", if is_there { "changed" } else { "added" }, section.name)
            }
        };
        if let Some(reason) = changed.wrong() {
            return Err(Failure::usage("E1063", reason).help(format!("write {}", section.form())));
        }
        *self = changed;
        Ok(said)
    }

    fn add_action(&mut self, section: &Section, settings: &Settings) -> Result<String, Failure> {
        let stage = settings.iter().find(|(key, _)| key == "stage").and_then(|(_, value)| value.as_str());
        let Some(stage) = stage else {
            return Err(
                Failure::usage("E1064", "an action stands in a stage").help(format!("write {}", section.form()))
            );
        };
        let stages = entries(self.document.as_table_mut(), "stages")?;
        let Some(table) = stages.iter_mut().find(|table| is_named(table, "name", stage)) else {
            return Err(not_there("stages", Some(stage)).help(format!("add it first: /add stages name=\"{stage}\"")));
        };
        let settings = settings.iter().filter(|(key, _)| key != "stage").cloned().collect();
        add_entry(section, entries(table, ACTIONS)?, &settings)
    }

    /// Removes a section, or what has this name in it.
    pub fn remove(&mut self, name: &str, settings: &Settings) -> Result<String, Failure> {
        let section = Section::named(name)?;
        section.check(settings)?;
        if section.name == ACTIONS {
            return self.remove_action(&section, settings);
        }
        if settings.is_empty() || !section.is_list {
            return match self.document.remove(section.name) {
                Some(_) => Ok(format!("removed {}", section.name)),
                None => Err(not_there(name, None)),
            };
        }
        let said = remove_entry(&section, self.document.get_mut(section.name), settings)?;
        if self.document.get(section.name).and_then(Item::as_array_of_tables).is_some_and(ArrayOfTables::is_empty) {
            self.document.remove(section.name);
        }
        Ok(said)
    }

    fn remove_action(&mut self, section: &Section, settings: &Settings) -> Result<String, Failure> {
        let (key, action) = section.identity(settings)?;
        let stages = self.document.get_mut("stages").and_then(Item::as_array_of_tables_mut);
        let has = |table: &&mut Table| {
            let actions = table.get(ACTIONS).and_then(Item::as_array_of_tables);
            actions.is_some_and(|actions| actions.iter().any(|table| is_named(table, key, action)))
        };
        match stages.and_then(|stages| stages.iter_mut().find(has)) {
            Some(stage) => remove_entry(section, stage.get_mut(ACTIONS), settings),
            None => Err(not_there(ACTIONS, Some(action))),
        }
    }

    /// What is wrong with it first, besides what its names mean: those may come later.
    fn wrong(&self) -> Option<String> {
        let errors = workflow::page(Format::Aitws, "ai.toml", &self.text(), &Anything).err().unwrap_or_default();
        errors.into_iter().find(|error| error.code != Code::StrictDangling).map(|error| error.message)
    }
}

/// The entries of a list, which may not be there yet.
fn entries<'t>(table: &'t mut Table, name: &str) -> Result<&'t mut ArrayOfTables, Failure> {
    let item = table.entry(name).or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    item.as_array_of_tables_mut().ok_or_else(|| no_table(name))
}

fn add_entry(section: &Section, entries: &mut ArrayOfTables, settings: &Settings) -> Result<String, Failure> {
    let (key, name) = section.identity(settings)?;
    let position = entries.iter().position(|table| is_named(table, key, name));
    let said = format!("{} {} `{name}`", if position.is_some() { "changed" } else { "added" }, section.name);
    let at = position.unwrap_or_else(|| {
        entries.push(apart());
        entries.len() - 1
    });
    if let Some(table) = entries.get_mut(at) {
        for (key, value) in settings {
            set(table, key, value.clone());
        }
    }
    Ok(said)
}

/// Sets a key; a comment behind the value that it had stays.
fn set(table: &mut Table, key: &str, mut value: Value) {
    if let Some(before) = table.get(key).and_then(Item::as_value) {
        *value.decor_mut() = before.decor().clone();
    }
    table.insert(key, Item::Value(value));
}

fn remove_entry(section: &Section, item: Option<&mut Item>, settings: &Settings) -> Result<String, Failure> {
    let (key, name) = section.identity(settings)?;
    let entries = item.and_then(Item::as_array_of_tables_mut).ok_or_else(|| not_there(section.name, None))?;
    let at = entries.iter().position(|table| is_named(table, key, name));
    let at = at.ok_or_else(|| not_there(section.name, Some(name)))?;
    entries.remove(at);
    Ok(format!("removed {} `{name}`", section.name))
}

fn is_named(table: &Table, key: &str, name: &str) -> bool {
    table.get(key).and_then(Item::as_str) == Some(name)
}

/// A table with an empty line before it.
fn apart() -> Table {
    let mut table = Table::new();
    table.decor_mut().set_prefix("\n");
    table
}

fn not_there(section: &str, name: Option<&str>) -> Failure {
    match name {
        Some(name) => Failure::usage("E1065", format!("`{section}` has nothing called `{name}`"))
            .help(format!("see what it has: /show {section}")),
        None => Failure::usage("E1065", format!("the configuration has no `{section}`")).help("see what it has: /show"),
    }
}

fn no_table(section: &str) -> Failure {
    Failure::usage("E1066", format!("`{section}` is no table in this file, and is not changed"))
        .help(format!("write it as `[{section}]` or `[[{section}]]`, then /load the file again"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::author::line::{Command, read};

    #[test]
    fn every_example_is_taken() {
        let mut configuration = Configuration::create("c");
        for section in Section::all() {
            let own = format!("name=\"{}\"", section.name);
            // An action is added to the stage of the example; other names are told apart.
            let form =
                if section.name == "stages" { section.form() } else { section.form().replace("name=\"…\"", &own) };
            let Ok(Some(Command::Add(name, settings))) = read(&form) else { panic!("{form} is no command") };
            let said = configuration.add(&name, &settings);
            assert!(said.is_ok(), "{form}: {:?}", said.map_err(|failure| failure.message()));
        }
    }
}
