//! Programs that nobody would write: lines of assembly deleted, doubled, moved and mixed. What the verifier lets through ends,
//! whatever its workers answer, and says the same straight, reloaded before every answer, and one instruction at a time.
//! A forged snapshot is refused, or at least does no harm.
#![no_main]

#[path = "../../vm/tests/machine/world.rs"]
#[allow(dead_code)]
mod world;

use aivm_schema::artifact::Draft;
use aivm_schema::isa::Instruction;
use aivm_schema::module::{EdgeKind, EndKind, Module, RunLimits, assemble};
use aivm_vm::{Action, Answer, Machine, Usage, VerifiedModule, verify};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use world::{Reply, World};

/// What is counted goes round at most so often, so that the longest run is short.
const ROUNDS: u16 = 2;

/// The programs of `tests/asm`, in lines.
static PROGRAMS: LazyLock<Vec<Vec<String>>> = LazyLock::new(|| {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/asm");
    let mut paths: Vec<_> = std::fs::read_dir(folder).expect("tests/asm").flatten().map(|file| file.path()).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    let text = |path| std::fs::read_to_string(path).expect("a program");
    let lines = |text: String| text.lines().filter(|line| !line.starts_with(';')).map(str::to_owned).collect();
    paths.into_iter().map(text).map(lines).collect()
});

fn program(u: &mut Unstructured) -> Result<Option<Module>> {
    let mut lines = u.choose(&PROGRAMS)?.clone();
    for _ in 0..u.int_in_range(0..=12)? {
        let (at, other) = (u.choose_index(lines.len())?, u.choose_index(lines.len())?);
        match u.int_in_range(0..=5)? {
            0 if lines.len() > 1 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[other].clone()),
            2 => lines.swap(at, other),
            _ => {
                let from: Vec<&str> = lines[other].split_whitespace().collect();
                let mut to: Vec<&str> = lines[at].split_whitespace().collect();
                if !from.is_empty() && !to.is_empty() {
                    let place = u.choose_index(to.len())?;
                    to[place] = from[u.choose_index(from.len())?];
                    lines[at] = to.join(" ");
                }
            }
        }
    }
    let Ok(mut module) = assemble(&lines.join("\n")) else { return Ok(None) };
    module
        .functions
        .iter_mut()
        .flat_map(|function| &mut function.counters)
        .for_each(|most| *most = (*most).min(ROUNDS));
    for word in &mut module.code {
        if let Some(Instruction::Edge { kind: kind @ EdgeKind::Retry, word: name, counter, offset }) =
            Instruction::decode(*word)
        {
            *word = Instruction::Edge { kind, word: name, counter, offset: offset.min(ROUNDS) }.encode();
        }
    }
    Ok(Some(module))
}

fn reply(u: &mut Unstructured, module: &Module) -> Result<Reply> {
    let reply = match u.int_in_range(0..=5)? {
        0 => world::ok(),
        1 => world::fails_by(*u.choose(&EndKind::ALL)?),
        2 => world::text("p+q+r"),
        3 if !module.words.is_empty() => world::says(u.choose(&module.words)?),
        4 => world::says("finish").text("none"),
        _ => world::ok().costs(u.arbitrary::<u8>()?.into()),
    };
    let reply = reply.after(u.int_in_range(0..=3)?);
    Ok(if u.ratio(1, 8)? { reply.stubborn() } else { reply })
}

fn script(u: &mut Unstructured, module: &VerifiedModule) -> Result<World> {
    let calls = RunLimits { calls: Some(48), ..RunLimits::default() };
    let mut world = World::new(module.clone()).limits(calls);
    for worker in &module.module().workers {
        let replies: Vec<Reply> = (0..3).map(|_| reply(u, module.module())).collect::<Result<_>>()?;
        world = world.reply(&worker.name, &replies);
    }
    Ok(match u.int_in_range(0..=5)? {
        0 => world.cancel_at(u.int_in_range(0..=9)?),
        1 => world.unmakeable(),
        2 => world.raise(RunLimits { calls: Some(64), ..RunLimits::default() }),
        _ => world,
    })
}

/// Loads a snapshot that was changed, and goes on from it.
fn forge(u: &mut Unstructured, module: VerifiedModule) -> Result<()> {
    let draft = Draft { media_type: "text/plain".into(), ..Draft::default() };
    let value = draft.seal(1, [7; 10]).expect("an artifact");
    let mut machine = Machine::start(module.clone(), value.clone(), RunLimits::default());
    for round in 0..40 {
        if round == 4 {
            let mut snapshot = machine.snapshot();
            for _ in 0..u.int_in_range(1..=3)? {
                let at = u.choose_index(snapshot.len())?;
                snapshot[at] = u.arbitrary()?;
            }
            let Ok(other) = Machine::reload(module.clone(), &snapshot, &mut |_| Some(value.clone())) else {
                return Ok(());
            };
            machine = other;
        }
        let (mut fuel, mut asked) = (500, Vec::new());
        loop {
            match machine.step(&mut fuel) {
                Action::Call(call) => asked.push(call.request),
                Action::Make(make) => {
                    let _ = machine.made(make.request, value.clone()).or(machine.counted(make.request, 2));
                }
                Action::StartTimer { timer, .. } if u.ratio(1, 4)? => machine.expire(timer),
                Action::Wait | Action::Yield => break,
                Action::Park(_) | Action::End(_) => return Ok(()),
                _ => {}
            }
        }
        for request in asked {
            let verdict = machine.words(request).first().map(|word| word.to_string()).filter(|_| round % 2 == 0);
            let _ = machine.complete(request, Answer::Done { output: value.clone(), verdict, usage: Usage::default() });
        }
    }
    Ok(())
}

fn run(u: &mut Unstructured) -> Result<()> {
    let Some(Ok(module)) = program(u)?.map(verify) else { return Ok(()) };
    let trace = script(u, &module)?.run();
    assert!(!trace.iter().any(|line| line.contains("E0799")), "the machine broke: {trace:#?}");
    forge(u, module)
}

fuzz_target!(|data: &[u8]| {
    let _ = run(&mut Unstructured::new(data));
});
