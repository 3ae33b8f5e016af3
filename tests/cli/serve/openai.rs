//! Pipelines as models: answers, errors, streams, and who may ask how much at once.

use super::*;

#[test]
fn pipelines_are_models() {
    let dir = project();
    let server = Server::openai(dir.path(), &[]);
    let (status, _, listed) = server.ask("GET", "/v1/models", "", "");
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!((status, &listed["data"][0]["id"]), (200, &json!("shout")));
    assert_eq!(server.ask("GET", "/v1/models/json", "", "").0, 200);

    let (status, answer) = server.post("/v1/chat/completions", &chat("shout", "hello"));
    assert_eq!((status, &answer["choices"][0]["message"]["content"]), (200, &json!("HELLO\n")), "{answer}");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    let run = answer["id"].as_str().and_then(|id| id.strip_prefix("chatcmpl-")).expect("a run").to_owned();
    assert_eq!(json(&aivm(dir.path(), &["show", &run, "--json"]))["status"], "sent");

    let parts = json!({"model": "shout", "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "one"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "ONE"}]},
        {"role": "user", "content": [{"type": "input_text", "text": "two"}, {"type": "input_text", "text": "three"}]},
    ]});
    let (status, answer) = server.post("/v1/responses", &parts);
    assert_eq!((status, &answer["output"][0]["content"][0]["text"]), (200, &json!("TWO\nTHREE\n")), "{answer}");
    assert_eq!((&answer["status"], &answer["object"]), (&json!("completed"), &json!("response")));

    let all = Server::openai(dir.path(), &["--conversation", "other=shout.aivm"]);
    assert_eq!(all.ask("GET", "/v1/models/other", "", "").0, 200);
    let (_, answer) = all.post("/v1/chat/completions", &chat("shout", "hello"));
    let text = answer["choices"][0]["message"]["content"].as_str().expect("text").to_lowercase();
    let seen: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(seen["messages"][1], json!({"role": "user", "content": "hello"}));
}

/// A request with a file of this type.
fn files(media_type: &str) -> Value {
    let part = json!({"type": "file", "file": {"file_data": format!("data:{media_type};base64,eA==")}});
    json!({"model": "shout", "messages": [{"role": "user", "content": [part]}]})
}

#[test]
fn what_goes_wrong_has_a_status_and_the_form_of_the_interface() {
    let dir = project();
    let server = Server::openai(dir.path(), &[]);
    let chats = "/v1/chat/completions";
    for (path, body, status, code) in [
        (chats, chat("none", "hi"), 404, "model_not_found"),
        (chats, json!({"model": "shout"}), 400, "E0949"),
        (chats, json!({"model": "shout", "messages": [{"role": "system", "content": "x"}]}), 400, "E0949"),
        (chats, json!({"model": "shout", "n": 2, "messages": []}), 400, "E0949"),
        ("/v1/responses", json!({"model": "shout", "input": 5}), 400, "E0949"),
        ("/v1/responses", json!({"model": "shout", "input": "x", "previous_response_id": "y"}), 400, "E0949"),
        (chats, chat("fails", "hi"), 422, "E0717"),
        (chats, chat("asks", "hi"), 422, "E0773"),
        (chats, json!({"model": "shout", "messages": [], "x": vec![0; 100_001]}), 413, "E0949"),
        (chats, files("application/vnd.aivm.parts"), 400, "E0949"),
        (chats, files("text/pl\u{1b}ain"), 400, "E0949"),
        ("/v1/none", json!({}), 404, "not_found"),
        ("/v1/models", json!({}), 405, "method_not_allowed"),
    ] {
        let (is, answer) = server.post(path, &body);
        assert_eq!((is, &answer["error"]["code"]), (status, &json!(code)), "{path} {body}: {answer}");
        assert!(answer["error"]["message"].is_string() && answer["error"]["type"].is_string(), "{answer}");
    }
    // A client of OpenAI asks again by itself, unless it is told that this is of no use.
    let (_, head, _) = server.ask("POST", chats, "", &chat("fails", "hi").to_string());
    assert!(head.contains("x-should-retry: false"), "{head}");
    let large = server.ask("POST", chats, "", &chat("shout", &"x".repeat(17 << 20)).to_string());
    assert_eq!(large.0, 413);
    assert_eq!(server.ask("POST", chats, "", "no JSON").0, 400);
}

#[test]
fn an_answer_comes_as_a_stream() {
    let dir = project();
    let server = Server::openai(dir.path(), &[]);
    let mut asked = chat("shout", "hello");
    asked["stream"] = json!(true);
    asked["stream_options"] = json!({"include_usage": true});
    let (status, head, text) = server.ask("POST", "/v1/chat/completions", "", &asked.to_string());
    assert!(
        status == 200 && head.contains("content-type: text/event-stream") && text.ends_with("data: [DONE]\n\n"),
        "{text}"
    );
    let (chunks, steps) = events(&text);
    let said: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(said, "HELLO\n");
    assert_eq!(steps, ["s/clean#1: clean", "s/clean#1 → next", "s/shout#1: shout", "s/shout#1 → send"]);
    let last = chunks.last().expect("a chunk");
    assert!(last["choices"] == json!([]) && last["usage"]["total_tokens"] == 0, "{last}");
    assert!(chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"]), "{text}");

    let asked = json!({"model": "shout", "input": "hello", "stream": true});
    let (_, _, text) = server.ask("POST", "/v1/responses", "", &asked.to_string());
    let (all, _) = events(&text);
    let kinds: Vec<&str> = all.iter().filter_map(|event| event["type"].as_str()).collect();
    let names = [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ];
    assert_eq!(kinds, names.map(|name| format!("response.{name}")));
    let numbers: Vec<u64> = all.iter().filter_map(|event| event["sequence_number"].as_u64()).collect();
    assert_eq!(numbers, (0..9).collect::<Vec<u64>>());
    assert_eq!(all[8]["response"]["output"][0]["content"][0]["text"], "HELLO\n");

    let asked = json!({"model": "fails", "input": "hello", "stream": true});
    let (_, _, text) = server.ask("POST", "/v1/responses", "", &asked.to_string());
    let (all, _) = events(&text);
    let last = all.last().expect("an event");
    assert!(last["type"] == "response.failed" && last["response"]["error"]["code"] == "E0717", "{last}");
}

#[test]
fn the_words_of_the_model_that_speaks_last_come_as_it_says_them() {
    use super::super::fake::{Fake, Reply, text};
    // What is thought aloud and what stands around the answer is not part of it.
    let said = "<think>hm</think>\nfirst half, and the second  \n";
    let fake = Fake::new(vec![text("a draft"), Reply::Slow(said.to_owned(), Duration::from_millis(300))]);
    let dir = folder();
    write(dir.path(), "aivm.toml", &format!("[provider.a]\nurl = \"{}\"\n", fake.url));
    let program = "+++\n[worker.w]\nprompt = \"Say it.\"\nmodel = \"a/m\"\n+++\n\
        out <= ( switch <= ( w => next ) <= switch[last] <= ( w => send ) ) <= in\n";
    write(dir.path(), "talk.aivm", program);
    let server = Server::http(dir.path(), &["openai", "talk.aivm", "--listen", "127.0.0.1:0"]);
    let mut asked = chat("talk", "hello");
    asked["stream"] = json!(true);
    asked["stream_options"] = json!({"include_usage": true});
    let (_, _, text) = server.ask("POST", "/v1/chat/completions", "", &asked.to_string());
    let (chunks, _) = events(&text);
    let said: Vec<&str> = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .filter(|piece| !piece.is_empty())
        .collect();
    assert!(said.len() >= 2, "as it comes: {said:?}");
    assert_eq!(said.concat(), "first half, and the second");
    assert_eq!(
        chunks.last().expect("a chunk")["usage"],
        json!({"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30})
    );
}

#[test]
fn a_stream_that_began_with_another_answer_says_so() {
    use super::super::fake::{Fake, Reply, text};
    let begun = "data: {\"choices\": [{\"index\": 0, \"delta\": {\"content\": \"the one\"}}]}\n\ndata: {no JSON\n\n";
    let broken = Reply::Whole(200, "content-type: text/event-stream\r\n".into(), begun.into());
    let (first, second) = (Fake::new(vec![broken]), Fake::new(vec![text("the other")]));
    let dir = folder();
    let settings = format!("[provider.a]\nurl = \"{}\"\n[provider.b]\nurl = \"{}\"\n", first.url, second.url);
    write(dir.path(), "aivm.toml", &settings);
    let program = "+++\n[worker.w]\nprompt = \"Say it.\"\nmodel = [\"a/m\", \"b/m\"]\n+++\nout <= ( switch[s] <= ( w => send ) ) <= in\n";
    write(dir.path(), "talk.aivm", program);
    let server = Server::http(dir.path(), &["openai", "talk.aivm", "--listen", "127.0.0.1:0"]);
    let mut asked = chat("talk", "hello");
    asked["stream"] = json!(true);
    let (_, _, text) = server.ask("POST", "/v1/chat/completions", "", &asked.to_string());
    let (chunks, _) = events(&text);
    assert!(text.contains("the one") && !text.contains("the other") && !text.contains("[DONE]"), "{text}");
    assert_eq!(chunks.last().expect("a chunk")["error"]["code"], "E0945", "{text}");
    assert_eq!(statuses(dir.path()), ["sent"], "the run has its output");
}

#[test]
fn a_client_that_goes_cancels_its_run() {
    let dir = project();
    let server = Server::openai(dir.path(), &[]);
    for (nth, stream) in [true, false].into_iter().enumerate() {
        let mut asked = chat("slow", "");
        asked["stream"] = json!(stream);
        let under_way = server.send("POST", "/v1/chat/completions", "", &asked.to_string());
        wait_for("a run", || statuses(dir.path()).contains(&"running".to_owned()));
        drop(under_way);
        wait_for("a cancel", || statuses(dir.path()) == vec!["cancelled"; nth + 1]);
    }
}

#[test]
fn so_many_runs_go_on_at_once_and_no_more() {
    let dir = project();
    let server = Server::openai(dir.path(), &["--at-once", "1"]);
    let under_way = server.send("POST", "/v1/chat/completions", "", &chat("slow", "").to_string());
    wait_for("a run", || statuses(dir.path()).contains(&"running".to_owned()));
    let (status, head, body) = server.ask("POST", "/v1/chat/completions", "", &chat("shout", "hi").to_string());
    assert!(status == 429 && head.contains("retry-after: 1") && body.contains("E0943"), "{head}\n{body}");
    drop(under_way);
    wait_for("a place", || server.post("/v1/chat/completions", &chat("shout", "hi")).0 == 200);

    let many = Server::openai(dir.path(), &[]);
    let ask = |n: usize| (n, many.post("/v1/chat/completions", &chat("shout", &format!("call {n}"))));
    let answers: Vec<_> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..48).map(|n| scope.spawn(move || ask(n))).collect();
        asked.into_iter().map(|asked| asked.join().expect("an answer")).collect()
    });
    for (n, (status, answer)) in answers {
        let text = answer["choices"][0]["message"]["content"].as_str();
        assert_eq!((status, text), (200, Some(format!("CALL {n}\n").as_str())), "{answer}");
    }
}
