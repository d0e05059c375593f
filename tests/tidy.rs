//! The repository's rules as tests: what a reader may rely on without looking.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use letterbox::{config::DEFAULTS, telemetry::METRICS};

/// Who may know whom inside the server: a folder may use those of the lower rows, its own, and [`ANYWHERE`].
const RINGS: [&[&str]; 5] = [
    &["store", "channels", "inspect", "draw", "pdf"],
    &["commands"],
    &["relay", "identity", "api", "live", "web"],
    &["node", "demo"],
    &["main"],
];

/// Known to everybody, and themselves knowing nobody of the rings.
const ANYWHERE: [&str; 7] = [
    "config",
    "confine",
    "telemetry",
    "problem",
    "cluster",
    "crash",
    "testing",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The `.rs` files below a folder of the repository, with their texts.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)
            .expect("a folder of the repository")
            .flatten()
        {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("UTF-8");
                found.push((path.strip_prefix(root()).expect("inside").to_owned(), text));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has sources");
    found
}

fn all_sources() -> Vec<(PathBuf, String)> {
    ["src", "actors", "loadtest", "sandbox", "bench"]
        .iter()
        .flat_map(|folder| sources(folder))
        .collect()
}

/// The text literals of a source file that start like a figure of ours.
fn figures_named_in(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2).filter(|literal| {
        let name = literal.strip_prefix("letterbox_").unwrap_or_default();
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    })
}

#[test]
fn every_figure_reported_is_in_the_table_and_every_one_in_the_table_is_reported() {
    let reports = |text: &str| text.contains("metrics::") || text.contains("//! Names");
    let mut reported = BTreeSet::new();
    for (path, text) in sources("src").into_iter().chain(sources("actors")) {
        if path.ends_with("metrics_table.rs") || !reports(&text) && !path.ends_with("measures.rs") {
            continue;
        }
        reported.extend(figures_named_in(&text).map(str::to_owned));
        for call in ["counter!(\"", "gauge!(\"", "histogram!(\""] {
            for after in text.split(call).skip(1) {
                let name = after.split('"').next().unwrap_or_default();
                assert!(
                    name.starts_with("letterbox_"),
                    "{}: the figure {name} lacks its prefix",
                    path.display()
                );
            }
        }
    }
    let table: BTreeSet<String> = METRICS
        .iter()
        .map(|metric| metric.name.to_owned())
        .collect();
    assert_eq!(
        table.len(),
        METRICS.len(),
        "a figure stands twice in the table"
    );
    let missing: Vec<_> = reported.difference(&table).collect();
    let unused: Vec<_> = table.difference(&reported).collect();
    assert!(
        missing.is_empty(),
        "add to src/telemetry/metrics_table.rs: {missing:?}"
    );
    assert!(
        unused.is_empty(),
        "nobody reports these figures of the table: {unused:?}"
    );
}

#[test]
fn every_setting_is_explained_by_a_comment_above_it() {
    let lines: Vec<&str> = DEFAULTS.lines().collect();
    let unexplained: Vec<_> = lines
        .iter()
        .zip(&lines[1..])
        .filter(|(above, line)| {
            line.contains(" = ") && !line.starts_with('#') && !above.starts_with("# ")
        })
        .map(|(_, line)| line)
        .collect();
    assert!(
        unexplained.is_empty(),
        "config/default.toml does not explain {unexplained:?}"
    );
}

/// The sections of the settings by their types: `ServerSettings` is `server`, `PostSettings` is `post`.
fn settings_by_section() -> Vec<(String, String, Vec<String>)> {
    let text = fs::read_to_string(root().join("src/config/settings.rs")).expect("the settings");
    let fields = |body: &str| -> Vec<(String, String)> {
        body.lines()
            .filter_map(|line| {
                line.trim()
                    .strip_prefix("pub ")?
                    .strip_suffix(',')?
                    .split_once(": ")
            })
            .map(|(name, of)| (name.to_owned(), of.to_owned()))
            .collect()
    };
    let structs: Vec<(&str, Vec<(String, String)>)> = text
        .split("pub struct ")
        .skip(1)
        .filter_map(|rest| {
            let (name, rest) = rest.split_once(" {")?;
            Some((name, fields(rest.split_once("\n}")?.0)))
        })
        .collect();
    let section_of = |wanted: &str| {
        let named = structs
            .iter()
            .flat_map(|(_, fields)| fields)
            .find(|(_, of)| of == wanted);
        named.map_or_else(|| "settings".to_owned(), |(name, _)| name.clone())
    };
    structs
        .iter()
        .map(|(name, fields)| {
            let names = fields.iter().map(|(field, _)| field.clone()).collect();
            ((*name).to_owned(), section_of(name), names)
        })
        .collect()
}

/// The server's own code without its tests and without spaces, so that a line break hides nothing.
fn code_outside_the_settings() -> Vec<(PathBuf, String)> {
    sources("src")
        .into_iter()
        .filter(|(path, _)| {
            let of_tests = path
                .iter()
                .any(|part| part.to_string_lossy().contains("test"));
            !path.starts_with("src/config") && !of_tests
        })
        .map(|(path, text)| {
            let code = text
                .split("#[cfg(test)]\nmod tests {")
                .next()
                .unwrap_or_default();
            let lines = code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            (path, lines.flat_map(str::split_whitespace).collect())
        })
        .collect()
}

/// Whether `what` stands there and does not go on as a longer name.
fn names(code: &str, what: &str) -> bool {
    code.match_indices(what).any(|(at, _)| {
        let next = code[at + what.len()..].chars().next();
        next.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_' && c != '(')
    })
}

/// The `mod.rs` of a file's own folder: what it is handed, it shares with the files beside it.
fn code_of_module<'a>(code: &'a [(PathBuf, String)], path: &Path) -> Option<&'a str> {
    let module = path.parent()?.join("mod.rs");
    let found = code.iter().find(|(path, _)| *path == module);
    found.map(|(_, code)| code.as_str())
}

#[test]
fn every_setting_is_read_by_the_server() {
    let code = code_outside_the_settings();
    let everything = &code;
    let mut unread = Vec::new();
    let mut count = 0;
    for (of, section, fields) in settings_by_section() {
        for field in fields {
            count += 1;
            // By its section; or in a file that is handed the section by its type, or beside one in a folder of its own.
            let read = code.iter().any(|(path, code)| {
                let handed = || {
                    names(code, &of)
                        || code_of_module(everything, path).is_some_and(|code| names(code, &of))
                };
                names(code, &format!("{section}.{field}"))
                    || (names(code, &format!(".{field}")) && handed())
            });
            if !read {
                unread.push(format!("{section}.{field}"));
            }
        }
    }
    assert!(
        count > 90,
        "only {count} settings were found: the search is broken"
    );
    assert!(
        unread.is_empty(),
        "nobody reads {unread:?}: it would be set in vain"
    );
}

#[test]
fn inner_rings_do_not_know_outer_ones() {
    let ring_of = |name: &str| RINGS.iter().position(|ring| ring.contains(&name));
    for (path, text) in sources("src") {
        let mut parts = path
            .components()
            .skip(1)
            .map(|part| part.as_os_str().to_string_lossy().into_owned());
        let own = parts
            .next()
            .unwrap_or_default()
            .trim_end_matches(".rs")
            .to_owned();
        if own == "lib" || path.ends_with("tests.rs") {
            continue;
        }
        assert!(
            ring_of(&own).is_some() || ANYWHERE.contains(&own.as_str()),
            "give src/{own} its place in RINGS of tests/tidy.rs"
        );
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for used in used_modules(code) {
            let (Some(theirs), true) = (ring_of(used), used != own) else {
                continue;
            };
            let allowed = match ring_of(&own) {
                Some(ours) => theirs < ours || (theirs == ours && ours != 0),
                None => own == "testing",
            };
            assert!(
                allowed,
                "{}: src/{own} must not know src/{used}",
                path.display()
            );
        }
    }
}

/// The first names after `crate::`, in plain paths and in `use crate::{a, b::c}` lists.
fn used_modules(code: &str) -> BTreeSet<&str> {
    let name = |text: &str| {
        text.find(|c: char| !c.is_ascii_lowercase() && c != '_')
            .unwrap_or(text.len())
    };
    let mut found = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        match after.strip_prefix('{') {
            None => {
                found.insert(&after[..name(after)]);
            }
            Some(list) => {
                let mut depth = 0_i32;
                let mut start = true;
                for (at, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && !c.is_whitespace() => {
                            found.insert(&list[at..at + name(&list[at..])]);
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

#[test]
fn no_source_file_is_too_long_to_be_read_in_one_sitting() {
    let too_long: Vec<String> = all_sources()
        .iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > 600)
        .map(|(path, lines)| format!("{}: {lines}", path.display()))
        .collect();
    assert!(too_long.is_empty(), "divide {too_long:?}");
}

#[test]
fn every_module_says_what_it_is_for() {
    for (path, text) in all_sources() {
        let of_tests = path
            .iter()
            .any(|part| part == "tests" || part == "tests.rs");
        assert!(
            of_tests || text.starts_with("//!"),
            "{} does not say it",
            path.display()
        );
    }
}

#[test]
fn what_the_container_copies_and_runs_exists_and_ignores_nothing_it_needs() {
    let dockerfile = fs::read_to_string(root().join("Dockerfile")).expect("there is one");
    let ignored = fs::read_to_string(root().join(".dockerignore")).expect("there is one");
    let mut runs = 0;
    for line in dockerfile.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("COPY") => {
                let paths: Vec<&str> = words.filter(|word| !word.starts_with("--")).collect();
                // What comes from an earlier stage is made there.
                if !line.contains("--from=") {
                    for path in &paths[..paths.len() - 1] {
                        let path = path.trim_end_matches('/');
                        assert!(
                            root().join(path).exists(),
                            "Dockerfile copies {path}, which is not there"
                        );
                        assert!(
                            !ignored.lines().any(|line| line == path),
                            ".dockerignore hides {path}"
                        );
                    }
                }
            }
            Some("RUN") => {
                for script in words.filter(|word| word.starts_with("scripts/")) {
                    runs += 1;
                    let meta =
                        fs::metadata(root().join(script)).unwrap_or_else(|_| panic!("no {script}"));
                    assert_ne!(
                        meta.permissions().mode() & 0o111,
                        0,
                        "{script} cannot be run"
                    );
                }
            }
            _ => {}
        }
    }
    assert!(
        runs >= 3,
        "the container is built by the same scripts as everything else"
    );
}

/// The numbers of `case 88` in the names of browser tests.
fn cases_of_browser_tests() -> BTreeSet<u32> {
    let folder = fs::read_dir(root().join("tests/browser")).expect("the browser tests");
    let mut found = BTreeSet::new();
    for entry in folder {
        let path = entry.expect("a file").path();
        if path.extension().is_none_or(|extension| extension != "mjs") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("UTF-8");
        let names = text.lines().filter(|line| line.starts_with("test("));
        for after in names.flat_map(|line| line.split("case ").skip(1)) {
            let number: String = after.chars().take_while(char::is_ascii_digit).collect();
            found.extend(number.parse::<u32>().ok());
        }
    }
    found
}

/// The numbers of `case_9_case_10_…` names.
fn numbered(name: &str) -> impl Iterator<Item = u32> {
    let parts: Vec<&str> = name.split('_').collect();
    let numbers: Vec<u32> = parts
        .windows(2)
        .filter(|pair| pair[0] == "case")
        .filter_map(|pair| pair[1].parse().ok())
        .collect();
    numbers.into_iter()
}

#[test]
fn every_fault_of_the_list_has_a_test_that_carries_its_number_and_every_such_test_is_in_the_list() {
    let folders = ["tests", "actors", "src", "sandbox"];
    let mut tested = BTreeSet::new();
    for (_, text) in folders.iter().flat_map(|folder| sources(folder)) {
        for after in text.split("fn ").skip(1) {
            let name: String = after
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            tested.extend(numbered(&name));
        }
    }
    tested.extend(cases_of_browser_tests());
    let list = fs::read_to_string(root().join("docs/faults.md")).expect("the list of faults");
    let listed: BTreeSet<u32> = list
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next())
        .flat_map(|cell| cell.split(", ").filter_map(|number| number.parse().ok()))
        .collect();
    assert!(listed.len() > 20, "the list could not be read");
    let untested: Vec<_> = listed.difference(&tested).collect();
    let unlisted: Vec<_> = tested.difference(&listed).collect();
    assert!(
        untested.is_empty(),
        "no test carries the number of {untested:?}"
    );
    assert!(unlisted.is_empty(), "add to docs/faults.md: {unlisted:?}");
}
