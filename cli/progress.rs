//! What is shown while a run goes on: on a terminal the steps that are running, with counts and times; elsewhere plain lines.

use crate::fail;
use crate::module::Program;
use aivm_host::trace::{Event, Observer, StepRecord, time_text};
use aivm_schema::unit::{Money, Tokens};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::HashMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Bars for running steps; beyond so many only a number.
const MOST_BARS: usize = 8;

/// The progress of one run, on standard error.
pub struct Progress {
    live: Option<Live>,
    colours: bool,
    calls: u64,
    tokens: u64,
    cost_usd: f64,
    began: Instant,
}

struct Live {
    bars: MultiProgress,
    total: ProgressBar,
    running: HashMap<String, ProgressBar>,
}

impl Progress {
    /// For a program that is about to run.
    pub fn new(_program: &Program) -> Progress {
        let live = std::io::stderr().is_terminal().then(|| {
            let bars = MultiProgress::new();
            let total = bars.add(ProgressBar::new_spinner().with_style(style("{msg:.dim}")));
            Live { bars, total, running: HashMap::new() }
        });
        Progress {
            live,
            colours: fail::colours(&std::io::stderr()),
            calls: 0,
            tokens: 0,
            cost_usd: 0.0,
            began: Instant::now(),
        }
    }

    fn line(&self, record: &StepRecord) -> String {
        let paint =
            |code: &str, text: &str| if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
        let (mark, colour) = match (&record.error, record.outcome.as_str()) {
            (Some(_), _) => ("✗", "31"),
            (None, "back" | "retry" | "cancel" | "cancelled" | "exhausted" | "timeout") => ("↺", "33"),
            (None, _) => ("✓", "32"),
        };
        let mut line = format!(
            "{} {:<28} → {:<10} {}",
            paint(colour, mark),
            record.key,
            record.outcome,
            paint("2", &time_text(record.ms))
        );
        if let Some(verdict) = record.verdict.as_deref().filter(|verdict| *verdict != record.outcome) {
            line.push_str(&format!("  said {verdict}"));
        }
        if !record.passed_over.is_empty() {
            line.push_str(&format!("  passed over {}", record.passed_over.join(", ")));
        }
        if record.attempt > 1 {
            line.push_str(&format!("  attempt {}", record.attempt));
        }
        if let Some(error) = &record.error {
            line.push_str(&format!("\n    {}", paint("31", &error.message)));
        }
        line
    }

    fn totals(&self) -> String {
        let mut text = format!("  {} calls · {}", self.calls, time_text(self.began.elapsed().as_secs_f64() * 1e3));
        if self.tokens > 0 {
            text.push_str(&format!(" · {}", Tokens(self.tokens)));
        }
        if self.cost_usd > 0.0 {
            text.push_str(&format!(" · {}", Money((self.cost_usd * 1e6).round() as u64)));
        }
        text
    }
}

impl Observer for Progress {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Started { key, worker, attempt } => {
                let Some(live) = self.live.as_mut().filter(|live| live.running.len() < MOST_BARS) else { return };
                let bar = ProgressBar::new_spinner().with_style(style("{spinner:.cyan} {msg} {elapsed:.dim}"));
                let again = if attempt > 1 { format!(" attempt {attempt}") } else { String::new() };
                let whom = if key.split(['/', '#']).any(|part| part == worker) {
                    String::new()
                } else {
                    format!(" ({worker})")
                };
                bar.set_message(crate::out::shown(&format!("{key}{whom}{again}")));
                let bar = live.bars.insert_before(&live.total, bar);
                bar.enable_steady_tick(Duration::from_millis(100));
                live.running.insert(key.to_owned(), bar);
            }
            Event::Ended(record) => {
                self.calls += 1;
                self.tokens = self.tokens.saturating_add(record.tokens);
                self.cost_usd += record.cost_usd;
                let line = self.line(record);
                let totals = self.totals();
                match &mut self.live {
                    Some(live) => {
                        if let Some(bar) = live.running.remove(&record.key) {
                            bar.finish_and_clear();
                        }
                        let _ = live.bars.println(crate::out::shown(&line));
                        live.total.set_message(totals);
                    }
                    None => eprintln!("{line}"),
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(live) = &self.live {
            live.total.finish_and_clear();
            let _ = live.bars.clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
