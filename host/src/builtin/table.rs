//! Tables: rows under named columns, from any form and to any form.

use super::Failure;
use super::buffer::Buffer;
use super::items::{Form, Items, csv_writer, number, plain};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::HashMap;

/// The most fields of a table, empty ones counted.
const MOST_FIELDS: usize = 16 << 20;

fn too_wide() -> Failure {
    Failure::Limit { what: "the table".into(), limit: format!("{MOST_FIELDS} fields") }
}

/// Rows of texts; a field that is not there is empty.
#[derive(Debug)]
pub(super) struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// Objects give their members, in the order in which the columns first occur; anything else stands in a column `value`.
    pub fn of(items: &Items<'_>) -> Result<Table, Failure> {
        if let Form::Csv(_) = items.form {
            let fields = |item: &super::items::Item<'_>| match item {
                super::items::Item::Row(row) => row.iter().map(str::to_owned).collect(),
                _ => Vec::new(),
            };
            return Table { columns: items.header.clone(), rows: items.items.iter().map(fields).collect() }.limited();
        }
        let mut columns: Vec<String> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut rows = Vec::with_capacity(items.items.len());
        let mut fields = 0;
        for item in &items.items {
            let value = item.value(&items.header);
            let mut row = Vec::with_capacity(columns.len());
            let mut put = |name: &str, value: &Value| {
                let at = match places.get(name) {
                    Some(at) => *at,
                    None => {
                        places.insert(name.to_owned(), columns.len());
                        columns.push(name.to_owned());
                        columns.len() - 1
                    }
                };
                row.resize(row.len().max(at + 1), String::new());
                if let (Some(field), false) = (row.get_mut(at), value.is_null()) {
                    *field = plain(value).into_owned();
                }
            };
            match value.as_ref() {
                Value::Object(members) => members.iter().for_each(|(name, value)| put(name, value)),
                other => put("value", other),
            }
            // Objects with ever new members would make a table of the square of their number.
            fields += row.len();
            if fields > MOST_FIELDS {
                return Err(too_wide());
            }
            rows.push(row);
        }
        Table { columns, rows }.limited()
    }

    fn limited(self) -> Result<Table, Failure> {
        if self.columns.len().saturating_mul(self.rows.len()) > MOST_FIELDS { Err(too_wide()) } else { Ok(self) }
    }

    /// Only these columns, in this order.
    pub fn select(self, wanted: &[&str]) -> Result<Table, Failure> {
        let place = |name: &&str| {
            let missing =
                || Failure::Unreadable(format!("there is no column `{name}`: there are {}", self.columns.join(", ")));
            self.columns.iter().position(|column| column == name).ok_or_else(missing)
        };
        let places: Vec<usize> = wanted.iter().map(place).collect::<Result<_, _>>()?;
        let pick = |row: &Vec<String>| places.iter().map(|at| row.get(*at).cloned().unwrap_or_default()).collect();
        let rows = self.rows.iter().map(pick).collect();
        Ok(Table { columns: wanted.iter().map(|name| (*name).to_owned()).collect(), rows })
    }

    fn field<'t>(&'t self, row: &'t [String], column: usize) -> &'t str {
        row.get(column).map_or("", String::as_str)
    }

    /// Objects by column; with `typed`, fields that are numbers, flags or `null` become such.
    pub fn objects(&self, typed: bool) -> Vec<Value> {
        let value = |field: &str| if typed { guess(field) } else { Value::from(field) };
        let object = |row: &Vec<String>| {
            let members = self.columns.iter().enumerate().map(|(at, name)| (name.clone(), value(self.field(row, at))));
            Value::Object(members.collect::<Map<_, _>>())
        };
        self.rows.iter().map(object).collect()
    }

    /// CSV with this separator.
    pub fn csv(&self, separator: u8) -> Result<Vec<u8>, Failure> {
        let full = |_| Failure::too_large("the output");
        let mut writer = csv_writer(Buffer::default(), separator);
        writer.write_record(&self.columns).map_err(full)?;
        for row in &self.rows {
            writer.write_record((0..self.columns.len()).map(|at| self.field(row, at))).map_err(full)?;
        }
        Ok(writer.into_inner().map_err(|_| Failure::too_large("the output"))?.into_bytes())
    }

    /// A Markdown table.
    pub fn markdown(&self) -> Result<Vec<u8>, Failure> {
        let mut out = Buffer::default();
        let mut line = |fields: &mut dyn Iterator<Item = Cow<'_, str>>| {
            for field in fields {
                out.push("| ")?;
                out.push(&field)?;
                out.push(" ")?;
            }
            out.push("|\n")
        };
        line(&mut self.columns.iter().map(|name| cell(name)))?;
        line(&mut (0..self.columns.len()).map(|at| Cow::Borrowed(if self.is_numeric(at) { "---:" } else { "---" })))?;
        for row in &self.rows {
            line(&mut (0..self.columns.len()).map(|at| cell(self.field(row, at))))?;
        }
        Ok(out.into_bytes())
    }

    /// Columns under each other, for people; numbers to the right.
    pub fn aligned(&self) -> Result<Vec<u8>, Failure> {
        let shown = |text: &str| text.replace(['\r', '\n', '\t'], " ");
        let width = |at: usize| {
            let fields = self.rows.iter().map(|row| self.field(row, at).chars().count());
            fields.chain(self.columns.get(at).map(|name| name.chars().count())).max().unwrap_or(0)
        };
        let columns: Vec<(usize, bool)> = (0..self.columns.len()).map(|at| (width(at), self.is_numeric(at))).collect();
        let mut out = Buffer::default();
        let mut line = |field: &dyn Fn(usize) -> String| {
            let mut text = String::new();
            for (at, (width, right)) in columns.iter().enumerate() {
                let field = field(at);
                let gap = width.saturating_sub(field.chars().count());
                if at > 0 {
                    text.push_str("  ");
                }
                let (before, after) = if *right { (gap, 0) } else { (0, gap) };
                text.extend(
                    std::iter::repeat_n(' ', before).chain(field.chars()).chain(std::iter::repeat_n(' ', after)),
                );
                // One huge field in a column widens every row: stop before memory does.
                if text.len() > super::MOST_BYTES {
                    return Err(Failure::too_large("the table"));
                }
            }
            out.push(text.trim_end())?;
            out.push("\n")
        };
        line(&|at| shown(self.columns.get(at).map_or("", String::as_str)))?;
        line(&|at| "-".repeat(columns.get(at).map_or(0, |(width, _)| *width)))?;
        for row in &self.rows {
            line(&|at| shown(self.field(row, at)))?;
        }
        Ok(out.into_bytes())
    }

    fn is_numeric(&self, column: usize) -> bool {
        let mut fields =
            self.rows.iter().map(|row| self.field(row, column)).filter(|field| !field.is_empty()).peekable();
        fields.peek().is_some() && fields.all(|field| number(&Value::from(field)).is_some())
    }
}

/// A field that spells a number, a flag or null exactly; everything else stays a text (`007` and `+1` do).
fn guess(field: &str) -> Value {
    let Ok(value) = serde_json::from_str::<Value>(field) else { return Value::from(field) };
    let spelling = value.to_string();
    if spelling == field && !value.is_array() && !value.is_object() && !value.is_string() {
        value
    } else {
        Value::from(field)
    }
}

/// A field within a Markdown table.
fn cell(text: &str) -> Cow<'_, str> {
    if !text.contains(['|', '\n', '\r', '\\']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace('\\', "\\\\").replace('|', "\\|").replace("\r\n", "<br>").replace(['\n', '\r'], "<br>"))
}
