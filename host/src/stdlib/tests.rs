//! Every page of the standard library says what is true: its settings are those of the code, and its examples give what
//! they say.

use super::{names, page};
use crate::builtin::{self, Body, Builtin, Context, Input, Output, Part, settings_table};
use aivm_schema::worker::memory::is_of_memory;
use aivm_schema::worker::{Does, WorkerDefinition, split_front_matter};
use std::collections::BTreeMap;
use std::path::Path;

fn definition(word: &str) -> WorkerDefinition {
    let text = page(word).unwrap_or_else(|| panic!("no page {word}"));
    WorkerDefinition::from_markdown(text).unwrap_or_else(|error| panic!("{word}.md: {error}"))
}

#[test]
fn the_pages_carried_along_are_those_in_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../stdlib/workers");
    let entries = std::fs::read_dir(folder).expect("the folder");
    let mut files: Vec<String> =
        entries.map(|entry| entry.expect("entry").file_name().into_string().expect("UTF-8")).collect();
    files.sort_unstable_by_key(|name| name.trim_end_matches(".md").to_owned());
    let carried: Vec<String> = names().map(|word| format!("{word}.md")).collect();
    assert_eq!(files, carried);
}

#[test]
fn every_builtin_has_a_page_and_every_page_has_one_sentence() {
    for builtin in builtin::all() {
        let definition = definition(builtin.name);
        assert_eq!(definition.does, Does::Builtin(builtin.name.into()), "{}", builtin.name);
        assert_eq!(definition.effect, Some(builtin.effect), "{}", builtin.name);
        assert_eq!(definition.undo.as_deref(), builtin.undo(), "{}", builtin.name);
        assert_eq!(definition.words, builtin.words, "{}", builtin.name);
    }
    for word in names() {
        let definition = definition(word);
        assert!(
            definition.about.ends_with('.') && definition.about.matches(". ").count() == 0,
            "{word}: {}",
            definition.about
        );
        assert!(definition.about.len() <= 140, "{word}: {}", definition.about.len());
        if let Does::Builtin(name) = &definition.does {
            assert!(builtin::find(name).is_some(), "{word}: no built-in `{name}`");
        }
    }
}

#[test]
fn the_settings_on_a_page_are_those_of_the_code() {
    for builtin in builtin::all() {
        let table = settings_table(builtin.settings);
        let text = page(builtin.name).expect("a page");
        assert!(text.contains(&format!("\n\n{table}\n")), "{}.md should say:\n{table}", builtin.name);
    }
}

#[test]
fn the_examples_give_what_they_say() {
    let here = |builtin: &&Builtin| cfg!(feature = "memory") || !is_of_memory(builtin.name);
    for builtin in builtin::all().iter().filter(here) {
        let examples = examples(builtin.name);
        assert!(!examples.is_empty(), "{}.md has no example", builtin.name);
        for (nth, example) in examples.iter().enumerate() {
            example.check(&format!("{}.md, example {}", builtin.name, nth + 1), builtin);
        }
    }
}

/// A fenced block: the words after the fence, and what stands in it.
struct Block {
    info: Vec<String>,
    text: String,
}

impl Block {
    fn info(&self, at: usize) -> &str {
        self.info.get(at).map_or("", String::as_str)
    }

    /// The payload: one line of escapes, or the text as it stands.
    fn payload(&self) -> String {
        if self.info.iter().any(|word| word == "escaped") {
            let line = self.text.trim_end_matches('\n').replace('"', "\\\"");
            return serde_json::from_str(&format!("\"{line}\"")).expect("escapes");
        }
        self.text.clone()
    }
}

/// A definition, what it is called with, and what it gives.
struct Example {
    definition: WorkerDefinition,
    blocks: Vec<Block>,
}

fn examples(word: &str) -> Vec<Example> {
    let (_, body) = split_front_matter(page(word).expect("a page"));
    let mut examples: Vec<Example> = Vec::new();
    let mut lines = body.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let text: String = lines.by_ref().take_while(|line| *line != "```").flat_map(|line| [line, "\n"]).collect();
        if info == "toml" {
            let workers: BTreeMap<String, BTreeMap<String, WorkerDefinition>> = toml::from_str(&text).expect(word);
            let definition = workers.into_values().flat_map(BTreeMap::into_values).next().expect("a worker");
            examples.push(Example { definition, blocks: Vec::new() });
        } else {
            let info = info.split_whitespace().map(str::to_owned).collect();
            examples.last_mut().expect("a definition first").blocks.push(Block { info, text });
        }
    }
    examples
}

/// What an example begins with.
#[cfg(feature = "memory")]
struct Remembered {
    memory: crate::memory::Memory,
    runtime: tokio::runtime::Runtime,
}

#[cfg(feature = "memory")]
impl Remembered {
    fn of(example: &Example) -> Remembered {
        use crate::memory::{Edge, Memory, Note, Place};
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let memory = Memory::default();
        for block in example.all("note") {
            let note = Note { id: block.info(1).to_owned(), text: block.text.trim().to_owned(), ..Note::default() };
            runtime.block_on(memory.remember(&Place::Global, "", note)).expect("a note");
        }
        for block in example.all("edge") {
            let ends: BTreeMap<String, String> = serde_json::from_str(&block.text).expect("a relation");
            let [from, relation, to] = ["from", "relation", "to"].map(|end| ends[end].clone());
            let edge = Edge { from, relation, to, ..Edge::default() };
            runtime.block_on(memory.relate(&Place::Global, edge)).expect("a relation");
        }
        Remembered { memory, runtime }
    }
}

impl Example {
    fn all<'b>(&'b self, kind: &'b str) -> impl Iterator<Item = &'b Block> {
        self.blocks.iter().filter(move |block| block.info(0) == kind)
    }

    fn run(&self, builtin: &Builtin) -> Result<Output, builtin::Failure> {
        let workspace = tempfile::tempdir().expect("a folder");
        for file in self.all("file") {
            let path = workspace.path().join(file.info(1));
            std::fs::create_dir_all(path.parent().expect("parent")).expect("folders");
            std::fs::write(path, file.payload()).expect("file");
        }
        let params = self.all("param").map(|block| (block.info(1).to_owned(), block.text.trim().to_owned())).collect();
        let outcomes: Vec<String> =
            self.definition.words.iter().cloned().chain(builtin.words.iter().map(|word| (*word).to_owned())).collect();
        let attribute = |block: &Block| (block.info(1).to_owned(), block.text.trim().to_owned());
        let attributes: Vec<(String, String)> = self.all("attribute").map(attribute).collect();
        let payloads: Vec<String> = self.all("part").map(Block::payload).collect();
        let parts: Vec<Part<'_>> = self
            .all("part")
            .zip(&payloads)
            .map(|(block, text)| Part {
                name: block.info(1),
                media_type: block.info(2),
                payload: text.as_bytes(),
                verdict: None,
            })
            .collect();
        let single = self.all("input").next().map(Block::payload);
        let input = Input {
            media_type: match self.all("input").next() {
                Some(block) => block.info(1),
                None => "application/vnd.aivm.parts",
            },
            payload: single.as_deref().unwrap_or("").as_bytes(),
            attributes: &attributes,
            parts: &parts,
        };
        let with = &self.definition.with;
        let (outcomes, params) = (&outcomes, &params);
        let kept = workspace.path().join(".aivm/undo");
        #[cfg(feature = "memory")]
        let (remembered, granted) = (Remembered::of(self), builtin::memory::granted(&self.definition));
        let context = Context {
            #[cfg(feature = "memory")]
            memory: Some(builtin::memory::Access {
                worker: "x",
                run: "run",
                id: "note-1",
                granted: &granted,
                memory: &remembered.memory,
                runtime: remembered.runtime.handle(),
            }),
            #[cfg(not(feature = "memory"))]
            memory: None,
            with,
            outcomes,
            params,
            workspace: workspace.path(),
            kept: &kept,
            key: &"switch.1/x#1",
            cancelled: &|| false,
        };
        builtin.call(&input, &context)
    }

    fn check(&self, place: &str, builtin: &Builtin) {
        assert_eq!(self.definition.does, Does::Builtin(builtin.name.into()), "{place}");
        let result = self.run(builtin);
        if let Some(expected) = self.all("fails").next() {
            let failure = result.expect_err(place);
            assert_eq!(failure.code(), expected.info(1), "{place}: {failure}");
            assert_eq!(failure.to_string().trim(), expected.text.trim(), "{place}");
            return;
        }
        let output = result.unwrap_or_else(|failure| panic!("{place}: {failure}"));
        for line in self.all("attributes").flat_map(|block| block.text.lines()) {
            let (key, value) = line.split_once(" = ").expect(place);
            let found = output.attributes.iter().find(|(name, _)| name == key);
            assert_eq!(found.map(|(_, value)| value.replace('\n', "\\n")), Some(value.to_owned()), "{place}: {key}");
        }
        if let Body::Parts(parts) = &output.body {
            let shown = |block: &Block| (block.info(1).to_owned(), block.info(2).to_owned(), block.payload());
            let given = parts.iter().map(|part| {
                (part.name.clone(), part.media_type.clone(), String::from_utf8(part.payload.clone()).expect(place))
            });
            assert_eq!(given.collect::<Vec<_>>(), self.all("output-part").map(shown).collect::<Vec<_>>(), "{place}");
            return;
        }
        let expected = self.all("output").next().unwrap_or_else(|| panic!("{place}: says no output"));
        let word = expected.info.iter().skip(2).find(|word| *word != "escaped");
        assert_eq!(output.verdict.as_ref(), word, "{place}: its word");
        match &output.body {
            Body::Same => assert_eq!(expected.info(1), "same", "{place}"),
            Body::New { media_type, payload } => {
                let text = String::from_utf8(payload.clone()).expect(place);
                assert_eq!(text.trim_end_matches('\n'), expected.payload().trim_end_matches('\n'), "{place}");
                assert_eq!(media_type, expected.info(1), "{place}");
            }
            Body::Parts(_) => {}
        }
    }
}

/// Inputs that nobody expects.
const HOSTILE: [(&str, &[u8]); 22] = [
    ("", b""),
    ("text/plain", b""),
    ("text/plain", b"\n"),
    ("text/plain", b"\xff\xfe\x00"),
    ("text/plain", "\u{feff}\u{202e}ä\u{0}{{ input }} $1 ${x} %s ../..".as_bytes()),
    ("text/plain", b"[[[[[[{{{{{\"\\u0000\\ud800\"}"),
    ("text/markdown", b"```\n# not closed\n~~~\n#######\n```x"),
    ("text/x-lines", b"\r\r\n\n\r"),
    ("text/csv", b""),
    ("text/csv", b"a,a,\n\"unclosed"),
    ("text/csv", b"a,b\n1,2,3\n\"\"\"\",\n"),
    ("text/csv", b"\"\"\n\"\"\n"),
    ("text/tab-separated-values", b"\t\t\n\t\t\n"),
    ("application/json", b""),
    ("application/json", b"null"),
    ("application/json", b"[]"),
    ("application/json", b"{\"\":{\"\":[]},\"a.b\":[null,1e308,-0.0,18446744073709551615]}"),
    ("application/json", b"[{},[],\"\",0,null,{\"text\":1,\"source\":[]}]"),
    ("application/json", b"{\"a\":1,\"a\":2}x"),
    ("application/x-ndjson", b"{}\n\n[]\nnull\n"),
    ("image/png", b"\x89PNG\r\n\x1a\n"),
    ("application/vnd.aivm.parts", b"garbage"),
];

/// Whatever the input, a call ends with an answer or a failure that has a code and says something, and ends the same way again.
#[test]
fn no_input_breaks_a_builtin() {
    let workspace = tempfile::tempdir().expect("a folder");
    let (params, outcomes) = (BTreeMap::new(), Vec::new());
    let kept = workspace.path().join(".aivm/undo");
    let mut calls = 0;
    for builtin in builtin::all() {
        for example in examples(builtin.name) {
            let with = &example.definition.with;
            for (media_type, payload) in HOSTILE {
                let part = |name| Part { name, media_type, payload, verdict: None };
                for parts in [vec![], vec![part("")], vec![part("a"), part("a")], vec![part("../x"), part("\0")]] {
                    let input = Input { media_type, payload, attributes: &[], parts: &parts };
                    calls += 1;
                    let context = Context {
                        with,
                        outcomes: &outcomes,
                        params: &params,
                        workspace: workspace.path(),
                        kept: &kept,
                        memory: None,
                        key: &calls,
                        cancelled: &|| false,
                    };
                    let shown = |result: Result<Output, builtin::Failure>| match result {
                        Ok(output) => format!("{output:?}"),
                        Err(failure) => format!("{} {failure}", failure.code()),
                    };
                    let first = shown(builtin.call(&input, &context));
                    assert!(first.len() > 6, "{}: {first}", builtin.name);
                    assert_eq!(first, shown(builtin.call(&input, &context)), "{}", builtin.name);
                }
            }
        }
    }
}

#[test]
fn the_list_of_words_is_complete() {
    let list = include_str!("../../../stdlib/README.md");
    for word in names() {
        assert!(list.contains(&format!("`{word}`")), "stdlib/README.md does not list `{word}`");
    }
    for builtin in builtin::all().iter().filter(|builtin| !builtin.words.is_empty()) {
        let said: Vec<String> = builtin.words.iter().map(|word| format!("`{word}`")).collect();
        let row = list.lines().find(|line| {
            line.starts_with("| `") && line.contains(&format!("`{}`", builtin.name)) && line.contains(&said.join(" "))
        });
        assert!(row.is_some(), "stdlib/README.md does not say that {} says {}", builtin.name, said.join(" "));
    }
}
