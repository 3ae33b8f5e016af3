//! `fail` and `unbound`: steps that cannot succeed, and say why.

use super::input::Call;
use super::setting::{Kind, Setting};
use super::{Builtin, Effect, Failure, Output, nothing_more};

pub(super) const FAIL: Builtin = Builtin {
    name: "fail",
    effect: Effect::Pure,
    words: &[],
    instead: None,
    settings: &[
        Setting::optional("reason", Kind::Text, "why; not set: as what it is called with failed before"),
        Setting::choice("code", &["E1094", "E1091", "E1092"], "the code that the failure has"),
    ],
    check: nothing_more,
    run: fail,
};

/// It would touch the world, if somebody bound it: so `--mock` runs without it.
pub(super) const UNBOUND: Builtin = Builtin {
    name: "unbound",
    effect: Effect::Read,
    words: &[],
    instead: None,
    settings: &[Setting::required("capability", Kind::Text, "what is missing")],
    check: nothing_more,
    run: unbound,
};

fn fail(call: &Call<'_>) -> Result<Output, Failure> {
    let code = match call.with.text("code") {
        "E1091" => "E1091",
        "E1092" => "E1092",
        _ => "E1094",
    };
    let before = call.input.attributes.iter().find(|(key, _)| key == "error").map(|(_, error)| error.as_str());
    let reason = call.with.maybe("reason").or(before).unwrap_or("the program ends here");
    Err(Failure::Told { code, reason: reason.to_owned() })
}

fn unbound(call: &Call<'_>) -> Result<Output, Failure> {
    let name = call.with.text("capability");
    let reason = format!(
        "nothing is bound to the capability `{name}`: define a worker of this name, `workers/{name}.toml` beside the file or `[worker.\"{name}\"]` in aivm.toml; `--mock` runs without it"
    );
    Err(Failure::Told { code: "E1090", reason })
}
