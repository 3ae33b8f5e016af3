//! A program, drawn for a terminal.

use aivm_lang::flow::Flow;

/// Draws a program.
pub fn draw(flow: &Flow, _colours: bool) -> String {
    flow.to_text()
}
