//! The `aivm` command: what a person types, what is shown, and with which code it ends. Each command has a file below.
#![forbid(unsafe_code)]
// I/O is what a command does; `clippy.toml` keeps it out of the core.
#![allow(clippy::disallowed_methods)]

#[macro_use]
mod out;

mod approve;
mod args;
#[cfg(feature = "store")]
mod artifact;
#[cfg(feature = "store")]
mod cancel;
mod check;
mod compile;
mod config;
#[cfg(feature = "store")]
mod diff;
mod doctor;
mod examples;
mod explain;
mod fail;
#[cfg(feature = "store")]
mod fork;
#[cfg(feature = "store")]
mod gc;
mod graph;
mod input;
#[cfg(feature = "store")]
mod journal;
mod keys;
mod library;
#[cfg(feature = "store")]
mod logs;
mod module;
#[cfg(feature = "store")]
mod once;
#[cfg(feature = "store")]
mod portable;
mod progress;
mod project;
#[cfg(feature = "store")]
mod resume;
#[cfg(feature = "store")]
mod rollback;
mod run;
#[cfg(feature = "store")]
mod runs;
#[cfg(feature = "store")]
mod self_test;
#[cfg(feature = "store")]
mod show;
#[cfg(feature = "store")]
mod store;
#[cfg(feature = "store")]
mod upgrade;
#[cfg(feature = "store")]
mod why;
mod worker;

use args::{Args, Command};
use clap::Parser;
use fail::{Exit, Failure};
use std::process::ExitCode;

fn main() -> ExitCode {
    let exit = match Args::try_parse() {
        Ok(args) => {
            let json = args.global.json;
            command(args).unwrap_or_else(|failure| failure.show(json))
        }
        Err(error) if error.use_stderr() => {
            let _ = error.print();
            Exit::USAGE
        }
        Err(help) => {
            out::note(help.print());
            Exit::SENT
        }
    };
    // A result that nobody got is no success.
    match out::finish() {
        Err(error) if exit == Exit::SENT => {
            Failure::failed("E0810", format!("cannot write standard output: {error}")).show(false).into()
        }
        _ => exit.into(),
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
        Command::Keys(args) => keys::keys(global, &args),
        Command::Config(args) => config::config(global, &args),
        #[cfg(feature = "store")]
        Command::Stored(command) => stored(global, command),
        #[cfg(not(feature = "store"))]
        Command::Stored(_) => Err(Failure::no_store()),
        #[cfg(feature = "store")]
        Command::SelfTest(args) => self_test::self_test(global, &args),
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

#[cfg(feature = "store")]
fn stored(global: &args::Global, command: args::Stored) -> Result<Exit, Failure> {
    use args::Stored;
    match command {
        Stored::Artifact(args) => artifact::artifact(global, &args),
        Stored::Runs(args) => runs::runs(global, &args),
        Stored::Resume(args) => resume::resume(global, &args),
        Stored::Settle(args) => resume::settle(global, &args),
        Stored::Approve(args) => approve::approve(global, &args),
        Stored::Rollback(args) => rollback::rollback(global, &args),
        Stored::Fork(args) => fork::fork(global, &args),
        Stored::Export(args) => portable::export(global, &args),
        Stored::Import(args) => portable::import(global, &args),
        Stored::Verify(args) => portable::verify(global, &args),
        Stored::Upgrade(args) => upgrade::upgrade(global, &args),
        Stored::Cancel(args) => cancel::cancel(global, &args),
        Stored::Show(args) => show::show(global, &args),
        Stored::Logs(args) => logs::logs(global, &args),
        Stored::Why(args) => why::why(global, &args),
        Stored::Diff(args) => diff::diff(global, &args),
        Stored::Gc(args) => gc::gc(global, &args),
    }
}
