//! What may know what: the table of the architecture, held against the sources.
//!
//! Each folder of `src` is a layer that knows only layers further in, the operating system is behind `io`, and unsafe
//! code is in one file.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What everybody may import, and what may import nothing else.
const FOUNDATION: [&str; 6] = ["clock", "config", "error", "sync", "types", "uuid"];

/// Which other modules a top-level module may import. Those that are not here may import the foundation alone.
const MAY_IMPORT: [(&str, &[&str]); 8] = [
    ("log", &["record", "io"]),
    ("store", &["record", "io", "log"]),
    // It decides; what is written is a store's business, and only the form of records is shared.
    ("coordinator", &["store"]),
    // What a producer appends to and a consumer reads from is the log itself, and what both wait on is its wake-up
    // primitive. They have no business with its files. What was consumed can be sent on.
    ("producer", &["record", "log", "store", "coordinator", "consumer"]),
    ("consumer", &["record", "log", "store", "coordinator"]),
    // The wire knows no log: what it carries is bytes, in memory or in a file.
    ("net", &["io"]),
    ("server", &["record", "io", "log", "store", "net", "coordinator"]),
    ("sim", &["io"]),
];

const LINES_MAX: usize = 600;
/// As `rustfmt.toml` has it for code.
const WIDTH_MAX: usize = 120;

/// A source file, by its path below `src`.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The top-level module that it belongs to.
    fn module(&self) -> &str {
        let first = self.path.split('/').next().unwrap();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// Its lines without comments and documentation.
    fn code(&self) -> String {
        let without_comment = |line: &str| line.split("//").next().unwrap_or_default().to_owned() + "\n";
        self.text.lines().map(without_comment).collect()
    }

    /// The modules that it names after `crate::`, alone or in braces.
    fn imports(&self) -> BTreeSet<String> {
        let code = self.code();
        let mut imports = BTreeSet::new();
        for (at, path) in code.match_indices("crate::") {
            let rest = &code[at + path.len()..];
            match rest.strip_prefix('{') {
                Some(list) => imports.extend(top_level_names(list)),
                None => imports.extend(leading_name(rest)),
            }
        }
        imports
    }

    fn says(&self, words: &str) -> bool {
        self.code().contains(words)
    }
}

/// The identifier that `text` begins with.
fn leading_name(text: &str) -> Option<String> {
    let name: String = text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

/// The names at the outermost level of a list in braces, behind the opening one.
fn top_level_names(list: &str) -> Vec<String> {
    let (mut depth, mut names, mut start) = (0, Vec::new(), 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.extend(leading_name(&list[start..at]));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut dirs, mut sources) = (vec![root.clone()], Vec::new());
    while let Some(dir) = dirs.pop() {
        let entries: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        for path in entries {
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(&root).unwrap().components();
                let path = path.map(|part| part.as_os_str().to_str().unwrap()).collect::<Vec<_>>().join("/");
                sources.push(Source { path, text });
            }
        }
    }
    assert!(sources.len() > 50, "these are the sources");
    sources
}

fn paths_where(is_so: impl Fn(&Source) -> bool) -> Vec<String> {
    let mut paths: Vec<_> = sources().into_iter().filter(is_so).map(|source| source.path).collect();
    paths.sort();
    paths
}

#[test]
fn modules_import_only_what_is_further_in() {
    let may_import: BTreeMap<_, _> = MAY_IMPORT.into_iter().collect();
    let mut violations = Vec::new();
    let mut used = BTreeSet::new();
    for source in sources() {
        let module = source.module();
        // The root re-exports everything, and the pages of the guide are prose.
        if ["lib", "guide", "bin"].contains(&module) {
            continue;
        }
        for import in source.imports() {
            let others = may_import.get(module).copied().unwrap_or_default();
            if import == module || FOUNDATION.contains(&&*import) {
                continue;
            }
            if others.contains(&&*import) {
                used.insert((module.to_owned(), import));
            } else {
                violations.push(format!("{} imports {import}", source.path));
            }
        }
    }
    assert!(violations.is_empty(), "{violations:#?}");
    let allowed = |(module, others): (&str, &[&str])| -> Vec<_> {
        others.iter().map(|other| (module.to_owned(), (*other).to_owned())).collect()
    };
    let allowed: BTreeSet<_> = MAY_IMPORT.into_iter().flat_map(allowed).collect();
    assert_eq!(used, allowed, "nobody may import what nobody does");
}

#[test]
fn imports_are_found_however_they_are_written() {
    let source = |text: &str| Source { path: "x/y.rs".to_owned(), text: text.to_owned() };
    let found = |text| source(text).imports().into_iter().collect::<Vec<_>>();
    assert_eq!(
        found("use crate::{a::{b, c}, d::e,\n f};\nfn g() -> crate::h::I { crate::j() }"),
        ["a", "d", "f", "h", "j"]
    );
    assert_eq!(found("pub(in crate::k) fn l() {} // crate::m\n//! [n](crate::n)\n/// crate::o"), ["k"]);
    assert_eq!(source("").module(), "x");
}

#[test]
fn the_command_line_is_a_user_like_any_other() {
    let outside = paths_where(|source| source.module() != "bin" && source.says("esker::"));
    assert!(outside.is_empty(), "{outside:?}");
    let library = ["record", "io", "log", "store", "producer", "consumer", "coordinator", "net", "server", "sim"];
    let reaches_in = |source: &Source| {
        let mounted = source.says("#[path") || source.says("include!(");
        source.module() == "bin" && (mounted || source.imports().iter().any(|name| library.contains(&&**name)))
    };
    let reaching_in = paths_where(reaches_in);
    assert!(reaching_in.is_empty(), "{reaching_in:?}");
}

#[test]
fn only_io_knows_the_operating_system() {
    for words in ["std::fs", "rustix", "memmap2", "tempfile::", "std::os::", "OpenOptions"] {
        let knowing = paths_where(|source| !["io", "bin"].contains(&source.module()) && source.says(words));
        assert!(knowing.is_empty(), "{words} in {knowing:?}");
    }
    assert!(!paths_where(|source| source.module() == "io" && source.says("std::fs")).is_empty());
    for words in ["rustix", "memmap2"] {
        let knowing = paths_where(|source| source.module() == "bin" && source.says(words));
        assert!(knowing.is_empty(), "{words} in {knowing:?}");
    }
}

#[test]
fn only_the_edges_know_the_runtime() {
    let knowing = paths_where(|source| !["net", "server"].contains(&source.module()) && source.says("tokio"));
    assert_eq!(knowing, ["bin/esker/remote/wire.rs", "bin/esker/serve.rs"]);
    let of_net = paths_where(|source| source.module() == "net" && source.says("tokio"));
    let security = ["mod", "pem", "sasl/mod", "tls"].map(|file| format!("net/security/{file}.rs"));
    assert_eq!(of_net, [&["net/client.rs".to_owned()], &security[..], &["net/transport.rs".to_owned()]].concat());
}

#[test]
fn a_log_shares_and_waits_by_what_the_model_checks_can_replace() {
    for words in ["parking_lot", "arc_swap", "std::sync::atomic", "std::thread"] {
        let knowing = paths_where(|source| {
            source.module() == "log" && !source.path.contains("model_check") && source.says(words)
        });
        assert!(knowing.is_empty(), "{words} in {knowing:?}: `crate::sync` has it");
    }
}

#[test]
fn unsafe_code_is_in_one_file() {
    let is_unsafe = |source: &Source| ["unsafe {", "unsafe fn", "unsafe impl"].iter().any(|words| source.says(words));
    assert_eq!(paths_where(is_unsafe), ["io/mmap.rs"]);
}

#[test]
fn every_file_opens_with_what_it_is_about_and_tells_one_story() {
    let untold = paths_where(|source| !source.text.starts_with("//!"));
    assert!(untold.is_empty(), "{untold:?}");
    let long = paths_where(|source| source.text.lines().count() > LINES_MAX);
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn comments_are_no_wider_than_code() {
    let is_wide = |source: &Source| {
        let mut is_example = false;
        source.text.lines().any(|line| {
            is_example ^= line.contains("```");
            let is_prose = line.trim_start().starts_with("//") && !is_example && !line.contains("| ");
            is_prose && line.chars().count() > WIDTH_MAX
        })
    };
    assert_eq!(paths_where(is_wide), [""; 0]);
}
