//! The tools by which a model writes pipelines: it checks what it wrote, reads what a code or a word means, sees the graph. They read what
//! stands around a program in this folder, and change nothing.

use crate::explain;
use crate::fail::Failure;
use crate::library::Files;
use aivm_host::stdlib;
use aivm_lang::diagnostic::Severity;
use aivm_lang::{cost, draw, render};
use rmcp::model::{CallToolResult, ContentBlock, JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

/// The name of a program in messages, and what its words are looked up beside.
const FILE: &str = "program.aivm";

/// One of these tools.
#[derive(Clone, Copy, Debug)]
pub struct Authoring {
    /// What clients call it.
    pub name: &'static str,
    about: &'static str,
    takes: &'static str,
    of: &'static str,
    call: fn(&str) -> Result<Value, Failure>,
}

/// All of them.
pub const TOOLS: [Authoring; 4] = [
    Authoring {
        name: "aivm_reference",
        about: "The language of aivm on one page: read it before you write a program.",
        takes: "topic",
        of: "`language`",
        call: |_| Ok(json!(include_str!("../../docs/llms.txt"))),
    },
    Authoring {
        name: "aivm_check",
        about: "All errors and warnings of a program of aivm (arrows, workflow.toml, aiTWS or a saga), each with its place and, where there is \
                one, a fix; and the most that it can call, take and spend.",
        takes: "program",
        of: "The whole text of the program",
        call: checked,
    },
    Authoring {
        name: "aivm_explain",
        about: "What an error code of aivm means, with a wrong and a right program; or what a word of the standard library does.",
        takes: "topic",
        of: "A code such as E0106, or a word such as clean",
        call: explained,
    },
    Authoring {
        name: "aivm_graph",
        about: "The flow graph of a program of aivm, as Mermaid.",
        takes: "program",
        of: "The whole text of the program",
        call: drawn,
    },
];

impl Authoring {
    /// As a client is told of it.
    pub fn tool(self) -> Tool {
        let schema = json!({
            "type": "object",
            "properties": {self.takes: {"type": "string", "description": self.of}},
            "required": [self.takes],
        });
        let hints = ToolAnnotations::new().read_only(true).destructive(false).idempotent(true).open_world(false);
        Tool::new(self.name, self.about, schema.as_object().cloned().unwrap_or_default()).with_annotations(hints)
    }

    /// What it says.
    pub fn call(self, arguments: &JsonObject) -> Result<CallToolResult, Failure> {
        let said = arguments.get(self.takes).and_then(Value::as_str).ok_or_else(|| {
            Failure::usage("E0949", format!("`{}` is not called like that: it has no text `{}`", self.name, self.takes))
        })?;
        let told = (self.call)(said)?;
        let text = told.as_str().map_or_else(|| format!("{told:#}"), str::to_owned);
        let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
        result.structured_content = Some(told).filter(Value::is_object);
        Ok(result)
    }
}

fn around() -> Result<Files, Failure> {
    Files::around(FILE).map_err(|error| Failure::usage("E0802", error.to_string()))
}

fn checked(program: &str) -> Result<Value, Failure> {
    let library = around()?;
    let (diagnostics, worst) = match aivm_lang::compile(FILE, program, &library) {
        Ok(compiled) => {
            let worst = cost::worst_case(&compiled.flow);
            ([compiled.warnings, compiled.hints].concat(), Some(cost::summary_text(&worst.total)))
        }
        Err(errors) => (errors, None),
    };
    let errors = diagnostics.iter().filter(|one| one.severity() == Severity::Error).count();
    let told: Vec<Value> = diagnostics.iter().map(|one| render::to_json(FILE, program, one)).collect();
    Ok(json!({"ok": errors == 0, "diagnostics": told, "at_most": worst}))
}

fn explained(topic: &str) -> Result<Value, Failure> {
    let page = explain::page(&topic.to_ascii_uppercase()).or_else(|| stdlib::page(topic));
    page.map(|page| json!(page)).ok_or_else(|| {
        Failure::usage("E0840", format!("there is no page for `{topic}`"))
            .help("a code such as E0106, or a word such as clean")
    })
}

fn drawn(program: &str) -> Result<Value, Failure> {
    let compiled = aivm_lang::compile(FILE, program, &around()?).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(|error| render::line(FILE, program, error)).collect();
        Failure::usage(errors.first().map_or("E0111", |error| error.code.text()), lines.join("\n"))
    })?;
    Ok(json!(draw::mermaid(&compiled.flow, None)))
}
