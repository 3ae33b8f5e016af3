//! The language service: what an editor asks about a program while it is written. A [`Document`] is a text as it stands, with
//! all that is known of it; a new one is made after each change, which is quicker than keeping one up to date would be simple.
//!
//! Places are bytes of the text. Lines, protocols and screens are the business of those who ask: the language server, the
//! playground and the REPL translate these answers, and know nothing of the language themselves. Everything here holds for
//! broken texts too.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

use crate::diagnostic::{Diagnostic, Fix};
use crate::front::{self, FrontMatter};
use crate::lexer::{Token, lex};
use crate::library::Library;
use crate::parser::{self, Parsed};
use crate::span::Span;
use crate::workflow::Format;
use crate::{Compiled, compile_as, compile_parsed, format};
use aivm_schema::limits::SOURCE;

mod complete;
mod context;
mod fix;
mod front_matter;
mod hover;
mod marks;
mod meanings;
mod names;
mod outline;
mod rename;
#[cfg(test)]
mod tests;

pub use complete::{Completion, CompletionKind};
pub use fix::{Applied, Fixed, fix};
pub use hover::Hover;
pub use marks::{Hint, Mark, MarkKind};
pub use meanings::meaning;
pub use outline::{Fold, Lens, LensKind, Symbol, SymbolKind};
pub use rename::{Edit, Place, RenameError, apply};

use names::Names;

/// A text as it stands in an editor, and all that is known of it.
#[derive(Debug)]
pub struct Document {
    file: String,
    text: String,
    format: Format,
    /// Those of the program, with spaces and comments; none of another format.
    tokens: Vec<Token>,
    parsed: Parsed,
    /// What its front matter defines, as far as that can be read.
    front: FrontMatter,
    compiled: Option<Compiled>,
    diagnostics: Vec<Diagnostic>,
    names: Names,
}

impl Document {
    /// Reads and compiles a text. `file` is its name in messages, and what its words are looked up beside.
    pub fn new(file: &str, text: impl Into<String>, library: &dyn Library) -> Document {
        let text = text.into();
        let format = Format::of(&text);
        let parsed = if format == Format::Aivm { parser::parse(&text) } else { Parsed::default() };
        let compiled = match format {
            Format::Aivm => compile_parsed(file, &text, &parsed, library),
            other => compile_as(other, file, &text, library),
        };
        let (compiled, mut diagnostics) = match compiled {
            Ok(compiled) => {
                let told = compiled.warnings.iter().chain(&compiled.hints).cloned().collect();
                (Some(compiled), told)
            }
            Err(errors) => (None, errors),
        };
        // What reads TOML and YAML tells places within a character.
        let whole = |span: Span| {
            let [start, end] =
                [text.floor_char_boundary(span.start as usize), text.ceil_char_boundary(span.end as usize)];
            Span::new(start as u32, end.max(start) as u32)
        };
        for one in &mut diagnostics {
            one.primary.span = whole(one.primary.span);
            one.labels.iter_mut().for_each(|label| label.span = whole(label.span));
            one.fix.iter_mut().flat_map(|fix| &mut fix.edits).for_each(|(span, _)| *span = whole(*span));
        }
        diagnostics.sort_by_key(|one| one.primary.span);
        let mut document = Document {
            file: file.to_owned(),
            text,
            format,
            tokens: Vec::new(),
            parsed,
            front: FrontMatter::default(),
            compiled,
            diagnostics,
            names: Names::default(),
        };
        if format == Format::Aivm && document.text.len() <= SOURCE {
            let matter = document.front_matter();
            document.front = front::read(document.slice(matter), matter.start).front;
            document.tokens = lex(&document.text, document.body());
            document.names = Names::of(&document);
        }
        document
    }

    /// Its name.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it is written in.
    pub fn format_of_text(&self) -> Format {
        self.format
    }

    /// The program, when it has no errors.
    pub fn compiled(&self) -> Option<&Compiled> {
        self.compiled.as_ref()
    }

    /// Does it end where more may follow? Then nothing is wrong with it yet.
    pub fn is_incomplete(&self) -> bool {
        self.parsed.incomplete
    }

    /// Errors; or, where there are none, warnings and hints. In the order of their places.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The fixes of what is wrong at a place, with what they mend.
    pub fn fixes(&self, at: Span) -> impl Iterator<Item = (&Diagnostic, &Fix)> {
        let touches = move |span: Span| span.start <= at.end && at.start <= span.end;
        let here = self.diagnostics.iter().filter(move |one| touches(one.primary.span));
        here.filter_map(|one| Some((one, one.fix.as_ref()?)))
    }

    /// The text in its one layout; none while it does not parse, or is no program of arrows.
    pub fn formatted(&self) -> Option<String> {
        if self.format != Format::Aivm || !self.parsed.diagnostics.is_empty() {
            return None;
        }
        format::format(&self.text).ok()
    }

    /// The text of a place; empty where there is none.
    fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or("")
    }

    /// The TOML between the fences, also where the second one is missing; empty when there is none.
    fn front_matter(&self) -> Span {
        if self.parsed.tree.front_matter.is_some() {
            return self.parsed.spans.front_matter;
        }
        let first = self.text.lines().next().unwrap_or("");
        if first.trim_start_matches('\u{feff}') == "+++" {
            let start = (first.len() + 1).min(self.text.len());
            return Span::new(start as u32, self.text.len() as u32);
        }
        Span::default()
    }

    /// Where the program begins.
    fn body(&self) -> u32 {
        let matter = self.front_matter();
        match self.parsed.tree.front_matter.is_some() || matter == Span::default() {
            true => parser::body(&self.text).1,
            false => matter.end,
        }
    }

    /// The nearest place at or before a byte where a character begins.
    fn boundary(&self, at: u32) -> u32 {
        self.text.floor_char_boundary(at as usize) as u32
    }
}
