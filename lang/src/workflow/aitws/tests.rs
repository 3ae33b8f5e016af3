use crate::diagnostic::Code;
use crate::library::{Found, Shelf};
use crate::workflow::{Format, page};
use aivm_schema::worker::{Does, MockEntry, Run, WorkerDefinition};

const SAMPLE: &str = include_str!("../../../../tests/samples/aitws/ai.toml");

/// Words that do something.
fn shelf(words: &[&str]) -> Shelf {
    let mut shelf = Shelf::default();
    for word in words {
        let mut worker = WorkerDefinition::new(Does::Command(Run::Shell("true".to_owned())));
        worker.words = vec!["resource_creation".to_owned()];
        shelf.workers.insert((*word).to_owned(), Found::Worker(Box::new(worker)));
    }
    shelf
}

/// The arrows of a file as they are laid out, and what is told of it: codes with what they are told of.
fn arrows(text: &str, shelf: &Shelf) -> (String, Vec<(Code, String)>) {
    let page = page(Format::Aitws, "ai.toml", text, shelf).unwrap_or_else(|errors| panic!("{errors:?}"));
    let laid_out = crate::format::format(&page.text).unwrap_or_else(|errors| panic!("{errors:?}\n{}", page.text));
    let (_, program) = aivm_schema::worker::split_front_matter(&laid_out);
    let told = page.warnings.iter().map(|one| (one.code, text.get(one.primary.span.range()).unwrap_or("").to_owned()));
    (program.to_owned(), told.collect())
}

/// The same with nothing told.
fn program(text: &str, words: &[&str]) -> String {
    let shelf = shelf(words);
    let (program, told) = arrows(text, &shelf);
    assert_eq!(told, [], "{text}");
    if let Err(errors) = crate::compile_as(Format::Aitws, "ai.toml", text, &shelf) {
        panic!("{errors:?}\n{program}");
    }
    program
}

#[test]
fn the_sample_becomes_its_stages_in_order() {
    let (program, told) = arrows(SAMPLE, &Shelf::default());
    insta::assert_snapshot!(program);
    let of = |code| told.iter().filter(|(one, _)| *one == code).map(|(_, at)| at.trim_matches('"')).collect::<Vec<_>>();
    assert_eq!(of(Code::Dangling), ["ErrorHandling", "Senior Developer"]);
    assert_eq!(
        of(Code::UnboundAction),
        [
            "create_resources",
            "execute_algorithm",
            "fine_tune_model",
            "gather_feedback",
            "regenerate_code",
            "deploy_model",
            "evaluate_model",
            "clean_resources",
            "resources_ready",
            "ErrorHandling",
            "TaskA",
            "TaskB",
            "NotifyAdministrator"
        ]
    );
    assert_eq!(of(Code::Unfired), ["resource_creation"]);
    assert_eq!(of(Code::WrittenCredential), ["Database", "MessageQueue"]);
    assert_eq!(of(Code::OnlyRecorded).len(), 13);
}

#[test]
fn no_password_reaches_the_page() {
    let page = page(Format::Aitws, "ai.toml", SAMPLE, &Shelf::default()).expect("a page");
    assert!(SAMPLE.contains("user:password@") && !page.text.contains("password"), "{}", page.text);
    let told: Vec<String> = page.warnings.iter().map(|one| format!("{one:?}")).collect();
    assert!(!told.iter().any(|one| one.contains("user:password")), "{told:?}");
}

#[test]
fn a_strict_file_takes_what_dangles_for_an_error() {
    let strict = SAMPLE.replace("version = \"1.0.0\"", "version = \"1.0.0\"\nstrict = true");
    let errors = page(Format::Aitws, "ai.toml", &strict, &Shelf::default()).expect_err("it dangles");
    assert_eq!(errors.len(), 16);
    assert!(errors.iter().all(|error| error.code == Code::StrictDangling), "{errors:?}");
}

const TWO: &str = "[[stages]]\nname = \"Last\"\norder = 2\n[[stages.actions]]\nname = \"b\"\n\
    [[stages]]\nname = \"First one\"\norder = 1\n[[stages.actions]]\nname = \"A\"\ntype = \"a\"\n";

#[test]
fn stages_run_by_their_order_and_not_by_their_place() {
    insta::assert_snapshot!(program(TWO, &["a", "b"]), @r"
    out <= (
        switch[First-one] <= (
            a => next ; A
        ) <= switch[Last] <= (
            b => next
        )
    ) <= in
    ");
}

#[test]
fn a_branch_leads_back_a_counted_number_of_times() {
    let branch = "[[conditions]]\nname = \"Good\"\ntype = \"judge\"\n\
        [[branches]]\nname = \"GoodEnough\"\ncondition = \"Good\"\nif_false = \"First one\"\nafter = \"Last\"\nmax_iterations = 3\n";
    insta::assert_snapshot!(program(&format!("{TWO}{branch}"), &["a", "b", "judge"]), @r#"
    out <= (
        switch[First-one] <= (
            a => next ; A
        ) <= switch[Last] <= (
            b => next
        ) <= switch[GoodEnough]<3> <= (
            judge => continue
        ) <= match <= (
            yes     => send
            default => [First-one.jump]
        )
    ) <= in
    "#);
}

#[test]
fn a_condition_may_be_an_expression() {
    let branch = "[[conditions]]\nname = \"Is long\"\nwhen = \"size(input) > 3\"\n\
        [[branches]]\nname = \"Enough\"\ncondition = \"Is long\"\nif_true = \"Last\"\n";
    insta::assert_snapshot!(program(&format!("{TWO}{branch}"), &["a", "b"]), @r#"
    out <= (
        switch[First-one] <= (
            a => next ; A
        ) <= switch[Enough] <= (
            Is-long => continue | cancel
        ) <= match <= (
            success => [Last.jump]
            cancel  => send
        ) <= switch[Last] <= (
            b => next
        )
    ) <= in
    "#);
}

#[test]
fn handlers_run_where_their_events_fire() {
    let events = "[[events]]\nname = \"Ready\"\ntype = \"resource_creation\"\n[[events]]\nname = \"Broken\"\ntype = \"Last.failed\"\n\
        [[triggers]]\nname = \"x\"\nevent = \"Ready\"\nhandler = \"Tell\"\n\
        [[triggers]]\nname = \"y\"\nevent = \"Broken\"\nhandler = \"Tell\"\n\
        [[handlers]]\nname = \"Tell\"\naction = \"notify\"\n[error_handling]\nretry_count = 2\n";
    let mut shelf = shelf(&["a", "notify"]);
    let plain = WorkerDefinition {
        mock: Some(vec![MockEntry::Verdict("next".to_owned())]),
        ..WorkerDefinition::new(Does::Mock)
    };
    shelf.workers.insert("b".to_owned(), Found::Worker(Box::new(plain)));
    let text = format!("{TWO}{events}");
    let (program, told) = arrows(&text, &shelf);
    assert_eq!(told, []);
    insta::assert_snapshot!(program, @r#"
    out <= (
        switch[First-one] <= (
            ; A
            switch <= ( a => next | retry * 2 ) <= match <= (
                resource_creation => out <= switch <= ( notify => continue )
                default           => send
            )
        ) <= switch[Last] <= (
            b => next | retry * 2
        ) <= match <= (
            success => send
            default => out <= switch <= ( notify => continue  fail => next )
        )
    ) <= in
    "#);
    crate::compile_as(Format::Aitws, "ai.toml", &text, &shelf).expect("it compiles");
}

#[test]
fn parallel_tasks_are_a_join_and_pipelines_definitions() {
    let more = "[[parallel_execution]]\nname = \"Both\"\ntasks = [\"A\", \"c\"]\norder = 2\n\
        [[pipelines]]\nname = \"Short\"\nstages = [\"First one\"]\n\
        [[stages]]\nname = \"Again\"\n[[stages.actions]]\nname = \"Short\"\n[change_management]\nreview_required = true\n";
    insta::assert_snapshot!(program(&format!("{TWO}{more}"), &["a", "b", "c"]), @r#"
    Short <= (
        switch[Short-First-one] <= (
            a => next ; A
        )
    )

    out <= (
        switch[Review] <= (
            review => next | cancel
        ) <= switch[First-one] <= (
            a => next ; A
        ) <= switch[Last] <= (
            b => next
        ) <= join[Both] <= (
            a => next
            c => next
        ) <= switch[Again] <= (
            Short => next
        )
    ) <= in
    "#);
}

/// What one pipeline of a file becomes, and what is told of it.
fn pipeline(text: &str, name: &str, words: &[&str]) -> Result<(String, Vec<String>), Vec<String>> {
    let told = |all: &[crate::diagnostic::Diagnostic]| {
        all.iter().map(|one| format!("{} {}", one.code, one.message)).collect::<Vec<_>>()
    };
    let reading = crate::workflow::Reading { pipeline: Some(name.to_owned()), ..Format::Aitws.into() };
    let shelf = shelf(words);
    let page = page(reading.clone(), "ai.toml", text, &shelf).map_err(|errors| told(&errors))?;
    let laid_out = crate::format::format(&page.text).unwrap_or_else(|errors| panic!("{errors:?}\n{}", page.text));
    crate::compile_as(reading, "ai.toml", text, &shelf).map_err(|errors| told(&errors))?;
    Ok((aivm_schema::worker::split_front_matter(&laid_out).1.to_owned(), told(&page.warnings)))
}

const PIPELINES: &str = "[[pipelines]]\nname = \"Backwards\"\nstages = [\"Last\", \"c\", \"First one\"]\n\
    [[pipelines]]\nname = \"Short\"\nstages = [\"Last\"]\n[[pipelines]]\nname = \"Idle\"\nstages = [\"Last\"]\n\
    [[stages]]\nname = \"Again\"\norder = 3\nactions = [{ name = \"Short\" }]\n\
    [[conditions]]\nname = \"Good\"\ntype = \"judge\"\n\
    [[branches]]\nname = \"Enough\"\ncondition = \"Good\"\nif_false = \"First one\"\nafter = \"Last\"\n";

#[test]
fn one_pipeline_is_its_stages_in_its_order() {
    let text = format!("{TWO}{PIPELINES}");
    let words = ["a", "b", "c", "judge"];
    let (program, told) = pipeline(&text, "Backwards", &words).expect("a program");
    insta::assert_snapshot!(program, @r"
    out <= (
        switch[Last] <= (
            b => next
        ) <= switch[Enough] <= (
            judge => continue
        ) <= match <= (
            yes     => send
            default => [First-one.jump]
        ) <= switch[c] <= (
            c => next
        ) <= switch[First-one] <= (
            a => next ; A
        )
    ) <= in
    ");
    assert_eq!(told, ["E1041 no stage is called `c`"]);
    // What it calls comes with it.
    let (program, _) =
        pipeline(&text.replace("\"Last\", \"c\", \"First one\"", "\"Again\""), "Backwards", &words).expect("one");
    assert!(program.starts_with("Short <= (") && program.contains("switch[Again]"), "{program}");
    // What leads out of it is left out.
    let (program, told) = pipeline(&text, "Short", &words).expect("a program");
    insta::assert_snapshot!(program, @r"
    out <= (
        switch[Last] <= (
            b => next
        )
    ) <= in
    ");
    assert_eq!(
        told,
        ["E1041 no stage is called `c`", "E1045 the branch `Enough` leads out of the pipeline, and is left out"]
    );
}

#[test]
fn a_pipeline_that_is_not_there_is_told_with_the_nearest() {
    let text = format!("{TWO}{PIPELINES}");
    for (name, format, help) in [
        ("Shrot", Format::Aitws, "did you mean `Short`?"),
        ("x", Format::Aitws, "its pipelines are: Backwards, Short, Idle"),
        ("x", Format::Aivm, "leave --pipeline out; or, if it is aiTWS, say so: --format aitws"),
    ] {
        let reading = crate::workflow::Reading { pipeline: Some(name.to_owned()), ..format.into() };
        let errors = crate::compile_as(reading, "ai.toml", &text, &shelf(&[])).expect_err("none");
        let told: Vec<_> = errors.iter().map(|error| (error.code, error.help.as_deref())).collect();
        assert_eq!(told, [(Code::UnknownPipeline, Some(help))]);
    }
}

#[test]
fn who_is_a_member_of_roles_is_held_to_them() {
    let roles = "[[roles]]\nname = \"Boss\"\nprivileges = [\"all\"]\nmembers = [\"ada\"]\n\
        [[roles]]\nname = \"Dev\"\nmembers = [\"bob\", \"eve\"]\n[[roles]]\nname = \"Lead\"\nmembers = [\"eve\"]\n\
        [[authorization]]\nrole = \"Dev\"\nallowed_actions = [\"a\"]\n";
    let text = format!("{TWO}{roles}");
    let told = |who: Option<&str>, text: &str| {
        let reading = crate::workflow::Reading { who: who.map(str::to_owned), ..Format::Aitws.into() };
        let errors = page(reading, "ai.toml", text, &shelf(&["a", "b"])).err().unwrap_or_default();
        errors.iter().map(|error| format!("{} {}", error.code, error.message)).collect::<Vec<_>>()
    };
    for held in ["bob", "eve"] {
        assert_eq!(told(Some(held), &text), [format!("E1026 `{held}` may not do `b`")]);
    }
    for free in [Some("ada"), Some("nobody"), None] {
        assert_eq!(told(free, &text), [""; 0], "{free:?}");
    }
    // A task and the action of a handler are held to the same as an action, by its name or its type.
    let named = "[[stages]]\nname = \"S\"\n[[stages.actions]]\nname = \"Make it\"\ntype = \"a\"\n\
        [[parallel_execution]]\nname = \"P\"\ntasks = [\"Make it\", \"a\"]\n\
        [[events]]\nname = \"E\"\ntype = \"S.done\"\n[[triggers]]\nname = \"T\"\nevent = \"E\"\nhandler = \"H\"\n\
        [[handlers]]\nname = \"H\"\naction = \"b\"\n";
    for allowed in ["a", "Make it"] {
        let text = format!("{named}{}", roles.replace("[\"a\"]", &format!("[{allowed:?}]")));
        assert_eq!(told(Some("bob"), &text), ["E1026 `bob` may not do `b`"], "{allowed}");
    }
    // Where nothing says what roles may do, each may do everything.
    let free = text.replace("[[authorization]]\nrole = \"Dev\"\nallowed_actions = [\"a\"]\n", "");
    assert_eq!(told(Some("bob"), &free), [""; 0]);
}

#[test]
fn a_condition_of_two_kinds_and_a_pipeline_of_nothing_are_told() {
    let text = format!("{TWO}[[conditions]]\nname = \"c\"\ntype = \"a\"\nwhen = \"true\"\n");
    let errors = page(Format::Aitws, "ai.toml", &text, &shelf(&["a", "b"])).expect_err(&text);
    assert!(errors.len() == 1 && errors[0].message.contains("a `type` and a `when`"), "{errors:?}");
    let (_, told) = arrows(&format!("{TWO}[[pipelines]]\nname = \"Q\"\nstages = []\n"), &shelf(&["a", "b"]));
    assert!(told.contains(&(Code::Placeless, "[[pipelines]]".to_owned())), "{told:?}");
}

#[test]
fn a_task_that_nothing_runs_is_told() {
    let tasks = "[[tasks]]\nname = \"a\"\n[[tasks]]\nname = \"FixBug123\"\ndescription = \"Fix it\"\n";
    let page = page(Format::Aitws, "ai.toml", &format!("{TWO}{tasks}"), &shelf(&["a", "b"])).expect("a page");
    let told: Vec<_> = page.warnings.iter().map(|one| (one.code, one.message.as_str())).collect();
    assert_eq!(told, [(Code::OnlyRecorded, "the task `FixBug123` is recorded, and nothing runs it")]);
}

#[test]
fn each_wrong_key_is_told_at_its_place() {
    let text = "[[stages]]\nname = \"a\"\nordr = 1\n[[stages.actions]]\nnmae = \"b\"\n[loging]\nlevel = \"x\"\n\
        [logging]\nlevel = \"loud\"\n[error_handling]\nretry_count = \"three\"\nretry_interval = \"soon\"\n[roles]\nname = \"x\"\n\
        [[keys]]\n[[branches]]\nname = \"b\"\n";
    let errors = page(Format::Aitws, "ai.toml", text, &Shelf::default()).expect_err("wrong");
    let told: Vec<String> = errors
        .iter()
        .map(|error| {
            let line = text.get(..error.primary.span.start as usize).unwrap_or("").matches('\n').count() + 1;
            format!("{line}: {}", error.message)
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    3: `[[stages]]` has no key `ordr`
    5: `[[stages.actions]]` has no key `nmae`
    6: an aiTWS file has no key `loging`
    9: `level` of `[logging]`: `loud` is none of `error`, `warn`, `info`, `debug`
    11: `retry_count` of `[error_handling]`: it takes a whole number from 0 to 65535, not the text "three"
    12: `retry_interval` of `[error_handling]`: `soon` is not a span of time: a whole number and a word, as in `30 days` or `5 seconds`
    13: `roles` may be there several times: write `[[roles]]`
    15: `keys` is there once: write `[keys]`
    16: the branch `b` has no `condition`
    "#);
}

#[test]
fn many_names_that_are_spelt_alike_take_no_time() {
    let name = |n: u32| (0..15).map(|bit| if n >> bit & 1 == 0 { '!' } else { '?' }).collect::<String>();
    let stages = (0..20_000).map(|n| format!("[[stages]]\nname = \"a{}b\"\nactions = [{{ name = \"a\" }}]\n", name(n)));
    let page = page(Format::Aitws, "ai.toml", &stages.collect::<String>(), &shelf(&["a"])).expect("a page");
    let last = format!("switch[a{}b-20000]", "-".repeat(15));
    assert!(page.text.contains(&last), "{last}");
}

#[test]
fn names_of_any_letters_make_a_program() {
    for name in ["über allem", "in", "a.b", "7", "", "\\n]", "(=>)", "--", "switch"] {
        let text = format!(
            "[metadata]\nname = \"{name}\"\n[[stages]]\nname = \"{name}\"\n[[stages.actions]]\nname = \"{name}\"\n\
             [[conditions]]\nname = \"{name}\"\n[[branches]]\nname = \"{name}\"\ncondition = \"{name}\"\nif_true = \"{name}\"\nif_false = \"no such\"\n\
             [[parallel_execution]]\nname = \"p{name}\"\ntasks = [\"{name}\", \"t\"]\n[[pipelines]]\nname = \"q{name}\"\nstages = [\"{name}\"]\n"
        );
        if let Err(errors) = crate::compile_as(Format::Aitws, "ai.toml", &text, &Shelf::default()) {
            panic!("{name:?}: {errors:?}");
        }
    }
}
