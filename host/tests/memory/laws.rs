//! What is found is what a plain search finds.

use crate::common::{Letters, edge, map};
use aivm_host::memory::{Filter, Memory, Note, Place, Search};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[derive(Clone, Debug)]
enum Step {
    Remember(u8, String, Value),
    Forget(Vec<u8>),
    Recall(String, Value, usize, bool),
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0..4i64).prop_map(|number| json!(number)),
        (0..3u8).prop_map(|number| json!(f64::from(number) + 0.5)),
        "[ab]".prop_map(|text| json!(text)),
        any::<bool>().prop_map(|truth| json!(truth)),
        Just(Value::Null),
        prop::collection::vec((0..3i64).prop_map(|number| json!(number)), 0..3).prop_map(Value::Array),
    ]
}

fn metadata() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[xy]", value(), 0..3).prop_map(|map| json!(map))
}

fn filter() -> impl Strategy<Value = Value> {
    let plain = value().prop_filter("comparable", |value| !value.is_array() && !value.is_null()).boxed();
    let leaf = prop_oneof![
        3 => Just(json!({})),
        2 => ("[xyz]", plain.clone()).prop_map(|(key, value)| json!({ key: value })),
        1 => ("[xyz]", prop::collection::vec(plain, 0..3)).prop_map(|(key, values)| json!({ key: { "$in": values } })),
        1 => ("[xyz]", 0..4i64, 0..4i64).prop_map(|(key, from, to)| json!({ key: { "$gte": from, "$lt": to } })),
        1 => ("[xyz]", any::<bool>()).prop_map(|(key, there)| json!({ key: { "$exists": there } })),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|all| json!({ "$and": all })),
            prop::collection::vec(inner.clone(), 0..3).prop_map(|any| json!({ "$or": any })),
            inner.prop_map(|not| json!({ "$not": not })),
        ]
    })
}

fn step() -> impl Strategy<Value = Step> {
    let text = "[a-d0-3 ]{0,12}[a-d0-3]";
    prop_oneof![
        4 => (0..30u8, text, metadata()).prop_map(|(id, text, metadata)| Step::Remember(id, text, metadata)),
        1 => prop::collection::vec(0..30u8, 0..4).prop_map(Step::Forget),
        2 => (text, filter(), 0..12usize, any::<bool>()).prop_map(|(query, filter, most, quick)| Step::Recall(query, filter, most, quick)),
    ]
}

/// The cosine of two texts, as [`Letters`] sees them.
fn near(one: &str, other: &str) -> f64 {
    let count = |text: &str| {
        let mut vector = [0.0f64; 36];
        for letter in text.chars().filter_map(|letter| letter.to_digit(36)) {
            vector[letter as usize] += if letter < 10 { 5.0 } else { 1.0 };
        }
        vector
    };
    let (one, other) = (count(one), count(other));
    let product = |a: &[f64; 36], b: &[f64; 36]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    product(&one, &other) / product(&one, &one).sqrt() / product(&other, &other).sqrt()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn recall_is_a_plain_search(steps in prop::collection::vec(step(), 1..60)) {
        runtime().block_on(async {
            let memory = Memory::default().embedding(Arc::new(Letters));
            let place = Place::Local("w".into());
            let mut plain: BTreeMap<String, Note> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Remember(id, text, metadata) => {
                        let note = Note { id: id.to_string(), text, metadata: map(metadata) };
                        plain.insert(note.id.clone(), note.clone());
                        memory.remember(&place, "c", note).await.unwrap();
                    }
                    Step::Forget(ids) => {
                        let ids: Vec<String> = ids.iter().map(u8::to_string).collect();
                        let gone = memory.forget(&place, "c", &ids).await.unwrap();
                        let wanted: BTreeSet<&String> = ids.iter().filter(|id| plain.contains_key(*id)).collect();
                        assert_eq!(gone.iter().map(|note| &note.id).collect::<BTreeSet<_>>(), wanted);
                        for note in gone {
                            assert_eq!(plain.remove(&note.id), Some(note));
                        }
                    }
                    Step::Recall(query, filter, most, quick) => {
                        let filter = Filter::parse(&filter).unwrap();
                        let how = if quick { Search::Quantised } else { Search::Exact };
                        let hits = memory.clone().searching(how).recall(&place, "c", &query, &filter, most).await.unwrap();
                        let mut scores: Vec<f64> = plain
                            .values()
                            .filter(|note| filter.matches(&note.metadata))
                            .map(|note| near(&query, &note.text))
                            .collect();
                        scores.sort_by(|a, b| b.total_cmp(a));
                        scores.truncate(most);
                        assert_eq!(hits.len(), scores.len(), "{filter:?}");
                        for (hit, score) in hits.iter().zip(scores) {
                            assert_eq!(plain.get(&hit.note.id), Some(&hit.note));
                            assert!(filter.matches(&hit.note.metadata));
                            assert!((f64::from(hit.score) - near(&query, &hit.note.text)).abs() < 1e-5);
                            assert!((f64::from(hit.score) - score).abs() < 1e-5, "one that is nearer was not found");
                        }
                    }
                }
            }
            let listed = memory.notes(&place, "c", "", 99).await.unwrap();
            assert_eq!(listed, plain.into_values().collect::<Vec<_>>());
        });
    }

    #[test]
    fn walks_are_plain_walks(edges in prop::collection::vec((0..9u8, 0..2u8, 0..9u8), 0..24), hops in 1..5u32) {
        runtime().block_on(async {
            let (memory, place) = (Memory::default(), Place::Global);
            let all: BTreeSet<(u8, u8, u8)> = edges.into_iter().collect();
            for (from, relation, to) in &all {
                memory.relate(&place, edge(&from.to_string(), &relation.to_string(), &to.to_string())).await.unwrap();
            }
            let far = |from: u8, next: &dyn Fn(u8) -> Vec<u8>| {
                let (mut far, mut queue) = (BTreeMap::from([(from, 0u32)]), VecDeque::from([from]));
                while let Some(node) = queue.pop_front() {
                    for other in next(node) {
                        if !far.contains_key(&other) {
                            far.insert(other, far[&node] + 1);
                            queue.push_back(other);
                        }
                    }
                }
                far
            };
            for node in 0..9u8 {
                for relation in [None, Some(0u8)] {
                    let taken = |edge: &(u8, u8, u8)| relation.is_none_or(|relation| edge.1 == relation);
                    let around = far(node, &|node| all.iter().filter(|edge| taken(edge)).flat_map(|(from, _, to)| {
                        [(*from == node).then_some(*to), (*to == node).then_some(*from)]
                    }).flatten().collect());
                    let wanted: BTreeSet<String> = all.iter().filter(|edge| taken(edge))
                        .filter(|(from, _, to)| [from, to].into_iter().any(|end| around.get(end).is_some_and(|far| *far < hops)))
                        .map(|(from, relation, to)| format!("{from} {relation} {to}")).collect();
                    let relation = relation.map(|relation| relation.to_string());
                    let found = memory.neighbours(&place, &node.to_string(), relation.as_deref(), hops, 99).await.unwrap();
                    let found: Vec<String> =
                        found.iter().map(|edge| format!("{} {} {}", edge.from, edge.relation, edge.to)).collect();
                    assert_eq!(found.len(), wanted.len());
                    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), wanted);
                }
                let ahead = far(node, &|node| all.iter().filter(|edge| edge.0 == node).map(|edge| edge.2).collect());
                for other in 0..9u8 {
                    let path = memory.path(&place, &node.to_string(), &other.to_string(), hops).await.unwrap();
                    match ahead.get(&other).filter(|far| **far <= hops) {
                        None => assert_eq!(path, None),
                        Some(far) => {
                            let path = path.expect("there is one");
                            assert_eq!(path.len(), *far as usize);
                            let mut at = node.to_string();
                            for edge in path {
                                assert_eq!(edge.from, at);
                                at = edge.to;
                            }
                            assert_eq!(at, other.to_string());
                        }
                    }
                }
            }
        });
    }
}
