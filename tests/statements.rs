//! Every SQL statement of the store is understood by the schema as it is migrated: wrong tables, columns and types
//! are found here, not by a patient. Statements are read from the sources, so that none can be forgotten.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use letterbox::testing::TestDb;

/// What the sources are made of, as far as finding string constants goes.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Text(String),
    Word(String),
    Mark(char),
}

#[tokio::test]
async fn every_statement_of_the_store_is_understood_by_the_schema() {
    let (statements, temporary) = statements();
    assert!(
        statements.len() > 60,
        "only {} statements were found: the search is broken",
        statements.len()
    );
    let db = TestDb::new().await;
    // Prepared as the server's role, so that missing rights are found as well.
    let (client, connection) = tokio_postgres::connect(&db.url(), tokio_postgres::NoTls)
        .await
        .expect("the server's role may connect");
    let driver = tokio::spawn(connection);
    for table in &temporary {
        client
            .batch_execute(table)
            .await
            .expect("a temporary table");
    }
    let mut wrong = Vec::new();
    for (place, sql) in &statements {
        if let Err(error) = client.prepare(sql).await {
            let why = error
                .as_db_error()
                .map_or_else(|| error.to_string(), |db| db.message().to_owned());
            wrong.push(format!(
                "{place}: {why}\n    {}",
                sql.split_whitespace().collect::<Vec<_>>().join(" ")
            ));
        }
    }
    drop(client);
    driver
        .await
        .expect("no panic")
        .expect("the connection ends well");
    assert!(
        wrong.is_empty(),
        "{} of {} statements:\n{}",
        wrong.len(),
        statements.len(),
        wrong.join("\n")
    );
}

/// Every constant text below `src/store` that is one SQL statement, with its file; and the temporary tables that
/// some of them work on.
fn statements() -> (Vec<(String, String)>, Vec<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files: Vec<(PathBuf, Vec<Token>)> = sources(&root.join("src/store"))
        .into_iter()
        .map(|path| {
            let tokens = tokens(&fs::read_to_string(&path).expect("UTF-8"));
            (path, tokens)
        })
        .collect();
    let mut macros = BTreeMap::new();
    for (_, tokens) in &files {
        collect_macros(tokens, &mut macros);
    }
    let (mut found, mut temporary) = (Vec::new(), Vec::new());
    for (path, tokens) in &files {
        let place = path
            .strip_prefix(root)
            .expect("inside")
            .display()
            .to_string();
        for text in texts(tokens, &macros) {
            if text.trim_start().starts_with("CREATE TEMP") {
                temporary.push(text.replace("ON COMMIT DROP", ""));
            } else if is_statement(&text) {
                found.push((place.clone(), text));
            }
        }
    }
    (found, temporary)
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let (path, name) = (
            entry.path(),
            entry.file_name().to_string_lossy().into_owned(),
        );
        if name.contains("tests") {
            continue;
        }
        if path.is_dir() {
            found.extend(sources(&path));
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// One statement: several in one text are sent without preparing and run when they are used.
fn is_statement(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default();
    ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].contains(&first) && !text.contains(';')
}

/// Macros without arguments that stand for a text: their bodies by name.
fn collect_macros(tokens: &[Token], macros: &mut BTreeMap<String, Vec<Token>>) {
    let word = |at: usize| match tokens.get(at) {
        Some(Token::Word(word)) => word.as_str(),
        _ => "",
    };
    for at in 0..tokens.len() {
        if word(at) == "macro_rules" && tokens.get(at + 1) == Some(&Token::Mark('!')) {
            // name { ( ) = > { body } }
            let body = group(tokens, at + 8);
            macros.insert(word(at + 2).to_owned(), body.to_vec());
        }
    }
}

/// The tokens inside the bracket that opens at `at`.
fn group(tokens: &[Token], at: usize) -> &[Token] {
    let mut depth = 0_i32;
    for (offset, token) in tokens.get(at..).unwrap_or_default().iter().enumerate() {
        match token {
            Token::Mark('(' | '{' | '[') => depth += 1,
            Token::Mark(')' | '}' | ']') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return tokens.get(at + 1..at + offset).unwrap_or_default();
        }
    }
    &[]
}

/// All texts of a source, with `concat!` and macros put together.
fn texts(tokens: &[Token], macros: &BTreeMap<String, Vec<Token>>) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let called = tokens.get(at + 1) == Some(&Token::Mark('!'));
        match token {
            Token::Text(text) => found.push(text.clone()),
            Token::Word(word) if word == "macro_rules" => at += 3 + group(tokens, at + 3).len(),
            Token::Word(word) if called && word == "concat" => {
                let inside = group(tokens, at + 2);
                found.push(joined(inside, macros));
                at += 3 + inside.len();
            }
            Token::Word(word) if called && macros.contains_key(word) => {
                found.push(joined(&tokens[at..=at + 3], macros));
                at += 3;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// The texts and macros among `tokens`, one after the other.
fn joined(tokens: &[Token], macros: &BTreeMap<String, Vec<Token>>) -> String {
    let mut text = String::new();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Text(part) => text.push_str(part),
            Token::Word(word) if tokens.get(at + 1) == Some(&Token::Mark('!')) => {
                if let Some(body) = macros.get(word) {
                    text.push_str(&joined(body, macros));
                }
            }
            _ => {}
        }
    }
    text
}

/// Splits a source; comments, numbers and character literals are dropped.
fn tokens(source: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let (token, after) = if let Some(comment) = rest.strip_prefix("//") {
            (
                None,
                comment.split_once('\n').map_or("", |(_, after)| after),
            )
        } else if let Some(text) = rest.strip_prefix('"') {
            let (text, after) = plain_text(text);
            (Some(Token::Text(text)), after)
        } else if let Some(raw) = rest.strip_prefix("r#\"") {
            let (text, after) = raw.split_once("\"#").expect("a raw text ends");
            (Some(Token::Text(text.to_owned())), after)
        } else if let Some(after) = character(rest) {
            (None, after)
        } else if c.is_alphabetic() || c == '_' {
            let end = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            (Some(Token::Word(rest[..end].to_owned())), &rest[end..])
        } else {
            let after = &rest[c.len_utf8()..];
            ((!c.is_whitespace()).then_some(Token::Mark(c)), after)
        };
        found.extend(token);
        rest = after;
    }
    found
}

/// What follows a character literal such as `'"'` or `'\''`; `None` where a lifetime or something else stands.
fn character(rest: &str) -> Option<&str> {
    let inside = rest.strip_prefix('\'')?;
    match inside.strip_prefix('\\') {
        Some(escaped) => {
            let skipped = escaped.chars().next()?.len_utf8();
            escaped[skipped..].split_once('\'').map(|(_, after)| after)
        }
        None => inside[inside.chars().next()?.len_utf8()..].strip_prefix('\''),
    }
}

/// A text up to its closing quote, with escapes resolved, and what follows it.
fn plain_text(source: &str) -> (String, &str) {
    let mut text = String::new();
    let mut chars = source.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (text, &source[at + 1..]),
            '\\' => match chars.next() {
                Some((_, '\n')) => {
                    // A continued line: its indentation does not belong to the text.
                    let rest = chars.as_str();
                    let skipped = rest.len() - rest.trim_start().len();
                    for _ in 0..rest[..skipped].chars().count() {
                        chars.next();
                    }
                }
                Some((_, 'n')) => text.push('\n'),
                Some((_, other)) => text.push(other),
                None => break,
            },
            c => text.push(c),
        }
    }
    panic!("a text does not end");
}
