//! `repl`: programs are typed and run, step by step and back. What is evaluated is a run in the store like every other; a session is
//! what its last run, and the note beside it, say.
//!
//! Here: who is asked, and what becomes of an entry. How one is read is `entry`'s, where it comes from `lines`', who ends the wait for it
//! `idle`'s; what a session knows is `session`'s, how its runs go on `runs`', where they stop `breaks`'; `files` has `:load` and `:save`,
//! `look` what changes nothing.

use crate::args::{Global, ReplArgs, Workers};
use crate::fail::{self, Exit, Failure, Source};
use crate::library::Files;
use crate::mocked::{self, Mocked};
use crate::module::{self, Program};
use crate::out::{plain, say};
use crate::{author, input, project, run};
use aivm_lang::Compiled;
use aivm_lang::front::FrontMatter;
use aivm_lang::library::{Found, Library};
use aivm_lang::workflow::{self, Format, Reading};
use aivm_schema::artifact::Draft;
use aivm_schema::worker::WorkerDefinition;
use command::Command;
use entry::{Bare, Entry, Given, Pieces};
use idle::Idle;
use lines::Lines;
use session::{Session, pieces_of};
use std::collections::BTreeSet;
use std::path::Path;

mod brackets;
mod breaks;
mod command;
mod entry;
mod files;
mod hands;
mod help;
mod idle;
mod lines;
mod look;
mod runs;
mod session;
mod typed;
mod watch;

/// Who types, and what has come of it so far.
pub struct Repl<'a> {
    global: &'a Global,
    session: Session,
    author: author::Session,
    /// Words that are mocked because nothing is called so, and that this was said of.
    mocked: BTreeSet<String>,
    /// Of what is not typed by a person: the worst end so far.
    exit: Exit,
    ended: bool,
}

/// `aivm repl [FILE]`.
pub fn repl(global: &Global, args: &ReplArgs) -> Result<Exit, Failure> {
    if global.json {
        let failure = Failure::usage("E0958", "a session is text for people, and not one JSON object");
        return Err(failure.help("a single run is: aivm run FILE --json"));
    }
    let session = Session::new(args.workers);
    let mut repl = Repl {
        global,
        session,
        author: author::Session::default(),
        mocked: BTreeSet::new(),
        exit: Exit::SENT,
        ended: false,
    };
    let mut lines = Lines::open()?;
    let idle = Idle::new();
    if lines.is_typed() {
        repl.greet();
    }
    match (&args.file, &args.resume) {
        (Some(file), _) => repl.load(file)?,
        (None, Some(run)) => repl.resume(run)?,
        (None, None) => {}
    }
    while !repl.ended {
        let Some((text, entry)) = idle.during(|| lines.next(&repl.session))? else { break };
        if let Err(failure) = repl.obey(&text, entry) {
            let exit = failure.show(false);
            repl.came(exit);
        }
    }
    Ok(if lines.is_typed() { Exit::SENT } else { repl.exit })
}

impl Repl<'_> {
    fn greet(&self) {
        let version = env!("CARGO_PKG_VERSION");
        match self.session.workers {
            Workers::Mock => println!("aivm {version} · workers are mock: scripts answer; :workers live calls them"),
            Workers::Live => {
                println!("aivm {version} · workers are live: they are called; :workers mock lets scripts answer")
            }
        }
        println!(":help lists what can be done, Ctrl-D ends");
    }

    /// Something ended so.
    fn came(&mut self, exit: Exit) {
        self.exit = self.exit.worse(exit);
    }

    fn obey(&mut self, text: &str, entry: Entry) -> Result<(), Failure> {
        match entry {
            Entry::Nothing | Entry::Incomplete => Ok(()),
            Entry::Command(line) => self.command(command::read(&line)?),
            Entry::Author(line) => {
                if let Some(said) = self.author.obey_line(&line)? {
                    println!("{}", said.trim_end());
                }
                self.ended = self.author.ended;
                Ok(())
            }
            Entry::Workflow(format) => self.workflow(text, format),
            Entry::Arrows(pieces, given) => self.arrows(pieces, given),
            Entry::Bare(bare) => self.bare(bare),
            Entry::Wrong(whole, diagnostics) => {
                let source = Source { name: self.session.file().to_owned(), text: whole, reading: Format::Aivm.into() };
                Err(Session::told(Failure::Program { source, diagnostics }, text))
            }
        }
    }

    fn command(&mut self, command: Command) -> Result<(), Failure> {
        match command {
            Command::Help(word) => self.help(word.as_deref()),
            Command::Workers(workers) => {
                self.session.workers = workers.unwrap_or(self.session.workers);
                match self.session.workers {
                    Workers::Mock => println!("workers are mock: scripts answer"),
                    Workers::Live => println!("workers are live: they are called"),
                }
                self.session.keep()
            }
            Command::Load(file) => self.load(&file),
            Command::Save(file, over) => self.save(file.as_deref(), over),
            Command::Graph => self.graph(),
            Command::Cost => self.cost(),
            Command::Run(input) => self.run(input.as_deref().map(Given::of)),
            Command::Step => self.step(),
            Command::Continue => self.go_on(),
            Command::Back => self.back(),
            Command::Break(place) => self.stop_at(place),
            Command::Unbreak(place) => self.stop_no_more_at(place),
            Command::Fork(step) => self.fork(step.as_deref()),
            Command::Why(step) => self.why(step),
            Command::Artifact(id) => self.artifact(id),
            Command::Artifacts => self.artifacts(),
            Command::Diff(runs) => self.diff(runs),
            Command::SetInput(text) => self.set_input(text),
            Command::Params(params) => self.params(params),
            Command::Session => self.show(),
            Command::Quit => {
                self.ended = true;
                Ok(())
            }
        }
    }

    /// Definitions are kept; a program is kept and run.
    fn arrows(&mut self, pieces: Pieces, given: Option<Given>) -> Result<(), Failure> {
        let session = self.session.with(&pieces)?;
        let typed = pieces.program.clone().or_else(|| pieces.definitions.last().map(|(_, text)| text.clone()));
        let told = |failure| Session::told(failure, typed.as_deref().unwrap_or_default());
        if pieces.program.is_none() {
            self.compile(&session.source_of(session::EMPTY)).map_err(told)?;
            self.session = session;
            let names: Vec<&str> = pieces.definitions.iter().map(|(name, _)| name.as_str()).collect();
            println!("kept: {}", if names.is_empty() { "the front matter".to_owned() } else { names.join(", ") });
            return Ok(());
        }
        let program = self.program_of(session.source()).map_err(told)?;
        self.session = session;
        self.session.input_is(given.as_ref());
        self.begin(&program, given)
    }

    /// A step or a chain of stages is run. It is no part of what the session writes, but `:run` runs it while there is no program.
    fn bare(&mut self, bare: Bare) -> Result<(), Failure> {
        let text = match &bare.step {
            Some(step) => entry::single(step, &self.outcomes(step)?),
            None => bare.program,
        };
        let failed = |failure| Session::told(failure, &text);
        let program = self.program_of(self.session.source_of(&text)).map_err(failed)?;
        if !self.session.has_program() {
            self.session.input_is(bare.given.as_ref());
            self.session.alone = Some(text);
        }
        self.begin(&program, bare.given)
    }

    /// Compiles what the session says. On mock workers a word that nothing is called is one, too.
    fn compile(&self, source: &Source) -> Result<Compiled, Failure> {
        let files = self.library()?;
        match self.session.workers {
            Workers::Mock => module::compile_in(source, &Mocked(&files)),
            Workers::Live => module::compile_in(source, &files),
        }
    }

    /// The same, ready to run; words that nothing is called are told, each once.
    fn program_of(&mut self, source: Source) -> Result<Program, Failure> {
        let files = self.library()?;
        let program = match self.session.workers {
            Workers::Mock => module::of_in(source, &Mocked(&files)),
            Workers::Live => module::of_in(source, &files),
        }?;
        let names = files.names(self.session.file());
        let front = FrontMatter::parse(self.session.front()).unwrap_or_default();
        for worker in &program.module.module().workers {
            let is_nobody =
                WorkerDefinition::from_json(&worker.definition).is_ok_and(|known| mocked::is_nobody(&known));
            if is_nobody && !front.worker.contains_key(&worker.name) && self.mocked.insert(worker.name.clone()) {
                let near = aivm_lang::nearest(&worker.name, names.iter().map(String::as_str));
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                say(&format!("`{}` is nothing here: mocked{near}", worker.name));
            }
        }
        Ok(program)
    }

    /// The outcomes of a step that says none: it goes on, also by every other word that its worker declares, unless that ends it.
    fn outcomes(&self, step: &str) -> Result<Vec<&'static str>, Failure> {
        let word = entry::worker(step);
        let mut outcomes = vec![entry::NEXT];
        let front = FrontMatter::parse(self.session.front()).unwrap_or_default();
        let declared = match front.worker.get(&word) {
            Some(worker) => worker.words.clone(),
            None => match self.library()?.find(self.session.file(), &word) {
                Ok(Some(Found::Worker(worker))) => worker.words,
                _ => Vec::new(),
            },
        };
        outcomes.extend(["cancel", "timeout"].into_iter().filter(|end| declared.iter().any(|word| word == end)));
        Ok(outcomes)
    }

    fn library(&self) -> Result<Files, Failure> {
        Files::around(self.session.file()).map_err(|error| Failure::usage("E0802", error.to_string()))
    }

    /// A file of TOML or YAML becomes the program of the session.
    fn workflow(&mut self, text: &str, format: Format) -> Result<(), Failure> {
        let reading = Reading { who: Some(project::who()), ..format.into() };
        let source = Source { name: self.session.file().to_owned(), text: text.to_owned(), reading };
        let arrows = self.arrows_of(&source)?;
        let pieces = pieces_of(&arrows)?;
        print!("{}", arrows.text);
        let file = self.session.file().to_owned();
        self.session.load(&file, pieces);
        println!("; these are the arrows that it became; :run runs them");
        Ok(())
    }

    /// The arrows that a source says or becomes, once it has compiled.
    fn arrows_of(&self, source: &Source) -> Result<Source, Failure> {
        let compiled = self.compile(source)?;
        fail::show_diagnostics(source, &compiled.warnings);
        if source.reading.format == Format::Aivm {
            return Ok(source.clone());
        }
        let failed = |diagnostics| Failure::Program { source: source.clone(), diagnostics };
        let page = workflow::page(source.reading.clone(), &source.name, &source.text, &self.library()?);
        let text = page.and_then(|page| aivm_lang::format::format(&page.text)).map_err(failed)?;
        Ok(Source { name: source.name.clone(), text, reading: Format::Aivm.into() })
    }

    fn set_input(&mut self, text: Option<String>) -> Result<(), Failure> {
        if let Some(text) = text {
            let given = Given::of(&text);
            // What cannot be read is said now, and not when it is needed.
            self.draft(Some(given.clone()))?;
            self.session.input = Some(given.to_string());
            self.session.keep()?;
        }
        println!("in: {}", plain(self.session.input.as_deref().unwrap_or("nothing")));
        Ok(())
    }

    fn params(&mut self, params: Vec<String>) -> Result<(), Failure> {
        let mut all = self.session.params.clone();
        for param in params {
            if !param.contains('=') {
                return Err(Failure::usage("E0956", format!("`{}` is not KEY=VALUE", plain(&param)))
                    .help("write :params KEY=VALUE …"));
            }
            let name = |text: &str| text.split_once('=').map(|(name, _)| name.to_owned());
            all.retain(|known| name(known) != name(&param));
            all.push(param);
        }
        let how = crate::args::How { params: all.clone(), ..Default::default() };
        for (name, value) in run::params(&how)? {
            println!("{} = {}", plain(&name), plain(&value));
        }
        self.session.params = all;
        self.session.keep()
    }

    /// What goes in.
    fn draft(&self, given: Option<Given>) -> Result<Draft, Failure> {
        let own = || self.session.input.as_deref().map(Given::of);
        match given.or_else(own) {
            None => input::draft(None, None),
            Some(Given::Text(text)) => input::drafted(text.into_bytes(), "text/plain"),
            Some(Given::Stored(name)) if Path::new(&name).exists() => input::draft(Some(&format!("@{name}")), None),
            Some(Given::Stored(name)) => {
                let missing =
                    |failure: Failure| failure.help(format!("there is no file {name} either; :artifacts lists values"));
                let values = crate::store::values()?;
                Ok(crate::store::find(&*values, &name).map_err(missing)?.to_draft())
            }
        }
    }
}
