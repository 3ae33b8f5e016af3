//! What went wrong, in the form of OpenAI's interface.

use crate::fail::Failure;
use crate::serve::Served;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Why there is no answer.
#[derive(Clone, Debug)]
pub struct Refusal {
    status: StatusCode,
    /// Of aivm, or one that clients of OpenAI know.
    pub code: String,
    /// What, why, and the way out.
    pub message: String,
}

impl Refusal {
    /// With a status of HTTP.
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Refusal {
        Refusal { status, code: code.to_owned(), message: message.into() }
    }

    /// The request cannot be understood, or asks for what there is not.
    pub fn wrong(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, "E0949", message)
    }

    /// The run has no output. Nothing is wrong with the server, and asking again runs it again.
    pub fn of(served: &Served) -> Refusal {
        let (code, message) = served.failure();
        Refusal { status: StatusCode::UNPROCESSABLE_ENTITY, code, message }
    }

    fn kind(&self) -> &'static str {
        match self.status {
            StatusCode::UNAUTHORIZED => "authentication_error",
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            StatusCode::UNPROCESSABLE_ENTITY => "pipeline_error",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        }
    }

    /// `{"error": …}`. What was asked is named in it, and no secret with that.
    pub fn json(&self) -> Value {
        let message = aivm_host::secret::text(&self.message);
        json!({"error": {"message": message, "type": self.kind(), "param": null, "code": self.code}})
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Refusal {
        let help = failure.way_out().map(|help| format!("; {help}")).unwrap_or_default();
        let status = match failure.code() {
            "E0804" => StatusCode::BAD_REQUEST,
            "E0943" => StatusCode::TOO_MANY_REQUESTS,
            "E0944" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Refusal::new(status, failure.code(), format!("{}{help}", failure.message()))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, [(CONTENT_TYPE, "application/json")], self.json().to_string()).into_response();
        let headers = response.headers_mut();
        match self.status {
            StatusCode::TOO_MANY_REQUESTS => drop(headers.insert(RETRY_AFTER, 1.into())),
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, axum::http::HeaderValue::from_static("Bearer"));
            }
            // Clients of OpenAI ask again by themselves; what a run did would be done again.
            _ => drop(headers.insert("x-should-retry", axum::http::HeaderValue::from_static("false"))),
        }
        response
    }
}

/// Of a request that is not even read.
pub fn at_the_door(status: StatusCode, code: &str, message: &str) -> Response {
    Refusal::new(status, code, message).into_response()
}
