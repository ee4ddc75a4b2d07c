//! `esker serve`: the directory as a Kafka broker.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use esker::server::{Server, ServerBuilder, ServerProperties};
use serde::Serialize;
use tokio::sync::Notify;
use tracing_subscriber::EnvFilter;

use crate::context::Context;
#[cfg(feature = "prometheus")]
use crate::context::address;
use crate::data_dir::warn_of_recovery;
use crate::failure::{Failure, Result, tell};
use crate::interrupt::on_interrupt;
use crate::key_value::key_value;

/// Serve the data directory to Kafka clients, until interrupted
///
/// Configured as a Kafka broker is. What comes later in this list counts: server.properties, the environment
/// (KAFKA_NUM_PARTITIONS is num.partitions), --override. The directory is that of --dir, or else log.dirs. By default
/// it listens on 127.0.0.1:9092.
///
/// The first SIGINT, SIGTERM or SIGHUP stops it in good order, the second at once. What it does is told on stderr;
/// RUST_LOG says how much.
///
/// JSON: dir, listeners (the addresses that it listens on), metrics (where they are, if anywhere), once it listens.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file in the form of Kafka's server.properties
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one of a broker's configs; may be given several times
    #[arg(long = "override", value_name = "KEY=VALUE", value_parser = key_value)]
    overrides: Vec<(String, String)>,
    /// Show metrics to Prometheus at http://ADDRESS/metrics; a port alone is one of the loopback interface
    #[cfg(feature = "prometheus")]
    #[arg(long, value_name = "ADDRESS", value_parser = address_or_port)]
    metrics_listener: Option<String>,
}

#[cfg(feature = "prometheus")]
fn address_or_port(text: &str) -> std::result::Result<String, String> {
    match text.parse::<u16>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => address(text).map_err(|expected| format!("{expected} or a port")),
    }
}

#[derive(Debug, Serialize)]
struct Row {
    dir: String,
    listeners: Vec<String>,
    #[cfg(feature = "prometheus")]
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<String>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let properties = ServerProperties::load(args.config.as_deref(), std::env::vars_os(), args.overrides.clone());
    let properties = properties.map_err(Failure::misconfigured)?;
    for key in &properties.ignored {
        tell("warning", format_args!("{key} has no meaning here"));
    }
    for key in &properties.unknown {
        tell("warning", format_args!("no broker of Kafka 4.3 has a config {key}"));
    }
    let dir = context.dir.as_deref().or(properties.log_dir.as_deref());
    let dir = dir.ok_or_else(|| Failure::Usage("which directory? --dir, $ESKER_DIR or log.dirs says so".to_owned()))?;
    // Before there is a directory that nobody needs.
    properties.check().map_err(Failure::misconfigured)?;
    let store = properties.open_store(dir).map_err(Failure::misconfigured)?;
    warn_of_recovery(&store);
    let builder = Server::builder(store.clone()).config(properties.server.clone());
    #[cfg(feature = "prometheus")]
    let builder = args.metrics_listener.iter().fold(builder, ServerBuilder::metrics_listener);
    let served = serve(builder, dir, context);
    store.close()?;
    served
}

fn serve(builder: ServerBuilder, dir: &Path, context: &Context) -> Result {
    let interrupted = Arc::new(Notify::new());
    let stop = interrupted.clone();
    on_interrupt(move || stop.notify_one())?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::because("cannot start threads", error))?;
    let server = runtime.block_on(builder.start())?;
    let listeners = server.local_addrs().iter().map(ToString::to_string).collect();
    let row = Row {
        dir: dir.display().to_string(),
        listeners,
        #[cfg(feature = "prometheus")]
        metrics: server.metrics_addr().map(|address| format!("http://{address}/metrics")),
    };
    context.print(&[row], |rows| {
        rows.iter().map(|row| format!("Serving {} at {}.\n", row.dir, row.listeners.join(", "))).collect()
    })?;
    runtime.block_on(server.serve_until(interrupted.notified()));
    Ok(())
}
