use super::*;
use crate::library::Shelf;

#[test]
fn a_format_is_told_from_what_a_text_says() {
    for (text, format) in [
        ("", Format::Aivm),
        ("out <= () <= in", Format::Aivm),
        ("+++\n[steps.x]\n+++\nout <= () <= in", Format::Aivm),
        ("; steps:\nout <= () <= in", Format::Aivm),
        ("research = ( switch <= ( find => send ) )", Format::Aivm),
        ("out: (", Format::Aivm),
        ("```aivm\nout <= () <= in\n```", Format::Aivm),
        ("Sure: here it is.\n\n```aivm\nout <= () <= in\n```\n", Format::Aivm),
        ("name: a\nsteps:\n  - prompt: |\n      ```\n      x\n      ```", Format::Saga),
        ("id = \"a\"\n[steps.build]\nrun = \"make\"", Format::Workflow),
        ("# a comment\n\n[[steps]]\nid = \"a\"", Format::Workflow),
        ("steps.a.run = \"x\"", Format::Workflow),
        ("[metadata]\nname = \"a\"", Format::Aitws),
        ("id = \"a\"\n", Format::Workflow),
        ("[parameters.a]\ntype = \"text\"", Format::Workflow),
        ("[[stages]]\nid = \"a\"", Format::Aitws),
        ("name: a\nsteps:\n  - name: b", Format::Saga),
        ("---\nname: a", Format::Saga),
        ("{\"name\": \"a\"}", Format::Saga),
    ] {
        assert_eq!(Format::of(text), format, "{text}");
    }
}

#[test]
fn a_text_that_says_nothing_is_of_the_format_of_its_file() {
    for (name, text, format) in [
        ("workflow.toml", "# soon", Format::Workflow),
        ("deploy.yaml", "", Format::Saga),
        ("deploy.yml", "deploy the shop", Format::Saga),
        ("ai.toml", "[metadata]", Format::Aitws),
        ("a.aivm", "", Format::Aivm),
        ("a.toml", "out <= () <= in", Format::Aivm),
    ] {
        assert_eq!(Format::of_file(name, text), format, "{name} {text}");
    }
    for (name, lacks) in [("workflow.toml", "has no steps"), ("deploy.yaml", "has no `steps`")] {
        let errors = crate::compile(name, "# soon\n", &Shelf::default()).expect_err("there is nothing to do");
        assert!(errors.len() == 1 && errors[0].message.contains(lacks), "{errors:?}");
    }
}

#[test]
fn what_is_wrong_behind_a_page_is_told_at_the_place_that_it_comes_from() {
    let text = "[steps.build]\nrun = \"make\"\n[steps.test]\nuses = \"tset\"\nneeds = [\"build\"]\n";
    let errors = crate::compile("workflow.toml", text, &Shelf::default()).expect_err("nothing is called `test`");
    let told: Vec<_> = errors.iter().map(|error| (error.code, text.get(error.primary.span.range()))).collect();
    assert_eq!(told, [(Code::UnknownWorker, Some("\"tset\""))]);
}

#[test]
fn a_schema_has_the_keys_that_are_read() {
    for (format, text, place) in [
        (Format::Workflow, "zzzzzz = 1\n[steps.a]", ""),
        (Format::Workflow, "[steps.a]\nzzzzzz = 1", "/$defs/Step"),
        (Format::Workflow, "[actions.a]\nzzzzzz = 1\n[steps.b]", "/$defs/Action"),
        (Format::Workflow, "[parameters.a]\nzzzzzz = 1\n[steps.b]", "/$defs/Param"),
        (Format::Workflow, "[requirements]\nzzzzzz = 1\n[steps.b]", "/$defs/Requirements"),
        (Format::Workflow, "[artifacts.a]\nzzzzzz = 1\n[steps.b]", "/$defs/Artifact"),
        (Format::Aitws, "zzzzzz = 1", ""),
        (Format::Aitws, "[[stages]]\nname = \"a\"\nzzzzzz = 1", "/$defs/Stage"),
        (Format::Aitws, "[[stages]]\nname = \"a\"\n[[stages.actions]]\nname = \"b\"\nzzzzzz = 1", "/$defs/Action"),
        (Format::Aitws, "[[branches]]\nname = \"a\"\nzzzzzz = 1", "/$defs/Branch"),
        (Format::Saga, "zzzzzz: 1", ""),
        (Format::Saga, "spec: {zzzzzz: 1}", ""),
        (Format::Saga, "metadata: {zzzzzz: 1}", "/$defs/Metadata"),
        (Format::Saga, "steps: [{name: a, zzzzzz: 1}]", "/$defs/Step"),
        (Format::Saga, "steps: [{name: a, steps: [{name: b, zzzzzz: 1}]}]", "/$defs/Step"),
        (Format::Saga, "global_compensation_steps: [{zzzzzz: 1}]", "/$defs/Compensation"),
        (Format::Saga, "policy: {zzzzzz: 1}", "/$defs/Rules"),
        (Format::Saga, "policy: [{zzzzzz: 1}]", "/$defs/Rule"),
    ] {
        let errors = page(format, "x", text, &Shelf::default()).expect_err("no key is called so");
        let told = errors.iter().find(|error| error.message.contains("has no key `zzzzzz`")).expect(text);
        let help = told.help.as_deref().unwrap_or_default();
        let mut read: Vec<&str> = help.split('`').skip(1).step_by(2).collect();
        let schema = schema(format).to_value();
        let properties = schema.pointer(place).and_then(|of| of["properties"].as_object()).expect(place);
        let mut shown: Vec<&str> = properties.keys().map(String::as_str).collect();
        read.sort_unstable();
        shown.sort_unstable();
        assert_eq!(shown, read, "{text}");
    }
}

#[test]
fn ten_thousand_steps_fit_a_module_however_they_need_each_other() {
    let each = |needs: &dyn Fn(usize) -> String| -> String {
        (0..10_000).map(|at| format!("[steps.s{at}]\nrun = \"true\"\nneeds = [{}]\n", needs(at))).collect()
    };
    let before = |at: usize| match at {
        0 => String::new(),
        _ if at > 6 && at.is_multiple_of(7) => format!("\"s{}\", \"s{}\", \"s{}\"", at - 1, at / 2, at / 3),
        _ => format!("\"s{}\"", at - 1),
    };
    for text in [each(&before), each(&|_| String::new())] {
        let page = page(Format::Workflow, "workflow.toml", &text, &Shelf::default()).expect("a page");
        let arrows = crate::format::format(&page.text).expect("arrows");
        let of = |text: &str| crate::compile("x", text, &Shelf::default()).expect("it compiles").module;
        let module = of(&text);
        assert!(module.to_bytes().len() <= aivm_schema::limits::MODULE);
        assert_eq!(of(&arrows).digest(), module.digest(), "what it becomes is another program");
    }
}

#[test]
fn the_arrows_of_each_sample_are_the_same_program() {
    let shelf = Shelf { anything: true, ..Shelf::default() };
    for (format, text) in [
        (Format::Workflow, include_str!("../../../cli/init/workflow.toml")),
        (Format::Workflow, include_str!("../../../examples/workflow-release/workflow.toml")),
        (Format::Aitws, include_str!("../../../cli/init/aitws.toml")),
        (Format::Aitws, include_str!("../../../examples/regenerate/ai.toml")),
        (Format::Aitws, include_str!("../../../tests/samples/aitws/ai.toml")),
        (Format::Saga, include_str!("../../../cli/init/saga.yaml")),
        (Format::Saga, include_str!("../../../examples/saga-shop/saga.yaml")),
        (Format::Saga, include_str!("../../../tests/cli/saga/deploy.yaml")),
        (Format::Saga, include_str!("../../../tests/cli/saga/hello.yaml")),
    ] {
        assert_eq!(Format::of(text), format);
        let arrows = page(format, "x", text, &shelf).expect("a page").text;
        let formatted = crate::format::format(&arrows).expect("arrows");
        let digest = |text: &str| crate::compile("x", text, &shelf).expect("it compiles").module.digest();
        assert_eq!(digest(&formatted), digest(text), "{formatted}");
    }
}
