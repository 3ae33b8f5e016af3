use crate::diagnostic::{Code, Diagnostic};
use crate::format::format;
use crate::library::{Found, Shelf};
use crate::workflow::{Format, page};
use aivm_schema::worker::WorkerDefinition;

fn shelf() -> Shelf {
    let worker = |text: &str| Found::Worker(Box::new(WorkerDefinition::from_toml(text).expect("valid")));
    let program = Found::Program { file: "sub.aivm".to_owned(), source: "out <= () <= in".to_owned() };
    let workers = [
        ("review".to_owned(), worker("prompt = \"Judge it.\"")),
        ("deploy".to_owned(), worker("run = \"./deploy.sh\"\neffect = \"irreversible\"")),
        ("sub".to_owned(), program),
    ];
    Shelf { workers: workers.into(), ..Shelf::default() }
}

/// The arrows of a workflow, formatted; they compile.
fn arrows(text: &str) -> String {
    let page = page(Format::Workflow, "workflow.toml", text, &shelf()).unwrap_or_else(|errors| panic!("{errors:?}"));
    if let Err(errors) = crate::compile("workflow.toml", text, &shelf()) {
        panic!("{errors:?}\n{}", page.text);
    }
    let formatted = format(&page.text).unwrap_or_else(|errors| panic!("{errors:?}\n{}", page.text));
    let (own, arrows) = (crate::compile("x", text, &shelf()), crate::compile("x", &formatted, &shelf()));
    assert_eq!(own.expect("it compiles").module, arrows.expect("it compiles").module, "{formatted}");
    formatted
}

/// What is wrong, with the code and the text of its place.
fn wrong(text: &str) -> Vec<String> {
    let errors = crate::compile_as(Format::Workflow, "workflow.toml", text, &shelf()).expect_err("it is wrong");
    let at = |error: &Diagnostic| text.get(error.primary.span.range()).unwrap_or("").to_owned();
    errors.iter().map(|error| format!("{} {}: {}", error.code, at(error), error.message)).collect()
}

#[test]
fn steps_become_a_join_in_which_they_wait_for_those_that_they_need() {
    let text = r#"
id = "acme/release@1.2.3"
name = "Release"
tags = ["ci", "release"]

[steps.build]
run = "make"
timeout = "5m"
[steps.lint]
run = ["cargo", "clippy"]
on_failure = "continue"
[steps.test]
description = "runs all tests"
run = "make test"
needs = ["build", "lint"]
retry = 2
backoff = { wait = "1s" }
env = { LEVEL = "3" }
inputs = { only = "fast" }
"#;
    let expected = r#"+++
[limits]
concurrent = 1

[worker.build]
run = "make"

[worker.lint]
run = ["cargo", "clippy"]

[worker.test]
about = "runs all tests"
run = "make test"

[worker.test.with]
only = "fast"

[worker.test.env]
LEVEL = "3"

[worker.test.backoff]
wait = "1s"
factor = 2.0
most = "30s"

+++
; Release
; id: acme/release@1.2.3
; tags: ci, release
out <= (
    join[steps] <= (
        build<5m> => next
        switch[lint] <= (
            switch <= ( lint => next ) <= match <= ( success => next  default => next )
        )
        [test <= steps.build.out, lint.out] => next | retry * 2
    )
) <= in
"#;
    assert_eq!(arrows(text), expected);
}

#[test]
fn conditions_repetitions_and_fallbacks_are_stages_under_the_name_of_their_step() {
    let text = r#"
[[steps]]
id = "build"
run = "make"
[[steps]]
id = "poll"
run = "curl x"
needs = ["build"]
until = "steps.poll.output.ready"
max_iterations = 5
[[steps]]
id = "ship"
uses = "deploy"
needs = ["poll"]
when = "steps.poll.output.ready"
retry = 2
on_failure = "continue"
"#;
    let arrows = arrows(text);
    let (_, body) = arrows.split_once("out <= (").expect("arrows");
    let expected = "
    join[steps] <= (
        build => next
        switch[poll] <= (
            [poll<5> <= steps.build.out] => next
            poll-until                   => continue | back
        )
        switch[ship] <= (
            [ship-when <= poll.out] => continue | send
            switch <= ( deploy => next | retry * 2 ) <= match <= (
                success => next
                default => next
            )
        )
    )
) <= in
";
    assert_eq!(body, expected);
    assert!(arrows.contains(
        "[worker.poll-until.with]\notherwise = \"back\"\nsteps = [\"poll\"]\nthat = \"steps.poll.output.ready\""
    ));
    assert!(arrows.contains("[worker.ship-when.with]\notherwise = \"send\"\nsteps = [\"poll\"]\n"));
}

#[test]
fn a_step_is_laid_over_its_action_and_that_over_its_worker() {
    let text = r#"
[actions.ship]
uses = "deploy"
inputs = { to = "staging", slow = true }
env = { REGION = "eu" }
retry = 3
[steps.first]
uses = "ship"
[steps.second]
uses = "ship"
inputs = { to = "production" }
retry = 0
[steps.look]
uses = "review"
[steps.deploy]
uses = "sub"
"#;
    let page = page(Format::Workflow, "workflow.toml", text, &shelf()).expect("it is right");
    let of = |word: &str| {
        let front = page.text.split("+++\n").nth(1).expect("front matter");
        crate::front::FrontMatter::parse(front).expect("valid").worker.remove(word).expect("it is defined")
    };
    assert_eq!(
        (of("first").with["to"].as_str(), of("second").with["to"].as_str()),
        (Some("staging"), Some("production"))
    );
    assert_eq!((of("second").with["slow"].as_bool(), of("second").env["REGION"].as_str()), (Some(true), "eu"));
    assert_eq!(of("first").effect, Some(aivm_schema::worker::Effect::Irreversible));
    let arrows = arrows(text);
    for line in [
        "first => next | retry * 3",
        "second => next",
        "switch[look] <= ( review => next )",
        "switch[deploy] <= ( sub => next )",
    ] {
        let squeezed: Vec<String> =
            arrows.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert!(squeezed.iter().any(|one| one == line), "{line}\n{arrows}");
    }
}

#[test]
fn what_is_wrong_is_told_at_its_place() {
    let text = r#"
nam = "x"
id = "a b"
[steps.build]
run = "make"
neds = ["x"]
[steps.test]
run = "make test"
uses = "review"
needs = ["biuld", "build", "build"]
[steps.idle]
description = "nothing"
[steps.odd]
uses = "review => send ) <= in"
[steps.look]
uses = "review"
env = { A = "1" }
[steps.sub]
uses = "sub"
inputs = { a = 1 }
"#;
    let expected = [
        "E1002 nam: a workflow has no key `nam`",
        "E1002 \"a b\": `a b` is no id: a name, and behind an `@` perhaps a version, `release@1.2.3`",
        "E1002 neds: `[steps.build]` has no key `neds`",
        "E1005 \"review\": `[steps.test]` does two things, `run` and `uses`: it does one",
        "E1003 \"biuld\": `test` needs `biuld`, and no step has this name",
        "E1002 \"build\": `test` needs `build` twice",
        "E1005 idle: `[steps.idle]` does nothing",
        "E1002 \"review => send ) <= in\": `review => send ) <= in` is no name of an action of this file, nor of a worker",
        "E1002 { A = \"1\" }: `look` is no command, and has no variables: `env` cannot be laid over it",
        "E1002 \"sub\": `sub` is the pipeline sub.aivm, and takes no `inputs`, `env`, `effect`, `workspace`, `priority`, `resources` or `backoff`",
    ];
    assert_eq!(wrong(text), expected);
    let unknown = "[steps.a]\nuses = \"reviw\"\n";
    assert_eq!(wrong(unknown).first().map(|told| &told[..14]), Some("E0201 \"reviw\":"));
}

#[test]
fn circles_are_told_as_the_way_around_them() {
    let step = |name: &str, needs: &str| format!("[steps.{name}]\nrun = \"x\"\nneeds = [{needs}]\n");
    let text =
        [step("a", "\"b\", \"d\""), step("b", "\"c\""), step("c", "\"a\""), step("d", ""), step("e", "\"e\"")].concat();
    let told = wrong(&text);
    assert_eq!(
        told,
        ["E1004 a: these steps need each other: a → b → c → a", "E1004 e: these steps need each other: e → e"]
    );
}

#[test]
fn names_of_any_letters_and_two_that_are_alike_stay_apart() {
    let text = "[steps.\"Build it\"]\nrun = \"a\"\n[steps.\"Build-it\"]\nrun = \"b\"\nneeds = [\"Build it\"]\n[steps.steps]\nrun = \"c\"\n[steps.in]\nrun = \"d\"\n";
    let arrows = arrows(text);
    for word in [
        "[worker.Build-it]",
        "[worker.Build-it-2]",
        "[worker.steps-2]",
        "[worker.step-in]",
        "[Build-it-2 <= steps.Build-it.out]",
    ] {
        assert!(arrows.contains(word), "{word}\n{arrows}");
    }
}

#[test]
fn what_is_only_recorded_is_told() {
    let text = "[steps.a]\nrun = \"x\"\nmax_iterations = 3\n";
    let compiled = crate::compile("workflow.toml", text, &shelf()).expect("it compiles");
    let told: Vec<_> =
        compiled.hints.iter().filter(|one| one.code == Code::OnlyRecorded).map(|one| &one.message).collect();
    assert_eq!(told, ["`max_iterations` of `a` is recorded, not enforced"]);
}

#[test]
fn what_is_required_is_looked_for_before_any_step() {
    let text = "[requirements]\nprograms = [\"git >= 2.30\", \"jq\"]\npython = [\"requests>=2\"]\ncontainer = \"debian:12\"\nnix = \"nixpkgs#jq\"\n[steps.requirements]\nrun = \"make\"\n";
    let arrows = arrows(text);
    for line in [
        "program git 2.30\nprogram jq\npackage requests 2\nimage 'debian:12'\nstore 'nixpkgs#jq'\n",
        "switch <= ( requirements-2 => continue ) <= join[steps] <= (",
    ] {
        assert!(arrows.contains(line), "{line}\n{arrows}");
    }
    let told = wrong(
        "[requirements]\nprograms = [\"git; rm -rf /\", \"jq > 1\", \"a >= x\"]\ncontainer = \"--help\"\nnix = \"a' b\"\n[steps.a]\nrun = \"x\"\n",
    );
    assert_eq!(told.len(), 5, "{told:?}");
}

#[test]
fn a_line_of_a_command_never_ends_the_front_matter() {
    let text = "[steps.b]\nrun = \"b\"\n[steps.a]\nenv.X = \"\\u007f\"\nrun = \"echo a\\n+++\\nout <= () <= in\\n\"\n";
    let compiled = crate::compile("workflow.toml", text, &shelf()).expect("it compiles");
    let definition = &compiled.module.workers.iter().find(|worker| worker.name == "a").expect("its worker").definition;
    let definition = WorkerDefinition::from_json(definition).expect("valid");
    let run = aivm_schema::worker::Run::Shell("echo a\n+++\nout <= () <= in\n".to_owned());
    assert_eq!(definition.does, aivm_schema::worker::Does::Command(run));
    assert_eq!(definition.env["X"], "\u{7f}");
}

#[test]
fn nothing_is_done_in_no_time() {
    let wrong = wrong("[steps.a]\nrun = \"make\"\ntimeout = \"0s\"\n");
    assert!(wrong.len() == 1 && wrong[0].starts_with("E1002 \"0s\": nothing is done in no time"), "{wrong:?}");
}

#[test]
fn no_text_makes_it_panic() {
    let texts = [
        "[steps]\n",
        "steps = 5\n",
        "[[steps]]\n",
        "steps = []\n",
        "[steps.\"\"]\nrun = \"x\"\n",
        "[steps.a]\nrun = \"\"\n",
        "[steps.\"\\u0000\"]\nrun = \"x\"\n",
        "name = \"\\r\\u0000 x\"\n[steps.a]\nrun = \"x\"\n",
        "[steps.a]\nrun = []\n",
        "[steps.a]\nrun = \"x\"\nwhen = \"\\\"\\n+++\\n\"\n",
        "[steps.a]\nrun = \"'''\\n+++\\n\"\n",
    ];
    for text in texts {
        let _ = crate::compile_as(Format::Workflow, "workflow.toml", text, &shelf());
    }
}

#[test]
fn artifacts_are_collected_behind_the_step_that_makes_them_or_behind_all() {
    let text = r#"
[steps.build]
run = "make"
[steps.test]
run = "make test"
needs = ["build"]
[steps.lint]
run = "make lint"
[artifacts.package]
path = "dist/*.tar"
retention = "30 days"
from = "build"
[artifacts.reports]
description = "what the tests say"
path = ["reports", "log.txt"]
retention = "forever"
required = false
"#;
    let arrows = arrows(text);
    let expected = r#"    join[steps] <= (
        build                    => next
        [test <= steps.build.out] => next
        lint                      => next
        join[artifacts] <= (
            [package <= steps.build.out]                 => next
            [reports <= steps.test.out, steps.lint.out] => next
        )
    )
) <= in
"#;
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(plain(&arrows).ends_with(&plain(expected)), "{arrows}");
    let worker =
        "[worker.reports.with]\nfiles = [\"reports\", \"log.txt\"]\nrequired = false\nretention = \"forever\"\n";
    assert!(arrows.contains(worker), "{arrows}");
    assert!(arrows.contains("files = [\"dist/*.tar\"]\nretention = \"30d\"\n"), "{arrows}");
}

#[test]
fn artifacts_of_nobody_and_of_nothing_are_told() {
    let text = r#"
[steps.build]
run = "make"
[artifacts.package]
path = "dist"
from = "bild"
[artifacts.reports]
retention = "a while"
[artifacts.nothing]
"#;
    let wrong = wrong(text);
    assert_eq!(wrong.len(), 4, "{wrong:#?}");
    assert!(wrong[0].starts_with("E1003 \"bild\": `[artifacts.package]` comes from `bild`"), "{wrong:#?}");
    assert!(wrong[1].starts_with("E1002 reports: `[artifacts.reports]` names no files"), "{wrong:#?}");
    assert!(wrong[2].starts_with("E1002 \"a while\"") && wrong[2].ends_with("or `forever`"), "{wrong:#?}");
    assert!(wrong[3].starts_with("E1002 nothing: `[artifacts.nothing]` names no files"), "{wrong:#?}");
}
