//! Memory: one query over 100,000 vectors of 384 dimensions in the file, beside the same comparison over floats that lie in memory.
//! The vectors are as near to each other as those of texts on a thousand subjects.

use super::{Row, median, row, runtime, seconds};
use aivm_host::memory::vectors::{Embedded, Space, Vectors};
use aivm_host::memory::{File, Filter, Place, Search};
use serde_json::json;

const VECTORS: usize = 100_000;
const DIMENSIONS: usize = 384;
const SUBJECTS: usize = 1_000;
const QUERIES: usize = 50;
/// How many each query asks for.
const MOST: usize = 10;
/// Notes that are put at once.
const AT_ONCE: usize = 5_000;

/// Numbers that look random, and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }

    /// About a normal distribution.
    fn vector(&mut self) -> Vec<f32> {
        (0..DIMENSIONS).map(|_| (0..12).map(|_| self.next()).sum::<f32>() - 6.0).collect()
    }

    /// One of a subject, of length 1.
    fn of(&mut self, subjects: &[Vec<f32>]) -> Vec<f32> {
        let subject = (self.next() * SUBJECTS as f32) as usize % SUBJECTS;
        let mut vector: Vec<f32> = subjects[subject].iter().zip(self.vector()).map(|(a, b)| a + 0.6 * b).collect();
        let length = product(&vector, &vector).sqrt();
        vector.iter_mut().for_each(|value| *value /= length);
        vector
    }
}

fn product(one: &[f32], other: &[f32]) -> f32 {
    let (one, other) = (one.as_chunks::<16>().0, other.as_chunks::<16>().0);
    let mut sums = [0.0; 16];
    for (one, other) in one.iter().zip(other) {
        for ((sum, one), other) in sums.iter_mut().zip(one).zip(other) {
            *sum += one * other;
        }
    }
    sums.iter().sum()
}

/// The nearest, by comparing all.
fn plain(all: &[Vec<f32>], query: &[f32]) -> Vec<String> {
    let mut near: Vec<(f32, usize)> =
        all.iter().enumerate().map(|(nth, vector)| (product(vector, query), nth)).collect();
    near.select_nth_unstable_by(MOST, |a, b| b.0.total_cmp(&a.0));
    near.iter().take(MOST).map(|(_, nth)| nth.to_string()).collect()
}

/// All rows of the group.
pub fn recall(rows: &mut Vec<Row>) {
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    let subjects: Vec<Vec<f32>> = (0..SUBJECTS).map(|_| numbers.vector()).collect();
    let all: Vec<Vec<f32>> = (0..VECTORS).map(|_| numbers.of(&subjects)).collect();
    let queries: Vec<Vec<f32>> = (0..QUERIES).map(|_| numbers.of(&subjects)).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let (file, runtime) = (File::at(folder.path()), runtime());
    let (place, collection, embedder) = (Place::Global, String::new(), "bench".to_owned());
    let space = Space { place, collection, embedder, dimensions: DIMENSIONS };
    for (nth, some) in all.chunks(AT_ONCE).enumerate() {
        let note = |(within, vector): (usize, &Vec<f32>)| {
            let id = nth * AT_ONCE + within;
            let metadata = [("tenth".to_owned(), json!(id % 10))].into_iter().collect();
            Embedded { id: id.to_string(), metadata, parts: vec![("a text".to_owned(), vector.clone())] }
        };
        runtime.block_on(file.put(&space, some.iter().enumerate().map(note).collect())).expect("it is kept");
    }
    let mut peer = Vec::new();
    let wanted: Vec<Vec<String>> = queries
        .iter()
        .map(|query| {
            let mut wanted = Vec::new();
            peer.push(seconds(|| wanted = plain(&all, query)) * 1e3);
            wanted
        })
        .collect();
    let peer = median(peer);
    drop(all);
    let ask = |filter: &Filter, search: Search| {
        let (mut took, mut found) = (Vec::new(), 0);
        for (query, wanted) in queries.iter().zip(&wanted) {
            let mut hits = Vec::new();
            took.push(
                seconds(|| {
                    hits = runtime.block_on(file.nearest(&space, query, filter, MOST, search)).expect("hits");
                }) * 1e3,
            );
            found += hits.iter().filter(|hit| wanted.contains(&hit.note.id)).count();
        }
        (median(took), found as f64 / (QUERIES * MOST) as f64)
    };
    let beside = ("floats in memory", peer);
    let (exact, share) = ask(&Filter::All, Search::Exact);
    assert!(share == 1.0, "an exact search found {share}");
    rows.push(row("the 10 nearest of 100,000 vectors of 384 dimensions, exact", exact, "ms", beside, "≤ 45 ms"));
    let (quantised, share) = ask(&Filter::All, Search::Quantised);
    rows.push(row("the same, quantised", quantised, "ms", beside, "≤ 10 ms"));
    rows.push(row("the same, how many of them are found", share, "", ("all", 1.0), "≥ 0.98"));
    let tenth = Filter::Is("tenth".to_owned(), json!(3));
    rows.push(row("the same, exact, of the tenth that a filter takes", ask(&tenth, Search::Exact).0, "ms", beside, ""));
}
