//! Event sourcing on a compacted topic: state lives in memory, the log is the truth, and a replay rebuilds it.
//!
//! ```sh
//! cargo run --release --example event_sourcing
//! ```
//!
//! A warehouse counts its stock. Each event says what happened to a product and how many are left, under the product as
//! its key; a product that is given up gets an event without a value, a tombstone. So the last event of each key is the
//! state, and `cleanup.policy=compact` may forget the others: the log stays about as large as the warehouse, however
//! much happens in it.
//!
//! An order is checked against the state, appended, and only then applied. The append is conditional on the offset up
//! to which the state is known: if another writer was first, it fails instead of selling the same thing twice.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use esker::record::{BatchBuilder, RecordData};
use esker::{Acks, AppendOptions, CleanupPolicy, Log, Maintenance, Offset, ReadLimits, Store, TopicConfig};

const EVENTS: u64 = 100_000;
const PRODUCTS: u64 = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;

    let mut warehouse = Warehouse::open(dir.path())?;
    for event in 0..EVENTS {
        warehouse.handle(&order(event))?;
    }
    warehouse.give_up("product-007")?;
    let before = warehouse.stock.clone();
    println!("{} events were appended; {} products are in stock", warehouse.next_offset, before.len());
    warehouse.store.close()?;

    let warehouse = Warehouse::open(dir.path())?;
    println!("after a restart, {} events were replayed", warehouse.replayed);
    assert_eq!(warehouse.stock, before, "the replay came to the same state");

    // By itself this happens when half of the log is new; here we don't wait for it.
    warehouse.store.compact("stock")?;
    warehouse.store.close()?;

    let mut warehouse = Warehouse::open(dir.path())?;
    println!("after compaction, {} events were replayed", warehouse.replayed);
    assert_eq!(warehouse.stock, before, "and so did the replay of what compaction left");

    // Life goes on where it stood: compaction changes no offset.
    warehouse.handle(&Order { product: "product-001".to_owned(), change: 10 })?;
    println!(
        "there are {} of product-001 now, says the event at offset {}",
        warehouse.stock["product-001"],
        warehouse.next_offset - 1
    );
    Ok(())
}

/// So many more of a product, or fewer.
struct Order {
    product: String,
    change: i64,
}

/// An order that is made up: goods come in, and go out in smaller lots.
fn order(number: u64) -> Order {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let change = if number.is_multiple_of(4) { 30 } else { -(mixed as i64 % 12) };
    Order { product: format!("product-{:03}", mixed % PRODUCTS), change }
}

struct Warehouse {
    store: Store,
    log: Log,
    builder: BatchBuilder,
    /// What is in stock after all events below `next_offset`.
    stock: BTreeMap<String, i64>,
    next_offset: Offset,
    replayed: usize,
}

impl Warehouse {
    /// Opens the store and replays the log.
    fn open(dir: &Path) -> Result<Self, Box<dyn Error>> {
        let store = Store::options().maintenance(Maintenance::Manual).open(dir)?;
        if !store.topics().contains(&"stock".to_owned()) {
            // Whole segments are compacted, but for the last one: small segments leave little that is not compacted.
            let config = TopicConfig::new().cleanup_policy(CleanupPolicy::COMPACT).segment_bytes(1 << 20);
            store.create_topic("stock", config)?;
        }
        let log = store.partition("stock", 0)?;
        let builder = BatchBuilder::new(1024);
        let mut warehouse =
            Self { store, next_offset: log.log_start(), log, builder, stock: BTreeMap::new(), replayed: 0 };
        warehouse.replay()?;
        Ok(warehouse)
    }

    /// Applies the events that are in the log and not in the state yet.
    fn replay(&mut self) -> Result<(), Box<dyn Error>> {
        loop {
            let fetched = self.log.read(self.next_offset, ReadLimits::new())?;
            if fetched.is_empty() {
                return Ok(());
            }
            for batch in fetched.batches() {
                for record in batch?.records()?.iter() {
                    let record = record?;
                    let key = str::from_utf8(record.key.ok_or("an event without a key")?)?;
                    apply(&mut self.stock, key, record.value)?;
                    self.replayed += 1;
                }
            }
            self.next_offset = fetched.next_offset();
        }
    }

    /// Carries an order out as far as there is stock for it.
    fn handle(&mut self, order: &Order) -> Result<(), Box<dyn Error>> {
        let left = (self.stock.get(&order.product).copied().unwrap_or(0) + order.change).max(0);
        self.append(&order.product, Some(left.to_string().as_bytes()))
    }

    fn give_up(&mut self, product: &str) -> Result<(), Box<dyn Error>> {
        self.append(product, None)
    }

    /// Appends an event, and applies it once it is in the log.
    fn append(&mut self, product: &str, value: Option<&[u8]>) -> Result<(), Box<dyn Error>> {
        self.builder.clear();
        self.builder.push(&RecordData::new(Some(product.as_bytes()), value))?;
        // A warehouse that may not forget a sale when power fails says Acks::All.
        let options = AppendOptions::new(Acks::Leader).expected_offset(self.next_offset);
        let appended = self.log.append_with(self.builder.build()?, options)?;
        self.next_offset = appended.last_offset + 1;
        apply(&mut self.stock, product, value)
    }
}

/// What an event does to the state: the only place where that is said, for new events and replayed ones.
fn apply(stock: &mut BTreeMap<String, i64>, product: &str, value: Option<&[u8]>) -> Result<(), Box<dyn Error>> {
    match value {
        Some(left) => drop(stock.insert(product.to_owned(), str::from_utf8(left)?.parse()?)),
        None => drop(stock.remove(product)),
    }
    Ok(())
}
