//! The embedder that needs nothing: words, pairs of words and pieces of words, each hashed to a few dimensions. It compares how
//! texts are written, not what they mean: texts that share words and stems are near, synonyms are not.

use super::{Embedder, Later, Purpose};

/// The length of its vectors.
const DIMENSIONS: usize = 512;

/// Letters of a piece of a word.
const PIECE: usize = 4;

/// What each sort counts beside the others.
const WORD: f32 = 1.0;
const PAIR: f32 = 0.5;
const PIECES: f32 = 0.6;

/// Hashed n-grams. Whatever the machine and the year, a text has the same vector.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hash;

impl Embedder for Hash {
    fn name(&self) -> &str {
        "hash-1"
    }

    fn embed<'a>(&'a self, texts: &'a [String], _: Purpose) -> Later<'a, Vec<Vec<f32>>> {
        Box::pin(async move { Ok(texts.iter().map(|text| embed(text)).collect()) })
    }
}

/// FNV-1a, with the bits mixed at the end.
fn hash(sort: u8, text: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut add = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    add(sort);
    for part in text {
        part.bytes().for_each(&mut add);
        add(0);
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ hash >> 33
}

/// Words that say little by themselves.
fn is_common(word: &str) -> bool {
    const COMMON: &[&str] = &[
        "a", "an", "and", "are", "as", "at", "be", "by", "do", "does", "for", "from", "has", "have", "how", "i", "in",
        "is", "it", "of", "on", "or", "that", "the", "this", "to", "was", "were", "what", "when", "where", "which",
        "who", "with",
    ];
    COMMON.binary_search(&word).is_ok()
}

fn embed(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0f32; DIMENSIONS];
    // Two dimensions for each, so that one that is shared by chance does little.
    let mut add = |sort: u8, text: &[&str], weight: f32| {
        let hash = hash(sort, text);
        for bits in [hash as u32, (hash >> 32) as u32] {
            let sign = if bits & 1 << 31 == 0 { weight } else { -weight };
            if let Some(value) = vector.get_mut(bits as usize % DIMENSIONS) {
                *value += sign;
            }
        }
    };
    let lower = text.to_lowercase();
    let words: Vec<&str> =
        lower.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    // What occurs often counts more, but not as often as it occurs.
    let mut counts: std::collections::BTreeMap<(u8, String), (f32, u32)> = std::collections::BTreeMap::new();
    let mut count = |sort: u8, text: String, weight: f32| counts.entry((sort, text)).or_insert((weight, 0)).1 += 1;
    for word in &words {
        let little = if is_common(word) { 0.1 } else { 1.0 };
        count(0, (*word).to_owned(), WORD * little);
        let letters: Vec<char> = std::iter::once('^').chain(word.chars()).chain(std::iter::once('$')).collect();
        let pieces = letters.windows(PIECE);
        // All pieces of a word together count as much as one word, however long it is.
        let weight = PIECES * little / (pieces.len().max(1) as f32).sqrt();
        pieces.for_each(|piece| count(1, piece.iter().collect(), weight));
    }
    for pair in words.windows(2) {
        if let [one, other] = pair {
            let little = if is_common(one) || is_common(other) { 0.3 } else { 1.0 };
            count(2, format!("{one} {other}"), PAIR * little);
        }
    }
    if words.is_empty() {
        // Signs alone: each by itself.
        lower.chars().for_each(|letter| count(3, letter.to_string(), WORD));
    }
    for ((sort, text), (weight, times)) in counts {
        // A root is rounded the same way everywhere; a logarithm is not.
        add(sort, &[&text], weight * (times as f32).sqrt());
    }
    // So little that it shows only where everything else cancels out.
    add(4, &[], 1e-6);
    vector
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(one: &str, other: &str) -> f32 {
        let length = |vector: &[f32]| vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        let (one, other) = (embed(one), embed(other));
        one.iter().zip(&other).map(|(one, other)| one * other).sum::<f32>() / length(&one) / length(&other)
    }

    #[test]
    fn near_texts_are_near() {
        let text = "The invoice of March was paid twice by the customer in Lisbon.";
        let related = [
            "Who paid the invoice of March twice?",
            "Customers in Lisbon pay invoices late.",
            "invoice paid twice",
            "The customers' invoices for March were paid in Lisbon",
        ];
        let unrelated = [
            "Rust's borrow checker refuses aliasing.",
            "A recipe for bread with rye and water.",
            "What is the weather like in the mountains?",
            "The meeting was moved to Tuesday by the manager.",
        ];
        let least = related.iter().map(|other| near(text, other)).fold(1.0, f32::min);
        let most = unrelated.iter().map(|other| near(text, other)).fold(-1.0, f32::max);
        assert!(least > most + 0.1, "{least} and {most}");
        assert!((near(text, text) - 1.0).abs() < 1e-5);
        assert!((near(text, &text.to_uppercase()) - 1.0).abs() < 1e-5, "letters of both sizes are the same");
    }

    #[test]
    fn it_is_the_same_everywhere() {
        let kept =
            blake3::hash(&embed("Straße 9, naïve café, 東京").iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>());
        assert_eq!(&kept.to_hex()[..16], "6976571fe793f488");
    }

    #[test]
    fn every_text_has_a_vector() {
        for text in ["", " ", "\0", "!", "🦀", "a", "e\u{301}", "…—…"] {
            assert!(embed(text).iter().any(|value| *value != 0.0) && embed(text).iter().all(|value| value.is_finite()));
        }
        assert!(near("🦀🦀", "🦀") > 0.9 && near("🦀", "!") < 0.5);
    }
}
