//! Capabilities: built-ins under the dotted names that sagas know. Each reads its inputs from a JSON object and returns a JSON object
//! with `success`; where another built-in does the same, it is done in the same way, and taken back in the same way.
//!
//! `capability/inputs.rs` says what each reads, `capability/fs.rs` has those of files, `capability/archive.rs` packs files, `capability/data.rs` has those that only compute.

use super::buffer;
use super::input::Call;
use super::tools::Asked;
use super::{Builtin, Effect, Failure, Output, media, nothing_more};
use serde_json::{Value, json};

pub(super) mod archive;
pub(super) mod data;
pub(super) mod fs;
mod inputs;

pub use inputs::{absolute_paths, capability_of, wrong_inputs};

const fn capability(name: &'static str, effect: Effect, run: fn(&Call<'_>) -> Result<Output, Failure>) -> Builtin {
    Builtin { name, effect, words: &[], instead: None, settings: &[], check: nothing_more, run }
}

fn answer(value: &Value) -> Result<Output, Failure> {
    Ok(Output::new(media::JSON, buffer::json(value)?))
}

/// What system this is.
pub(super) const GET_OS: Builtin =
    capability("sys.info.get_os", Effect::Read, |_| answer(&json!({ "success": true, "os": std::env::consts::OS })));

/// A variable of the environment that is no secret.
pub(super) const GET_ENV_VAR: Builtin = capability("sys.info.get_env_var", Effect::Read, |call| {
    let asked = Asked::of(call, "name")?;
    let name = asked.text("name")?;
    // What flows is kept and shown: a secret goes where it is needed, and nowhere else.
    if SECRET.iter().any(|part| name.to_ascii_uppercase().contains(part)) {
        return Err(Failure::Rejected(format!(
            "`{name}` looks like a secret, and would be kept with the run: `secret(\"{name}\")` gives it to a request, `env` of a `sandbox` to a command"
        )));
    }
    let value = std::env::var(name).ok();
    match (value, asked.maybe("default")?) {
        (Some(value), _) => answer(&json!({ "success": true, "name": name, "value": value })),
        (None, Some(default)) => answer(&json!({ "success": true, "name": name, "value": default })),
        (None, None) => Err(Failure::Missing(format!("there is no variable `{name}`, and no `default`"))),
    }
});

/// What the names of secrets have in them.
const SECRET: [&str; 7] = ["TOKEN", "KEY", "PASSW", "SECRET", "CREDENTIAL", "AUTH", "COOKIE"];
