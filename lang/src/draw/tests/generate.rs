//! Programs out of a number that exercise what pictures have to draw.

use crate::sample::Dice;

/// Programs that nest everything in everything, with jumps, limits, undoers and references.
pub(super) fn program(seed: u64) -> String {
    let mut maker = Maker { dice: Dice::new(seed), labels: 0, left: 24, out: String::new() };
    if maker.dice.below(3) == 0 {
        maker.out.push_str("helper <= ( ");
        maker.chain(2);
        maker.out.push_str(") ");
    }
    maker.out.push_str("out <= ( ");
    maker.chain(0);
    maker.out.push_str(") <= in");
    maker.out
}

struct Maker {
    dice: Dice,
    labels: usize,
    left: usize,
    out: String,
}

impl Maker {
    fn say(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push(' ');
    }

    fn chain(&mut self, depth: usize) {
        self.stage(depth);
        while self.left > 0 && self.dice.below(2) == 0 {
            self.say("<=");
            self.stage(depth);
        }
    }

    fn stage(&mut self, depth: usize) {
        let kind = self.dice.pick(&["switch", "switch", "select", "join", "match"]);
        self.out.push_str(kind);
        self.out.push_str(&format!("[l{}]", self.labels));
        self.labels += 1;
        if self.dice.below(3) == 0 {
            let limit = match kind {
                "join" => self.dice.pick(&["1", "30s"]),
                _ => self.dice.pick(&["3", "30s", "2, $0.50", "9, 20kt, 2h"]),
            };
            self.out.push_str(&format!("<{limit}>"));
        }
        self.say(" <= (");
        for at in 0..1 + self.dice.below(4) {
            self.left = self.left.saturating_sub(1);
            let nested = self.left > 0 && depth < 4 && self.dice.below(3) == 0;
            if kind == "match" {
                let word = ["good", "success", "failure", "default"][at];
                self.say(&format!("{word} =>"));
                if nested {
                    self.say("out <=");
                    self.chain(depth + 1);
                } else {
                    self.outcomes(&["send", "send", "cancel", "timeout", "jump"]);
                }
            } else if nested {
                self.chain(depth + 1);
            } else {
                self.step(kind);
            }
        }
        self.say(")");
    }

    fn step(&mut self, kind: &str) {
        let word = self.dice.pick(&["reason", "a", "plan-the-whole-thing", "helper", "text.upper", "verify"]);
        let limits = self.dice.pick(&["", "", "", "<3>", "<careful>", "<2, 30s, $1>", "<5m>"]);
        let undo = self.dice.pick(&["", "", "", " ~ undo", " ~ put-it-back-again"]);
        let of = self.dice.below(self.labels);
        let refs = match self.dice.below(6) {
            0 => " <= in".to_owned(),
            1 => format!(" <= l{of}.out.*"),
            2 => format!(" <= in, l{of}.in"),
            _ => String::new(),
        };
        match refs.is_empty() {
            true => self.say(&format!("{word}{limits}{undo} =>")),
            false => self.say(&format!("[{word}{limits}{undo}{refs}] =>")),
        }
        let from: &[&str] = match kind {
            "join" => &["next", "send", "continue", "retry", "cancel", "timeout", "jump"],
            _ => &["next", "next", "send", "continue", "back", "back * 2", "retry * 3", "cancel", "timeout", "jump"],
        };
        self.outcomes(from);
    }

    fn outcomes(&mut self, from: &[&str]) {
        for at in 0..1 + self.dice.below(4) {
            if at > 0 {
                self.say("|");
            }
            match self.dice.pick(from) {
                "jump" => {
                    let to = self.dice.below(self.labels + 1);
                    let step = self.dice.pick(&["", "", ".reason", ".a", ".verify"]);
                    self.say(&format!("[l{to}{step}.jump]"));
                }
                word => self.say(word),
            }
        }
    }
}
