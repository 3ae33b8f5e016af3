//! Questions about a text, each answered by the language service.

use super::desk::{self, Desk, Looked, read};
use super::lines::{Lines, Position, Range};
use super::told;
use super::wire::Fault;
use aivm_lang::service::{self, Completion, LensKind, Place};
use aivm_lang::span::Span;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    text_document: TextDocument,
    #[serde(default = "beginning")]
    position: Position,
    range: Option<Range>,
    new_name: Option<String>,
    #[serde(default)]
    context: Context,
}

#[derive(Deserialize)]
struct TextDocument {
    uri: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    only: Option<Vec<String>>,
    include_declaration: Option<bool>,
}

fn beginning() -> Position {
    Position { line: 0, character: 0 }
}

/// The answer to a request.
pub fn answer(desk: &mut Desk, method: &str, params: Value) -> Result<Value, Fault> {
    let about = match method {
        "textDocument/completion" => complete,
        "textDocument/hover" => hover,
        "textDocument/definition" => definition,
        "textDocument/references" => references,
        "textDocument/prepareRename" => prepare_rename,
        "textDocument/rename" => rename,
        "textDocument/documentSymbol" => symbols,
        "textDocument/formatting" => format,
        "textDocument/foldingRange" => folds,
        "textDocument/inlayHint" => hints,
        "textDocument/codeLens" => lenses,
        "textDocument/codeAction" => actions,
        "textDocument/semanticTokens/full" => tokens,
        "completionItem/resolve" => return resolve(desk, params),
        _ => return Err(Fault::no_method(method)),
    };
    let asked: Asked = read(params)?;
    let looked = desk.look(&asked.text_document.uri)?;
    about(&looked, &asked)
}

impl Looked<'_> {
    fn text(&self) -> &str {
        self.document.text()
    }
    fn byte(&self, asked: &Asked) -> u32 {
        self.lines.byte(self.text(), asked.position)
    }
    fn range(&self, span: Span) -> Range {
        self.lines.range(self.text(), span)
    }
    /// The part of the text that is asked about; all of it, where nothing else is said.
    fn part(&self, asked: &Asked) -> Span {
        let all = Span::new(0, self.text().len() as u32);
        asked.range.map_or(all, |range| self.lines.span(self.text(), range))
    }
}

fn complete(at: &Looked, asked: &Asked) -> Result<Value, Fault> {
    let all = at.document.complete(at.byte(asked), at.library);
    let items = all.iter().enumerate().map(|(nth, one)| {
        json!({
            "label": one.label, "kind": told::completion_kind(one.kind), "detail": one.detail,
            "sortText": format!("{nth:05}"), "filterText": one.label,
            "textEdit": {"range": at.range(one.replace), "newText": one.insert},
            "data": {"uri": at.uri, "at": asked.position, "nth": nth},
        })
    });
    Ok(json!({"isIncomplete": false, "items": items.collect::<Vec<_>>()}))
}

/// What is to be known of a completion that was proposed.
fn resolve(desk: &mut Desk, mut item: Value) -> Result<Value, Fault> {
    #[derive(Deserialize)]
    struct Data {
        uri: String,
        at: Position,
        nth: usize,
    }
    let Data { uri, at, nth } = read(item["data"].clone())?;
    let looked = desk.look(&uri)?;
    let all = looked.document.complete(looked.lines.byte(looked.text(), at), looked.library);
    let same = |one: &&Completion| item["label"] == one.label.as_str();
    // The text may have changed since.
    let one = all.get(nth).filter(same).or_else(|| all.iter().find(same));
    if let Some(about) = one.and_then(|one| looked.document.explain(one, looked.library)) {
        item["documentation"] = json!({"kind": "markdown", "value": about});
    }
    Ok(item)
}

fn hover(at: &Looked, asked: &Asked) -> Result<Value, Fault> {
    let Some(hover) = at.document.hover(at.byte(asked), at.library) else { return Ok(Value::Null) };
    #[cfg(feature = "store")]
    let past = hover.step.and_then(|step| super::past::of_step(at.document.file(), &step)).unwrap_or_default();
    #[cfg(not(feature = "store"))]
    let past = String::new();
    let text = hover.text + &past;
    Ok(
        json!({"contents": {"kind": "markdown", "value": text}, "range": at.lines.range(at.document.text(), hover.span)}),
    )
}

fn definition(at: &Looked, asked: &Asked) -> Result<Value, Fault> {
    let Some(place) = at.document.definition(at.byte(asked), at.library) else { return Ok(Value::Null) };
    if place.file == at.document.file() {
        return Ok(json!({"uri": at.uri, "range": at.range(place.span)}));
    }
    let word = at.document.name_at(at.byte(asked)).unwrap_or_default();
    Ok(elsewhere(&place, word, at))
}

/// A place in another file; of one that defines several, where this word is.
fn elsewhere(place: &Place, word: &str, at: &Looked) -> Value {
    let text = std::fs::read_to_string(&place.file).unwrap_or_default();
    let lines = Lines::of(&text, at.units);
    let given = [format!("[worker.{word}]"), format!("\"{word}\"")].into_iter().find_map(|given| text.find(&given));
    let start = given.map_or(place.span.start, |start| start as u32);
    let range = lines.range(&text, Span::new(start, start));
    json!({"uri": desk::uri(&place.file), "range": range})
}

fn references(at: &Looked, asked: &Asked) -> Result<Value, Fault> {
    let byte = at.byte(asked);
    let mut spans = at.document.references(byte);
    if asked.context.include_declaration == Some(false) {
        let given = at.document.definition(byte, at.library);
        spans.retain(|span| given.as_ref().is_none_or(|place| place.span != *span));
    }
    Ok(spans.into_iter().map(|span| json!({"uri": at.uri, "range": at.range(span)})).collect())
}

fn prepare_rename(at: &Looked, asked: &Asked) -> Result<Value, Fault> {
    let span = at.document.renamable(at.byte(asked)).map_err(|error| Fault::refused(error.to_string()))?;
    let word = at.text().get(span.range()).unwrap_or_default();
    Ok(json!({"range": at.range(span), "placeholder": word}))
}

fn rename(at: &Looked, asked: &Asked) -> Result<Value, Fault> {
    let to = asked.new_name.as_deref().ok_or_else(|| Fault::invalid_params("newName is missing"))?;
    let edits =
        at.document.rename(at.byte(asked), to, at.library).map_err(|error| Fault::refused(error.to_string()))?;
    Ok(told::edits(&edits, at.uri, at.text(), at.lines))
}

fn symbols(at: &Looked, _: &Asked) -> Result<Value, Fault> {
    Ok(told::symbols(&at.document.symbols(), at.text(), at.lines).into())
}

fn format(at: &Looked, _: &Asked) -> Result<Value, Fault> {
    let Some(text) = at.document.formatted() else { return Ok(Value::Null) };
    let all = at.range(Span::new(0, at.text().len() as u32));
    Ok(if text == at.text() { json!([]) } else { json!([{"range": all, "newText": text}]) })
}

fn folds(at: &Looked, _: &Asked) -> Result<Value, Fault> {
    let one = |fold: service::Fold| {
        let range = at.range(fold.span);
        // The line that closes a bracket stays to be seen.
        let end = if fold.comment { range.end.line } else { range.end.line.saturating_sub(1) };
        let kind = if fold.comment { "comment" } else { "region" };
        (end > range.start.line).then(|| json!({"startLine": range.start.line, "endLine": end, "kind": kind}))
    };
    Ok(at.document.folds().into_iter().filter_map(one).collect())
}

fn hints(at: &Looked, asked: &Asked) -> Result<Value, Fault> {
    let part = at.part(asked);
    let shown = at.document.hints().into_iter().filter(|hint| part.start <= hint.at && hint.at <= part.end);
    let one = |hint: service::Hint| {
        let position = at.lines.position(at.text(), hint.at);
        json!({"position": position, "label": hint.text, "tooltip": hint.about})
    };
    Ok(shown.map(one).collect())
}

fn lenses(at: &Looked, _: &Asked) -> Result<Value, Fault> {
    let one = |lens: service::Lens| {
        let (title, command) = match lens.kind {
            LensKind::RunMock => ("Run (mock)", "aivm.runMock"),
            LensKind::Run => ("Run", "aivm.run"),
        };
        json!({"range": at.range(lens.span), "command": {"title": title, "command": command, "arguments": [at.uri]}})
    };
    Ok(at.document.lenses().into_iter().map(one).collect())
}

fn tokens(at: &Looked, _: &Asked) -> Result<Value, Fault> {
    Ok(json!({"data": told::tokens(&at.document.marks(), at.text(), at.lines)}))
}

/// What is mended at once in a longer text is worked out when somebody asks for it: a cursor that moves does not wait so long.
const MOST_UNASKED: usize = 64 << 10;

/// The fixes at a place; and all of a text at once, where that is asked for or there are several.
fn actions(at: &Looked, asked: &Asked) -> Result<Value, Fault> {
    let wanted = |kind: &str| {
        let fits = |only: &String| kind == only || kind.starts_with(&format!("{only}."));
        asked.context.only.as_ref().map(|only| only.iter().any(fits))
    };
    let mut actions = Vec::new();
    if wanted("quickfix") != Some(false) {
        actions.extend(at.document.fixes(at.part(asked)).map(|(one, fix)| {
            json!({
                "title": fix.title, "kind": "quickfix", "isPreferred": true,
                "diagnostics": [told::diagnostic(one, at.uri, at.text(), at.lines, None)],
                "edit": told::edits(&fix.edits, at.uri, at.text(), at.lines),
            })
        }));
    }
    let several = || actions.len() > 1 && at.text().len() <= MOST_UNASKED;
    if wanted("source.fixAll").unwrap_or_else(several) {
        let fixed = service::fix(at.document.file(), at.text(), false, at.library);
        if !fixed.applied.is_empty() {
            let all = vec![(Span::new(0, at.text().len() as u32), fixed.text)];
            let title = format!("mend all that can be mended ({})", fixed.applied.len());
            let edit = told::edits(&all, at.uri, at.text(), at.lines);
            actions.push(json!({"title": title, "kind": "source.fixAll", "edit": edit}));
        }
    }
    Ok(actions.into())
}
