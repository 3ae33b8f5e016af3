//! Any text: nothing is lost by the lexer, the parser says no more than a person reads, and what compiles is verified.
#![no_main]

use aivm_fuzz::{judge, shelf};
use aivm_lang::{compile, cost, lexer, parser};
use aivm_vm::verify;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let source = match parser::read_utf8(data) {
        Ok(source) => source,
        Err(diagnostic) => return judge("", &[diagnostic]),
    };
    let tokens = lexer::lex(source, 0);
    let joined: String = tokens.iter().map(|token| &source[token.span.range()]).collect();
    assert_eq!(joined, source);

    let parsed = parser::parse(source);
    judge(source, &parsed.diagnostics);
    match compile("p.aivm", source, &shelf(source)) {
        Err(errors) => {
            assert!(!errors.is_empty());
            // Those of a file that it calls are about another text.
            judge(source, &errors);
        }
        Ok(compiled) => {
            assert!(parsed.diagnostics.is_empty() && !parsed.incomplete);
            judge(source, &compiled.warnings);
            let _ = (compiled.flow.to_text(), cost::worst_case(&compiled.flow));
            verify(compiled.module).expect("what the compiler emits is verified");
        }
    }
});
