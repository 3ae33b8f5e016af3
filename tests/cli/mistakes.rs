//! What is wrong with a file of TOML or YAML is told once, at its place, and in the words of whoever wrote it.

use super::{aivm, folder, json, stderr, told, write};

#[test]
fn what_is_no_yaml_or_toml_is_told_in_plain_words() {
    let dir = folder();
    let step = "steps:\n  - name: a\n    capability: sys.info.get_os\n";
    for (name, text, says) in [
        ("a.yaml", format!("name: &x s\n{step}"), "1: this is no YAML: an anchor, `&name`, is not read"),
        ("a.yaml", format!("name: s\n{step}---\nname: t\n"), "5: this is no YAML: a second document begins here"),
        (
            "a.yaml",
            format!("name: s\n{step}name: t\n"),
            "5: this is no YAML: the key `name` is there twice in one table",
        ),
        (
            "a.yaml",
            format!("name: s\n{step}    inputs: {{path: {{{{ x }}}}}}\n"),
            "5: this is no YAML: a key is a text",
        ),
        ("a.yaml", format!("name: s\nx: {}\n{step}", "[".repeat(40)), "2: this is no YAML: lists and tables stand"),
        (
            "workflow.toml",
            "[steps.a]\nrun = \"x\"\nrun = \"y\"\n".to_owned(),
            "3: this is no TOML: the key `run` is there twice in one table",
        ),
    ] {
        let told = told(dir.path(), name, &text);
        assert!(told.len() == 1 && told[0].starts_with(says), "{says}\n{told:#?}");
    }
}

#[test]
fn one_mistake_is_one_error() {
    let dir = folder();
    for (name, text, says) in [
        ("workflow.toml", "steps = [5]\n", "1: step 1 of `[[steps]]` takes a table, not `5`"),
        ("workflow.toml", "[step.a]\nrun = \"x\"\n", "1: a workflow has no key `step`"),
        (
            "workflow.toml",
            "[artifacts]\npath = \"x\"\n[steps.a]\nrun = \"x\"\n",
            "2: `[artifacts.path]` takes a table, not the text \"x\"",
        ),
        (
            "workflow.toml",
            "[actions.a]\nuses = \"b\"\n[actions.b]\nrun = \"x\"\n[steps.a]\nuses = \"a\"\n",
            "2: `b` is an action, and an action uses none",
        ),
        (
            "ai.toml",
            "[[stages]]\nname = \"A\"\n[[stages.actions]]\nname = \"clean\"\n[[conditions]]\nname = \"c\"\nwhen = \"true\"\n[[branches]]\nname = \"b\"\ncondition = \"c\"\nif_true = \"B\"\n",
            "11: no stage is called `B`",
        ),
    ] {
        assert_eq!(told(dir.path(), name, text), [says], "{text}");
    }
}

#[test]
fn a_condition_says_what_it_sees() {
    let dir = folder();
    let saga = |condition: &str| {
        format!("name: s\nsteps:\n  - name: a\n    capability: sys.info.get_os\n    condition: \"{condition}\"\n")
    };
    write(dir.path(), "s.yaml", &saga("input.n > 3 && params.deep == 'yes'"));
    assert_eq!(aivm(dir.path(), &["check", "s.yaml"]).status.code(), Some(0));
    let workflow =
        |condition: &str| format!("[steps.a-b]\nrun = \"x\"\n[steps.c]\nrun = \"x\"\nwhen = \"{condition}\"\n");
    for (name, text, help) in [
        ("s.yaml", saga("steps.a.output == 'x'"), "the state is `input`"),
        ("s.yaml", saga("n > 3"), "the state is `input`"),
        ("workflow.toml", workflow("steps.a-b.output == 'x'"), "`steps[\"a-b\"].output`"),
    ] {
        write(dir.path(), name, &text);
        let report = json(&aivm(dir.path(), &["check", name, "--json"]));
        let said = report["files"][0]["diagnostics"][0]["help"].as_str().unwrap_or_default().to_owned();
        assert!(said.contains(help), "{text}\n{report}");
    }
}

#[test]
fn a_message_stands_in_the_file_that_it_is_about() {
    let dir = folder();
    write(dir.path(), "sub/policies.yaml", "default: DENY\nrules:\n  - {principal: \"*\", decision: ALOW}\n");
    write(dir.path(), "sub/s.yaml", "name: s\nsteps:\n  - {name: a, capability: sys.info.get_os}\n");
    let report = json(&aivm(dir.path(), &["check", "sub/s.yaml", "--json"]));
    let told = &report["files"][0]["diagnostics"][0];
    assert_eq!((told["file"].as_str(), told["line"].as_u64()), (Some("sub/policies.yaml"), Some(3)), "{report}");
    std::fs::write(dir.path().join("latin.toml"), b"[steps.a]\nrun = '\xe9'\n").expect("a file");
    let report = json(&aivm(dir.path(), &["check", "latin.toml", "--json"]));
    let told = &report["files"][0]["diagnostics"][0];
    assert_eq!((told["line"].as_u64(), told["column"].as_u64()), (Some(2), Some(8)), "{report}");
}

#[test]
fn a_file_that_does_nothing_says_so() {
    let dir = folder();
    let told = told(dir.path(), "ai.toml", "[metadata]\nname = \"x\"\n");
    assert_eq!(told, ["1: the file has no stages, and a run of it does nothing"]);
}

#[test]
fn a_credential_is_told_and_not_shown() {
    let dir = folder();
    let url = "https://ann:4f1c9d77@db.example/main";
    let saga = format!("name: s\nsteps:\n  - name: a\n    capability: net.http.get\n    inputs: {{url: \"{url}\"}}\n");
    let workflow = format!("[steps.a]\nrun = \"true\"\nenv = {{ U = \"{url}\" }}\n");
    for (name, text, says) in [("s.yaml", saga, "`url` of `a`: "), ("workflow.toml", workflow, "`[steps.a]`: ")] {
        write(dir.path(), name, &text);
        let checked = aivm(dir.path(), &["check", name]);
        let said = stderr(&checked);
        assert_eq!(checked.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("[E0964] Error: {says}")) && !said.contains("4f1c9d77"), "{said}");
    }
}

#[test]
fn a_denial_says_what_decided() {
    let dir = folder();
    let saga = |policy: &str| {
        format!("name: s\nsteps:\n  - {{name: a, capability: sys.info.get_os, agent_name: bot}}\npolicy: {policy}\n")
    };
    for (policy, why) in [
        ("[{principal: '*', capability: 'sys.*', decision: DENY}]", "for `*` and `sys.*`"),
        ("[{principal: '*', capability: 'net.*', decision: ALLOW}]", "no rule fits"),
        ("{default: DENY}", "has no rules"),
        ("{rules: [{agent_name: bot, allowed_environments: [prod]}]}", "`allowed_environments` are `prod`"),
    ] {
        write(dir.path(), "s.yaml", &saga(policy));
        let report = json(&aivm(dir.path(), &["check", "s.yaml", "--json"]));
        let told = &report["files"][0]["diagnostics"][0];
        assert_eq!(told["code"], "E1023", "{report}");
        assert!(told["reason"].as_str().is_some_and(|reason| reason.contains(why)), "{why}: {report}");
    }
}

#[test]
fn an_item_that_is_wrong_hides_none_beside_it() {
    let dir = folder();
    let saga = "name: s\nsteps:\n  - {name: alpha, capability: sys.info.get_os}\n  - {name: b, capability: sys.info.get_os, depends_on: [alhpa, 3]}\n";
    let expected = ["4: `b` depends on unknown step `alhpa`", "4: `depends_on` of step `b`: it takes a text, not `3`"];
    assert_eq!(told(dir.path(), "s.yaml", saga), expected);
    let workflow = "[steps.b]\nrun = \"x\"\nneeds = [\"a\", 1, 2]\nworkspace = \"EPHEMERAL\"\n";
    let expected = [
        "3: `b` needs `a`, and no step has this name",
        "3: `needs` of `[steps.b]`: it takes a text, not `1`",
        "3: `needs` of `[steps.b]`: it takes a text, not `2`",
        "4: this `workspace` is a folder with the name of a word",
    ];
    assert_eq!(told(dir.path(), "workflow.toml", workflow), expected);
}

#[test]
fn a_workflow_is_told_the_keys_of_a_workflow() {
    let dir = folder();
    let told = told(dir.path(), "workflow.toml", "[steps.a]\nuses = \"read\"\ninputs = { limit = 1 }\n");
    let form = |said: &String| said.contains("`uses = \"read\"`, `inputs = { path = … }`") || said.contains("`limit`");
    assert!(!told.is_empty() && told.iter().all(form), "{told:#?}");
}

#[test]
fn the_inputs_of_a_request_are_looked_at_before_it_is_made() {
    let dir = folder();
    let saga = |capability: &str, inputs: &str| {
        format!("name: s\nsteps:\n  - {{name: a, capability: {capability}, inputs: {inputs}}}\n")
    };
    let told = |capability: &str, inputs: &str| told(dir.path(), "s.yaml", &saga(capability, inputs));
    assert_eq!(
        told("net.http.get", "{ulr: 'https://example.org'}"),
        ["3: `net.http.get` has no input `ulr`; did you mean `url`?"]
    );
    assert_eq!(told("net.http.post", "{body: x}"), ["3: `net.http.post` needs an input `url`"]);
    assert_eq!(told("sys.info.get_time", "{x: 1}"), ["3: `sys.info.get_time` has no input `x`; it has none"]);
    // Somebody else's worker of this name reads what it reads.
    write(dir.path(), "workers/net.http.get.toml", "run = \"true\"\neffect = \"read\"\n");
    assert_eq!(told("net.http.get", "{ulr: x}"), [""; 0]);
}
