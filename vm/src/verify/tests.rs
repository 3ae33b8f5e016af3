use super::*;

#[test]
fn an_empty_module_is_no_program() {
    let refused = verify(Module::default()).map(|_| ()).map_err(|error| (error.rule, error.place));
    assert_eq!(refused, Err((Rule::NoProgram, Place::Module)));
}
