//! Fixes, carried out: of what is wrong with a text, all that can be mended without asking anybody.

use super::rename::apply;
use crate::diagnostic::{Code, Diagnostic, Fix, MOST_ERRORS, Severity};
use crate::library::Library;
use crate::{compile_as, workflow::Format};
use rustc_hash::FxHashSet;

/// So many fixes are carried out one after the other; what is wrong more often is no slip.
const MOST_FIXES: usize = 1_000;

/// So many bytes are compiled to find out what is better, all texts together: somebody waits for it.
const MOST_COMPILED: usize = 32 << 20;

/// A fix that was carried out.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Applied {
    /// What was wrong.
    pub code: Code,
    /// In a sentence.
    pub message: String,
    /// What was done.
    pub title: String,
}

/// A text after all fixes.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// What it says now.
    pub text: String,
    /// What was done, in this order.
    pub applied: Vec<Applied>,
    /// The errors that are left.
    pub left: Vec<Diagnostic>,
}

/// Carries out the fixes of a text, one after the other, as long as each makes it better. With `names`, also those that take a name
/// which nothing has for the nearest that there is: a guess, which may call somebody else.
pub fn fix(file: &str, text: &str, names: bool, library: &dyn Library) -> Fixed {
    let errors = |text: &str| errors(file, text, library);
    let before = Fixed { text: text.to_owned(), applied: Vec::new(), left: errors(text) };
    let (mut fixed, mut best) = (before.clone(), before.clone());
    // A fix that another takes back would go on for ever.
    let mut seen = FxHashSet::from_iter([text.to_owned()]);
    let mut compiled = 0;
    while fixed.applied.len() < MOST_FIXES {
        let mut fixes: Vec<(&Diagnostic, &Fix)> =
            fixed.left.iter().filter_map(|one| Some((one, one.fix.as_ref()?))).collect();
        fixes.retain(|(one, _)| names || !is_guess(one.code));
        // What one fix removes, the others need not mend: the text around a fence is no program.
        fixes.sort_by_key(|(_, fix)| std::cmp::Reverse(removed(fix)));
        let better = fixes.into_iter().find_map(|(one, fix)| {
            compiled += fixed.text.len();
            if compiled > MOST_COMPILED {
                return None;
            }
            let text = apply(&fixed.text, &fix.edits);
            let left = errors(&text);
            let better = is_better((&text, &left), &fixed) && seen.insert(text.clone());
            let applied = Applied { code: one.code, message: one.message.clone(), title: fix.title.clone() };
            better.then_some((text, left, applied))
        });
        let Some((text, left, applied)) = better else { break };
        fixed.text = text;
        fixed.left = left;
        fixed.applied.push(applied);
        // Each step is better than the one before it, and all of them together must be.
        if is_better((&fixed.text, &fixed.left), &before) {
            best = fixed.clone();
        }
    }
    best
}

fn errors(file: &str, text: &str, library: &dyn Library) -> Vec<Diagnostic> {
    let mut told = compile_as(Format::of(text), file, text, library).err().unwrap_or_default();
    told.retain(|one| one.severity() == Severity::Error);
    told
}

/// How many bytes a fix takes away.
fn removed(fix: &Fix) -> usize {
    fix.edits.iter().map(|(span, text)| span.range().len().saturating_sub(text.len())).sum()
}

/// Is the fix of this error a guess about what a name means?
fn is_guess(code: Code) -> bool {
    matches!(
        code,
        Code::UnknownWorker | Code::UnknownLabel | Code::UnknownStep | Code::UnknownBehaviour | Code::NoSuchStage
    )
}

/// Does it parse better, or as well with fewer errors of other sorts? What a name means is told only where the syntax is right.
fn is_better((text, errors): (&str, &[Diagnostic]), before: &Fixed) -> bool {
    let (new, old) = ((text, errors), (before.text.as_str(), before.left.as_slice()));
    let syntax = |errors: &[Diagnostic]| errors.iter().filter(|one| one.code < Code::UnknownWorker).cloned().collect();
    let (new_syntax, old_syntax): (Vec<Diagnostic>, Vec<Diagnostic>) = (syntax(errors), syntax(&before.left));
    let (new_syntax, old_syntax) = ((text, new_syntax.as_slice()), (old.0, old_syntax.as_slice()));
    is_further(new_syntax, old_syntax) || !is_further(old_syntax, new_syntax) && is_further(new, old)
}

/// Fewer errors, or the first one further down: what one error hides is told when it is gone.
fn is_further(new: (&str, &[Diagnostic]), old: (&str, &[Diagnostic])) -> bool {
    let behind = |(text, errors): (&str, &[Diagnostic])| {
        errors.first().map_or(0, |first| text.len().saturating_sub(first.primary.span.start as usize))
    };
    let too_many = new.1.len() >= MOST_ERRORS && old.1.len() >= MOST_ERRORS;
    new.1.len() < old.1.len() || too_many || behind(new) < behind(old)
}
