//! A Kafka broker of one node: stock clients and Kafka's own command-line tools talk to it.
//!
//! ```sh
//! cargo run --release --example server --features net                               # 127.0.0.1:9092, data in ./data
//! cargo run --release --example server --features net -- server.properties
//! cargo run --release --example server --features net -- --override log.dirs=/var/lib/esker --override num.partitions=4
//! ```
//!
//! It is configured as Kafka is, by a file, by the environment (`KAFKA_NUM_PARTITIONS=4`) and by overrides; what comes
//! later in this list counts. With the feature `prometheus`, `METRICS_LISTENER=127.0.0.1:9404` is where its metrics
//! are. SIGINT, SIGTERM and SIGHUP, or Ctrl-C on Windows, stop it in good order, a second one at once. `RUST_LOG=debug`
//! tells more.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

#[cfg(feature = "prometheus")]
use esker::server::ServerBuilder;
use esker::server::{Server, ServerProperties};
use tokio::sync::Notify;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = serve().await else { return ExitCode::SUCCESS };
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    eprintln!("error: {error}{}", causes.map(|cause| format!(": {cause}")).collect::<String>());
    ExitCode::FAILURE
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let properties = configure(std::env::args().skip(1))?;
    for key in &properties.ignored {
        eprintln!("warning: {key} has no meaning here");
    }
    for key in &properties.unknown {
        eprintln!("warning: no broker of Kafka 4.3 has a config {key}");
    }
    let dir = properties.log_dir.as_deref().unwrap_or(Path::new("data"));
    let store = properties.open_store(dir)?;
    let builder = Server::builder(store.clone()).config(properties.server.clone());
    #[cfg(feature = "prometheus")]
    let builder = std::env::var("METRICS_LISTENER").into_iter().fold(builder, ServerBuilder::metrics_listener);
    let stop = Arc::new(Notify::new());
    ctrlc::set_handler(on_signal(stop.clone()))?;
    let server = builder.start().await?;
    println!("serving {} at {:?}", dir.display(), server.local_addrs());
    server.serve_until(stop.notified()).await;
    Ok(tokio::task::spawn_blocking(move || store.close()).await??)
}

/// Asks for the end at the first signal, and brings it about at the second.
fn on_signal(stop: Arc<Notify>) -> impl FnMut() {
    let mut again = false;
    move || {
        if std::mem::replace(&mut again, true) {
            std::process::exit(130);
        }
        stop.notify_one();
    }
}

fn configure(mut args: impl Iterator<Item = String>) -> Result<ServerProperties, Box<dyn Error>> {
    let (mut file, mut overrides) = (None, Vec::new());
    while let Some(arg) = args.next() {
        match &*arg {
            "--override" => {
                let pair = args.next().ok_or("--override wants key=value")?;
                let (key, value) = pair.split_once('=').ok_or_else(|| format!("{pair} is not key=value"))?;
                overrides.push((key.to_owned(), value.to_owned()));
            }
            _ if arg.starts_with('-') => {
                return Err(format!("there is no {arg}, only [server.properties] [--override key=value]...").into());
            }
            _ => file = Some(PathBuf::from(arg)),
        }
    }
    Ok(ServerProperties::load(file.as_deref(), std::env::vars_os(), overrides)?)
}
