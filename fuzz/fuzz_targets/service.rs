//! Any text as it stands in an editor, and a place in it: everything that is asked of it is answered, at places that it has.
#![no_main]

#[path = "../../tests/edits/asked.rs"]
mod asked;

use aivm_fuzz::shelf;
use aivm_lang::service::Document;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((at, text)) = data.split_first_chunk::<2>() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let shelf = shelf(text);
    let document = Document::new("p.aivm", text, &shelf);
    let told = asked::diagnostics(&document);
    told.and_then(|()| asked::everything(&document, u16::from_le_bytes(*at).into(), &shelf)).expect("what must hold");
});
