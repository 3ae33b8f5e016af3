//! Any bytes as a module, as a file, as assembly text, as debug information: refused, or read and written back exactly.
#![no_main]

use aivm_schema::artifact::Draft;
use aivm_schema::limits;
use aivm_schema::module::{Debug, MEDIA_TYPE, Module, assemble, disassemble, load};
use aivm_vm::verify;
use libfuzzer_sys::fuzz_target;

/// What is printed cannot steer the terminal.
fn visible(text: &str) {
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
}

/// Both spellings say the same module, and the verifier has an opinion.
fn spell(module: Module) {
    let bytes = module.to_bytes();
    if bytes.len() <= limits::MODULE {
        assert_eq!(Module::from_bytes(&bytes).as_ref(), Ok(&module));
    }
    let text = disassemble(&module);
    visible(&text);
    assert_eq!(assemble(&text).as_ref(), Ok(&module), "{text}");
    let _ = verify(module).map_err(|error| visible(&error.to_string()));
}

fuzz_target!(|data: &[u8]| {
    let module = Module::from_bytes(data);
    // In an artifact whose checksum fits, so that what is behind the door is seen too.
    let draft = Draft { media_type: MEDIA_TYPE.into(), payload: data.into(), ..Draft::default() };
    let file = draft.seal(1, [1; 10]).expect("an artifact").to_framed();
    assert_eq!(load(&file).map(|(module, _)| module).ok(), module.clone().ok());
    let _ = load(data).map_err(|error| visible(&error.to_string()));
    if let Ok(module) = module {
        assert_eq!(module.to_bytes(), data);
        spell(module);
    }
    if let Ok(debug) = Debug::from_bytes(data) {
        let bytes = debug.to_bytes();
        assert_eq!(Debug::from_bytes(&bytes).map(|debug| debug.to_bytes()), Ok(bytes));
    }
    match std::str::from_utf8(data).map(assemble) {
        Ok(Ok(module)) => spell(module),
        Ok(Err(errors)) => {
            assert!(!errors.is_empty() && errors.is_sorted_by_key(|error| error.line));
            errors.iter().for_each(|error| visible(&error.to_string()));
        }
        Err(_) => {}
    }
});
