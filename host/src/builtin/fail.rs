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
        Setting::required("reason", Kind::Text, "why"),
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
    Err(Failure::Told { code, reason: call.with.text("reason").to_owned() })
}

fn unbound(call: &Call<'_>) -> Result<Output, Failure> {
    let name = call.with.text("capability");
    let reason = format!(
        "nothing is bound to the capability `{name}`: define a worker of this name, `workers/{name}.toml` beside the file or `[worker.\"{name}\"]` in aivm.toml; `--mock` runs without it"
    );
    Err(Failure::Told { code: "E1090", reason })
}
