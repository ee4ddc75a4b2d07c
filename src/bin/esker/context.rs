//! What holds for any command: which directory, and in which form it prints.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;

use crate::failure::{Failure, Result};

/// The options that every command has.
#[derive(Debug, clap::Args)]
pub(crate) struct Context {
    /// The data directory
    #[arg(long, global = true, env = "ESKER_DIR", value_name = "DIR", help_heading = "Options of every command")]
    pub(crate) dir: Option<PathBuf>,
    /// Print text for people, or json for programs
    ///
    /// JSON has an object a line: one for each row of what would be a table, or each record. The help of a command
    /// names the fields of its objects. More fields may be added; those that are there keep their names and meanings.
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "FORM",
        default_value_t,
        hide_possible_values = true,
        help_heading = "Options of every command"
    )]
    pub(crate) output: OutputForm,
}

/// For whom output is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputForm {
    #[default]
    Text,
    Json,
}

impl Context {
    pub(crate) fn is_json(&self) -> bool {
        self.output == OutputForm::Json
    }

    /// Prints rows as objects, a line each, or else the text that stands for them.
    pub(crate) fn print<T: Serialize>(&self, rows: &[T], text: impl FnOnce(&[T]) -> String) -> Result {
        if self.is_json() { print(&json_lines(rows)?) } else { print(&text(rows)) }
    }
}

/// The rows as JSON, a line each.
fn json_lines<T: Serialize>(rows: &[T]) -> Result<String> {
    let mut lines = String::new();
    for row in rows {
        lines.push_str(&json(row)?);
        lines.push('\n');
    }
    Ok(lines)
}

/// A value on one line of JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Failure::because("cannot write this as JSON", error))
}

/// Prints to stdout.
pub(crate) fn print(text: &str) -> Result {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::Output)
}

/// Rows with their columns one below the other.
#[derive(Debug)]
pub(crate) struct Table<const COLUMNS: usize> {
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub(crate) fn new(head: [&str; COLUMNS]) -> Self {
        Self { rows: vec![head.map(str::to_owned)] }
    }

    pub(crate) fn push(&mut self, row: [String; COLUMNS]) {
        self.rows.push(row);
    }
}

impl<const COLUMNS: usize> std::fmt::Display for Table<COLUMNS> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut widths = [0; COLUMNS];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &self.rows {
            let mut line = String::new();
            for (width, cell) in widths.iter().zip(row) {
                write!(line, "{cell:width$}  ")?;
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// What stands for a value that there is none of, as in Kafka's tables.
pub(crate) fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
