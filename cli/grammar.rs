//! `grammar`: the grammar of the language, for people and for samplers of models.

use crate::args::{Global, GrammarArgs, GrammarFormat};
use crate::fail::{Exit, Failure};
use aivm_lang::grammar;
use serde_json::json;

/// `aivm grammar`.
pub fn grammar(global: &Global, args: &GrammarArgs) -> Result<Exit, Failure> {
    let (name, text) = match args.format {
        GrammarFormat::Ebnf => ("ebnf", grammar::ebnf()),
        GrammarFormat::Gbnf => ("gbnf", grammar::gbnf()),
    };
    match global.json {
        true => println!("{}", json!({"v": 1, "format": name, "grammar": text})),
        false => print!("{text}"),
    }
    Ok(Exit::SENT)
}
