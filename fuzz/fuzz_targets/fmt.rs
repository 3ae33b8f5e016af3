//! Any text: what does not parse is not touched; what does keeps its tree and its comments, and is formatted once.
#![no_main]

use aivm_lang::format::format;
use aivm_lang::lexer::{Kind, lex};
use aivm_lang::parser::parse;
use aivm_schema::worker::split_front_matter;
use libfuzzer_sys::fuzz_target;

fn comments(source: &str) -> Vec<&str> {
    let (_, body) = split_front_matter(source);
    let comment = |token: &aivm_lang::lexer::Token| token.kind == Kind::Comment;
    lex(body, 0).iter().filter(|token| comment(token)).map(|token| body[token.span.range()].trim_end()).collect()
}

fuzz_target!(|data: &[u8]| {
    let Ok(source) = std::str::from_utf8(data) else { return };
    let parsed = parse(source);
    match format(source) {
        Err(errors) => assert!(!errors.is_empty()),
        Ok(formatted) => {
            assert!(parsed.diagnostics.is_empty(), "a broken program was formatted");
            let again = parse(&formatted);
            assert!(again.diagnostics.is_empty(), "{formatted}");
            assert_eq!(again.tree, parsed.tree, "{formatted}");
            assert_eq!(comments(&formatted), comments(source));
            assert_eq!(format(&formatted).as_ref(), Ok(&formatted), "formatting twice is another thing");
        }
    }
});
