//! Values of the evaluator.

use std::fmt;
use std::rc::Rc;

/// What flows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Value {
    /// The payload.
    pub body: Body,
    /// The code in the attribute `error`.
    pub error: Option<String>,
}

/// A payload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// Has no parts: it is one part.
    Text(Rc<str>),
    /// Has parts.
    Parts(Rc<[Part]>),
}

/// One part.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// Of the step or element that it came from.
    pub name: String,
    /// What it is.
    pub value: Value,
    /// What was said of it.
    pub verdict: Option<String>,
}

impl Value {
    /// A text.
    pub fn text(text: &str) -> Value {
        Value { body: Body::Text(text.into()), error: None }
    }

    /// Parts.
    pub fn parts(parts: Vec<Part>) -> Value {
        Value { body: Body::Parts(parts.into()), error: None }
    }

    /// The same with the code of an error, if there is one.
    pub fn with_error(&self, error: &Option<String>) -> Value {
        Value { body: self.body.clone(), error: error.clone().or_else(|| self.error.clone()) }
    }

    /// What it fans out to.
    pub fn items(&self) -> Vec<Value> {
        match &self.body {
            Body::Text(_) => vec![self.clone()],
            Body::Parts(parts) => parts.iter().map(|part| part.value.clone()).collect(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.body {
            Body::Text(text) => f.write_str(text)?,
            Body::Parts(parts) => {
                f.write_str("[")?;
                for (at, part) in parts.iter().enumerate() {
                    write!(f, "{}{} = {}", if at > 0 { ", " } else { "" }, part.name, part.value)?;
                    if let Some(verdict) = &part.verdict {
                        write!(f, " ({verdict})")?;
                    }
                }
                f.write_str("]")?;
            }
        }
        self.error.as_ref().map_or(Ok(()), |error| write!(f, "!{error}"))
    }
}
