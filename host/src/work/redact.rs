//! What a worker returned loses the secrets that this process knows, before it is recorded, kept or shown.

use super::Returned;
use crate::builtin::Body;
use crate::secret;
use std::borrow::Cow;

impl Returned {
    /// The same without secrets.
    pub fn redacted(self) -> Returned {
        let Some(redactor) = secret::redactor() else { return self };
        let text = |text: String| match redactor.text(&text) {
            Cow::Owned(clean) => clean,
            Cow::Borrowed(_) => text,
        };
        match self {
            Returned::Done { body, verdict, attributes, usage } => {
                let body = match body {
                    Body::Same => Body::Same,
                    Body::New { media_type, payload } => {
                        Body::New { media_type: text(media_type), payload: redactor.bytes(payload) }
                    }
                    Body::Parts(mut parts) => {
                        for part in &mut parts {
                            part.name = text(std::mem::take(&mut part.name));
                            part.payload = redactor.bytes(std::mem::take(&mut part.payload));
                        }
                        Body::Parts(parts)
                    }
                };
                let attributes = attributes.into_iter().map(|(name, value)| (name, text(value))).collect();
                Returned::Done { body, verdict: verdict.map(text), attributes, usage }
            }
            Returned::Failed { kind, mut error, usage } => {
                error.message = text(error.message);
                Returned::Failed { kind, error, usage }
            }
            // It was made of what has been here.
            made @ Returned::Made { .. } => made,
        }
    }
}
