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
        ("id = \"a\"\n[steps.build]\nrun = \"make\"", Format::Workflow),
        ("# a comment\n\n[[steps]]\nid = \"a\"", Format::Workflow),
        ("steps.a.run = \"x\"", Format::Workflow),
        ("[metadata]\nname = \"a\"", Format::Aitws),
        ("name: a\nsteps:\n  - name: b", Format::Saga),
        ("---\nname: a", Format::Saga),
        ("{\"name\": \"a\"}", Format::Saga),
    ] {
        assert_eq!(Format::of(text), format, "{text}");
    }
}

#[test]
fn what_is_wrong_behind_a_page_is_told_at_the_place_that_it_comes_from() {
    let text = "[steps.build]\nrun = \"make\"\n[steps.test]\nuses = \"tset\"\nneeds = [\"build\"]\n";
    let errors = crate::compile("workflow.toml", text, &Shelf::default()).expect_err("nothing is called `test`");
    let told: Vec<_> = errors.iter().map(|error| (error.code, text.get(error.primary.span.range()))).collect();
    assert_eq!(told, [(Code::UnknownWorker, Some("\"tset\""))]);
}
