//! The page, as the browser gets it: it comes with this program, asks nobody else for anything, and no other page can hold it. Its sources
//! are beside this file; `page/build` makes `bundle.js` of them.

use super::Desk;
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderName, HeaderValue, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::sync::Arc;

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

/// Paths, types and contents.
const FILES: [(&str, &str, &[u8]); 4] = [
    ("/", "text/html; charset=utf-8", include_bytes!("page/index.html")),
    ("/bundle.js", "text/javascript; charset=utf-8", include_bytes!("page/bundle.js")),
    ("/style.css", "text/css; charset=utf-8", include_bytes!("page/style.css")),
    ("/icon.svg", "image/svg+xml", include_bytes!("page/icon.svg")),
];

/// The files of the page.
pub fn routes() -> Router<Desk> {
    FILES.iter().fold(Router::new(), |routes, (path, media_type, content)| {
        let file = Arc::new(File::of(media_type, content));
        routes.route(path, get(move |headers: HeaderMap| async move { file.answer(&headers) }))
    })
}

struct File {
    media_type: &'static str,
    content: &'static [u8],
    /// The same, smaller; none: it could not be made smaller.
    compressed: Option<Vec<u8>>,
    tag: String,
}

impl File {
    fn of(media_type: &'static str, content: &'static [u8]) -> File {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        let compressed = gzip.write_all(content).and_then(|()| gzip.finish()).ok();
        let digest = aivm_schema::artifact::ContentDigest::of(media_type, content).to_string();
        File { media_type, content, compressed, tag: format!("\"{}\"", digest.get(..16).unwrap_or_default()) }
    }

    /// Another version of the program has other files: whoever has one asks whether it still holds.
    fn answer(&self, headers: &HeaderMap) -> Response {
        let says = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let about = [(CACHE_CONTROL, "no-cache"), (ETAG, self.tag.as_str()), (VARY, "accept-encoding")];
        if says(IF_NONE_MATCH).contains(&self.tag) {
            return (StatusCode::NOT_MODIFIED, about).into_response();
        }
        let about = (about, [(CONTENT_TYPE, self.media_type)]);
        match &self.compressed {
            Some(compressed) if says(ACCEPT_ENCODING).contains("gzip") => {
                (about.0, about.1, [(CONTENT_ENCODING, "gzip")], compressed.clone()).into_response()
            }
            _ => (about.0, about.1, self.content).into_response(),
        }
    }
}

/// Any answer, held to that.
pub async fn held(mut answer: Response) -> Response {
    for (name, value) in HELD {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}
