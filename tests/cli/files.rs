//! Files, names and pages: what the commands make of a name, what they write, and what they show of it.

use super::{SHOUT, aivm, folder, json, stderr, write};
use std::collections::BTreeSet;
use std::path::Path;

const PLAIN: &str = "out <= ( switch <= ( clean => send ) ) <= in\n";

#[test]
fn a_graph_is_drawn_as_the_name_of_its_file_says() {
    let dir = folder();
    write(dir.path(), "p.aivm", PLAIN);
    let drawn = |args: &[&str]| {
        let output = aivm(dir.path(), &[&["graph", "p.aivm", "-o"], args].concat());
        (output.status.code(), std::fs::read(dir.path().join(args[0])).unwrap_or_default())
    };
    for (name, begin) in [
        ("g.svg", &b"<svg"[..]),
        ("g", b"<svg"),
        ("g.PNG", b"\x89PNG"),
        ("g.dot", b"digraph"),
        ("g.gv", b"digraph"),
        ("g.mmd", b"flowchart"),
        ("g.txt", b"program"),
    ] {
        let (code, bytes) = drawn(&[name]);
        assert_eq!(code, Some(0), "{name}");
        assert!(bytes.starts_with(begin), "{name}: {}", String::from_utf8_lossy(&bytes));
    }
    assert_eq!(drawn(&["g.jpg"]), (Some(2), Vec::new()));
    assert!(drawn(&["h.jpg", "--format", "dot"]).1.starts_with(b"digraph"), "what is asked for goes before the name");
}

#[test]
fn a_module_is_told_from_a_source() {
    let dir = folder();
    write(dir.path(), "p.aivm", PLAIN);
    assert!(aivm(dir.path(), &["compile", "p.aivm"]).status.success());
    std::fs::copy(dir.path().join("p.aivmc"), dir.path().join("other.aivm")).expect("a copy");
    for file in ["p.aivmc", "other.aivm"] {
        for command in ["check", "cost", "fmt", "graph", "compile"] {
            let output = aivm(dir.path(), &[command, file]);
            assert_eq!(output.status.code(), Some(2), "{command} {file}");
            assert!(stderr(&output).contains("E0817"), "{command} {file}: {}", stderr(&output));
        }
    }
}

#[test]
fn the_same_source_compiles_to_the_same_bytes() {
    let dir = folder();
    write(dir.path(), "p.aivm", SHOUT);
    for more in [&[][..], &["--strip"]] {
        let compiled = |name: &str| {
            assert!(aivm(dir.path(), &[&["compile", "p.aivm", "-o", name], more].concat()).status.success());
            std::fs::read(dir.path().join(name)).expect("a module")
        };
        assert_eq!(compiled("a.aivmc"), compiled("b.aivmc"), "{more:?}");
    }
    let run = aivm(dir.path(), &["run", "a.aivmc", "--in", "x", "--ephemeral"]);
    assert_eq!(run.stdout, b"X\n", "{}", stderr(&run));
}

#[test]
fn what_was_misspelt_is_named_and_nothing_far_from_it() {
    let dir = folder();
    write(dir.path(), "sub/pipeline.aivm", PLAIN);
    write(dir.path(), "sub/pipelin.md", "");
    for (args, hint) in [
        (&["check", "sub/pipline.aivm"][..], Some("did you mean sub/pipeline.aivm?")),
        (&["check", "sub/other.aivm"], None),
        (&["run", "sub/pipeline.aivm", "--ephemerl"], Some("'--ephemeral'")),
        (&["chek", "sub/pipeline.aivm"], Some("'check'")),
        (&["worker", "show", "cleen"], Some("did you mean `clean`?")),
        (&["worker", "show", "nope"], None),
        (&["worker", "show", "a"], None),
        (&["try", "fix-untill-green"], Some("did you mean `fix-until-green`?")),
    ] {
        let output = aivm(dir.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        match hint {
            Some(hint) => assert!(stderr(&output).contains(hint), "{args:?}: {}", stderr(&output)),
            None => assert!(!stderr(&output).contains("did you mean"), "{args:?}: {}", stderr(&output)),
        }
    }
}

#[test]
fn help_is_there_both_ways() {
    let dir = folder();
    for command in [&[][..], &["run"], &["graph"], &["worker"], &["worker", "show"]] {
        let one = aivm(dir.path(), &[&["help"], command].concat());
        let other = aivm(dir.path(), &[command, &["--help"]].concat());
        assert!(one.status.success() && !one.stdout.is_empty(), "{command:?}: {}", stderr(&one));
        assert_eq!(one.stdout, other.stdout, "{command:?}");
    }
}

#[test]
fn every_command_takes_json() {
    let dir = folder();
    write(dir.path(), "p.aivm", SHOUT);
    write(dir.path(), "p.asm", "");
    let key = "ab".repeat(32);
    let run = json(&aivm(dir.path(), &["run", "p.aivm", "--in", "x", "--json"]));
    let output = run["output"]["checksum"].as_str().expect("a checksum");
    for line in [
        "try race",
        "try --list",
        "try race --copy copied",
        "check p.aivm",
        "fmt p.aivm",
        "fmt --check p.aivm",
        "cost p.aivm",
        "graph p.aivm",
        "graph p.aivm -o p.png",
        "explain",
        "explain E0104",
        "compile p.aivm",
        "disasm p.aivm",
        "asm p.asm",
        "worker ls",
        "worker show clean",
        "artifact ls",
        &format!("artifact show {output}"),
        &format!("artifact cat {output}"),
        &format!("artifact lineage {output}"),
        "keys new",
        &format!("keys sign {output}"),
        &format!("keys trust you {key}"),
        "keys ls",
        "config show",
        "doctor",
        "completions fish",
    ] {
        let args: Vec<&str> = line.split(' ').chain(["--json"]).collect();
        let output = aivm(dir.path(), &args);
        assert!(output.stdout.starts_with(b"{"), "{line}: {}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(json(&output)["v"], 1, "{line}");
    }
}

#[test]
fn artifacts_are_listed_in_lines_that_fit() {
    let dir = folder();
    let label = "label_that_is_long".repeat(5);
    let text = format!("out <= ( switch[{label}] <= ( clean => next  sort => next  format => next ) ) <= in\n");
    write(dir.path(), "p.aivm", &text);
    let report = json(&aivm(dir.path(), &["run", "p.aivm", "--in", "hello  ", "--json"]));
    let run = report["run"].as_str().expect("a run");
    let listed = String::from_utf8(aivm(dir.path(), &["artifact", "ls"]).stdout).expect("text");
    assert!(listed.lines().count() >= 4 && listed.lines().all(|line| line.chars().count() <= 100), "{listed}");
    assert!(listed.contains("clean") && listed.contains(run) && listed.contains("text/plain"), "{listed}");
    // Two runs begin alike: with nothing.
    assert!(aivm(dir.path(), &["run", "p.aivm", "--in", "x"]).status.success());
    let several = stderr(&aivm(dir.path(), &["graph", "--run", ""]));
    assert!(several.contains("E0813") && several.contains(run), "{several}");
    let several = stderr(&aivm(dir.path(), &["artifact", "show", ""]));
    assert!(several.contains("E0831") && several.contains(&listed.lines().nth(1).expect("a row")[..12]), "{several}");
}

/// What `worker show` says of a word.
fn shown(folder: &Path, word: &str) -> String {
    let output = aivm(folder, &["worker", "show", word]);
    assert!(output.status.success(), "{word}: {}", stderr(&output));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn every_word_is_shown_with_one_sentence_its_settings_and_an_example_that_compiles() {
    let dir = folder();
    let workers = json(&aivm(dir.path(), &["worker", "ls", "--json"]));
    let mut programs = BTreeSet::new();
    for row in workers["workers"].as_array().expect("words") {
        let text = |key: &str| row[key].as_str().expect("a text");
        let (word, shown) = (text("word"), shown(dir.path(), text("word")));
        let flowing = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(flowing.matches(text("about")).count(), 1, "{shown}");
        assert!(!shown.contains("```") && !shown.contains("| --- |\n|") && !shown.contains("\n## "), "{shown}");
        // What reaches outside has no example that says what it answers.
        if text("kind") != "builtin" {
            let asked =
                ["asks a model", "asks a server"].iter().any(|asked| shown.contains(asked) && shown.contains("--mock"));
            assert!(asked || shown.contains("its definition\n"), "{shown}");
            continue;
        }
        assert!(shown.contains("settings\n"), "{shown}");
        let example = shown.split_once("\nexample\n").expect("an example").1;
        assert!(
            example.contains("\ninput") && (example.contains("\noutput") || example.contains("\nfails")),
            "{shown}"
        );
        let program: String = example
            .lines()
            .take_while(|line| line.is_empty() || line.starts_with("  "))
            .map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line)))
            .collect();
        let name = format!("{word}-example.aivm");
        write(dir.path(), &name, &program);
        programs.insert(name);
    }
    let checked: Vec<&str> = ["check"].into_iter().chain(programs.iter().map(String::as_str)).collect();
    let checked = aivm(dir.path(), &checked);
    assert!(checked.status.success(), "{}", stderr(&checked));
}

#[test]
fn a_built_in_that_lacks_a_setting_says_what_to_write() {
    let dir = folder();
    write(dir.path(), "p.aivm", "out <= ( switch <= ( read => send ) ) <= in\n");
    let said = stderr(&aivm(dir.path(), &["check", "p.aivm"]));
    assert!(said.contains("`path` of `read` has to be set: `builtin = \"read\"`, `with = { path = … }`"), "{said}");
}

#[test]
fn a_worker_of_the_project_is_shown_as_it_is() {
    let dir = folder();
    let workers =
        "[worker.write]\nrun = \"cat > x\"\n[worker.clean]\nbuiltin = \"sort\"\nabout = \"Not the library's.\"\n";
    write(dir.path(), "aivm.toml", workers);
    write(dir.path(), "workers/judge.md", "Is it good?\n");
    assert!(shown(dir.path(), "write").starts_with("write: A command.\n"));
    let sort = shown(dir.path(), "clean");
    assert!(sort.starts_with("clean: Not the library's.\n") && sort.contains("numeric"), "{sort}");
    let judge = shown(dir.path(), "judge");
    assert!(judge.contains("asks a model") && judge.contains("Is it good?"), "{judge}");
}

#[test]
fn looking_makes_no_store() {
    let dir = folder();
    for line in [
        "runs",
        "gc",
        "gc --dry-run",
        "show x",
        "logs x",
        "why x y",
        "diff x y",
        "verify x",
        "export x",
        "graph --run x",
        "artifact ls",
        "artifact cat 00",
        "resume x",
        "resume --all",
        "settle x y happened",
        "approve x",
        "cancel x",
        "rollback x --plan",
        "fork x --at y",
        "upgrade x p.aivm",
        "doctor",
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        let code = aivm(dir.path(), &args).status.code();
        let expected = if line.contains(" x") || line.contains("cat") { Some(2) } else { Some(0) };
        assert_eq!(code, expected, "{line}");
        assert_eq!(std::fs::read_dir(dir.path()).expect("there").count(), 0, "{line}");
    }
}

/// Lets everybody look into a folder, and nobody but its owner write.
fn open_to_look(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("its mode");
    };
    for entry in std::fs::read_dir(folder).expect("there").flatten() {
        match entry.path().is_dir() {
            true => open_to_look(&entry.path()),
            false => mode(&entry.path(), 0o444),
        }
    }
    mode(folder, 0o555);
}

#[test]
fn a_store_that_may_not_be_written_can_be_looked_at() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    let dir = folder();
    let program =
        "+++\n[worker.ask]\nhuman = \"Well?\"\n+++\nout <= ( switch <= ( clean => next  ask => send ) ) <= in\n";
    write(dir.path(), "at/p.aivm", program);
    let at = dir.path().join("at");
    assert_eq!(aivm(&at, &["run", "p.aivm", "--id", "waits", "--in", "x", "-q"]).status.code(), Some(4));
    // Whoever may do everything may write everything: then it is somebody else who looks.
    let root = std::fs::metadata(&at).expect("there").uid() == 0;
    let binary = dir.path().join("aivm");
    std::fs::copy(env!("CARGO_BIN_EXE_aivm"), &binary).expect("copied");
    open_to_look(&at);
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).expect("its mode");
    let look = |args: &[&str]| {
        let mut command = std::process::Command::new(&binary);
        command
            .args(args)
            .current_dir(&at)
            .env_remove("AIVM_STATE")
            .env("HOME", "/nonexistent")
            .env("AIVM_SANDBOX", "none");
        if root {
            command.uid(65_534).gid(65_534);
        }
        // Another test that begins a process at this moment holds the copy open for writing.
        loop {
            match command.output() {
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
                output => break output.expect("aivm runs"),
            }
        }
    };
    let before = std::fs::read_dir(at.join(".aivm")).expect("there").count();
    for line in ["runs", "show waits", "logs waits", "verify waits", "export waits -o -", "artifact ls", "gc --dry-run"]
    {
        let args: Vec<&str> = line.split(' ').collect();
        let looked = look(&args);
        assert_eq!(looked.status.code(), Some(0), "{line}: {}", stderr(&looked));
        assert!(!looked.stdout.is_empty(), "{line}");
    }
    let listed = look(&["artifact", "ls"]).stdout;
    let refused = look(&["resume", "waits"]);
    assert_eq!(refused.status.code(), Some(3), "{}", stderr(&refused));
    assert_eq!(std::fs::read_dir(at.join(".aivm")).expect("there").count(), before);
    let open_again = |path: &Path| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    };
    for path in ["", ".aivm", ".aivm/runs"] {
        open_again(&at.join(path));
    }
    std::fs::set_permissions(at.join(".aivm/store.db"), std::fs::Permissions::from_mode(0o600)).expect("its mode");
    let owner = aivm(&at, &["artifact", "ls"]);
    assert_eq!(owner.stdout, listed, "also what was not in the index yet: {}", stderr(&owner));
}
