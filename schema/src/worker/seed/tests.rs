use super::*;
use crate::worker::{Ask, Does};

fn load(text: &str) -> Bundle {
    read(text, Policy::LoadValidAndReportErrors).expect("loads")
}

fn ask(worker: &Seeded) -> &Ask {
    match &worker.definition.does {
        Does::Model(ask) => ask,
        other => panic!("{other:?}"),
    }
}

/// One definition with these keys besides those that it needs.
fn one(keys: &str) -> Bundle {
    load(&format!(r#"[{{"name": "a", "provider": "openai", "model_name": "m", {keys}}}]"#))
}

#[test]
fn both_spellings_mean_the_same() {
    let snake = r#"[{"definition_id": "1", "name": "Coder", "provider": "google", "model_name": "gemini-1.5-pro",
        "auth": {"method": "env_var", "value": "GOOGLE_API_KEY"}, "interaction_models": ["stateless_task"],
        "base_config": {"temperature": 0.3, "top_p": 0.8, "candidate_count": 1, "max_output_tokens": 100},
        "cost_metrics": {"input_cost_per_token": 0.00000125, "output_cost_per_token": 0.00001},
        "rate_limits": {"max_requests_per_minute": 60}, "tool_allowlist": ["tool.ReadFile"],
        "default_supervisory_ai_ref": "nobody-here", "metadata": {"description": "Writes code."}}]"#;
    let camel = r#"[{"definitionID": "1", "name": "Coder", "provider": "google", "modelName": "gemini-1.5-pro",
        "auth": {"method": "env_var", "value": "GOOGLE_API_KEY"}, "interaction_models": ["stateless_task"],
        "baseConfig": {"temperature": 0.3, "topP": 0.8, "candidateCount": 1, "maxOutputTokens": 100},
        "costMetrics": {"inputCostPerToken": 0.00000125, "outputCostPerToken": 0.00001},
        "rateLimits": {"maxRequestsPerMinute": 60}, "toolAllowlist": ["tool.ReadFile"],
        "defaultSupervisoryAIRef": "nobody-here", "metadata": {"description": "Writes code."}}]"#;
    let bundle = load(snake);
    assert_eq!(bundle, load(camel));
    let [worker] = bundle.workers.as_slice() else { panic!("{bundle:?}") };
    assert_eq!((worker.word.as_str(), worker.definition.about.as_str()), ("coder", "Writes code."));
    let limits = worker.definition.limits;
    assert_eq!((limits.requests_per_minute, limits.concurrent), (Some(60), None));
    let ask = ask(worker);
    assert_eq!(ask.models, ["gemini/gemini-1.5-pro"]);
    assert_eq!((ask.options.temperature, ask.options.top_p, ask.options.max_tokens), (Some(0.3), Some(0.8), Some(100)));
    assert_eq!(worker.price, Some(Price { input: Money(1_250_000), output: Money(10_000_000) }));
    assert_eq!(worker.key.as_deref(), Some("GOOGLE_API_KEY"));
    for said in ["`candidate_count`", "tool.ReadFile", "`nobody-here`"] {
        assert!(worker.notes.iter().any(|note| note.contains(said)), "{said}: {:?}", worker.notes);
    }
    let twice = r#"[{"name": "a", "provider": "openai", "model_name": "m", "modelName": "n"}]"#;
    assert!(load(twice).wrong[0].reason.contains("`model_name` is there twice"));
}

#[test]
fn prices_have_three_spellings() {
    for metrics in [
        r#"{"input_cost_per_token": 0.000002, "output_cost_per_token": 0.000004}"#,
        r#"{"input_token_cost": 0.000002, "output_token_cost": 0.000004}"#,
        r#"{"input_tokens_usd_per_1k": 0.002, "output_tokens_usd_per_1k": 0.004}"#,
    ] {
        let bundle = one(&format!(r#""cost_metrics": {metrics}"#));
        let price = bundle.workers[0].price;
        assert_eq!(price, Some(Price { input: Money(2_000_000), output: Money(4_000_000) }), "{metrics}");
    }
    assert!(one(r#""cost_metrics": {"input_token_cost": -1}"#).wrong[0].reason.contains("not a number from 0 on"));
    assert!(one(r#""cost_metrics": {"input_token_cost": 1e300}"#).wrong[0].reason.contains("too much"));
}

#[test]
fn a_key_is_named_and_never_kept() {
    let inline = one(r#""auth": {"method": "inline", "value": "sk-canary"}"#);
    assert!(inline.workers[0].notes[0].contains("(***)"), "{inline:?}");
    assert!(!format!("{inline:?}").contains("canary"));
    for (auth, reason) in [
        (r#"{"method": "vault", "value": "sk-canary"}"#, "NotImplemented"),
        (r#"{"method": "config_path", "value": "sk-canary"}"#, "NotImplemented"),
        (r#"{"method": "env_var", "value": ""}"#, "not the name of a variable"),
        (r#"{"method": "env_var", "value": "sk-canary"}"#, "not the name of a variable"),
        (r#"{"method": "inline", "value": ""}"#, "no `value`"),
        (r#"{"method": "sk-canary"}"#, "`method` is"),
    ] {
        let wrong = one(&format!(r#""auth": {auth}"#)).wrong;
        assert!(wrong[0].reason.contains(reason) && !wrong[0].reason.contains("canary"), "{auth}: {wrong:?}");
    }
    let ollama =
        r#"[{"name": "a", "provider": "ollama", "model_name": "m", "auth": {"method": "inline", "value": ""}}]"#;
    assert_eq!(load(ollama).wrong, []);
}

#[test]
fn a_provider_has_one_key() {
    let entry = |name: &str, key: &str| {
        let auth = format!(r#"{{"method": "env_var", "value": "{key}"}}"#);
        format!(r#"{{"name": "{name}", "provider": "openai", "model_name": "m", "auth": {auth}}}"#)
    };
    let bundle = load(&format!("[{}, {}, {}]", entry("a", "ONE"), entry("b", "TWO"), entry("c", "ONE")));
    let keys: Vec<Option<&str>> = bundle.workers.iter().map(|worker| worker.key.as_deref()).collect();
    assert_eq!(keys, [Some("ONE"), None, Some("ONE")]);
    assert!(bundle.workers[1].notes[0].contains("`openai` is asked with `ONE`"), "{:?}", bundle.workers[1].notes);
}

/// As the sample of the manager: no ids, a supervisor who is not there, a folder that is outside.
const BUNDLE: &str = r#"{
    "globalDataSources": [
        {"name": "docs", "type": "local_directory", "local_path": "docs", "filters": ["*.md"], "recursive": true},
        {"name": "company", "type": "local_directory", "local_path": "/srv/company_data/x", "allow_external_read_access": true}
    ],
    "aiWorkerDefinitions": [
        {"name": "Fast One", "provider": "openai", "model_name": "gpt-4o-mini", "data_source_refs": ["docs", "company"],
         "default_supervisory_ai_ref": "SAI"},
        {"name": "broken", "provider": "openai"},
        {"name": "off", "provider": "anthropic", "model_name": "claude", "status": "disabled"}
    ],
    "aiWorkerPoolDefinitions": [
        {"name": "pool", "target_ai_worker_definition_name": "Fast One", "min_idle_instances": 1, "max_total_instances": 2},
        {"name": "lost", "target_ai_worker_definition_name": "broken"}
    ],
    "workQueueDefinitions": [{"name": "queue", "associated_pool_names": ["pool", "elsewhere"], "supervisory_ai_ref": "SAI"}],
    "workItemDefinitions": [{"name": "item", "default_payload_schema": {"f": {"type": "string"}}}]
}"#;

#[test]
fn a_bundle_loads_what_is_valid_and_reports_the_rest() {
    let bundle = load(BUNDLE);
    let words: Vec<(&str, Status)> =
        bundle.workers.iter().map(|worker| (worker.word.as_str(), worker.status)).collect();
    assert_eq!(words, [("fast-one", Status::Active), ("off", Status::Disabled)]);
    let wrong: Vec<String> = bundle.wrong.iter().map(ToString::to_string).collect();
    assert_eq!(wrong, ["aiWorkerDefinitions[1] `broken`: it has no `model_name`"]);
    assert_eq!(bundle.workers[0].definition.sources, ["docs", "company"]);
    let docs = &bundle.sources["docs"];
    assert!(docs.path == "docs" && docs.filters == ["*.md"] && docs.recursive && !docs.allow_external);
    assert!(bundle.sources["company"].allow_external, "whether it may be is the user's to say");
    for said in ["2 pools (lost, pool)", "1 queue (queue)", "1 item of work (item)", "pool `elsewhere`", "of `broken`"]
    {
        assert!(bundle.notes.iter().any(|note| note.contains(said)), "{said}: {:?}", bundle.notes);
    }
    assert!(bundle.wrong("broken").is_some());
    let Err(SeedError::Wrong(wrong)) = read(BUNDLE, Policy::FailFastOnError) else { panic!("it is not whole") };
    assert_eq!(wrong, bundle.wrong);
}

#[test]
fn the_last_of_two_stands() {
    let entry = |id: &str, name: &str, model: &str| {
        format!(r#"{{"definition_id": "{id}", "name": "{name}", "provider": "openai", "model_name": "{model}"}}"#)
    };
    let bundle = load(&format!("[{}, {}]", entry("1", "A b", "x"), entry("2", "a-B", "y")));
    assert_eq!(bundle.workers.len(), 1);
    assert_eq!(ask(&bundle.workers[0]).models, ["openai/y"]);
    assert!(bundle.notes[0].contains("`A b`: a later definition has the same word"), "{:?}", bundle.notes);
    let bundle = load(&format!("[{}, {}]", entry("1", "a", "x"), entry("1", "b", "y")));
    assert_eq!(bundle.workers.iter().map(|worker| worker.word.as_str()).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn what_is_no_set_of_definitions_loads_nothing() {
    for (text, reason) in [
        ("{", "no JSON"),
        ("", "no JSON"),
        ("3", "neither a list"),
        ("{}", "neither a list"),
        (r#"{"workers": []}"#, "neither a list"),
    ] {
        for policy in [Policy::FailFastOnError, Policy::LoadValidAndReportErrors] {
            assert!(read(text, policy).expect_err(text).to_string().contains(reason), "{text}");
        }
    }
    assert_eq!(load("[]"), Bundle::default());
    assert_eq!(load("[3]").wrong[0].to_string(), "aiWorkerDefinitions[0]: it is not an object");
    assert_eq!(load(r#"{"aiWorkerDefinitions": 3}"#).wrong[0].to_string(), "aiWorkerDefinitions: it is not a list");
    for (keys, reason) in [
        (r#""status": "retired""#, "not `retired`"),
        (r#""interaction_models": ["chat"]"#, "not `chat`"),
        (r#""base_config": {"temperature": "hot"}"#, "`temperature` is not a number"),
        (r#""base_config": 3"#, "not an object"),
        (r#""tool_denylist": [1]"#, "not a list of texts"),
        (r#""rate_limits": {"max_tokens_per_day": -1}"#, "not a whole number"),
    ] {
        assert!(one(keys).wrong[0].reason.contains(reason), "{keys}: {:?}", one(keys).wrong);
    }
}

#[test]
fn a_name_becomes_a_word() {
    for (name, made) in [
        ("google-gemini-1.5-pro", Some("google-gemini-1-5-pro")),
        ("Fast  One!", Some("fast-one")),
        ("4o", Some("_4o")),
        ("in", Some("_in")),
        ("Größe", Some("gr-e")),
        ("…", None),
        ("", None),
    ] {
        assert_eq!(word(name).as_deref(), made, "{name}");
    }
}
