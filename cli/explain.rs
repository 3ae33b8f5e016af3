//! `explain`: the page of an error code.

use crate::args::{ExplainArgs, Global};
use crate::fail::{Exit, Failure};
use aivm_lang::diagnostic::Code;
use serde_json::json;

include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors/pages.rs"));

/// `aivm explain E0104`.
pub fn explain(global: &Global, args: &ExplainArgs) -> Result<Exit, Failure> {
    let Some(code) = &args.code else {
        if global.json {
            let rows: Vec<_> = PAGES.iter().map(|(code, page)| json!({"code": code, "title": title(page)})).collect();
            println!("{}", json!({"v": 1, "codes": rows}));
            return Ok(Exit::SENT);
        }
        for (code, page) in PAGES {
            println!("{code}  {}", title(page));
        }
        return Ok(Exit::SENT);
    };
    let code = code.to_ascii_uppercase();
    let page = page(&code).ok_or_else(|| {
        Failure::usage("E0840", format!("there is no page for `{code}`")).help("list all codes: aivm explain")
    })?;
    if global.json {
        let severity = Code::ALL.iter().find(|known| known.text() == code).map(|known| known.severity());
        println!("{}", json!({"v": 1, "code": code, "title": title(page), "severity": severity, "page": page}));
    } else {
        print!("{page}");
    }
    Ok(Exit::SENT)
}

/// The page of a code.
pub fn page(code: &str) -> Option<&'static str> {
    PAGES.iter().find(|(known, _)| *known == code).map(|(_, page)| *page)
}

/// `# E0104: not a word` → `not a word`.
fn title(page: &str) -> &str {
    let first = page.lines().next().unwrap_or("");
    first.split_once(": ").map_or(first, |(_, title)| title)
}
