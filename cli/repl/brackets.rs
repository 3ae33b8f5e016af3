//! Which brackets are open, told line by line. An entry goes on until they balance, also when there is a mistake within them; and until
//! then nobody reads it as a program. What the brackets hold is not looked at.

/// The brackets of a text, as far as it was read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Brackets {
    depth: i64,
    within: Within,
}

/// What the next line stands in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Within {
    /// Nothing was read yet.
    #[default]
    Nothing,
    /// TOML between two `+++` lines.
    FrontMatter,
    Arrows,
    /// The text in quotes that goes in.
    Quotes,
    /// A command, which has no brackets.
    Command,
}

impl Brackets {
    /// Of a whole text.
    pub fn of(text: &str) -> Brackets {
        let mut brackets = Brackets::default();
        text.split_inclusive('\n').for_each(|line| brackets.read(line));
        brackets
    }

    /// One line more.
    pub fn read(&mut self, line: &str) {
        self.within = match (self.within, line.trim_end()) {
            (Within::Nothing, "+++") => return self.within = Within::FrontMatter,
            (Within::Nothing, line) if line.starts_with([':', '/']) => Within::Command,
            (Within::Nothing, _) => Within::Arrows,
            (Within::FrontMatter, "+++") => return self.within = Within::Arrows,
            (within, _) => within,
        };
        let mut is_escaped = false;
        for c in line.chars() {
            match (self.within, c) {
                (Within::Arrows, ';') => break,
                (Within::Arrows, '(' | '[') => self.depth += 1,
                (Within::Arrows, ')' | ']') => self.depth -= 1,
                // Within brackets there are no texts: a quote there is a slip.
                (Within::Arrows, '"') if self.depth == 0 => self.within = Within::Quotes,
                (Within::Quotes, '"') if !is_escaped => self.within = Within::Arrows,
                _ => {}
            }
            is_escaped = c == '\\' && !is_escaped;
        }
    }

    /// Is one not closed?
    pub fn are_open(&self) -> bool {
        self.depth > 0
    }
}

#[cfg(test)]
mod tests {
    use super::Brackets;

    #[test]
    fn what_is_no_bracket_of_the_program_does_not_count() {
        for (text, are_open) in [
            ("", false),
            ("out <= ( switch[a] <= (", true),
            ("out <= ( \"a -> b\nc", true),
            ("out <= ( a ) )", false),
            ("a <= ( ; )\n", true),
            ("a ; (\n", false),
            ("+++\n[worker.a]\nprompt = \"(\"\n+++\nout <= (", true),
            ("+++\n[worker.a\n", false),
            ("a <= \"( \\\" (\n(\" ", false),
            (":set in (", false),
        ] {
            assert_eq!(Brackets::of(text).are_open(), are_open, "{text}");
        }
    }
}
