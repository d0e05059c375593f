use chrono::TimeDelta;

use super::*;
use crate::appointment::AppointmentChange;
use crate::time::tests::utc;

#[test]
fn r3_4_an_ordinary_letter_is_emailed_texted_and_posted_in_that_order() {
    // Monday 9 March 2026, 10:00; the text after 36 hours falls on Tuesday 22:00 and is moved to Wednesday 08:00.
    let plan = letter(
        LetterKind::Appointment,
        "2026-03-09 10:00",
        Some("2026-04-20 09:00"),
    );
    assert_eq!(
        steps(&plan),
        [
            (Rung::Email, wall("2026-03-10 10:00")),
            (Rung::Text, wall("2026-03-11 08:00")),
            (Rung::Deadline, wall("2026-03-11 10:00")),
            (Rung::PrintCheck, wall("2026-03-11 18:00")),
        ]
    );
    assert_eq!(plan.deadline, wall("2026-03-11 10:00"));
    assert_eq!(plan.post_at, Some(wall("2026-03-11 17:30")));
    assert!(!plan.urgent && plan.paper_ends_case() && plan.skipped.is_empty());
}

#[test]
fn a_clinic_letter_waits_a_day_longer() {
    let plan = letter(LetterKind::Clinic, "2026-03-09 10:00", None);
    assert_eq!(plan.deadline, wall("2026-03-12 10:00"));
    assert_eq!(plan.post_at, Some(wall("2026-03-12 17:30")));
}

#[test]
fn the_appointment_brings_the_deadline_forward() {
    // Six working days before Wednesday the 18th at 09:00 is Tuesday the 10th at 09:00.
    let plan = letter(
        LetterKind::Appointment,
        "2026-03-09 10:00",
        Some("2026-03-18 09:00"),
    );
    assert_eq!(plan.deadline, wall("2026-03-10 09:00"));
    let dropped = [Rung::Email, Rung::Text].map(|rung| Skip {
        rung,
        why: SkipReason::AfterDeadline,
    });
    assert_eq!(plan.skipped, dropped);
    assert!(plan.phone_task_due.is_none());
}

#[test]
fn a_deadline_already_past_falls_on_publication_with_every_channel_at_once() {
    let plan = letter(
        LetterKind::Appointment,
        "2026-03-09 10:00",
        Some("2026-03-17 08:00"),
    );
    let now = wall("2026-03-09 10:00");
    assert_eq!(
        steps(&plan),
        [
            (Rung::Email, now),
            (Rung::Text, now),
            (Rung::Deadline, now),
            (Rung::PrintCheck, wall("2026-03-09 18:00")),
        ]
    );
    assert!(plan.urgent && plan.paper_ends_case());
}

#[test]
fn somebody_phones_where_paper_cannot_be_relied_on() {
    // Posted on Monday; Thursday is the third working day after, Friday the fourth.
    for (appointment, phones) in [("2026-03-12 17:00", true), ("2026-03-13 09:00", false)] {
        let plan = letter(
            LetterKind::Appointment,
            "2026-03-09 10:00",
            Some(appointment),
        );
        assert_eq!(plan.phone_task_due.is_some(), phones, "{appointment}");
        assert_eq!(plan.paper_ends_case(), !phones, "{appointment}");
    }
    // After the cut-off the letter leaves a day later, and Friday cannot be relied on any more.
    let late = letter(
        LetterKind::Appointment,
        "2026-03-09 18:00",
        Some("2026-03-13 09:00"),
    );
    assert!(late.phone_task_due.is_some());
}

#[test]
fn the_phone_task_is_due_after_two_working_hours_or_one_for_the_next_day() {
    for (published, appointment, due) in [
        ("2026-03-09 10:00", "2026-03-12 09:00", "2026-03-09 12:00"),
        ("2026-03-09 10:00", "2026-03-10 09:00", "2026-03-09 11:00"),
        // Friday afternoon for Monday morning: an hour later the office is closed, so it is due at its closing.
        ("2026-03-13 17:30", "2026-03-16 08:30", "2026-03-13 18:00"),
        // Friday evening for Monday morning: nobody is there, so an hour before the appointment is the last moment.
        ("2026-03-13 19:00", "2026-03-16 08:30", "2026-03-16 07:30"),
    ] {
        let plan = letter(LetterKind::Appointment, published, Some(appointment));
        assert_eq!(
            plan.phone_task_due,
            Some(wall(due)),
            "published {published} for {appointment}"
        );
        assert_eq!(plan.at(Rung::PhoneTask), plan.phone_task_due);
    }
}

#[test]
fn an_appointment_already_over_asks_for_nothing_special() {
    let plan = letter(
        LetterKind::Clinic,
        "2026-03-09 10:00",
        Some("2026-03-06 10:00"),
    );
    assert_eq!(plan, letter(LetterKind::Clinic, "2026-03-09 10:00", None));
}

#[test]
fn at_night_and_on_sundays_urgent_nudges_wait_for_the_morning_and_paper_does_not() {
    let plan = letter(
        LetterKind::Appointment,
        "2026-03-08 21:00",
        Some("2026-03-10 09:00"),
    );
    assert_eq!(plan.at(Rung::Deadline), Some(wall("2026-03-08 21:00")));
    assert_eq!(plan.at(Rung::Text), Some(wall("2026-03-09 08:00")));
    assert_eq!(plan.steps[0].rung, Rung::Deadline);
}

#[test]
fn a_clinic_cancelled_for_tomorrow_is_told_at_once_and_then_phoned() {
    let (now, start) = (wall("2026-03-09 14:00"), wall("2026-03-10 09:00"));
    let plan = plan_appointment(
        &Policy::standard(),
        &calendars(),
        AppointmentChange::Cancelled,
        now,
        start,
    );
    assert_eq!(
        steps(&plan),
        [
            (Rung::Email, now),
            (Rung::Text, now),
            (Rung::PhoneTask, wall("2026-03-09 15:00")),
            (Rung::TaskCheck, wall("2026-03-10 09:00")),
        ]
    );
    assert!(plan.urgent && plan.post_at.is_none() && !plan.paper_ends_case());
    assert_eq!(
        plan.skipped,
        [Skip {
            rung: Rung::Deadline,
            why: SkipReason::PaperTooLate
        }]
    );
    assert_eq!(
        phone_useful_until(&Policy::standard(), &calendars(), start, now),
        wall("2026-03-09 18:00")
    );
}

#[test]
fn a_cancellation_that_paper_can_still_reach_is_posted_and_phoned_as_well() {
    let (now, start) = (wall("2026-03-09 14:00"), wall("2026-03-13 16:00"));
    let plan = plan_appointment(
        &Policy::standard(),
        &calendars(),
        AppointmentChange::Cancelled,
        now,
        start,
    );
    assert_eq!(plan.at(Rung::Deadline), Some(now));
    assert_eq!(plan.phone_task_due, Some(wall("2026-03-09 16:00")));
}

#[test]
fn a_move_weeks_ahead_waits_like_a_letter() {
    let from = wall("2026-05-01 09:00");
    let (now, start) = (wall("2026-03-09 10:00"), wall("2026-05-08 09:00"));
    let plan = plan_appointment(
        &Policy::standard(),
        &calendars(),
        AppointmentChange::Moved { from },
        now,
        start,
    );
    assert_eq!(
        plan,
        letter(
            LetterKind::Appointment,
            "2026-03-09 10:00",
            Some("2026-05-01 09:00")
        )
    );
}

#[test]
fn a_letter_for_somebody_outside_the_portal_goes_to_print_at_once_without_nudges() {
    let plan = plan_post(
        &Policy::standard(),
        &calendars(),
        wall("2026-03-09 10:00"),
        None,
    );
    assert_eq!(
        steps(&plan),
        [
            (Rung::Deadline, wall("2026-03-09 10:00")),
            (Rung::PrintCheck, wall("2026-03-09 18:00"))
        ]
    );
    let near = plan_post(
        &Policy::standard(),
        &calendars(),
        wall("2026-03-09 10:00"),
        Some(wall("2026-03-11 10:00")),
    );
    assert!(near.phone_task_due.is_some());
}

#[test]
fn the_demonstration_goes_through_the_ladder_in_half_a_minute_on_any_day() {
    for published in [
        "2026-12-25T03:00:00Z",
        "2026-11-22T16:00:00Z",
        "2026-03-29T00:59:50Z",
    ] {
        let published = utc(published);
        let after = |seconds| published + TimeDelta::seconds(seconds);
        let plan = plan_letter(
            &Policy::demo(),
            &calendars(),
            LetterKind::Appointment,
            published,
            Some(published + TimeDelta::days(21)),
        );
        assert_eq!(plan.at(Rung::Email), Some(after(15)));
        assert_eq!(plan.at(Rung::Text), Some(after(22)));
        assert_eq!(plan.at(Rung::Deadline), Some(after(30)));
        assert!(
            plan.post_at
                .is_some_and(|at| at > after(30) && at <= after(45))
        );
        let clinic = plan_appointment(
            &Policy::demo(),
            &calendars(),
            AppointmentChange::Cancelled,
            published,
            published + TimeDelta::hours(18),
        );
        assert_eq!(clinic.phone_task_due, Some(after(10)));
        assert_eq!(clinic.at(Rung::Text), Some(published));
    }
}
