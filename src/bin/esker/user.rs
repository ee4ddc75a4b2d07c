//! `esker user`: who may log in to a server of the directory.

use std::io::{self, BufRead, IsTerminal};

use clap::{Subcommand, ValueEnum};
use console::Term;
use esker::Store;
use esker::server::{ScramCredential, ScramMechanism};
use serde::Serialize;

use crate::confirm::Confirm;
use crate::context::Context;
use crate::data_dir::{self, ReadOnly};
use crate::failure::{Failure, Result};
use crate::output::Table;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Let a user log in, by SCRAM or PLAIN, with the password that is the first line of stdin
    ///
    /// On a terminal it is asked for. A user that is there gets another password. The password itself is not kept. If
    /// there is no data directory, it is made. While a server has it, `kafka-configs --entity-type users` does this.
    ///
    /// Prints nothing.
    Add {
        /// The user
        user: String,
        /// The mechanism of SCRAM; both if left out
        #[arg(long, value_enum)]
        mechanism: Option<Mechanism>,
        /// How often the password is hashed, 4096 to 16384 times
        #[arg(long, default_value_t = 4096)]
        iterations: u32,
    },
    /// List the users that can log in
    ///
    /// JSON, an object for each mechanism of each user: user, mechanism, iterations.
    List {
        #[command(flatten)]
        read_only: ReadOnly,
    },
    /// Let a user log in no more
    ///
    /// Prints nothing.
    Delete {
        /// The user
        user: String,
        /// The mechanism of SCRAM; both if left out
        #[arg(long, value_enum)]
        mechanism: Option<Mechanism>,
        #[command(flatten)]
        confirm: Confirm,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Mechanism {
    #[value(name = "SCRAM-SHA-256")]
    Sha256,
    #[value(name = "SCRAM-SHA-512")]
    Sha512,
}

#[derive(Debug, Serialize)]
struct Row {
    user: String,
    mechanism: &'static str,
    iterations: u32,
}

pub(crate) fn run(command: &Command, context: &Context) -> Result {
    match command {
        Command::Add { user, mechanism, iterations } => add(context, user, *mechanism, *iterations),
        Command::List { read_only } => list(context, read_only),
        Command::Delete { user, mechanism, confirm } => delete(context, user, *mechanism, confirm),
    }
}

fn add(context: &Context, user: &str, mechanism: Option<Mechanism>, iterations: u32) -> Result {
    data_dir::given(context)?;
    // Before there is a directory that nobody needs, and while nobody has to wait for it.
    let password = password()?;
    let credential = |mechanism| Ok((mechanism, ScramCredential::new(mechanism, &password, iterations)?));
    let credentials: Vec<_> = mechanisms(mechanism).into_iter().map(credential).collect::<Result<_>>()?;
    let store = data_dir::create_or_open(context)?;
    let added = put(&store, user, credentials);
    store.close()?;
    added
}

fn put(store: &Store, user: &str, credentials: Vec<(ScramMechanism, ScramCredential)>) -> Result {
    for (mechanism, credential) in credentials {
        store.put_scram_credential(user, mechanism, credential)?;
    }
    Ok(())
}

fn list(context: &Context, read_only: &ReadOnly) -> Result {
    let store = data_dir::open_to_read(context, read_only)?;
    let row = |(user, mechanism, credential): (String, ScramMechanism, ScramCredential)| Row {
        user,
        mechanism: mechanism.name(),
        iterations: credential.iterations(),
    };
    let rows: Vec<Row> = store.scram_credentials()?.into_iter().map(row).collect();
    store.close()?;
    context.print(&rows, |rows| {
        let mut table = Table::new(["USER", "MECHANISM", "ITERATIONS"]);
        for row in rows {
            table.push([row.user.clone(), row.mechanism.to_owned(), row.iterations.to_string()]);
        }
        table.to_string()
    })
}

fn delete(context: &Context, user: &str, mechanism: Option<Mechanism>, confirm: &Confirm) -> Result {
    let store = data_dir::open(context)?;
    let deleted = confirm.ask(&format!("Let {user} log in no more?")).and_then(|()| {
        let mut was_there = false;
        for mechanism in mechanisms(mechanism) {
            was_there |= store.remove_scram_credential(user, mechanism)?;
        }
        let unknown = || Failure::new(format!("there is no user {user}: `esker user list` names those that there are"));
        was_there.then_some(()).ok_or_else(unknown)
    });
    store.close()?;
    deleted
}

fn mechanisms(one: Option<Mechanism>) -> Vec<ScramMechanism> {
    match one {
        None => ScramMechanism::ALL.to_vec(),
        Some(Mechanism::Sha256) => vec![ScramMechanism::Sha256],
        Some(Mechanism::Sha512) => vec![ScramMechanism::Sha512],
    }
}

/// The password, which nobody sees, and which is not empty.
fn password() -> Result<String> {
    let read = if io::stdin().is_terminal() {
        let terminal = Term::stderr();
        terminal.write_str("Password: ").and_then(|()| terminal.read_secure_line())
    } else {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map(|_| line.trim_end_matches(['\n', '\r']).to_owned())
    };
    let password = read.map_err(|error| Failure::because("cannot read the password", error))?;
    match password.is_empty() {
        true => Err(Failure::new("no password was read: it is the first line of stdin")),
        false => Ok(password),
    }
}
