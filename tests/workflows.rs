//! Random workflows: whatever needs what, no step begins before those that it needs have ended; where all may run at once, the whole
//! takes as long as its longest way; and where one runs at a time, as long as all of them together, those of the highest priority first. In
//! virtual time, so to the millisecond.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use aivm_host::driver::{self, Ending, Options};
use aivm_host::mint::Mint;
use aivm_host::store::Memory;
use aivm_host::trace::{Event, Observer};
use aivm_host::work::Surroundings;
use aivm_lang::library::{Found, Shelf};
use aivm_lang::workflow::{self, Format};
use aivm_schema::artifact::Draft;
use aivm_schema::module::Module;
use aivm_schema::unit::Milliseconds;
use aivm_schema::worker::{Does, MockAnswer, MockEntry, WorkerDefinition};
use aivm_vm::verify::verify;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A step: how long it takes, in milliseconds, which steps before it it needs, and whether its worker has another name.
#[derive(Clone, Debug)]
struct Step {
    ms: u64,
    needs: Vec<usize>,
    renamed: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (1..90u64, prop::collection::vec(any::<prop::sample::Index>(), 0..4), any::<bool>());
    prop::collection::vec(step, 1..14).prop_map(|steps| {
        let step = |(at, (ms, needs, renamed)): (usize, (u64, Vec<prop::sample::Index>, bool))| {
            let mut needs: Vec<usize> = needs.iter().filter(|_| at > 0).map(|need| need.index(at)).collect();
            needs.sort_unstable();
            needs.dedup();
            Step { ms, needs, renamed }
        };
        steps.into_iter().enumerate().map(step).collect()
    })
}

/// The file, its steps from the last to the first: the order in which they stand decides nothing.
fn file(steps: &[Step], concurrency: usize) -> String {
    let mut text = format!("id = \"any\"\nconcurrency = {concurrency}\n");
    for (at, step) in steps.iter().enumerate().rev() {
        let needs: Vec<String> = step.needs.iter().map(|need| format!("\"{}\"", name(*need, &steps[*need]))).collect();
        let _ = writeln!(text, "[steps.{}]\nuses = \"w{at}\"\nneeds = [{}]", name(at, step), needs.join(", "));
    }
    text
}

fn name(at: usize, step: &Step) -> String {
    format!("{}{at}", if step.renamed { "s" } else { "w" })
}

fn shelf(steps: &[Step]) -> Shelf {
    let worker = |(at, step): (usize, &Step)| {
        let answer = MockAnswer { sleep: Some(Milliseconds(step.ms)), ..MockAnswer::default() };
        let mock = Some(vec![MockEntry::Full(answer)]);
        let definition = WorkerDefinition { mock, ..WorkerDefinition::new(Does::Mock) };
        (format!("w{at}"), Found::Worker(Box::new(definition)))
    };
    Shelf { workers: steps.iter().enumerate().map(worker).collect(), ..Shelf::default() }
}

/// When each worker's call began and ended, since the run did.
struct Times {
    began: Instant,
    of: BTreeMap<String, (Duration, Option<Duration>)>,
}

impl Observer for Times {
    fn event(&mut self, event: Event<'_>) {
        let now = self.began.elapsed();
        match event {
            Event::Started { worker, .. } => _ = self.of.insert(worker.to_owned(), (now, None)),
            Event::Ended(step) => {
                if let Some((_, ended)) = self.of.get_mut(&step.worker) {
                    *ended = Some(now);
                }
            }
            _ => {}
        }
    }
}

/// How long it took, and when each call was under way.
fn run(module: Module) -> (Duration, Times) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    let limits = module.limits;
    let module = verify(module).expect("verified");
    runtime.block_on(async {
        let mint = Arc::new(Mint::system().expect("randomness"));
        let input = mint.seal(Draft { media_type: "text/plain".into(), ..Draft::default() }).expect("an input");
        let options = Options {
            around: Surroundings {
                run: "any".into(),
                workspace: std::env::temp_dir(),
                kept: aivm_host::kept::Kept::temporary(),
                params: Default::default(),
                mock: false,
                outside: Default::default(),
            },
            limits,
            timeout_ms: None,
            trace: true,
            started: None,
            webhook: None,
            reuse: None,
            process: Rc::new(aivm_host::process::SystemProcess),
        };
        let mut times = Times { began: Instant::now(), of: BTreeMap::new() };
        let began = Instant::now();
        let report =
            driver::run(module, input, options, Rc::new(Memory::default()), mint, &mut times).await.expect("it runs");
        let took = began.elapsed();
        assert!(matches!(&report.ending, Ending::Ended(end) if end.result.is_ok()), "{:?}", report.ending);
        (took, times)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn any_workflow_keeps_its_order_and_waits_for_nothing_else(steps in steps()) {
        let shelf = shelf(&steps);
        let text = file(&steps, steps.len());
        let module = aivm_lang::compile("workflow.toml", &text, &shelf).expect("it compiles").module;
        let page = workflow::page(Format::Workflow, "workflow.toml", &text, &shelf).expect("a page");
        let arrows = aivm_lang::format::format(&page.text).expect("arrows");
        let of_arrows = aivm_lang::compile("workflow.toml", &arrows, &shelf).expect("it compiles").module;
        prop_assert_eq!(of_arrows.digest(), module.digest(), "what it becomes is another program:\n{}", arrows);

        let (took, times) = run(module);
        let mut ends: Vec<u64> = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            let begins = step.needs.iter().map(|need| ends[*need]).max().unwrap_or(0);
            ends.push(begins + step.ms);
            let expected = (Duration::from_millis(begins), Some(Duration::from_millis(begins + step.ms)));
            prop_assert_eq!(times.of.get(&format!("w{at}")), Some(&expected), "w{} of\n{}", at, text);
        }
        prop_assert_eq!(took, Duration::from_millis(ends.into_iter().max().unwrap_or(0)));

        let alone = aivm_lang::compile("workflow.toml", &file(&steps, 1), &shelf).expect("it compiles").module;
        let (took, times) = run(alone);
        prop_assert_eq!(took, Duration::from_millis(steps.iter().map(|step| step.ms).sum()));
        for (at, step) in steps.iter().enumerate() {
            for need in &step.needs {
                let (before, after) = (&times.of[&format!("w{need}")], &times.of[&format!("w{at}")]);
                prop_assert!(before.1.is_some_and(|ended| ended <= after.0), "w{} before w{}", need, at);
            }
        }
    }

    #[test]
    fn the_one_with_the_highest_priority_begins_first(steps in steps(), said in prop::collection::vec(any::<i16>(), 14)) {
        let shelf = shelf(&steps);
        // Each has another.
        let priority = |at: usize| i32::from(said[at]) * 16 + at as i32;
        let mut text = file(&steps, 1);
        for at in 0..steps.len() {
            let uses = format!("uses = \"w{at}\"\n");
            text = text.replace(&uses, &format!("{uses}priority = {}\n", priority(at)));
        }
        let (_, times) = run(aivm_lang::compile("workflow.toml", &text, &shelf).expect("it compiles").module);
        let (mut now, mut done) = (0, vec![false; steps.len()]);
        for _ in 0..steps.len() {
            let may = |at: &usize| !done[*at] && steps[*at].needs.iter().all(|need| done[*need]);
            let next = (0..steps.len()).filter(may).max_by_key(|at| priority(*at)).expect("one that may begin");
            let began = times.of[&name(next, &steps[next])].0;
            prop_assert_eq!(began, Duration::from_millis(now), "{} of\n{}", name(next, &steps[next]), text);
            (now, done[next]) = (now + steps[next].ms, true);
        }
    }
}
