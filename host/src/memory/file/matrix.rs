//! Vectors as bytes, and how near one is to another. The loops are written so that the compiler makes vector instructions of
//! them that every processor of the kind has: reading the bytes takes longer than comparing them.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Bytes of a block: what fits in a page.
const BLOCK: usize = 16_200;

/// Of how many values one round is.
const LANES: usize = 16;

/// A vector as it is kept.
pub(super) fn bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// The product of a vector and one that is kept.
pub(super) fn product(vector: &[f32], kept: &[u8]) -> f32 {
    let (rounds, rest) = vector.as_chunks::<LANES>();
    let (kept_rounds, kept_rest) = kept.as_chunks::<{ 4 * LANES }>();
    let mut sums = [0.0f32; LANES];
    for (round, kept) in rounds.iter().zip(kept_rounds) {
        let (kept, _) = kept.as_chunks::<4>();
        for ((sum, value), kept) in sums.iter_mut().zip(round).zip(kept) {
            *sum += value * f32::from_le_bytes(*kept);
        }
    }
    let (kept_rest, _) = kept_rest.as_chunks::<4>();
    let rest: f32 = rest.iter().zip(kept_rest).map(|(value, kept)| value * f32::from_le_bytes(*kept)).sum();
    sums.iter().sum::<f32>() + rest
}

/// Before the bytes of a quantised vector: its unit, and how far it is from what it was.
const HEAD: usize = 8;

/// Of how many values one round of bytes is.
const BYTES: usize = 32;

/// A vector in bytes, as it is kept: each value is so many units, and 128 more.
pub(super) fn quantised(vector: &[f32]) -> Vec<u8> {
    let unit = vector.iter().fold(0.0f32, |largest, value| largest.max(value.abs())) / 127.0;
    let mut bytes = Vec::with_capacity(stride(vector.len()));
    bytes.extend(unit.to_le_bytes());
    bytes.extend([0; HEAD - 4]);
    let mut lost = 0.0f64;
    for value in vector {
        // Saturates, and nothing is 0.
        let units = (value / unit).round() as i8;
        lost += (f64::from(*value) - f64::from(unit) * f64::from(units)).powi(2);
        bytes.push((i16::from(units) + 128) as u8);
    }
    if let Some(kept) = bytes.get_mut(4..HEAD) {
        kept.copy_from_slice(&(lost.sqrt() as f32).to_le_bytes());
    }
    bytes
}

/// A vector that those of bytes are compared with.
pub(super) struct Query {
    unit: f32,
    values: Vec<i16>,
    sum: i64,
    lost: f32,
}

/// About how near a vector is: the product is not further from this than that.
#[derive(Clone, Copy, Debug)]
pub(super) struct About {
    pub(super) product: f32,
    pub(super) within: f32,
}

impl Query {
    /// Of a vector of length 1.
    pub(super) fn of(vector: &[f32]) -> Query {
        // As fine as sums of products with bytes allow.
        let finest = (i32::MAX as usize / (255 * vector.len().max(1))).min(4_095) as f32;
        let unit = vector.iter().fold(0.0f32, |largest, value| largest.max(value.abs())) / finest;
        let values: Vec<i16> = vector.iter().map(|value| (value / unit).round() as i16).collect();
        let lost = vector.iter().zip(&values).map(|(value, units)| (value - unit * f32::from(*units)).powi(2));
        Query { unit, lost: lost.sum::<f32>().sqrt(), sum: values.iter().map(|value| i64::from(*value)).sum(), values }
    }

    pub(super) fn about(&self, kept: &[u8]) -> About {
        let Some((head, kept)) = kept.split_first_chunk::<HEAD>() else { return About { product: 0.0, within: 1.0 } };
        let [a, b, c, d, e, f, g, h] = *head;
        let (unit, lost) = (f32::from_le_bytes([a, b, c, d]), f32::from_le_bytes([e, f, g, h]));
        let (rounds, rest) = self.values.as_chunks::<BYTES>();
        let (kept_rounds, kept_rest) = kept.as_chunks::<BYTES>();
        let mut sum = 0i32;
        for (round, kept) in rounds.iter().zip(kept_rounds) {
            // A sum of its own: of this the compiler makes one instruction for each eight products.
            let products = round.iter().zip(kept).map(|(value, kept)| i32::from(*value) * i32::from(*kept));
            sum = sum.wrapping_add(products.sum::<i32>());
        }
        let products = rest.iter().zip(kept_rest).map(|(value, kept)| i32::from(*value) * i32::from(*kept));
        let sum = i64::from(sum) + i64::from(products.sum::<i32>()) - 128 * self.sum;
        // By Cauchy and Schwarz, and what floats lose.
        About { product: sum as f32 * self.unit * unit, within: lost + self.lost * (1.0 + lost) + 1e-5 }
    }
}

/// Bytes of a quantised vector.
pub(super) fn stride(dimensions: usize) -> usize {
    dimensions + HEAD
}

/// So many quantised vectors are in a block.
pub(super) fn in_block(dimensions: usize) -> usize {
    (BLOCK / stride(dimensions)).max(1)
}

/// A slot and how near it is: the nearer is the greater, of equal ones the first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Near {
    pub(super) score: f32,
    pub(super) slot: i64,
}

impl Eq for Near {}

impl Ord for Near {
    fn cmp(&self, other: &Near) -> Ordering {
        self.score.total_cmp(&other.score).then_with(|| other.slot.cmp(&self.slot))
    }
}

impl PartialOrd for Near {
    fn partial_cmp(&self, other: &Near) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The nearest of those that it was shown.
pub(super) struct Nearest {
    most: usize,
    /// What a next one must be nearer than.
    worst: f32,
    kept: BinaryHeap<Reverse<Near>>,
}

impl Nearest {
    pub(super) fn new(most: usize) -> Nearest {
        Nearest { most, worst: f32::NEG_INFINITY, kept: BinaryHeap::new() }
    }

    pub(super) fn show(&mut self, slot: i64, score: f32) {
        if self.kept.len() >= self.most {
            if score <= self.worst {
                return;
            }
            self.kept.pop();
        }
        self.kept.push(Reverse(Near { score, slot }));
        if self.kept.len() >= self.most {
            self.worst = self.kept.peek().map_or(f32::INFINITY, |Reverse(near)| near.score);
        }
    }

    /// Nothing that is not nearer than this is kept any more.
    pub(super) fn worst(&self) -> f32 {
        self.worst
    }

    /// The nearest first.
    pub(super) fn in_order(self) -> Vec<Near> {
        // Reversed, the least is the nearest.
        self.kept.into_sorted_vec().into_iter().map(|Reverse(near)| near).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_what_they_are() {
        for dimensions in [1, 3, 16, 40, 384, 1_000] {
            let value = |number: usize| ((number * 37 % 101) as f32 - 50.0) / 50.0;
            let one: Vec<f32> = (0..dimensions).map(value).collect();
            let other: Vec<f32> = (0..dimensions).map(|number| value(number * 7 + 3)).collect();
            let plain: f64 = one.iter().zip(&other).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum();
            assert!((f64::from(product(&one, &bytes(&other))) - plain).abs() < 1e-3, "{dimensions}");
        }
        assert_eq!(quantised(&[0.0, 0.0]), [0, 0, 0, 0, 0, 0, 0, 0, 128, 128], "nothing is nothing");
    }

    #[test]
    fn bytes_are_as_near_as_they_say() {
        let mut seed = 1u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as f32 / (1u64 << 31) as f32 - 0.5
        };
        for dimensions in [1, 2, 31, 32, 33, 384, 1_536, 4_096] {
            for spread in [1, 5] {
                let mut vector = || {
                    let mut vector: Vec<f32> = (0..dimensions).map(|_| next().powi(spread)).collect();
                    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
                    vector.iter_mut().for_each(|value| *value /= length);
                    vector
                };
                for _ in 0..50 {
                    let (one, other) = (vector(), vector());
                    let exact: f64 =
                        one.iter().zip(&other).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum();
                    let About { product, within } = Query::of(&one).about(&quantised(&other));
                    assert!(
                        (f64::from(product) - exact).abs() <= f64::from(within),
                        "{dimensions}: {product}, {exact}, {within}"
                    );
                    assert!(within < 0.05, "{dimensions}: {within}");
                }
            }
        }
    }

    #[test]
    fn the_nearest_are_kept() {
        let mut nearest = Nearest::new(3);
        for (slot, score) in [(0, 0.1), (1, 0.9), (2, 0.5), (3, 0.9), (4, 0.2), (5, -1.0)] {
            nearest.show(slot, score);
        }
        let slots: Vec<i64> = nearest.in_order().iter().map(|near| near.slot).collect();
        assert_eq!(slots, [1, 3, 2]);
        let mut nothing = Nearest::new(0);
        nothing.show(0, 1.0);
        assert!(nothing.in_order().len() <= 1);
    }
}
