//! Built-ins: functions of this program. Pure ones run on the driver's own thread when that is quickest, else on a lane.

use super::{Returned, Task, error};
use crate::builtin::{Context, Failure, Input, Output, Part};
use aivm_schema::module::EndKind;
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
    let began = Instant::now();
    let late = task.deadline_ms.map(Duration::from_millis);
    let context = Context {
        with: &task.worker.definition.with,
        outcomes: &task.words,
        params: &task.around.params,
        workspace: &task.around.workspace,
        kept: task.around.kept.folder(),
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
