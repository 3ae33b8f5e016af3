//! What of a model's answer can be shown while it comes, so that nothing must be taken back: no thoughts before it, and no white space
//! around it, as in what becomes of it in the end.

/// An answer that comes piece by piece.
#[derive(Debug, Default)]
pub struct Live {
    text: String,
    /// Where it begins, as soon as that is known.
    from: Option<usize>,
    /// Up to where it was shown.
    shown: usize,
}

const THOUGHT: &str = "<think>";
const THOUGHT_OUT: &str = "</think>";

impl Live {
    /// What can be shown more.
    pub fn hear(&mut self, piece: &str) -> Option<&str> {
        self.text.push_str(piece);
        let from = match self.from {
            Some(from) => from,
            None => {
                let from = begin(&self.text)?;
                self.shown = from;
                *self.from.insert(from)
            }
        };
        let until = from.max(self.text.trim_end().len());
        let more = self.text.get(self.shown..until).filter(|more| !more.is_empty())?;
        self.shown = until;
        Some(more)
    }

    /// What is left to show of the whole answer; none: it is not what was shown.
    pub fn rest<'w>(&self, whole: &'w str) -> Option<&'w str> {
        whole.strip_prefix(self.text.get(self.from.unwrap_or(0)..self.shown)?)
    }
}

/// Where the answer begins; none: not yet.
fn begin(text: &str) -> Option<usize> {
    let trimmed = text.trim_start();
    if THOUGHT.starts_with(trimmed) {
        return None;
    }
    let behind = match trimmed.strip_prefix(THOUGHT) {
        Some(thoughts) => thoughts.split_once(THOUGHT_OUT)?.1,
        None => trimmed,
    };
    let answer = behind.trim_start();
    (!answer.is_empty()).then_some(text.len() - answer.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pieces: &[&str]) -> (String, Live) {
        let mut live = Live::default();
        let mut shown = String::new();
        for piece in pieces {
            shown.push_str(live.hear(piece).unwrap_or_default());
        }
        (shown, live)
    }

    #[test]
    fn what_is_shown_is_never_taken_back() {
        for (pieces, seen, whole, rest) in [
            (&["a", " ", "b\n"][..], "a b", "a b", Some("")),
            (&["\n ", "a", " \n"], "a", "a", Some("")),
            (&["<th", "ink>x</thi", "nk>\n", " a", " b"], "a b", "a b", Some("")),
            (&["<b", ">"], "<b>", "<b>", Some("")),
            (&["<think>never ends"], "", "<think>never ends", Some("<think>never ends")),
            (&[" ", "\n"], "", "other", Some("other")),
            (&["half of one"], "half of one", "another", None),
            (&[], "", "all", Some("all")),
        ] {
            let (shown, live) = shown(pieces);
            assert_eq!((shown.as_str(), live.rest(whole)), (seen, rest), "{pieces:?}");
        }
    }
}
