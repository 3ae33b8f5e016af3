//! What an editor, the playground and a REPL ask of a text, and what must hold of the answers: places lie in the text, a new name changes
//! nothing but names, a layout is its own layout, and what compiles is verified. For `tests/edits.rs` and the fuzz target `service`.

use aivm_lang::library::Library;
use aivm_lang::service::{Document, apply};
use aivm_lang::span::Span;
use aivm_lang::{cost, draw};
use aivm_schema::module::disassemble;
use aivm_vm::verify;

type Told = Result<(), String>;

fn within(document: &Document, what: &str, span: Span) -> Told {
    match document.text().get(span.range()) {
        Some(_) if span.start <= span.end => Ok(()),
        _ => Err(format!("{what} stands at {span:?}")),
    }
}

/// Of what is asked after each key.
pub fn diagnostics(document: &Document) -> Told {
    for told in document.diagnostics() {
        within(document, told.code.text(), told.primary.span)?;
        told.labels.iter().try_for_each(|label| within(document, "a label", label.span))?;
        told.fix.iter().flat_map(|fix| &fix.edits).try_for_each(|(span, _)| within(document, "a fix", *span))?;
    }
    Ok(())
}

/// Of what is asked when the hand rests, at a place.
pub fn everything(document: &Document, at: u32, library: &dyn Library) -> Told {
    let within = |what: &str, span: Span| within(document, what, span);
    for completion in document.complete(at, library) {
        within("a completion", completion.replace)?;
        document.explain(&completion, library);
    }
    document.hover(at, library).map_or(Ok(()), |hover| within("a hover", hover.span))?;
    document.definition(at, library);
    document.references(at).into_iter().try_for_each(|span| within("a reference", span))?;
    if document.renamable(at).is_ok()
        && let Ok(edits) = document.rename(at, "renamed-by-a-test", library)
    {
        let renamed = Document::new(document.file(), apply(document.text(), &edits), library);
        if document.compiled().is_some() && renamed.compiled().is_none() {
            return Err(format!("renamed, it does not compile:\n{}", renamed.text()));
        }
    }
    document.marks().iter().try_for_each(|mark| within("a mark", mark.span))?;
    document.hints().iter().try_for_each(|hint| within("a hint", Span::new(hint.at, hint.at)))?;
    document.folds().iter().try_for_each(|fold| within("a fold", fold.span))?;
    document.symbols().iter().try_for_each(|symbol| within("a symbol", symbol.span))?;
    document.lenses().iter().try_for_each(|lens| within("a lens", lens.span))?;
    if let Some(formatted) = document.formatted() {
        let again = Document::new(document.file(), formatted.as_str(), library);
        if again.formatted().as_deref() != Some(&formatted) {
            return Err(format!("formatted twice it is another:\n{formatted}"));
        }
    }
    let Some(compiled) = document.compiled() else { return Ok(()) };
    cost::worst_case(&compiled.flow);
    draw::svg(&compiled.flow, None, draw::Theme::Light);
    disassemble(&compiled.module);
    let verified = verify(compiled.module.clone());
    verified.map(drop).map_err(|error| format!("the verifier refuses what the compiler made: {error}"))
}
