//! Turns the committed Cap'n Proto request into Rust, without the `capnp` compiler. Used by the `schema` crate;
//! `schema/regenerate.sh` writes the request from the schemas.

// Building is I/O; `clippy.toml` keeps it out of the crates themselves.
#![allow(clippy::disallowed_methods)]

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=schema.request");
    let out = std::env::var("OUT_DIR")?;
    let request = std::fs::read(Path::new("schema.request"))?;
    capnpc::codegen::CodeGenerationCommand::new().output_directory(out).run(request.as_slice())?;
    Ok(())
}
