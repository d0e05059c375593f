//! The words of mails to accounts and to those who are invited: that something waits, and how to get to it.
//!
//! Never a clinical word, a clinic, a trust, a patient's family name or a number. Anyone may see a shared inbox, so no
//! mail but the invitation names a person, and that one by the first name only.

use chrono::{DateTime, NaiveDate, Utc};

use crate::message::Email;
use crate::reminder;
use crate::time::local;

/// What a mail is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum AccountMail<'a> {
    /// Somebody is invited to a circle of care.
    Invitation {
        /// First name of the patient.
        inviter: &'a str,
        /// Address of the page that asks for an answer; it carries the single-use token.
        link: &'a str,
        /// From then on the link answers nothing.
        until: DateTime<Utc>,
    },
    /// A carer has opened something for the patient.
    ReadForYou,
    /// There is something new that a carer may see.
    SomethingNew,
    /// May the carer still read for the patient?
    StillReading {
        /// Without an answer they may not after that.
        until: DateTime<Utc>,
    },
    /// An appointment is near, and the patient has asked to be reminded.
    Reminder {
        /// When it starts; only its day is named.
        starts_at: DateTime<Utc>,
        /// The local day of sending; decides whether a year is named.
        today: NaiveDate,
    },
}

impl std::fmt::Debug for AccountMail<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Invitation { .. } => "Invitation(…)",
            Self::ReadForYou => "ReadForYou",
            Self::SomethingNew => "SomethingNew",
            Self::StillReading { .. } => "StillReading",
            Self::Reminder { .. } => "Reminder",
        })
    }
}

impl AccountMail<'_> {
    /// The mail in the name of `service`; `portal` is the portal's one public address, or nothing.
    #[must_use]
    pub fn worded(&self, service: &str, portal: Option<&str>) -> Email {
        let sign_in = portal.map_or_else(
            || "Sign in the way you usually do.".to_owned(),
            |address| format!("Sign in the way you usually do, at {address}"),
        );
        let (subject, body) = match self {
            Self::Invitation {
                inviter,
                link,
                until,
            } => (
                format!("{inviter} invites you to their circle of care"),
                format!(
                    "{inviter} would like to share some of what they have in {service} with you, so that you can \
                     help them.\n\nTo say yes or no, open this page:\n\n{link}\n\n\
                     The page works once, until {}. You need an account of your own with this email address. \
                     The invitation is for you: it does not work for anybody else.\n\n\
                     If you do not know {inviter}, you do not have to do anything.",
                    day(*until)
                ),
            ),
            Self::ReadForYou => (
                "Somebody has opened a message for you".to_owned(),
                format!(
                    "Somebody whom you allow to read for you has opened a message of yours. We will not post it.\n\n\
                     {sign_in}\nThere you see who it was, can ask for it on paper, and can change what you allow."
                ),
            ),
            Self::SomethingNew => (
                "There is something new for you to see".to_owned(),
                format!(
                    "Somebody you help shares something new with you.\n\n{sign_in}\n\n\
                     You asked for these emails. You can stop them there, under People you help."
                ),
            ),
            Self::StillReading { until } => (
                "Is this still right?".to_owned(),
                format!(
                    "A year ago you allowed somebody to read for you. Please tell us whether that is still right.\n\n\
                     {sign_in}\nThen choose Connect, and Circle of care.\n\n\
                     If you do not answer by {}, they can no longer open anything for you. They still see what you \
                     share with them.",
                    day(*until)
                ),
            ),
            Self::Reminder { starts_at, today } => {
                let on = reminder::day(*starts_at, *today);
                (
                    format!("a reminder of something {on}"),
                    format!(
                        "You asked us to remind you: there is something in your calendar {on}.\n\n{sign_in}\n\
                         There you see the time, the place and what to bring.\n\n\
                         You can stop these reminders there, under Account, Contact and notifications."
                    ),
                )
            }
        };
        Email {
            subject: format!("{service}: {subject}"),
            body: format!(
                "Hello,\n\n{body}\n\nWe never put health details into emails and never ask for your password.\n\
                 Replies to this address are not read.\n\n{service}\n"
            ),
        }
    }
}

/// `29 November 2026`.
fn day(at: DateTime<Utc>) -> String {
    local(at).format("%-d %B %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone as _;

    fn at() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 29, 12, 0, 0)
            .single()
            .expect("an instant")
    }

    fn all() -> Vec<Email> {
        let mails = [
            AccountMail::Invitation {
                inviter: "Margaret",
                link: "https://portal.example.test/invitations/TOKEN",
                until: at(),
            },
            AccountMail::ReadForYou,
            AccountMail::SomethingNew,
            AccountMail::StillReading { until: at() },
            AccountMail::Reminder {
                starts_at: at(),
                today: crate::time::local_date(at()),
            },
        ];
        let worded =
            |mail: AccountMail<'_>| mail.worded("My Portal", Some("https://portal.example.test"));
        mails.into_iter().map(worded).collect()
    }

    #[test]
    fn r26_2_no_mail_names_a_condition_a_clinic_or_a_trust() {
        for mail in all() {
            let said = format!("{} {}", mail.subject, mail.body).to_lowercase();
            for word in [
                "clinic",
                "hospital",
                "nhs",
                "trust",
                "appointment",
                "result",
                "doctor",
                "letter",
                "patient",
                "treatment",
            ] {
                assert!(!said.contains(word), "{word} in {said}");
            }
        }
    }

    #[test]
    fn r26_2_the_invitation_says_who_where_and_until_when() {
        let mail = &all()[0];
        assert_eq!(
            mail.subject,
            "My Portal: Margaret invites you to their circle of care"
        );
        for part in [
            "https://portal.example.test/invitations/TOKEN",
            "works once, until 29 November 2026",
            "does not work for anybody else",
        ] {
            assert!(mail.body.contains(part), "{part} in {}", mail.body);
        }
    }

    #[test]
    fn r27_5_a_carers_mail_says_neither_who_nor_how_much() {
        let mail = &all()[2];
        assert!(!mail.body.contains("Margaret") && !mail.body.contains(char::is_numeric));
    }

    #[test]
    fn a_reminder_names_the_day_and_how_to_stop_it() {
        let mail = &all()[4];
        assert_eq!(
            mail.subject,
            "My Portal: a reminder of something on Sun 29 Nov"
        );
        for part in [
            "in your calendar on Sun 29 Nov",
            "https://portal.example.test",
            "stop these reminders",
        ] {
            assert!(mail.body.contains(part), "{part} in {}", mail.body);
        }
        assert!(
            !mail.body.contains("12:00"),
            "the hour is not for a shared inbox"
        );
    }

    #[test]
    fn words_stay_out_of_the_log() {
        let mail = AccountMail::Invitation {
            inviter: "Margaret",
            link: "x",
            until: at(),
        };
        assert_eq!(format!("{mail:?}"), "Invitation(…)");
    }
}
