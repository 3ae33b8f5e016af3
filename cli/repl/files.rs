//! `:load` and `:save`: a program comes from a file, and goes to one. A file that the session did not read and did not write is somebody
//! else's, and is written over only by `:save!`.

use super::session::pieces_of;
use super::{Repl, entry};
use crate::args::Written;
use crate::fail::Failure;
use crate::out::plain;
use crate::{compile, project};
use std::path::{Path, PathBuf};

impl Repl<'_> {
    /// `:load FILE`.
    pub fn load(&mut self, file: &str) -> Result<(), Failure> {
        let file = &path(file);
        let written = Written { who: Some(project::who()), ..Written::default() };
        let source = project::read_source(file, &written)?;
        let pieces = pieces_of(&self.arrows_of(&source)?)?;
        let definitions = pieces.definitions.len();
        self.session.load(&source.name, pieces);
        let plural = if definitions == 1 { "" } else { "s" };
        let with = if definitions == 0 { String::new() } else { format!(" with {definitions} definition{plural}") };
        println!("loaded {}{with}; :run runs it, :step its first call", plain(file));
        Ok(())
    }

    /// `:save [FILE]`, and `:save! [FILE]`, which asks nobody.
    pub fn save(&mut self, file: Option<&str>, over: bool) -> Result<(), Failure> {
        let Some(file) = file.map(path).or_else(|| self.session.own_files().next().map(str::to_owned)) else {
            return Err(Failure::usage("E0956", "nothing says where to save").help("name a file: :save FILE.aivm"));
        };
        if !over && Path::new(&file).exists() && !self.session.own_files().any(|own| is_same(own, &file)) {
            return Err(Failure::usage("E0858", format!("{} is there already", plain(&file)))
                .help(format!(":save! {} writes over it", plain(&file))));
        }
        compile::write_whole(Path::new(&file), self.session.formatted()?.as_bytes())?;
        println!("saved {}", plain(&file));
        self.session.saved(file);
        self.session.keep()
    }
}

/// A path as it is typed: in quotes, with `\ ` for a space as completion writes it, or as it is.
fn path(typed: &str) -> String {
    entry::plain(typed).replace("\\ ", " ")
}

fn is_same(one: &str, other: &str) -> bool {
    let whole = |path: &str| std::fs::canonicalize(path).unwrap_or_else(|_| PathBuf::from(path));
    whole(one) == whole(other)
}
