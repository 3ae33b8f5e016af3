//! What parts are found by: each member of their metadata is a row, and a filter is a statement over these rows.

use crate::memory::Filter;
use crate::memory::filter::{Fact, is_there};
use rusqlite::types::Value as Sql;
use rusqlite::{Transaction, params};
use serde_json::{Map, Value};
use std::ops::Bound;

/// As a fact is kept: of each sort of its own, so that 1, `true` and `"1"` stay apart.
fn sql(fact: Fact<'_>) -> Sql {
    match fact {
        Fact::Text(text) => Sql::Text(text.to_owned()),
        // There is one zero.
        Fact::Number(number) => Sql::Real(number + 0.0),
        Fact::Truth(truth) => Sql::Blob(vec![u8::from(truth)]),
    }
}

/// The rows of metadata, each once.
fn rows(metadata: &Map<String, Value>) -> Vec<(&str, Sql)> {
    let mut rows: Vec<(&str, Sql)> = Vec::new();
    for (key, value) in metadata {
        if is_there(value) {
            rows.push((key, Sql::Blob(Vec::new())));
        }
        rows.extend(Fact::all(value).map(|fact| (key.as_str(), sql(fact))));
    }
    rows
}

pub(super) fn add(
    database: &Transaction<'_>,
    space: i64,
    slot: i64,
    metadata: &Map<String, Value>,
) -> rusqlite::Result<()> {
    let mut insert = database.prepare_cached("INSERT OR IGNORE INTO fact VALUES (?1, ?2, ?3, ?4)")?;
    for (key, value) in rows(metadata) {
        insert.execute(params![space, key, value, slot])?;
    }
    Ok(())
}

pub(super) fn remove(
    database: &Transaction<'_>,
    space: i64,
    slot: i64,
    metadata: &Map<String, Value>,
) -> rusqlite::Result<()> {
    let delete = "DELETE FROM fact WHERE space = ?1 AND key = ?2 AND value = ?3 AND slot = ?4";
    let mut delete = database.prepare_cached(delete)?;
    for (key, value) in rows(metadata) {
        delete.execute(params![space, key, value, slot])?;
    }
    Ok(())
}

/// A statement that selects the slots that a filter takes, and its parameters, of which the first is the space.
pub(super) struct Statement {
    pub(super) text: String,
    pub(super) parameters: Vec<Sql>,
}

impl Statement {
    pub(super) fn of(space: i64, filter: &Filter) -> Statement {
        let mut statement = Statement { text: String::new(), parameters: vec![Sql::Integer(space)] };
        statement.add(filter);
        statement
    }

    fn parameter(&mut self, value: Sql) -> String {
        self.parameters.push(value);
        format!("?{}", self.parameters.len())
    }

    fn facts(&mut self, key: &str, condition: &str) {
        let key = self.parameter(Sql::Text(key.to_owned()));
        self.text.push_str(&format!("SELECT slot FROM fact WHERE space = ?1 AND key = {key} AND {condition}"));
    }

    fn all(&mut self) {
        self.text.push_str("SELECT slot & 4294967295 AS slot FROM part WHERE space = ?1");
    }

    fn nothing(&mut self) {
        self.text.push_str("SELECT 0 AS slot WHERE ?1 IS NULL");
    }

    fn joined(&mut self, filters: &[Filter], by: &str) {
        for (number, filter) in filters.iter().enumerate() {
            if number > 0 {
                self.text.push_str(by);
            }
            self.text.push_str("SELECT slot FROM (");
            self.add(filter);
            self.text.push(')');
        }
    }

    fn any_of<'a>(&mut self, key: &str, values: impl IntoIterator<Item = &'a Value>) {
        let values: Vec<String> =
            values.into_iter().filter_map(Fact::of).map(|fact| self.parameter(sql(fact))).collect();
        match values.is_empty() {
            true => self.nothing(),
            false => self.facts(key, &format!("value IN ({})", values.join(", "))),
        }
    }

    fn add(&mut self, filter: &Filter) {
        match filter {
            Filter::All => self.all(),
            Filter::Is(key, value) => self.any_of(key, [value]),
            Filter::In(key, values) => self.any_of(key, values),
            Filter::Has(key) => self.facts(key, "value = x''"),
            Filter::Range { key, from, to } => {
                // Numbers stand before texts, and texts before blobs.
                let mut condition = "typeof(value) = 'real'".to_owned();
                for (bound, included, excluded) in [(from, ">=", ">"), (to, "<=", "<")] {
                    let (number, sign) = match bound {
                        Bound::Included(number) => (number, included),
                        Bound::Excluded(number) => (number, excluded),
                        Bound::Unbounded => continue,
                    };
                    // What is compared with no number is not in its range.
                    if number.is_nan() {
                        condition.push_str(" AND 0");
                        continue;
                    }
                    let parameter = self.parameter(Sql::Real(*number));
                    condition.push_str(&format!(" AND value {sign} {parameter}"));
                }
                self.facts(key, &condition);
            }
            Filter::And(all) if all.is_empty() => self.all(),
            Filter::And(all) => self.joined(all, " INTERSECT "),
            Filter::Or(any) if any.is_empty() => self.nothing(),
            Filter::Or(any) => self.joined(any, " UNION "),
            Filter::Not(filter) => {
                self.all();
                self.text.push_str(" EXCEPT SELECT slot FROM (");
                self.add(filter);
                self.text.push(')');
            }
        }
    }
}
