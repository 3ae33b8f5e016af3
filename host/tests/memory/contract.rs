//! The contract: each test runs on every driver.

use crate::common::{Driven, edge, map, note, with};
use aivm_host::memory::{Filter, Place};
use serde_json::json;

/// The tests of the contract on one driver.
macro_rules! on {
    ($name:ident, $driver:expr) => {
        mod $name {
            $crate::contract::on!(@ $driver, notes_are_found_by_their_text, an_id_is_there_once, places_and_collections_are_apart,
                what_is_forgotten_is_gone, filters_take_what_they_say, long_texts_are_divided, notes_are_listed_in_order,
                odd_texts_come_back_whole, another_embedder_embeds_anew, what_cannot_be_is_refused, edges_are_walked,
                quantised_search_finds_the_same, collections_are_dropped);
        }
    };
    (@ $driver:expr, $($test:ident),*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            #[allow(unused_imports)]
            use $crate::*;
            $crate::contract::$test($driver.await).await;
        })*
    };
}
pub(crate) use on;

const ALL: Filter = Filter::All;

fn ids(hits: &[aivm_host::memory::Hit]) -> Vec<&str> {
    hits.iter().map(|hit| hit.note.id.as_str()).collect()
}

pub async fn notes_are_found_by_their_text(driven: Driven) {
    let (memory, place) = (&driven.memory, Place::Global);
    let texts = [
        ("sky", "The sky over Lisbon is blue in the morning."),
        ("tax", "Invoices are paid within thirty days."),
        ("rust", "The borrow checker refuses two mutable references."),
    ];
    for (id, text) in texts {
        assert_eq!(memory.remember(&place, "", note(id, text)).await.unwrap(), [id]);
    }
    for (query, id) in [("is the sky blue?", "sky"), ("when are invoices paid", "tax"), ("mutable references", "rust")]
    {
        let hits = memory.recall(&place, "", query, &ALL, 3).await.unwrap();
        assert_eq!(ids(&hits)[0], id, "{query}");
        assert!(hits.windows(2).all(|pair| pair[0].score >= pair[1].score));
    }
    let same = memory.recall(&place, "", texts[0].1, &ALL, 1).await.unwrap();
    assert_eq!(same.len(), 1);
    assert!((same[0].score - 1.0).abs() < 1e-4, "{}", same[0].score);
    assert_eq!(same[0].note, note("sky", texts[0].1));
}

pub async fn an_id_is_there_once(driven: Driven) {
    let (memory, place) = (&driven.memory, Place::Global);
    memory.remember(&place, "", with("a", "first", json!({"n": 1}))).await.unwrap();
    memory.remember(&place, "", with("a", "second", json!({"n": 2}))).await.unwrap();
    let hits = memory.recall(&place, "", "first", &ALL, 9).await.unwrap();
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0].note, with("a", "second", json!({"n": 2})));
    let old = Filter::parse(&json!({"n": 1})).unwrap();
    assert_eq!(memory.recall(&place, "", "first", &old, 9).await.unwrap(), []);
}

pub async fn places_and_collections_are_apart(driven: Driven) {
    let memory = &driven.memory;
    let (one, other) = (Place::Local("one".into()), Place::Local("other".into()));
    memory.remember(&one, "", note("a", "of one")).await.unwrap();
    memory.remember(&one, "drafts", note("a", "a draft of one")).await.unwrap();
    memory.remember(&Place::Global, "", note("a", "of all")).await.unwrap();
    assert_eq!(memory.recall(&other, "", "of", &ALL, 9).await.unwrap(), []);
    for (place, collection, text) in
        [(&one, "", "of one"), (&one, "drafts", "a draft of one"), (&Place::Global, "", "of all")]
    {
        let hits = memory.recall(place, collection, "of", &ALL, 9).await.unwrap();
        assert_eq!(hits.iter().map(|hit| hit.note.text.as_str()).collect::<Vec<_>>(), [text]);
    }
    memory.relate(&one, edge("a", "is", "b")).await.unwrap();
    assert_eq!(memory.neighbours(&other, "a", None, 1, 9).await.unwrap(), []);
    assert_eq!(memory.places().await.unwrap(), [Place::Global, one.clone()]);
    assert_eq!(memory.collections(&one).await.unwrap(), ["", "drafts"]);
}

pub async fn what_is_forgotten_is_gone(driven: Driven) {
    let (memory, place) = (&driven.memory, Place::Global);
    for number in 0..20 {
        let text = format!("note of number {number}");
        memory.remember(&place, "", with(&number.to_string(), &text, json!({"n": number}))).await.unwrap();
    }
    let gone = memory.forget(&place, "", &["3".into(), "none".into(), "7".into(), "3".into()]).await.unwrap();
    assert_eq!(gone.len(), 2);
    assert_eq!(gone[0], with("3", "note of number 3", json!({"n": 3})));
    let left = memory.recall(&place, "", "note of number", &ALL, 99).await.unwrap();
    assert_eq!(left.len(), 18);
    assert!(!ids(&left).contains(&"3") && !ids(&left).contains(&"7"));
    // What took their places is found as before.
    for number in [0, 18, 19] {
        let filter = Filter::Is("n".into(), json!(number));
        let hits = memory.recall(&place, "", "note", &filter, 9).await.unwrap();
        assert_eq!(ids(&hits), [number.to_string()]);
        let hits = memory.recall(&place, "", &format!("note of number {number}"), &ALL, 1).await.unwrap();
        assert_eq!(ids(&hits), [number.to_string()]);
    }
    assert_eq!(memory.forget(&place, "nowhere", &["3".into()]).await.unwrap(), []);
    assert_eq!(memory.forget(&Place::Local("x".into()), "", &["4".into()]).await.unwrap(), []);
    assert_eq!(memory.note(&place, "", "4").await.unwrap().unwrap().text, "note of number 4");
    assert_eq!(memory.note(&place, "", "3").await.unwrap(), None);
}

pub async fn filters_take_what_they_say(driven: Driven) {
    let (memory, place) = (&driven.memory, Place::Global);
    let notes = [
        json!({"kind": "fact", "year": 2020, "tags": ["a", "b"], "sure": true}),
        json!({"kind": "rumour", "year": 2021.5, "tags": [], "sure": false}),
        json!({"kind": "fact", "year": "2020", "tags": "a", "sure": 1}),
        json!({"kind": null, "year": -3, "odd key.\"'": "x"}),
        json!({}),
        json!({"kind": ["fact", 2020, true], "year": [1, 2020, 5000]}),
    ];
    for (number, metadata) in notes.iter().enumerate() {
        let text = format!("a note with metadata {number}");
        memory.remember(&place, "", with(&number.to_string(), &text, metadata.clone())).await.unwrap();
    }
    for filter in [
        json!({}),
        json!({"kind": "fact"}),
        json!({"kind": ["fact", "rumour"]}),
        json!({"kind": {"$ne": "fact"}}),
        json!({"kind": {"$exists": true}}),
        json!({"tags": {"$exists": false}}),
        json!({"tags": "a"}),
        json!({"sure": true}),
        json!({"sure": 1}),
        json!({"year": 2020}),
        json!({"year": "2020"}),
        json!({"year": {"$gte": 2020, "$lt": 2021.5}}),
        json!({"year": {"$gt": 2020}}),
        json!({"year": {"$lte": 0}}),
        json!({"kind": 2020}),
        json!({"odd key.\"'": "x"}),
        json!({"$or": [{"kind": "rumour"}, {"year": {"$lt": 0}}]}),
        json!({"$not": {"$or": [{"kind": "fact"}, {"kind": "rumour"}]}}),
        json!({"kind": "fact", "sure": true}),
        json!({"$and": [{"kind": "fact"}, {"$not": {"tags": "b"}}]}),
        json!({"$or": []}),
        json!({"none": []}),
        json!({"none": {"$nin": []}}),
    ] {
        let parsed = Filter::parse(&filter).unwrap();
        let hits = memory.recall(&place, "", "a note", &parsed, 99).await.unwrap();
        let mut found = ids(&hits);
        found.sort_unstable();
        let wanted: Vec<String> = notes
            .iter()
            .enumerate()
            .filter(|(_, metadata)| parsed.matches(&map((*metadata).clone())))
            .map(|(number, _)| number.to_string())
            .collect();
        assert_eq!(found, wanted, "{filter}");
    }
}

pub async fn long_texts_are_divided(driven: Driven) {
    let (memory, place) = (&driven.memory, Place::Global);
    let about = ["bread is made of rye", "the sea is salt", "engines need oil", "bees make honey"];
    let text: String = about.iter().map(|about| format!("{}\n\n", format!("{about}. ").repeat(40))).collect();
    let parts = memory.remember(&place, "", with("book", &text, json!({"kind": "book"}))).await.unwrap();
    assert!(parts.len() >= 4, "{parts:?}");
    assert_eq!(parts[0], "book#1");
    memory.remember(&place, "", note("short", "a short one")).await.unwrap();
    for about in about {
        let hits = memory.recall(&place, "", about, &ALL, 1).await.unwrap();
        assert!(hits[0].note.text.contains(about) && hits[0].note.text.len() < 1_100, "{about}");
        assert!(parts.contains(&hits[0].note.id));
        assert_eq!(hits[0].note.metadata, map(json!({"kind": "book"})));
    }
    assert_eq!(memory.note(&place, "", "book#2").await.unwrap().unwrap().text, text);
    // Shorter: none of the old parts is left.
    memory.remember(&place, "", note("book", "now it is short, about bees")).await.unwrap();
    assert_eq!(memory.recall(&place, "", "bees make honey", &ALL, 9).await.unwrap().len(), 2);
    memory.remember(&place, "", with("book", &text, json!({"kind": "book"}))).await.unwrap();
    let gone = memory.forget(&place, "", &parts).await.unwrap();
    assert_eq!(gone, [with("book", &text, json!({"kind": "book"}))], "whole, and once");
    assert_eq!(ids(&memory.recall(&place, "", "honey", &ALL, 9).await.unwrap()), ["short"]);
    // What looks like the id of a part is one only when there is such a part.
    memory.remember(&place, "", note("short#1", "another")).await.unwrap();
    assert_eq!(memory.forget(&place, "", &["short#2".into(), "short#0".into(), "#1".into()]).await.unwrap(), []);
    assert_eq!(memory.forget(&place, "", &["short#1".into()]).await.unwrap(), [note("short#1", "another")]);
}

pub async fn notes_are_listed_in_order(driven: Driven) {
    let (memory, place) = (&driven.memory, Place::Global);
    let mut names = vec!["b", "a", "z#1", "Z", "ä", "10", "9"];
    for name in &names {
        memory.remember(&place, "", note(name, name)).await.unwrap();
    }
    names.sort_unstable();
    let (mut listed, mut after) = (Vec::new(), String::new());
    loop {
        let page = memory.notes(&place, "", &after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.id.clone();
        listed.extend(page.into_iter().map(|note| note.id));
    }
    assert_eq!(listed, names);
}

pub async fn odd_texts_come_back_whole(driven: Driven) {
    let (memory, place) = (&driven.memory, Place::Local("a/b \0 ü".into()));
    let texts =
        ["\0 in the\0 middle", "🦀", " \n trailing \t", "e\u{301} \u{202e}right to left", "'; DROP TABLE part; --"];
    for text in texts {
        let ids = memory.remember(&place, "a/b", with(text, text, json!({text: text}))).await.unwrap();
        assert_eq!(ids, [text]);
        let filter = Filter::Is(text.into(), json!(text));
        let hits = memory.recall(&place, "a/b", text, &filter, 9).await.unwrap();
        assert_eq!(hits.len(), 1, "{text:?}");
        assert_eq!(hits[0].note, with(text, text, json!({text: text})));
    }
    let huge = "many words of a huge text. ".repeat(4_000) + "\0" + &"x".repeat(5_000);
    let parts = memory.remember(&place, "huge", note("huge", &huge)).await.unwrap();
    assert!(parts.len() > 100);
    assert_eq!(memory.note(&place, "huge", "huge").await.unwrap().unwrap().text, huge);
}

pub async fn another_embedder_embeds_anew(driven: Driven) {
    let place = Place::Global;
    let text = "one word after another. ".repeat(100);
    driven.memory.remember(&place, "", with("long", &text, json!({"n": 1}))).await.unwrap();
    for number in 0..70 {
        driven.memory.remember(&place, "", note(&format!("n{number}"), &format!("number {number}"))).await.unwrap();
    }
    driven.memory.remember(&place, "other", note("a", "stays")).await.unwrap();
    let letters = driven.memory.clone().embedding(std::sync::Arc::new(crate::common::Letters));
    let hits = letters.recall(&place, "", "number 69", &ALL, 1).await.unwrap();
    assert_eq!(ids(&hits), ["n69"]);
    let spaces = letters.spaces().await.unwrap();
    let made: Vec<_> = spaces.iter().map(|(space, _)| (space.collection.as_str(), space.embedder.as_str())).collect();
    assert_eq!(made, [("", "letters"), ("other", "hash-1")], "a collection is embedded anew when it is used");
    assert_eq!(letters.note(&place, "", "long").await.unwrap().unwrap(), with("long", &text, json!({"n": 1})));
    let filter = Filter::Is("n".into(), json!(1));
    assert_eq!(letters.recall(&place, "", "word", &filter, 1).await.unwrap().len(), 1);
    // One whose vectors cannot be used changes nothing.
    let broken = driven.memory.clone().embedding(std::sync::Arc::new(crate::common::Broken));
    let error = broken.recall(&place, "", "number 1", &ALL, 1).await.unwrap_err();
    assert_eq!(error.code(), "E0992", "{error}");
    let error = broken.remember(&place, "", note("b", "text")).await.unwrap_err();
    assert_eq!(error.code(), "E0992", "{error}");
    assert_eq!(ids(&letters.recall(&place, "", "number 55", &ALL, 1).await.unwrap()), ["n55"]);
}

pub async fn what_cannot_be_is_refused(driven: Driven) {
    let (memory, place) = (&driven.memory, Place::Global);
    let long = "x".repeat(2_000);
    for (refused, part) in [
        (note("", "text"), "has no name"),
        (note(&long, "text"), "at most 1000"),
        (note("a", ""), "no text"),
        (note("a", " \n"), "no text"),
        (with("a", "text", json!({"k": "x".repeat(70_000)})), "metadata"),
        (note("a", &"x".repeat(17 << 20)), "divide it"),
    ] {
        let error = memory.remember(&place, "", refused).await.unwrap_err();
        assert_eq!(error.code(), "E0989");
        assert!(error.to_string().contains(part), "{error}");
    }
    memory.remember(&place, &long, note("a", "b")).await.unwrap_err();
    for query in ["", " \t\n"] {
        let error = memory.recall(&place, "", query, &ALL, 5).await.unwrap_err().to_string();
        assert!(error.contains("the query is empty"), "{error}");
    }
    memory.remember(&place, "", note("a", "text")).await.unwrap();
    assert_eq!(memory.recall(&place, "", "text", &ALL, 0).await.unwrap(), []);
    assert_eq!(memory.recall(&place, "", "text", &ALL, usize::MAX).await.unwrap().len(), 1);
    for bad in [edge("", "is", "b"), edge("a", "", "b"), edge("a", "is", ""), edge(&long, "is", "b")] {
        assert_eq!(memory.relate(&place, bad).await.unwrap_err().code(), "E0989");
    }
    for hops in [0, 17, u32::MAX] {
        assert_eq!(memory.neighbours(&place, "a", None, hops, 1).await.unwrap_err().code(), "E0989");
        assert_eq!(memory.path(&place, "a", "b", hops).await.unwrap_err().code(), "E0989");
    }
}

pub async fn edges_are_walked(driven: Driven) {
    let (memory, place) = (&driven.memory, Place::Global);
    for (from, relation, to) in [
        ("ann", "knows", "bob"),
        ("bob", "knows", "cat"),
        ("cat", "knows", "ann"),
        ("cat", "likes", "dan"),
        ("dan", "knows", "eve"),
        ("ann", "likes", "ann"),
        ("cat", "knows", "dan"),
    ] {
        assert!(memory.relate(&place, edge(from, relation, to)).await.unwrap());
    }
    assert!(!memory.relate(&place, edge("ann", "knows", "bob")).await.unwrap(), "it was there");
    let short = |edges: &[aivm_host::memory::Edge]| -> Vec<String> {
        edges.iter().map(|edge| format!("{} {} {}", edge.from, edge.relation, edge.to)).collect()
    };
    let near = memory.neighbours(&place, "ann", None, 1, 9).await.unwrap();
    assert_eq!(short(&near), ["ann knows bob", "ann likes ann", "cat knows ann"]);
    let knows = memory.neighbours(&place, "ann", Some("knows"), 2, 9).await.unwrap();
    assert_eq!(short(&knows), ["ann knows bob", "cat knows ann", "bob knows cat", "cat knows dan"]);
    assert_eq!(memory.neighbours(&place, "ann", None, 16, 99).await.unwrap().len(), 7);
    assert_eq!(memory.neighbours(&place, "ann", None, 16, 2).await.unwrap().len(), 2);
    assert_eq!(memory.neighbours(&place, "nobody", None, 3, 9).await.unwrap(), []);
    let path = memory.path(&place, "ann", "eve", 16).await.unwrap().unwrap();
    assert_eq!(short(&path), ["ann knows bob", "bob knows cat", "cat knows dan", "dan knows eve"]);
    assert_eq!(path[0].metadata, map(json!({"by": "ann"})));
    assert_eq!(memory.path(&place, "ann", "eve", 3).await.unwrap(), None, "it is too far");
    assert_eq!(memory.path(&place, "eve", "ann", 16).await.unwrap(), None, "edges have a direction");
    assert_eq!(memory.path(&place, "ann", "ann", 1).await.unwrap(), Some(vec![]));
    let likes = memory.edges(&place, Some("likes"), &ALL, None, 9).await.unwrap();
    assert_eq!(short(&likes), ["ann likes ann", "cat likes dan"]);
    let of_cat = Filter::Is("by".into(), json!("cat"));
    let first = memory.edges(&place, None, &of_cat, None, 2).await.unwrap();
    assert_eq!(short(&first), ["cat knows ann", "cat knows dan"]);
    let rest = memory.edges(&place, None, &of_cat, first.last(), 2).await.unwrap();
    assert_eq!(short(&rest), ["cat likes dan"]);
    assert!(memory.unrelate(&place, &edge("cat", "knows", "dan")).await.unwrap());
    assert!(!memory.unrelate(&place, &edge("cat", "knows", "dan")).await.unwrap());
    let path = memory.path(&place, "ann", "eve", 16).await.unwrap().unwrap();
    assert_eq!(short(&path)[2], "cat likes dan");
}

pub async fn quantised_search_finds_the_same(driven: Driven) {
    let (memory, place) = (&driven.memory, Place::Global);
    for number in 0..300 {
        let text = format!("subject {} and number {number} of {}", number % 17, number * number);
        memory.remember(&place, "", with(&number.to_string(), &text, json!({"even": number % 2 == 0}))).await.unwrap();
    }
    let quick = memory.clone().searching(aivm_host::memory::Search::Quantised);
    let exact = memory.clone().searching(aivm_host::memory::Search::Exact);
    for filter in [ALL, Filter::Is("even".into(), json!(true))] {
        for number in [1, 50, 299] {
            let query = format!("subject {} and number {number}", number % 17);
            let wanted = exact.recall(&place, "", &query, &filter, 10).await.unwrap();
            let found = quick.recall(&place, "", &query, &filter, 10).await.unwrap();
            // Of those that are equally near it may be another.
            assert_eq!(found.len(), wanted.len());
            for (found, wanted) in found.iter().zip(&wanted) {
                assert!((found.score - wanted.score).abs() < 1e-5, "{query}: {} and {}", found.score, wanted.score);
            }
        }
    }
}

pub async fn collections_are_dropped(driven: Driven) {
    let (memory, place) = (&driven.memory, Place::Global);
    for collection in ["", "x"] {
        for number in 0..60 {
            memory
                .remember(&place, collection, with(&number.to_string(), "a text", json!({"n": number})))
                .await
                .unwrap();
        }
    }
    memory.drop_collection(&place, "").await.unwrap();
    assert_eq!(memory.collections(&place).await.unwrap(), ["x"]);
    assert_eq!(memory.recall(&place, "", "a text", &ALL, 99).await.unwrap(), []);
    assert_eq!(memory.recall(&place, "x", "a text", &ALL, 99).await.unwrap().len(), 60);
    memory.remember(&place, "", note("new", "a text")).await.unwrap();
    assert_eq!(ids(&memory.recall(&place, "", "a text", &ALL, 99).await.unwrap()), ["new"]);
}
