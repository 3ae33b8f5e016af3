//! Somebody who edits a program: types words and arrows a key at a time, deletes, moves lines about, pastes pieces of other programs, undoes.
//! The same number makes the same edits.

use super::dice::Dice;

/// What is typed: the language, its habits of elsewhere, and what people write around it.
const TYPED: &[&str] = &[
    "out <= (\n    ",
    "switch <= (\n        ",
    "select <= ( ",
    "join<2, 3s> <= ( ",
    " <= match <= ( success => next  default => [x.jump] )",
    ") <= in\n",
    " => next | cancel",
    " => send",
    " => back * 2 | retry | timeout",
    "switch[draft] <= (",
    "[plan <= draft.write.out.*]",
    "[a <= in, x.y.out]",
    " ~ undo",
    "<5>",
    "<30s, $1, 4kt>",
    "write",
    "analyze",
    "word <= ( switch <= ( a => next ) )\n",
    "; a comment\n",
    "+++\n",
    "[worker.write]\nmock = [\"next\", { output = \"x\" }]\n",
    "[limits]\ncalls = 3\n",
    "[steps.build]\nrun = \"make\"\nneeds = [\"a\"]\n",
    "steps:\n  - name: a\n    capability: io.fs.exists\n",
    " -> ",
    " || ",
    "→",
    "“x”",
    "```aivm\n",
    "// no comment\n",
    "# none either\n",
    "é€😀",
    "\u{200b}\u{feff}",
    "\r\n",
    "\t",
    "((((((((",
    "))))",
    "[[[",
    "999999999999999999999",
    ".",
    "\"",
];

/// A text is no longer than that, in bytes: then it begins anew.
const MOST: usize = 16 << 10;

pub struct Typist {
    dice: Dice,
    programs: Vec<String>,
    /// What it was before each change that can be undone.
    before: Vec<String>,
    /// What is still to be typed, a key at a time.
    keys: Vec<char>,
    pub text: String,
    /// Where the cursor is, in bytes.
    pub at: usize,
}

impl Typist {
    pub fn new(number: u64, programs: &[String]) -> Typist {
        let mut dice = Dice::new(number);
        let text = dice.pick(programs).clone();
        let at = text.len();
        Typist { dice, programs: programs.to_vec(), before: Vec::new(), keys: Vec::new(), text, at }
    }

    /// The next edit.
    pub fn edit(&mut self) {
        if let Some(key) = self.keys.pop() {
            self.put(&key.to_string());
            return;
        }
        if self.text.len() > MOST {
            self.text = self.dice.pick(&self.programs).clone();
            self.before.clear();
        }
        self.before.push(self.text.clone());
        self.before.drain(..self.before.len().saturating_sub(20));
        if self.dice.below(3) > 0 {
            self.at = self.somewhere();
        }
        match self.dice.below(20) {
            0..=2 => {
                self.keys = self.dice.pick(TYPED).chars().rev().collect();
                self.edit_key();
            }
            3 => self.backspace(),
            4 => self.delete_word(),
            5 => self.delete_to_somewhere(),
            6 => self.line(|line| (!line.is_empty()).then(|| format!("{line}{line}"))),
            7 => self.line(|_| None),
            8 => self.paste(),
            9 => self.instead_of_word(self.at),
            // What leaves most programs what they were: a space, a comment, another number, a word of the same text.
            10 => self.line(|line| Some(format!("    {line}"))),
            11 => self.line(|line| Some(format!("; said in passing\n{line}"))),
            12 => self.another_number(),
            13 => self.another_word(),
            _ => self.undo(),
        }
    }

    /// What is done is taken back, often all of it.
    fn undo(&mut self) {
        self.before.pop();
        for _ in 0..=self.dice.below(20) {
            let Some(before) = self.before.pop() else { break };
            self.text = before;
        }
        self.at = self.text.floor_char_boundary(self.at.min(self.text.len()));
    }

    fn instead_of_word(&mut self, at: usize) {
        let other = *self.dice.pick(TYPED);
        self.at = at;
        let (from, to) = self.word();
        self.text.replace_range(from..to, other);
        self.at = from + other.len();
    }

    fn another_number(&mut self) {
        let digits: Vec<usize> =
            self.text.char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(at, _)| at).collect();
        if !digits.is_empty() {
            let at = *self.dice.pick(&digits);
            let digit = self.dice.below(10).to_string();
            self.text.replace_range(at..=at, &digit);
        }
    }

    fn another_word(&mut self) {
        let words: Vec<String> =
            self.text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').map(str::to_owned).collect();
        let other = self.dice.pick(&words).clone();
        let (from, to) = self.word();
        self.text.replace_range(from..to, &other);
        self.at = from;
    }

    fn edit_key(&mut self) {
        if let Some(key) = self.keys.pop() {
            self.put(&key.to_string());
        }
    }

    fn put(&mut self, text: &str) {
        self.text.insert_str(self.at, text);
        self.at += text.len();
    }

    fn somewhere(&mut self) -> usize {
        let at = self.dice.below(self.text.len() + 1);
        self.text.floor_char_boundary(at)
    }

    fn backspace(&mut self) {
        for _ in 0..=self.dice.below(6) {
            let Some(last) = self.text[..self.at].chars().next_back() else { return };
            self.at -= last.len_utf8();
            self.text.remove(self.at);
        }
    }

    /// Around the cursor.
    fn word(&self) -> (usize, usize) {
        let is_edge = |c: char| c.is_whitespace() || "()[]<>=|".contains(c);
        let from = self.text[..self.at].rfind(is_edge).map_or(0, |at| self.text.ceil_char_boundary(at + 1));
        let to = self.text[self.at..].find(is_edge).map_or(self.text.len(), |at| self.at + at);
        (from, to)
    }

    fn delete_word(&mut self) {
        let (from, to) = self.word();
        self.text.replace_range(from..to, "");
        self.at = from;
    }

    fn delete_to_somewhere(&mut self) {
        let other = self.text.floor_char_boundary(self.at.saturating_sub(self.dice.below(200)));
        self.text.replace_range(other..self.at, "");
        self.at = other;
    }

    /// Does something with the line of the cursor; none: it goes.
    fn line(&mut self, change: impl Fn(&str) -> Option<String>) {
        let from = self.text[..self.at].rfind('\n').map_or(0, |at| at + 1);
        let to = self.text[self.at..].find('\n').map_or(self.text.len(), |at| self.at + at + 1);
        let changed = change(&self.text[from..to]).unwrap_or_default();
        self.text.replace_range(from..to, &changed);
        self.at = from;
    }

    fn paste(&mut self) {
        let other = self.dice.pick(&self.programs).clone();
        let lines: Vec<&str> = other.split_inclusive('\n').collect();
        let from = self.dice.below(lines.len());
        let count = 1 + self.dice.below(12);
        let piece: String = lines.iter().skip(from).take(count).copied().collect();
        self.put(&piece);
    }
}
