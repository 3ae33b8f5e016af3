use super::*;

#[test]
fn sorted() {
    assert!(BUILTINS.is_sorted_by_key(|builtin| builtin.name));
}
