//! Where programs come from: files, and files that are laid over them.

use super::{aivm, folder, json, stderr, stdout, write};

const BASE: &str = "[steps.greet]\nrun = \"echo hello\"\neffect = \"read\"\n[steps.ask]\nrun = \"cat\"\neffect = \"read\"\nneeds = [\"greet\"]\n";
const OVER: &str = "# of this place\n[steps.greet]\nrun = \"echo moin\"\n";

#[test]
fn a_file_is_laid_over_a_workflow_and_its_run_needs_it_no_more() {
    let dir = folder();
    write(dir.path(), "workflow.toml", BASE);
    write(dir.path(), "place.toml", OVER);
    let run = aivm(dir.path(), &["run", "workflow.toml", "--with", "place.toml", "--id", "here"]);
    assert_eq!(run.status.code(), Some(0), "{}{}", stdout(&run), stderr(&run));
    assert_eq!(stdout(&run), "── greet\nmoin\n── ask\nmoin\n");
    for file in ["place.toml", "workflow.toml"] {
        std::fs::remove_file(dir.path().join(file)).expect("gone");
    }
    assert!(stdout(&aivm(dir.path(), &["show", "here"])).contains("greet"));
    assert!(stdout(&aivm(dir.path(), &["graph", "--run", "here"])).contains("<svg"));
    let fork = aivm(dir.path(), &["fork", "here", "--at", "steps/ask#1"]);
    assert_eq!(fork.status.code(), Some(0), "{}{}", stdout(&fork), stderr(&fork));
    assert_eq!(stdout(&fork), stdout(&run));
}

#[test]
fn what_is_laid_over_counts_in_every_command() {
    let dir = folder();
    write(dir.path(), "workflow.toml", BASE);
    write(dir.path(), "place.toml", OVER);
    write(dir.path(), "more.toml", "[steps.third]\nrun = \"true\"\nneeds = [\"ask\"]\n");
    let with = ["workflow.toml", "--with", "place.toml", "--with", "more.toml"];
    let told = |command: &[&str]| {
        let output = aivm(dir.path(), &[command, &with].concat());
        assert_eq!(output.status.code(), Some(0), "{command:?} {}", stderr(&output));
        stdout(&output)
    };
    assert!(told(&["check"]).contains("3 calls"));
    assert!(told(&["cost"]).contains("steps/third"));
    assert!(told(&["graph", "--format", "text"]).contains("third"));
    assert!(told(&["fmt", "--to", "aivm"]).contains("moin"));
    told(&["compile", "-o", "whole.aivmc"]);
    let run = aivm(dir.path(), &["run", "whole.aivmc"]);
    assert!(stdout(&run).starts_with("── greet\nmoin\n"), "{}", stdout(&run));
}

#[test]
fn an_error_names_the_file_that_it_is_in() {
    let dir = folder();
    write(dir.path(), "workflow.toml", BASE);
    write(dir.path(), "place.toml", "# größer\n[steps.greet]\nrnu = \"echo moin\"\n");
    let check = aivm(dir.path(), &["check", "workflow.toml", "--with", "place.toml"]);
    assert_eq!(check.status.code(), Some(2));
    assert!(stderr(&check).contains("place.toml:3:1"), "{}", stderr(&check));
    assert!(stderr(&check).contains("1 error in workflow.toml with place.toml;"), "{}", stderr(&check));
    let check = json(&aivm(dir.path(), &["check", "workflow.toml", "--with", "place.toml", "--json"]));
    let told = &check["files"][0]["diagnostics"][0];
    assert_eq!((&told["file"], &told["line"], &told["column"]), (&"place.toml".into(), &3.into(), &1.into()), "{told}");
    let run = json(&aivm(dir.path(), &["run", "workflow.toml", "--with", "place.toml", "--json"]));
    assert_eq!(run["diagnostics"][0]["file"], "place.toml", "{run}");
    let gone = aivm(dir.path(), &["check", "workflow.toml", "--with", "plase.toml"]);
    assert!(stderr(&gone).contains("did you mean place.toml?"), "{}", stderr(&gone));
}

#[test]
fn nothing_is_laid_over_arrows_or_a_module() {
    let dir = folder();
    write(dir.path(), "p.aivm", "out <= () <= in\n");
    write(dir.path(), "place.toml", OVER);
    assert!(aivm(dir.path(), &["compile", "p.aivm"]).status.success());
    for (file, code) in [("p.aivm", "E1024"), ("p.aivmc", "E0853")] {
        let run = aivm(dir.path(), &["run", file, "--with", "place.toml"]);
        assert_eq!(run.status.code(), Some(2), "{file}");
        assert!(stderr(&run).contains(code), "{file}: {}", stderr(&run));
    }
    let fmt = aivm(dir.path(), &["fmt", "p.aivm", "--with", "place.toml"]);
    assert!(stderr(&fmt).contains("E1024") && stderr(&fmt).contains("--param"), "{}", stderr(&fmt));
}

#[test]
fn hostile_files_end_in_a_clear_error_quickly() {
    let steps = |one: &dyn Fn(usize) -> String| (0..5_000).map(one).collect::<String>();
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000));
    let yaml = "name: s\nsteps:\n";
    let files: [(&str, Vec<u8>, &str); 14] = [
        ("long.toml", format!("[steps.a]\nrun = 'x'\n# {}", "x".repeat(10_000_000)).into(), "E0101"),
        ("long.yaml", format!("{yaml}# {}", "x".repeat(10_000_000)).into(), "E0101"),
        ("deep.toml", format!("[steps.a]\nrun = 'x'\ninputs = {{ a = {} }}", deep("[", "]")).into(), "E1001"),
        ("deeper.toml", format!("[steps.a.{}]\nrun = 'x'\n", ["a"; 10_000].join(".")).into(), "E1001"),
        ("ai.toml", format!("[metadata]\nname = {}", deep("{ a = ", " }")).into(), "E1001"),
        (
            "deep.yaml",
            format!("{yaml}  - {{name: a, capability: x, inputs: {{a: {}}}}}", deep("[", "]")).into(),
            "E1020",
        ),
        ("null.toml", b"[steps.a]\nrun = 'x'\n\0\n".to_vec(), "E1001"),
        ("null.yaml", b"name: s\0\nsteps: []\n".to_vec(), "E1020"),
        ("utf8.toml", b"[steps.a]\nrun = '\xff'\n".to_vec(), "E0102"),
        ("utf8.yaml", b"name: '\xff'\n".to_vec(), "E0102"),
        ("errors.toml", steps(&|n| format!("[steps.s{n}]\nrnu = 'x'\nneeds = ['q{n}']\n")).into(), "E1002"),
        ("twice.toml", "[[steps]]\nid = 'a'\nrun = 'x'\n".repeat(5_000).into(), "E1006"),
        ("errors.yaml", (yaml.to_owned() + &steps(&|n| format!("  - {{name: s{n}, capabilty: x}}\n"))).into(), "E1021"),
        ("aitws.toml", steps(&|n| format!("[[stages]]\nname = 's{n}'\nordr = 1\n")).into(), "E1040"),
    ];
    let dir = folder();
    for (name, bytes, code) in files {
        std::fs::write(dir.path().join(name), bytes).expect("a file");
        for command in [&["run"][..], &["run", "--json"], &["check"], &["check", "--json"]] {
            let begun = std::time::Instant::now();
            let output = aivm(dir.path(), &[command, &[name]].concat());
            let said = stdout(&output) + &stderr(&output);
            assert_eq!(output.status.code(), Some(2), "{name} {command:?}: {}", said.get(..500).unwrap_or(&said));
            assert!(said.contains(code), "{name} {command:?}: {}", said.get(..500).unwrap_or(&said));
            // Nobody reads more than a hundred, and no line of a report is longer than a screen.
            assert!(said.len() < 100_000, "{name} {command:?}: {} bytes", said.len());
            assert!(begun.elapsed().as_secs() < 20, "{name} {command:?}: {:?}", begun.elapsed());
        }
    }
}

#[test]
fn a_line_that_ends_front_matter_ends_nothing_in_a_text_of_a_workflow() {
    let line = "'''\na\n+++\nb\n'''";
    let workflow = format!(
        "description = {line}\n[parameters.p]\ntype = \"text\"\ndescription = {line}\ndefault = {line}\n\
         [steps.a]\ndescription = {line}\nrun = '''\ncat <<END\n+++\nEND\n'''\neffect = \"read\"\n"
    );
    let dir = folder();
    write(dir.path(), "workflow.toml", &workflow);
    let run = aivm(dir.path(), &["run", "workflow.toml"]);
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    assert_eq!(stdout(&run), "── a\n+++\n");
}

#[cfg(feature = "http")]
mod from_an_address {
    use super::super::fake::{Fake, Reply};
    use super::*;

    fn gives(text: &str) -> Reply {
        Reply::Raw(text.to_owned())
    }

    #[test]
    fn a_program_of_any_format_runs_from_an_address_and_is_loaded_once() {
        let saga = "name: s\nsteps:\n  - name: a\n    capability: data.json.stringify\n    inputs: {data: moin}\n";
        let aitws = "[[stages]]\nname = \"a\"\n[[stages.actions]]\nname = \"clean\"\n";
        for (name, text) in [
            ("w.toml", BASE),
            ("p.aivm", "out <= ( switch <= ( greet => send ) ) <= in\n"),
            ("s.yaml", saga),
            ("ai.toml", aitws),
        ] {
            let fake = Fake::new(vec![gives(text), Reply::Status(410, "x: y", String::new())]);
            let dir = folder();
            // What stands beside it is what is here.
            write(dir.path(), "workers/greet.toml", "run = \"echo moin\"\neffect = \"read\"\n");
            let url = format!("{}/x/{name}?token=hidden", fake.root());
            let run = aivm(dir.path(), &["run", &url, "--in", "x", "--json"]);
            assert_eq!(run.status.code(), Some(0), "{name} {}{}", stdout(&run), stderr(&run));
            let id = json(&run)["run"].as_str().expect("a run").to_owned();
            for again in [&["show", &id][..], &["logs", &id], &["graph", "--run", &id], &["runs"]] {
                let output = aivm(dir.path(), again);
                assert_eq!(output.status.code(), Some(0), "{name} {again:?} {}", stderr(&output));
                assert!(!stdout(&output).contains("hidden"), "{name} {again:?} {}", stdout(&output));
            }
            assert_eq!(fake.requests().len(), 1, "{name}");
        }
    }

    #[test]
    fn a_run_that_waits_goes_on_without_the_server() {
        let fake = Fake::new(vec![
            gives(
                "[steps.ask]\nuses = \"human\"\n[steps.greet]\nrun = \"echo moin\"\nneeds = [\"ask\"]\neffect = \"read\"\n",
            ),
            Reply::Broken,
        ]);
        let dir = folder();
        write(dir.path(), "workers/human.toml", "human = \"Go on?\"\n");
        let run = aivm(dir.path(), &["run", &format!("{}/w.toml", fake.root()), "--json"]);
        assert_eq!(run.status.code(), Some(4), "{}{}", stdout(&run), stderr(&run));
        let id = json(&run)["run"].as_str().expect("a run").to_owned();
        let on = aivm(dir.path(), &["approve", &id, "--json"]);
        assert_eq!(on.status.code(), Some(0), "{}{}", stdout(&on), stderr(&on));
        assert_eq!(fake.requests().len(), 1);
    }

    #[test]
    fn every_command_that_reads_a_program_reads_it_from_an_address() {
        let fake = Fake::new(vec![gives(BASE)]);
        let dir = folder();
        write(dir.path(), "place.toml", OVER);
        let url = format!("{}/w.toml", fake.root());
        for command in [&["check"][..], &["cost"], &["graph"], &["fmt", "--to", "aivm"], &["compile"], &["disasm"]] {
            let output = aivm(dir.path(), &[command, &[&url, "--with", "place.toml"]].concat());
            assert_eq!(output.status.code(), Some(0), "{command:?} {}", stderr(&output));
        }
        assert!(dir.path().join("w.aivmc").exists(), "what is compiled is here");
        for (path, file) in [("/", "program.aivmc"), ("?token=x", "program.aivmc"), ("/v1.2/flow", "flow.aivmc")] {
            let output = aivm(dir.path(), &["compile", &format!("{}{path}", fake.root()), "--with", "place.toml"]);
            assert_eq!(output.status.code(), Some(0), "{path} {}", stderr(&output));
            std::fs::remove_file(dir.path().join(file)).unwrap_or_else(|_| panic!("{path}: {}", stderr(&output)));
        }
        let wrong = Fake::new(vec![gives("[steps.a]\nrnu = \"x\"\n")]);
        let check = aivm(dir.path(), &["check", &format!("{}/w.toml?token=hidden", wrong.root())]);
        assert!(stderr(&check).contains("/w.toml:2:1") && !stderr(&check).contains("hidden"), "{}", stderr(&check));
    }

    #[test]
    fn what_is_no_program_is_not_loaded_and_its_address_not_shown() {
        let dir = folder();
        let address = "https://example.com/a.test.toml?token=hidden";
        for command in [&["test"][..], &["import"], &["worker", "import"]] {
            let output = aivm(dir.path(), &[command, &[address]].concat());
            assert_eq!(output.status.code(), Some(2), "{command:?} {}", stderr(&output));
            assert!(
                stderr(&output).contains("that is an address") && !stderr(&output).contains("hidden"),
                "{command:?}"
            );
        }
    }

    #[test]
    fn what_is_not_loaded_is_told_with_the_reason() {
        let long = Reply::Raw(format!("# {}", "x".repeat(5 << 20)));
        let cases = [
            (Reply::Status(404, "x: y", String::new()), "E0855", "404"),
            (Reply::Broken, "E0855", "127.0.0.1"),
            (long, "E0856", "4194304 bytes"),
            (
                Reply::Whole(302, "location: http://example.com/w.toml\r\n".to_owned(), Vec::new()),
                "E0854",
                "without https",
            ),
            (
                Reply::Whole(302, "location: http://localhost:1/w.toml\r\n".to_owned(), Vec::new()),
                "E0854",
                "without https",
            ),
            (
                Reply::Whole(302, "location: https://127.0.0.1:1/w.toml\r\n".to_owned(), Vec::new()),
                "E0854",
                "this machine itself",
            ),
            (Reply::Whole(302, "location: https://169.254.169.254/\r\n".to_owned(), Vec::new()), "E0854", "local link"),
            (Reply::Whole(302, "location: https://a:b@example.com/\r\n".to_owned(), Vec::new()), "E0854", "password"),
            (Reply::Whole(302, String::new(), Vec::new()), "E0855", "where to"),
            (Reply::Whole(302, "location: /again\r\n".to_owned(), Vec::new()), "E0855", "more than"),
        ];
        for (reply, code, why) in cases {
            let fake = Fake::new(vec![reply]);
            let dir = folder();
            let run = aivm(dir.path(), &["run", &format!("{}/w.toml", fake.root()), "--json"]);
            let error = &json(&run)["error"];
            assert_eq!(error["code"], code, "{error}");
            assert!(error["message"].as_str().unwrap_or("").contains(why), "{why}: {error}");
        }
        let dir = folder();
        let module = Fake::new(vec![gives("x")]);
        for (url, code) in [
            ("http://example.com/w.toml".to_owned(), "E0854"),
            ("https://me:pw@example.com/w.toml".to_owned(), "E0854"),
            ("https://192.168.0.1/w.toml".to_owned(), "E0854"),
            (format!("{}/p.aivmc", module.root()), "E0817"),
        ] {
            let run = aivm(dir.path(), &["run", &url]);
            assert_eq!(run.status.code(), Some(2), "{url}");
            assert!(stderr(&run).contains(code) && !stderr(&run).contains("pw@"), "{url}: {}", stderr(&run));
        }
    }
}
