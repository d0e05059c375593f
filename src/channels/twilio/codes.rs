//! What to do about the provider's error codes: the table `codes.tsv`, read once.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What a code asks of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advice {
    /// The number is no good.
    Number,
    /// This message is refused for good.
    Message,
    /// Not now.
    Later,
    /// Our account or settings; later, and somebody must look.
    Ours,
}

static CODES: LazyLock<HashMap<u32, Advice>> =
    LazyLock::new(|| include_str!("codes.tsv").lines().filter_map(row).collect());

fn row(line: &str) -> Option<(u32, Advice)> {
    let mut columns = line.split('\t');
    let code = columns.next()?.parse().ok()?;
    let advice = match columns.next()? {
        "number" => Advice::Number,
        "message" => Advice::Message,
        "later" => Advice::Later,
        "ours" => Advice::Ours,
        _ => return None,
    };
    Some((code, advice))
}

/// An unknown code is a refusal: the case goes on rather than waits for a meaning.
pub(super) fn advice(code: u32) -> Advice {
    CODES.get(&code).copied().unwrap_or(Advice::Message)
}

/// Whether the number itself is no good.
pub(in crate::channels) fn spoils_contact(code: &str) -> bool {
    code.parse()
        .is_ok_and(|code| advice(code) == Advice::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read() {
        let text = include_str!("codes.tsv");
        let rows = text.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(CODES.len(), rows);
    }

    #[test]
    fn a_code_nobody_knows_is_a_refusal_and_blames_nobody() {
        assert_eq!(advice(99_999), Advice::Message);
        assert!(!spoils_contact("99999"));
        assert!(spoils_contact("21610"));
        assert!(!spoils_contact("5.1.1"));
    }
}
