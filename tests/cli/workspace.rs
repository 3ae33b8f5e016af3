//! Where commands work: in the workspace of the run, in a folder of it, in a copy of it for one call.

use super::*;
use std::path::PathBuf;
use std::time::Duration;

/// A program of these commands, one after the other, each with these settings.
fn program(steps: &[(&str, &str, &str)]) -> String {
    let worker =
        |(name, settings, run): &(&str, &str, &str)| format!("[worker.{name}]\n{settings}\nrun = '''{run}'''\n");
    let workers: String = steps.iter().map(worker).collect();
    let names: Vec<String> = steps.iter().map(|(name, ..)| format!("{name} => next")).collect();
    format!("+++\n{workers}+++\nout <= ( switch <= ( {} ) ) <= in\n", names.join("  "))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// The folders of calls that are there.
fn calls(dir: &Path) -> Vec<PathBuf> {
    entries(&dir.join(".aivm/steps")).iter().flat_map(|run| entries(run)).collect()
}

/// Runs the program of a folder, its commands held by this means.
fn run(dir: &Path, means: &str) -> Output {
    command(dir, &["run", "p.aivm"]).env("AIVM_SANDBOX", means).output().expect("aivm runs")
}

/// What can hold a command on this machine.
fn means() -> Vec<&'static str> {
    let dir = folder();
    write(dir.path(), "p.aivm", &program(&[("held", "effect = \"pure\"", "cat")]));
    let all = ["bwrap", "landlock"].into_iter().filter(|means| run(dir.path(), means).status.success());
    let all: Vec<_> = all.collect();
    if all.is_empty() {
        eprintln!("skipped: nothing holds a command here");
    }
    all
}

#[test]
fn what_a_command_writes_in_its_copy_nobody_sees() {
    let dir = folder();
    write(dir.path(), "src/a.txt", "from the workspace\n");
    write(dir.path(), ".git/config", "not copied");
    write(dir.path(), ".hidden", "copied");
    std::os::unix::fs::symlink("src/a.txt", dir.path().join("link")).expect("a link");
    let copy = "cat link; ls -A | tr '\\n' ' '; echo changed > src/a.txt; mkdir -p deep/er; touch deep/er/x new; chmod 500 deep/er deep 2> /dev/null || true";
    let look = "cat; cat src/a.txt; test ! -e new && test ! -e deep";
    let all = means().into_iter().chain(["none"]).flat_map(|means| [(means, "idempotent"), (means, "read")]);
    for (means, effect) in all {
        let settings = format!("effect = \"{effect}\"\nworkspace = \"ephemeral\"");
        let text = program(&[("copy", &settings, copy), ("look", "effect = \"read\"", look)]);
        write(dir.path(), "p.aivm", &text);
        let out = run(dir.path(), means);
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        assert_eq!(out.status.code(), Some(0), "{means} {effect}: {out:?}");
        assert_eq!(said, "from the workspace\n.hidden link p.aivm src from the workspace\n", "{effect}");
        assert_eq!(calls(dir.path()), [] as [PathBuf; 0], "{effect}");
    }
}

#[test]
fn a_command_that_fails_or_is_late_leaves_no_copy() {
    let dir = folder();
    for (run, code) in [("touch new; exit 3", 1), ("touch new; sleep 60", 5)] {
        let settings = "effect = \"idempotent\"\nworkspace = \"ephemeral\"\ntimeout = \"300ms\"";
        write(dir.path(), "p.aivm", &program(&[("copy", settings, run)]));
        let out = aivm(dir.path(), &["run", "p.aivm"]);
        assert_eq!(out.status.code(), Some(code), "{out:?}");
        assert!(!dir.path().join("new").exists() && calls(dir.path()).is_empty(), "{run}");
    }
}

#[test]
fn the_copy_of_a_call_that_was_killed_goes_when_its_run_is_resumed() {
    let (dir, outside) = (folder(), folder());
    write(outside.path(), "hold", "");
    let wait = "touch mine; while [ -e $AIVM_STEP_WITH_AT/hold ]; do sleep 0.02; done; echo done";
    let at = outside.path().display();
    let settings = format!(
        "effect = \"read\"\nworkspace = \"ephemeral\"\nwith = {{ at = \"{at}\" }}\nsandbox = {{ read = [\"{at}\"] }}"
    );
    write(dir.path(), "p.aivm", &program(&[("copy", &settings, wait)]));
    let mut run = command(dir.path(), &["run", "p.aivm", "--id", "killed", "-q"]).spawn().expect("aivm runs");
    let has_begun = || calls(dir.path()).iter().any(|call| call.join("workspace/mine").exists());
    while !has_begun() {
        std::thread::sleep(Duration::from_millis(5));
    }
    run.kill().expect("it is killed");
    run.wait().expect("it is gone");
    assert!(has_begun(), "the copy is still there");
    std::fs::remove_file(outside.path().join("hold")).expect("nothing waits any more");
    let resumed = aivm(dir.path(), &["resume", "killed"]);
    assert!(resumed.status.success(), "{resumed:?}");
    assert!(calls(dir.path()).is_empty() && !dir.path().join("mine").exists());
}

#[test]
fn a_folder_of_the_workspace_is_made_and_is_all_that_is_written() {
    let dir = folder();
    write(dir.path(), "shared.txt", "around\n");
    let work = "cat ../../shared.txt; touch made; for f in ../../shared.txt ../b; do (echo no > $f) 2>/dev/null || echo refused; done";
    let settings = "effect = \"idempotent\"\nworkspace = \"packages/a\"";
    write(dir.path(), "p.aivm", &program(&[("work", settings, work)]));
    for means in means() {
        let out = run(dir.path(), means);
        assert_eq!(String::from_utf8_lossy(&out.stdout), "around\nrefused\nrefused\n", "{means}: {out:?}");
        std::fs::remove_file(dir.path().join("packages/a/made")).expect("it was made");
        assert!(!dir.path().join("packages/b").exists(), "{means}");
    }
    // A link is not followed, wherever it leads.
    let elsewhere = folder();
    let _ = std::fs::remove_dir_all(dir.path().join("packages"));
    std::os::unix::fs::symlink(elsewhere.path(), dir.path().join("packages")).expect("a link");
    let out = aivm(dir.path(), &["run", "p.aivm"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code() == Some(1) && said.contains("E0727"), "{said}");
    assert!(entries(elsewhere.path()).is_empty());
    for (path, why) in [("../a", "without `..`"), ("/tmp", "relative"), ("a/.git", "may not touch"), (".", "no folder")]
    {
        write(dir.path(), "p.aivm", &program(&[("work", &format!("workspace = \"{path}\""), "true")]));
        let said = String::from_utf8_lossy(&aivm(dir.path(), &["check", "p.aivm"]).stderr).into_owned();
        assert!(said.contains(why), "{path}: {said}");
    }
}

#[test]
fn a_link_of_a_copy_leads_into_the_copy_or_where_it_led() {
    let (dir, outside, other) = (folder(), folder(), folder());
    let root = dir.path().canonicalize().expect("a path");
    write(dir.path(), "src/a.txt", "mine\n");
    write(outside.path(), "b.txt", "theirs\n");
    let link = |to: &Path, at: &str| {
        std::os::unix::fs::symlink(to, dir.path().join(at)).expect("a link");
    };
    std::os::unix::fs::symlink(&root, other.path().join("alias")).expect("a link");
    let up = root.components().skip(1).map(|_| "..").collect::<PathBuf>();
    let theirs = outside.path().canonicalize().expect("a path").join("b.txt");
    link(&root.join("src/a.txt"), "absolute");
    link(&root.join("src/../src/./a.txt"), "src/winding");
    link(&other.path().join("alias/src/a.txt"), "src/aliased");
    link(&root, "src/whole");
    link(Path::new("a.txt"), "src/relative");
    link(&theirs, "out");
    link(&up.join(theirs.strip_prefix("/").expect("absolute")), "up");
    link(Path::new("nowhere"), "dangling");
    let work = "for f in absolute src/winding src/aliased src/whole/src/a.txt src/relative; do cat $f; echo changed > $f; echo mine > src/a.txt; done; cat out up; readlink dangling";
    write(dir.path(), "p.aivm", &program(&[("work", "effect = \"idempotent\"\nworkspace = \"ephemeral\"", work)]));
    let out = run(dir.path(), "none");
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(said, format!("{}theirs\ntheirs\nnowhere\n", "mine\n".repeat(5)), "{out:?}");
    assert_eq!(std::fs::read_to_string(dir.path().join("src/a.txt")).expect("it is there"), "mine\n");
}

#[test]
fn a_path_that_is_too_long_to_be_named_is_copied() {
    use rustix::fs::{Mode, OFlags, mkdirat, open, openat};
    let dir = folder();
    // Of 6,000 bytes, which is made and seen step by step alone.
    let (name, deep) = ("d".repeat(200), 30);
    let mut at = open(dir.path(), OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).expect("a folder");
    for _ in 0..deep {
        mkdirat(&at, &*name, Mode::RWXU).expect("made");
        at = openat(&at, &*name, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).expect("there");
    }
    drop(openat(&at, "deepest", OFlags::CREATE | OFlags::WRONLY, Mode::RWXU).expect("made"));
    let work = format!("for i in $(seq {deep}); do cd -P {name} || exit 1; done 2>/dev/null; ls");
    write(dir.path(), "p.aivm", &program(&[("work", "effect = \"read\"\nworkspace = \"ephemeral\"", &work)]));
    let out = run(dir.path(), "none");
    assert_eq!(String::from_utf8_lossy(&out.stdout), "deepest\n", "{out:?}");
    assert!(calls(dir.path()).is_empty(), "it goes as a whole");
}

#[test]
fn a_command_that_only_reads_makes_no_folder() {
    let dir = folder();
    let settings = |effect: &str| format!("effect = \"{effect}\"\nworkspace = \"packages/a\"");
    write(dir.path(), "p.aivm", &program(&[("work", &settings("read"), "pwd")]));
    let out = aivm(dir.path(), &["run", "p.aivm"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code() == Some(1) && said.contains("only reads makes no folder"), "{said}");
    assert!(!dir.path().join("packages").exists());
    std::fs::create_dir_all(dir.path().join("packages/a")).expect("made");
    let out = aivm(dir.path(), &["run", "p.aivm"]);
    assert!(out.status.success() && String::from_utf8_lossy(&out.stdout).ends_with("packages/a\n"), "{out:?}");
}
