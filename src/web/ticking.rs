//! The tick boxes of a circle of care, on the form that invites and on the form that changes: one wording for both.

use letterbox_domain::circle::{ShareKind, Ticks};
use serde::Deserialize;

use super::model::{Hint, Tick};

/// The boxes as a form sends them: a name with any value is ticked.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Boxes {
    #[serde(default)]
    appointments: String,
    #[serde(default)]
    appointment_letters: String,
    #[serde(default)]
    clinic_letters: String,
    #[serde(default)]
    questionnaires: String,
    #[serde(default)]
    trackers: String,
    #[serde(default)]
    may_read_for_me: String,
}

impl Boxes {
    /// What is ticked.
    pub(crate) fn ticks(&self) -> Ticks {
        let ticked = ShareKind::ALL
            .into_iter()
            .filter(|kind| !self.of(*kind).is_empty());
        Ticks::of(&ticked.collect::<Vec<_>>())
    }

    /// Whether the carer's opening is to count.
    pub(crate) fn reads(&self) -> bool {
        !self.may_read_for_me.is_empty()
    }

    fn of(&self, kind: ShareKind) -> &str {
        match kind {
            ShareKind::Appointments => &self.appointments,
            ShareKind::AppointmentLetters => &self.appointment_letters,
            ShareKind::ClinicLetters => &self.clinic_letters,
            ShareKind::Questionnaires => &self.questionnaires,
            ShareKind::Trackers => &self.trackers,
        }
    }
}

/// The boxes for a page.
pub(crate) fn boxes(ticks: Ticks) -> Vec<Tick> {
    let tick = |kind: ShareKind| Tick {
        name: kind.name().to_owned(),
        value: "yes",
        text: capital(words_for(kind)),
        hint: Some(Hint {
            text: hint(kind).to_owned(),
        }),
        checked: ticks.has(kind),
    };
    ShareKind::ALL.into_iter().map(tick).collect()
}

/// The box "may read for me".
pub(crate) fn reading(checked: bool) -> Vec<Tick> {
    vec![Tick {
        name: "may_read_for_me".to_owned(),
        value: "yes",
        text: "They may read for me".to_owned(),
        hint: Some(Hint {
            text: "When they open a letter that you share, it counts as opened by you, and we do not post it. We tell \
                   you each time, and you can still ask for it on paper. We ask you every year whether this is \
                   still right."
                .to_owned(),
        }),
        checked,
    }]
}

/// What a box covers, in the middle of a sentence.
pub(crate) const fn words_for(kind: ShareKind) -> &'static str {
    match kind {
        ShareKind::Appointments => "appointments",
        ShareKind::AppointmentLetters => "appointment letters",
        ShareKind::ClinicLetters => "clinic letters",
        ShareKind::Questionnaires => "questionnaires",
        ShareKind::Trackers => "health trackers",
    }
}

const fn hint(kind: ShareKind) -> &'static str {
    match kind {
        ShareKind::Appointments => "Dates, times and places.",
        ShareKind::AppointmentLetters => "Letters about your appointments.",
        ShareKind::ClinicLetters => "Letters from the clinic. They may contain results.",
        ShareKind::Questionnaires => "Your answers before an appointment.",
        ShareKind::Trackers => "Measurements that you keep, such as blood pressure.",
    }
}

/// `appointments and clinic letters`, `appointments, appointment letters and clinic letters`.
pub(crate) fn sentence(ticks: Ticks) -> String {
    let kinds: Vec<&str> = ticks.iter().map(words_for).collect();
    match kinds.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// With a capital letter in front, as a box or a list has it.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r27_1_there_is_a_box_for_each_kind_and_none_is_ticked() {
        let boxes = boxes(Boxes::default().ticks());
        let names: Vec<&str> = boxes.iter().map(|tick| tick.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "appointments",
                "appointment_letters",
                "clinic_letters",
                "questionnaires",
                "trackers"
            ]
        );
        assert!(boxes.iter().all(|tick| !tick.checked));
        assert!(!Boxes::default().reads());
    }

    #[test]
    fn what_is_shared_reads_as_a_sentence() {
        let two = Ticks::of(&[ShareKind::ClinicLetters, ShareKind::Appointments]);
        assert_eq!(sentence(two), "appointments and clinic letters");
        assert_eq!(
            sentence(Ticks::of(&[ShareKind::Trackers])),
            "health trackers"
        );
        assert_eq!(sentence(Ticks::NONE), "nothing");
        assert_eq!(capital("clinic letters"), "Clinic letters");
    }
}
