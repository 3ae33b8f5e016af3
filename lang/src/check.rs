//! What is allowed but looks wrong: warnings, never errors. Each with a reason and, where there is one, a way out.
//!
//! Policies and information-flow labels will be judged here too, on the same graph; they need a policy file.

use crate::diagnostic::Diagnostic;
use crate::flow::*;

/// The warnings about the outermost file of a flow graph, in the order of their places.
pub fn check(_flow: &Flow) -> Vec<Diagnostic> {
    Vec::new()
}
