//! The `aivm` command: what a person types, what is shown, and with which code it ends. Each command has a file below.
#![forbid(unsafe_code)]
// I/O is what a command does; `clippy.toml` keeps it out of the core.
#![allow(clippy::disallowed_methods)]

#[macro_use]
mod out;

mod args;
#[cfg(feature = "store")]
mod artifact;
mod author;
#[cfg(feature = "s3")]
mod bucket;
mod cassette;
mod check;
mod compile;
mod config;
mod doctor;
mod examples;
mod explain;
mod fail;
mod fix;
mod grammar;
mod graph;
mod init;
mod input;
mod json_schema;
mod keys;
#[cfg(target_os = "linux")]
mod launch;
mod library;
mod load;
mod lsp;
#[cfg(feature = "serve")]
mod mcp;
#[cfg(feature = "memory")]
mod memory;
#[cfg(any(feature = "store", feature = "serve"))]
mod mocked;
mod module;
#[cfg(feature = "serve")]
mod openai;
#[cfg(feature = "serve")]
mod playground;
mod program;
mod progress;
mod project;
mod question;
#[cfg(feature = "store")]
mod repl;
mod run;
#[cfg(feature = "store")]
mod runs;
mod secret;
#[cfg(feature = "serve")]
mod serve;
mod source;
#[cfg(feature = "store")]
mod store;
mod testing;
mod worker;

use args::{Args, Command};
use clap::Parser;
use fail::{Exit, Failure};
use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    if let Some(code) = launch::launch() {
        return code;
    }
    let exit = match Args::try_parse() {
        Ok(args) => {
            let json = args.global.json;
            followed(args).unwrap_or_else(|failure| failure.show(json))
        }
        Err(error) if error.use_stderr() => usage(&error),
        Err(help) => {
            out::note(help.print());
            Exit::SENT
        }
    };
    let Err(error) = out::finish() else { return exit.into() };
    // A result that nobody got is no success; and an error that nobody got, as JSON, is not without a word.
    let failed = Failure::failed("E0810", format!("cannot write standard output: {error}")).show(false);
    if exit == Exit::SENT { failed.into() } else { exit.into() }
}

/// Wrong usage, as clap says it; in JSON when that was asked for, though nothing else of the line could be read.
fn usage(error: &clap::Error) -> Exit {
    let line: Vec<_> = std::env::args_os().skip(1).take_while(|word| word != "--").collect();
    if !line.iter().any(|word| word == "--json") {
        let _ = error.print();
        return Exit::USAGE;
    }
    let text = error.render().to_string();
    let text = text.trim().trim_start_matches("error: ");
    let (message, more) = text.split_once("\n\n").unwrap_or((text, ""));
    let failure = Failure::usage("E0819", message.trim());
    if more.is_empty() { failure } else { failure.help(more.trim()) }.show(true)
}

/// A command; what it wrote goes to the bucket, where there is one.
#[cfg(feature = "s3")]
fn followed(args: Args) -> Result<Exit, Failure> {
    let json = args.global.json;
    bucket::want(&args)?;
    let exit = command(args).unwrap_or_else(|failure| failure.show(json));
    Ok(bucket::settle(exit))
}

#[cfg(not(feature = "s3"))]
fn followed(args: Args) -> Result<Exit, Failure> {
    if args.global.store.is_some() {
        return Err(Failure::no_bucket());
    }
    command(args)
}

fn command(args: Args) -> Result<Exit, Failure> {
    let global = &args.global;
    match args.command {
        Command::Run(args) => run_file(global, &args),
        Command::Try(args) => examples::try_one(global, &args),
        #[cfg(feature = "serve")]
        Command::Mcp(args) => mcp::mcp(global, &args),
        #[cfg(feature = "serve")]
        Command::Openai(args) => openai::openai(global, &args),
        #[cfg(feature = "serve")]
        Command::Playground(args) => playground::playground(global, &args),
        #[cfg(not(feature = "serve"))]
        Command::Mcp(_) | Command::Openai(_) | Command::Playground(_) => Err(Failure::no_servers()),
        Command::Check(args) => check::check(global, &args),
        Command::Author(args) => author::author(global, &args),
        Command::Fix(args) => fix::fix(global, &args),
        Command::Fmt(args) => check::fmt(global, &args),
        Command::Cost(args) => check::cost(global, &args),
        Command::Graph(args) => graph::graph(global, &args),
        Command::Compile(args) => compile::compile(global, &args),
        Command::Disasm(args) => compile::disasm(global, &args),
        Command::Asm(args) => compile::asm(global, &args),
        Command::Test(args) => testing::test(global, &args),
        Command::Init(args) => init::init(global, &args),
        Command::Grammar(args) => grammar::grammar(global, &args),
        Command::Schema(args) => json_schema::schema(global, &args),
        Command::Explain(args) => explain::explain(global, &args),
        Command::Lsp { stdio: _ } => lsp::lsp(),
        Command::Worker(args) => worker::worker(global, &args),
        Command::Keys(args) => keys::keys(global, &args),
        Command::Secret(args) => secret::secret(global, &args),
        Command::Source(args) => source::source(global, &args),
        Command::Config(args) => config::config(global, &args),
        #[cfg(feature = "store")]
        Command::Stored(command) => stored(global, command),
        #[cfg(not(feature = "store"))]
        Command::Stored(_) => Err(Failure::no_store()),
        #[cfg(feature = "store")]
        Command::SelfTest(args) => runs::self_test::self_test(global, &args),
        #[cfg(not(feature = "store"))]
        Command::SelfTest(_) => Err(Failure::no_store()),
        Command::Doctor => doctor::doctor(global),
        Command::Completions { shell } => {
            // Into memory first: it panics where it cannot write.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut <Args as clap::CommandFactory>::command(), "aivm", &mut script);
            match global.json {
                true => {
                    let script = String::from_utf8_lossy(&script);
                    println!("{}", serde_json::json!({"v": 1, "shell": shell.to_string(), "script": script}));
                }
                false => out::bytes(&script),
            }
            Ok(Exit::SENT)
        }
    }
}

fn run_file(global: &args::Global, args: &args::RunArgs) -> Result<Exit, Failure> {
    let program = run::load(global, args)?;
    match &args.id {
        #[cfg(feature = "store")]
        Some(id) => runs::once::run(global, args, id, &program),
        #[cfg(not(feature = "store"))]
        Some(_) => Err(Failure::no_store()),
        None => run::run(global, &args.how, None, &program),
    }
}

#[cfg(feature = "store")]
fn stored(global: &args::Global, command: args::Stored) -> Result<Exit, Failure> {
    use args::Stored;
    match command {
        Stored::Artifact(args) => artifact::artifact(global, &args),
        #[cfg(feature = "s3")]
        Stored::Store(args) => bucket::store(global, &args),
        #[cfg(not(feature = "s3"))]
        Stored::Store(_) => Err(Failure::no_bucket()),
        Stored::Repl(args) => repl::repl(global, &args),
        Stored::Runs(args) => runs::list::runs(global, &args),
        Stored::Resume(args) if args.all => runs::all::all(global, &args),
        Stored::Resume(args) => runs::resume::resume(global, &args),
        Stored::Settle(args) => runs::resume::settle(global, &args),
        Stored::Approve(args) => runs::approve::approve(global, &args),
        Stored::Rollback(args) => runs::rollback::rollback(global, &args),
        Stored::Fork(args) => runs::fork::fork(global, &args),
        Stored::Export(args) => runs::portable::export(global, &args),
        Stored::Import(args) => runs::portable::import(global, &args),
        Stored::Verify(args) => runs::portable::verify(global, &args),
        Stored::Upgrade(args) => runs::upgrade::upgrade(global, &args),
        Stored::Cancel(args) => runs::cancel::cancel(global, &args),
        Stored::Show(args) => runs::show::show(global, &args),
        Stored::Logs(args) => runs::logs::logs(global, &args),
        Stored::Why(args) => runs::why::why(global, &args),
        Stored::Diff(args) => runs::diff::diff(global, &args),
        #[cfg(feature = "memory")]
        Stored::Memory(args) => memory::memory(global, &args),
        #[cfg(not(feature = "memory"))]
        Stored::Memory(_) => Err(Failure::no_memory()),
        Stored::Gc(args) => runs::gc::gc(global, &args),
    }
}
