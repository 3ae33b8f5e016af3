//! `schema`: the JSON Schema of each format that is written by hand, generated from the types that read it, so that an editor completes
//! and checks what is written.

use crate::args::{Global, SchemaArgs, SchemaOf};
use crate::config;
use crate::fail::{Exit, Failure};
use aivm_lang::front::FrontMatter;
use aivm_lang::workflow::{self, Format};
use aivm_schema::worker::WorkerDefinition;
use schemars::schema_for;
use serde_json::Value;

/// `aivm schema KIND`.
pub fn schema(_global: &Global, args: &SchemaArgs) -> Result<Exit, Failure> {
    println!("{:#}", of(args.of));
    Ok(Exit::SENT)
}

fn of(kind: SchemaOf) -> Value {
    match kind {
        SchemaOf::Worker => schema_for!(WorkerDefinition).to_value(),
        SchemaOf::Front => schema_for!(FrontMatter).to_value(),
        SchemaOf::Config => config::json_schema().to_value(),
        SchemaOf::Workflow => workflow::schema(Format::Workflow).to_value(),
        SchemaOf::Saga => workflow::schema(Format::Saga).to_value(),
        SchemaOf::Aitws => workflow::schema(Format::Aitws).to_value(),
    }
}
