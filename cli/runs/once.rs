//! `run --id NAME`: a run that is started once, however often it is asked for.

use crate::args::{Global, GoOn, RunArgs};
use crate::fail::{Exit, Failure, coded};
use crate::module::Program;
use crate::runs::find;
use crate::runs::resume;
use crate::{input, run};
use aivm_host::recovery::From;
use aivm_host::store::disk::Disk;
use aivm_schema::artifact::{ContentDigest, Draft};
use aivm_schema::journal::Cassette;
use aivm_schema::module::drafts;
use std::time::Duration;

/// The longest name, in bytes.
const MOST: usize = 64;
/// How often it is looked whether another process has let the run go.
const PAUSE: Duration = Duration::from_millis(50);

/// Starts the run of this name, or attaches to it: waits while another process carries it on, goes on with it when nobody does,
/// and gives its result.
pub fn run(global: &Global, args: &RunArgs, id: &str, program: &Program) -> Result<Exit, Failure> {
    let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if id.ends_with(".aivmrun") {
        return Err(Failure::usage("E0777", format!("`{id}` cannot be the name of a run: it names the file of one")));
    }
    if id.len() > MOST || !id.starts_with(|c: char| c.is_ascii_alphanumeric()) || !id.chars().all(known) {
        return Err(Failure::usage("E0777", format!("`{id}` cannot be the name of a run"))
            .help(format!("a letter or digit, then letters, digits, `-`, `_` and `.`, at most {MOST}")));
    }
    let input = input::draft(args.how.input.as_deref(), args.how.media_type.as_deref())?;
    let params = run::resolved(&args.how, program.module.module())?;
    let tape = crate::cassette::of(&args.how.tape)?;
    let disk = crate::store::open()?;
    loop {
        let there = disk.run(id).map_err(|error| coded(&error.to_string()))?.is_some();
        if there {
            same(&disk, id, program, &input, args.how.mock, params.clone().into_iter().collect(), &tape)?;
            while disk.is_carried(id) {
                std::thread::sleep(PAUSE);
            }
        }
        let on = GoOn { sandbox: args.how.sandbox, quiet: args.how.quiet };
        let ended = match there {
            true => resume::go_on(global, id, &on, &[], |_, _, _, _| Ok(())),
            false => run::run(global, &args.how, Some((id, input.clone())), program),
        };
        match ended {
            // Another process was quicker.
            Err(Failure::Other { code, .. }) if code == "E0764" || code == "E0755" => std::thread::sleep(PAUSE),
            ended => return ended,
        }
    }
}

/// Is the run of this name one of this program with this input?
fn same(
    disk: &Disk,
    id: &str,
    program: &Program,
    input: &Draft,
    mock: bool,
    params: Vec<(String, String)>,
    tape: &Option<Cassette>,
) -> Result<(), Failure> {
    let content = |draft: &Draft| ContentDigest::of(&draft.media_type, &draft.payload);
    let refuse = |what: &str| {
        Err(Failure::usage("E0777", format!("the run {id} is there already, and is one {what}"))
            .help(format!("see it: aivm show {id}")))
    };
    let there = find::look(disk, id, From::Checkpoint)?;
    let found = |checksum| disk.get(checksum).map(|artifact| artifact.content_digest());
    let [module, _] = drafts(program.module.module(), &program.debug.clone().unwrap_or_default());
    match () {
        () if found(there.started.program) != Some(content(&module)) => refuse("of another program"),
        () if found(there.started.input) != Some(content(input)) => refuse("with another input"),
        () if there.started.params != params || there.started.mock != mock || there.started.cassette != *tape => {
            refuse("with other settings")
        }
        () => Ok(()),
    }
}
