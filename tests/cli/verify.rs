//! A look through a data directory.

use std::fs;

use serde_json::json;

use crate::Cli;

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    let cli = Cli::with_topic();
    cli.ok(&["produce", "t"], b"a\nb\n");
    let output = cli.run(&["log", "verify"], b"");
    assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b""[..]));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("verified: ") && stderr.ends_with(" bytes: nothing found\n"), "{stderr}");
    let report = &cli.json(&["log", "verify"])[0];
    assert_eq!((&report["healthy"], &report["findings"]), (&json!(true), &json!([])));
}

#[test]
fn damage_is_told_with_its_file_and_position_and_fails() {
    let cli = Cli::with_topic();
    for value in [b"first\n", b"lost!\n", b"third\n"] {
        cli.ok(&["produce", "t"], value);
    }
    let log = cli.dir().join("t-0/00000000000000000000.log");
    let mut bytes = fs::read(&log).unwrap();
    let at = bytes.windows(5).position(|window| window == b"lost!").unwrap();
    bytes[at] ^= 1;
    fs::write(&log, &bytes).unwrap();
    fs::write(cli.dir().join("stray"), b"").unwrap();

    let output = cli.run(&["log", "verify"], b"");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = stdout.lines().collect();
    let stray = format!("note {} position: 0: unknown name", cli.dir().join("stray").display());
    assert!(lines.contains(&&*stray), "{stdout}");
    let damaged = format!("DAMAGED {} position: ", log.display());
    let damage = lines.iter().find_map(|line| line.strip_prefix(&*damaged)).unwrap();
    assert!(damage.contains(": offsets 1 to 1 can't be read: ") && damage.contains("the CRC is "), "{damage}");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().ends_with("error: 1 place is damaged\n"));

    let output = cli.run(&["log", "verify", "--output", "json"], b"");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let finding = report["findings"].as_array().unwrap().iter().find(|finding| finding["damage"] == true).unwrap();
    assert_eq!((&finding["problem"], finding["file"].as_str()), (&json!("DamagedBatch"), log.to_str()));
    assert!(finding["position"].as_u64().unwrap() < at as u64);
    assert_eq!((output.status.code(), &report["healthy"]), (Some(1), &json!(false)));
}

#[test]
fn what_is_no_data_directory_is_refused() {
    let cli = Cli::new();
    let (code, stderr) = cli.failure(&["log", "verify"], b"");
    assert!(code == 1 && stderr.contains(" is not a data directory: "), "{stderr}");
}
