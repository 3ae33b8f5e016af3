//! Front matter with all its errors at once: each key that cannot be read is told by itself, and what can be read is.

use super::{FrontMatter, Limits, StageSettings};
use crate::diagnostic::{Code, Diagnostic};
use crate::span::Span;
use crate::tables::{Tables, Value, keys};
use aivm_schema::param::Param;
use aivm_schema::worker::{BehaviourDefinition, Does, WorkerDefinition};
use rustc_hash::FxHashMap;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use toml::de::{DeTable, DeValue};

/// What was read, and what could not be.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// A worker whose definition is broken is defined all the same.
    pub front: FrontMatter,
    /// Where each name of a group stands: `("worker", "shout")`.
    pub places: FxHashMap<(&'static str, String), Span>,
    /// In no order.
    pub errors: Vec<Diagnostic>,
    /// A part was not understood at all: it may define any name.
    pub hides_names: bool,
}

/// Reads front matter that begins at byte `base` of its source.
pub(crate) fn read(text: &str, base: u32) -> Read {
    let mut reader = Reader { tables: Tables::new(Code::FrontMatter, base), read: Read::default() };
    match DeTable::parse(text) {
        Ok(table) => reader.root(table.into_inner()),
        Err(error) => {
            reader.read.hides_names = true;
            let message = format!("the front matter is no TOML: {}", error.message().trim());
            let span = Span::of_chars(text, error.span().unwrap_or(0..text.len()));
            let span = reader.tables.span(span.range());
            let help = "it holds TOML: `[worker.WORD]`, `[behaviour.WORD]`, `[stage.LABEL]` and `[limits]`";
            reader.tables.report(Diagnostic::new(Code::FrontMatter, span, message).help(help));
        }
    }
    Read { errors: reader.tables.errors, ..reader.read }
}

struct Reader {
    tables: Tables,
    read: Read,
}

impl Reader {
    fn root(&mut self, table: DeTable) {
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "worker" => {
                    self.read.front.worker = self.group("worker", value, || WorkerDefinition::new(Does::Mock));
                }
                "behaviour" => {
                    self.read.front.behaviour = self.group("behaviour", value, BehaviourDefinition::default);
                }
                "stage" => self.read.front.stage = self.group("stage", value, StageSettings::default),
                "param" => self.read.front.param = self.group("param", value, Param::default),
                "limits" => {
                    self.read.front.limits = self.tables.table::<Limits>("`[limits]`", value).unwrap_or_default()
                }
                other => {
                    self.read.hides_names = true;
                    self.tables.unknown(key.span(), "the front matter", other, &keys::<FrontMatter>());
                }
            }
        }
    }

    /// `[group.NAME]`, as many as there are; `broken` stands for one that cannot be read.
    fn group<T: DeserializeOwned>(
        &mut self,
        group: &'static str,
        value: Value,
        broken: fn() -> T,
    ) -> BTreeMap<String, T> {
        let span = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            self.read.hides_names = true;
            self.tables.wrong(span, format!("`{group}` holds tables, each with a name: `[{group}.NAME]`"));
            return BTreeMap::new();
        };
        let mut all = BTreeMap::new();
        for (name, value) in table {
            let place = self.tables.span(name.span());
            let name = name.into_inner().into_owned();
            let read = self.tables.table(&format!("`[{group}.{name}]`"), value).unwrap_or_else(broken);
            self.read.places.insert((group, name.clone()), place);
            all.insert(name, read);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::{Found, Shelf};

    fn told(text: &str) -> Vec<String> {
        let mut errors = read(text, 0).errors;
        errors.sort_by_key(|error| error.primary.span);
        let at = |error: &Diagnostic| text.get(error.primary.span.range()).unwrap_or("").to_owned();
        errors.iter().map(|error| format!("{}: {}", at(error), error.message)).collect()
    }

    #[test]
    fn every_key_that_is_wrong_is_told_at_its_place() {
        let text = r#"
[worker.a]
run = "x"
timout = "5m"
timeout = 5
words = "one"
cost = "5"
most = "many"
mock = ["x", { verdit = "y", sleep = 3 }, 4]
backoff = { wait = "1", fast = true }
[worker.b]
runs = "x"
[worker.c]
about = "nothing"
[worker.d]
run = "x"
prompt = "y"
[worker]
e = 5
[worker.f]
run = 5
[limits]
call = 5
count = 0
[behaviour.careful]
promt = "slow"
[stage.s]
chooser = 5
"#;
        let expected = [
            "timout: `[worker.a]` has no key `timout`",
            "5: `timeout` of `[worker.a]`: `5` is not a duration: a whole number with `ms`, `s`, `m`, `h` or `d`, as in `30s`",
            "\"one\": `words` of `[worker.a]`: it takes a list, not the text \"one\"",
            "\"5\": `cost` of `[worker.a]`: `5` is not an amount of money: as in `$0.50`, at most six decimals",
            "\"many\": `most` of `[worker.a]`: it takes a whole number from 0 to 4294967295, not the text \"many\"",
            "verdit: an entry of `mock` of `[worker.a]` has no key `verdit`",
            "3: `sleep` of an entry of `mock` of `[worker.a]`: `3` is not a duration: a whole number with `ms`, `s`, `m`, `h` or `d`, as in `30s`",
            "4: an entry of `mock` of `[worker.a]` takes a word or a table",
            "\"1\": `wait` of `backoff` of `[worker.a]`: `1` is not a duration: a whole number with `ms`, `s`, `m`, `h` or `d`, as in `30s`",
            "fast: `backoff` of `[worker.a]` has no key `fast`",
            "runs: `[worker.b]` has no key `runs`",
            "[worker.c]: `[worker.c]`: it does nothing: say one of `run`, `plugin`, `prompt`, `http`, `mcp`, `builtin`, `human` or `mock`",
            "\"x\": `[worker.d]`: it does two things, `run` and `prompt`: a worker does one",
            "5: `[worker.e]` takes a table, not `5`",
            "5: `run` of `[worker.f]`: a line for the shell, or a list of a program and its arguments",
            "call: `[limits]` has no key `call`",
            "0: `count` of `[limits]`: it takes a whole number from 1 to 65535, not `0`",
            "promt: `[behaviour.careful]` has no key `promt`",
            "5: `chooser` of `[stage.s]`: it takes a text, not `5`",
        ];
        assert_eq!(told(text), expected);
        let read = read(text, 0);
        assert_eq!(read.front.worker.len(), 6);
        assert!(!read.hides_names);
    }

    #[test]
    fn what_is_right_is_read_as_it_always_is() {
        let text =
            "[worker.a]\nrun = \"x\"\nbackoff.wait = \"1s\"\n[limits]\nmoney = \"$2\"\n[stage]\ns.chooser = \"a\"\n";
        let read = read(text, 0);
        assert_eq!(read.errors, []);
        assert_eq!(read.front, FrontMatter::parse(text).expect("it is valid"));
    }

    #[test]
    fn a_part_that_is_not_understood_may_define_any_name() {
        assert!(read("[workers.a]\nrun = \"x\"\n", 0).hides_names);
        assert!(read("worker = 5\n", 0).hides_names);
        assert!(read("[worker.a\n", 0).hides_names);
        // And then nothing is said of names that nothing else defines.
        for front in ["[workers.a]", "[worker.a", "[worker.a]\ntimout = 5"] {
            let source = format!("+++\n{front}\n+++\nout <= ( switch <= ( a => send ) ) <= in\n");
            let errors = crate::compile("x.aivm", &source, &Shelf::default()).expect_err("it is broken");
            let codes: Vec<_> = errors.iter().map(|error| error.code).collect();
            assert_eq!(codes, [Code::FrontMatter], "{source}");
        }
        // Also where the file has the name of the worker.
        let found = Found::Program { file: "a.aivm".to_owned(), source: String::new() };
        let shelf = Shelf { workers: [("a".to_owned(), found)].into(), ..Shelf::default() };
        for (front, codes) in [("[worker.a", &[Code::FrontMatter][..]), ("[worker.b]\nmock = []", &[Code::Recursion])] {
            let source = format!("+++\n{front}\n+++\nout <= ( switch <= ( a => send ) ) <= in\n");
            let errors = crate::compile("a.aivm", &source, &shelf).expect_err("it is broken");
            assert_eq!(errors.iter().map(|error| error.code).collect::<Vec<_>>(), codes, "{source}");
        }
        assert_eq!(told("[workers.a]\nrun = \"x\"\n"), ["workers: the front matter has no key `workers`"]);
    }
}
