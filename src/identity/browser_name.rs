//! Which browser it is, in words that its owner recognizes: "Chrome on Windows". Never finer than that.
//!
//! Only for the list of signed-in devices; nothing is decided by it, because anybody can claim any name.

/// Families in the order in which they are told apart: most browsers also claim to be those further down.
const FAMILIES: [(&str, &str); 10] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
    ("AppleWebKit/", "Safari"),
];

/// Devices, likewise: an Android phone also says Linux, a Chromebook says X11.
const DEVICES: [(&str, &str); 7] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "a Chromebook"),
    ("Windows", "Windows"),
    ("Macintosh", "a Mac"),
    ("Linux", "Linux"),
];

/// What the browser that sent this `User-Agent` is called in the list of devices.
pub(super) fn coarse(user_agent: &str) -> String {
    let named = |table: &[(&str, &'static str)]| {
        let found = table.iter().find(|(sign, _)| user_agent.contains(sign));
        found.map(|(_, name)| *name)
    };
    match (named(&FAMILIES), named(&DEVICES)) {
        (Some(family), Some(device)) => format!("{family} on {device}"),
        (Some(family), None) => family.to_owned(),
        _ => "Unknown browser".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::coarse;

    #[test]
    fn browsers_are_called_by_their_family_and_device_and_nothing_finer() {
        let rows = [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
                "Chrome on Windows",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 15; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
                "Samsung Internet on Android",
            ),
            (
                "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
                "Chrome on a Chromebook",
            ),
            ("curl/8.0", "Unknown browser"),
            ("", "Unknown browser"),
        ];
        for (user_agent, name) in rows {
            assert_eq!(coarse(user_agent), name, "{user_agent}");
        }
    }

    #[test]
    fn whatever_is_claimed_the_name_fits_its_column() {
        let everything = "Edg SamsungBrowser/ CrOS <script> Chrome/ ".repeat(1000);
        assert!(coarse(&everything).len() <= 60);
        assert!(!coarse(&everything).contains('<'));
    }
}
