//! Models as workers: who is asked and with what, what an answer may be, and what happens when there is none.

use super::fake::{Fake, Reply, text};
use super::*;
use std::process::Output;

const ASK: &str = "+++\n[worker.judge]\nprompt = \"Judge.\"\nmodel = [\"a/m\", \"b/m\"]\n+++\n\
    out <= ( switch[s] <= ( judge => send | cancel ) <= match <= ( fine => send  default => cancel ) ) <= in\n";

/// A project that knows these servers as `a`, `b`, ….
fn project(servers: &[&Fake], program: &str) -> tempfile::TempDir {
    let dir = folder();
    let mut settings = String::new();
    for (name, server) in ["a", "b", "c"].iter().zip(servers) {
        settings.push_str(&format!("[provider.{name}]\nurl = \"{}\"\n", server.url));
    }
    settings.push_str("[price.\"a/*\"]\ninput = \"$1\"\noutput = \"$2\"\n");
    write(dir.path(), "aivm.toml", &settings);
    write(dir.path(), "p.aivm", program);
    dir
}

fn run(dir: &tempfile::TempDir, more: &[&str]) -> Output {
    let args = ["run", "p.aivm", "--in", "the input", "--json"];
    aivm(dir.path(), &[&args, more].concat())
}

const PLAIN: &str =
    "+++\n[worker.w]\nprompt = \"Say it.\"\nmodel = \"a/m\"\n+++\nout <= ( switch[s] <= ( w => send ) ) <= in\n";

#[test]
fn a_model_is_asked_with_its_prompt_and_what_flows() {
    let fake = Fake::new(vec![text("said")]);
    let dir = project(&[&fake], PLAIN);
    let output = run(&dir, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report = json(&output);
    assert_eq!(report["output"]["text"], "said", "{report}");
    let step = &report["steps"][0];
    assert_eq!((step["tokens"].as_u64(), step["cost_usd"].as_f64()), (Some(15), Some(0.00002)), "{step}");
    let asked = &fake.asked()[0];
    assert_eq!(asked["model"], "m");
    assert_eq!(asked["messages"][0]["content"], "Say it.");
    assert_eq!(asked["messages"][1]["content"], "the input");
}

#[test]
fn a_model_chooses_among_the_words_of_its_step_and_no_others() {
    let cases: [(&str, u16, Option<&str>); 4] = [
        (r#"{"verdict": "fine", "output": "good"}"#, 0, Some("good")),
        ("```json\n{\"verdict\": \"Fine\", \"output\": \"good\"}\n```", 0, Some("good")),
        (r#"{"verdict": "cancel", "output": "bad"}"#, 1, None),
        (r#"{"verdict": "default", "output": "good"}"#, 1, None),
    ];
    for (said, code, sent) in cases {
        let fake = Fake::new(vec![text(said)]);
        let dir = project(&[&fake], ASK);
        let output = run(&dir, &[]);
        assert_eq!(output.status.code(), Some(i32::from(code)), "{said}: {}", stderr(&output));
        assert_eq!(json(&output)["output"]["text"].as_str(), sent, "{said}");
        let asked = &fake.asked()[0];
        let words = asked.pointer("/response_format/json_schema/schema/properties/verdict/enum");
        assert_eq!(words, Some(&serde_json::json!(["send", "cancel", "fine"])), "{asked}");
    }
}

#[test]
fn an_answer_that_cannot_be_read_is_given_back_once() {
    let fake = Fake::new(vec![text("I think it is fine."), text(r#"{"verdict": "fine", "output": "good"}"#)]);
    let dir = project(&[&fake], ASK);
    let output = run(&dir, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(json(&output)["steps"][0]["tokens"], 30, "both are counted");
    let again = fake.asked()[1]["messages"].as_array().expect("messages").clone();
    assert_eq!(again[2]["content"], "I think it is fine.");
    assert!(again[3]["content"].as_str().is_some_and(|told| told.contains("`send`, `cancel`, `fine`")), "{again:?}");

    // Twice is a failure, and the next model is asked.
    let (first, second) = (Fake::new(vec![text("hm")]), Fake::new(vec![text(r#"{"verdict": "fine"}"#)]));
    let dir = project(&[&first, &second], ASK);
    let output = run(&dir, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!((first.asked().len(), second.asked().len()), (2, 1));
}

#[test]
fn each_failure_of_a_model_says_what_it_was() {
    let cases = [
        (Reply::Status(429, "retry-after: 7", "{}".into()), "E0903", "again in 7 s"),
        (
            Reply::Status(500, "", r#"{"error": {"message": "out of order"}}"#.into()),
            "E0904",
            "status 500: out of order",
        ),
        (Reply::Status(401, "", r#"{"error": {"message": "no such key"}}"#.into()), "E0904", "no such key"),
        (Reply::Broken, "E0902", "not reached"),
        (Reply::Raw("not json at all".into()), "E0902", "a/m"),
        (Reply::Raw("{\"choices\": []}".into()), "E0906", "a/m"),
        (text(""), "E0906", "it is empty"),
        (
            Reply::Raw(r#"{"choices": [{"message": {"content": null, "refusal": "I will not"}}]}"#.into()),
            "E0905",
            "a/m refused to answer: I will not",
        ),
    ];
    let program = PLAIN.replace("=> send", "=> send | cancel");
    for (reply, code, why) in cases {
        let fake = Fake::new(vec![reply]);
        let dir = project(&[&fake], PLAIN);
        let output = run(&dir, &[]);
        assert_eq!(output.status.code(), Some(1), "{code}: {}", stderr(&output));
        let error = json(&output)["steps"][0]["error"].clone();
        assert_eq!(error["code"], code, "{error}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(why)), "{error}");
    }
    // The next is asked whatever the first one's failure was, and the trace of a failure names the cause of each.
    let broken = || Fake::new(vec![Reply::Status(503, "", "{}".into())]);
    let (first, second) = (broken(), broken());
    let program = program.replace("\"a/m\"", "[\"a/m\", \"b/m\"]").replace("=> send | cancel", "=> send");
    let dir = project(&[&first, &second], &program);
    let message = json(&run(&dir, &[]))["steps"][0]["error"]["message"].to_string();
    assert!(message.contains("a/m answered with status 503") && message.contains("b/m answered"), "{message}");
}

#[test]
fn a_model_that_was_passed_over_is_told_of_with_its_cause() {
    let (first, second) =
        (Fake::new(vec![Reply::Status(429, "retry-after: 7", "{}".into())]), Fake::new(vec![text("b")]));
    let dir = project(&[&first, &second], &PLAIN.replace("\"a/m\"", "[\"a/m\", \"b/m\"]"));
    let cause = "E0903: a/m refused for its rate limit: again in 7 s";
    let output = aivm(dir.path(), &["run", "p.aivm", "--in", "the input"]);
    assert_eq!((stdout(&output).as_str(), output.status.code()), ("b", Some(0)), "{}", stderr(&output));
    assert!(stderr(&output).contains(&format!("first {cause}")), "{}", stderr(&output));
    let report = json(&run(&dir, &[]));
    assert_eq!(report["steps"][0]["models_passed_over"], serde_json::json!([cause]), "{report}");
    let id = report["run"].as_str().expect("a run");
    for command in [&["show", id][..], &["why", id, "w"], &["logs", id]] {
        let told = stdout(&aivm(dir.path(), command));
        assert!(told.split_whitespace().collect::<Vec<_>>().join(" ").contains(&format!("first {cause}")), "{told}");
        let told = stdout(&aivm(dir.path(), &[command, &["--json"]].concat()));
        assert!(told.contains(&format!("\"models_passed_over\":[\"{cause}\"]")), "{told}");
    }
}

#[test]
fn what_a_question_cannot_be_made_of_is_found_by_check() {
    let cases = [
        ("\"Say it.\"", "\"a {{ input\"", "E0901: the prompt cannot be filled in: syntax error"),
        ("\"a/m\"", "\"gpt-5\"", "E0901: gpt-5 cannot be asked: `gpt-5` is no model: write `provider/model`"),
    ];
    for (from, to, why) in cases {
        let dir = project(&[], &PLAIN.replace(from, to));
        let output = aivm(dir.path(), &["check", "p.aivm"]);
        let said = stderr(&output).split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
        assert!(!output.status.success() && said.contains(why), "{said}");
    }
    let dir = project(&[], &PLAIN.replace("\"a/m\"", "\"fast\""));
    let settings = std::fs::read_to_string(dir.path().join("aivm.toml")).expect("settings");
    write(dir.path(), "aivm.toml", &format!("{settings}[models.alias]\nfast = \"a/m\"\n"));
    let output = aivm(dir.path(), &["check", "p.aivm"]);
    assert!(output.status.success(), "{}", stderr(&output));
    // What has no value is named.
    let dir = project(
        &[],
        &PLAIN.replace("Say it.", "Say {{ with.b }} and {{ input }}.").replace("model =", "with = { b = 1 }\nmodel ="),
    );
    let error = json(&run(&dir, &[]))["steps"][0]["error"].clone();
    assert!(
        error["message"].as_str().is_some_and(|said| said.contains("undefined value: `input` in line 1")),
        "{error}"
    );
}

#[test]
fn an_address_of_a_provider_is_one() {
    let dir = project(&[], PLAIN);
    write(dir.path(), "aivm.toml", "[provider.a]\nurl = \"localhost:8080\"\n");
    let output = aivm(dir.path(), &["check", "p.aivm"]);
    let said = stderr(&output);
    assert!(said.contains("E0802") && said.contains("write `http://localhost:8080`"), "{said}");
}

#[test]
fn a_model_that_hangs_ends_with_its_deadline() {
    let fake = Fake::new(vec![Reply::Stall(std::time::Duration::from_secs(600))]);
    let dir = project(&[&fake], &PLAIN.replace("( w =>", "( w<300ms> =>"));
    let output = run(&dir, &[]);
    assert_eq!(json(&output)["steps"][0]["error"]["code"], "E0712", "{}", stderr(&output));
}

#[test]
fn without_a_model_or_a_key_it_is_said_what_to_do() {
    let dir = folder();
    write(dir.path(), "p.aivm", &PLAIN.replace("model = \"a/m\"\n", ""));
    let output = run(&dir, &[]);
    let error = json(&output)["steps"][0]["error"].clone();
    assert_eq!(error["code"], "E0900", "{}", stderr(&output));
    assert!(error["message"].as_str().is_some_and(|message| message.contains("AIVM_MODEL")), "{error}");
    for (model, why) in
        [("openai/gpt-5", "set OPENAI_API_KEY"), ("nobody/x", "[provider.nobody]"), ("x", "provider/model")]
    {
        let output = command(dir.path(), &["run", "p.aivm", "--in", "x", "--json"])
            .env("AIVM_MODEL", model)
            .env_remove("OPENAI_API_KEY")
            .output()
            .expect("aivm runs");
        let error = json(&output)["steps"][0]["error"].clone();
        assert_eq!(error["code"], "E0901", "{error}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(why)), "{error}");
    }
}

#[test]
fn examples_behaviours_and_schemas_shape_the_question() {
    let fake = Fake::new(vec![text("{\"n\": \"one\"}"), text("Here: {\"n\": 1}")]);
    let program = "+++\n[worker.w]\nprompt = \"Count for {{ with.who }}.\"\nwith = { who = \"Ada\" }\nmodel = \"a/m\"\noptions = { temperature = 0.5, max_tokens = 50 }\n\
        returns = { schema = { type = \"object\", required = [\"n\"], properties = { n = { type = \"integer\" } } } }\n\
        examples = [{ input = \"two\", output = \"{\\\"n\\\": 2}\" }]\n\
        [behaviour.terse]\nprompt = \"Be terse.\"\n+++\nout <= ( switch[s] <= ( w<terse> => send ) ) <= in\n";
    let dir = project(&[&fake], program);
    let output = run(&dir, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(json(&output)["output"]["text"], "{\"n\":1}");
    let asked = fake.asked();
    let first = &asked[0];
    let system = first["messages"][0]["content"].as_str().expect("instructions");
    assert!(system.starts_with("Count for Ada.\n\nBe terse."), "{system}");
    assert_eq!(
        (&first["messages"][1]["content"], &first["messages"][2]["content"]),
        (&"two".into(), &"{\"n\": 2}".into())
    );
    assert_eq!((first["temperature"].as_f64(), first["max_tokens"].as_u64()), (Some(0.5), Some(50)));
    assert_eq!(first.pointer("/response_format/json_schema/schema/required"), Some(&serde_json::json!(["n"])));
    let why = asked[1]["messages"][5]["content"].as_str().expect("why").to_owned();
    assert!(why.contains("does not fit the schema"), "{why}");
}

#[test]
fn images_are_shown_and_other_bytes_are_refused() {
    let fake = Fake::new(vec![text("a dot")]);
    let dir = project(&[&fake], PLAIN);
    std::fs::write(dir.path().join("dot.png"), b"\x89PNG\r\n\x1a\n").expect("a file");
    std::fs::write(dir.path().join("x.bin"), b"\x00\xff\x00").expect("a file");
    let shown = aivm(dir.path(), &["run", "p.aivm", "--in", "@dot.png"]);
    assert_eq!(shown.status.code(), Some(0), "{}", stderr(&shown));
    let url = fake.asked()[0].pointer("/messages/1/content/0/image_url/url").cloned();
    assert_eq!(url, Some("data:image/png;base64,iVBORw0KGgo=".into()), "{}", fake.asked()[0]);
    let refused = aivm(dir.path(), &["run", "p.aivm", "--in", "@x.bin"]);
    assert!(stderr(&refused).contains("E0908"), "{}", stderr(&refused));
    assert_eq!(fake.asked().len(), 1);
}

#[test]
fn a_terminal_shows_an_answer_as_it_comes() {
    let fake = Fake::new(vec![Reply::Slow("half an answer".into(), std::time::Duration::from_millis(700))]);
    let dir = project(&[&fake], PLAIN);
    let shown = super::display::written(dir.path(), 80, &["run", "p.aivm", "--in", "x"]);
    let (before, _) = shown.split_once('✓').expect("the line that stays");
    assert!(before.contains("half an") && !shown.contains("half an answer"), "{shown}");
    assert_eq!(fake.asked()[0]["stream"], true);
    // Nobody looks on: one answer, in one piece.
    run(&dir, &[]);
    assert_ne!(fake.asked()[1]["stream"], true);
}

#[test]
fn what_is_shown_of_references_has_a_budget() {
    let fake = Fake::new(vec![text("said")]);
    let program = "+++\n[worker.a]\nrun = \"printf '%0400d' 0\"\n[worker.b]\nrun = \"printf '%080d' 1\"\n\
        [worker.w]\nprompt = \"Say it.\"\nmodel = \"a/m\"\ncontext = \"40t\"\n+++\n\
        out <= ( switch[s] <= ( a => next  b => next  [w <= s.a.out, s.b.out, in] => send ) ) <= in\n";
    let dir = project(&[&fake], program);
    let output = run(&dir, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let asked = fake.asked()[0]["messages"][1]["content"].to_string();
    assert!(asked.contains("tokens are left out here") && asked.contains("the input"), "{asked}");
    let zeros = asked.matches('0').count();
    assert!((80..=160).contains(&zeros), "what came first is cut, the later is whole: {asked}");
}

#[test]
fn a_model_that_asks_to_be_left_alone_is_asked_again_when_it_said() {
    let busy = Reply::Status(429, "retry-after: 1", "{}".to_owned());
    let said = || text(r#"{"verdict": "send", "output": "said"}"#);
    let fake = Fake::new(vec![busy, said()]);
    let program = "+++\n[worker.w]\nprompt = \"Say it.\"\nmodel = \"a/m\"\nbackoff = { wait = \"1ms\" }\n+++\n\
        out <= ( switch[s] <= ( w => send | retry * 3 ) ) <= in\n";
    let dir = project(&[&fake], program);
    let output = run(&dir, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let steps = json(&output)["steps"].as_array().cloned().expect("steps");
    assert_eq!(steps.len(), 2, "no attempt is wasted: {steps:?}");
    assert!(steps[1]["waited_ms"].as_u64() > Some(500), "{steps:?}");
    let report = json(&output);
    let id = report["run"].as_str().expect("a run");
    for command in [&["show", id][..], &["why", id, "w"]] {
        let told = stdout(&aivm(dir.path(), command));
        assert_eq!(told.matches("(waited ").count(), 1, "{told}");
    }
    let late = Fake::new(vec![Reply::Status(429, "retry-after: 900", "{}".to_owned()), said()]);
    let dir = project(&[&late], program);
    let output = run(&dir, &[]);
    let report = json(&output);
    assert_eq!(output.status.code(), Some(1), "{report}");
    let last = &report["steps"][1]["error"];
    assert_eq!(last["code"], "E0965", "{report}");
    assert!(last["message"].as_str().is_some_and(|said| said.contains("(it asked to be left alone)")), "{last}");
    assert_eq!(late.asked().len(), 1, "it is left alone");
}

#[test]
fn a_limit_of_a_worker_and_one_of_a_provider_hold_for_all_calls() {
    let fake = Fake::new(vec![text("said")]);
    let twice = |limits: &str, timeout: &str| {
        format!(
            "+++\n[worker.w]\nprompt = \"Say it.\"\nmodel = \"a/m\"\ntimeout = \"{timeout}\"\n{limits}\n+++\n\
            out <= ( switch[s] <= ( w => next  w => send ) ) <= in\n"
        )
    };
    let dir = project(&[&fake], &twice("limits = { requests_per_minute = 1 }", "9s"));
    let output = run(&dir, &[]);
    let report = json(&output);
    assert_eq!(report["error"]["code"], "E0965", "{report}");
    assert!(report["error"]["message"].as_str().is_some_and(|said| said.contains("requests a minute")), "{report}");
    assert_eq!(fake.asked().len(), 1);
    let dir = project(&[&fake], &twice("", "9s"));
    let settings = format!("[provider.a]\nurl = \"{}\"\nlimits = {{ tokens_per_minute = \"15t\" }}\n", fake.url);
    write(dir.path(), "aivm.toml", &settings);
    let report = json(&run(&dir, &[]));
    assert_eq!(report["error"]["code"], "E0965", "{report}");
    assert!(report["error"]["message"].as_str().is_some_and(|said| said.contains("the provider `a`")), "{report}");
    assert_eq!(fake.asked().len(), 2);
    let closed = project(&[&fake], &twice("limits = { concurrent = 0 }", "9s"));
    assert!(stderr(&aivm(closed.path(), &["check", "p.aivm"])).contains("leave it out for no limit"));
}

#[test]
fn the_tokens_of_a_day_are_counted_over_runs_and_so_are_calls_of_runs_that_are_gone() {
    let fake = Fake::new(vec![text("said")]);
    let program =
        PLAIN.replace("model = \"a/m\"", "model = \"a/m\"\ntimeout = \"9s\"\nlimits = { tokens_per_day = \"30t\" }");
    let dir = project(&[&fake], &program);
    for n in 0..2 {
        let output = run(&dir, &[]);
        assert_eq!(output.status.code(), Some(0), "{n}: {}", stderr(&output));
    }
    let refused = json(&run(&dir, &[]));
    assert_eq!(refused["error"]["code"], "E0965", "30 of 30 are used: {refused}");
    let stats = |args: &[&str]| json(&aivm(dir.path(), &[&["worker", "stats", "--json"], args].concat()));
    let before = stats(&["w"])["workers"][0].clone();
    assert_eq!((before["total_tasks_attempted"].as_u64(), before["failures"]["E0965"].as_u64()), (Some(3), Some(1)));
    assert_eq!((before["input_tokens"].as_u64(), before["output_tokens"].as_u64()), (Some(20), Some(10)), "{before}");
    assert!(before["definitions"][0]["definition"].as_str().is_some_and(|digest| digest.len() == 64), "{before}");
    let records = stats(&["--records"]);
    assert_eq!(records["records"][2]["llm_metrics"]["model_used_at_call"], "a/m", "{records}");
    assert_eq!(stats(&["--since", "1d"])["workers"][0]["total_tasks_attempted"], 3);
    let gc = aivm(dir.path(), &["gc", "--older-than", "0s"]);
    assert_eq!(gc.status.code(), Some(0), "{}", stderr(&gc));
    assert_eq!(stats(&["w"])["workers"][0], before, "what is gone is still counted");
    assert_eq!(json(&run(&dir, &[]))["error"]["code"], "E0965", "the tokens, too");
    assert_eq!(fake.asked().len(), 2);
}

#[test]
fn the_configured_model_chooses_in_a_select() {
    let said = |word: &str| text(&format!(r#"{{"verdict": "{word}", "output": "because"}}"#));
    let fake = Fake::new(vec![said("second"), said("first"), said("finish")]);
    let program = "+++\n[worker.first]\nabout = \"Says one.\"\nrun = \"echo one\"\n[worker.second]\nrun = \"echo two\"\n+++\n\
        out <= ( select <= ( first => next  second => next ) ) <= in\n";
    let dir = project(&[&fake], program);
    let plain = json(&run(&dir, &[]));
    assert_eq!(plain["steps"].as_array().map(Vec::len), Some(2), "nobody chooses: {plain}");
    let settings = std::fs::read_to_string(dir.path().join("aivm.toml")).expect("settings");
    write(dir.path(), "aivm.toml", &format!("{settings}[models]\ndefault = [\"a/m\"]\n"));
    let report = json(&run(&dir, &[]));
    assert_eq!(report["output"]["text"], "one\n", "{report}");
    let asked = fake.asked();
    assert_eq!(asked.len(), 3);
    let told = asked[0]["messages"][0]["content"].as_str().expect("a prompt");
    assert!(told.contains("- first: Says one.") && told.contains("- second"), "{told}");
    assert!(told.contains(r#"one of "first", "second", "finish""#), "{told}");
    let mocked = json(&run(&dir, &["--mock"]));
    assert_eq!((mocked["error"].is_null(), fake.asked().len()), (true, 3), "{mocked}");
}

#[test]
fn a_call_whose_question_and_answer_are_bounded_is_reserved_before_it_is_made() {
    let fake = Fake::new(vec![text("said")]);
    let bounded =
        PLAIN.replace("model = \"a/m\"", "model = \"a/m\"\ncontext = \"1kt\"\noptions = { max_tokens = 100 }");
    let dir = project(&[&fake], &bounded);
    let cost = json(&aivm(dir.path(), &["cost", "p.aivm", "--json"]));
    assert!(cost.to_string().contains("3069") || cost.to_string().contains("3070"), "its worst case is known: {cost}");
    let parked = run(&dir, &["--max-tokens", "3kt"]);
    assert_eq!(parked.status.code(), Some(4), "{}", stderr(&parked));
    assert_eq!(fake.asked().len(), 0, "it is not even asked");
    let output = run(&dir, &["--max-tokens", "4kt"]);
    assert_eq!((output.status.code(), json(&output)["totals"]["tokens"].as_u64()), (Some(0), Some(15)), "and settled");
}
