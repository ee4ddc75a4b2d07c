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
    let cli = Cli::with_three_records();
    let (log, bytes) = cli.damage_the_second();
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
    let at = bytes.windows(5).position(|window| window == b"most!").unwrap();
    assert!(finding["position"].as_u64().unwrap() < at as u64);
    assert_eq!((output.status.code(), &report["healthy"]), (Some(1), &json!(false)));
}

#[test]
fn what_is_no_data_directory_is_refused() {
    let cli = Cli::new();
    let (code, stderr) = cli.failure(&["log", "verify"], b"");
    assert!(code == 1 && stderr.contains(" is not a data directory: "), "{stderr}");
}

#[test]
fn a_repair_is_a_plan_until_it_is_executed_and_keeps_what_it_takes_out() {
    let cli = Cli::with_three_records();
    let output = cli.run(&["log", "repair"], b"");
    assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b""[..]));
    assert_eq!(&*output.stderr, b"repaired: there is nothing to do\n");

    let (log, bytes) = cli.damage_the_second();
    let output = cli.run(&["log", "repair"], b"");
    let plan = String::from_utf8(output.stdout).unwrap();
    assert!(plan.contains(&*log.display().to_string()) && plan.contains("offsets 1 to 1 are lost"), "{plan}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && stderr.ends_with(" things to do: --execute does them\n"), "{stderr}");
    assert_eq!(fs::read(&log).unwrap(), bytes, "nothing was changed");

    let report = &cli.json(&["log", "repair", "--execute"])[0];
    assert_eq!(report["executed"], json!(true));
    let lost = json!([{"topic": "t", "partition": 0, "first_offset": 1, "last_offset": 1}]);
    assert_eq!((&report["lost"], &report["unrepaired"]), (&lost, &json!([])));
    let steps: Vec<_> = report["actions"].as_array().unwrap().iter().map(|action| action["step"].clone()).collect();
    assert!(steps.contains(&json!("SetAside")) && steps.contains(&json!("Filled")), "{report}");
    let kept = fs::read_dir(cli.dir().join("t-0")).unwrap().map(|entry| entry.unwrap().path());
    let kept: Vec<_> = kept.filter(|path| path.extension().is_some_and(|extension| extension == "cut")).collect();
    assert!(kept.iter().any(|path| bytes.windows(40).any(|window| fs::read(path).unwrap().starts_with(window))));
    assert!(cli.run(&["log", "verify"], b"").status.success());
    assert_eq!(cli.run(&["consume", "t", "--from-beginning"], b"").stdout, b"first\nthird\n");
}

#[test]
fn a_directory_in_use_is_not_repaired() {
    let cli = Cli::with_topic();
    cli.ok(&["produce", "t"], b"first\n");
    let store = esker::Store::open(cli.dir()).unwrap();
    fs::write(cli.dir().join("t-0/00000000000000000000.timeindex"), b"torn").unwrap();
    let (code, stderr) = cli.failure(&["log", "repair", "--execute"], b"");
    assert!(code == 1 && stderr.starts_with("error: "), "{stderr}");
    drop(store);
    let absent = cli.temporary.path().join("absent");
    let (code, stderr) = cli.failure(&["log", "repair", absent.to_str().unwrap()], b"");
    assert!(code == 1 && stderr.starts_with("error: cannot "), "{stderr}");
}
