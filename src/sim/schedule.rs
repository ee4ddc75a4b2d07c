//! What is going to happen to which operation: the count, the planned crash, the faults, and a trace of it all.

use std::fmt::Write;
use std::io;
use std::path::Path;

use super::fault::{Fault, Operation};

#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// How many operations have been asked for.
    pub(super) operations: u64,
    /// How many of them were mutations.
    pub(super) mutations: u64,
    /// The index of the mutation that the machine crashes in.
    pub(super) crash_at: Option<u64>,
    pub(super) has_crashed: bool,
    pub(super) is_read_only: bool,
    pub(super) faults: Vec<Fault>,
    pub(super) trace: Option<Vec<String>>,
}

/// What becomes of an operation that has not failed from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Succeeds,
    /// The machine crashes while it is under way.
    Crashes,
}

impl Schedule {
    /// Counts an operation and decides about it.
    pub(super) fn begin(&mut self, operation: Operation, paths: &[&Path]) -> io::Result<Fate> {
        let fate = self.decide(operation, paths);
        if let Some(trace) = &mut self.trace {
            trace.push(describe(self.operations, operation, paths, &fate));
        }
        self.operations += 1;
        self.mutations += u64::from(operation.is_mutation());
        fate
    }

    fn decide(&mut self, operation: Operation, paths: &[&Path]) -> io::Result<Fate> {
        if self.has_crashed {
            return Err(simulated_crash());
        }
        if operation.is_mutation() && self.crash_at == Some(self.mutations) {
            self.has_crashed = true;
            return Ok(Fate::Crashes);
        }
        if operation.is_mutation() && self.is_read_only {
            return Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "injected fault: read-only file system"));
        }
        let number = self.operations;
        match self.faults.iter_mut().find_map(|fault| fault.answer(number, operation, paths)) {
            Some(error) => Err(error),
            None => Ok(Fate::Succeeds),
        }
    }
}

pub(super) fn simulated_crash() -> io::Error {
    io::Error::other("simulated crash")
}

/// `17 rename /data/a.tmp /data/a: injected fault: permission denied`
fn describe(number: u64, operation: Operation, paths: &[&Path], fate: &io::Result<Fate>) -> String {
    let mut line = format!("{number} {operation}");
    for path in paths {
        write!(line, " {}", path.display()).expect("a String takes whatever is written");
    }
    match fate {
        Ok(Fate::Succeeds) => {}
        Ok(Fate::Crashes) => line.push_str(": crash"),
        Err(error) => write!(line, ": {error}").expect("a String takes whatever is written"),
    }
    line
}
