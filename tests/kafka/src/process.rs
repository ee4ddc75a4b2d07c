//! The process that Kafka runs in: one for all tests of a program, started when the first one needs it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde::Deserialize;
use serde_json::Value;

/// Where `run` leaves the class path.
const CLASS_PATH: &str = "KAFKA_CLASS_PATH";

struct Process {
    _child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// What came of a request.
#[derive(Debug, Deserialize)]
pub struct Answer {
    #[serde(default)]
    pub ok: Value,
    pub error: Option<String>,
    /// The warnings and errors that Kafka logged meanwhile.
    pub messages: Vec<String>,
}

impl Answer {
    /// The result of a request that must succeed without a warning.
    pub fn clean(self) -> Value {
        assert_eq!((&self.error, &self.messages), (&None, &Vec::new()), "Kafka has nothing to complain about");
        self.ok
    }
}

/// Has Kafka do something, and waits for it.
pub fn request(request: &Value) -> Answer {
    static PROCESS: OnceLock<Mutex<Process>> = OnceLock::new();
    // A test that failed at an assertion in here has not disturbed the process.
    let mut process = PROCESS.get_or_init(|| Mutex::new(start())).lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(process.requests, "{request}").expect("Kafka's process takes requests");
    process.requests.flush().expect("Kafka's process takes requests");
    let mut line = String::new();
    process.answers.read_line(&mut line).expect("Kafka's process answers");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: the answer to {request} is {line:?}"))
}

fn start() -> Process {
    let class_path = std::env::var(CLASS_PATH)
        .unwrap_or_else(|_| panic!("{CLASS_PATH} is not set: run these tests by tests/kafka/run"));
    let mut child = Command::new("java")
        .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m", "-cp", &class_path, "Kafka"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("java starts");
    let requests = child.stdin.take().expect("it is a pipe");
    let answers = BufReader::new(child.stdout.take().expect("it is a pipe"));
    Process { _child: child, requests, answers }
}
