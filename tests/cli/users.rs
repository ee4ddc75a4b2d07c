//! Users: who may log in to a server.

use serde_json::json;

use crate::Cli;

#[test]
fn users_come_and_go_and_their_passwords_are_not_kept() {
    let cli = Cli::with_topic();
    assert_eq!(cli.text(&["user", "list"]), "USER  MECHANISM  ITERATIONS\n");
    cli.ok(&["user", "add", "alice"], b"open sesame\n");
    cli.ok(&["user", "add", "bob", "--mechanism", "SCRAM-SHA-512", "--iterations", "8192"], b"another");
    let row = |user, mechanism, iterations| json!({"user": user, "mechanism": mechanism, "iterations": iterations});
    let alice = [row("alice", "SCRAM-SHA-256", 4096), row("alice", "SCRAM-SHA-512", 4096)];
    let bob = row("bob", "SCRAM-SHA-512", 8192);
    assert_eq!(cli.json(&["user", "list"]), [alice[0].clone(), alice[1].clone(), bob.clone()]);
    let file = std::fs::read_to_string(cli.dir().join("scram-credentials-checkpoint")).unwrap();
    assert!(!file.contains("sesame") && file.lines().count() == 5, "{file}");

    cli.ok(&["user", "delete", "alice", "--mechanism", "SCRAM-SHA-512"], b"");
    assert_eq!(cli.json(&["user", "list"]), [alice[0].clone(), bob]);
    cli.ok(&["user", "delete", "bob"], b"");
    assert_eq!(cli.json(&["user", "list"]), [alice[0].clone()]);
}

#[test]
fn users_may_come_before_anything_else() {
    let cli = Cli::new();
    assert_eq!(cli.failure(&["user", "add", "alice"], b"").0, 1);
    assert_eq!(cli.failure(&["user", "add", "alice", "--iterations", "100"], b"secret\n").0, 1);
    assert!(!cli.dir().exists());
    cli.ok(&["user", "add", "alice", "--mechanism", "SCRAM-SHA-256"], b"secret\n");
    assert_eq!(cli.json(&["user", "list"]).len(), 1);
}

#[test]
fn a_backup_has_the_users_too() {
    let cli = Cli::with_topic();
    cli.ok(&["user", "add", "alice"], b"secret\n");
    let copy = cli.dir().with_extension("copy");
    cli.ok(&["snapshot", copy.to_str().unwrap()], b"");
    let [from, to] = [cli.dir(), copy].map(|dir| std::fs::read(dir.join("scram-credentials-checkpoint")).unwrap());
    assert_eq!(from, to);
}

#[test]
fn what_makes_no_user_is_told() {
    let cli = Cli::with_topic();
    for (args, input, says) in [
        (&["user", "add", "alice"][..], &b"\n"[..], "error: no password was read: it is the first line of stdin\n"),
        (&["user", "add", "alice"], b"", "error: no password was read"),
        (&["user", "add", "alice", "--iterations", "100"], b"secret\n", "from 4096 to 16384"),
        (&["user", "add", ""], b"secret\n", "user"),
        (&["user", "delete", "nobody"], b"", "esker user list"),
    ] {
        let (code, stderr) = cli.failure(args, input);
        assert!(code == 1 && stderr.contains(says), "{stderr}");
    }
    assert_eq!(cli.text(&["user", "list"]), "USER  MECHANISM  ITERATIONS\n");
}
