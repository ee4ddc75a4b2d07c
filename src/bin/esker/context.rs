//! What holds for any command: which directory or which brokers, and in which form it prints.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgMatches, ValueEnum};
use esker::Error;
use esker::net::{ClientConfig, Connector};
use serde::Serialize;

use crate::failure::{Failure, Result, tell};
use crate::output::{json_lines, print};

/// The options that every command has.
#[derive(Debug, clap::Args)]
pub(crate) struct Context {
    /// The data directory
    #[arg(long, global = true, env = "ESKER_DIR", value_name = "DIR", help_heading = "Options of every command")]
    pub(crate) dir: Option<PathBuf>,
    /// Brokers, instead of a data directory: what topic, produce, consume and group commands do is asked of them over
    /// the network
    ///
    /// One is enough, the others are known from it. What the command line says counts more than the environment.
    #[arg(
        long,
        global = true,
        env = "ESKER_BOOTSTRAP_SERVER",
        value_name = "HOST:PORT,...",
        value_delimiter = ',',
        value_parser = address,
        help_heading = "Options of every command"
    )]
    pub(crate) bootstrap_server: Vec<String>,
    /// How to connect to the brokers, with TLS and a password where they ask for them: a file of Kafka's client configs
    ///
    /// It says security.protocol, sasl.mechanism, sasl.jaas.config, ssl.truststore.location or
    /// ssl.truststore.certificates, ssl.keystore.location or ssl.keystore.key and ssl.keystore.certificate.chain,
    /// ssl.enabled.protocols, ssl.endpoint.identification.algorithm and client.id, keys and certificates being PEM.
    #[arg(
        long,
        global = true,
        env = "ESKER_COMMAND_CONFIG",
        value_name = "FILE",
        help_heading = "Options of every command"
    )]
    pub(crate) command_config: Option<PathBuf>,
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

/// An address to connect to.
pub(crate) fn address(text: &str) -> std::result::Result<String, String> {
    let is_address = text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if is_address { Ok(text.to_owned()) } else { Err("expected HOST:PORT".to_owned()) }
}

impl Context {
    /// Where the directory and the brokers are both given, the one that the command line has, or else a failure: nobody
    /// can tell which is meant.
    pub(crate) fn settled(self, matches: &ArgMatches) -> Result<Self> {
        let is_said = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
        let settled = self.one_of_both(is_said)?;
        if is_said("command_config") && settled.bootstrap_servers().is_none() {
            let what = "--command-config says how to connect to brokers: it goes with --bootstrap-server";
            return Err(Failure::Usage(what.to_owned()));
        }
        Ok(settled)
    }

    fn one_of_both(self, is_said: impl Fn(&str) -> bool) -> Result<Self> {
        if self.dir.is_none() || self.bootstrap_server.is_empty() {
            return Ok(self);
        }
        match (is_said("dir"), is_said("bootstrap_server")) {
            (true, false) => Ok(Self { bootstrap_server: Vec::new(), ..self }),
            (false, true) => Ok(Self { dir: None, ..self }),
            (true, true) => Err(Failure::Usage("--dir and --bootstrap-server are not for one command".to_owned())),
            (false, false) => {
                let what =
                    "ESKER_DIR and ESKER_BOOTSTRAP_SERVER are both set: say which with --dir or --bootstrap-server";
                Err(Failure::Usage(what.to_owned()))
            }
        }
    }

    /// As it is for a command that has a directory of its own, if one was given.
    pub(crate) fn of_dir(&self, dir: Option<&PathBuf>) -> Self {
        let dir = dir.or(self.dir.as_ref()).cloned();
        Self { dir, bootstrap_server: Vec::new(), command_config: None, output: self.output }
    }

    /// The brokers, if it is them that are asked.
    pub(crate) fn bootstrap_servers(&self) -> Option<&[String]> {
        Some(&*self.bootstrap_server).filter(|servers| !servers.is_empty())
    }

    /// How the brokers are connected to.
    pub(crate) fn connector(&self) -> Result<Connector> {
        let mut config = ClientConfig { client_id: "esker".to_owned(), ..ClientConfig::default() };
        let Some(path) = &self.command_config else { return Ok(Connector::new(&config)?) };
        let text = std::fs::read_to_string(path).map_err(|error| Failure::cannot_read(path, error))?;
        let wrong = |error| match error {
            Error::InvalidConfig { .. } => Failure::Usage(format!("{}: {error}", path.display())),
            other => other.into(),
        };
        for key in config.read(&text).map_err(wrong)? {
            tell("warning", format_args!("{key} has no meaning here"));
        }
        Connector::new(&config).map_err(wrong)
    }

    /// Refuses what only a directory can do.
    pub(crate) fn check_local(&self) -> Result {
        match self.bootstrap_servers() {
            None => Ok(()),
            Some(_) => {
                let what = "this is for a data directory: it goes with --dir, and without --bootstrap-server";
                Err(Failure::Usage(what.to_owned()))
            }
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.output == OutputForm::Json
    }

    /// Prints rows as objects, a line each, or else the text that stands for them.
    pub(crate) fn print<T: Serialize>(&self, rows: &[T], text: impl FnOnce(&[T]) -> String) -> Result {
        if self.is_json() { print(&json_lines(rows)?) } else { print(&text(rows)) }
    }
}
