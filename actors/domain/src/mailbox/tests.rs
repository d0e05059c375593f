use proptest::prelude::*;

use super::*;
use crate::circle::{Grant, Ticks};
use crate::id::{AccountId, EventId, GrantId, GrantsVersion, PatientId};
use crate::time::tests::utc;

fn letter(n: u128) -> ItemRef {
    ItemRef::Letter(Uuid::from_u128(n).into())
}

fn visit(n: u128) -> ItemRef {
    ItemRef::Appointment(Uuid::from_u128(n).into())
}

fn event(seq: i64, kind: EventKind, item: ItemRef) -> Event {
    let share = match item {
        ItemRef::Letter(_) => ShareKind::ClinicLetters,
        ItemRef::Appointment(_) => ShareKind::Appointments,
    };
    Event {
        id: EventId::from(Uuid::from_u128(seq.unsigned_abs().into())),
        patient: PatientId::from(Uuid::from_u128(7)),
        seq: Seq(seq),
        kind,
        item,
        share,
        restricted: false,
        at: utc("2026-03-09T10:00:00Z") + chrono::TimeDelta::seconds(seq),
        due: None,
    }
}

fn patient() -> Viewer {
    Viewer::Patient {
        account: AccountId::from(Uuid::from_u128(1)),
    }
}

fn carer(ticks: Ticks) -> Viewer {
    Viewer::Carer(Grant {
        id: GrantId::from(Uuid::from_u128(2)),
        patient: PatientId::from(Uuid::from_u128(7)),
        carer: AccountId::from(Uuid::from_u128(3)),
        ticks,
        may_read_for_me: false,
        version: GrantsVersion(1),
    })
}

#[test]
fn events_are_applied_once_and_in_order() {
    let mut mailbox = Mailbox::empty();
    let first = event(1, EventKind::LetterPublished, letter(1));
    let third = event(3, EventKind::LetterOpened, letter(1));
    assert_eq!(mailbox.apply(&third), Applied::Gap);
    assert_eq!(mailbox, Mailbox::empty(), "a gap changes nothing");
    assert_eq!(mailbox.apply(&first), Applied::New);
    assert_eq!(mailbox.apply(&first), Applied::Seen);
    assert_eq!((mailbox.head(), mailbox.items().len()), (Seq(1), 1));
}

#[test]
fn an_unread_letter_counts_until_it_is_opened_or_taken_back() {
    for (kind, unread) in [
        (EventKind::LetterPublished, 1),
        (EventKind::PromiseChanged, 1),
        (EventKind::LetterPosted, 1),
        (EventKind::LetterOpened, 0),
        (EventKind::LetterWithdrawn, 0),
        (EventKind::LetterSuperseded, 0),
    ] {
        let events = [
            event(1, EventKind::LetterPublished, letter(1)),
            event(2, kind, letter(1)),
        ];
        assert_eq!(
            Mailbox::replay(&events).unread_for(&patient()),
            unread,
            "{kind:?}"
        );
    }
}

#[test]
fn a_moved_or_cancelled_appointment_is_news_again() {
    let mut events = vec![
        event(1, EventKind::AppointmentPublished, visit(1)),
        event(2, EventKind::AppointmentOpened, visit(1)),
    ];
    assert_eq!(Mailbox::replay(&events).unread_for(&patient()), 0);
    events.push(event(3, EventKind::AppointmentMoved, visit(1)));
    assert_eq!(Mailbox::replay(&events).unread_for(&patient()), 1);
    events.push(event(4, EventKind::AppointmentCancelled, visit(1)));
    let mailbox = Mailbox::replay(&events);
    assert!(
        mailbox
            .get(visit(1))
            .is_some_and(|item| item.is_gone() && item.is_unread())
    );
}

#[test]
fn a_carer_is_told_once_that_a_row_leaves_and_then_nothing() {
    let susan = carer(Ticks::of(&[ShareKind::ClinicLetters]));
    let stranger = carer(Ticks::of(&[ShareKind::Appointments]));
    let published = event(1, EventKind::LetterPublished, letter(1));
    let hidden = event(2, EventKind::ItemHidden, letter(1));
    let opened = event(3, EventKind::LetterOpened, letter(1));
    let shown = event(4, EventKind::ItemShown, letter(1));
    let mut mailbox = Mailbox::empty();
    for (event, susan_hears) in [
        (&published, true),
        (&hidden, true),
        (&opened, false),
        (&shown, true),
    ] {
        assert_eq!(mailbox.apply(event), Applied::New);
        assert_eq!(
            mailbox.tells(event, &susan),
            susan_hears,
            "{:?}",
            event.kind
        );
        assert!(!mailbox.tells(event, &stranger), "{:?}", event.kind);
        assert!(mailbox.tells(event, &patient()), "{:?}", event.kind);
    }
    assert_eq!(mailbox.visible_to(&susan).count(), 1);
}

#[test]
fn a_restricted_item_is_never_shown_to_a_carer_not_even_leaving() {
    let susan = carer(Ticks::of(&ShareKind::ALL));
    let mut mailbox = Mailbox::empty();
    for (seq, kind) in [
        (1, EventKind::LetterPublished),
        (2, EventKind::ItemHidden),
        (3, EventKind::ItemShown),
    ] {
        let event = Event {
            restricted: true,
            ..event(seq, kind, letter(1))
        };
        assert_eq!(mailbox.apply(&event), Applied::New);
        assert!(!mailbox.tells(&event, &susan), "{kind:?}");
    }
    assert_eq!(
        (
            mailbox.visible_to(&susan).count(),
            mailbox.unread_for(&susan)
        ),
        (0, 0)
    );
}

#[test]
fn an_item_from_the_store_is_what_its_events_would_have_made_of_it() {
    let due = Some(utc("2026-03-11T17:30:00Z"));
    let events = [
        Event {
            due,
            ..event(1, EventKind::LetterPublished, letter(1))
        },
        Event {
            due,
            ..event(2, EventKind::ItemHidden, letter(1))
        },
    ];
    let from_store = MailboxItem::from(ItemFacts {
        item: letter(1),
        latest: EventKind::ItemHidden,
        seq: Seq(2),
        at: events[1].at,
        due,
        share: ShareKind::ClinicLetters,
        restricted: false,
        hidden: true,
        opened: false,
        gone: false,
        posted: false,
    });
    let replayed = Mailbox::replay(&events);
    assert_eq!(Mailbox::load(Seq(2), vec![from_store]), replayed);
    let item = replayed.get(letter(1)).expect("it is there");
    assert_eq!(
        (item.at(), item.due(), item.seq(), item.item()),
        (events[1].at, due, Seq(2), letter(1))
    );
    assert!(item.is_hidden() && !item.is_posted() && !item.is_restricted());
}

#[test]
fn a_mailbox_loaded_with_an_item_twice_keeps_the_later() {
    let item = |seq: i64| {
        *Mailbox::replay(&[Event {
            seq: Seq(1),
            ..event(seq, EventKind::LetterPublished, letter(1))
        }])
        .get(letter(1))
        .expect("it is there")
    };
    let newer = MailboxItem {
        seq: Seq(9),
        ..item(9)
    };
    assert_eq!(
        Mailbox::load(Seq(9), vec![item(1), newer, item(2)]).items(),
        [newer]
    );
}

#[test]
fn a_letter_and_an_appointment_of_the_same_number_are_two_items() {
    let events = [
        event(1, EventKind::LetterPublished, letter(1)),
        event(2, EventKind::AppointmentPublished, visit(1)),
    ];
    assert_eq!(Mailbox::replay(&events).items().len(), 2);
}

/// A log as the store would write it: dense numbers, any kinds, a few items.
fn any_log() -> impl Strategy<Value = Vec<Event>> {
    let kinds = proptest::sample::select(EventKind::ALL.to_vec());
    proptest::collection::vec((kinds, 0u128..6, any::<bool>(), any::<bool>()), 0..60).prop_map(
        |rows| {
            rows.into_iter()
                .zip(1i64..)
                .map(|((kind, item, is_letter, restricted), seq)| {
                    let item = if is_letter { letter(item) } else { visit(item) };
                    Event {
                        restricted,
                        ..event(seq, kind, item)
                    }
                })
                .collect()
        },
    )
}

proptest! {
    /// M7: what is in memory is the fold of the log, however it was delivered.
    #[test]
    fn duplicates_and_reordering_end_in_the_same_mailbox(
        log in any_log(), noise in proptest::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..80),
    ) {
        let whole = Mailbox::replay(&log);
        let mut mailbox = Mailbox::empty();
        for (index, reread) in noise {
            if log.is_empty() {
                break;
            }
            let event = index.get(&log);
            // On a gap the actor reads again from its head, as here.
            if mailbox.apply(event) == Applied::Gap && reread {
                let from = usize::try_from(mailbox.head().get()).expect("small");
                for missed in &log[from..] {
                    mailbox.apply(missed);
                }
            }
        }
        let from = usize::try_from(mailbox.head().get()).expect("small");
        for missed in &log[from..] {
            prop_assert_eq!(mailbox.apply(missed), Applied::New);
        }
        prop_assert_eq!(mailbox.head().get(), i64::try_from(log.len()).expect("small"));
        prop_assert_eq!(&mailbox, &whole);
    }

    /// Stopping anywhere and loading what was there gives the same as never having stopped.
    #[test]
    fn a_rebuilt_mailbox_goes_on_as_if_nothing_had_happened(log in any_log(), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(log.len() + 1);
        let before = Mailbox::replay(&log[..cut]);
        let mut items = before.items().to_vec();
        items.reverse();
        let mut rebuilt = Mailbox::load(before.head(), items);
        for event in &log[cut..] {
            rebuilt.apply(event);
        }
        prop_assert_eq!(rebuilt, Mailbox::replay(&log));
    }

    /// I12: a carer is told of exactly what the ticks cover, apart from the one event that takes a row away.
    #[test]
    fn a_carer_hears_only_what_the_ticks_cover(log in any_log(), bits in any::<u8>()) {
        let viewer = carer(Ticks::from_bits(bits));
        let mut mailbox = Mailbox::empty();
        for event in &log {
            mailbox.apply(event);
            let visible = mailbox.get(event.item).is_some_and(|item| item.is_visible_to(&viewer));
            if mailbox.tells(event, &viewer) && !visible {
                prop_assert_eq!(event.kind, EventKind::ItemHidden);
                prop_assert!(viewer.sees(event.share, event.restricted, false));
            }
            prop_assert!(!visible || mailbox.tells(event, &viewer));
            prop_assert!(mailbox.unread_for(&viewer) <= mailbox.visible_to(&viewer).count());
        }
    }
}
