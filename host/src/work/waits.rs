//! A call waits until there is room for it, and the limits of its worker, and of the provider that it asks, let it. What they are, and how long a wait is,
//! is `limits`.

use super::{Returned, Task};
use crate::limits::{Asks, Lease, PER_TOKEN, Pass, TooLong, Who};
#[cfg(feature = "models")]
use crate::models::{AskError, Used, client::Said};
use aivm_schema::unit::Tokens;
use aivm_schema::worker::Does;
#[cfg(feature = "models")]
use aivm_schema::worker::Rates;
#[cfg(feature = "models")]
use aivm_vm::action::Usage;
use std::time::Duration;
#[cfg(feature = "models")]
use std::time::Instant;

/// What a call will use, as far as that can be told before: what its worker declares, else the text of a question and the
/// longest answer.
fn expected(task: &Task) -> u64 {
    let Does::Model(ask) = &task.worker.definition.does else { return 0 };
    let text = ask.prompt.len() + task.input.payload().len();
    let parts: usize = task.parts.iter().map(|(_, _, value)| value.payload().len()).sum();
    let asked = (text + parts) as u64 / PER_TOKEN + u64::from(ask.options.max_tokens.unwrap_or(0));
    task.worker.definition.tokens.map_or(asked, |Tokens(tokens)| tokens)
}

/// A model is asked once its provider's limits let it, and it itself; what it says of the next time holds for the next.
#[cfg(feature = "models")]
pub async fn of_model(
    task: &Task,
    name: &str,
    tokens: u64,
    until: Option<Instant>,
    usage: &mut Usage,
    asked: impl Future<Output = Result<Said, AskError>>,
) -> Result<Said, AskError> {
    let (models, limits) = (&task.around.outside.models, task.around.outside.models.limits());
    let provider = name.split('/').next().unwrap_or(name);
    let rates = models.provider(provider).map(|provider| provider.limits).unwrap_or_default();
    let model = Who::Model(name.to_owned());
    let mut passes = Vec::new();
    for (who, rates) in [(Who::Provider(provider.to_owned()), rates), (model.clone(), Rates::default())] {
        let most = until.map(|until| until.saturating_duration_since(Instant::now()));
        let pass = limits.enter(who, Asks { rates: &rates, tokens, most }, |text| task.tell(text)).await;
        let pass = pass.map_err(|wait| AskError::Limited { model: name.to_owned(), wait })?;
        usage.waited_ms = usage.waited_ms.saturating_add(pass.waited.as_millis() as u64);
        passes.push(pass);
    }
    let said = asked.await;
    if let Err(AskError::RateLimited { after: Some(seconds), .. }) = &said {
        limits.leave_alone(model, *seconds);
    }
    let used = said.as_ref().map_or(0, |said| said.used.map_or(tokens, Used::tokens));
    passes.into_iter().for_each(|pass| pass.settle(used));
    said
}

/// A call of a worker waits for what it takes of the machine, and for its limits; what it may take is less by that then.
pub async fn of_worker(task: &mut Task) -> Result<(Pass, Lease), Returned> {
    let (rates, resources) = (task.worker.definition.limits, task.worker.definition.resources);
    let who = Who::Worker(task.worker.name.clone());
    let limits = task.around.outside.models.limits();
    let most = task.deadline_ms.map(Duration::from_millis);
    let tokens = if rates.is_none() { 0 } else { expected(task) };
    let entered = async {
        let lease = limits.lease(who.clone(), resources, most).await?;
        let most = most.map(|most| most.saturating_sub(lease.waited));
        let mut pass = limits.enter(who, Asks { rates: &rates, tokens, most }, |text| task.tell(text)).await?;
        pass.waited += lease.waited;
        Ok((pass, lease))
    };
    let (pass, lease) = tokio::select! {
        entered = entered => entered.map_err(|error: TooLong| Returned::failed(TooLong::CODE, error.to_string()))?,
        () = task.stop.asked() => return Err(Returned::stopped()),
    };
    if let Some(deadline) = &mut task.deadline_ms {
        *deadline = deadline.saturating_sub(pass.waited.as_millis() as u64).max(1);
    }
    Ok((pass, lease))
}
