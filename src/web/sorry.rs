//! Why somebody is not let in, in plain words, and what they can do. No page here knows who is reading; the
//! page puts the configured area in the place of `{area}`.

use super::model::{Link, SorryBody};

const STILL_POST: &str = "Your hospital letters go on coming by post. Your care is not affected.";

const NHS_LOGIN_HELP: Link = Link {
    text: "Get help with NHS login",
    href: "https://help.login.nhs.uk/",
};

/// The address of a reason's page.
pub(crate) fn address(reason: &str) -> String {
    format!("/login/{reason}")
}

/// Every reason that has a page.
#[cfg(test)]
pub(crate) const REASONS: [&str; 14] = [
    "prove-who-you-are",
    "under-16",
    "email-not-verified",
    "email-in-use",
    "nhs-number-changed",
    "joined-before",
    "details-differ",
    "somebody-else",
    "not-shared",
    "not-answering",
    "try-again",
    "as-it-was",
    "moved-away",
    "moved-to-wales",
];

/// What the page of a reason says; `None` for what is no reason.
pub(crate) fn body(reason: &str) -> Option<SorryBody> {
    Some(match reason {
        "prove-who-you-are" => SorryBody {
            heading: "You need to finish proving who you are",
            lines: &[
                "NHS login does not know yet for certain that it is you. We only show letters to the person they are for.",
                STILL_POST,
            ],
            steps: &[
                "Sign in to NHS login or the NHS App.",
                "Choose to prove who you are. You can use a passport, driving licence or other photo ID, or the details your GP surgery gives you.",
                "When NHS login tells you that it is done, come back here.",
            ],
            link: Some(NHS_LOGIN_HELP),
            again: true,
            ..SorryBody::default()
        },
        "under-16" => SorryBody {
            heading: "You need to be 16 or over",
            lines: &[
                "You can join from your 16th birthday.",
                "Until then your hospital letters go on coming by post, to you or to the person who looks after you.",
            ],
            ..SorryBody::default()
        },
        "email-not-verified" => SorryBody {
            heading: "Your email address is not confirmed yet",
            lines: &[
                "We tell you about new letters by email, so we need to know that the address is yours.",
                STILL_POST,
            ],
            steps: &[
                "Look for an email from NHS login, also in your junk mail, and follow what it says.",
                "If there is none, sign in to NHS login and ask for it again in your settings.",
                "Then come back here.",
            ],
            link: Some(NHS_LOGIN_HELP),
            again: true,
            ..SorryBody::default()
        },
        "email-in-use" => SorryBody {
            heading: "Somebody already uses this email address here",
            lines: &[
                "Each person needs an email address of their own, so that nobody reads somebody else’s messages.",
                "If you share an email address with a family member, one of you will need to create a new email address if you both want to register for the portal.",
                STILL_POST,
            ],
            steps: &[
                "Create a new email address. Many providers offer one free of charge.",
                "Change your email address in your NHS login settings.",
                "Then come back here.",
            ],
            link: Some(NHS_LOGIN_HELP),
            again: true,
            ..SorryBody::default()
        },
        "nhs-number-changed" => SorryBody {
            heading: "Your NHS number has changed",
            lines: &[
                "We know you under another NHS number than NHS login does now. Until that is put right we cannot show your letters here.",
                "Nothing is lost. Any letter that you do not open here comes by post.",
                "We have told our help desk. You can also email them.",
            ],
            help_desk: true,
            ..SorryBody::default()
        },
        "joined-before" => SorryBody {
            heading: "You joined before with another NHS login",
            lines: &[
                "Your letters already come here, under another NHS login. If you still have it, sign in with that one.",
                "If not, email our help desk: they check that it is you and move your letters to this NHS login.",
                "Nothing is lost. Any letter that you do not open here comes by post.",
            ],
            again: true,
            help_desk: true,
            ..SorryBody::default()
        },
        "details-differ" => SorryBody {
            heading: "Your details do not match what the hospital has",
            lines: &[
                "The name or date of birth that NHS login gave us is not the one that your hospital has. To be sure that nobody sees another person’s letters, we have stopped here.",
                STILL_POST,
            ],
            steps: &[
                "Ask your GP surgery which name and date of birth they have for you.",
                "Ask your hospital’s booking team the same. Their phone number is on any letter from them.",
                "When both are right, come back here. If they are right already, email our help desk.",
            ],
            help_desk: true,
            ..SorryBody::default()
        },
        "somebody-else" => SorryBody {
            heading: "That was somebody else’s NHS login",
            lines: &[
                "Somebody else is signed in here. Nothing was changed.",
                "To go on, use the NHS login of the person who is signed in, or sign out first.",
            ],
            ..SorryBody::default()
        },
        "not-shared" => SorryBody {
            heading: "You did not agree to share your NHS login details",
            lines: &[
                "That is your choice. But without these details we cannot know whose letters to show, so you cannot use this website.",
                STILL_POST,
                "If you change your mind, choose “Continue with NHS Login” again and agree to share.",
            ],
            again: true,
            ..SorryBody::default()
        },
        "not-answering" => SorryBody {
            heading: "NHS login is not answering",
            lines: &[
                "You cannot sign in at the moment. Please try again in a few minutes.",
                "Your letters are safe. Any that you do not open in time comes by post.",
                "If you need to talk about an appointment now, phone the number on your hospital letter.",
            ],
            again: true,
            ..SorryBody::default()
        },
        "try-again" => SorryBody {
            heading: "Signing in did not work",
            lines: &[
                "This can happen if you waited for more than 10 minutes, used the Back button, or opened the page twice.",
                "Please start again, and stay in the same window.",
            ],
            again: true,
            help_desk: true,
            ..SorryBody::default()
        },
        "as-it-was" => SorryBody {
            heading: "Nothing has changed",
            lines: &[
                "You have not joined, and we have not kept your details.",
                STILL_POST,
                "You can join at any later time.",
            ],
            again: true,
            ..SorryBody::default()
        },
        "moved-away" => SorryBody {
            heading: "Your letters come by post again",
            lines: &[
                "NHS login says that your GP surgery is outside {area} now. This website is only for people with a GP surgery there.",
                "From today your hospital letters come by post. Any letter that you had not opened here comes by post too.",
                "Nobody you shared with can see anything of yours here any more. Your history is kept safely.",
                "If you have not moved, tell your GP surgery. If you move back, you can join again.",
            ],
            help_desk: true,
            ..SorryBody::default()
        },
        "moved-to-wales" => SorryBody {
            heading: "Your letters come by post again",
            lines: &[
                "NHS login says that your GP surgery is in Wales now. People with a GP surgery in Wales will join in another way, which is not open yet.",
                "From today your hospital letters come by post. Any letter that you had not opened here comes by post too.",
                "Nobody you shared with can see anything of yours here any more. Your history is kept safely.",
            ],
            help_desk: true,
            ..SorryBody::default()
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::arrive::Sorry;

    #[test]
    fn every_reason_has_a_page_that_says_what_to_do() {
        for reason in REASONS {
            let body = body(reason).expect(reason);
            let helps = body.again || body.help_desk || body.lines.len() > 1;
            assert!(!body.heading.is_empty() && helps, "{reason}");
        }
        for reason in Sorry::ALL {
            assert!(REASONS.contains(&reason.name()), "{}", reason.name());
        }
        assert!(body("nhs").is_none() && body("").is_none());
    }

    #[test]
    fn r14_1_who_shares_an_address_gets_the_advice_of_the_frequently_asked_questions() {
        let body = body("email-in-use").expect("a page");
        let advice = "one of you will need to create a new email address if you both want to register for the portal";
        assert!(body.lines.iter().any(|line| line.contains(advice)));
    }
}
