//! The same commands on a directory and over the network: what they print is the same, and so are errors and exit
//! codes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI16, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use esker::net::ApiKey;
use esker::net::messages::join_group::JoinGroupRequestProtocol;
use esker::net::messages::sync_group::SyncGroupRequestAssignment;
use esker::net::messages::{JoinGroupRequest, SyncGroupRequest};
use esker::server::{Listener, Server, ServerConfig};
use esker::{Acks, CommittedOffset, Store, StoreConfig, TopicConfig, TopicPartition};
use tokio::runtime::Runtime;

use crate::Cli;

/// A server in this process, for the directory of a [`Cli`].
pub(crate) struct Served {
    pub(crate) cli: Cli,
    pub(crate) store: Store,
    running: Option<(Runtime, Server)>,
    pub(crate) address: String,
}

impl Served {
    fn start(cli: Cli) -> Self {
        Self::with(
            cli,
            ServerConfig { listeners: vec![Listener::plaintext("127.0.0.1", 0)], ..ServerConfig::default() },
        )
    }

    pub(crate) fn with(cli: Cli, server_config: ServerConfig) -> Self {
        let config = StoreConfig { group_initial_rebalance_delay_ms: 0, ..StoreConfig::default() };
        let store = Store::options().config(config).open(cli.dir()).unwrap();
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(Server::builder(store.clone()).config(server_config).start()).unwrap();
        let address = server.local_addr().unwrap().to_string();
        Self { cli, store, running: Some((runtime, server)), address }
    }

    fn new() -> Self {
        Self::start(Cli::new())
    }

    /// Joins group `g` as its only member, a consumer of `t-0` and `t-1`, and returns its id.
    fn join(&self) -> String {
        let (runtime, server) = self.running.as_ref().unwrap();
        runtime.block_on(async {
            let client = server.connect().client_id("reader");
            let metadata = Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff");
            let join = JoinGroupRequest {
                group_id: "g".into(),
                session_timeout_ms: 60_000,
                rebalance_timeout_ms: 60_000,
                protocol_type: "consumer".into(),
                protocols: vec![JoinGroupRequestProtocol { name: "range".into(), metadata }],
                ..Default::default()
            };
            let joined = client.send(&join, 3).await.unwrap();
            let member_id = joined.member_id.clone();
            let assigned = b"\0\x01\0\0\0\x01\0\x01t\0\0\0\x02\0\0\0\0\0\0\0\x01\xff\xff\xff\xff";
            let assignment = SyncGroupRequestAssignment { member_id, assignment: Bytes::from_static(assigned) };
            let sync = SyncGroupRequest {
                group_id: "g".into(),
                generation_id: joined.generation_id,
                member_id: joined.member_id.clone(),
                assignments: vec![assignment],
                ..Default::default()
            };
            client.send(&sync, 2).await.unwrap();
            joined.member_id
        })
    }

    fn stop(&mut self) {
        if let Some((runtime, server)) = self.running.take() {
            runtime.block_on(server.shutdown());
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop();
        self.store.close().unwrap();
    }
}

/// Passes on what clients that come here and a server say to each other. Whoever hears of the key of a request hears of
/// it before the server does.
fn pass_on(clients: TcpListener, server: String, heard: impl Fn(i16) + Clone + Send + 'static) {
    std::thread::spawn(move || {
        for client in clients.incoming() {
            let (mut client, mut server) = (client.unwrap(), TcpStream::connect(&server).unwrap());
            let (mut responses, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut responses, &mut back));
            let heard = heard.clone();
            std::thread::spawn(move || {
                let mut size = [0; 4];
                while client.read_exact(&mut size).is_ok() {
                    let mut request = vec![0; u32::from_be_bytes(size) as usize];
                    client.read_exact(&mut request).unwrap();
                    heard(i16::from_be_bytes([request[0], request[1]]));
                    server.write_all(&[&size, &*request].concat()).unwrap();
                }
            });
        }
    });
}

/// A server of a directory with a topic `t`, which clients come to by way of `clients`.
pub(crate) fn behind(clients: &TcpListener) -> Served {
    let config = ServerConfig {
        listeners: vec![Listener::plaintext("127.0.0.1", 0)],
        advertised_listeners: vec![Listener::plaintext("127.0.0.1", clients.local_addr().unwrap().port())],
        ..ServerConfig::default()
    };
    Served::with(Cli::with_topic(), config)
}

/// What a command said: exit code, stdout, stderr.
pub(crate) type Said = (Option<i32>, String, String);

/// A directory, or the server of one.
pub(crate) enum Side {
    Directory(Cli),
    Network(Box<Served>),
}

impl Side {
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        match self {
            Self::Directory(cli) => cli.command(args),
            Self::Network(served) => {
                let mut command = served.cli.command(args);
                command.env_remove("ESKER_DIR").env("ESKER_BOOTSTRAP_SERVER", &served.address);
                command
            }
        }
    }

    pub(crate) fn run(&self, args: &[&str], input: &[u8]) -> Said {
        let mut child = self.command(args).spawn().unwrap();
        // A command that fails early reads none of it.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }
}

/// The same text without what can't be the same: ids of topics, times of commits.
fn plain(text: &str, ids: &[String]) -> String {
    let text = ids.iter().fold(text.to_owned(), |text, id| text.replace(id, "ID"));
    let is_told = |part: &&str| !part.starts_with("\"commit_timestamp\":");
    let line = |line: &str| match line.starts_with('{') {
        true => line.split(',').filter(is_told).collect::<Vec<_>>().join(","),
        false => line.to_owned(),
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Runs commands on both sides, which must say the same.
pub(crate) struct Both {
    pub(crate) sides: [Side; 2],
    /// The ids of the topics of each.
    ids: [Vec<String>; 2],
}

impl Both {
    pub(crate) fn new() -> Self {
        let directory = Cli::new();
        // A server makes its directory when it starts.
        directory.ok(&["topic", "create", "made"], b"");
        directory.ok(&["topic", "delete", "made"], b"");
        Self {
            sides: [Side::Directory(directory), Side::Network(Box::new(Served::new()))],
            ids: [Vec::new(), Vec::new()],
        }
    }

    /// Creates a topic, and gets to know its ids.
    pub(crate) fn create(&mut self, args: &[&str]) {
        for (side, ids) in self.sides.iter().zip(&mut self.ids) {
            let args = [&["topic", "create"], args, &["--output", "json"]].concat();
            let (code, stdout, stderr) = side.run(&args, b"");
            assert_eq!((code, &*stderr), (Some(0), ""));
            let row: serde_json::Value = serde_json::from_str(&stdout).unwrap();
            ids.push(row["id"].as_str().unwrap().to_owned());
        }
    }

    /// What both say.
    fn say(&self, args: &[&str], input: &[u8]) -> Said {
        let [directory, network] = [0, 1].map(|side| {
            let (code, stdout, stderr) = self.sides[side].run(args, input);
            (code, plain(&stdout, &self.ids[side]), stderr)
        });
        assert_eq!(network, directory, "{args:?}, over the network and on a directory");
        network
    }

    /// What both print, as text and as JSON; they must exit with 0 and have nothing to say on stderr.
    fn print(&self, args: &[&str]) -> String {
        let mut texts = [&["--output", "json"], &["--output", "text"]].map(|form| {
            let (code, stdout, stderr) = self.say(&[args, form].concat(), b"");
            assert_eq!((code, &*stderr), (Some(0), ""), "{args:?}");
            stdout
        });
        std::mem::take(&mut texts[1])
    }

    pub(crate) fn ok(&self, args: &[&str], input: &[u8]) {
        let (code, _, stderr) = self.say(args, input);
        assert_eq!((code, &*stderr), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn topics_are_the_same() {
    let mut both = Both::new();
    both.create(&["t", "--partitions", "3", "--config", "retention.ms=-1"]);
    both.create(&["u", "--config", "segment.bytes=1048576", "--config", "cleanup.policy=compact"]);
    // A batch each: how many lines go into one is a question of time on a directory, and sizes are to be the same.
    for line in [b"a\n", b"b\n", b"c\n"] {
        both.ok(&["produce", "t", "--partition", "1"], line);
    }
    assert_eq!(both.print(&["topic", "list"]), "t\nu\n");
    let described = both.print(&["topic", "describe"]);
    assert!(described.contains("Topic: t\tTopicId: ID\tPartitionCount: 3\t"), "{described}");
    assert!(described.contains("Configs: cleanup.policy=compact,segment.bytes=1048576\n"), "{described}");
    both.print(&["topic", "describe", "t"]);
    both.print(&["topic", "describe", "u", "--configs"]);
    assert!(both.print(&["topic", "describe", "t", "--offsets"]).contains("\nt      1          0          3"));

    let alter = ["topic", "alter", "t", "--partitions", "4", "--config", "segment.bytes=2097152"];
    both.ok(&[&alter[..], &["--delete-config", "retention.ms"]].concat(), b"");
    both.ok(&["topic", "alter", "t", "--append-config", "cleanup.policy=compact"], b"");
    both.print(&["topic", "describe", "t"]);
    assert!(both.say(&["topic", "delete-records", "t", "1:2", "0:-1"], b"").1.contains("\nt      1          2\n"));
    both.print(&["topic", "describe", "t", "--offsets"]);
    both.ok(&["topic", "delete", "u"], b"");
    assert_eq!(both.print(&["topic", "list"]), "t\n");
}

#[test]
fn configs_of_groups_are_the_same() {
    let mut both = Both::new();
    both.create(&["t"]);
    both.print(&["group", "alter", "g", "--config", "consumer.heartbeat.interval.ms=6000"]);
    let described = both.print(&["group", "describe", "g", "h", "--configs"]);
    assert!(
        described.contains("\ng      consumer.heartbeat.interval.ms   6000   DYNAMIC_GROUP_CONFIG\n"),
        "{described}"
    );
    both.print(&["group", "alter", "g", "--delete-config", "consumer.heartbeat.interval.ms"]);
    both.print(&["group", "describe", "g", "--configs"]);
}

#[test]
fn records_go_in_and_come_out_the_same() {
    let mut both = Both::new();
    both.create(&["t", "--partitions", "3"]);
    let json =
        br#"{"partition":2,"timestamp":7,"key":"k","value":{"base64":"//4="},"headers":[{"key":"h","value":null}]}
{"partition":0,"timestamp":8,"value":null}
"#;
    both.ok(&["produce", "t", "--format", "json", "--keep-partition"], json);
    let keyed = b"one:1\ntwo:2\nthree:3\none:4\nfour:5\n";
    both.ok(&["produce", "t", "--key-separator", ":", "--timestamp", "9", "--compression", "zstd"], keyed);
    both.ok(&["produce", "t", "--partition", "1", "--timestamp", "10", "--acks", "1"], b"x\n\nno newline");
    both.ok(&["produce", "t", "--partition", "1", "--timestamp", "10", "--acks", "0"], b"unacknowledged\n");
    let (_, stdout, _) =
        both.say(&["produce", "t", "--output", "json", "--partition", "0", "--timestamp", "11"], b"1\n2\n");
    assert_eq!(stdout, "{\"topic\":\"t\",\"records\":2}\n");

    for partition in ["0", "1", "2"] {
        let all = both.print(&["consume", "t", "--from-beginning", "--partition", partition]);
        assert!(!all.is_empty());
        both.print(&["consume", "t", "--partition", partition, "--offset", "1", "--max-messages", "2"]);
        both.print(&["consume", "t", "--partition", partition, "--timestamp", "9", "--print", "timestamp,key,offset"]);
        // Before 1970 is before all records.
        assert_eq!(both.print(&["consume", "t", "--partition", partition, "--timestamp", "-1"]), all);
    }
    let (code, _, stderr) = both.say(&["consume", "t"], b"");
    assert!(code == Some(0) && stderr.starts_with("note: this starts at the end"), "{stderr}");
}

#[test]
fn lines_of_many_batches_arrive_in_order() {
    let mut both = Both::new();
    both.create(&["t", "--config", "max.message.bytes=4096"]);
    let lines = crate::numbered_lines(300_000);
    both.ok(&["produce", "t", "--batch-size", "2000"], &lines);
    let printed = both.say(&["consume", "t", "--from-beginning"], b"").1;
    assert!(printed.as_bytes() == lines);
    let (code, _, stderr) = both.say(&["produce", "t", "--partition", "0"], &[b'x'; 5000]);
    assert!(code == Some(1) && stderr.contains("over max.message.bytes = 4096\nhint: "), "{stderr}");
}

#[test]
fn what_an_aborted_transaction_left_is_passed_over_where_only_what_is_committed_counts() {
    use esker::{ProducerConfig, Record};
    let fill = |cli: &Cli| {
        cli.ok(&["topic", "create", "t"], b"");
        let store = Store::open(cli.dir()).unwrap();
        let producer = store.producer(ProducerConfig::new().transactional_id("id")).unwrap();
        for (value, is_committed) in [("kept", true), ("void", false), ("kept too", true)] {
            let transaction = producer.begin_transaction().unwrap();
            transaction.send_async(Record::to("t").value(value)).unwrap().wait().unwrap();
            if is_committed { transaction.commit().unwrap() } else { transaction.abort().unwrap() }
        }
        drop(producer);
        store.close().unwrap();
    };
    let [directory, served] = [Cli::new(), Cli::new()];
    fill(&directory);
    fill(&served);
    let both = Both {
        sides: [Side::Directory(directory), Side::Network(Box::new(Served::start(served)))],
        ids: [vec![], vec![]],
    };
    let consume = ["consume", "t", "--from-beginning"];
    assert_eq!(both.say(&consume, b"").1, "kept\nvoid\nkept too\n");
    assert_eq!(both.say(&[&consume[..], &["--isolation-level", "read_committed"]].concat(), b"").1, "kept\nkept too\n");
    assert!(both.say(&["transactions", "list"], b"").1.contains("id"));
    let rows = both.sides.each_ref().map(|side| {
        let stdout = side.run(&["transactions", "describe", "id", "--output", "json"], b"").1;
        let mut row: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert!(row["start_timestamp"].is_i64());
        (row["start_timestamp"], row["last_update_timestamp"]) = (serde_json::Value::Null, serde_json::Value::Null);
        row
    });
    assert_eq!(rows[0], rows[1]);
    both.say(&["transactions", "describe", "nope"], b"");
}

#[test]
fn all_transactions_are_described_at_once() {
    let clients = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut served = behind(&clients);
    let server = std::mem::replace(&mut served.address, clients.local_addr().unwrap().to_string());
    for id in ["a", "b", "c"] {
        served.store.init_transactional_id(id, Duration::from_secs(60)).unwrap();
    }
    let described = Arc::new(AtomicUsize::new(0));
    let counted = described.clone();
    pass_on(clients, server, move |api_key| {
        if api_key == ApiKey::DescribeTransactions.key() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let side = Side::Network(Box::new(served));
    let (code, stdout, stderr) = side.run(&["transactions", "list"], b"");
    assert_eq!((code, &*stderr), (Some(0), ""));
    let ids: Vec<_> = stdout.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    assert_eq!(described.load(Ordering::Relaxed), 1, "one request for all of them");
}

#[test]
fn groups_are_the_same() {
    let mut both = Both::new();
    both.create(&["t", "--partitions", "2"]);
    for partition in ["0", "1"] {
        both.ok(&["produce", "t", "--partition", partition, "--timestamp", "5"], b"0\n1\n2\n3\n");
    }
    let consume = ["consume", "t", "--group", "g", "--from-beginning", "--partition", "0"];
    assert_eq!(both.say(&[&consume[..], &["--max-messages", "3"]].concat(), b"").1, "0\n1\n2\n");
    assert_eq!(both.say(&consume, b"").1, "3\n");
    let is_epoch_known =
        || both.say(&["group", "describe", "g", "--output", "json"], b"").1.contains("\"leader_epoch\":0,");
    assert!(is_epoch_known());
    assert_eq!(both.say(&consume, b"").1, "");
    assert!(is_epoch_known(), "though nothing was printed");
    both.ok(&["produce", "t", "--partition", "0"], b"4\n");
    assert_eq!(both.say(&[&consume[..], &["--no-commit"]].concat(), b"").1, "4\n");
    both.ok(&["consume", "t", "--group", "h"], b"");
    assert_eq!(both.print(&["group", "list"]), "g\nh\n");
    let described = both.print(&["group", "describe", "g"]);
    assert!(
        described.ends_with("g      t      0          4               5               1    -            -     -\n")
    );
    both.print(&["group", "describe"]);
    both.print(&["group", "describe", "--state"]);
    both.print(&["group", "describe", "--members"]);

    let to: [&[&str]; 10] = [
        &["--to-earliest"],
        &["--to-latest"],
        &["--to-current"],
        &["--to-offset", "2"],
        &["--to-offset", "99"],
        &["--to-datetime", "-1"],
        &["--by-duration", "P30000D"],
        &["--to-datetime", "6"],
        &["--by-duration", "P1D"],
        &["--shift-by", "-1"],
    ];
    for to in to {
        both.say(&[&["group", "reset-offsets", "g", "--topic", "t:0"], to].concat(), b"");
        both.print(&[&["group", "reset-offsets", "g", "--topic", "t:0", "--execute"], to].concat());
    }
    let export = ["group", "reset-offsets", "--all-groups", "--all-topics", "--to-current", "--export"];
    both.say(&export, b"");
    both.say(&["group", "reset-offsets", "new", "--topic", "t", "--shift-by", "1"], b"");
    both.ok(&["group", "reset-offsets", "new", "--topic", "t", "--to-offset", "1", "--execute"], b"");
    both.print(&["group", "describe", "new"]);
    both.ok(&["group", "delete-offsets", "new", "--topic", "t:1"], b"");
    both.say(&["group", "delete-offsets", "new", "--topic", "t:1"], b"");
    both.say(&["group", "delete", "new", "nope"], b"");
    both.ok(&["group", "delete", "new"], b"");
    assert_eq!(both.print(&["group", "list"]), "g\nh\n");
}

#[test]
fn a_group_that_goes_away_while_all_are_described_is_passed_over() {
    let clients = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut served = behind(&clients);
    let server = std::mem::replace(&mut served.address, clients.local_addr().unwrap().to_string());
    let store = served.store.clone();
    pass_on(clients, server, move |api_key| {
        // After it was listed.
        if api_key == ApiKey::DescribeGroups.key() {
            let _ = store.delete_group("goes");
        }
    });
    let store = served.store.clone();
    let commit = |group| {
        let offsets = [(TopicPartition::new("t", 0), CommittedOffset::new(0))];
        store.commit_offsets(group, offsets, Acks::Leader).unwrap();
    };
    commit("stays");
    let side = Side::Network(Box::new(served));
    for what in [&["describe"][..], &["describe", "--state"], &["describe", "--members"]] {
        commit("goes");
        let (code, stdout, stderr) = side.run(&[&["group"], what].concat(), b"");
        assert_eq!((code, &*stderr), (Some(0), ""), "{what:?}");
        assert!(!stdout.contains("goes") && (stdout.contains("stays") || what.contains(&"--members")), "{stdout}");
    }
    for of in [&["--all-topics"][..], &["--topic", "t"]] {
        commit("goes");
        let reset = ["group", "reset-offsets", "--all-groups", "--to-earliest", "--execute"];
        let (code, stdout, stderr) = side.run(&[&reset, of].concat(), b"");
        assert_eq!((code, &*stderr), (Some(0), ""), "{of:?}");
        assert!(!stdout.contains("goes") && stdout.contains("stays"), "{stdout}");
        assert_eq!(side.run(&["group", "list"], b"").1, "stays\n", "it was not brought back");
    }
    commit("goes");
    let (code, _, stderr) = side.run(&["group", "describe", "stays", "goes"], b"");
    assert!(code == Some(1) && stderr.contains("there is no group \"goes\""), "{stderr}");
}

#[test]
fn a_topic_that_goes_away_while_all_are_described_is_passed_over() {
    let clients = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut served = behind(&clients);
    let server = std::mem::replace(&mut served.address, clients.local_addr().unwrap().to_string());
    let (store, goes_at) = (served.store.clone(), Arc::new(AtomicI16::new(-1)));
    let at = goes_at.clone();
    pass_on(clients, server, move |api_key| {
        // After it was listed.
        if api_key == at.load(Ordering::Relaxed) {
            let _ = store.delete_topic("goes");
        }
    });
    let store = served.store.clone();
    let side = Side::Network(Box::new(served));
    let run = |args: &[&str], at: ApiKey| {
        store.create_topic("goes", TopicConfig::new()).unwrap();
        for (group, topic) in [("g", "goes"), ("g", "t")] {
            let offsets = [(TopicPartition::new(topic, 0), CommittedOffset::new(0))];
            store.commit_offsets(group, offsets, Acks::Leader).unwrap();
        }
        goes_at.store(at.key(), Ordering::Relaxed);
        let (code, stdout, stderr) = side.run(args, b"");
        goes_at.store(-1, Ordering::Relaxed);
        assert_eq!((code, &*stderr), (Some(0), ""), "{args:?} and {at:?}");
        stdout
    };
    for at in [ApiKey::ListOffsets, ApiKey::DescribeLogDirs, ApiKey::DescribeConfigs] {
        let described = run(&["topic", "describe"], at);
        assert!(described.contains("Topic: t\t") && !described.contains("goes"), "{at:?}: {described}");
    }
    let describe = run(&["group", "describe"], ApiKey::ListOffsets);
    assert!(describe.contains("g      t "), "{describe}");
    for at in [ApiKey::OffsetFetch, ApiKey::ListOffsets] {
        let reset = ["group", "reset-offsets", "--all-groups", "--all-topics", "--to-earliest", "--dry-run"];
        let planned = run(&reset, at);
        assert!(planned.contains("g      t ") && !planned.contains("goes"), "{at:?}: {planned}");
    }
}

#[test]
fn members_are_told_by_the_server_and_later_by_the_directory() {
    let mut served = Served::new();
    served.cli.ok(&["topic", "create", "t", "--partitions", "2", "--bootstrap-server", &served.address], b"");
    let member = served.join();
    let describe = |served: &Served, args: &[&str]| {
        let (describe, address) = (["group", "describe", "g"], &*served.address);
        let brokers = if served.running.is_some() { &["--bootstrap-server", address][..] } else { &[] };
        served.cli.text(&[&describe, args, brokers].concat())
    };
    let forms: [&[&str]; 4] = [&[], &["--members"], &["--state"], &["--members", "--output", "json"]];
    let told = forms.map(|form| describe(&served, form));
    let line = |at: usize, number: usize| told[at].lines().nth(number).unwrap().split_whitespace().collect::<Vec<_>>();
    assert_eq!(line(0, 2)[..7], ["g", "t", "1", "-", "0", "-", &member]);
    assert_eq!(line(0, 2)[8], "reader");
    assert_eq!((line(1, 1)[1], line(1, 1)[5], line(1, 1)[6]), (&*member, "2", "t-0,t-1"));
    assert_eq!(line(2, 1), ["g", "range", "Stable", "1"]);
    let refused = served.cli.failure(&["group", "delete", "g", "--bootstrap-server", &served.address], b"");
    let expected = "error: group g has members, which alone change what it has committed: end them first\n";
    assert_eq!(refused, (1, expected.to_owned()));

    served.stop();
    served.store.close().unwrap();
    assert_eq!(forms.map(|form| describe(&served, form)), told, "as they were written down");
    assert_eq!(served.cli.text(&["group", "list"]), "g\n");
    served.cli.ok(&["group", "delete", "g"], b"");
    assert_eq!(served.cli.text(&["group", "list"]), "", "nobody is there who could be a member");
}

#[test]
fn refusals_are_the_same() {
    let mut both = Both::new();
    both.create(&["t"]);
    let refusals: [(&[&str], i32); 19] = [
        (&["produce", "nope"], 1),
        (&["consume", "nope"], 1),
        (&["topic", "describe", "nope"], 1),
        (&["topic", "delete", "nope"], 1),
        (&["topic", "alter", "nope", "--partitions", "2"], 1),
        (&["topic", "alter", "t", "--partitions", "1"], 1),
        (&["group", "alter", "g", "--config", "consumer.session.timeout.ms=1"], 2),
        (&["group", "alter", "g", "--delete-config", "no.such"], 2),
        (&["topic", "alter", "t", "--config", "retention.ms=1", "--delete-config", "no.such"], 2),
        (&["topic", "create", "t"], 1),
        (&["topic", "create", "x", "--partitions=-1"], 2),
        (&["topic", "delete-records", "t", "0:1"], 1),
        (&["topic", "delete-records", "t", "1:0"], 1),
        (&["produce", "t", "--partition", "1"], 1),
        (&["produce", "t", "--acks", "1", "--idempotence", "true"], 2),
        (&["consume", "t", "--partition", "1"], 1),
        (&["consume", "t", "--partition", "0", "--offset", "1"], 1),
        (&["consume", "t", "--group", ""], 1),
        (&["group", "describe", "nope"], 1),
    ];
    for (args, expected) in refusals {
        let (code, stdout, stderr) = both.say(args, b"x\n");
        assert!(code == Some(expected) && stdout.is_empty(), "{args:?}: {code:?} {stderr}");
    }
    // For these brokers have Kafka's words.
    let refusals: [(&[&str], i32, &str); 5] = [
        (
            &["topic", "alter", "t", "--config", "retention.ms=x"],
            2,
            "Invalid value x for configuration retention.ms: Not a number of type LONG",
        ),
        (&["topic", "alter", "t", "--config", "no.such=1"], 2, "Unknown topic config name: no.such"),
        (
            &["topic", "create", "t/u"],
            1,
            "Topic name is invalid: 't/u' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
        ),
        (
            &["topic", "create", "x", "--config", "segment.bytes=1"],
            2,
            "Invalid value 1 for configuration segment.bytes: Value must be at least 1048576",
        ),
        (
            &["topic", "create", "x", "--config", "remote.storage.enable=true"],
            2,
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.",
        ),
    ];
    for (args, expected, words) in refusals {
        let [directory, network] = both.sides.each_ref().map(|side| side.run(args, b""));
        assert_eq!(
            (directory.0, network),
            (Some(expected), (Some(expected), String::new(), format!("error: {words}\n")))
        );
    }
}

#[test]
fn what_a_directory_alone_can_do_is_refused() {
    let mut served = Served::new();
    let refusal = "error: this is for a data directory: it goes with --dir, and without --bootstrap-server\n";
    let local: [&[&str]; 8] = [
        &["serve"],
        &["snapshot", "to"],
        &["log", "verify"],
        &["log", "repair"],
        &["log", "dump", "file"],
        &["bench", "produce"],
        &["topic", "compact", "t"],
        &["transactions", "find-hanging"],
    ];
    let said = |served: &Served, args: &[&str]| {
        let output = served.cli.command(args).env_remove("ESKER_DIR").output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let address = served.address.clone();
    for args in local {
        let args = [args, &["--bootstrap-server", &address]].concat();
        assert_eq!(said(&served, &args), (Some(2), refusal.to_owned()), "{args:?}");
    }
    let (code, stderr) = said(&served, &["topic", "list", "--bootstrap-server", &address, "--read-only"]);
    assert!(code == Some(2) && stderr.starts_with("error: --read-only says how to open a directory"), "{stderr}");
    let (code, stderr) = said(&served, &["topic", "list", "--bootstrap-server", "127.0.0.1"]);
    assert!(code == Some(2) && stderr.contains("expected HOST:PORT"), "{stderr}");
    served.stop();
}

#[test]
fn a_directory_and_brokers_are_not_both_meant() {
    let served = Served::new();
    let directory = Cli::new();
    directory.ok(&["topic", "create", "here"], b"");
    served.cli.ok(&["topic", "create", "there", "--bootstrap-server", &served.address], b"");
    let dir = directory.dir();
    let list = |args: &[&str], env: &[(&str, &str)]| {
        let mut command = directory.command(&[&["topic", "list"], args].concat());
        let output = command.env_remove("ESKER_DIR").envs(env.iter().copied()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout) + &text(output.stderr))
    };
    let (dir, address) = (dir.to_str().unwrap(), &*served.address);
    let environment = [("ESKER_DIR", dir), ("ESKER_BOOTSTRAP_SERVER", address)];
    let (code, stderr) = list(&["--dir", dir, "--bootstrap-server", address], &[]);
    assert_eq!((code, &*stderr), (Some(2), "error: --dir and --bootstrap-server are not for one command\n"));
    let (code, stderr) = list(&[], &environment);
    assert!(code == Some(2) && stderr.contains("are both set"), "{stderr}");
    assert_eq!(list(&["--dir", dir], &environment), (Some(0), "here\n".to_owned()));
    assert_eq!(list(&["--bootstrap-server", address], &environment), (Some(0), "there\n".to_owned()));
}

#[test]
fn brokers_that_are_not_there_are_named() {
    // Nobody listens at a port that was just let go of.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let cli = Cli::new();
    let fails = |args: &[&str]| {
        let args = [args, &["--bootstrap-server", &address]].concat();
        let output = cli.command(&args).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let expected = format!("error: cannot connect to {address}: ");
        assert!(output.status.code() == Some(1) && stderr.starts_with(&expected), "{args:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1);
    };
    fails(&["topic", "list"]);
    fails(&["produce", "t"]);
    fails(&["consume", "t"]);
    fails(&["group", "list"]);
    // One that is there is enough.
    let served = Served::new();
    let servers = format!("{address},{}", served.address);
    let output = cli.command(&["topic", "list", "--bootstrap-server", &servers]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn who_accepts_and_says_nothing_is_not_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let cli = Cli::new();
    let child = cli.command(&["topic", "list", "--bootstrap-server", &address]).spawn().unwrap();
    drop(listener.accept().unwrap());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let expected = format!("error: cannot connect to {address}: lost the connection");
    assert!(output.status.code() == Some(1) && stderr.starts_with(&expected), "{stderr}");
}

#[test]
fn another_kind_of_server_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 4]).unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        stream
    });
    let (code, stderr) = Cli::new().failure(&["topic", "list", "--bootstrap-server", &address], b"");
    answering.join().unwrap();
    assert!(code == 1 && stderr.contains("\nhint: the other side seems to speak HTTP: "), "{stderr}");
}
