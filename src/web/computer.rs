//! The question asked at every sign-in (`parts/which_computer.jinja`): a public computer, or a device of one's own?
//!
//! Whoever is unsure, or does not answer, is treated as sitting in a library.

/// Whether the answer to `computer` stands for a public computer; anything but `private` does.
pub(crate) fn is_public(answer: &str) -> bool {
    answer != "private"
}

#[cfg(test)]
mod tests {
    use super::is_public;

    #[test]
    fn r23_3_whoever_does_not_say_otherwise_sits_at_a_public_computer() {
        assert!(!is_public("private"));
        for unsure in ["public", "", "Private", "private ", "own", "\u{0}"] {
            assert!(is_public(unsure), "{unsure:?}");
        }
    }
}
