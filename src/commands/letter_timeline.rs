//! What has happened to a letter, in plain words with the instants: for the hospital that sent it. Made of history; it
//! names nobody, and leaves out what only machinery cares about.

use chrono::{DateTime, Utc};
use letterbox_domain::dispatch::{Channel, DispatchState};
use letterbox_domain::ladder::Rung;
use serde_json::Value;

use crate::store::history::Happened;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When it was committed.
    pub at: DateTime<Utc>,
    /// Stable name for programs, as in history: `case.opened`.
    pub kind: String,
    /// One sentence for people.
    pub text: String,
}

/// What the words depend on besides history.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    /// It was a carer who opened the letter.
    pub(super) by_carer: bool,
    /// The portal delivers it, and paper only stands in.
    pub(super) by_portal: bool,
}

/// The moments among `lines`, oldest first.
pub(super) fn timeline(lines: &[Happened], told: Told) -> Vec<Moment> {
    let moments = lines.iter().flat_map(|line| {
        let texts = words(line, told);
        texts.into_iter().map(|text| Moment {
            at: line.at,
            kind: line.kind.clone(),
            text: text.to_owned(),
        })
    });
    moments.collect()
}

fn words(line: &Happened, told: Told) -> Vec<&'static str> {
    let facts = &line.facts;
    match line.kind.as_str() {
        "letter.held" => vec!["Taken in, and held until its release."],
        "letter.published" if facts["route"] == "portal" => {
            vec!["Published in the patient's mailbox."]
        }
        "letter.published" => vec!["Taken in, to be posted."],
        "letter.released" => vec!["Released to the patient."],
        "letter.route_changed" => vec!["The patient has left the portal: it goes by post."],
        "letter.withdrawn" => vec!["Withdrawn by the hospital."],
        "letter.superseded" => vec!["Replaced by another letter."],
        "case.climbed" => rungs(facts)
            .filter_map(|rung| of_rung(rung, told))
            .collect(),
        "case.opened" if told.by_carer => vec!["Opened by a carer who may read for the patient."],
        "case.opened" => vec!["Opened by the patient."],
        "case.posted" => vec!["Posted."],
        "case.print_rejected" => vec!["The print house refused it; a person has been asked."],
        "case.brought_forward" => vec!["A message did not arrive, so the next step comes sooner."],
        "case.paper_queued" | "case.wants_paper" => vec!["Paper was asked for."],
        "case.handed_over" if facts["detail"] == "told_by_phone" => {
            vec!["The patient was told by phone."]
        }
        "case.handed_over" => vec!["Taken over by a person."],
        "case.set_aside" => vec!["Could not be carried on by itself; a person was asked to phone."],
        "task.no_answer" => vec!["Phoned, nobody answered."],
        kind => kind
            .strip_prefix("dispatch.")
            .and_then(|what| of_message(what, facts))
            .into_iter()
            .collect(),
    }
}

fn rungs(facts: &Value) -> impl Iterator<Item = Rung> {
    let names = facts["rungs"].as_array().into_iter().flatten();
    names.filter_map(|name| Rung::from_name(name.as_str()?))
}

const fn of_rung(rung: Rung, told: Told) -> Option<&'static str> {
    match rung {
        // Told by what becomes of the message.
        Rung::Email | Rung::Text | Rung::PrintCheck | Rung::TaskCheck => None,
        Rung::Deadline if !told.by_portal => Some("Queued for print."),
        Rung::Deadline => Some("Not opened by the read deadline: queued for print."),
        Rung::PhoneTask => Some("A person was asked to phone."),
    }
}

fn of_message(what: &str, facts: &Value) -> Option<&'static str> {
    let channel = facts["channel"].as_str().and_then(Channel::from_name);
    let state = facts["state"].as_str().and_then(DispatchState::from_name);
    Some(match (what, channel) {
        ("frozen", _) => "Put into the print house's batch.",
        ("accepted", Some(Channel::Email)) => "Email sent.",
        ("accepted", Some(Channel::Text)) => "Text sent.",
        ("moved", Some(Channel::Email)) if state == Some(DispatchState::Delivered) => {
            "Email delivered."
        }
        ("moved", Some(Channel::Text)) if state == Some(DispatchState::Delivered) => {
            "Text delivered."
        }
        ("rejected" | "failed", Some(Channel::Email)) => "The email did not arrive.",
        ("rejected" | "failed", Some(Channel::Text)) => "The text did not arrive.",
        ("rejected" | "failed", Some(Channel::Post)) => {
            "It could not be printed; a person has been asked."
        }
        ("put_off", Some(Channel::Email)) => "The mail server put the email off.",
        ("put_off", Some(Channel::Text)) => "The text provider put the text off.",
        ("cancelled", Some(Channel::Email)) => "The email was not needed any more.",
        ("cancelled", Some(Channel::Text)) => "The text was not needed any more.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(kind: &str, facts: Value) -> Happened {
        Happened {
            at: DateTime::UNIX_EPOCH,
            kind: kind.to_owned(),
            facts,
        }
    }

    #[test]
    fn each_line_of_history_is_told_in_words_or_left_out() {
        for (kind, facts, told) in [
            (
                "letter.published",
                json!({"route": "portal"}),
                &["Published in the patient's mailbox."][..],
            ),
            (
                "letter.published",
                json!({"route": "we_post"}),
                &["Taken in, to be posted."],
            ),
            ("case.climbed", json!({"rungs": ["email"]}), &[]),
            (
                "case.climbed",
                json!({"rungs": ["deadline", "phone_task"]}),
                &[
                    "Not opened by the read deadline: queued for print.",
                    "A person was asked to phone.",
                ],
            ),
            (
                "dispatch.accepted",
                json!({"channel": "text"}),
                &["Text sent."],
            ),
            (
                "dispatch.moved",
                json!({"channel": "text", "state": "delivered"}),
                &["Text delivered."],
            ),
            (
                "dispatch.moved",
                json!({"channel": "text", "state": "accepted"}),
                &[],
            ),
            ("dispatch.outcome_unknown", json!({"channel": "email"}), &[]),
            ("case.something_new", json!({}), &[]),
        ] {
            let texts: Vec<_> = timeline(
                &[line(kind, facts)],
                Told {
                    by_portal: true,
                    ..Told::default()
                },
            )
            .into_iter()
            .map(|moment| moment.text)
            .collect();
            assert_eq!(texts, told, "{kind}");
        }
    }

    #[test]
    fn a_carers_opening_is_told_without_a_name() {
        let told = timeline(
            &[line("case.opened", json!({"ends": true}))],
            Told {
                by_carer: true,
                ..Told::default()
            },
        );
        assert_eq!(
            told[0].text,
            "Opened by a carer who may read for the patient."
        );
    }
}
