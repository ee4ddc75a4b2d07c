//! A stream of measurements: produce, aggregate by time, commit, stop in the middle, and go on as if nothing had
//! happened.
//!
//! ```sh
//! cargo run --example sensor_stream
//! ```
//!
//! Thermometers report every ten seconds into `readings`, keyed by their name, so that those of one stay in order. They
//! are made up: a daily curve for each, and noise. An aggregator reads them and writes the mean of each thermometer's
//! hour into `hourly`, once a reading of the next hour in the same partition shows that the hour is complete.
//!
//! An hour that is not complete lives in memory, and is lost when the aggregator stops. So it does not commit how far
//! it has read but where the unfinished hour begins: after a restart it reads that again. What it then writes a second
//! time has the same key and the same value, so the result is right, and compaction of `hourly` clears up.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::path::Path;
use std::time::Duration;

use esker::{
    Acks, AutoOffsetReset, CleanupPolicy, CommittedOffset, Consumer, ConsumerConfig, ConsumerRecord, Offset, Producer,
    ProducerConfig, Record, Store, TopicConfig, TopicPartition,
};

const SENSORS: [&str; 5] = ["attic", "cellar", "garden", "kitchen", "well"];
const HOUR_MS: i64 = 3_600_000;
const READING_MS: i64 = 10_000;
const START_MS: i64 = 1_767_225_600_000; // 2026-01-01
const HOURS: i64 = 48;
const READINGS_PER_HOUR: i64 = HOUR_MS / READING_MS;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    produce(dir.path())?;

    // The aggregator stops without a word after some readings, wherever it is, time and again.
    let mut runs = 0;
    while !aggregate(dir.path(), 19_222)? {
        runs += 1;
        println!("— the aggregator stops, and starts again —");
    }
    println!("{runs} stops later everything is aggregated");
    report(dir.path())
}

/// Sends two days of readings.
fn produce(dir: &Path) -> Result<(), Box<dyn Error>> {
    let store = Store::open(dir)?;
    // The readings are older than a week when you run this, so they must not go by their age.
    store.create_topic("readings", TopicConfig::new().partitions(3).retention_ms(-1))?;
    store.create_topic("hourly", TopicConfig::new().cleanup_policy(CleanupPolicy::COMPACT))?;

    // Many readings share a batch, and one sync at the end covers them all.
    let producer = store.producer(ProducerConfig::new().acks(Acks::Leader).linger(Duration::from_millis(5)))?;
    // The first reading after the last hour completes it.
    let readings = HOURS * READINGS_PER_HOUR + 1;
    for number in 0..readings {
        let timestamp = START_MS + number * READING_MS;
        for sensor in SENSORS {
            let value = format!("{:.2}", temperature(sensor, timestamp));
            drop(producer.send_async(Record::to("readings").key(sensor).value(value).timestamp(timestamp))?);
        }
    }
    producer.flush()?;
    store.close()?;
    println!("{} readings of {} thermometers were sent", readings * SENSORS.len() as i64, SENSORS.len());
    Ok(())
}

/// What a thermometer shows: made up, and the same each time.
fn temperature(sensor: &str, timestamp: i64) -> f64 {
    let hash = |seed: i64| seed.wrapping_mul(0x5851_f42d_4c95_7f2d).rotate_left(29).unsigned_abs() % 1000;
    let mean = 5.0 + sensor.len() as f64 * 2.0;
    let hour = (timestamp % (24 * HOUR_MS)) as f64 / HOUR_MS as f64;
    mean + 6.0 * ((hour - 9.0) / 24.0 * std::f64::consts::TAU).sin() + hash(timestamp + mean as i64) as f64 / 1000.0
}

/// The readings of a partition in an hour that is not complete.
struct Hour {
    number: i64,
    first_offset: Offset,
    /// How many readings each thermometer had, and their sum.
    sums: BTreeMap<String, (i64, f64)>,
}

/// Reads on from what is committed. True if everything is aggregated, false if it stopped after `readings_max`.
fn aggregate(dir: &Path, readings_max: usize) -> Result<bool, Box<dyn Error>> {
    let store = Store::open(dir)?;
    let config = ConsumerConfig::from("aggregator").auto_offset_reset(AutoOffsetReset::Earliest);
    let mut consumer = store.consumer(config)?;
    consumer.assign_topics(["readings"])?;
    let producer = store.producer(ProducerConfig::new())?;

    let mut hours: HashMap<i32, Hour> = HashMap::new();
    let (mut readings, mut written) = (0, 0);
    loop {
        let records = consumer.poll(Duration::ZERO)?;
        if records.is_empty() {
            println!("{readings} readings, {written} means: caught up");
            return Ok(true);
        }
        for record in &records {
            if readings == readings_max {
                println!("{readings} readings, {written} means");
                return Ok(false);
            }
            readings += 1;
            written += take(&producer, &mut hours, record)?;
        }
        commit(&mut consumer, &hours)?;
    }
}

/// Adds a reading to its hour; writes the hour before if that is complete now. Returns how many means it wrote.
fn take(producer: &Producer, hours: &mut HashMap<i32, Hour>, record: &ConsumerRecord) -> Result<usize, Box<dyn Error>> {
    let sensor = String::from_utf8(record.key.clone().ok_or("a reading without a name")?.into())?;
    let value: f64 = str::from_utf8(&record.value.clone().ok_or("a reading without a value")?)?.parse()?;
    let number = record.timestamp / HOUR_MS;
    let begun = || Hour { number, first_offset: record.offset, sums: BTreeMap::new() };
    let hour = hours.entry(record.partition).or_insert_with(begun);
    let mut written = 0;
    if hour.number != number {
        let complete = std::mem::replace(hour, begun());
        let timestamp = complete.number * HOUR_MS;
        for (sensor, (count, sum)) in complete.sums {
            let (key, mean) =
                (format!("{sensor} {}", complete.number), format!("{:.3} of {count}", sum / count as f64));
            producer.send(Record::to("hourly").key(key).value(mean).timestamp(timestamp))?;
            written += 1;
        }
    }
    let (count, sum) = hour.sums.entry(sensor).or_default();
    *count += 1;
    *sum += value;
    Ok(written)
}

/// Commits, for each partition, the first reading that a restart needs: that of the hour that is not complete. What
/// was written before is durable, for `send` waited for it.
fn commit(consumer: &mut Consumer, hours: &HashMap<i32, Hour>) -> esker::Result<()> {
    let needed = hours.iter().map(|(partition, hour)| {
        (TopicPartition::new("readings", *partition), CommittedOffset::new(hour.first_offset))
    });
    consumer.commit_offsets(needed, Acks::Leader)
}

/// Reads the result back, and holds it to the readings.
fn report(dir: &Path) -> Result<(), Box<dyn Error>> {
    let store = Store::open(dir)?;
    let mut consumer = store.consumer(ConsumerConfig::new().auto_offset_reset(AutoOffsetReset::Earliest))?;
    consumer.assign_topics(["hourly"])?;
    let mut hourly: BTreeMap<String, String> = BTreeMap::new();
    let mut records = 0;
    loop {
        let polled = consumer.poll(Duration::ZERO)?;
        if polled.is_empty() {
            break;
        }
        for record in polled {
            records += 1;
            let text = |bytes: Option<bytes::Bytes>| String::from_utf8(bytes.unwrap_or_default().into());
            hourly.insert(text(record.key)?, text(record.value)?);
        }
    }
    println!("{} means in {records} records: {} were written twice", hourly.len(), records - hourly.len());

    assert_eq!(hourly.len() as i64, SENSORS.len() as i64 * HOURS, "every hour of every thermometer is there");
    for sensor in SENSORS {
        for hour in START_MS / HOUR_MS..START_MS / HOUR_MS + HOURS {
            let readings =
                (0..READINGS_PER_HOUR).map(|number| temperature(sensor, hour * HOUR_MS + number * READING_MS));
            let rounded = readings.map(|value| format!("{value:.2}").parse::<f64>());
            let mean = rounded.sum::<Result<f64, _>>()? / READINGS_PER_HOUR as f64;
            let expected = format!("{mean:.3} of {READINGS_PER_HOUR}");
            assert_eq!(hourly[&format!("{sensor} {hour}")], expected, "{sensor} in hour {hour}");
        }
    }
    println!("and each is the mean of exactly its {READINGS_PER_HOUR} readings");
    Ok(())
}
