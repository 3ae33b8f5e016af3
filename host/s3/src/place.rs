//! Which bucket, which prefix, which server.

use crate::S3Error;
use serde::Deserialize;

/// The longest key of an object, in bytes, as S3 has it.
pub const KEY: usize = 1_024;
/// Where neither settings nor the environment name one: servers of one's own take any.
pub(crate) const REGION: &str = "us-east-1";
/// The longest prefix, in bytes: the longest key of an artifact has room behind it.
const PREFIX: usize = 128;

/// `s3://bucket/prefix`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub(crate) bucket: String,
    /// Empty, or with a slash at its end.
    prefix: String,
}

/// How the server is found, where that is not what the environment says: `AWS_*`, the user's profiles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `http://127.0.0.1:9000`; without it Amazon, or what `AWS_ENDPOINT_URL_S3` and `AWS_ENDPOINT_URL` say.
    pub endpoint: Option<String>,
    /// `eu-central-1`
    pub region: Option<String>,
    /// Of the user's `~/.aws/config`.
    pub profile: Option<String>,
    /// `http://host/bucket/key` and not `http://bucket.host/key`; without it, with any endpoint but Amazon's.
    pub path_style: Option<bool>,
}

impl Place {
    /// From a URL. Fails where it is none, or where a bucket of that name cannot be.
    pub fn parse(url: &str) -> Result<Place, S3Error> {
        // Whoever writes a password there does not want it shown.
        let shown = url.rsplit_once('@').map_or(url.to_owned(), |(_, rest)| format!("s3://…@{rest}"));
        let wrong = |reason: &str| Err(S3Error::Place { url: shown.clone(), reason: reason.to_owned() });
        let Some(rest) = url.strip_prefix("s3://") else { return wrong("it does not begin with s3://") };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(named) {
            return wrong("the name of a bucket has 3 to 63 small letters, digits, dots and hyphens");
        }
        let prefix = prefix.trim_end_matches('/');
        let plain = |part: &str| {
            !matches!(part, "" | "." | "..") && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-=".contains(c))
        };
        if !prefix.is_empty() && !prefix.split('/').all(plain) {
            return wrong("the parts of a prefix are letters, digits and . _ - =, with one slash between them");
        }
        if prefix.len() > PREFIX {
            return wrong("the prefix is longer than 128 bytes: a key has 1,024, and the rest of it needs its room");
        }
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Place { bucket: bucket.to_owned(), prefix })
    }

    /// The key in the bucket.
    pub(crate) fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// The key under the prefix; none for another's.
    pub(crate) fn without<'k>(&self, key: &'k str) -> Option<&'k str> {
        key.strip_prefix(&self.prefix)
    }

    /// The URL of an object.
    pub(crate) fn of(&self, key: &str) -> String {
        format!("{self}{}{key}", if self.prefix.is_empty() { "/" } else { "" })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        write!(f, "s3://{}{slash}{}", self.bucket, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_bucket_and_perhaps_a_prefix() {
        for (url, written) in [
            ("s3://values", "s3://values"),
            ("s3://values/", "s3://values"),
            ("s3://my-values/team/a=b", "s3://my-values/team/a=b/"),
            ("s3://my-values/team/", "s3://my-values/team/"),
        ] {
            assert_eq!(Place::parse(url).map(|place| place.to_string()).ok().as_deref(), Some(written));
        }
        let long = format!("s3://values/{}", "x".repeat(129));
        for url in
            ["values", "s3://", "s3://ab", "s3://Values", "s3://values//a", "s3://values/../a", "s3://values/ä", &long]
        {
            assert!(Place::parse(url).is_err(), "{url}");
        }
        let place = Place::parse("s3://values/team").ok();
        assert_eq!(place.as_ref().map(|place| place.key("a/b")).as_deref(), Some("team/a/b"));
        assert_eq!(place.as_ref().and_then(|place| place.without("team/a/b")), Some("a/b"));
        assert_eq!(place.as_ref().and_then(|place| place.without("teams/a")), None);
    }
}
