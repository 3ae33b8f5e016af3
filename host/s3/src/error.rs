//! What goes wrong with a bucket: where, why, and what helps.

use crate::Bucket;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// Why a bucket does not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum S3Error {
    /// Not `s3://bucket/prefix`.
    #[error("E0870: `{url}` is no place in S3: {reason}: write s3://BUCKET or s3://BUCKET/PREFIX")]
    Place {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server said no, or nothing.
    #[error("E0871: {doing} {place}: {reason}")]
    Refused {
        /// What was asked.
        doing: &'static str,
        /// Of which object.
        place: String,
        /// Why not, and what helps.
        reason: String,
        /// The code of the server, when it gave one.
        code: Option<String>,
    },
    /// What came broke off.
    #[error("E0871: reading {place}: it broke off: {reason}")]
    Broken {
        /// Which object.
        place: String,
        /// Why.
        reason: String,
    },
    /// More than was asked for.
    #[error("E0872: {place} is larger than {most} bytes: it is none of ours")]
    Large {
        /// Which object.
        place: String,
        /// So many were expected at most.
        most: u64,
    },
    /// What whoever keeps account of uploads said.
    #[error("{0}")]
    Account(String),
}

/// The server's code of an error.
pub(crate) fn code<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

impl S3Error {
    /// The code of the server, when it gave one.
    pub fn code(&self) -> Option<&str> {
        match self {
            S3Error::Refused { code, .. } => code.as_deref(),
            _ => None,
        }
    }
}

impl Bucket {
    pub(crate) fn error<E>(&self, doing: &'static str, key: &str, error: SdkError<E>) -> S3Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let place = self.place.of(key);
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = code(&error).map(plain);
        let said = error.as_service_error().and_then(ProvideErrorMetadata::message).map(plain);
        let reason = match (&error, code.as_deref(), status) {
            (SdkError::DispatchFailure(_), ..) if cause(&error).contains("credentials") => {
                "no credentials are found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile".to_owned()
            }
            (SdkError::DispatchFailure(_) | SdkError::TimeoutError(_), ..) => {
                format!("the server cannot be reached: {}: is `endpoint` right, and does it run?", cause(&error))
            }
            (SdkError::ConstructionFailure(_) | SdkError::ResponseError(_), ..) => cause(&error),
            (_, Some("NoSuchBucket"), _) => "there is no such bucket: make it first".to_owned(),
            (_, Some("PermanentRedirect" | "AuthorizationHeaderMalformed"), _) => {
                format!("{}: set `region` to that of the bucket", said.unwrap_or_default())
            }
            (_, code, Some(status @ (401 | 403))) => {
                let said = said.or(code.map(str::to_owned)).unwrap_or_else(|| format!("status {status}"));
                format!("it is not allowed: {said}: look at the credentials (AWS_ACCESS_KEY_ID, AWS_PROFILE, …)")
            }
            (_, code, status) => {
                let failed = status.filter(|status| *status >= 300);
                let code = code.map(str::to_owned).or(failed.map(|status| format!("status {status}")));
                let said = said.filter(|said| !said.is_empty());
                match (code, said) {
                    (Some(code), Some(said)) => format!("{code}: {said}"),
                    (Some(code), None) => code,
                    _ => cause(&error),
                }
            }
        };
        // A server that answered has said something, if only by its status.
        let code = code.or(status.filter(|status| *status >= 300).map(|status| status.to_string()));
        S3Error::Refused { doing, place, reason, code }
    }
}

/// What a server says, on a line and not for ever.
fn plain(said: &str) -> String {
    const LONGEST: usize = 300;
    let odd = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    said.chars().take(LONGEST).map(|c| if odd(c) { ' ' } else { c }).collect()
}

/// The innermost reason, which says most.
fn cause(error: &(impl std::error::Error + 'static)) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(source) = last.source() {
        last = source;
    }
    let text = last.to_string();
    plain(&if text.is_empty() { DisplayErrorContext(error).to_string() } else { text })
}
