//! `aivm test`: what is expected is held against what comes, what is wrong in a test file is said, and nothing else is touched.

use super::*;

/// Two words, a loop, and something that changes the world.
const PROGRAM: &str = "\
+++
[worker.judge]
prompt = \"Judge.\"
mock = [\"next\"]
[worker.keep]
run = \"touch touched; cat\"
+++
out <= (
    switch[s] <= (
        judge<3> => next | cancel
        keep     => send | back
    ) <= match <= (
        spam    => cancel
        default => send
    )
) <= in
";

fn project(tests: &str) -> tempfile::TempDir {
    let dir = folder();
    write(dir.path(), "p.aivm", PROGRAM);
    write(dir.path(), "p.test.toml", tests);
    dir
}

/// What is said of one test, and how it ends.
fn one(body: &str) -> (String, Value) {
    let dir = project(&format!("[[test]]\nname = \"t\"\ninput = \"in\"\n{body}\n"));
    let output = aivm(dir.path(), &["test", "--json"]);
    let report = json(&output);
    let test = report["files"][0]["tests"][0].clone();
    let code = if test["result"] == "failed" { 1 } else { 0 };
    assert_eq!(output.status.code(), Some(code), "{report} {}", stderr(&output));
    (test["result"].as_str().unwrap_or_default().to_owned(), test)
}

#[test]
fn what_is_as_expected_passes_and_what_is_not_says_both() {
    let cases: [(&str, &str); 25] = [
        ("output = \"in\"", ""),
        ("output = \"other\"", "another text was expected"),
        ("output = { contains = [\"i\", \"zzz\"] }", "\"zzz\" is not in it"),
        ("output = { regex = \"^i.$\" }", ""),
        ("output = { regex = \"^z\" }", "nothing in it matches /^z/"),
        ("status = \"failed\"", "status: failed was expected, and it is sent"),
        ("mock.judge = [{ fail = \"no\" }]", "status: sent was expected, and it is failed (E0714 at s/judge#1: no)"),
        ("mock.judge = [{ fail = \"no\" }]\nerror = \"E0714\"\nstatus = \"failed\"", ""),
        ("mock.judge = [{ fail = \"no\" }]\nerror = \"E0715\"", "error: E0715 was expected, and it is E0714"),
        ("mock.keep = [\"back\"]\nstatus = \"exhausted\"", ""),
        ("mock.keep = [\"spam\"]\nstatus = \"cancelled\"", ""),
        ("mock.keep = [\"back\"]\nstatus = \"timeout\"", "status: timeout was expected, and it is exhausted"),
        ("path = [\"judge\", \"keep\"]", ""),
        ("path = [\"judge\"]", "path: step 2 is `s/keep#1 => send`, and the run was expected to have ended"),
        ("path = [\"judge\", \"kepe\"]", "path: step 2 is `s/keep#1 => send`, and `kepe` was expected"),
        ("path = [[\"keep\", \"judge\"]]", ""),
        ("calls = 2", ""),
        ("calls = 1", "calls: at most 1 were expected, and there were 2"),
        ("mock.judge = [{ cost = \"$0.20\" }]\ncost = \"$0.10\"", "cost: at most $0.10 was expected, and it is $0.20"),
        ("verdict = \"spam\"", "verdict: `spam` was expected, and it is none"),
        (
            "mock.keep = [{ output = '{\"a\": [1, 2]}' }]\noutput.json = { \"a.0\" = 1.0, \"/a/1\" = 2, \"a.*\" = [1, 2] }",
            "",
        ),
        (
            "mock.keep = [{ output = '{\"a\": [1, 2]}' }]\noutput.json = { \"a.0\" = 2 }",
            "2 was expected at `a.0`, and there is 1",
        ),
        (
            "mock.keep = [{ output = '{\"a\": 1}' }]\noutput.json = { \"b\" = 2 }",
            "2 was expected at `b`, and there is nothing",
        ),
        ("mock.keep = [{ output = '{\"a\": 1}' }]\noutput.schema = { required = [\"b\"] }", "against the schema"),
        ("output.json = { \"a\" = 1 }", "it is no JSON"),
    ];
    for (body, wrong) in cases {
        let (result, test) = one(body);
        match wrong {
            "" => assert_eq!(result, "passed", "{body}: {test}"),
            wrong => {
                assert_eq!(result, "failed", "{body}: {test}");
                assert!(test["wrong"].to_string().replace("\\\"", "\"").contains(wrong), "{body}: {test}");
            }
        }
    }
}

#[test]
fn what_cannot_be_is_told_with_its_place_before_anything_runs() {
    let cases = [
        ("name = \"t\"\ninptu = \"x\"", "E0980", "p.test.toml:3:1", "did you mean `input`?"),
        ("name = \"t\"\nstatus = \"snet\"", "E0980", "p.test.toml:3:10", "did you mean `sent`?"),
        ("name = \"t\"\noutput = { contans = \"x\" }", "E0980", "p.test.toml:3", "did you mean `contains`?"),
        ("name = \"t\"\noutput = { regex = \"(\" }", "E0980", "p.test.toml:3", "`regex` is none"),
        ("name = \"t\"\noutput = { schema = { tpye = 1 } }", "E0980", "p.test.toml:3", "`schema` is none"),
        ("name = \"t\"\nmock.judge = [{ verdct = \"x\" }]", "E0980", "p.test.toml:3", "a mock entry is a word"),
        ("name = \"t\"\nmock.jugde = []", "E0982", "p.test.toml:3:6", "did you mean `judge`?"),
        ("name = \"t\"\ncassette = \"c.jsonl\"", "E0982", "p.test.toml:3:12", "--record"),
        ("name = \"t\"\ninput_file = \"gone\"", "E0982", "p.test.toml:3:14", "there is no gone"),
        ("name = \"t\"\nfiles = { \"../x\" = \"y\" }", "E0982", "p.test.toml:3:11", "no `..`"),
        ("name = \"t\"\n[[test]]\nname = \"t\"", "E0982", "p.test.toml:4:8", "two tests called `t`"),
        ("name = \"…\"", "E0982", "p.test.toml:2:8", "a test has a name"),
        ("name = \"t", "E0980", "p.test.toml:2", "error"),
    ];
    for (body, code, place, told) in cases {
        let dir = project(&format!("[[test]]\n{body}\n"));
        let output = aivm(dir.path(), &["test"]);
        assert_eq!(output.status.code(), Some(2), "{body}");
        let text = stderr(&output);
        for part in [code, place, told] {
            assert!(text.contains(part), "{body}: {part}: {text}");
        }
        assert!(!stdout(&output).contains("passed"), "{body}");
    }
    // What is not there, and a program that is broken.
    let dir = folder();
    for args in [&["test"][..], &["test", "p.aivm"], &["test", "p.txt"]] {
        let output = aivm(dir.path(), args);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("E0981"), "{args:?}: {}", stderr(&output));
    }
    write(dir.path(), "p.test.toml", "[[test]]\nname = \"t\"\n");
    assert!(stderr(&aivm(dir.path(), &["test"])).contains("E0981"));
    write(dir.path(), "p.aivm", "out <= ( switch <= ( a => nxt ) ) <= in\n");
    let output = aivm(dir.path(), &["test"]);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("E0119"), "{}", stderr(&output));
}

#[test]
fn all_files_beneath_are_run_in_order_and_some_when_they_are_named() {
    let dir = project("[[test]]\nname = \"one\"\n[[test]]\nname = \"two\"\npath = []\n");
    for (name, folder) in [("b", "sub"), ("c", ".hidden"), ("d", "target")] {
        write(dir.path(), &format!("{folder}/{name}.aivm"), PROGRAM);
        write(dir.path(), &format!("{folder}/{name}.test.toml"), "[[test]]\nname = \"other\"\n");
    }
    let output = aivm(dir.path(), &["test"]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    let marks: Vec<&str> = text.lines().filter(|line| !line.starts_with("     ")).collect();
    let bare: Vec<&str> = marks.iter().map(|line| line.rsplit_once(' ').map_or(*line, |(bare, _)| bare)).collect();
    assert_eq!(
        bare,
        ["p.test.toml", "  ✓ one", "  ✗ two", "sub/b.test.toml", "  ✓ other", "2 passed, 1 failed, 0"],
        "{text}"
    );
    assert!(text.contains("s/judge#1 => next"), "the steps: {text}");
    for args in
        [&["test", "sub"][..], &["test", "sub/b.aivm"], &["test", "sub/b.test.toml"], &["test", "--filter", "othe"]]
    {
        assert!(stdout(&aivm(dir.path(), args)).ends_with("1 passed, 0 failed, 0 skipped\n"), "{args:?}");
    }
    for (args, says) in [
        (["--filter", "nosuch"], "error[E0981]: no test has `nosuch` in its name, of 3"),
        (["--fail-under", "180"], "a number from 0 to 100"),
        (["--fail-under", "NaN"], "a number from 0 to 100"),
    ] {
        let refused = aivm(dir.path(), &[&["test"][..], &args].concat());
        assert!(refused.status.code() == Some(2) && stderr(&refused).contains(says), "{args:?}: {}", stderr(&refused));
    }
}

#[test]
fn a_test_runs_in_a_folder_of_its_own_and_leaves_nothing() {
    let dir = folder();
    let program = "+++\n[worker.look]\nrun = \"cat a.txt d/b.txt; touch made; ls\"\n+++\nout <= ( switch <= ( look => send ) ) <= in\n";
    write(dir.path(), "p.aivm", program);
    write(dir.path(), "fixtures/d/b.txt", "copied\n");
    let test = "[[test]]\nname = \"live\"\nlive = true\noutput = \"text\\ncopied\\na.txt\\nd\\nmade\"\n\
        files = { \"a.txt\" = \"text\\n\", d = { from = \"fixtures/d\" } }\n\
        [[test]]\nname = \"mocked\"\ninput = \"x\"\noutput = \"x\"\n";
    write(dir.path(), "p.test.toml", test);
    let listed = || {
        let mut names: Vec<_> =
            std::fs::read_dir(dir.path()).expect("it").flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        names
    };
    let before = listed();
    let temporary = folder();
    let output = command(dir.path(), &["test"]).env("TMPDIR", temporary.path()).output().expect("aivm runs");
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert_eq!(listed(), before, "nothing is left, and no store is made");
    assert_eq!(std::fs::read_dir(temporary.path()).expect("it").count(), 0);
}

#[test]
fn snapshots_are_written_when_that_is_said() {
    let dir = project("[[test]]\nname = \"kept: as it is\"\ninput = \"one\\ntwo\"\noutput = { snapshot = true }\n");
    let fails = |why: &str| {
        let output = aivm(dir.path(), &["test"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stdout(&output).contains(why), "{why}: {}", stdout(&output));
    };
    fails("is not there");
    assert!(aivm(dir.path(), &["test", "--accept"]).status.success());
    assert_eq!(std::fs::read_to_string(dir.path().join("p.snap/kept-as-it-is.txt")).expect("it"), "one\ntwo\n");
    assert!(aivm(dir.path(), &["test"]).status.success());
    write(dir.path(), "p.snap/kept-as-it-is.txt", "one\nthree\n");
    fails("-three\n      +two");
    assert_eq!(std::fs::read_to_string(dir.path().join("p.snap/kept-as-it-is.txt")).expect("it"), "one\nthree\n");
    // What is wrong otherwise is not made the rule.
    let text = std::fs::read_to_string(dir.path().join("p.test.toml")).expect("it");
    write(dir.path(), "p.test.toml", &text.replace("[[test]]", "[[test]]\ncalls = 1"));
    assert!(!aivm(dir.path(), &["test", "--accept"]).status.success());
    assert_eq!(std::fs::read_to_string(dir.path().join("p.snap/kept-as-it-is.txt")).expect("it"), "one\nthree\n");
}

#[test]
fn coverage_names_the_edges_that_no_test_takes() {
    let dir = project("[[test]]\nname = \"t\"\nmock.keep = [\"back\", \"send\"]\n");
    let output = aivm(dir.path(), &["test", "--coverage"]);
    let text = stdout(&output);
    let told = "p.aivm: edges taken: 4 of 6, 66 %\n  line 10: s/judge: cancel is taken by no test\n  \
        line 13: match.2: spam => cancel is taken by no test\n";
    assert!(text.contains(told), "{text}");
    let report = json(&aivm(dir.path(), &["test", "--json"]));
    let covered = &report["files"][0]["coverage"];
    assert_eq!((&covered["taken"], &covered["edges"]), (&4.into(), &6.into()), "{covered}");
    assert_eq!(covered["not_taken"][0]["line"], 10, "{covered}");
    assert_eq!(aivm(dir.path(), &["test", "--fail-under", "66"]).status.code(), Some(0));
    let output = aivm(dir.path(), &["test", "--fail-under", "67"]);
    assert!(output.status.code() == Some(1) && stderr(&output).contains("E0984"), "{}", stderr(&output));
}

#[test]
fn the_report_of_junit_is_xml_whatever_is_in_it() {
    let dir = project(
        "[[test]]\nname = \"a <b> & \\\"c\\\"\"\ninput = \"]]> \\u0001 <x>\"\noutput = \"y\"\n[[test]]\nname = \"d\"\noutput.judge = \"is it?\"\n",
    );
    let output = aivm(dir.path(), &["test", "--junit", "r.xml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).ends_with("0 passed, 1 failed, 1 skipped\n"), "{}", stdout(&output));
    let xml = std::fs::read_to_string(dir.path().join("r.xml")).expect("a report");
    assert!(
        xml.contains("<testsuites name=\"aivm test\" tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"1\""),
        "{xml}"
    );
    assert!(xml.contains("name=\"a &lt;b&gt; &amp; &quot;c&quot;\"") && xml.contains("<skipped message="), "{xml}");
    assert!(!xml.contains('\u{1}') && !xml.contains("<x>") && xml.ends_with("</testsuites>\n"), "{xml}");
    let wrong = aivm(dir.path(), &["test", "--junit", "no/r.xml"]);
    assert!(stderr(&wrong).contains("E0983"), "{}", stderr(&wrong));
}

#[cfg(feature = "models")]
mod models {
    use super::super::fake::{Fake, text};
    use super::*;

    #[test]
    fn a_judge_is_recorded_and_answers_from_the_cassette() {
        let fake = Fake::new(vec![
            text(r#"{"verdict": "next", "output": "a fine answer"}"#),
            text(r#"{"verdict": "yes", "output": "it is polite"}"#),
            text(r#"{"verdict": "next", "output": "a fine answer"}"#),
            text(r#"{"verdict": "no", "output": "it is rude"}"#),
        ]);
        let test = |name: &str| {
            format!("[[test]]\nname = \"{name}\"\ncassette = \"{name}.jsonl\"\noutput.judge = \"Is it polite?\"\n")
        };
        let dir = project(&test("one"));
        write(
            dir.path(),
            "aivm.toml",
            &format!("[provider.a]\nurl = \"{}\"\n[models]\ndefault = [\"a/m\"]\n", fake.url),
        );
        let output = aivm(dir.path(), &["test", "--record"]);
        assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
        assert_eq!(fake.asked().len(), 2);
        write(dir.path(), "p.test.toml", &format!("{}{}", test("one"), test("two")));
        let output = aivm(dir.path(), &["test", "--record"]);
        assert!(stdout(&output).contains("judge: no to `Is it polite?`: it is rude"), "{}", stdout(&output));
        assert_eq!(fake.asked().len(), 4, "the first was answered from its file");
        // Nobody is asked, and nobody is there.
        std::fs::remove_file(dir.path().join("aivm.toml")).expect("it");
        let output = aivm(dir.path(), &["test"]);
        assert!(stdout(&output).ends_with("1 passed, 1 failed, 0 skipped\n"), "{}", stdout(&output));
        // Another question was not recorded: that is no yes.
        write(dir.path(), "p.test.toml", &test("one").replace("polite", "short"));
        let output = aivm(dir.path(), &["test"]);
        assert!(output.status.code() == Some(1) && stdout(&output).contains("E0920"), "{}", stdout(&output));
    }

    #[test]
    fn a_live_test_without_a_model_skips_its_judge() {
        let dir = project("[[test]]\nname = \"t\"\nlive = true\nmock.judge = [\"next\"]\noutput.judge = \"Is it?\"\n");
        let output = aivm(dir.path(), &["test"]);
        assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
        let text = stdout(&output);
        assert!(text.contains("– t") && text.contains("skipped: `judge`: E0900"), "{text}");
    }
}
