//! The `aivm` command: what a person types, what is shown, and with which code it ends. Each command has a file below.
#![forbid(unsafe_code)]
// I/O is what a command does; `clippy.toml` keeps it out of the core.
#![allow(clippy::disallowed_methods)]

mod args;
#[cfg(feature = "store")]
mod artifact;
mod check;
mod compile;
mod config;
mod doctor;
mod examples;
mod explain;
mod fail;
mod graph;
mod input;
mod keys;
mod library;
mod module;
mod progress;
mod project;
mod run;
#[cfg(feature = "store")]
mod store;
mod worker;

use args::{Args, Command};
use clap::Parser;
use fail::{Exit, Failure};
use std::process::ExitCode;

fn main() -> ExitCode {
    // A closed pipe (`aivm … | head`) ends the program quietly, as it ends every other.
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return Exit::of(if error.use_stderr() { 2 } else { 0 }).into();
        }
    };
    let json = args.global.json;
    match command(args) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.show(json).into(),
    }
}

fn command(args: Args) -> Result<Exit, Failure> {
    let global = &args.global;
    match args.command {
        Command::Run(args) => run::run(global, &args),
        Command::Try(args) => examples::try_one(global, &args),
        Command::Check(args) => check::check(global, &args),
        Command::Fmt(args) => check::fmt(global, &args),
        Command::Cost(args) => check::cost(global, &args),
        Command::Graph(args) => graph::graph(global, &args),
        Command::Compile(args) => compile::compile(global, &args),
        Command::Disasm(args) => compile::disasm(global, &args),
        Command::Asm(args) => compile::asm(global, &args),
        Command::Explain(args) => explain::explain(global, &args),
        Command::Worker(args) => worker::worker(global, &args),
        #[cfg(feature = "store")]
        Command::Artifact(args) => artifact::artifact(global, &args),
        #[cfg(not(feature = "store"))]
        Command::Artifact(_) => Err(Failure::no_store()),
        Command::Keys(args) => keys::keys(global, &args),
        Command::Config(args) => config::config(global, &args),
        Command::Doctor => doctor::doctor(global),
        Command::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut <Args as clap::CommandFactory>::command(),
                "aivm",
                &mut std::io::stdout(),
            );
            Ok(Exit::SENT)
        }
    }
}
