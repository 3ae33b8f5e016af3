//! Programs that come from an address instead of a file. What they are is what is loaded once: a run keeps it, and never asks again.

use crate::fail::Failure;

/// Is it an address, and not the name of a file?
pub fn is_address(path: &str) -> bool {
    let scheme = path.split_once("://").map_or("", |(scheme, _)| scheme);
    scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http")
}

/// A file or an address as it is shown and kept: an address without what stands behind a `?` or a `#`, which may be a credential.
pub fn shown(path: &str) -> &str {
    if is_address(path) { path.split(['?', '#']).next().unwrap_or(path) } else { path }
}

/// What is no program is read from a file. An address is not shown: it may be a credential.
pub fn is_a_file(path: &str) -> Result<(), Failure> {
    match is_address(path) {
        true => Err(Failure::usage("E0801", "that is an address, and nothing but programs is loaded from one")
            .help("load it by other means, read it, and give the file")),
        false => Ok(()),
    }
}

/// What stands at an address.
#[cfg(feature = "http")]
pub fn bytes(address: &str) -> Result<Vec<u8>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed("E0805", format!("no event loop: {error}")))?;
    let loaded = runtime.block_on(aivm_host::work::http::load::load(address, aivm_schema::limits::SOURCE));
    // What nobody waits for any more, a name that is looked up, holds nothing up.
    runtime.shutdown_background();
    loaded.map_err(|error| {
        crate::fail::coded(&error.to_string()).help("or load it by other means, read it, and give the file")
    })
}

/// A build that asks nobody says so.
#[cfg(not(feature = "http"))]
pub fn bytes(_address: &str) -> Result<Vec<u8>, Failure> {
    Err(Failure::usage("E0857", "this aivm was built without HTTP, and loads no program from an address")
        .help("install with it: cargo install --path ."))
}
