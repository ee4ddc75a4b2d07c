//! Brokers that ask for TLS and a login: `--command-config`, and what it is told where that doesn't fit.

use std::path::PathBuf;

use esker::server::{ScramCredential, ScramMechanism, ServerConfig};

use crate::Cli;
use crate::certificates::{Authority, Identity};
use crate::remote::Served;

const MODULE: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";

/// A server in this process that knows alice, whose password is "secret, or not".
struct Secured {
    served: Served,
    authority: Authority,
    files: tempfile::TempDir,
}

impl Secured {
    /// One that listens by `protocol`, with a certificate for `host`.
    fn new(protocol: &str, host: &str, more: &[(&str, &str)]) -> Self {
        let authority = Authority::new();
        let Identity { key, certificate } = authority.issue_for("server", host);
        let mut config = ServerConfig::default();
        let listeners = format!("{protocol}://127.0.0.1:0");
        let of_server = [
            ("listeners", &*listeners),
            ("ssl.keystore.key", &key),
            ("ssl.keystore.certificate.chain", &certificate),
            ("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"),
            // Nothing here is about how long it takes.
            ("connection.failed.authentication.delay.ms", "0"),
        ];
        for (key, value) in of_server.iter().chain(more) {
            config.set(key, value).unwrap();
        }
        let served = Served::with(Cli::new(), config);
        for &mechanism in ScramMechanism::ALL {
            let credential = ScramCredential::new(mechanism, "secret, or not", 4096).unwrap();
            served.store.put_scram_credential("alice", mechanism, credential).unwrap();
        }
        let files = tempfile::tempdir().unwrap();
        std::fs::write(files.path().join("ca.pem"), authority.pem()).unwrap();
        Self { served, authority, files }
    }

    /// A `client.properties` with these lines.
    fn file(&self, lines: &[&str]) -> PathBuf {
        let path = self.files.path().join("client.properties");
        std::fs::write(&path, lines.join("\n")).unwrap();
        path
    }

    fn trusted(&self) -> String {
        format!("ssl.truststore.location={}", self.files.path().join("ca.pem").display())
    }

    /// Runs a command with this configuration. Returns the exit code, stdout and stderr.
    fn run(&self, lines: &[&str], args: &[&str], input: &[u8]) -> (i32, String, String) {
        let config = self.file(lines);
        let connected = ["--bootstrap-server", &*self.served.address, "--command-config", config.to_str().unwrap()];
        let output = self.served.cli.run(&[args, &connected[..]].concat(), input);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn prints(&self, lines: &[&str], args: &[&str], input: &[u8]) -> String {
        let (code, stdout, stderr) = self.run(lines, args, input);
        assert_eq!((code, &*stderr), (0, ""), "{args:?}");
        stdout
    }

    /// That listing topics fails with this code, and says so; and a second line, if it says one.
    fn fails(&self, lines: &[&str], code: i32, says: &str) {
        let (failed, _, stderr) = self.run(lines, &["topic", "list"], b"");
        assert!(failed == code && stderr.contains(says), "{lines:?}: {failed} {stderr}");
        assert!(stderr.starts_with("error: ") && !stderr.contains("secret"), "{stderr}");
    }
}

fn jaas(password: &str) -> String {
    format!("sasl.jaas.config={MODULE} required username=\"alice\" password=\"{password}\";")
}

#[test]
fn who_logs_in_over_tls_does_what_others_do() {
    let secured = Secured::new("SASL_SSL", "127.0.0.1", &[]);
    let (trusted, jaas) = (secured.trusted(), jaas("secret, or not"));
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let of = format!("sasl.mechanism={mechanism}");
        let lines = ["security.protocol=SASL_SSL", &of, &jaas, "ssl.truststore.type=PEM", &trusted];
        secured.prints(&lines, &["topic", "create", mechanism], b"");
        secured.prints(&lines, &["produce", mechanism], b"one\ntwo\n");
        let consumed = secured.prints(&lines, &["consume", mechanism, "--from-beginning", "--group", "g"], b"");
        assert_eq!(consumed, "one\ntwo\n");
        assert_eq!(secured.prints(&lines, &["group", "list"], b""), "g\n");
        assert!(secured.prints(&lines, &["group", "describe", "g"], b"").contains(mechanism));
    }
}

#[test]
fn who_can_not_log_in_is_told_at_once() {
    let secured = Secured::new("SASL_PLAINTEXT", "127.0.0.1", &[("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256")]);
    let (right, wrong) = (jaas("secret, or not"), jaas("a guess"));
    for mechanism in ["PLAIN", "SCRAM-SHA-256"] {
        let of = format!("sasl.mechanism={mechanism}");
        assert_eq!(secured.prints(&["security.protocol=SASL_PLAINTEXT", &of, &right], &["topic", "list"], b""), "");
        let says = format!("cannot connect to {}: the login failed: Authentication failed", secured.served.address);
        secured.fails(&["security.protocol=SASL_PLAINTEXT", &of, &wrong], 1, &says);
    }
    let of_another = ["security.protocol=SASL_PLAINTEXT", "sasl.mechanism=SCRAM-SHA-512", &*right];
    secured.fails(&of_another, 1, "doesn't enable SCRAM-SHA-512: it has PLAIN, SCRAM-SHA-256");
    // A server that speaks no TLS.
    let hint = "hint: the other side seems to speak no TLS: see security.protocol";
    secured.fails(&["security.protocol=SSL", &secured.trusted()], 1, hint);
}

#[test]
fn a_broker_is_trusted_by_its_authority_and_its_host() {
    let secured = Secured::new("SSL", "broker.example.org", &[]);
    let trusted = secured.trusted();
    let others = format!("ssl.truststore.certificates={}", Authority::new().pem().replace('\n', "\\n"));
    let any_host = "ssl.endpoint.identification.algorithm=";
    let refused =
        format!("cannot connect to {}: the TLS handshake failed: invalid peer certificate: ", secured.served.address);
    let of_another_host = format!("{refused}certificate not valid for name");
    secured.fails(&["security.protocol=SSL", &trusted], 1, &of_another_host);
    secured.fails(&["security.protocol=SSL", &others], 1, &refused);
    secured.fails(&["security.protocol=SSL", &others, any_host], 1, &refused);
    secured.prints(&["security.protocol=SSL", &trusted, any_host], &["topic", "list"], b"");
    for version in ["TLSv1.2", "TLSv1.3"] {
        let version = format!("ssl.enabled.protocols={version}");
        secured.prints(&["security.protocol=SSL", &trusted, any_host, &version], &["topic", "list"], b"");
    }
    // Without a word of TLS, to a server that wants it.
    secured.fails(&[], 1, "hint: the other side seems to speak TLS: --command-config names");
}

#[test]
fn a_certificate_is_shown_where_it_is_asked_for() {
    let clients = Authority::new();
    let (pem, alice) = (clients.pem(), clients.issue("alice"));
    let more = [("ssl.client.auth", "required"), ("ssl.truststore.certificates", &*pem)];
    let secured = Secured::new("SSL", "127.0.0.1", &more);
    let trusted = secured.trusted();
    let keystore = secured.files.path().join("alice.pem");
    std::fs::write(&keystore, alice.pem()).unwrap();
    let in_file = format!("ssl.keystore.location={}", keystore.display());
    let [key, chain] = [&alice.key, &alice.certificate].map(|pem| pem.replace('\n', " "));
    let [key, chain] = [format!("ssl.keystore.key={key}"), format!("ssl.keystore.certificate.chain={chain}")];
    secured.prints(&["security.protocol=SSL", &trusted, &in_file], &["topic", "list"], b"");
    secured.prints(&["security.protocol=SSL", &trusted, &key, &chain], &["topic", "list"], b"");
    secured.fails(&["security.protocol=SSL", &trusted], 1, "cannot connect to");
    std::fs::write(&keystore, secured.authority.issue("alice").pem()).unwrap();
    secured.fails(&["security.protocol=SSL", &trusted, &in_file], 1, "cannot connect to");
    secured.fails(&["security.protocol=SSL", &trusted, &key], 2, "ssl.keystore.certificate.chain");
}

#[test]
fn what_a_configuration_can_not_say_is_named() {
    let secured = Secured::new("PLAINTEXT", "127.0.0.1", &[]);
    let jaas = jaas("secret, or not");
    for (lines, code, says) in [
        (&["security.protocol=TLS"][..], 2, "PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
        (&["security.protocol=SASL_PLAINTEXT", "sasl.mechanism=GSSAPI"], 2, "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"),
        (&["security.protocol=SASL_PLAINTEXT", &*jaas], 2, "sasl.mechanism"),
        (&["security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN"], 2, "sasl.jaas.config"),
        (&["security.protocol=SSL"], 2, "ssl.truststore.location"),
        (&["security.protocol=SSL", "ssl.truststore.type=JKS"], 2, "PEM"),
        (&["security.protocol=SSL", "ssl.key.password=secret"], 2, "ssl.key.password"),
        (&["security.protocol=SSL", "ssl.endpoint.identification.algorithm=LDAPS"], 2, "https"),
        (&["security.protocol=SSL", "ssl.truststore.location=/nowhere/ca.pem"], 1, "/nowhere/ca.pem"),
    ] {
        secured.fails(lines, code, says);
    }
    // Well said, to a broker that asks for nothing.
    let login = ["security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN", &*jaas];
    secured.fails(&login, 1, "hint: the other side seems to ask for no login: see security.protocol");
    let (code, _, stderr) = secured.run(&["retries=3", "client.id=tool"], &["topic", "list"], b"");
    assert_eq!((code, &*stderr), (0, "warning: retries has no meaning here\n"));
    let address = &*secured.served.address;
    let nowhere = ["topic", "list", "--bootstrap-server", address, "--command-config", "/nowhere"];
    let (code, stderr) = secured.served.cli.failure(&nowhere, b"");
    assert!(code == 1 && stderr.starts_with("error: cannot read /nowhere: "), "{stderr}");
    let (code, stderr) = secured.served.cli.failure(&["topic", "list", "--command-config", "/nowhere"], b"");
    let expected = "error: --command-config says how to connect to brokers: it goes with --bootstrap-server\n";
    assert_eq!((code, &*stderr), (2, expected));
}
