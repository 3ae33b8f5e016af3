use crate::diagnostic::{Code, Diagnostic};
use crate::library::{Found, Library, LibraryError, Shelf};
use crate::workflow::{Format, Page, page};
use aivm_schema::worker::{Does, WorkerDefinition};

/// The capabilities of files are built-ins, `pay` is a mock, and nothing else is bound. What is written undoes itself.
struct Bound {
    policies: Option<&'static str>,
}

const BOUND: Bound = Bound { policies: None };

impl Library for Bound {
    fn find(&self, _file: &str, name: &str) -> Result<Option<Found>, LibraryError> {
        let does = match name {
            "pay" | "refund" => Does::Mock,
            name if name.contains("cloud") || name == "sys.exec.run" => return Ok(None),
            name => Does::Builtin(name.to_owned()),
        };
        Ok(Some(Found::Worker(Box::new(WorkerDefinition::new(does)))))
    }
    fn undoer(&self, definition: &WorkerDefinition) -> Option<(String, WorkerDefinition)> {
        let restore = WorkerDefinition::new(Does::Builtin("restore".to_owned()));
        let writes = matches!(&definition.does, Does::Builtin(name) if name == "io.fs.write_file");
        writes.then(|| ("restore".to_owned(), restore))
    }
    fn beside(&self, _file: &str, name: &str) -> Result<Option<String>, LibraryError> {
        Ok(self.policies.filter(|_| name == "policies.yaml").map(str::to_owned))
    }
}

fn written(text: &str) -> Page {
    page(Format::Saga, "saga.yaml", text, &BOUND).unwrap_or_else(|errors| panic!("{text}\n{errors:?}"))
}

/// The page, which compiles.
fn compiled(library: &dyn Library, text: &str) -> Page {
    let page = page(Format::Saga, "saga.yaml", text, library).unwrap_or_else(|errors| panic!("{text}\n{errors:?}"));
    let parsed = crate::parser::parse(&page.text);
    assert!(parsed.diagnostics.is_empty(), "{}\n{:?}", page.text, parsed.diagnostics);
    if let Err(errors) = crate::compile("saga.yaml", text, library) {
        panic!("{}\n{errors:?}", page.text);
    }
    page
}

fn told(text: &str) -> Vec<(Code, String)> {
    let errors = page(Format::Saga, "saga.yaml", text, &BOUND).expect_err(text);
    let at = |error: &Diagnostic| text.get(error.primary.span.range()).unwrap_or("").to_owned();
    errors.iter().map(|error| (error.code, at(error))).collect()
}

/// The lines of the outermost switch.
fn calls(page: &Page) -> Vec<String> {
    let (_, program) = page.text.split_once("\nout <= (\n").expect("a program");
    let lines = program.lines().skip(1).take_while(|line| line.trim() != ")");
    lines.map(|line| line.trim().to_owned()).collect()
}

/// The arrows, without what stands above them.
fn arrows(page: &Page) -> &str {
    page.text.rsplit_once("+++\n").map_or(page.text.as_str(), |(_, arrows)| arrows)
}

#[test]
fn a_step_is_a_definition_that_reads_well() {
    let text = "name: shop\nsteps:\n  - name: charge\n    capability: pay\n    inputs: {amount: 7}\n    timeout_seconds: 30\n    max_retries: 3\n    compensation: {capability: refund, inputs: {id: '{{id}}'}}\n";
    let expected = "; shop
charge <= (
    switch[charge] <= (
        charge-inputs => next
        pay<30s> => next
    ) <= switch <= (
        [merge-state <= in, charge.out] => next
    )
)

undo-charge <= (
    switch <= (
        undo-charge-inputs => next
        refund => next
    )
)

out <= (
    switch[shop] <= (
        initial-state => next
        charge ~ undo-charge => next | retry * 2
    )
) <= in
";
    assert_eq!(arrows(&compiled(&BOUND, text)), expected);
}

#[test]
fn both_dialects_say_the_same() {
    let guide = "name: a\nsteps:\n  - name: x\n    capability: pay\n    inputs: {n: 1}\n";
    let schema = "workflow_id: w1\nspec:\n  name: a\n  version: '1.0.0'\n  metadata: {owner: ann}\n  steps:\n  - name: x\n    step_type: ACTION\n    agent_name: bob\n    capability_name: pay\n    inputs: {n: 1}\n    depends_on: []\n    risk_level: MEDIUM\n";
    assert_eq!(calls(&compiled(&BOUND, guide)), calls(&compiled(&BOUND, schema)));
    assert!(written(schema).text.contains("; version: 1.0.0\n"));
}

#[test]
fn steps_run_in_the_order_of_the_file_as_soon_as_they_may() {
    let step = |name: &str, needs: &str| format!("  - {{name: {name}, capability: pay, depends_on: [{needs}]}}\n");
    let text = ["name: s\nsteps:\n".to_owned(), step("c", "b"), step("a", ""), step("b", "a"), step("d", "")].concat();
    let lines = calls(&compiled(&BOUND, &text));
    assert_eq!(lines, ["initial-state => next", "a => next", "b => next", "c => next", "d => next"]);
}

#[test]
fn what_is_wrong_with_dependencies_is_told() {
    let text = "name: s\nsteps:\n- {name: a, capability: pay, depends_on: [b]}\n- {name: b, capability: pay, depends_on: [c]}\n- {name: c, capability: pay, depends_on: [a]}\n";
    let errors = page(Format::Saga, "s.yaml", text, &BOUND).expect_err("a cycle");
    assert_eq!(errors.len(), 1);
    assert!(errors[0].message.contains("`a` → `b` → `c` → `a`"), "{}", errors[0].message);
    let text = "name: s\nsteps:\n- {name: first, capability: pay}\n- {name: b, capability: pay, depends_on: [frist]}\n- {name: b, capability: pay}\n";
    assert_eq!(told(text), [(Code::UnknownNeed, "frist".into()), (Code::StepTwice, "b".into())]);
}

#[test]
fn every_wrong_key_is_told_at_its_place() {
    let text = "nam: s\nsteps:\n- {name: a, capabilty: pay}\n- {capability: pay}\n- {name: c, capability: pay, max_retries: many}\n- {name: d}\n- {name: e, step_type: DANCE, capability: pay}\nenable_auto_rollback: perhaps\n";
    let places: Vec<String> = told(text).into_iter().map(|(_, at)| at).collect();
    for expected in ["nam", "capabilty", "many", "d", "DANCE", "perhaps"] {
        assert!(places.iter().any(|place| place == expected), "{expected}: {places:?}");
    }
}

#[test]
fn what_takes_itself_back_needs_no_compensation() {
    let step =
        "- {name: a, capability: io.fs.write_file, compensation: {capability: io.fs.delete, inputs: {path: x}}}\n";
    let page = compiled(&BOUND, &format!("name: s\nsteps:\n{step}"));
    assert_eq!(calls(&page), ["initial-state => next", "a => next"]);
    assert_eq!(page.warnings.iter().map(|warning| warning.code).collect::<Vec<_>>(), [Code::OnlyRecorded]);
    let kept = compiled(&BOUND, &format!("name: s\nenable_auto_rollback: false\nsteps:\n{step}"));
    assert!(kept.text.contains("undo = \"none\"") && !kept.text.contains('~'), "{}", kept.text);
    let flow = crate::compile("s.aivm", &kept.text, &BOUND).expect("it compiles").flow;
    assert!(flow.steps.iter().all(|step| step.undo.is_none()), "what was written stays");
    let nothing = "name: s\nenable_auto_rollback: false\nsteps:\n- {name: a, capability: pay}\n";
    assert!(!compiled(&BOUND, nothing).text.contains("none"), "nothing would be taken back by itself");
}

#[test]
fn what_is_done_last_is_begun_first() {
    let text = "name: s\nglobal_compensation_steps:\n- {capability: pay, inputs: {n: 1}}\n- {capability: refund}\nsteps:\n- {name: a, capability: pay}\n";
    let page = compiled(&BOUND, text);
    assert_eq!(calls(&page), ["begin ~ last-2 => next", "begin ~ last-1 => next", "a => next"]);
}

#[test]
fn several_compensations_of_one_step_are_all_called() {
    let text = "name: s\nsteps:\n- {name: a, capability: pay, max_retries: 3, compensation: {step_name: w}}\n- {name: u, step_type: COMPENSATION, capability: refund, depends_on: [a]}\n- {name: v, step_type: COMPENSATION, capability: pay, depends_on: [a]}\n- {name: w, step_type: COMPENSATION, capability: pay, depends_on: [a]}\n";
    let page = compiled(&BOUND, text);
    let all = "a <= (
    switch <= (
        do-a ~ undo-a-3 => next | retry * 2
        done ~ undo-a-2 => next
        done ~ undo-a => next
    )
)
";
    assert!(page.text.contains(all), "{}", page.text);
    assert_eq!(calls(&page), ["initial-state => next", "a => next"]);
}

#[test]
fn a_compensation_that_is_none_or_is_two_is_told() {
    let wrong = |own: &str, more: &str| {
        let text = format!(
            "name: s\nsteps:\n- {{name: a, capability: pay, compensation: {{{own}}}}}\n- {{name: u, step_type: COMPENSATION, capability: refund}}\n{more}"
        );
        let errors = page(Format::Saga, "s.yaml", &text, &BOUND).expect_err(&text);
        errors.into_iter().map(|error| error.message).collect::<Vec<_>>().join("; ")
    };
    for (own, more, says) in [
        ("", "", "names no `capability`, and no step"),
        ("capability: refund, step_name: u", "", "by the step `u` and by `refund`: say one"),
        ("step_name: a", "", "`a` is not of type COMPENSATION"),
        (
            "step_name: u",
            "- {name: b, capability: pay, depends_on: [u]}\n",
            "`b` depends on `u`, which is of type COMPENSATION",
        ),
        (
            "step_name: u",
            "- {name: p, step_type: CONDITION, condition: 'true', steps: [{name: t, capability: pay, depends_on: [p]}]}\n",
            "`t` depends on `p`, which does not stand beside it",
        ),
        (
            "step_name: u",
            "- {name: p, step_type: PARALLEL, steps: [{name: t, capability: pay, step_type: COMPENSATION}]}\n",
            "stands in the list of the file",
        ),
    ] {
        let told = wrong(own, more);
        assert!(told.contains(says), "{says}: {told}");
    }
}

#[test]
fn what_takes_nothing_back_is_told() {
    let hints = |text: &str| -> Vec<String> {
        let told = compiled(&BOUND, text).warnings.into_iter();
        told.map(|one| format!("{}: {}", text.get(one.primary.span.range()).unwrap_or(""), one.message)).collect()
    };
    let steps = "steps:\n- {name: a, capability: pay, compensation: {capability: refund}}\n- {name: u, step_type: COMPENSATION, capability: refund, depends_on: [a], when: 'true', max_retries: 2}\n";
    let told = hints(&format!("name: s\n{steps}"));
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().any(|told| told.starts_with("when: `condition` of `u`")), "{told:?}");
    assert!(told.iter().any(|told| told.starts_with("max_retries: `max_retries` of `u`")), "{told:?}");
    let kept = hints(&format!(
        "name: s\nenable_auto_rollback: false\nglobal_compensation_steps: [{{capability: refund}}]\n{steps}"
    ));
    assert_eq!(
        kept.iter().filter(|told| told.contains("because `enable_auto_rollback` is `false`")).count(),
        3,
        "{kept:?}"
    );
    let gate = hints(
        "name: s\nsteps:\n- {name: gate, step_type: HUMAN_APPROVAL, capability: pay}\n- {name: u, step_type: COMPENSATION, capability: refund, depends_on: [gate]}\n",
    );
    assert!(gate.iter().any(|told| told.starts_with("capability: `capability` of `gate`")), "{gate:?}");
    assert!(gate.iter().any(|told| told.contains("takes back `gate`, which calls nothing itself")), "{gate:?}");
}

#[test]
fn a_step_of_type_compensation_runs_only_when_a_step_is_taken_back() {
    for undo in [
        "- {name: back, step_type: COMPENSATION, capability: refund, depends_on: [a]}",
        "- {name: back, step_type: COMPENSATION, capability: refund}",
    ] {
        let own = if undo.contains("depends_on") { "" } else { ", compensation: {step_name: back}" };
        let text = format!("name: s\nsteps:\n- {{name: a, capability: pay{own}}}\n{undo}\n");
        assert_eq!(calls(&compiled(&BOUND, &text)), ["initial-state => next", "a ~ undo-a => next"]);
    }
    let idle =
        "name: s\nsteps:\n- {name: a, capability: pay}\n- {name: back, step_type: COMPENSATION, capability: refund}\n";
    assert_eq!(compiled(&BOUND, idle).warnings.len(), 1);
    let nobody = idle.replace("refund}", "refund, depends_on: [b]}");
    assert_eq!(told_codes(&nobody), [Code::UnknownNeed]);
}

#[test]
fn a_person_is_asked_and_what_they_reject_fails() {
    let text = "name: s\nsteps:\n- {name: gate, step_type: HUMAN_APPROVAL, risk_level: HIGH, inputs: {message: 'Ship {{it}}?'}}\n- {name: a, capability: pay, risk_level: CRITICAL}\n";
    let page = compiled(&BOUND, text);
    assert_eq!(calls(&page), ["initial-state => next", "gate => next", "a => next"]);
    assert!(page.text.contains("human = \"May it go on at `gate`? (risk: HIGH)\""), "{}", page.text);
    assert!(page.text.contains("        approve-a => next\n        do-a => next\n"), "{}", page.text);
    assert_eq!(page.text.matches("[worker.reject]").count(), 1);
}

#[test]
fn what_a_type_of_step_has_no_use_for_is_told_and_not_dropped_in_silence() {
    let text = "name: s\nsteps:\n- {name: gate, capability: human.approve, risk_level: HIGH, max_retries: 3, timeout_seconds: 60}\n- {name: a, capability: pay, approval_config: {message: x}}\n- {name: both, step_type: PARALLEL, compensation: {capability: refund}, steps: [{name: b, capability: pay}]}\n";
    let page = compiled(&BOUND, text);
    let told: Vec<&str> = page.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    for (message, key) in told.iter().zip(["max_retries", "approval_config", "compensation"]) {
        assert!(message.starts_with(&format!("`{key}`")), "{message}");
    }
    assert!(
        page.text.contains("timeout = \"1m\"") && page.text.contains("[gate.approve.jump] | timeout"),
        "{}",
        page.text
    );
    assert!(!page.text.contains("approve-gate"), "nobody is asked whether somebody may be asked: {}", page.text);
    let nested = "name: s\nsteps:\n- {name: a, steps: [{name: b, capability: pay}]}\n";
    assert_eq!(told_codes(nested), [Code::Saga]);
}

fn told_codes(text: &str) -> Vec<Code> {
    told(text).into_iter().map(|(code, _)| code).collect()
}

#[test]
fn what_runs_at_the_same_time_is_one_join() {
    let adjacent = "name: s\nsteps:\n- {name: a, step_type: PARALLEL, capability: pay}\n- {name: b, step_type: PARALLEL, capability: pay}\n- {name: c, capability: pay, depends_on: [a, b]}\n";
    let page = compiled(&BOUND, adjacent);
    assert_eq!(calls(&page), ["initial-state => next", "together => next", "c => next"]);
    let nested = "name: s\nsteps:\n- name: both\n  step_type: PARALLEL\n  steps:\n  - {name: a, capability: pay}\n  - {name: b, capability: pay}\n";
    let page = compiled(&BOUND, nested);
    assert!(page.text.contains("join[both] <= (\n        a => next\n        b => next\n"), "{}", page.text);
}

#[test]
fn what_nobody_has_bound_is_a_warning_and_fails_when_it_is_reached() {
    let page = compiled(&BOUND, "name: s\nsteps:\n- {name: a, capability: cloud.db.create}\n");
    assert_eq!(page.warnings.iter().map(|warning| warning.code).collect::<Vec<_>>(), [Code::Unbound]);
    assert!(
        page.text.contains("builtin = \"unbound\"") && page.text.contains("cloud-db-create => next"),
        "{}",
        page.text
    );
}

#[test]
fn a_command_is_a_list_of_arguments_and_no_template_is_part_of_it() {
    let run = |inputs: &str| format!("name: s\nsteps:\n- {{name: a, capability: sys.exec.run, inputs: {inputs}}}\n");
    for (inputs, argv) in [
        (
            "{command: git, args: [log, -1, 'a b; c']}",
            "run = [\n    \"git\",\n    \"log\",\n    \"-1\",\n    \"a b; c\",\n]",
        ),
        ("{command: git status}", "run = [\n    \"git\",\n    \"status\",\n]"),
    ] {
        let page = compiled(&BOUND, &run(inputs));
        let plain = |text: &str| text.split_whitespace().collect::<String>().replace(",]", "]");
        assert!(plain(&page.text).contains(&plain(argv)), "{}", page.text);
    }
    for inputs in
        ["{command: rm, args: [-rf, /]}", "{command: 'ls; rm -rf /'}", "{command: echo, args: ['{{x}}']}", "{}"]
    {
        assert_eq!(told(&run(inputs)).first().map(|(code, _)| *code), Some(Code::Saga), "{inputs}");
    }
}

#[test]
fn a_template_cannot_name_what_it_is_not() {
    // Names that are no words, words of the language, and words that the page itself uses.
    for name in ["match", "in", "merge-state", "a b", "ä", "pay", "1", "undo-x", "begin"] {
        let text = format!(
            "name: {name:?}\nsteps:\n- {{name: {name:?}, capability: pay}}\n- {{name: x, capability: text.regex.match}}\n"
        );
        compiled(&BOUND, &text);
    }
}

/// What a policy says to one step: the line that calls it, and the warnings.
fn judged(policies: &'static str, own: &str, step: &str) -> (bool, bool) {
    let text = format!("name: s\nmetadata: {{owner: ann}}\n{own}steps:\n- {{name: a, {step}}}\n");
    let page = compiled(&Bound { policies: Some(policies) }, &text);
    let denied = page.text.contains("Policy denied") && page.warnings.iter().any(|one| one.code == Code::Denied);
    (denied, page.text.contains("approve-a-asks"))
}

#[test]
fn the_first_rule_that_fits_decides_in_every_shape() {
    const ALLOWED: (bool, bool) = (false, false);
    const ASKED: (bool, bool) = (false, true);
    const DENIED: (bool, bool) = (true, false);
    let pay = "capability: pay";
    for (policies, own, step, expected) in [
        ("rules: [{principal: ann, capability: pay, decision: ALLOW}]", "", pay, ALLOWED),
        ("rules: [{principal: 'user:*', capabilities: [x, pa*], action: ALLOW}]", "", pay, ALLOWED),
        ("rules: [{principal: '*', when: {capability: pay, risk_level: LOW}, decision: ALLOW}]", "", pay, DENIED),
        ("rules: [{principal: '*', when: {capability: pay}, decision: REQUIRE_APPROVAL}]", "", pay, ASKED),
        ("rules: [{principal: '*', capability: pay, decision: ALLOW}]", "", "capability: pay, risk_level: HIGH", ASKED),
        ("rules: [{principal: ann, capability: pa, decision: ALLOW}]", "", pay, DENIED),
        ("rules: [{principal: '*', decision: DENY}, {principal: ann, decision: ALLOW}]", "", pay, DENIED),
        ("rules: [{principal: 'role:admin', decision: ALLOW}]", "", pay, DENIED),
        ("default: ALLOW", "", pay, ALLOWED),
        ("default: ALLOW", "", "capability: pay, risk_level: HIGH", ALLOWED),
        ("{}", "", pay, DENIED),
        (
            "default: ALLOW",
            "policy: [{agent_name: bob, denied_capabilities: [pay]}]\n",
            "capability: pay, agent_name: bob",
            DENIED,
        ),
        (
            "default: ALLOW",
            "policy: [{agent_name: bob, allowed_capabilities: [pay], allowed_environments: [prod]}]\n",
            "capability: pay, agent_name: bob",
            DENIED,
        ),
        (
            "default: ALLOW",
            "policy: [{agent_name: bob, requires_approval_for: [pay]}]\n",
            "capability: pay, agent_name: bob",
            ASKED,
        ),
        // A file allows itself nothing that is denied beside it.
        ("{}", "policy: {default: ALLOW}\n", pay, DENIED),
    ] {
        assert_eq!(judged(policies, own, step), expected, "{policies} {own} {step}");
    }
    let broken = Bound { policies: Some("rules:\n  - {principal: '*', decison: ALLOW}\n") };
    let errors =
        page(Format::Saga, "s.yaml", "name: s\nsteps:\n- {name: a, capability: pay}\n", &broken).expect_err("a typo");
    assert!(errors[0].message.starts_with("policies.yaml:2:"), "{}", errors[0].message);
}

#[test]
fn hostile_yaml_ends_in_a_clear_error() {
    let deep = |open: &str, close: &str| format!("a: {}{}", open.repeat(10_000), close.repeat(10_000));
    let laughs = (1..12).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
        format!("{text}a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(","))
    });
    let indented: String = (0..10_000).map(|n| format!("{}a:\n", " ".repeat(n % 2_000))).collect();
    for (what, text) in [
        ("billion laughs", laughs),
        ("10 MB", format!("name: {}", "x".repeat(10 << 20))),
        ("many steps", format!("name: a\nsteps:\n{}", "- {name: a, capability: b}\n".repeat(100_000))),
        ("deep lists", deep("[", "]")),
        ("deep tables", deep("{a: ", "}")),
        ("deep lines", indented),
        ("deep steps", format!("name: a\nsteps: {}{}", "[{name: a, steps: ".repeat(14), "[]}]".repeat(14))),
        ("a key twice", "name: a\nname: b\n".to_owned()),
        ("a tab", "name: a\nsteps:\n\t- name: b\n".to_owned()),
        ("null byte", "name: a\0b\n".to_owned()),
        ("two documents", "name: a\n---\nname: b\n".to_owned()),
        ("a tag", "name: !!python/object:os.system x\n".to_owned()),
        ("nothing", "---\n".to_owned()),
        ("a list", "{}\n".to_owned()),
        ("unclosed", "{name: [".to_owned()),
        ("not closed text", "name: \"a\n".to_owned()),
        (
            "a number that is none",
            "name: a\nmax_execution_time_seconds: .inf\nsteps: [{name: a, capability: pay}]\n".to_owned(),
        ),
        ("a long time", "name: a\nmax_execution_time_seconds: 1e300\nsteps: [{name: a, capability: pay}]\n".to_owned()),
        ("odd unicode", "name: \u{202e}a\u{feff}\nsteps: \u{1f600}\n".to_owned()),
    ] {
        let errors = page(Format::Saga, "saga.yaml", &text, &Shelf::default()).err();
        let errors = errors.unwrap_or_else(|| panic!("{what} is accepted"));
        assert!(
            errors.iter().all(|error| !error.message.is_empty() && error.primary.span.start as usize <= text.len()),
            "{what}: {errors:?}"
        );
    }
}

#[test]
fn no_piece_and_no_change_of_a_file_breaks_the_reader() {
    let text = "name: s\ninitial_state: {n: 1}\npolicy:\n- {principal: '*', decision: ALLOW}\nglobal_compensation_steps:\n- {capability: pay}\nsteps:\n- name: a\n  capability: pay\n  inputs: {x: '{{n}}', y: [1.5, -2, true]}\n  compensation: {capability: refund}\n- {name: b, step_type: PARALLEL, depends_on: [a], steps: [{name: c, capability: pay}]}\n- {name: d, step_type: HUMAN_APPROVAL, risk_level: HIGH}\n";
    compiled(&BOUND, text);
    let read = |text: &str| drop(page(Format::Saga, "saga.yaml", text, &BOUND));
    for at in 0..text.len() {
        read(&text[..at]);
        read(&text[at..]);
        for other in ["", "{", "]", ":", "&a ", "*a", "!x ", "\t", "\n", "'", "\u{e9}", "? ", "<<: "] {
            read(&[&text[..at], other, &text[at + 1..]].concat());
        }
    }
}
