//! Patterns of paths, as shells have them: `*` and `?` stand for what is no `/`, `**` for anything, `[ab]` for one of these.

use regex::Regex;

/// What fits this pattern, as a whole.
pub(crate) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    let mut text = String::from("(?s)^");
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let (piece, length) = match first {
            '*' if rest.starts_with("**/") => ("(?:.*/)?".to_owned(), 3),
            '*' if rest.starts_with("**") => (".*".to_owned(), 2),
            '*' => ("[^/]*".to_owned(), 1),
            '?' => ("[^/]".to_owned(), 1),
            '[' if rest.find(']').is_some_and(|at| at > 1) => {
                let end = rest.find(']').unwrap_or(0);
                let inner = rest.get(1..end).unwrap_or_default();
                let (not, inner) = inner.strip_prefix(['!', '^']).map_or(("", inner), |inner| ("^/", inner));
                let inner: String =
                    inner.chars().flat_map(|c| r"\[&~".contains(c).then_some('\\').into_iter().chain([c])).collect();
                (format!("[{not}{inner}]"), end + 1)
            }
            other => (regex::escape(&other.to_string()), other.len_utf8()),
        };
        text.push_str(&piece);
        rest = rest.get(length..).unwrap_or_default();
    }
    text.push_str(r"\z");
    Regex::new(&text)
}

/// The folder that everything which fits is in, what it is called there, and whether that may be in folders within it.
pub(crate) fn start(pattern: &str) -> (&str, bool) {
    let wild = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
    let folder = pattern.get(..wild).and_then(|plain| plain.rfind('/')).unwrap_or(0);
    let rest = pattern.get(folder..).unwrap_or_default().trim_start_matches('/');
    (pattern.get(..folder).unwrap_or_default(), rest.contains('/') || rest.contains("**"))
}

/// Does it stand for itself alone?
pub(crate) fn is_plain(pattern: &str) -> bool {
    !pattern.contains(['*', '?', '['])
}
