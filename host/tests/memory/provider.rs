//! Embeddings of a provider: a server that speaks OpenAI's protocol, and answers with counts of letters.

use crate::common::{Letters, note};
use aivm_host::memory::embed::{Embedder as _, Purpose};
use aivm_host::memory::{Filter, Memory, MemorySettings, Place};
use aivm_host::models::{Models, Provider, Settings};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Answers one request; the embeddings in another order than their texts.
async fn answer(mut stream: TcpStream, asked: Arc<AtomicUsize>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str::<Value>(body)
        {
            break (head.to_owned(), body);
        }
    };
    asked.fetch_add(1, Ordering::SeqCst);
    assert!(head.starts_with("POST /v1/embeddings "), "{head}");
    let (status, answer) = match body["model"].as_str() {
        Some("letters") => {
            let texts: Vec<String> = match &body["input"] {
                Value::Array(texts) => texts.iter().map(|text| text.as_str().unwrap().to_owned()).collect(),
                text => vec![text.as_str().unwrap().to_owned()],
            };
            let vectors = Letters.embed(&texts, Purpose::Note).await.unwrap();
            let data = vectors.iter().enumerate().rev();
            let data: Vec<Value> = data
                .map(|(index, vector)| json!({"object": "embedding", "index": index, "embedding": vector}))
                .collect();
            let usage = json!({"prompt_tokens": 1, "total_tokens": 1});
            ("200 OK", json!({"object": "list", "model": "letters", "data": data, "usage": usage}))
        }
        _ => ("404 Not Found", json!({"error": {"message": "there is no such model"}})),
    };
    let answer = answer.to_string();
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n", answer.len());
    stream.write_all(format!("{head}connection: close\r\n\r\n{answer}").as_bytes()).await
}

async fn memory(embedder: &str) -> (Memory, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, counted.clone()));
        }
    });
    let provider = [("here".to_owned(), Provider { url: Some(url), ..Provider::default() })].into();
    let models = Models::new(Settings { provider, ..Settings::default() });
    let settings = MemorySettings { embedder: embedder.to_owned(), ..MemorySettings::default() };
    (Memory::fleeting(settings).asking(Arc::new(models)), asked)
}

#[tokio::test]
async fn a_provider_embeds() {
    let (memory, asked) = memory("here/letters").await;
    let place = Place::Global;
    assert_eq!(memory.recall(&place, "", "aab", &Filter::All, 1).await.unwrap(), []);
    assert_eq!(asked.load(Ordering::SeqCst), 0, "nobody is asked where nothing is");
    memory.remember(&place, "", note("ab", "ab ab ab")).await.unwrap();
    memory.remember(&place, "", note("xy", "xyxyxy")).await.unwrap();
    let long: String =
        ["k", "l", "m"].iter().map(|letter| format!("{}\n\n", format!("{letter} ").repeat(450))).collect();
    let parts = memory.remember(&place, "", note("long", &long)).await.unwrap();
    assert_eq!(parts.len(), 3);
    assert_eq!(asked.load(Ordering::SeqCst), 3, "all parts are embedded at once");
    for (query, id) in [("ba", "ab"), ("yx", "xy"), ("k", "long#1"), ("m", "long#3")] {
        assert_eq!(memory.recall(&place, "", query, &Filter::All, 1).await.unwrap()[0].note.id, id);
    }
    assert_eq!(memory.spaces().await.unwrap()[0].0.embedder, "here/letters");
}

#[tokio::test]
async fn what_a_provider_refuses_is_not_remembered() {
    let (memory, _) = memory("here/none").await;
    let error = memory.remember(&Place::Global, "", note("a", "text")).await.unwrap_err();
    assert_eq!(error.code(), "E0991", "{error}");
    assert!(error.to_string().contains("there is no such model"), "{error}");
    assert_eq!(memory.places().await.unwrap(), []);
    for embedder in ["nothing", "unknown/model"] {
        let memory = Memory::fleeting(MemorySettings { embedder: embedder.to_owned(), ..Default::default() });
        let error = memory.remember(&Place::Global, "", note("a", "text")).await.unwrap_err();
        assert!(["E0994", "E0991"].contains(&error.code()), "{error}");
    }
}
