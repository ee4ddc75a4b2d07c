//! Snapshots of a data directory.

use crate::{CONSUME, Cli};

#[test]
fn a_snapshot_is_a_data_directory_of_its_own() {
    let cli = Cli::with_topic();
    cli.ok(&["produce", "t"], b"a\n");
    let to = cli.temporary.path().join("copy");
    let to = to.to_str().unwrap();
    let text = cli.text(&["snapshot", to]);
    assert!(text.starts_with("Copied ") && text.ends_with(&format!(" bytes of 1 partitions to {to}.\n")), "{text}");
    cli.ok(&["produce", "t"], b"b\n");
    assert_eq!(cli.ok(&CONSUME, b""), b"a\nb\n");
    assert_eq!(cli.ok(&[&CONSUME[..], &["--dir", to]].concat(), b""), b"a\n");
    assert!(cli.run(&["log", "verify", to], b"").status.success());

    let (code, stderr) = cli.failure(&["snapshot", to], b"");
    assert!(code == 1 && stderr.starts_with(&format!("error: cannot snapshot to {to}: ")), "{stderr}");
    let other = cli.temporary.path().join("other");
    let row = &cli.json(&["snapshot", other.to_str().unwrap()])[0];
    assert_eq!((row["dir"].as_str(), row["partitions"].as_u64()), (other.to_str(), Some(1)));
    assert!(row["bytes"].as_u64().unwrap() > 0 && row["held_us"].is_u64());
}
