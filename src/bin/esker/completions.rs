//! `esker completions`: what a shell needs to complete commands and options.

use std::io::{self, Write};

use clap::Command;
use clap_complete::{Generator, Shell};

use crate::failure::{Failure, Result};

/// Print a script that completes commands and options in a shell
///
/// For bash: `esker completions bash > ~/.local/share/bash-completion/completions/esker`. For zsh, into a directory of
/// $fpath: `esker completions zsh > ~/.zfunc/_esker`. For fish: `esker completions fish >
/// ~/.config/fish/completions/esker.fish`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    shell: Shell,
}

pub(crate) fn run(args: &Args, mut command: Command) -> Result {
    command.set_bin_name("esker");
    command.build();
    let mut script = Vec::new();
    args.shell.try_generate(&command, &mut script).map_err(|error| Failure::because("cannot make a script", error))?;
    io::stdout().lock().write_all(&script).map_err(Failure::Output)
}
