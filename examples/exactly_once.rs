//! Exactly once from one topic to another, across `kill -9`.
//!
//! This program fills a topic with orders, and then starts itself over and over as a process that makes an invoice of
//! each order: in transactions, which hold the invoices and how far the orders were read. It kills that process at
//! whatever it is doing, until all is done, and then counts: each order has exactly one invoice.
//!
//! ```text
//! cargo run --example exactly_once
//! ```

use std::env;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use esker::{AutoOffsetReset, ConsumerConfig, IsolationLevel, ProducerConfig, Record, Store, TopicConfig};

const ORDERS: usize = 1_000;
const ORDERS_PER_TRANSACTION: usize = 20;
const GROUP: &str = "invoicing";
/// After how many invoices each process is killed. The one after the last is left to end.
const KILLED_AFTER: [usize; 6] = [67, 9, 151, 111, 278, 33];

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> Result<()> {
    match env::args().nth(1) {
        Some(dir) => make_invoices(Path::new(&dir)),
        None => supervise(),
    }
}

/// What the process does that is killed: the whole of an exactly-once transfer.
fn make_invoices(dir: &Path) -> Result<()> {
    let store = Store::open(dir)?;
    // The name makes it the successor of the process that was killed: what that one left open is aborted here.
    let producer = store.producer(ProducerConfig::new().transactional_id("invoicing-0"))?;
    // The group goes on where the last committed transaction ended.
    let config = ConsumerConfig::from(GROUP)
        .isolation_level(IsolationLevel::ReadCommitted)
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .max_poll_records(ORDERS_PER_TRANSACTION);
    let mut consumer = store.consumer(config)?;
    consumer.assign_topics(["orders"])?;
    loop {
        let orders = consumer.poll(Duration::ZERO)?;
        if orders.is_empty() {
            return Ok(store.close()?);
        }
        let transaction = producer.begin_transaction()?;
        for order in &orders {
            let order = String::from_utf8_lossy(order.value.as_deref().unwrap_or_default());
            transaction.send(Record::to("invoices").value(format!("invoice for {order}")))?;
            println!("{order}");
        }
        transaction.send_offsets(consumer.group_metadata()?, consumer.positions())?;
        transaction.commit()?;
    }
}

fn supervise() -> Result<()> {
    let dir = tempfile::tempdir()?;
    take_orders(dir.path())?;
    println!("{ORDERS} orders are waiting.\n");
    println!("  process   killed after   invoices in all   that count   orders done");
    for start in 0.. {
        let kill_after = KILLED_AFTER.get(start).copied();
        let was_killed = run_process(dir.path(), kill_after)?;
        let state = look(dir.path())?;
        println!(
            "{:>9} {:>14} {:>17} {:>12} {:>13}",
            start + 1,
            if was_killed { format!("{} more", kill_after.unwrap_or_default()) } else { "-".to_owned() },
            state.written,
            state.invoices.len(),
            state.orders_done,
        );
        if !was_killed {
            return conclude(&state.invoices);
        }
    }
    Ok(())
}

fn take_orders(dir: &Path) -> Result<()> {
    let store = Store::open(dir)?;
    store.create_topic("orders", TopicConfig::new())?;
    store.create_topic("invoices", TopicConfig::new())?;
    let producer = store.producer(ProducerConfig::new())?;
    for number in 1..=ORDERS {
        drop(producer.send_async(Record::to("orders").value(format!("order {number}")))?);
    }
    producer.close()?;
    Ok(store.close()?)
}

/// Runs the process, and kills it after so many invoices. Returns whether it was killed.
fn run_process(dir: &Path, kill_after: Option<usize>) -> Result<bool> {
    let mut process = Command::new(env::current_exe()?).arg(dir).stdout(Stdio::piped()).spawn()?;
    let output = process.stdout.take().ok_or("the process has no output")?;
    let invoices = BufReader::new(output).lines().take(kill_after.unwrap_or(usize::MAX)).count();
    if Some(invoices) == kill_after {
        // SIGKILL, in the middle of whatever it does now.
        process.kill()?;
    }
    let status = process.wait()?;
    match (status.success(), Some(invoices) == kill_after) {
        (true, _) => Ok(false),
        (false, true) => Ok(true),
        (false, false) => Err(format!("the process ended with {status}").into()),
    }
}

struct State {
    /// All invoices that are in the log, those of transactions that were not committed too.
    written: usize,
    /// Those that count.
    invoices: Vec<String>,
    orders_done: i64,
}

/// Looks at what a process has left, without ending its transaction.
fn look(dir: &Path) -> Result<State> {
    let store = Store::open(dir)?;
    let orders_done = store.committed_offset(GROUP, ("orders", 0))?;
    Ok(State {
        written: read_invoices(&store, IsolationLevel::ReadUncommitted)?.len(),
        invoices: read_invoices(&store, IsolationLevel::ReadCommitted)?,
        orders_done: orders_done.map_or(0, |committed| committed.offset),
    })
}

fn read_invoices(store: &Store, isolation: IsolationLevel) -> Result<Vec<String>> {
    let config = ConsumerConfig::new().isolation_level(isolation).auto_offset_reset(AutoOffsetReset::Earliest);
    let mut consumer = store.consumer(config)?;
    consumer.assign_topics(["invoices"])?;
    let mut invoices = Vec::new();
    loop {
        let records = consumer.poll(Duration::ZERO)?;
        if records.is_empty() {
            return Ok(invoices);
        }
        let value = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
        invoices.extend(records.iter().map(|record| value(record.value.as_deref())));
    }
}

fn conclude(invoices: &[String]) -> Result<()> {
    let expected: Vec<_> = (1..=ORDERS).map(|number| format!("invoice for order {number}")).collect();
    if invoices != expected {
        return Err(format!("{} invoices count, and they are not one for each order", invoices.len()).into());
    }
    println!("\nEach of the {ORDERS} orders has exactly one invoice, in their order.");
    Ok(())
}
