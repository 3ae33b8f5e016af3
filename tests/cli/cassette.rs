//! Cassettes: what a run was answered is written down, answers another run, and nothing else is answered by it.

use super::*;

/// A report without what no two runs have in common: names, times, and the identities of artifacts, which have both in them.
fn plain(report: &Value) -> Value {
    const OWN: [&str; 9] =
        ["run", "ms", "artifact", "id", "checksum", "timestamp", "inputs", "input_artifact", "inputs_artifact"];
    match report {
        Value::Object(map) => {
            map.iter().filter(|(key, _)| !OWN.contains(&key.as_str())).map(|(k, v)| (k.clone(), plain(v))).collect()
        }
        Value::Array(values) => {
            let mut values: Vec<Value> = values.iter().map(plain).collect();
            // What is concurrent may end in any order.
            values.sort_by_key(|value| value["key"].as_str().unwrap_or("").to_owned());
            values.into()
        }
        other => other.clone(),
    }
}

fn run(dir: &Path, more: &[&str]) -> Output {
    aivm(dir, &[&["run", "p.aivm", "--in", "the input", "--json"], more].concat())
}

fn ends(output: &Output, code: i32) -> Value {
    assert_eq!(output.status.code(), Some(code), "{}{}", String::from_utf8_lossy(&output.stdout), stderr(output));
    json(output)
}

/// The calls of a cassette.
fn lines(dir: &Path, name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(dir.join(name)).expect("a cassette");
    let mut lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    assert_eq!(lines.next(), Some(serde_json::json!({"cassette": 1})));
    lines.collect()
}

/// Records, takes away what `gone` names, replays: the reports are the same.
fn both(dir: &Path, gone: &str, code: i32) -> Value {
    let recorded = ends(&run(dir, &["--record", "c.jsonl"]), code);
    let _ = std::fs::remove_file(dir.join(gone));
    let before = std::fs::read(dir.join("c.jsonl")).expect("a cassette");
    let replayed = ends(&run(dir, &["--replay", "c.jsonl"]), code);
    assert_eq!(plain(&replayed), plain(&recorded));
    assert_eq!(std::fs::read(dir.join("c.jsonl")).expect("a cassette"), before, "a replay writes nothing");
    recorded
}

fn refused(output: &Output, code: &str, why: &str) {
    let error = json(output)["error"].clone();
    let message = error["message"].as_str().unwrap_or("");
    assert!(error["code"] == code && message.contains(why), "{code}, {why}: {error}");
}

/// Each call leaves a line in `log`.
const LOGS: &str = "+++\n[worker.one]\nrun = \"echo one >> log; echo 1\"\n[worker.two]\nrun = \"cat; echo two >> log; echo 2\"\n+++\n\
    out <= ( switch[s] <= ( one => next  two => send ) ) <= in\n";

fn log(dir: &Path) -> usize {
    std::fs::read_to_string(dir.join("log")).unwrap_or_default().lines().count()
}

#[cfg(feature = "models")]
mod models {
    use super::super::fake::{Fake, Reply, text};
    use super::*;

    const ASK: &str = "+++\n[worker.judge]\nprompt = \"Judge.\"\nmodel = \"a/m\"\n[behaviour.strict]\nprompt = \"Be strict.\"\n+++\n\
        out <= ( switch[s] <= ( judge => send || cancel ) <= match <= ( fine => send  default => cancel ) ) <= in\n";

    fn project(fake: &Fake, program: &str) -> tempfile::TempDir {
        let dir = folder();
        let price = "[price.\"a/*\"]\ninput = \"$1\"\noutput = \"$2\"\n";
        write(dir.path(), "aivm.toml", &format!("[provider.a]\nurl = \"{}\"\n{price}", fake.url));
        write(dir.path(), "p.aivm", program);
        dir
    }

    #[test]
    fn a_replay_is_the_same_and_asks_nobody() {
        let fake = Fake::new(vec![text("hm"), text(r#"{"verdict": "fine", "output": "good"}"#)]);
        let dir = project(&fake, ASK);
        // Without the file nobody knows where the model is.
        let report = both(dir.path(), "aivm.toml", 0);
        assert_eq!(fake.asked().len(), 2, "the repair is part of the call, and the replay asks nothing");
        assert_eq!((&report["steps"][0]["tokens"], &report["steps"][0]["cost_usd"]), (&30.into(), &0.00004.into()));
        let [line] = lines(dir.path(), "c.jsonl").try_into().expect("one call");
        let asked = serde_json::json!([line["worker"], line["step"], line["attempt"], line["request"]["excerpt"]]);
        assert_eq!(asked, serde_json::json!(["judge", "s/judge#1", 1, "the input"]));
        let done = &line["answer"]["done"];
        assert_eq!((&done["verdict"], &done["output"]["new"]["text"]), (&"fine".into(), &"good".into()));
        assert_eq!((&done["tokens"], &done["cost"]), (&30.into(), &"$0.00004".into()));
    }

    #[test]
    fn what_was_not_recorded_is_refused_and_said_and_no_edge_is_taken() {
        let fake = Fake::new(vec![text(r#"{"verdict": "fine", "output": "good"}"#)]);
        let dir = project(&fake, ASK);
        ends(&run(dir.path(), &["--record", "c.jsonl"]), 0);
        let replay = ["run", "p.aivm", "--in", "the input", "--json", "--replay", "c.jsonl"];
        let changed = [
            (ASK.replace("Judge.", "Judge well."), "its definition (prompt, settings, behaviours) has changed"),
            (ASK.replace("( judge =>", "( judge<strict> =>"), "its definition"),
            (ASK.replace("fine =>", "good =>"), "they were send, cancel, fine, and are send, cancel, good"),
            // What is not asked is not part of the question.
            (ASK.replace("\"Judge.\"", "\"Judge.\"\nabout = \"It judges.\"\ntimeout = \"9s\""), ""),
            (ASK.replace("judge", "decide"), ""),
        ];
        for (program, why) in changed {
            write(dir.path(), "p.aivm", &program);
            let output = aivm(dir.path(), &replay);
            match why {
                "" => drop(ends(&output, 0)),
                why => {
                    assert_eq!(output.status.code(), Some(1), "{why}");
                    refused(&output, "E0920", why);
                }
            }
        }
        write(dir.path(), "p.aivm", ASK);
        let output = aivm(dir.path(), &["run", "p.aivm", "--in", "another", "--json", "--replay", "c.jsonl"]);
        refused(
            &output,
            "E0920",
            "for `judge` at s/judge#1: its input has changed: it was \"the input\", and is \"another\"",
        );
        assert_eq!(fake.asked().len(), 1);
    }

    #[cfg(feature = "http")]
    #[test]
    fn requests_over_http_are_replayed_with_their_type_and_no_header_is_kept() {
        let fake = Fake::new(vec![Reply::Whole(200, "content-type: application/x\r\n".into(), vec![0, 255])]);
        let program = format!(
            "+++\n[worker.w.http]\nurl = '{}/u'\nprivate = true\nheaders = {{ X-Key = 'hush-hush' }}\n+++\nout <= ( switch[s] <= ( w => send ) ) <= in\n",
            fake.root()
        );
        let dir = project(&fake, &program);
        both(dir.path(), "none", 0);
        assert_eq!(fake.requests().len(), 1);
        let done = lines(dir.path(), "c.jsonl")[0]["answer"]["done"].clone();
        assert_eq!(
            (&done["output"]["new"]["type"], &done["output"]["new"]["base64"]),
            (&"application/x".into(), &"AP8=".into())
        );
        assert!(!std::fs::read_to_string(dir.path().join("c.jsonl")).expect("it").contains("hush"));
    }

    #[test]
    fn failures_and_retries_are_answered_as_they_were() {
        let failing = || Reply::Status(500, "", r#"{"error": {"message": "out of order"}}"#.into());
        let fake = Fake::new(vec![failing(), failing(), text(r#"{"verdict": "send", "output": "said"}"#)]);
        let program = "+++\n[worker.w]\nprompt = \"Say it.\"\nmodel = \"a/m\"\nbackoff = { wait = \"1ms\" }\n+++\n\
            out <= ( switch[s] <= ( w => send | retry * 3 ) ) <= in\n";
        let dir = project(&fake, program);
        both(dir.path(), "aivm.toml", 0);
        let attempts: Vec<_> = lines(dir.path(), "c.jsonl").iter().map(|line| line["attempt"].clone()).collect();
        assert_eq!(attempts, [1, 2, 3]);
        assert_eq!(lines(dir.path(), "c.jsonl")[0]["answer"]["failed"]["code"], "E0904");
    }

    #[test]
    fn equal_questions_of_a_join_and_of_a_loop_each_get_their_own_answer() {
        let replies = ["a", "b", "c"].map(text).to_vec();
        let same =
            ["x", "y", "z"].map(|word| format!("[worker.{word}]\nprompt = \"Say it.\"\nmodel = \"a/m\"\n")).concat();
        let program = format!(
            "+++\n{same}[worker.all]\nbuiltin = \"merge\"\n+++\nout <= ( join <= ( x => next  y => next  z => next ) <= switch[s] <= ( all => send ) ) <= in\n"
        );
        let dir = project(&Fake::new(replies), &program);
        let report = both(dir.path(), "aivm.toml", 0);
        let mut said: Vec<&str> = report["output"]["text"].as_str().expect("text").split_whitespace().collect();
        said.sort_unstable();
        assert_eq!(said, ["a", "b", "c"]);
        // With other keys each is still given once, and no question is a new one.
        write(dir.path(), "p.aivm", &program.replace("[s]", "[t]").replace("join <=", "join[j] <="));
        let renamed = ends(&run(dir.path(), &["--replay", "c.jsonl"]), 0);
        let mut again: Vec<&str> = renamed["output"]["text"].as_str().expect("text").split_whitespace().collect();
        again.sort_unstable();
        assert_eq!(again, said);

        let replies =
            ["back", "back", "send"].map(|word| text(&format!(r#"{{"verdict": "{word}", "output": "{word}"}}"#)));
        let program = "+++\n[worker.w]\nprompt = \"Say it.\"\nmodel = \"a/m\"\n[worker.x]\nrun = \"echo x\"\neffect = \"pure\"\n+++\n\
            out <= ( switch[s] <= ( x => next  w => back | send ) ) <= in\n";
        let dir = project(&Fake::new(replies.to_vec()), program);
        both(dir.path(), "aivm.toml", 0);
        assert_eq!(lines(dir.path(), "c.jsonl").len(), 3);
        // Under other keys they come in the order of the file.
        write(dir.path(), "p.aivm", &program.replace("[s]", "[t]"));
        assert_eq!(ends(&run(dir.path(), &["--replay", "c.jsonl"]), 0)["totals"]["calls"], 6);
    }
}

#[test]
fn commands_are_not_called_but_pure_ones_and_built_ins_are() {
    let dir = folder();
    let program = "+++\n[worker.world]\nrun = \"echo called >> log; printf '\\\\377\\\\000x'\"\nreturns = \"application/x\"\n\
        [worker.count]\nrun = \"echo pure >> log; cat\"\neffect = \"pure\"\n[worker.keep]\nbuiltin = \"write\"\nwith = { path = \"kept\" }\n+++\n\
        out <= ( switch[s] <= ( world => next  count => next  keep => send ) ) <= in\n";
    write(dir.path(), "p.aivm", program);
    both(dir.path(), "kept", 0);
    assert_eq!(std::fs::read(dir.path().join("kept")).expect("written again"), b"\xff\x00x");
    assert_eq!(std::fs::read_to_string(dir.path().join("log")).expect("a log"), "called\npure\npure\n");
    let [line] = lines(dir.path(), "c.jsonl").try_into().expect("one call");
    assert_eq!(line["answer"]["done"]["output"]["new"]["base64"], "/wB4");
}

#[test]
fn a_race_is_won_by_the_same_one() {
    let dir = folder();
    let program = "+++\n[worker.slow]\nrun = \"sleep 20; echo slow\"\neffect = \"read\"\n[worker.fast]\nrun = \"echo fast\"\neffect = \"read\"\n+++\n\
        out <= ( join<1> <= ( slow => next  fast => next ) <= switch <= ( clean => send ) ) <= in\n";
    write(dir.path(), "p.aivm", program);
    let text = |report: &Value| report["output"]["text"].as_str().unwrap_or("").trim().to_owned();
    assert_eq!(text(&ends(&run(dir.path(), &["--record", "c.jsonl"]), 0)), "fast");
    let [fast, slow] = lines(dir.path(), "c.jsonl").try_into().expect("two calls");
    assert_eq!((&fast["worker"], &slow["answer"]), (&"fast".into(), &"stopped".into()));
    assert_eq!(text(&ends(&run(dir.path(), &["--replay", "c.jsonl"]), 0)), "fast");
    // Had it answered after the other, it would not win either, though it is asked first.
    let mut late = slow.clone();
    late["answer"] = fast["answer"].clone();
    late["answer"]["done"]["output"]["new"]["text"] = "slow".into();
    let file = |lines: [&Value; 2]| format!("{{\"cassette\":1}}\n{}\n{}\n", lines[0], lines[1]);
    write(dir.path(), "c.jsonl", &file([&fast, &late]));
    assert_eq!(text(&ends(&run(dir.path(), &["--replay", "c.jsonl"]), 0)), "fast");
    write(dir.path(), "c.jsonl", &file([&late, &fast]));
    assert_eq!(text(&ends(&run(dir.path(), &["--replay", "c.jsonl"]), 0)), "slow");
}

#[test]
fn a_recording_that_was_killed_goes_on_where_it_was() {
    let dir = folder();
    write(dir.path(), "p.aivm", LOGS);
    let parked = ends(&run(dir.path(), &["--record", "c.jsonl", "--max-calls", "1"]), 4);
    let whole = std::fs::read_to_string(dir.path().join("c.jsonl")).expect("a cassette");
    // As one that was killed within a line leaves it.
    write(dir.path(), "c.jsonl", &format!("{whole}{{\"worker\":\"tw"));
    assert_eq!(ends(&run(dir.path(), &["--replay", "c.jsonl", "--max-calls", "1"]), 4)["status"], "parked");
    let name = parked["run"].as_str().expect("a name");
    let resumed = ends(&aivm(dir.path(), &["resume", name, "--max-calls", "9", "--json"]), 0);
    assert_eq!(lines(dir.path(), "c.jsonl").len(), 2, "it goes on recording");
    assert_eq!(log(dir.path()), 2);
    let replayed = ends(&run(dir.path(), &["--replay", "c.jsonl"]), 0);
    assert_eq!(plain(&replayed), plain(&resumed));
    assert_eq!(log(dir.path()), 2);
}

#[test]
fn a_run_that_began_as_a_replay_goes_on_as_one() {
    let dir = folder();
    write(dir.path(), "p.aivm", LOGS);
    ends(&run(dir.path(), &["--record", "c.jsonl"]), 0);
    let all = std::fs::read_to_string(dir.path().join("c.jsonl")).expect("a cassette");
    // The second call is not in it: the run stays where it is, though what it would call cannot be taken back.
    let first: Vec<&str> = all.lines().take(2).collect();
    write(dir.path(), "c.jsonl", &format!("{}\n", first.join("\n")));
    refused(&run(dir.path(), &["--replay", "c.jsonl"]), "E0920", "no call of `two` was recorded");
    let output = aivm(dir.path(), &["run", "p.aivm", "--in", "the input", "--id", "r", "--replay", "c.jsonl"]);
    assert!(stderr(&output).contains("E0920") && stderr(&output).contains("record it anew"), "{}", stderr(&output));
    let other = aivm(dir.path(), &["run", "p.aivm", "--in", "the input", "--id", "r", "--json"]);
    refused(&other, "E0777", "with other settings");
    std::fs::remove_file(dir.path().join("c.jsonl")).expect("it was there");
    refused(&aivm(dir.path(), &["resume", "r", "--json"]), "E0926", "cannot be read");
    let many = aivm(dir.path(), &["resume", "--all", "--json"]);
    assert!(String::from_utf8_lossy(&many.stdout).contains("E0926"), "{}", String::from_utf8_lossy(&many.stdout));
    write(dir.path(), "c.jsonl", &all);
    refused(&aivm(dir.path(), &["resume", "r", "--record", "d.jsonl", "--json"]), "E0927", "is a replay of");
    let said = aivm(dir.path(), &["logs", "r"]);
    assert!(String::from_utf8_lossy(&said.stdout).contains("a replay of"), "{}", String::from_utf8_lossy(&said.stdout));
    let first = first.join("\n");
    write(dir.path(), "c.jsonl", &format!("{first}\n"));
    let said = stderr(&aivm(dir.path(), &["resume", "r"]));
    assert!(said.contains("it goes on as it began: a replay of") && said.contains("E0920"), "{said}");
    write(dir.path(), "c.jsonl", &all);
    let resumed = ends(&aivm(dir.path(), &["resume", "r", "--json"]), 0);
    assert_eq!(resumed["output"]["text"], "1\n2\n");
    assert_eq!(log(dir.path()), 2, "nothing was called but for the recording");
    // A fork calls what it does not take over, or is a replay of its own.
    ends(&aivm(dir.path(), &["fork", "r", "--at", "s/two#1", "--replay", "c.jsonl", "--json"]), 0);
    assert_eq!(log(dir.path()), 2);
    ends(&aivm(dir.path(), &["fork", "r", "--at", "s/two#1", "--record", "f.jsonl", "--json"]), 0);
    assert_eq!((log(dir.path()), lines(dir.path(), "f.jsonl").len()), (3, 1));
}

#[test]
fn what_is_undone_is_recorded_and_replayed_too() {
    let dir = folder();
    let program = "+++\n[worker.do]\nrun = \"echo done >> log\"\nundo = \"take-back\"\neffect = \"compensable\"\n[worker.take-back]\nrun = \"echo undone >> log\"\n\
        [worker.judge]\nrun = \"echo judged >> log; exit 1\"\n+++\nout <= ( switch[s] <= ( do => next  judge => send ) ) <= in\n";
    write(dir.path(), "p.aivm", program);
    both(dir.path(), "none", 1);
    assert_eq!((log(dir.path()), lines(dir.path(), "c.jsonl").len()), (3, 3));
}

#[test]
fn a_file_that_is_no_cassette_is_refused_before_anything_is_called() {
    let dir = folder();
    write(dir.path(), "p.aivm", LOGS);
    let text = "{\"cassette\":1}\n";
    for (file, code, why) in [
        ("{\"cassette\":2}\n", "E0926", "line 1: it is of version 2"),
        ("hello\n", "E0926", "line 1: no cassette begins so"),
        (&format!("{text}{{}}\n"), "E0926", "line 2: missing field `worker`"),
        (text, "E0920", "no call of `one` was recorded"),
        ("", "E0920", "no call of `one` was recorded"),
    ] {
        write(dir.path(), "c.jsonl", file);
        refused(&run(dir.path(), &["--replay", "c.jsonl"]), code, why);
    }
    refused(&run(dir.path(), &["--record", "c.jsonl"]), "E0927", "is there already");
    refused(&run(dir.path(), &["--record", "no/such/folder/c.jsonl"]), "E0926", "cannot be written");
    refused(&run(dir.path(), &["--replay", "none.jsonl"]), "E0926", "cannot be read");
    for endless in ["/dev/zero", "."] {
        refused(&run(dir.path(), &["--replay", endless]), "E0926", "it is no plain file");
    }
    for both in [["--mock", "--replay"], ["--mock", "--record"]] {
        assert_eq!(run(dir.path(), &[both[0], both[1], "x"]).status.code(), Some(2));
    }
    assert_eq!(run(dir.path(), &["--record", "x", "--replay", "y"]).status.code(), Some(2));
    assert_eq!(log(dir.path()), 0);
}
