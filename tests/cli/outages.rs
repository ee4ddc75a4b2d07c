//! Brokers that go away and come back.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, ChildStderr};
use std::sync::Arc;

use esker::net::ApiKey;
use esker::{ProducerConfig, Record};
use parking_lot::Mutex;

use crate::numbered_lines;
use crate::remote::{Served, behind};

/// The way to a server with a topic `t`, which can be cut.
struct Way {
    served: Served,
    address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    is_cut: bool,
    /// A request of this kind is carried out, but the way is cut for an instant before its answer comes by.
    loses_answer: Option<ApiKey>,
    connections: Vec<TcpStream>,
}

impl Way {
    fn new() -> Self {
        let clients = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = clients.local_addr().unwrap().to_string();
        let (served, state) = (behind(&clients), Arc::<Mutex<State>>::default());
        let (server, shared) = (served.address.clone(), state.clone());
        std::thread::spawn(move || {
            for client in clients.incoming() {
                let (client, mut state) = (client.unwrap(), shared.lock());
                if !state.is_cut {
                    let server = TcpStream::connect(&server).unwrap();
                    state.connections.extend([&client, &server].map(|stream| stream.try_clone().unwrap()));
                    let shared = shared.clone();
                    // Ends when the way is cut, or by one of both sides.
                    std::thread::spawn(move || pass_on(client, server, &shared));
                }
            }
        });
        Self { served, address, state }
    }

    fn cut(&self) {
        let mut state = self.state.lock();
        state.is_cut = true;
        for stream in state.connections.drain(..) {
            // One that has ended already can't be.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn mend(&self) {
        self.state.lock().is_cut = false;
    }

    fn start(&self, args: &[&str]) -> Child {
        self.served.cli.command(&[args, &["--bootstrap-server", &self.address]].concat()).spawn().unwrap()
    }

    /// Appends a record without going that way.
    fn append(&self, value: &'static str) {
        self.served.store.producer(ProducerConfig::new()).unwrap().send(Record::to("t").value(value)).unwrap();
    }

    fn count(&self) -> i64 {
        self.served.store.partition("t", 0).unwrap().high_watermark()
    }

    fn values(&self) -> String {
        let mut consumer = self.served.store.consumer(esker::ConsumerConfig::new()).unwrap();
        consumer.assign([("t", 0)]).unwrap();
        consumer.seek_to_beginning().unwrap();
        let records = consumer.poll(std::time::Duration::ZERO).unwrap();
        records
            .iter()
            .map(|record| format!("{}\n", String::from_utf8_lossy(record.value.as_deref().unwrap())))
            .collect()
    }
}

/// One request after the other, each with its response.
fn pass_on(mut client: TcpStream, mut server: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    loop {
        let request = frame(&mut client)?;
        server.write_all(&request)?;
        let response = frame(&mut server)?;
        let is_lost = |key: &mut ApiKey| request[4..6] == key.key().to_be_bytes();
        if state.lock().loses_answer.take_if(is_lost).is_some() {
            return client.shutdown(Shutdown::Both);
        }
        client.write_all(&response)?;
    }
}

fn frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let mut frame = vec![0; 4 + u32::from_be_bytes(size) as usize];
    frame[..4].copy_from_slice(&size);
    stream.read_exact(&mut frame[4..])?;
    Ok(frame)
}

fn line(of: &mut impl BufRead) -> String {
    let mut line = String::new();
    of.read_line(&mut line).unwrap();
    line
}

/// Waits until a command says that it has lost a server, and for how long it tries to find it again. Returns its
/// stderr.
fn told(child: &mut Child, way: &Way, until: &str) -> BufReader<ChildStderr> {
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let warning = line(&mut stderr);
    let (begin, end) =
        (format!("warning: cannot connect to {}: ", way.address), format!("; trying again until {until}\n"));
    assert!(warning.starts_with(&begin) && warning.ends_with(&end), "{warning}");
    stderr
}

/// Waits until a command ends, which must go well, and with no more to say on stderr.
fn ends_well(mut child: Child, mut stderr: BufReader<ChildStderr>) {
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), &*said), (Some(0), ""));
}

#[test]
fn who_follows_goes_on_when_the_server_is_back() {
    let way = Way::new();
    way.append("first");
    let follow = ["consume", "t", "--from-beginning", "--follow", "--group", "g", "--max-messages", "3"];
    let mut child = way.start(&follow);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    assert_eq!(line(&mut stdout), "first\n");
    way.cut();
    way.append("second");
    let stderr = told(&mut child, &way, "it is back");
    way.mend();
    assert_eq!(line(&mut stdout), "second\n");
    way.append("third");
    assert_eq!(line(&mut stdout), "third\n");
    ends_well(child, stderr);
    let committed = way.served.store.committed_offset("g", ("t", 0)).unwrap();
    assert_eq!(committed.map(|committed| committed.offset), Some(3));
}

#[test]
fn who_follows_ends_when_it_is_to_though_the_server_is_away() {
    let way = Way::new();
    way.append("first");
    let mut child = way.start(&["consume", "t", "--from-beginning", "--follow", "--timeout-ms", "2000"]);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    assert_eq!(line(&mut stdout), "first\n");
    way.cut();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
}

#[cfg(unix)]
#[test]
fn who_follows_a_server_that_is_away_can_be_interrupted() {
    let way = Way::new();
    way.append("first");
    let mut child = way.start(&["consume", "t", "--from-beginning", "--follow"]);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    assert_eq!(line(&mut stdout), "first\n");
    way.cut();
    let stderr = told(&mut child, &way, "it is back");
    crate::signals::signal(&child, rustix::process::Signal::INT);
    ends_well(child, stderr);
}

#[test]
fn who_reads_to_the_end_waits_for_the_server() {
    let way = Way::new();
    // More than one answer has, and more than the pipe holds.
    let lines = numbered_lines(3 << 20);
    way.served.cli.ok(&["produce", "t", "--bootstrap-server", &way.address], &lines);
    let mut child = way.start(&["consume", "t", "--from-beginning"]);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let first = line(&mut stdout);
    way.cut();
    let reading = std::thread::spawn(move || {
        let mut printed = first.into_bytes();
        stdout.read_to_end(&mut printed).unwrap();
        printed
    });
    let stderr = told(&mut child, &way, "60 s are over");
    way.mend();
    ends_well(child, stderr);
    assert!(reading.join().unwrap() == lines);
}

#[test]
fn lines_wait_for_the_server() {
    let way = Way::new();
    let mut child = way.start(&["produce", "t"]);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"first\n").unwrap();
    while way.count() < 1 {
        std::thread::yield_now();
    }
    way.cut();
    stdin.write_all(b"second\n").unwrap();
    let stderr = told(&mut child, &way, "120 s are over");
    way.mend();
    stdin.write_all(b"third\n").unwrap();
    drop(stdin);
    ends_well(child, stderr);
    assert_eq!(way.values(), "first\nsecond\nthird\n");
}

#[test]
fn a_line_whose_answer_is_lost_is_written_once_by_who_is_idempotent() {
    for (args, expected) in [(&["produce", "t"][..], "line\n"), (&["produce", "t", "--acks", "1"], "line\nline\n")] {
        let way = Way::new();
        way.state.lock().loses_answer = Some(ApiKey::Produce);
        way.served.cli.ok(&[args, &["--bootstrap-server", &way.address]].concat(), b"line\n");
        assert_eq!(way.state.lock().loses_answer, None, "it was lost");
        assert_eq!(way.values(), expected, "{args:?}");
    }
}
