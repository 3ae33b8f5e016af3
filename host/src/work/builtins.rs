//! Built-ins: functions of this program. Pure ones run on the driver's own thread when that is quickest, else on a lane; those of
//! memory, which wait, on a thread where they may.

use super::{Returned, Task, error};
#[cfg(feature = "memory")]
use crate::builtin::memory;
use crate::builtin::memory::Access;
use crate::builtin::{Context, Failure, Input, Output, Part};
use aivm_schema::module::EndKind;
#[cfg(feature = "memory")]
use aivm_schema::worker::Does;
use aivm_schema::worker::Effect;
use aivm_schema::worker::memory::{Memory, is_of_memory};
use aivm_vm::action::Usage;
use std::time::{Duration, Instant};

/// What a built-in returned, and how long to wait before that is handed on.
pub struct Called {
    returned: Returned,
    wait_ms: u64,
}

/// Calls a built-in.
pub fn call(task: &Task) -> Called {
    let Some(builtin) = task.worker.builtin else {
        return Called { returned: Returned::failed("E0735", "not a built-in"), wait_ms: 0 };
    };
    // Many calls wait for a lane, and the run may have ended before it is their turn.
    if task.stop.is_asked() {
        return Called { returned: Returned::stopped(), wait_ms: 0 };
    }
    let attributes: Vec<(String, String)> =
        task.input.attributes().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let parts: Vec<Part<'_>> = task
        .parts
        .iter()
        .map(|(name, verdict, value)| Part {
            name,
            media_type: value.media_type(),
            payload: value.payload(),
            verdict: Some(verdict.as_str()).filter(|verdict| !verdict.is_empty()),
        })
        .collect();
    let input = Input {
        media_type: task.input.media_type(),
        payload: task.input.payload(),
        attributes: &attributes,
        parts: &parts,
    };
    let remembered = Remembered::of(task);
    let began = Instant::now();
    let late = task.deadline_ms.map(Duration::from_millis);
    let context = Context {
        with: &task.worker.definition.with,
        outcomes: &task.words,
        params: &task.around.params,
        workspace: &task.around.workspace,
        kept: task.around.kept.folder(),
        memory: remembered.as_ref().map(Remembered::access),
        key: &task.key,
        cancelled: &|| task.stop.is_asked() || late.is_some_and(|late| began.elapsed() >= late),
    };
    match builtin.call(&input, &context) {
        Ok(Output { body, verdict, attributes, wait_ms }) => {
            Called { returned: Returned::Done { body, verdict, attributes, usage: Usage::default() }, wait_ms }
        }
        Err(Failure::Cancelled) => {
            let returned = match task.deadline_ms.filter(|_| !task.stop.is_asked()) {
                Some(deadline) => Returned::timed_out(&task.worker.name, deadline),
                None => Returned::stopped(),
            };
            Called { returned, wait_ms: 0 }
        }
        Err(failure) => {
            let error = error(failure.code(), failure.to_string());
            Called { returned: Returned::Failed { kind: EndKind::Failure, error, usage: Usage::default() }, wait_ms: 0 }
        }
    }
}

/// What a call needs to reach what is remembered.
struct Remembered<'t> {
    task: &'t Task,
    id: String,
    granted: Memory,
    #[cfg(feature = "memory")]
    runtime: tokio::runtime::Handle,
}

impl<'t> Remembered<'t> {
    #[cfg(feature = "memory")]
    fn of(task: &'t Task) -> Option<Remembered<'t>> {
        let Does::Builtin(name) = &task.worker.definition.does else { return None };
        if !waits(name) {
            return None;
        }
        let runtime = tokio::runtime::Handle::try_current().ok()?;
        let id = super::idempotency_key(&task.around.run, &task.key, task.input.content_digest());
        Some(Remembered { task, id, granted: memory::granted(&task.worker.definition), runtime })
    }

    #[cfg(not(feature = "memory"))]
    fn of(_: &'t Task) -> Option<Remembered<'t>> {
        None
    }

    fn access(&self) -> Access<'_> {
        Access {
            worker: &self.task.worker.name,
            run: &self.task.around.run,
            id: &self.id,
            granted: &self.granted,
            #[cfg(feature = "memory")]
            memory: &self.task.around.outside.memory,
            #[cfg(feature = "memory")]
            runtime: &self.runtime,
        }
    }
}

/// Does this built-in wait for what is remembered?
pub fn waits(name: &str) -> bool {
    cfg!(feature = "memory") && is_of_memory(name)
}

/// Calls a built-in that waits, on a thread of its own. What only reads is not waited for when it is stopped or late; what writes
/// always is: whoever takes it back must find it done.
pub async fn elsewhere(task: &Task) -> Returned {
    let (own, runtime) = (task.clone(), tokio::runtime::Handle::current());
    let (tell, mut called) = tokio::sync::oneshot::channel();
    let work = move || {
        let _inside = runtime.enter();
        // Nobody waits any more for what only reads and is late.
        let _ = tell.send(call(&own).returned);
    };
    // Not the pool of the runtime: it panics when the system gives no thread.
    if let Err(error) = std::thread::Builder::new().name("aivm-builtin".to_owned()).spawn(work) {
        return Returned::failed("E0718", format!("no thread for the built-in `{}`: {error}", task.worker.name));
    }
    let crashed = |_| {
        Returned::failed(
            "E0718",
            format!("the built-in `{}` crashed: please report this with its input", task.worker.name),
        )
    };
    if task.worker.builtin.is_none_or(|builtin| builtin.effect > Effect::Read) {
        return called.await.unwrap_or_else(crashed);
    }
    let late = async {
        match task.deadline_ms {
            Some(deadline) => {
                tokio::time::sleep(Duration::from_millis(deadline)).await;
                deadline
            }
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        returned = &mut called => returned.unwrap_or_else(crashed),
        deadline = late => Returned::timed_out(&task.worker.name, deadline),
        () = task.stop.asked() => Returned::stopped(),
    }
}

/// The answer, when nothing has to be waited for.
pub fn at_once(called: Called) -> Result<Returned, Called> {
    if called.wait_ms == 0 { Ok(called.returned) } else { Err(called) }
}

/// The answer, after the wait that it asks for; a deadline or a cancel ends the wait.
pub async fn wait(task: &Task, called: Called) -> Returned {
    if called.wait_ms == 0 {
        return called.returned;
    }
    let deadline = task.deadline_ms.filter(|deadline| *deadline < called.wait_ms);
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(deadline.unwrap_or(called.wait_ms))) => match deadline {
            Some(deadline) => Returned::timed_out(&task.worker.name, deadline),
            None => called.returned,
        },
        () = task.stop.asked() => Returned::stopped(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Outside, Prepared, Stop, Surroundings};
    use super::*;
    use crate::kept::Kept;
    use crate::mint::Mint;
    use aivm_schema::artifact::Draft;
    use aivm_schema::module::Worker;
    use aivm_schema::worker::{Does, WorkerDefinition};
    use std::path::PathBuf;
    use std::sync::Arc;

    #[test]
    fn what_is_asked_to_stop_before_its_turn_is_not_begun() {
        let definition = WorkerDefinition::new(Does::Builtin("clean".to_owned())).to_json();
        let worker = Worker { name: "clean".to_owned(), definition, money: None, tokens: None };
        let around = Surroundings {
            run: "r".to_owned(),
            workspace: PathBuf::new(),
            kept: Kept::temporary(),
            params: Default::default(),
            mock: false,
            outside: Outside::default(),
        };
        let draft = Draft { media_type: "text/plain".to_owned(), payload: b"a ".to_vec(), ..Draft::default() };
        let task = Task {
            worker: Arc::new(Prepared::new(&worker, &[]).expect("a worker")),
            key: "s/clean".into(),
            attempt: 1,
            input: Mint::system().expect("a clock").seal(draft).expect("an artifact"),
            parts: Arc::default(),
            saw: None,
            turns: Arc::new([]),
            words: Arc::new([]),
            deadline_ms: None,
            around: Arc::new(around),
            hears: None,
            told: None,
            stop: Arc::new(Stop::default()),
        };
        assert!(matches!(call(&task).returned, Returned::Done { .. }));
        task.stop.ask();
        assert!(matches!(call(&task).returned, Returned::Failed { kind: EndKind::Cancel, .. }));
    }
}
