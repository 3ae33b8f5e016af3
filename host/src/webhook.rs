//! Web hooks: a service is told that a person is asked.

use aivm_vm::run::Question;
use serde_json::{Value, json};

#[cfg(feature = "store")]
/// How long a service may take.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// What it is told: `event`, the run, the step, what is asked, between which words, about what, until when, and the commands
/// that answer. Of the content only its type, size and checksum: it may be secret.
pub fn body(run: &str, question: &Question) -> Value {
    let (call, key) = (&question.call, question.call.key.to_string());
    let approve = |word: &str| format!("aivm approve {run} {word} --step '{key}'");
    json!({
        "event": "approval_required",
        "run": run,
        "step": key,
        "question": question.question,
        "choices": question.choices,
        "subject": blake3::Hash::from_bytes(question.subject).to_hex().as_str(),
        "expires": question.expires,
        "input": {
            "artifact": call.input.checksum().to_string(),
            "type": call.input.media_type(),
            "size": call.input.payload().len(),
        },
        "commands": question.choices.iter().map(|word| approve(word)).collect::<Vec<_>>(),
    })
}

#[cfg(feature = "store")]
/// Posts it as JSON; anything but a 2xx is a failure. Redirects are not followed.
pub fn post(address: &str, body: &Value) -> Result<(), String> {
    let config = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).max_redirects(0).build();
    let agent: ureq::Agent = config.into();
    let sent = agent.post(address).content_type("application/json").send(body.to_string());
    let response = sent.map_err(|error| error.to_string())?;
    match response.status().is_success() {
        true => Ok(()),
        false => Err(format!("it answered {}", response.status())),
    }
}

/// The lean build speaks to no service.
#[cfg(not(feature = "store"))]
pub fn post(_address: &str, _body: &Value) -> Result<(), String> {
    Err("this aivm was built without it".into())
}

/// Posts it where the program itself says, which is not trusted as what the user says is: `allowed` are the servers that the user
/// allows though they are not public.
#[cfg(feature = "http")]
pub async fn tell(address: String, body: String, allowed: std::sync::Arc<[String]>) -> Result<(), String> {
    crate::work::http::tell::tell(&address, body, &allowed).await
}

/// The lean build speaks to no service.
#[cfg(not(feature = "http"))]
pub async fn tell(_address: String, _body: String, _allowed: std::sync::Arc<[String]>) -> Result<(), String> {
    Err("this aivm was built without it".into())
}
