use super::*;

#[test]
fn an_empty_module_is_no_program() {
    assert!(matches!(verify(Module::default()), Err(VerifyError::Table { table: "functions", .. })));
}
