//! The words of texts and emails: that there is a message, how to get to it, and what happens otherwise.
//!
//! Never a clinical word, a clinic, a name, an NHS number, a letter's id or a sign-in token; never a link or a
//! reply keyword in a text. Anyone may see a locked telephone or a shared inbox.

use chrono::{DateTime, NaiveDate, Utc};

use crate::promise::{Precision, when};

/// The longest name under which texts and emails go out, so that a text always fits one segment.
pub const MAX_SERVICE_NAME: usize = 24;

/// What happens if the patient does not open the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// We post it at this cut-off.
    WePost {
        /// The cut-off.
        at: DateTime<Utc>,
    },
    /// Somebody at the hospital phones.
    WePhone,
    /// Nothing: there is no address, and no task yet.
    Nothing,
}

/// Everything that a message depends on.
#[derive(Clone, Copy, Debug)]
pub struct Wording<'a> {
    /// The service's name as patients know it; letters, digits, spaces and plain punctuation only.
    pub service: &'a str,
    /// What happens otherwise.
    pub otherwise: Otherwise,
    /// It should be read today.
    pub urgent: bool,
    /// Names days, or times of day in a demonstration.
    pub precision: Precision,
    /// The local day of sending; decides whether a year is named.
    pub today: NaiveDate,
}

/// A text message that fits one segment.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    body: String,
}

/// An email in plain text.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    /// The subject.
    pub subject: String,
    /// The body, lines ended by `\n`.
    pub body: String,
}

/// Why a message cannot be worded so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordingError {
    /// The service's name is empty, too long, or has characters that would make texts dearer or unreadable.
    #[error(
        "the service's name must have 1 to {MAX_SERVICE_NAME} characters that every telephone can show (GSM-7)"
    )]
    ServiceName,
    /// The text needs more than one segment.
    #[error("the text would need {segments} segments; shorten the service's name")]
    TooLong {
        /// How many it would need.
        segments: usize,
    },
}

impl Text {
    /// The nudge, as a text.
    ///
    /// # Errors
    /// [`WordingError`] when the service's name does not fit; checked when settings are loaded.
    pub fn nudge(wording: &Wording<'_>) -> Result<Self, WordingError> {
        check_name(wording.service)?;
        let sign_in = if wording.urgent {
            "Please sign in today the way you usually do."
        } else {
            "Sign in the way you usually do."
        };
        let otherwise = match wording.otherwise {
            Otherwise::WePost { at } => format!(
                " If you don't open it we will post it {}.",
                when(at, wording.precision, wording.today)
            ),
            Otherwise::WePhone => " If you don't open it we will phone you.".to_owned(),
            Otherwise::Nothing => String::new(),
        };
        Self::checked(format!(
            "{}: you have a new hospital message. {sign_in}{otherwise}",
            wording.service
        ))
    }

    /// A text in the name of `service`, if it fits.
    pub(crate) fn of(service: &str, words: &str) -> Result<Self, WordingError> {
        check_name(service)?;
        Self::checked(format!("{service}: {words}"))
    }

    fn checked(body: String) -> Result<Self, WordingError> {
        match segments(&body) {
            1 => Ok(Self { body }),
            segments => Err(WordingError::TooLong { segments }),
        }
    }

    /// The words.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Text(…)")
    }
}

impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Email(…)")
    }
}

impl Email {
    /// The nudge, as an email. `portal` is the portal's one public address, or nothing.
    ///
    /// # Errors
    /// [`WordingError`] when the service's name does not fit; checked when settings are loaded.
    pub fn nudge(wording: &Wording<'_>, portal: Option<&str>) -> Result<Self, WordingError> {
        check_name(wording.service)?;
        let service = wording.service;
        let sign_in = match portal {
            Some(address) => format!("Sign in the way you usually do, at {address}"),
            None => "Sign in the way you usually do.".to_owned(),
        };
        let hurry = if wording.urgent {
            "\nPlease read it today.\n"
        } else {
            ""
        };
        let otherwise = match wording.otherwise {
            Otherwise::WePost { at } => format!(
                "\nIf you do not open it, we will post it to you {}. You do not have to do anything for that.\n",
                when(at, wording.precision, wording.today)
            ),
            Otherwise::WePhone => {
                "\nIf you do not open it, the hospital will phone you.\n".to_owned()
            }
            Otherwise::Nothing => String::new(),
        };
        Ok(Self {
            subject: format!("{service}: you have a new hospital message"),
            body: format!(
                "Hello,\n\nYou have a new hospital message in {service}.\n{hurry}\n{sign_in}\n{otherwise}\n\
                 We never put health details into emails and never ask for your password.\n\
                 You can stop these emails when you are signed in. Replies to this address are not read.\n\n\
                 {service}\n"
            ),
        })
    }
}

fn check_name(service: &str) -> Result<(), WordingError> {
    let length = service.chars().count();
    let fits = (1..=MAX_SERVICE_NAME).contains(&length)
        && service.trim() == service
        && septets(service).is_some();
    if fits && !service.contains(['\n', '\r']) {
        Ok(())
    } else {
        Err(WordingError::ServiceName)
    }
}

/// How many segments a text is charged as: 160 characters (153 in each of several) where every character is in
/// the GSM-7 alphabet, 70 (67) UTF-16 units otherwise. An empty text is none.
///
/// Source: 3GPP TS 23.038.
#[must_use]
pub fn segments(body: &str) -> usize {
    let (length, single, each) = match septets(body) {
        Some(septets) => (septets, 160, 153),
        None => (body.encode_utf16().count(), 70, 67),
    };
    if length <= single {
        usize::from(length > 0)
    } else {
        length.div_ceil(each)
    }
}

/// Length in GSM-7, where the characters of the extension table count twice; `None` if one is in neither table.
fn septets(body: &str) -> Option<usize> {
    const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
                         ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
    const EXTENSION: &str = "^{}\\[~]|€";
    body.chars().try_fold(0, |length, character| {
        if BASIC.contains(character) {
            Some(length + 1)
        } else {
            EXTENSION.contains(character).then_some(length + 2)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::local_date;
    use crate::time::tests::{any_instant, wall};
    use proptest::prelude::*;

    fn wording(otherwise: Otherwise) -> Wording<'static> {
        let today = local_date(wall("2025-11-23 10:00"));
        Wording {
            service: "My Health and Wellbeing",
            otherwise,
            urgent: false,
            precision: Precision::Day,
            today,
        }
    }

    #[test]
    fn r14_2_the_text_says_that_there_is_a_message_and_when_it_is_posted() {
        let text = Text::nudge(&wording(Otherwise::WePost {
            at: wall("2025-11-25 17:30"),
        }))
        .expect("it fits");
        assert_eq!(
            text.body(),
            "My Health and Wellbeing: you have a new hospital message. Sign in the way you usually do. \
             If you don't open it we will post it on Tue 25 Nov."
        );
        assert_eq!(format!("{text:?}"), "Text(…)");
    }

    #[test]
    fn an_urgent_text_says_what_happens_otherwise() {
        let text = Text::nudge(&Wording {
            urgent: true,
            ..wording(Otherwise::WePhone)
        })
        .expect("it fits");
        assert_eq!(
            text.body(),
            "My Health and Wellbeing: you have a new hospital message. Please sign in today \
             the way you usually do. If you don't open it we will phone you."
        );
    }

    #[test]
    fn the_email_says_the_same_at_more_length() {
        let at = wall("2025-11-25 17:30");
        let email = Email::nudge(
            &wording(Otherwise::WePost { at }),
            Some("https://portal.example.test"),
        )
        .expect("it fits");
        assert_eq!(
            email.subject,
            "My Health and Wellbeing: you have a new hospital message"
        );
        assert_eq!(
            email.body,
            "Hello,\n\nYou have a new hospital message in My Health and Wellbeing.\n\n\
             Sign in the way you usually do, at https://portal.example.test\n\n\
             If you do not open it, we will post it to you on Tue 25 Nov. You do not have to do anything for that.\n\n\
             We never put health details into emails and never ask for your password.\n\
             You can stop these emails when you are signed in. Replies to this address are not read.\n\n\
             My Health and Wellbeing\n"
        );
    }

    #[test]
    fn the_longest_text_still_fits_one_segment() {
        let service = "x".repeat(MAX_SERVICE_NAME);
        let at = wall("2027-12-29 17:30");
        let longest = Wording {
            service: &service,
            urgent: true,
            ..wording(Otherwise::WePost { at })
        };
        let text = Text::nudge(&longest).expect("it fits");
        assert!(text.body().ends_with("on Wed 29 Dec 2027."));
        assert_eq!(
            text.body().len(),
            160,
            "no room is left, so the bound cannot be wider"
        );
    }

    #[test]
    fn a_name_that_would_spoil_the_text_is_refused_when_settings_are_loaded() {
        for service in [
            "",
            " Portal",
            "Iechyd a Lles ŵ",
            "Portal\nBcc: x",
            &"x".repeat(MAX_SERVICE_NAME + 1),
        ] {
            let refused = Text::nudge(&Wording {
                service,
                ..wording(Otherwise::Nothing)
            });
            assert_eq!(refused, Err(WordingError::ServiceName), "{service:?}");
            assert!(
                Email::nudge(
                    &Wording {
                        service,
                        ..wording(Otherwise::Nothing)
                    },
                    None
                )
                .is_err()
            );
        }
    }

    #[test]
    fn segments_are_counted_as_they_are_charged() {
        let cases = [
            (String::new(), 0),
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            ("ŵ".repeat(70), 1),
            ("ŵ".repeat(71), 2),
            (format!("{}ŷ", "a".repeat(69)), 1),
            (format!("{}ŷ", "a".repeat(70)), 2),
            ("😀".repeat(35), 1),
            ("😀".repeat(36), 2),
            ("à è é ì ò ù £ ñ".to_owned(), 1),
        ];
        for (body, expected) in cases {
            assert_eq!(
                segments(&body),
                expected,
                "{} characters",
                body.chars().count()
            );
        }
        assert_eq!(
            septets("’"),
            None,
            "a typographic apostrophe makes a text dearer"
        );
    }

    proptest! {
        #[test]
        fn r15_1_every_nudge_fits_one_segment_says_nothing_clinical_and_lets_nobody_in(
            service in "[A-Za-z][A-Za-z &'-]{0,22}[A-Za-z]", at in any_instant(), now in any_instant(),
            which in 0u8..3, urgent in any::<bool>(), quick in any::<bool>(),
        ) {
            let otherwise = match which {
                0 => Otherwise::WePost { at },
                1 => Otherwise::WePhone,
                _ => Otherwise::Nothing,
            };
            let today = local_date(now);
            let precision = if quick { Precision::Second } else { Precision::Day };
            let wording = Wording { service: &service, otherwise, urgent, precision, today };
            let text = Text::nudge(&wording).expect("it fits");
            let email = Email::nudge(&wording, None).expect("it fits");
            prop_assert_eq!(segments(text.body()), 1);
            for said in [text.body(), &email.subject, &email.body].map(|said| said.replace(&service, "").replace("never ask for your password", "").to_lowercase()) {
                for word in ["clinic", "appointment", "result", "letter", "doctor", "nhs", "http", "www", "reply stop", "code", "password", "install", "download"] {
                    prop_assert!(!said.contains(word), "{word} in {said}");
                }
            }
        }
    }
}
