//! A broker of one's own on `Log`: a line protocol over TCP, a thread per connection, and nothing but std besides.
//!
//! ```sh
//! cargo run --example line_broker                          # a demonstration: a server and two clients
//! cargo run --example line_broker -- data 127.0.0.1:7000   # a server, for netcat or telnet
//! ```
//!
//! | request | response |
//! |---|---|
//! | `PUT topic partition text` | `OK offset`, once it survives the loss of power |
//! | `GET topic partition offset` | `offset text` a line, as many as there are in a fetch, then `END next-offset`; waits for the first one |
//! | anything else, or what fails | `ERR why` |
//!
//! What a broker needs is here once: many writers share the syncs of `acks=all` without knowing of each other, readers
//! take no lock, and one that has caught up sleeps until there is more.

use std::error::Error;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use esker::record::{BatchBuilder, RecordData};
use esker::{Acks, Log, Offset, ReadLimits, Store, TopicConfig};

/// The longest request. Whoever sends more at once loses the connection, and nobody else notices.
const LINE_BYTES_MAX: u64 = 64 * 1024;
const LONG_POLL: Duration = Duration::from_secs(30);
const CONNECTION_IDLE_MAX: Duration = Duration::from_secs(600);

type Answer<T> = Result<T, Box<dyn Error>>;

fn main() -> Answer<()> {
    let mut args = std::env::args().skip(1);
    match (args.next(), args.next()) {
        (Some(dir), Some(address)) => serve(TcpListener::bind(address)?, &Store::open(dir)?),
        _ => demonstrate(),
    }
}

/// Serves every connection on a thread of its own.
fn serve(listener: TcpListener, store: &Store) -> Answer<()> {
    loop {
        let (stream, _) = listener.accept()?;
        let store = store.clone();
        thread::spawn(move || {
            // A client that is gone, or never spoke our protocol, is its own affair.
            let _ = converse(&stream, &store);
        });
    }
}

/// Answers requests in their order until the client leaves.
fn converse(stream: &TcpStream, store: &Store) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(CONNECTION_IDLE_MAX))?;
    let (mut requests, mut responses) = (BufReader::new(stream), BufWriter::new(stream));
    let mut line = String::new();
    loop {
        line.clear();
        io::Read::take(&mut requests, LINE_BYTES_MAX).read_line(&mut line)?;
        let Some(request) = line.strip_suffix('\n') else {
            return Ok(()); // the end, or a line that is too long
        };
        match answer(request.trim_end_matches('\r'), store) {
            Ok(response) => responses.write_all(&response)?,
            Err(error) => writeln!(responses, "ERR {error}")?,
        }
        responses.flush()?;
    }
}

fn answer(request: &str, store: &Store) -> Answer<Vec<u8>> {
    let mut words = request.splitn(4, ' ');
    let mut word = || words.next().ok_or("too few words");
    match (word()?, word()?, word()?.parse()?, word()?) {
        ("PUT", topic, partition, text) => put(&log(store, topic, partition)?, text),
        ("GET", topic, partition, offset) => get(&log(store, topic, partition)?, offset.parse()?),
        _ => Err("no such request".into()),
    }
}

/// The log of a partition, whose topic is created when it is first spoken of.
fn log(store: &Store, topic: &str, partition: i32) -> Answer<Log> {
    match store.create_topic(topic, TopicConfig::new().partitions(4)) {
        Ok(_) | Err(esker::Error::TopicAlreadyExists { .. }) => Ok(store.partition(topic, partition)?),
        Err(error) => Err(error.into()),
    }
}

fn put(log: &Log, text: &str) -> Answer<Vec<u8>> {
    let mut batch = BatchBuilder::new(text.len());
    batch.push(&RecordData::of(text.as_bytes()))?;
    let appended = log.append(batch.build()?, Acks::All)?;
    Ok(format!("OK {}\n", appended.base_offset).into_bytes())
}

fn get(log: &Log, offset: Offset) -> Answer<Vec<u8>> {
    log.wait_for(offset, LONG_POLL);
    let fetched = log.read(offset, ReadLimits::new())?;
    let mut response = Vec::new();
    for batch in fetched.batches() {
        // The first batch may begin before the offset that was asked for.
        for record in batch?.records()?.iter() {
            let record = record?;
            if record.offset >= offset {
                write!(response, "{} ", record.offset)?;
                response.extend_from_slice(record.value.unwrap_or_default());
                response.push(b'\n');
            }
        }
    }
    writeln!(response, "END {}", fetched.next_offset())?;
    Ok(response)
}

/// A client that follows a partition while another one writes to it.
fn demonstrate() -> Answer<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let store = Store::temporary()?;
    thread::spawn(move || serve(listener, &store).map_err(|error| error.to_string()));
    println!("listening on {address}");

    let follower = thread::spawn(move || -> Result<(), String> {
        follow(TcpStream::connect(address).map_err(|error| error.to_string())?).map_err(|error| error.to_string())
    });
    let mut writer = BufReader::new(TcpStream::connect(address)?);
    for text in ["the ice melts", "the stream lays down its sediment", "a ridge remains", "bye"] {
        println!("writer: PUT ridge 0 {text} -> {}", ask(&mut writer, &format!("PUT ridge 0 {text}"))?);
    }
    println!("writer: POP ridge 0 0 -> {}", ask(&mut writer, "POP ridge 0 0")?);
    println!("writer: GET ridge 9 0 -> {}", ask(&mut writer, "GET ridge 9 0")?);
    follower.join().map_err(|_| "the follower panicked")??;
    Ok(())
}

fn follow(stream: TcpStream) -> Answer<()> {
    let mut stream = BufReader::new(stream);
    let mut request = "GET ridge 0 0".to_owned();
    loop {
        let mut line = ask(&mut stream, &request)?;
        while let Some((offset, text)) = line.split_once(' ').filter(|(word, _)| *word != "END") {
            println!("follower: {text:?} at offset {offset}");
            if text == "bye" {
                return Ok(());
            }
            line = read_line(&mut stream)?;
        }
        request = line.replace("END", "GET ridge 0");
    }
}

fn ask(stream: &mut BufReader<TcpStream>, request: &str) -> Answer<String> {
    stream.get_mut().write_all(format!("{request}\n").as_bytes())?;
    read_line(stream)
}

fn read_line(stream: &mut BufReader<TcpStream>) -> Answer<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}
