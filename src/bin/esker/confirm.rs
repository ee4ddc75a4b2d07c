//! Asking before something that can't be undone.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::failure::{Failure, Result};

/// The option that answers for the user.
#[derive(Debug, clap::Args)]
pub(crate) struct Confirm {
    /// Don't ask; where there is no terminal nobody is asked anyway
    #[arg(long, short)]
    yes: bool,
}

impl Confirm {
    /// Goes on if the user says so, or if there is nobody to ask.
    pub(crate) fn ask(&self, question: &str) -> Result {
        if self.yes || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Ok(());
        }
        let mut stderr = io::stderr();
        let asked = write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush());
        let mut answer = String::new();
        let read = asked.and_then(|()| io::stdin().lock().read_line(&mut answer));
        read.map_err(|error| Failure::because("cannot ask", error))?;
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Failure::new("not confirmed, so nothing was changed")),
        }
    }
}
