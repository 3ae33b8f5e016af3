use super::*;

#[test]
fn a_definition_survives_its_canonical_json() {
    let text = "about = \"x\"\nrun = [\"tr\", \"a-z\", \"A-Z\"]\nwords = [\"loud\"]\ntimeout = \"3s\"\ncost = \"$0.25\"\nmock = [\"loud\", { fail = \"no\" }, { sleep = \"40ms\" }, {}]\n";
    let worker = WorkerDefinition::from_toml(text).expect("valid");
    assert_eq!(worker.timeout, Some(Milliseconds(3_000)));
    assert_eq!(worker.cost, Some(Money(250_000)));
    let again = WorkerDefinition::from_json(&worker.to_json()).expect("valid");
    assert_eq!(worker, again);
    assert_eq!(worker.digest(), again.digest());
}

#[test]
fn a_worker_does_exactly_one_thing() {
    assert!(WorkerDefinition::from_toml("about = \"x\"").is_err());
    assert!(WorkerDefinition::from_toml("run = \"ls\"\nhuman = \"ok?\"").is_err());
    assert!(WorkerDefinition::from_toml("run = []").is_err());
    assert!(WorkerDefinition::from_toml("run = \"ls\"\ncolour = 1").is_err());
}

#[test]
fn only_an_idempotent_worker_has_a_key_that_ends() {
    let text = "run = \"pay\"\nkey_ttl = \"24h\"\neffect = \"idempotent\"";
    let worker = WorkerDefinition::from_toml(text).expect("valid");
    assert_eq!(worker.key_ttl, Some(Milliseconds(86_400_000)));
    assert_eq!(WorkerDefinition::from_json(&worker.to_json()).expect("valid"), worker);
    for effect in ["", "effect = \"irreversible\""] {
        let told = WorkerDefinition::from_toml(&text.replace("effect = \"idempotent\"", effect)).expect_err("no key");
        assert!(told.to_string().contains("it needs `effect = \"idempotent\"`"), "{told}");
    }
}

#[test]
fn a_worker_file_has_settings_above_and_a_prompt_below() {
    let worker = WorkerDefinition::from_markdown("+++\nabout = \"Plans.\"\n+++\n\nMake a plan.\n").expect("valid");
    assert_eq!(worker.does, Does::Model(Box::new(Ask { prompt: "Make a plan.".into(), ..Ask::default() })));
    let builtin = WorkerDefinition::from_markdown("+++\nbuiltin = \"clean\"\n+++\nIts page.\n").expect("valid");
    assert_eq!(builtin.does, Does::Builtin("clean".into()));
}

#[test]
fn waits_grow_and_are_capped() {
    let backoff = Backoff::default();
    assert_eq!(backoff.before(1), Milliseconds(200));
    assert_eq!(backoff.before(3), Milliseconds(800));
    assert_eq!(backoff.before(4_000_000_000), Milliseconds(30_000));
}

#[test]
fn a_question_to_a_model_and_a_request_survive_their_canonical_json() {
    for text in [
        "prompt = \"x\"\nmodel = [\"openai/a\", \"ollama/b:4b\"]\noptions = { temperature = 0.5, reasoning = \"low\" }\nexamples = [{ input = \"a\", verdict = \"b\" }]",
        "http = \"https://example.org/a\"\nreturns = { schema = { type = \"object\" } }\naccepts = \"text/*\"",
        "http = { url = \"http://x/{{ input }}\", method = \"POST\", body = \"{}\", retry = [500], private = true }",
        "run = [\"python3\", \"p.py\"]\naccepts = { type = \"application/x\", schema = true }",
    ] {
        let worker = WorkerDefinition::from_toml(text).expect("valid");
        assert_eq!(WorkerDefinition::from_json(&worker.to_json()).expect("valid"), worker, "{text}");
    }
    let refused = |text: &str| WorkerDefinition::from_toml(text).expect_err("refused").to_string();
    assert!(refused("http = \"ftp://x\"").contains("no address"));
    assert!(refused("http = { url = \"http://x\", body = \"a\" }").contains("has no body"));
    assert!(refused("run = \"ls\"\noptions = { temperature = 1 }").contains("is for a model"));
}
