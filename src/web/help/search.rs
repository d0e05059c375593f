//! Finds help texts by the words that somebody types. On the server, so that it works without a script.
//!
//! What was typed is neither kept nor logged: it may say what somebody worries about.

use std::sync::LazyLock;

use super::catalogue::{CATALOGUE, Catalogue};

/// Longer questions are cut (characters): nobody needs more to be found an answer.
pub(super) const LONGEST: usize = 100;
/// Words looked for; the others are ignored.
const MOST_WORDS: usize = 8;
/// Results shown: what stands further down fits worse than the list of all questions.
const MOST_RESULTS: usize = 10;

/// A word in the title says more than one somewhere in the text.
const IN_TITLE: u32 = 6;
const IN_WORDS: u32 = 5;
const IN_TEXT: u32 = 1;

/// Said in nearly every question, so they find nothing.
const EMPTY: [&str; 32] = [
    "a", "an", "and", "are", "at", "be", "can", "do", "does", "for", "from", "have", "how", "i",
    "if", "in", "is", "it", "me", "my", "of", "on", "or", "the", "this", "to", "we", "what",
    "when", "with", "you", "your",
];

/// Something that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// By its number.
    Question(u8),
    /// By its place in the catalogue.
    Page(usize),
}

struct Entry {
    what: Found,
    title: Vec<String>,
    words: Vec<String>,
    text: Vec<String>,
}

static INDEX: LazyLock<Vec<Entry>> = LazyLock::new(|| index(&CATALOGUE));

/// What is left of what was typed: one line, not too long.
pub(super) fn tidy(typed: &str) -> String {
    let line = typed.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(LONGEST).collect()
}

/// What fits best first. Nothing for a question without a word that means something.
pub(super) fn search(typed: &str) -> Vec<Found> {
    let mut wanted = stems(typed);
    wanted.truncate(MOST_WORDS);
    let mut found: Vec<(u32, &Entry)> = INDEX
        .iter()
        .map(|entry| (entry.fits(&wanted), entry))
        .filter(|(fits, _)| *fits > 0)
        .collect();
    // Stable: what fits equally well stays in the order of the numbers.
    found.sort_by_key(|(fits, _)| std::cmp::Reverse(*fits));
    let best = found.into_iter().take(MOST_RESULTS);
    best.map(|(_, entry)| entry.what).collect()
}

impl Entry {
    fn fits(&self, wanted: &[String]) -> u32 {
        let fields = [
            (&self.title, IN_TITLE),
            (&self.words, IN_WORDS),
            (&self.text, IN_TEXT),
        ];
        let each = |stem: &String| -> u32 {
            let hits = fields.iter().filter(|(words, _)| words.contains(stem));
            hits.map(|(_, worth)| worth).sum()
        };
        wanted.iter().map(each).sum()
    }
}

fn index(catalogue: &Catalogue) -> Vec<Entry> {
    let questions = catalogue.questions.iter().map(|one| Entry {
        what: Found::Question(one.number),
        title: stems(&one.title),
        words: one.words.iter().flat_map(|words| stems(words)).collect(),
        text: one.part().sentences().flat_map(stems).collect(),
    });
    let pages = catalogue
        .pages
        .iter()
        .enumerate()
        .map(|(place, one)| Entry {
            what: Found::Page(place),
            title: stems(&one.title),
            words: one.words.iter().flat_map(|words| stems(words)).collect(),
            text: one
                .part
                .iter()
                .flat_map(|part| part.sentences())
                .flat_map(stems)
                .collect(),
        });
    questions.chain(pages).collect()
}

/// The words that mean something, without their endings.
fn stems(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|sign: char| !sign.is_alphanumeric())
        .filter(|word| !word.is_empty() && !EMPTY.contains(word))
        .map(stem)
        .collect()
}

/// `deleting`, `deletes`, `deleted` and `delete` are one word here.
fn stem(word: &str) -> String {
    const ENDINGS: [&str; 6] = ["ations", "ation", "ing", "ed", "es", "s"];
    let ending = ENDINGS
        .iter()
        .find_map(|ending| word.strip_suffix(ending))
        .filter(|rest| rest.chars().count() >= 3);
    let rest = ending.unwrap_or(word);
    let rest = rest
        .strip_suffix('e')
        .filter(|rest| rest.len() >= 3)
        .unwrap_or(rest);
    // `cancelled` is `cancel`.
    let doubled = rest.len() > 4 && rest.ends_with("ll");
    let rest = rest.strip_suffix('l').filter(|_| doubled).unwrap_or(rest);
    rest.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_find_their_answer_by_their_own_words() {
        for (typed, number) in [
            ("how do i delete my account", 28),
            ("DELETING", 28),
            ("forgot my password", 24),
            ("cancel appointment", 22),
            ("cancelled?", 22),
            ("invite my daughter", 26),
            ("nhs number", 11),
            ("library", 23),
            ("is it secure", 16),
            ("rebook", 22),
            ("wales", 6),
            ("reference code error", 25),
        ] {
            let found = search(typed);
            let first_three = &found[..found.len().min(4)];
            assert!(
                first_three.contains(&Found::Question(number)),
                "{typed}: {found:?}"
            );
        }
    }

    #[test]
    fn words_that_mean_nothing_find_nothing() {
        for typed in ["", "   ", "how do i", "zzzz", "<script>", "%_"] {
            assert!(search(typed).is_empty(), "{typed}");
        }
    }

    #[test]
    fn a_very_long_question_is_cut() {
        let long = "delete ".repeat(10_000);
        assert_eq!(tidy(&long).chars().count(), LONGEST);
        assert_eq!(tidy("  two\n\twords "), "two words");
    }

    #[test]
    fn whatever_is_typed_finds_a_short_list() {
        let everything = CATALOGUE.questions.iter().map(|one| one.title.as_str());
        let everything: String = everything.collect::<Vec<_>>().join(" ");
        let odd = [
            "ſtraße İ ĳ",
            "\u{0}\u{200b}ing",
            "sssss eeeee",
            "ll",
            "ée",
            "🧑‍⚕️",
        ];
        for typed in odd.into_iter().chain([everything.as_str()]) {
            assert!(search(&tidy(typed)).len() <= MOST_RESULTS, "{typed}");
        }
        assert!(search(&everything).len() == MOST_RESULTS);
    }
}
