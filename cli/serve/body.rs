//! What is asked over HTTP: the body of a request as JSON, of a bounded size, in a bounded time.

use axum::extract::Request;
use axum::http::StatusCode;
use serde_json::Value;
use std::time::Duration;

/// So many values may be in a request: each takes fifty times the room that it has in the text.
const MOST_VALUES: usize = 100_000;
/// So long it is waited for the body of a request.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads a body of at most so many bytes. Fails with a status of HTTP and the reason.
pub async fn json(request: Request, most: usize) -> Result<Value, (StatusCode, String)> {
    let body = tokio::time::timeout(PATIENCE, axum::body::to_bytes(request.into_body(), most)).await;
    let body = body.map_err(|_| (StatusCode::REQUEST_TIMEOUT, "the request does not come to its end".to_owned()))?;
    let body = body.map_err(|_| {
        let most = if most >= 1 << 20 { format!("{} MiB", most >> 20) } else { format!("{} KiB", most >> 10) };
        let message = format!("the request is larger than {most}");
        (StatusCode::PAYLOAD_TOO_LARGE, message)
    })?;
    if values_in(&body) > MOST_VALUES {
        let message = format!("the request has more than {MOST_VALUES} values");
        return Err((StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    serde_json::from_slice(&body).map_err(|error| (StatusCode::BAD_REQUEST, format!("the request is no JSON: {error}")))
}

/// So many values at most are in this JSON: one stands before each comma, and one in each bracket.
fn values_in(json: &[u8]) -> usize {
    let (mut values, mut within, mut escaped) = (1, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if within => escaped = true,
            b'"' => within = !within,
            b',' | b'[' | b'{' if !within => values += 1,
            _ => {}
        }
    }
    values
}
