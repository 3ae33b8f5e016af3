//! The page, as the browser gets it: it comes with this program, asks nobody else for anything, and no other page can hold it.

use super::Desk;
use axum::Router;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::response::Response;

/// What every answer says: scripts, styles and pictures come from here, and nothing goes elsewhere.
const HELD: [(HeaderName, &str); 4] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
];

/// The files of the page.
pub fn routes() -> Router<Desk> {
    Router::new()
}

/// Any answer, held to that.
pub async fn held(mut answer: Response) -> Response {
    for (name, value) in HELD {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}
