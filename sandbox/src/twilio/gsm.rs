//! How many segments a text takes: 160/153 characters in the GSM alphabet, 70/67 otherwise.

/// The GSM 03.38 basic set without the letters, digits and space.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ!\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà";
/// Reached by an escape, so each counts twice.
const EXTENDED: &str = "^{}\\[~]|€";

/// Segments of this body; at least one.
pub(super) fn segments(body: &str) -> usize {
    let septets: Option<usize> = body.chars().map(septets_of).sum();
    let (units, single, joined) = match septets {
        Some(septets) => (septets, 160, 153),
        None => (body.encode_utf16().count(), 70, 67),
    };
    if units <= single {
        1
    } else {
        units.div_ceil(joined)
    }
}

fn septets_of(c: char) -> Option<usize> {
    match c {
        ' ' | '0'..='9' | 'A'..='Z' | 'a'..='z' => Some(1),
        _ if BASIC.contains(c) => Some(1),
        _ if EXTENDED.contains(c) => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::segments;

    #[test]
    fn segments_follow_the_alphabet() {
        assert_eq!(segments(""), 1);
        assert_eq!(segments(&"a".repeat(160)), 1);
        assert_eq!(segments(&"a".repeat(161)), 2);
        assert_eq!(segments(&"€".repeat(80)), 1);
        assert_eq!(segments(&"€".repeat(81)), 2);
        assert_eq!(segments(&"ŵ".repeat(70)), 1);
        assert_eq!(segments(&"ŵ".repeat(71)), 2);
    }
}
