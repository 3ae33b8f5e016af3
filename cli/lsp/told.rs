//! The service's answers as the protocol says them.

use super::lines::{Lines, Units};
use aivm_lang::diagnostic::{Diagnostic, Severity};
use aivm_lang::service::{CompletionKind, Mark, MarkKind, Symbol, SymbolKind};
use aivm_lang::span::Span;
use serde_json::{Value, json};

/// The names of sorts of tokens; a mark is told by its place here.
const TOKENS: [&str; 8] =
    ["keyword", "enumMember", "function", "variable", "parameter", "property", "number", "operator"];
const COMMENT: u32 = TOKENS.len() as u32;

/// What the server can do.
pub fn capabilities(units: Units) -> Value {
    let kinds: Vec<&str> = TOKENS.into_iter().chain(["comment"]).collect();
    json!({
        "positionEncoding": if units == Units::Utf8 { "utf-8" } else { "utf-16" },
        "textDocumentSync": {"openClose": true, "change": 2, "save": true},
        "completionProvider": {"triggerCharacters": ["<", ">", "=", ".", "[", "|", "~", "("], "resolveProvider": true},
        "hoverProvider": true,
        "definitionProvider": true,
        "referencesProvider": true,
        "renameProvider": {"prepareProvider": true},
        "documentSymbolProvider": true,
        "documentFormattingProvider": true,
        "foldingRangeProvider": true,
        "inlayHintProvider": true,
        "codeLensProvider": {"resolveProvider": false},
        "codeActionProvider": {"codeActionKinds": ["quickfix", "source.fixAll"]},
        "semanticTokensProvider": {"legend": {"tokenTypes": kinds, "tokenModifiers": ["declaration"]}, "full": true},
    })
}

/// One message of the compiler. `pages`: where the pages of the codes are.
pub fn diagnostic(one: &Diagnostic, uri: &str, text: &str, lines: &Lines, pages: Option<&str>) -> Value {
    let mut message = one.message.clone();
    let also = [
        (&one.primary.text, ""),
        (one.reason.as_ref().unwrap_or(&String::new()), ""),
        (one.help.as_ref().unwrap_or(&String::new()), "help: "),
    ]
    .map(|(text, before)| if text.is_empty() { String::new() } else { format!("\n{before}{text}") });
    message.extend(also);
    let severity = match one.severity() {
        Severity::Error => 1,
        Severity::Warning => 2,
        Severity::Hint => 4,
    };
    let range = lines.range(text, one.primary.span);
    let code = one.code.text();
    let mut told = json!({"range": range, "severity": severity, "code": code, "source": "aivm", "message": message});
    if let Some(pages) = pages {
        told["codeDescription"] = json!({"href": format!("{pages}/{code}.md")});
    }
    let related = one.labels.iter().map(|label| {
        let message = if label.text.is_empty() { "here" } else { &label.text };
        json!({"location": {"uri": uri, "range": lines.range(text, label.span)}, "message": message})
    });
    let related: Vec<Value> = related.collect();
    if !related.is_empty() {
        told["relatedInformation"] = related.into();
    }
    told
}

/// Changes of one text.
pub fn edits(edits: &[(Span, String)], uri: &str, text: &str, lines: &Lines) -> Value {
    let edits = edits.iter().map(|(span, with)| json!({"range": lines.range(text, *span), "newText": with}));
    json!({"changes": {uri: edits.collect::<Vec<_>>()}})
}

/// The protocol's number of a sort of completion.
pub fn completion_kind(kind: CompletionKind) -> u32 {
    match kind {
        CompletionKind::Keyword => 14,
        CompletionKind::Outcome => 20,
        CompletionKind::Worker => 3,
        CompletionKind::Label => 6,
        CompletionKind::Reference => 18,
        CompletionKind::Behaviour => 7,
        CompletionKind::Verdict => 21,
        CompletionKind::Key => 10,
        CompletionKind::Value => 12,
    }
}

pub fn symbols(all: &[Symbol], text: &str, lines: &Lines) -> Vec<Value> {
    let one = |symbol: &Symbol| {
        let kind = match symbol.kind {
            SymbolKind::Program => 2,
            SymbolKind::Definition => 12,
            SymbolKind::Stage => 3,
            SymbolKind::Step => 6,
        };
        json!({
            "name": symbol.name, "kind": kind, "range": lines.range(text, symbol.span),
            "selectionRange": lines.range(text, symbol.name_span), "children": symbols(&symbol.children, text, lines),
        })
    };
    all.iter().map(one).collect()
}

/// Five numbers a token: how far its line and its column are from those of the one before, its length, its sort, and whether it is
/// a definition.
pub fn tokens(marks: &[Mark], text: &str, lines: &Lines) -> Vec<u32> {
    let mut data = Vec::with_capacity(marks.len() * 5);
    let (mut line, mut column) = (0, 0);
    for mark in marks {
        let range = lines.range(text, mark.span);
        // No token of the language has two lines.
        let (start, end) = (range.start, range.end);
        if start.line != end.line {
            continue;
        }
        let over = if start.line == line { start.character - column } else { start.character };
        let kind = match mark.kind {
            MarkKind::Keyword => 0,
            MarkKind::Outcome => 1,
            MarkKind::Worker | MarkKind::Definition => 2,
            MarkKind::Label => 3,
            MarkKind::Behaviour => 4,
            MarkKind::Verdict => 5,
            MarkKind::Number => 6,
            MarkKind::Operator => 7,
            MarkKind::Comment => COMMENT,
        };
        let declares = u32::from(mark.kind == MarkKind::Definition);
        data.extend([start.line - line, over, end.character - start.character, kind, declares]);
        (line, column) = (start.line, start.character);
    }
    data
}
