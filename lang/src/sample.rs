//! Programs out of a number, for tests: every form of the grammar, formatted or scattered over the page.

use crate::lexer::{Kind, lex};

/// A stream of numbers that a seed decides.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    /// Below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) % n as u64) as usize
    }

    pub fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[self.below(from.len())]
    }
}

const WORDS: &[&str] =
    &["reason", "plan", "execute", "verify", "a", "b-c", "_x1", "match-regex", "enrich", "text.upper", "step2"];
const LIMITS: &[&str] = &["5", "65535", "30s", "90ms", "$0.50", "20kt", "careful", "2h"];
const OUTCOMES: &[&str] = &[
    "next",
    "send",
    "continue",
    "back",
    "back * 2",
    "retry",
    "retry*3",
    "cancel",
    "timeout",
    "[here.jump]",
    "[here.plan.jump]",
];
const ENDS: &[&str] = &["next", "send", "cancel", "timeout", "[here.jump]", "[here.plan.jump]"];
const REFS: &[&str] = &["in", "in.*", "here.out", "here.in", "here.plan.out", "here.plan.out.*"];
const HOLDS: &[&str] = &["success", "failure", "done", "default", "cancel", "timeout", "good"];

/// A program of about `size` steps, its tokens parted by single spaces.
pub fn program(seed: u64, size: usize) -> String {
    let mut maker = Maker { dice: Dice::new(seed), left: size, out: String::new() };
    for name in ["first", "second"] {
        if maker.dice.below(3) == 0 {
            maker.out.push_str(name);
            maker.out.push_str(" <= ");
            maker.group();
        }
    }
    maker.out.push_str("out <= ");
    maker.group();
    maker.out.push_str(" <= in");
    maker.out
}

struct Maker {
    dice: Dice,
    left: usize,
    out: String,
}

impl Maker {
    fn group(&mut self) {
        self.out.push_str("( ");
        if self.dice.below(8) > 0 {
            self.chain(1);
        }
        self.out.push_str(") ");
    }

    fn chain(&mut self, depth: usize) {
        self.stage(depth);
        while self.left > 0 && self.dice.below(3) == 0 {
            self.out.push_str("<= ");
            self.stage(depth);
        }
    }

    fn stage(&mut self, depth: usize) {
        let kind = self.dice.pick(&["switch", "select", "join", "match"]);
        self.out.push_str(kind);
        if self.dice.below(3) == 0 {
            self.out.push_str(" [ here ] ");
        }
        if self.dice.below(3) == 0 {
            self.limits();
        }
        self.out.push_str(" <= ( ");
        for _ in 0..1 + self.dice.below(5) {
            self.left = self.left.saturating_sub(1);
            let nested = self.left > 0 && depth < 8 && self.dice.below(4) == 0;
            if kind == "match" {
                let word = self.dice.pick(HOLDS);
                self.out.push_str(&format!("{word} => "));
                if nested {
                    self.out.push_str("out <= ");
                    self.chain(depth + 1);
                } else {
                    self.choices(ENDS);
                }
            } else if nested {
                if self.dice.below(2) == 0 {
                    self.out.push_str("out <= ");
                }
                self.chain(depth + 1);
            } else {
                self.step();
            }
        }
        self.out.push_str(") ");
    }

    fn step(&mut self) {
        let taking = self.dice.below(3) == 0;
        if taking {
            self.out.push_str("[ ");
        }
        let word = self.dice.pick(WORDS);
        self.out.push_str(word);
        match self.dice.below(6) {
            0 => self.limits(),
            1 => {
                self.out.push_str(" <= ");
                self.limits();
            }
            _ => {}
        }
        if self.dice.below(8) == 0 {
            self.out.push_str(" ~ undo");
        }
        if taking {
            self.out.push_str(" <= ");
            for at in 0..1 + self.dice.below(3) {
                self.out.push_str(if at > 0 { " , " } else { "" });
                let reference = self.dice.pick(REFS);
                self.out.push_str(reference);
            }
            self.out.push_str(" ]");
        }
        self.out.push_str(" => ");
        self.choices(OUTCOMES);
    }

    fn limits(&mut self) {
        self.out.push_str(" < ");
        for at in 0..1 + self.dice.below(2) {
            self.out.push_str(if at > 0 { " , " } else { "" });
            let limit = self.dice.pick(LIMITS);
            self.out.push_str(limit);
        }
        self.out.push_str(" >");
    }

    fn choices(&mut self, from: &[&str]) {
        for at in 0..1 + self.dice.below(3) {
            let or = self.dice.pick(&[" | ", " || ", "|"]);
            self.out.push_str(if at > 0 { or } else { "" });
            let choice = self.dice.pick(from);
            self.out.push_str(choice);
        }
        self.out.push(' ');
    }
}

/// The same program with comments, line ends and empty lines wherever a space may stand.
pub fn scatter(program: &str, seed: u64) -> String {
    let mut dice = Dice::new(!seed);
    let mut out = String::new();
    let tokens = lex(program, 0).into_iter().filter(|token| token.kind != Kind::Space);
    let mut comments = 0;
    for token in tokens {
        for _ in 0..dice.below(3) {
            match dice.below(12) {
                0 => out.push_str("\n\n\n"),
                1 | 2 => out.push('\n'),
                3 => {
                    comments += 1;
                    out.push_str(&format!(";note {comments} größer => ( [ \n"));
                }
                4 => out.push_str(" \r\n\t"),
                _ => out.push_str("  "),
            }
        }
        out.push(' ');
        out.push_str(&program[token.span.range()]);
    }
    out.push_str(dice.pick(&["", "\n", " ; the end", "\n\n; the end\n\n"]));
    out
}
