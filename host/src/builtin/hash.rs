//! `hash`: a short name for the bytes.

use super::input::Call;
use super::setting::Setting;
use super::{Builtin, Effect, Failure, Output, media, nothing_more};
use sha2::{Digest, Sha256};

pub(super) const BUILTIN: Builtin = Builtin {
    name: "hash",
    effect: Effect::Pure,
    words: &[],
    instead: None,
    settings: &[
        Setting::choice("by", &["blake3", "sha256"], "the function"),
        Setting::choice(
            "into",
            &["output", "attribute"],
            "where it goes: it is the output, or stands in the attribute `hash` of the unchanged input",
        ),
    ],
    check: nothing_more,
    run,
};

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    call.whole()?;
    let hash = match call.with.text("by") {
        "sha256" => Sha256::digest(call.input.payload).iter().map(|byte| format!("{byte:02x}")).collect(),
        _ => blake3::hash(call.input.payload).to_hex().to_string(),
    };
    Ok(match call.with.text("into") {
        "attribute" => Output::same().with("hash", hash),
        _ => Output::new(media::TEXT, hash),
    })
}
