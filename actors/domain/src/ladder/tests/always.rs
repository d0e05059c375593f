use proptest::prelude::*;

use super::*;
use crate::appointment::AppointmentChange;
use crate::case::CaseEnd;
use crate::time::tests::any_instant;

fn any_contacts() -> impl Strategy<Value = Contacts> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(email, text, address)| Contacts {
        email,
        text,
        address,
    })
}

fn any_policy() -> impl Strategy<Value = Policy> {
    proptest::sample::select(vec![Policy::standard(), Policy::demo()])
}

fn any_kind() -> impl Strategy<Value = LetterKind> {
    proptest::sample::select(LetterKind::ALL.to_vec())
}

/// Up to six weeks ahead, and now and then in the past.
fn any_distance() -> impl Strategy<Value = Option<TimeDelta>> {
    proptest::option::of((-2 * 24 * 60..42 * 24 * 60i64).prop_map(TimeDelta::minutes))
}

/// Any plan of any kind, with the policy it was made under, when, and for which appointment.
fn any_plan() -> impl Strategy<Value = (Policy, Plan, DateTime<Utc>, Option<DateTime<Utc>>)> {
    (
        any_policy(),
        any_kind(),
        any_instant(),
        any_distance(),
        0u8..5,
        -5i64..30,
    )
        .prop_map(|(policy, kind, now, distance, shape, moved_by)| {
            let start = distance.map(|distance| now + distance);
            let visit = start.unwrap_or(now + TimeDelta::days(3));
            let from = visit + TimeDelta::days(moved_by);
            let cals = calendars();
            let (plan, known_by) = match shape {
                0 => (plan_letter(&policy, &cals, kind, now, start), start),
                1 => (plan_post(&policy, &cals, now, start), start),
                2 => (
                    plan_appointment(&policy, &cals, AppointmentChange::Published, now, visit),
                    Some(visit),
                ),
                3 => (
                    plan_appointment(&policy, &cals, AppointmentChange::Cancelled, now, visit),
                    Some(visit),
                ),
                _ => {
                    let change = AppointmentChange::Moved { from };
                    (
                        plan_appointment(&policy, &cals, change, now, visit),
                        change.must_be_known_by(visit, now),
                    )
                }
            };
            (policy, plan, now, known_by.filter(|start| *start > now))
        })
}

/// One look at a case: the rungs taken, and where it stood before and after.
struct Look {
    at: DateTime<Utc>,
    decision: Decision,
    climbed_before: usize,
}

/// Lives through a case that nobody opens: looks at the given moments (sorted), as a supervisor would.
fn live(mut case: CaseView, mut moments: Vec<DateTime<Utc>>) -> Vec<Look> {
    moments.sort_unstable();
    let mut looks = Vec::new();
    for at in moments {
        let (decision, climbed_before) = (decide(&case, at), case.climbed);
        if let Decision::Climb {
            climbed, next_due, ..
        } = &decision
        {
            (case.climbed, case.due_at) = (*climbed, *next_due);
        }
        looks.push(Look {
            at,
            decision,
            climbed_before,
        });
    }
    looks
}

fn moments_after(now: DateTime<Utc>, minutes: &[i64]) -> Vec<DateTime<Utc>> {
    minutes
        .iter()
        .map(|minutes| now + TimeDelta::minutes(*minutes))
        .collect()
}

fn view(policy: &Policy, plan: &Plan, contacts: Contacts) -> CaseView {
    CaseView {
        contacts,
        nudge_hours: policy.nudge_hours,
        recheck_every: policy.recheck_every(),
        ..case(plan.clone())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// I13: every plan has steps, in order, none before publication, and paper or a person in time.
    #[test]
    fn every_plan_ends_in_paper_or_a_person((policy, plan, now, known_by) in any_plan()) {
        prop_assert!(!plan.steps.is_empty());
        prop_assert!(plan.steps.is_sorted());
        prop_assert!(plan.steps.iter().all(|step| step.at >= now), "a step before publication");
        prop_assert!(plan.deadline >= now);
        let last_word = plan.at(Rung::Deadline).or(plan.at(Rung::PhoneTask));
        prop_assert_eq!(last_word, Some(plan.deadline));
        if let Some(start) = known_by {
            // Paper that leaves so late that it cannot be relied on never stands alone.
            let reached = plan.post_at.map(|at| policy.phone_within.reach(at, &calendars()));
            prop_assert!(reached.is_some_and(|reached| start >= reached) || plan.phone_task_due.is_some());
            prop_assert!(plan.phone_task_due.is_none_or(|due| due <= start), "a phone task after the appointment");
        }
    }

    /// I7: quiet hours move nudges, never the deadline, and no nudge is planned into the quiet.
    #[test]
    fn quiet_hours_move_nudges_and_never_the_deadline((policy, _, now, start) in any_plan(), kind in any_kind()) {
        let open = Policy { nudge_hours: None, ..policy.clone() };
        let quiet = Policy { nudge_hours: Some(QuietHours::standard()), ..policy };
        let plan = |policy: &Policy| plan_letter(policy, &calendars(), kind, now, start);
        let (with, without) = (plan(&quiet), plan(&open));
        prop_assert_eq!((with.deadline, with.post_at), (without.deadline, without.post_at));
        prop_assert_eq!(with.phone_task_due, without.phone_task_due);
        for nudge in with.steps.iter().filter(|step| step.rung.is_nudge()) {
            prop_assert!(QuietHours::standard().allows(nudge.at));
            prop_assert!(with.urgent || nudge.at < with.deadline);
            prop_assert!(start.is_none_or(|start| nudge.at < start));
        }
        for rung in [Rung::Email, Rung::Text] {
            let known = with.at(rung).is_some() != with.skipped.iter().any(|skip| skip.rung == rung);
            prop_assert!(known, "{:?} is neither planned nor recorded as skipped", rung);
        }
    }

    /// E3 and E7: whenever somebody looks, nothing is taken before its time, nothing twice, and nothing goes back.
    #[test]
    fn no_step_is_early_or_taken_twice_and_nothing_goes_back(
        (policy, plan, now, _) in any_plan(), contacts in any_contacts(),
        minutes in proptest::collection::vec(-60i64..12 * 24 * 60, 1..12),
    ) {
        let mut nudges_and_paper = Vec::new();
        for look in live(view(&policy, &plan, contacts), moments_after(now, &minutes)) {
            match look.decision {
                Decision::Wait { until } => prop_assert!(until > look.at),
                Decision::Climb { rungs, skipped, climbed, next_due, nudge_at } => {
                    prop_assert!(climbed >= look.climbed_before);
                    prop_assert!(next_due > look.at, "an open case without a next step");
                    prop_assert!(plan.steps[look.climbed_before..climbed].iter().all(|step| step.at <= look.at), "early");
                    prop_assert!(policy.nudge_hours.is_none_or(|hours| hours.allows(nudge_at)));
                    prop_assert!(nudge_at >= look.at);
                    prop_assert!(skipped.iter().all(|skip| !skip.rung.is_nudge() || !rungs.contains(&skip.rung)));
                    nudges_and_paper.extend(rungs.into_iter().filter(|rung| rung.is_nudge() || *rung == Rung::Deadline));
                }
                Decision::Close { .. } => prop_assert!(false, "nobody opened it"),
            }
        }
        let taken = nudges_and_paper.len();
        nudges_and_paper.sort_unstable();
        nudges_and_paper.dedup();
        prop_assert_eq!(nudges_and_paper.len(), taken, "a rung was taken twice");
    }

    /// E8: however rarely somebody looks, an unopened item ends with paper or a person, and no channel is used
    /// for which there is no contact.
    #[test]
    fn an_unopened_item_always_reaches_paper_or_a_person(
        (policy, plan, now, _) in any_plan(), contacts in any_contacts(),
        minutes in proptest::collection::vec(0i64..12 * 24 * 60, 0..6),
    ) {
        let mut moments = moments_after(now, &minutes);
        moments.push(plan.deadline + TimeDelta::days(15));
        let looks = live(view(&policy, &plan, contacts), moments);
        let taken: Vec<Rung> = looks.iter().flat_map(|look| rungs(&look.decision)).collect();
        prop_assert!(taken.contains(&Rung::Deadline) || taken.contains(&Rung::PhoneTask));
        prop_assert!(contacts.address || !taken.contains(&Rung::Deadline), "paper without an address");
        prop_assert!(contacts.email || !taken.contains(&Rung::Email));
        prop_assert!(contacts.text || !taken.contains(&Rung::Text));
    }

    /// E5: from the moment it is opened, nothing more is decided.
    #[test]
    fn nothing_is_decided_after_opening((policy, plan, now, _) in any_plan(), later in 0i64..60 * 24 * 60) {
        let opened = CaseView { subject: Subject::Opened, ..view(&policy, &plan, Contacts::ALL) };
        let decision = decide(&opened, now + TimeDelta::minutes(later));
        prop_assert_eq!(decision, Decision::Close { end: CaseEnd::Opened });
    }

    /// A failed nudge never delays anything, never drops a step, and leaves what is done alone.
    #[test]
    fn a_jump_only_ever_brings_forward(
        (policy, plan, now, _) in any_plan(), contacts in any_contacts(), done in 0usize..4, later in 0i64..6_000,
    ) {
        let done = done.min(plan.steps.len());
        let at = now + TimeDelta::minutes(later);
        let jumped = jump(&policy, &calendars(), &plan, done, contacts, at);
        prop_assert_eq!(jumped.steps.len(), plan.steps.len());
        prop_assert!(jumped.steps.is_sorted() || jumped.steps[done..].is_sorted());
        prop_assert_eq!(&jumped.steps[..done], &plan.steps[..done]);
        for step in &plan.steps {
            prop_assert!(jumped.at(step.rung).is_some_and(|moved| moved <= step.at), "{:?} was delayed", step.rung);
        }
        prop_assert!(jumped.deadline <= plan.deadline);
        prop_assert!(jumped.post_at <= plan.post_at);
    }

    /// The deadline itself: never before publication, never later than the wait, in time for the appointment or now.
    #[test]
    fn a_deadline_is_the_earlier_of_the_wait_and_the_appointment(
        policy in any_policy(), kind in any_kind(), now in any_instant(), distance in any_distance(),
    ) {
        let cals = calendars();
        let start = distance.map(|distance| now + distance);
        let due = deadline(&policy, &cals, kind, now, start);
        let waited = policy.deadline_wait(kind).after(now, &cals);
        prop_assert!(due.at >= now && due.at <= waited && due.post_at > due.at);
        prop_assert_eq!(due.is_past, due.at == now);
        match start.filter(|start| *start > now) {
            Some(start) => {
                let in_time = policy.before_appointment.before(start, &cals);
                prop_assert_eq!(due.at, in_time.min(waited).max(now));
            }
            None => prop_assert_eq!((due.at, due.paper_too_late), (waited, false)),
        }
    }
}
