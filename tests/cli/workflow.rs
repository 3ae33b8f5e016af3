//! Workflows: `workflow.toml` from the file to the end of a run.

use super::*;

const RELEASE: &str = r#"
id = "acme/release@1.2.3"
name = "Release"

[parameters.stage]
type = "choice"
choices = ["staging", "production"]
default = "staging"

[parameters.rounds]
type = "integer"
default = 3

[actions.say]
run = "cat > /dev/null; echo $WHAT at $AIVM_STEP_PARAM_STAGE"
effect = "read"
env = { WHAT = "nothing" }

[steps.build]
uses = "say"
env = { WHAT = "built" }

[steps.count]
run = "n=$(cat n 2>/dev/null || echo 0); n=$((n+1)); echo $n > n; echo \"{\\\"n\\\": $n}\""
needs = ["build"]
until = "steps.count.output.n >= params.rounds"
max_iterations = 5

[steps.ship]
uses = "say"
env = { WHAT = "shipped" }
needs = ["build", "count"]
when = "params.stage == 'production' && steps.count.output.n == 3 && steps.build.output.startsWith('built')"
"#;

/// Runs a workflow with parameters; what it printed as JSON.
fn run(dir: &Path, file: &str, params: &[&str]) -> Value {
    let mut args = vec!["run", file, "--json", "--ephemeral"];
    params.iter().for_each(|param| args.extend(["--param", param]));
    json(&aivm(dir, &args))
}

#[test]
fn a_workflow_runs_as_its_file_says() {
    let dir = folder();
    write(dir.path(), "workflow.toml", RELEASE);
    let report = run(dir.path(), "workflow.toml", &["stage=production"]);
    assert_eq!(report["status"], "sent", "{report}");
    let expected = [
        "steps/build#1 → next",
        "count/count#1 → next",
        "count/count-until#1 → back",
        "count/count#2 → next",
        "count/count-until#2 → back",
        "count/count#3 → next",
        "count/count-until#3 → continue",
        "ship/ship-when#1 → continue",
        "ship/ship#1 → next",
    ];
    assert_eq!(steps(&report), expected, "{report}");
    // Otherwise the last step is left out, and what it needs goes by.
    write(dir.path(), "n", "2");
    let report = run(dir.path(), "workflow.toml", &["rounds=3"]);
    assert_eq!(steps(&report)[2..], ["count/count-until#1 → continue", "ship/ship-when#1 → send"], "{report}");
}

#[test]
fn parameters_that_do_not_fit_are_told_before_anything_is_called() {
    let dir = folder();
    write(dir.path(), "workflow.toml", RELEASE);
    for (params, told) in [
        (&["stag=production"][..], "no parameter `stag`; did you mean `stage`?"),
        (&["stage=moon"], "`moon` is not one of `staging`, `production`"),
        (&["rounds=many"], "`many` is not a whole number"),
    ] {
        let mut args = vec!["run", "workflow.toml"];
        params.iter().for_each(|param| args.extend(["--param", param]));
        let out = aivm(dir.path(), &args);
        let error = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{error}");
        assert!(error.contains("E1080") && error.contains(told), "{error}");
    }
    assert!(!dir.path().join("n").exists(), "nothing was called");
}

#[test]
fn the_arrows_of_a_workflow_are_the_same_program() {
    let dir = folder();
    write(dir.path(), "workflow.toml", RELEASE);
    let arrows = aivm(dir.path(), &["fmt", "--to", "aivm", "workflow.toml"]);
    write(dir.path(), "arrows.aivm", &String::from_utf8_lossy(&arrows.stdout));
    let module = |file: &str| String::from_utf8_lossy(&aivm(dir.path(), &["disasm", file]).stdout).into_owned();
    assert_eq!(module("workflow.toml"), module("arrows.aivm"));
    assert!(module("arrows.aivm").contains("concurrent 1"), "one step after the other");
}

#[test]
fn as_many_steps_run_at_once_as_the_file_says() {
    let dir = folder();
    // Two steps that each wait until both have begun.
    let meet = |n: u32| {
        format!(
            "[steps.s{n}]\nrun = \"cat >/dev/null; touch b{n}; for i in $(seq 100); do test -e b1 -a -e b2 && exit 0; sleep 0.05; done; exit 1\"\n"
        )
    };
    let text = [meet(1), meet(2)].concat();
    write(dir.path(), "workflow.toml", &format!("concurrency = 2\n{text}"));
    assert_eq!(run(dir.path(), "workflow.toml", &[])["status"], "sent");
    // One after the other, in written order, where the file does not say more; the first that fails ends the workflow.
    let text = "[steps.slow]\nrun = \"sleep 0.2; test ! -e x\"\n[steps.quick]\nrun = \"touch x; exit 3\"\n[steps.never]\nrun = \"touch y\"\n";
    write(dir.path(), "workflow.toml", text);
    let report = run(dir.path(), "workflow.toml", &[]);
    assert_eq!(report["status"], "failed", "{report}");
    assert_eq!(steps(&report)[0], "steps/slow#1 → next", "{report}");
    assert!(dir.path().join("x").exists() && !dir.path().join("y").exists());
}

#[test]
fn what_is_required_and_not_there_fails_before_any_step() {
    let dir = folder();
    let file = |programs: &str| format!("[requirements]\nprograms = [{programs}]\n[steps.a]\nrun = \"touch a; cat\"\n");
    write(dir.path(), "workflow.toml", &file("\"sh\", \"no-such-program\", \"sort >= 999.1\""));
    let report = run(dir.path(), "workflow.toml", &[]);
    assert_eq!(report["status"], "failed", "{report}");
    let error = report["steps"][0]["error"]["message"].as_str().unwrap_or("");
    assert!(
        error.contains("no-such-program is not there; sort is ") && error.contains("999.1 or newer is wanted"),
        "{report}"
    );
    assert!(!dir.path().join("a").exists(), "no step began");
    // What is there lets the input by.
    write(dir.path(), "workflow.toml", &file("\"sh\", \"sort >= 1.0\""));
    let out = aivm(dir.path(), &["run", "workflow.toml", "--ephemeral", "--in", "hello"]);
    assert!(String::from_utf8_lossy(&out.stdout).contains("hello"), "{out:?}");
}

/// A program that answers as the real one does: it has what `has` names, and says of all else what that says.
fn stands_in(dir: &Path, program: &str, asked: &str, has: &str, says: &str) {
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in\n*'{asked} {has}') echo '[]';;\n*) echo 'one more line' >&2; echo '{says}' >&2; exit 1;;\nesac\n"
    );
    let file = dir.join("bin").join(program);
    write(dir, &format!("bin/{program}"), &script);
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("it is executable");
}

#[test]
fn an_image_and_what_nix_has_are_asked_for_before_any_step() {
    let dir = folder();
    std::fs::create_dir(dir.path().join("bin")).expect("a folder");
    // Nothing of this machine's own is asked: these programs are all that a command finds, besides those of the shell.
    for program in ["sh", "cat", "touch", "tail", "printf", "test"] {
        let found =
            ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(program)).into_iter().find(|at| at.exists());
        std::os::unix::fs::symlink(found.expect("it is there"), dir.path().join("bin").join(program)).expect("a link");
    }
    let run = |requirement: &str| {
        write(
            dir.path(),
            "workflow.toml",
            &format!("[requirements]\n{requirement}\n[steps.a]\nrun = \"touch a; cat\"\n"),
        );
        let mut command = command(dir.path(), &["run", "workflow.toml", "--json", "--ephemeral"]);
        let report = json(&command.env("PATH", dir.path().join("bin")).output().expect("it runs"));
        let began = std::fs::remove_file(dir.path().join("a")).is_ok();
        assert_eq!(began, report["status"] == "sent", "{report}");
        report["steps"][0]["error"]["message"].as_str().unwrap_or("").to_owned()
    };
    let error = run("container = \"debian:12\"");
    assert!(error.contains("neither docker nor podman is there, which would have the image debian:12"), "{error}");
    let error = run("nix = \"nixpkgs#jq\"");
    assert!(error.contains("nix is not there"), "{error}");
    // Podman is asked where there is no Docker.
    stands_in(dir.path(), "podman", "image inspect", "debian:12", "Error: debian:11: image not known");
    assert_eq!(run("container = \"debian:12\""), "");
    let error = run("container = \"debian:11\"");
    let expected =
        "podman shows no image debian:11 (Error: debian:11: image not known): get it by podman pull debian:11";
    assert!(error.contains(expected), "{error}");
    stands_in(
        dir.path(),
        "docker",
        "image inspect",
        "debian:11",
        "Error response from daemon: No such image: debian:12",
    );
    assert_eq!(run("container = \"debian:11\""), "");
    let error = run("container = \"debian:12\"");
    assert!(error.contains("docker shows no image debian:12 (Error response from daemon: No such image"), "{error}");
    stands_in(dir.path(), "nix", "path-info", "nixpkgs#jq", "error: path is not valid");
    assert_eq!(run("nix = \"nixpkgs#jq\"\ncontainer = \"debian:11\""), "");
    // All that is not there is told at once.
    let error = run("nix = \"nixpkgs#yq\"\ncontainer = \"debian:12\"\nprograms = [\"no-such-program\"]");
    let parts = [
        "no-such-program is not there; docker shows",
        "; nix has no nixpkgs#yq (error: path is not valid): get it by nix build nixpkgs#yq",
    ];
    assert!(parts.iter().all(|part| error.contains(part)), "{error}");
}

#[test]
fn ten_thousand_steps_fit_into_a_program() {
    let dir = folder();
    let step = |n: u32| {
        let needs: Vec<String> =
            [1, 7, 30].iter().filter_map(|back| Some(format!("\"s{}\"", n.checked_sub(*back)?))).collect();
        format!("[steps.s{n}]\nrun = \"echo {n}\"\neffect = \"read\"\nneeds = [{}]\n", needs.join(", "))
    };
    write(dir.path(), "workflow.toml", &(0..10_000).map(step).collect::<String>());
    let began = std::time::Instant::now();
    assert_eq!(aivm(dir.path(), &["compile", "workflow.toml"]).status.code(), Some(0));
    // A release takes a tenth of it; what would be quadratic takes minutes.
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

const PACKAGE: &str = r#"
[steps.build]
run = "mkdir -p dist; cat > dist/app.tar; head -c 100000 /dev/zero > dist/large.tar; ln -sf /etc/passwd dist/link.tar; echo built"
effect = "idempotent"
[steps.test]
run = "cat > report.md; echo tested"
effect = "idempotent"
needs = ["build"]
[artifacts.package]
path = "dist/*.tar"
retention = "30 days"
from = "build"
[artifacts.report]
path = ["report.md"]
retention = "1s"
[artifacts.notes]
path = "notes"
required = false
"#;

/// The values that say themselves how long they are kept: their paths and that.
fn kept(dir: &Path) -> Vec<(String, String)> {
    let listed = json(&aivm(dir, &["artifact", "ls", "--role", "artifact", "--json"]));
    let of = |entry: &Value| {
        let shown = json(&aivm(dir, &["artifact", "show", entry["checksum"].as_str().expect("a checksum")]));
        let said = |key: &str| shown["attributes"][key].as_str().unwrap_or_else(|| panic!("{shown}")).to_owned();
        (said("part"), said("retention"))
    };
    let mut all: Vec<_> = listed["artifacts"].as_array().expect("a list").iter().map(of).collect();
    all.sort();
    all
}

#[test]
fn artifacts_are_kept_as_long_as_the_file_says_and_no_longer() {
    let dir = folder();
    write(dir.path(), "workflow.toml", PACKAGE);
    let out = aivm(dir.path(), &["run", "workflow.toml", "--in", "hello"]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(out.status.code(), Some(0), "{out:?}");
    assert!(text.contains("── artifacts/package/dist/app.tar\nhello\n"), "{text}");
    assert!(text.contains("── artifacts/report/report.md\nbuilt\n"), "{text}");
    assert!(!text.contains("root:") && !text.contains("notes"), "no link is followed: {text}");
    let pair = |path: &str, retention: &str| (path.to_owned(), retention.to_owned());
    let package = [pair("dist/app.tar", "30d"), pair("dist/large.tar", "30d")];
    let all = [&package[..], &[pair("report.md", "1s")]].concat();
    assert_eq!(kept(dir.path()), all);
    // The run goes; of its values those stay whose time has not come.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let done = json(&aivm(dir.path(), &["gc", "--older-than", "0s", "--json"]));
    assert_eq!((done["runs"].as_array().map(Vec::len), done["outlive"].as_u64()), (Some(1), Some(2)), "{done}");
    assert_eq!(kept(dir.path()), package);
    aivm(dir.path(), &["gc", "--scope", "run", "--older-than", "0s"]);
    assert_eq!(kept(dir.path()), package, "they are not meant");
    aivm(dir.path(), &["gc", "--role", "artifact", "--older-than", "0s"]);
    assert_eq!(kept(dir.path()), []);
}

#[test]
fn an_artifact_that_is_not_there_fails_the_workflow() {
    let dir = folder();
    write(
        dir.path(),
        "workflow.toml",
        "[steps.a]\nrun = \"cat\"\n[artifacts.b]\npath = [\"workflow.toml\", \"dist/*\"]\n",
    );
    let report = run(dir.path(), "workflow.toml", &[]);
    assert_eq!(report["status"], "failed", "{report}");
    assert!(report.to_string().contains("E0726") && report.to_string().contains("there is no `dist/*`"), "{report}");
    // What leads elsewhere is told before anything runs.
    write(dir.path(), "workflow.toml", "[steps.a]\nrun = \"cat\"\n[artifacts.b]\npath = \"../x\"\n");
    let told = aivm(dir.path(), &["check", "workflow.toml"]);
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("leads out of a folder") && told.contains("workflow.toml:4"), "{told}");
}

#[test]
fn a_step_may_work_in_a_copy_or_in_a_folder() {
    let dir = folder();
    let text = r#"
[actions.trial]
run = "cat > /dev/null; touch trace; ls"
effect = "idempotent"
workspace = "ephemeral"
[steps.try]
uses = "trial"
[steps.keep]
uses = "trial"
workspace = "kept/here"
needs = ["try"]
[artifacts.traces]
path = "**/trace"
from = "keep"
"#;
    write(dir.path(), "workflow.toml", text);
    let out = aivm(dir.path(), &["run", "workflow.toml"]);
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    let expected = "── try\ntrace\nworkflow.toml\n── keep\ntrace\n── artifacts/traces/kept/here/trace\n\n";
    assert_eq!(said, expected, "{out:?}");
    write(dir.path(), "workflow.toml", &text.replace("from = \"keep\"", "from = \"try\""));
    let said = String::from_utf8_lossy(&aivm(dir.path(), &["check", "workflow.toml"]).stderr).into_owned();
    assert!(said.contains("E1008") && said.contains("workflow.toml:14"), "{said}");
}

#[test]
fn steps_share_the_machine() {
    let dir = folder();
    // Each asks for more processors than there are, or more memory: so each has them alone, whatever runs at once.
    for takes in ["cpu = 1000", "memory = \"999999GB\""] {
        let mut text = "concurrency = 3\n".to_owned();
        for name in ["a", "b", "c"] {
            text += &format!(
                "[steps.{name}]\nrun = \"echo begins >> log; sleep 0.1; echo ends >> log\"\neffect = \"idempotent\"\nresources = {{ {takes} }}\n"
            );
        }
        write(dir.path(), "workflow.toml", &text);
        write(dir.path(), "log", "");
        let out = aivm(dir.path(), &["run", "workflow.toml"]);
        assert!(out.status.success(), "{out:?}");
        let log = std::fs::read_to_string(dir.path().join("log")).expect("a log");
        assert_eq!(log, "begins\nends\n".repeat(3), "{takes}");
        // Without it they run at once.
        write(dir.path(), "workflow.toml", &text.replace(&format!("resources = {{ {takes} }}\n"), ""));
        write(dir.path(), "log", "");
        assert!(aivm(dir.path(), &["run", "workflow.toml"]).status.success());
        let log = std::fs::read_to_string(dir.path().join("log")).expect("a log");
        assert!(log.starts_with("begins\nbegins\n"), "{log}");
    }
    write(dir.path(), "workflow.toml", "[steps.a]\nrun = \"cat\"\nresources = { cpu = 0 }\n");
    let told = String::from_utf8_lossy(&aivm(dir.path(), &["check", "workflow.toml"]).stderr).into_owned();
    assert!(told.contains("no number of processors") && told.contains("workflow.toml:3"), "{told}");
}

#[test]
fn a_step_that_may_fail_is_needed_all_the_same() {
    let dir = folder();
    let text = r#"
[steps.first]
run = "cat; echo first"
[steps.alone]
run = "exit 4"
on_failure = "continue"
[steps.bad]
run = "exit 4"
on_failure = "continue"
needs = ["first"]
[steps.twice]
run = "echo x >> tries; exit 4"
effect = "idempotent"
backoff = { wait = "1ms" }
on_failure = "continue"
needs = ["first"]
when = "1 == 1"
retry = 1
[steps.left-out]
run = "exit 4"
on_failure = "continue"
needs = ["first"]
when = "1 == 2"
[steps.after]
run = "cat; echo after"
needs = ["bad"]
[steps.also]
run = "cat; echo also"
needs = ["twice"]
[steps.too]
run = "cat; echo too"
needs = ["left-out"]
"#;
    write(dir.path(), "workflow.toml", text);
    let out = aivm(dir.path(), &["run", "workflow.toml", "--in", "hi"]);
    assert!(out.status.success(), "{out:?}");
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    for part in [
        "── alone\nhi\n",
        "── bad\nhifirst\n",
        "── twice\nhifirst\n",
        "── left-out\nhifirst\n",
        "── after\nhifirst\nafter\n",
        "── also\nhifirst\nalso\n",
        "── too\nhifirst\ntoo\n",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    assert_eq!(std::fs::read_to_string(dir.path().join("tries")).expect("tries"), "x\nx\n");
}

#[test]
fn a_condition_that_names_what_there_is_not_is_refused_before_anything_runs() {
    let dir = folder();
    for (condition, named) in [("params.zz == 1", "zz"), ("steps.zz.output == 1", "zz"), ("steps.b.output == 1", "b")] {
        let text = format!("[steps.b]\nrun = \"cat\"\n[steps.a]\nrun = \"cat\"\nwhen = \"{condition}\"\n");
        write(dir.path(), "workflow.toml", &text);
        let told = String::from_utf8_lossy(&aivm(dir.path(), &["check", "workflow.toml"]).stderr).into_owned();
        assert!(told.contains("workflow.toml:5") && told.contains(named), "{told}");
    }
}

#[test]
fn no_error_hides_another_and_none_makes_another() {
    let dir = folder();
    let text = r#"
[parameters.stage]
type = "choice"
choices = ["a", "b"]
default = "c"
[actions.say]
run = "true"
retry = "often"
[steps.build]
run = "make"
retyr = 2
[steps.test]
uses = "say"
needs = ["biuld"]
when = "steps.build.output == params.stag"
[steps.place]
run = "true"
workspace = "../x"
until = "steps.place.output =="
max_iterations = 0
[steps.look]
uses = "reed"
[steps.read]
uses = "read"
inputs = { pth = "a" }
[artifacts.all]
path = "/etc/passwd"
from = "build"
"#;
    let expected = [
        "5: `[parameters.stage]`: `c` is not one of `a`, `b`",
        "8: `retry` of `[actions.say]`: it takes a whole number from 0 to 65535, not the text \"often\"",
        "11: `[steps.build]` has no key `retyr`",
        "14: `test` needs `biuld`, and no step has this name",
        "15: `when` of `test` names `stag`, and there is no such parameter; did you mean `stage`?",
        "19: `until` of `place` is no condition in CEL",
        "20: `max_iterations` of `[steps.place]`: it takes a whole number from 1 to 65535, not `0`",
        "22: nothing is called `reed`",
        "25: `[steps.read]`: `read` has no setting `pth`; did you mean `path`?",
        "27: `path` of `[artifacts.all]`: `/etc/passwd` is absolute",
    ];
    let found = told(dir.path(), "workflow.toml", text);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
    // What a step is laid together of is told at the key that it is about, of an action at the step.
    let text = "[actions.a]\nrun = \"x\"\neffect = \"pure\"\n[steps.b]\nrun = \"x\"\nworkspace = \"../x\"\n[steps.c]\nuses = \"a\"\nworkspace = \"ephemeral\"\n";
    let expected =
        ["6: `[steps.b]`: `../x` cannot be the `workspace`", "9: `[steps.c]`: `workspace` contradicts `effect"];
    let found = told(dir.path(), "workflow.toml", text);
    assert!(found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected)), "{found:#?}");
    // Whatever a step is called that has no name, another may mean it.
    let text = "[[steps]]\nrun = \"x\"\n[[steps]]\nid = \"b\"\nrun = \"x\"\nneeds = [\"a\"]\n";
    assert_eq!(told(dir.path(), "workflow.toml", text), ["1: step 1 of `[[steps]]` has no `id`"]);
}

#[test]
fn the_end_of_a_run_says_why() {
    let dir = folder();
    let text = "[steps.again]\nrun = \"echo no\"\nuntil = \"steps.again.output == 'yes'\"\nmax_iterations = 3\n";
    write(dir.path(), "workflow.toml", text);
    let told = stderr(&aivm(dir.path(), &["run", "workflow.toml", "--ephemeral"]));
    let last =
        "error[E0703] at again/again-until#3: no outcome is left: `back` would begin round 4, and its count allows 3";
    assert!(told.contains(last), "{told}");
    write(
        dir.path(),
        "workflow.toml",
        "[steps.ship]\nrun = \"echo bad >&2; exit 3\"\nretry = 2\nbackoff = { wait = \"1ms\" }\n",
    );
    let told = stderr(&aivm(dir.path(), &["run", "workflow.toml", "--ephemeral"]));
    let last = "no outcome is left: `retry` was taken 2 times (E0717, as told above)\n";
    assert!(told.contains(last), "{told}");
}
