use super::*;
use crate::library::Shelf;
use crate::workflow::page;

/// Files as they are read together.
fn layers(format: Format, texts: &[&str]) -> (Reading, String) {
    let mut reading = Reading::from(format);
    let mut source = String::new();
    for (nth, text) in texts.iter().enumerate() {
        if nth > 0 {
            reading.over.push(Layer { name: format!("over{nth}"), start: source.len() });
        }
        source.push_str(text);
    }
    (reading, source)
}

/// The arrows that they become.
fn arrows(format: Format, texts: &[&str]) -> String {
    let (reading, source) = layers(format, texts);
    let page = page(reading, "base", &source, &Shelf::default()).unwrap_or_else(|errors| panic!("{errors:?}"));
    crate::format::format(&page.text).unwrap_or_else(|errors| panic!("{errors:?}\n{}", page.text))
}

/// What is told of them, as lines.
fn told(format: Format, texts: &[&str]) -> Vec<String> {
    let (reading, source) = layers(format, texts);
    let errors = page(reading.clone(), "base", &source, &Shelf::default()).expect_err("it is wrong");
    let line = |error: &Diagnostic| {
        let (file, text, error) = reading.told("base", &source, error);
        let reason = error.reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"));
        crate::render::line(file, text, &error) + &reason
    };
    errors.iter().map(line).collect()
}

const STEPS: &str =
    "[steps.build]\nrun = \"make\"\ntimeout = \"10m\"\n[steps.test]\nrun = \"make test\"\nneeds = [\"build\"]\n";

#[test]
fn what_is_laid_over_a_workflow_is_read_as_if_it_stood_in_it() {
    let whole = "concurrency = 2\n[steps.build]\nrun = \"make all\"\ntimeout = \"10m\"\n[steps.test]\nrun = \"make test\"\n\
        needs = []\n[steps.ship]\nrun = \"ship\"\nneeds = [\"test\"]\n";
    let first = "concurrency = 2\n[steps.build]\nrun = \"make some\"\n[steps.test]\nneeds = []\n";
    let second = "[steps]\nship = { run = \"ship\", needs = [\"test\"] }\nbuild.run = \"make all\"\n";
    assert_eq!(arrows(Format::Workflow, &[STEPS, first, second]), arrows(Format::Workflow, &[whole]));
}

#[test]
fn entries_of_one_name_are_laid_over_each_other_and_others_come_behind() {
    let base = "[[steps]]\nid = \"a\"\nrun = \"a\"\nretry = 1\n[[steps]]\nid = \"b\"\nrun = \"b\"\n";
    let over = "[[steps]]\nid = \"c\"\nrun = \"c\"\n[[steps]]\nid = \"a\"\nrun = \"aa\"\n";
    let whole = "[[steps]]\nid = \"a\"\nrun = \"aa\"\nretry = 1\n[[steps]]\nid = \"b\"\nrun = \"b\"\n[[steps]]\nid = \"c\"\nrun = \"c\"\n";
    assert_eq!(arrows(Format::Workflow, &[base, over]), arrows(Format::Workflow, &[whole]));
    let base = "[[stages]]\nname = \"A\"\norder = 1\nactions = [{ name = \"x\" }, { name = \"y\" }]\n";
    let over = "[[stages]]\nname = \"A\"\nactions = [{ name = \"y\", type = \"z\" }]\n";
    let whole = "[[stages]]\nname = \"A\"\norder = 1\nactions = [{ name = \"x\" }, { name = \"y\", type = \"z\" }]\n";
    assert_eq!(arrows(Format::Aitws, &[base, over]), arrows(Format::Aitws, &[whole]));
}

#[test]
fn a_saga_takes_what_is_laid_over_it() {
    let base = "name: s\ninitial_state: {n: 1}\nsteps:\n  - name: a\n    capability: data.json.get\n    inputs: {path: x, data: 1}\n";
    let over = "# of this place\ninitial_state: {m: 2}\nsteps:\n  - name: a\n    inputs: {path: y}\n";
    let whole = "name: s\ninitial_state: {n: 1, m: 2}\nsteps:\n  - name: a\n    capability: data.json.get\n    inputs: {path: y, data: 1}\n";
    assert_eq!(arrows(Format::Saga, &[base, over]), arrows(Format::Saga, &[whole]));
}

#[test]
fn each_error_is_told_in_the_file_that_it_is_in() {
    let over = "# größer\n[steps.test]\nneeds = [\"bild\"]\nretyr = 2\n[parameters.x]\ntype = \"no\"\n";
    insta::assert_snapshot!(told(Format::Workflow, &[STEPS, over]).join("\n"), @r"
    over1:3:10: error[E1003]: `test` needs `bild`, and no step has this name
    over1:4:1: error[E1002]: `[steps.test]` has no key `retyr`
    over1:6:8: error[E1002]: `type` of `[parameters.x]`: `no` is none of `string`, `text`, `int`, `integer`, `float`, `number`, `bool`, `boolean`, `choice`
    ");
    // A circle that neither file has by itself.
    let over = "[steps.build]\nneeds = [\"test\"]\n";
    insta::assert_snapshot!(told(Format::Workflow, &[STEPS, over]).join("\n"), @r"
    base:1:8: error[E1004]: these steps need each other: build → test → build (a step begins when all that it needs have ended, so none of them would ever begin; over1:2:10: `build` needs it)
    ");
    let over = "[[steps]]\nid = \"build\"\nrun = \"x\"\n";
    insta::assert_snapshot!(told(Format::Workflow, &[STEPS, over, "= 1", "a = [", ""]).join("\n"), @r"
    over1:1:1: error[E1024]: `steps` is a list here, and a table in the file that it is laid over
    over2:1:1: error[E1001]: this is no TOML: unquoted keys cannot be empty, expected letters, numbers, `-`, `_`
    over3:1:5: error[E1001]: this is no TOML: unclosed array, expected `]`
    ");
    let twice = "[[steps]]\nid = \"a\"\nrun = \"a\"\n";
    insta::assert_snapshot!(told(Format::Workflow, &[twice, twice, &twice.repeat(2)]).join("\n"), @r"over2:5:6: error[E1006]: two steps are called `a`");
    insta::assert_snapshot!(told(Format::Saga, &["name: s\nsteps: [{name: a, capability: x}]\n", "steps:\n  - nme: b\n"]).join("\n"), @r"over1:2:5: error[E1021]: a step has no key `nme`");
    insta::assert_snapshot!(told(Format::Aivm, &["out <= () <= in", "a = 1"]).join("\n"), @r"base:1:1: error[E1024]: nothing is laid over arrows (a key of TOML or YAML has one place, and what is laid over it gives it another value; arrows have no keys)");
}

#[test]
fn the_place_of_what_is_compiled_is_in_its_file() {
    let over = "[steps.test]\nuses = \"nobody\"\nrun = \"x\"\n";
    let (reading, source) = layers(Format::Workflow, &[STEPS, over]);
    let errors = crate::compile_as(reading.clone(), "base", &source, &Shelf::default()).expect_err("two things");
    let (file, text, error) = reading.told("base", &source, &errors[0]);
    assert_eq!((file, position(text, error.primary.span.start).0), ("over1", 2), "{error:?}");
}
