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
    assert!(refused("http = { url = \"http://x\", method = \"post\" }").contains("`method` is GET, HEAD, POST"));
    assert!(
        refused("http = { url = \"http://x\", bogus = 1 }").contains("unknown field `bogus`, expected one of `url`")
    );
    assert!(refused("http = { url = \"http://x\", retry = \"500\" }").contains("string \"500\", expected a sequence"));
    assert!(refused("http = 5").contains("expected an address, or a table with `url` and more"));
    assert!(refused("run = \"ls\"\noptions = { temperature = 1 }").contains("is for a model"));
}

fn agent(text: &str) -> (WorkerDefinition, Ask, Vec<String>) {
    let Loaded { definition, notes, .. } = Loaded::from_markdown(text).expect(text);
    let Does::Model(ask) = definition.does.clone() else { panic!("{definition:?}") };
    (definition, *ask, notes)
}

#[test]
fn an_agent_is_a_worker_as_it_is() {
    let text = "---\nname: reviewer\ndescription: Reviews code.\ntools: Read, Grep\nmodel: sonnet\ncolor: red\n---\n\nYou review.\n---\nBe brief.\n";
    let (definition, ask, notes) = agent(text);
    assert_eq!(definition.about, "Reviews code.");
    assert_eq!(
        (ask.prompt.as_str(), ask.models.as_slice()),
        ("You review.\n---\nBe brief.", &["sonnet".to_owned()][..])
    );
    assert_eq!(notes, ["tools that it is not given: Read, Grep", "not used: `color`"]);
    for (model, named) in
        [("inherit", None), ("claude-opus-4-5", Some("anthropic/claude-opus-4-5")), ("a/b", Some("a/b"))]
    {
        let (_, ask, _) = agent(&text.replace("sonnet", model));
        assert_eq!(ask.models.first().map(String::as_str), named);
    }
    let (_, _, notes) = agent("---\ndescription: x\ntools:\n  - Read\n  - Bash(git:*)\n---\nDo.");
    assert_eq!(notes, ["tools that it is not given: Read, Bash(git:*)"]);
}

#[test]
fn a_description_that_is_no_yaml_is_read_line_by_line() {
    let text = "---\nname: helper\ndescription: Use this agent when: it is late. Examples:\\n<example>Context: x</example>\ntools:\n  - Read\nmodel: opus\n---\nHelp.";
    let (definition, ask, notes) = agent(text);
    assert_eq!(definition.about, "Use this agent when: it is late. Examples:");
    assert_eq!(ask.models, ["opus"]);
    assert_eq!(notes, ["its front matter is no YAML: it was read line by line", "tools that it is not given: Read"]);
}

#[test]
fn front_matter_of_an_agent_is_bounded() {
    let deep = format!("---\ndescription: x\nskills: {}{}\n---\nDo.", "[".repeat(50_000), "]".repeat(50_000));
    // What refers to itself is text.
    let (bomb, _, notes) = agent("---\na: &a [x, x]\ndescription: [*a, *a]\n---\nDo.");
    assert_eq!((bomb.about.as_str(), notes.len()), ("[*a, *a]", 2));
    let large = format!("---\ndescription: {}\n---\nDo.", "x".repeat(100_000));
    for text in [deep.as_str(), &large, "---\n- a\n- b\n---\nDo.", "---\ntools: 3\n---\nDo.", "---\nmodel: x\n---\n"] {
        assert!(Loaded::from_markdown(text).is_err(), "{}", text.get(..60).unwrap_or(text));
    }
}

#[test]
fn a_definition_survives_its_file() {
    for text in [
        "prompt = \"Say it.\\n+++\\nAgain.\"\nmodel = \"a/b\"\nexamples = [{ input = \"a\" }]\nwords = [\"x\"]\nwith = { a = 1 }",
        "model = \"a/b\"\noptions = { temperature = 0.5 }\nabout = \"x\"",
        "prompt = \" \\n\"",
        "run = [\"ls\"]\nmock = [\"a\", { fail = \"no\" }]\nreturns = { schema = { type = \"object\" } }\ntimeout = \"3s\"",
    ] {
        let worker = WorkerDefinition::from_toml(text).expect("valid");
        let file = worker.to_markdown();
        assert_eq!(WorkerDefinition::from_markdown(&file).expect(&file), worker, "{file}");
        assert_eq!(Loaded::from_markdown(&file).expect("its own form").definition, worker);
    }
}

#[test]
fn a_mock_of_any_worker_can_be_read_again() {
    for text in [
        "run = \"ls\"\neffect = \"read\"\nenv = { A = \"b\" }\nworkspace = \"ephemeral\"\ncache = \"1h\"\nwords = [\"dirty\"]",
        "prompt = \"Say it.\"\nsources = [\"docs\"]\nreturns = \"text/markdown\"\nwith = { a = 1 }",
        "http = { url = \"http://example.org\" }\neffect = \"read\"\nlimits = { concurrent = 1 }",
        "human = \"Shall we?\"",
    ] {
        let worker = WorkerDefinition::from_toml(text).expect(text);
        let mock = worker.clone().mocked(Some(vec![MockEntry::Verdict("dirty".to_owned())]));
        assert_eq!(WorkerDefinition::from_json(&mock.to_json()).expect(text), mock);
        assert_eq!(
            (mock.does, mock.effect, mock.words, mock.returns),
            (Does::Mock, worker.effect, worker.words, worker.returns)
        );
    }
}
