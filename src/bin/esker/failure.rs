//! Why a command failed, and how that is told: a line on stderr, perhaps one with a hint, and an exit code.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::hint::{hint, hint_of_connection};

pub(crate) type Result<T = (), E = Failure> = std::result::Result<T, E>;

/// What ends a command before its end.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command can't be carried out as it was given.
    Usage(String),
    /// The user, or the system, did not want to wait for the end. Tells what was done until then.
    Interrupted(String),
    /// Stdout can't be written to. If nobody reads it any more, that is no failure: `| head` has what it wanted.
    Output(io::Error),
    /// Everything else.
    Other(Box<dyn Error + Send + Sync>),
}

/// As a shell has it for what a SIGINT ended.
pub(crate) const INTERRUPTED: u8 = 130;
/// What was asked for can't be carried out as it was asked for.
const USAGE: u8 = 2;

/// Something that failed for a reason.
#[derive(Debug)]
struct Context {
    what: String,
    source: Box<dyn Error + Send + Sync>,
}

/// Something that failed, and what to do about it.
#[derive(Debug)]
struct Hinted {
    what: Box<dyn Error + Send + Sync>,
    hint: String,
}

impl Failure {
    /// A failure without a deeper cause.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self::Other(what.into().into())
    }

    /// What failed, and why.
    pub(crate) fn because(what: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other(Box::new(Context { what: what.into(), source: source.into() }))
    }

    /// There is no such topic.
    pub(crate) fn no_topic(topic: &str) -> Self {
        Self::new(format!("topic {topic} does not exist: `esker topic create {topic}` creates it"))
    }

    /// There is no such partition of a topic, which has `count` of them.
    pub(crate) fn no_partition(topic: &str, partition: i32, count: i32) -> Self {
        let those = if count == 1 { "partition 0 alone".to_owned() } else { format!("partitions 0 to {}", count - 1) };
        Self::new(format!("{topic} has no partition {partition}: it has {those}"))
    }

    /// A config that is refused is a mistake in the command.
    pub(crate) fn misconfigured(error: esker::Error) -> Self {
        match error {
            esker::Error::InvalidConfig { .. } | esker::Error::UnsupportedConfig { .. } => {
                Self::Usage(error.to_string())
            }
            other => other.into(),
        }
    }

    /// A file, or a directory, can't be read.
    pub(crate) fn cannot_read(path: &Path, error: io::Error) -> Self {
        Self::because(format!("cannot read {}", path.display()), error)
    }

    /// The same as the reason why something else failed.
    pub(crate) fn within(self, what: impl Into<String>) -> Self {
        match self {
            Self::Other(source) => Self::because(what, source),
            other => other,
        }
    }

    /// The same with what to do about it, in place of what would be said otherwise.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        match self {
            Self::Other(what) => Self::Other(Box::new(Hinted { what, hint: hint.into() })),
            other => other,
        }
    }

    /// The error of the library that is behind it, if there is one.
    pub(crate) fn cause(&self) -> Option<&esker::Error> {
        self.causes().find_map(|cause| cause.downcast_ref())
    }

    /// Tells the user, and the caller of the process.
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Self::Usage(_) => {
                tell("error", self);
                ExitCode::from(USAGE)
            }
            Self::Interrupted(_) => {
                tell("error", self);
                ExitCode::from(INTERRUPTED)
            }
            Self::Output(_) | Self::Other(_) => {
                tell("error", self);
                if let Some(hint) = self.hint() {
                    tell("hint", hint);
                }
                ExitCode::FAILURE
            }
        }
    }

    /// The hint of the first of the causes that has one.
    fn hint(&self) -> Option<&str> {
        self.causes().find_map(|cause| match cause.downcast_ref::<Hinted>() {
            Some(hinted) => Some(&*hinted.hint),
            None => cause.downcast_ref().and_then(hint).or_else(|| cause.downcast_ref().and_then(hint_of_connection)),
        })
    }

    /// What failed, why, and so on.
    fn causes(&self) -> impl Iterator<Item = &(dyn Error + 'static)> {
        let first: Option<&(dyn Error + 'static)> = match self {
            Self::Other(error) => Some(&**error),
            _ => None,
        };
        std::iter::successors(first, |&cause| cause.source())
    }
}

impl fmt::Display for Failure {
    /// The failure and its causes, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(what) => f.write_str(what),
            Self::Interrupted(done) => write!(f, "interrupted; {done}"),
            Self::Output(error) => write!(f, "cannot write to stdout: {error}"),
            Self::Other(error) => {
                write!(f, "{error}")?;
                let mut cause = error.source();
                while let Some(error) = cause {
                    write!(f, ": {error}")?;
                    cause = error.source();
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for Context {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what.fmt(f)
    }
}

impl Error for Hinted {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.what.source()
    }
}

impl From<esker::Error> for Failure {
    fn from(error: esker::Error) -> Self {
        Self::Other(Box::new(error))
    }
}

/// A line on stderr. That nobody can read it must not end the command, as `eprintln!` would.
pub(crate) fn tell(kind: &str, what: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{kind}: {what}");
}
