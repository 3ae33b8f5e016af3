//! Why the playground does not do what it is asked, as its page hears it: `{"error": {"code", "message"}}`.

use crate::fail::Failure;
use aivm_lang::diagnostic::Diagnostic;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// With a status of HTTP.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    code: String,
    message: String,
}

impl Refusal {
    /// With a code of aivm.
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Refusal {
        Refusal { status, code: code.to_owned(), message: message.into() }
    }

    /// The request is none of the page's.
    pub fn wrong(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, "E0949", message)
    }

    /// As much is under way as there may be, or as much was asked.
    pub fn busy(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::TOO_MANY_REQUESTS, "E0935", message)
    }

    /// A fault of this program.
    pub fn fault(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "E0937", message)
    }

    /// The program has errors; the page shows them all from elsewhere.
    pub fn program(source: &str, errors: &[Diagnostic]) -> Refusal {
        let (code, message) = errors.first().map_or(("E0111", String::new()), |error| {
            let (line, column) = aivm_lang::render::position(source, error.primary.span.start);
            (error.code.text(), format!("{line}:{column}: {}", error.message))
        });
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Refusal {
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, failure.code(), failure.message())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Refusal { status, code, message } = self;
        let body = json!({"error": {"code": code, "message": message}}).to_string();
        let mut response = (status, [(CONTENT_TYPE, "application/json")], body).into_response();
        if status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(RETRY_AFTER, 1.into());
        }
        response
    }
}

/// Of a request that is not even read.
pub fn at_the_door(status: StatusCode, code: &str, message: &str) -> Response {
    Refusal::new(status, code, message).into_response()
}
