//! `try`: the examples of `examples/`, carried along in the program. Each runs in a copy of its folder, with its input.

use crate::args::{Global, How, Tape, TryArgs, Written};
use crate::fail::{Exit, Failure};
use crate::{module, run};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};

/// An example: its name, and its files by their paths in its folder.
pub struct Example {
    /// What `aivm try` calls it.
    pub name: &'static str,
    /// Paths and texts.
    pub files: &'static [(&'static str, &'static str)],
}

/// Paths below `examples/`, with their texts; each example has its picture too.
macro_rules! examples {
    ($($name:literal: $($file:literal)+;)*) => {
        /// All examples; the first is what a newcomer sees.
        pub static EXAMPLES: &[Example] = &[$(Example {
            name: $name,
            files: &[
                $(($file, include_str!(concat!("../examples/", $name, "/", $file)))),+,
                ("picture.svg", include_str!(concat!("../examples/", $name, "/picture.svg"))),
            ],
        }),*];
    };
}

include!("../examples/list.rs");

/// What the program of an example is called, by its format.
const PROGRAMS: [&str; 4] = ["pipeline.aivm", "workflow.toml", "ai.toml", "saga.yaml"];

impl Example {
    /// The text of one of its files.
    pub fn file(&self, name: &str) -> Option<&'static str> {
        self.files.iter().find(|(path, _)| *path == name).map(|(_, text)| *text)
    }

    /// What runs.
    pub fn program(&self) -> &'static str {
        let is_program = |path: &&str| PROGRAMS.contains(path);
        self.files.iter().map(|(path, _)| *path).find(is_program).unwrap_or("pipeline.aivm")
    }

    /// The sentence that tells what it shows: the first of its page.
    pub fn about(&self) -> String {
        let lines = self.file("README.md").unwrap_or("").lines().map(str::trim);
        let paragraph = lines.skip_while(|line| line.is_empty() || line.starts_with('#'));
        let paragraph = paragraph.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
        match paragraph.split_once(". ") {
            Some((first, _)) => format!("{first}."),
            None => paragraph,
        }
    }

    /// What runs it from a copy.
    fn command(&self, folder: &Path) -> String {
        let there = quoted(&folder.display().to_string());
        // Settings hold where they are: for whoever goes on with the run, too.
        let (cd, base, workspace) = match self.opts_out() {
            true => (format!("cd {there} && "), Path::new(""), String::new()),
            false => (String::new(), folder, format!(" --workspace {there}")),
        };
        let file = |name: &str| base.join(name).display().to_string();
        let input =
            self.input().map(|name| format!(" --in {}", quoted(&format!("@{}", file(name))))).unwrap_or_default();
        let replay = self.cassette().map(|name| format!(" --replay {}", quoted(&file(name)))).unwrap_or_default();
        format!("{cd}aivm run {}{workspace}{input}{replay}", quoted(&file(self.program())))
    }

    /// Are there workers in it that ask for no sandbox?
    fn opts_out(&self) -> bool {
        self.file("aivm.toml").is_some_and(|settings| settings.contains("opt_out = true"))
    }

    /// The file that it is given.
    pub fn input(&self) -> Option<&'static str> {
        self.files.iter().map(|(path, _)| *path).find(|path| path.starts_with("input."))
    }

    /// What its models answered.
    fn cassette(&self) -> Option<&'static str> {
        self.files.iter().map(|(path, _)| *path).find(|path| *path == "cassette.jsonl")
    }

    fn write_to(&self, folder: &Path) -> std::io::Result<()> {
        for (path, text) in self.files {
            let path = folder.join(path);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            // Nothing that is there is written over.
            std::fs::OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())?;
        }
        Ok(())
    }
}

/// `aivm try [NAME]`.
pub fn try_one(global: &Global, args: &TryArgs) -> Result<Exit, Failure> {
    if args.list {
        return list(global);
    }
    let example = match &args.name {
        Some(name) => EXAMPLES.iter().find(|example| example.name == name),
        None => EXAMPLES.first(),
    };
    let Some(example) = example else {
        let name = args.name.as_deref().unwrap_or("");
        let near = aivm_lang::nearest(name, EXAMPLES.iter().map(|example| example.name));
        let failure = Failure::usage("E0850", format!("no example is called `{name}`"));
        return Err(failure
            .help(near.map_or("list them: aivm try --list".to_owned(), |near| format!("did you mean `{near}`?"))));
    };
    let failed = |error: std::io::Error| Failure::failed("E0851", format!("the example cannot be written: {error}"));
    if let Some(folder) = &args.copy {
        let there =
            example.files.iter().map(|(path, _)| folder.join(path)).find(|path| path.symlink_metadata().is_ok());
        if let Some(there) = there {
            return Err(Failure::usage("E0852", format!("{} is there already", there.display()))
                .help("name a folder that is empty or new"));
        }
        example.write_to(folder).map_err(failed)?;
        let command = example.command(folder);
        match global.json {
            true => println!("{}", json!({"v": 1, "name": example.name, "folder": folder, "run": command})),
            false => eprintln!("run it:  {command}"),
        }
        return Ok(Exit::SENT);
    }
    let folder = Folder::new("try").map_err(failed)?;
    example.write_to(&folder.0).map_err(failed)?;
    if !global.json {
        let recorded = match example.cassette().filter(|_| args.input.is_none()) {
            Some(file) => format!("\nits models answer from {file}: none is asked"),
            None => String::new(),
        };
        eprintln!("{}: {}{recorded}\n", example.name, example.about());
    }
    let path = |file: &str| folder.0.join(file).display().to_string();
    let program = module::load(&path(example.program()), &Written::default())?;
    let how = How {
        input: args.input.clone().or_else(|| example.input().map(|file| format!("@{}", path(file)))),
        workspace: Some(folder.0.clone()),
        ephemeral: true,
        sandbox: example.opts_out().then_some(crate::config::SandboxFlag::OptOut),
        // An input of one's own is none of the recorded ones.
        tape: Tape {
            record: None,
            replay: example.cassette().filter(|_| args.input.is_none()).map(|file| folder.0.join(file)),
        },
        ..How::default()
    };
    let exit = run::run(global, &how, None, &program)?;
    if !global.json {
        eprintln!("\nits files, to change: aivm try {} --copy FOLDER    the others: aivm try --list", example.name);
    }
    Ok(exit)
}

/// A word of a command line, as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-@+=:,".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

fn list(global: &Global) -> Result<Exit, Failure> {
    if global.json {
        let rows: Vec<_> =
            EXAMPLES.iter().map(|example| json!({"name": example.name, "about": example.about()})).collect();
        println!("{}", json!({"v": 1, "examples": rows}));
        return Ok(Exit::SENT);
    }
    let width = EXAMPLES.iter().map(|example| example.name.len()).max().unwrap_or(0);
    for example in EXAMPLES {
        println!("{:<width$}  {}", example.name, example.about());
    }
    Ok(Exit::SENT)
}

/// A folder that goes when what runs in it has ended.
pub struct Folder(pub PathBuf);

impl Folder {
    /// Among those for temporary files, `what` in its name.
    pub fn new(what: &str) -> std::io::Result<Folder> {
        let mut bits = [0; 8];
        aivm_host::mint::fill_random(&mut bits).map_err(std::io::Error::other)?;
        let name: String = bits.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = std::env::temp_dir().join(format!("aivm-{what}-{name}"));
        std::fs::create_dir(&path)?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
