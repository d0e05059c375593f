use super::*;
use crate::case::CaseEnd;
use crate::time::Wait;

#[test]
fn nothing_happens_before_its_time() {
    let case = case(letter(LetterKind::Clinic, "2026-03-09 10:00", None));
    assert_eq!(
        decide(&case, wall("2026-03-10 09:59:59")),
        Decision::Wait {
            until: wall("2026-03-10 10:00")
        }
    );
    assert_eq!(
        rungs(&decide(&case, wall("2026-03-10 10:00"))),
        [Rung::Email]
    );
}

#[test]
fn a_case_woken_too_soon_goes_back_to_sleep() {
    let mut case = case(letter(LetterKind::Clinic, "2026-03-09 10:00", None));
    case.due_at = wall("2026-03-09 10:00");
    let asleep = Decision::Wait {
        until: wall("2026-03-10 10:00"),
    };
    assert_eq!(decide(&case, wall("2026-03-09 12:00")), asleep);
    case.due_at = wall("2026-03-11 07:00");
    let held_back = Decision::Wait {
        until: wall("2026-03-11 07:00"),
    };
    assert_eq!(decide(&case, wall("2026-03-10 10:00")), held_back);
}

#[test]
fn an_opened_letter_is_left_in_peace() {
    let plan = letter(LetterKind::Clinic, "2026-03-09 10:00", None);
    let late = wall("2026-04-09 10:00");
    for (subject, end) in [
        (Subject::Opened, CaseEnd::Opened),
        (Subject::Withdrawn, CaseEnd::Withdrawn),
    ] {
        let case = CaseView {
            subject,
            ..case(plan.clone())
        };
        assert_eq!(decide(&case, late), Decision::Close { end });
    }
    let ended = CaseView {
        state: CaseState::Ended(CaseEnd::Posted),
        ..case(plan)
    };
    assert_eq!(
        decide(&ended, late),
        Decision::Close {
            end: CaseEnd::Posted
        }
    );
}

#[test]
fn r3_7_after_a_long_outage_only_the_deadline_is_taken() {
    let case = case(letter(LetterKind::Clinic, "2026-03-09 10:00", None));
    let decision = decide(&case, wall("2026-03-12 11:00"));
    assert_eq!(rungs(&decision), [Rung::Deadline]);
    assert_eq!(
        skips(&decision),
        [
            (Rung::Email, SkipReason::Overtaken),
            (Rung::Text, SkipReason::Overtaken)
        ]
    );
    let Decision::Climb {
        climbed, next_due, ..
    } = decision
    else {
        panic!("it must climb")
    };
    assert_eq!((climbed, next_due), (3, wall("2026-03-12 18:00")));
}

#[test]
fn of_several_overdue_nudges_the_last_that_can_be_sent_is() {
    let mut case = case(letter(LetterKind::Clinic, "2026-03-09 10:00", None));
    let now = wall("2026-03-11 09:00");
    assert_eq!(rungs(&decide(&case, now)), [Rung::Text]);
    case.contacts.text = false;
    let decision = decide(&case, now);
    assert_eq!(rungs(&decision), [Rung::Email]);
    assert_eq!(skips(&decision), [(Rung::Text, SkipReason::NoContact)]);
}

#[test]
fn an_overdue_nudge_leaves_only_when_the_quiet_is_over() {
    let case = case(letter(LetterKind::Clinic, "2026-03-09 10:00", None));
    let Decision::Climb {
        rungs, nudge_at, ..
    } = decide(&case, wall("2026-03-10 23:00"))
    else {
        panic!("it must climb")
    };
    assert_eq!(
        (rungs.as_slice(), nudge_at),
        ([Rung::Email].as_slice(), wall("2026-03-11 08:00"))
    );
}

#[test]
fn a_nudge_that_could_only_leave_after_the_deadline_is_not_sent() {
    // The deadline is Tuesday 20:30; after an outage the email could leave only on Wednesday morning.
    let policy = Policy {
        deadline_clinic: Wait::minutes(60 * 34 + 30),
        text_after: Wait::hours(25),
        ..Policy::standard()
    };
    let plan = plan_letter(
        &policy,
        &calendars(),
        LetterKind::Clinic,
        wall("2026-03-09 10:00"),
        None,
    );
    let decision = decide(&case(plan), wall("2026-03-10 20:10"));
    assert_eq!(rungs(&decision), []);
    assert_eq!(
        skips(&decision),
        [
            (Rung::Email, SkipReason::Overtaken),
            (Rung::Text, SkipReason::AfterDeadline)
        ]
    );
}

#[test]
fn without_a_lawful_address_a_person_takes_over_from_paper() {
    let mut case = case(letter(LetterKind::Clinic, "2026-03-09 10:00", None));
    (case.contacts.address, case.climbed) = (false, 2);
    let decision = decide(&case, wall("2026-03-12 10:00"));
    assert_eq!(rungs(&decision), [Rung::PhoneTask]);
    assert_eq!(skips(&decision), [(Rung::Deadline, SkipReason::NoAddress)]);
    case.climbed = 3;
    assert_eq!(
        rungs(&decide(&case, wall("2026-03-12 18:00"))),
        [Rung::TaskCheck]
    );
}

#[test]
fn an_urgent_case_uses_every_channel_in_the_publishing_transaction() {
    let case = case(letter(
        LetterKind::Appointment,
        "2026-03-09 10:00",
        Some("2026-03-17 08:00"),
    ));
    let decision = decide(&case, wall("2026-03-09 10:00"));
    assert_eq!(rungs(&decision), [Rung::Email, Rung::Text, Rung::Deadline]);
    assert_eq!(skips(&decision), []);
}

#[test]
fn a_case_whose_steps_are_done_is_still_looked_at() {
    let mut case = case(letter(LetterKind::Clinic, "2026-03-09 10:00", None));
    (case.climbed, case.due_at) = (4, wall("2026-03-12 19:00"));
    assert_eq!(
        decide(&case, wall("2026-03-12 18:59")),
        Decision::Wait { until: case.due_at }
    );
    let decision = decide(&case, wall("2026-03-12 19:00"));
    assert_eq!(rungs(&decision), [Rung::PrintCheck]);
    let Decision::Climb {
        climbed, next_due, ..
    } = decision
    else {
        panic!("it must climb")
    };
    assert_eq!((climbed, next_due), (4, wall("2026-03-12 20:00")));
}

#[test]
fn a_bounced_email_brings_the_text_forward() {
    let plan = letter(LetterKind::Clinic, "2026-03-09 10:00", None);
    let now = wall("2026-03-10 10:05");
    let jumped = jump(
        &Policy::standard(),
        &calendars(),
        &plan,
        1,
        Contacts::ALL,
        now,
    );
    assert_eq!(jumped.at(Rung::Text), Some(now));
    assert_eq!(
        (jumped.deadline, jumped.post_at),
        (plan.deadline, plan.post_at)
    );
    let at_night = jump(
        &Policy::standard(),
        &calendars(),
        &plan,
        1,
        Contacts::ALL,
        wall("2026-03-10 21:00"),
    );
    assert_eq!(
        at_night.at(Rung::Text),
        plan.at(Rung::Text),
        "the quiet holds for it too"
    );
}

#[test]
fn when_no_nudge_is_left_paper_comes_forward_and_the_promise_with_it() {
    let plan = letter(LetterKind::Clinic, "2026-03-09 10:00", None);
    let now = wall("2026-03-10 10:05");
    let no_text = Contacts {
        text: false,
        ..Contacts::ALL
    };
    let jumped = jump(&Policy::standard(), &calendars(), &plan, 1, no_text, now);
    assert_eq!(
        (jumped.deadline, jumped.post_at),
        (now, Some(wall("2026-03-10 17:30")))
    );
    assert_eq!(jumped.at(Rung::PrintCheck), Some(wall("2026-03-10 18:00")));
    let view = CaseView {
        contacts: no_text,
        climbed: 1,
        due_at: now,
        ..case(jumped)
    };
    assert_eq!(rungs(&decide(&view, now)), [Rung::Deadline]);
}

#[test]
fn a_policy_can_leave_failed_nudges_alone() {
    let plan = letter(LetterKind::Clinic, "2026-03-09 10:00", None);
    let policy = Policy {
        undelivered_jump: false,
        ..Policy::standard()
    };
    assert_eq!(
        jump(
            &policy,
            &calendars(),
            &plan,
            1,
            Contacts::ALL,
            wall("2026-03-10 10:05")
        ),
        plan
    );
}

#[test]
fn names_and_numbers_read_back() {
    for rung in Rung::ALL {
        assert_eq!(Rung::from_name(rung.name()), Some(rung));
        assert_eq!(Rung::from_number(rung.number()), Some(rung));
    }
    for reason in SkipReason::ALL {
        assert_eq!(SkipReason::from_name(reason.name()), Some(reason));
    }
    assert_eq!(
        Rung::ALL.map(Rung::number),
        [1, 2, 3, 4, 5, 6],
        "stored numbers never change"
    );
}
