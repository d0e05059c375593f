use super::*;
use crate::time::tests::{any_instant, utc, wall};
use proptest::prelude::*;

const MARGARET: Audience<'_> = Audience::Carer {
    patient: "Margaret",
};

fn said(standing: Standing<'_>, reader: Audience<'_>) -> String {
    line(
        &standing,
        reader,
        Precision::Day,
        local_date(wall("2025-11-22 12:00")),
    )
}

#[test]
fn the_patient_reads_one_dated_sentence_from_publication_to_the_end() {
    let at = wall("2025-11-25 17:30");
    let opened = wall("2025-11-22 10:06");
    let susan = Opener::Carer {
        name: "Susan",
        is_reader: false,
    };
    for (standing, sentence) in [
        (
            Standing::WillPost { at },
            "New. We will post this on Tue 25 Nov unless you open it",
        ),
        (
            Standing::WillPhone { by: at },
            "New. We will phone you by 17:30 on Tue 25 Nov unless you open it",
        ),
        (
            Standing::WillPhone {
                by: wall("2025-11-22 16:00"),
            },
            "New. We will phone you by 16:00 today unless you open it",
        ),
        (Standing::New, "New"),
        (
            Standing::Opened {
                at: opened,
                by: Opener::Patient,
            },
            "Opened by you 22 Nov",
        ),
        (
            Standing::Opened {
                at: opened,
                by: susan,
            },
            "Opened by Susan for you 22 Nov",
        ),
        (
            Standing::BeingPosted { since: at },
            "Being posted since 25 Nov",
        ),
        (Standing::Posted { at }, "Posted 25 Nov"),
        (
            Standing::OpenedAfterPosting {
                posted: at,
                at: wall("2025-11-27 09:00"),
                by: Opener::Patient,
            },
            "Posted 25 Nov. Opened by you 27 Nov",
        ),
        (
            Standing::GoesByPost { at },
            "We will post this on Tue 25 Nov",
        ),
        (Standing::HospitalPosts, "The hospital is posting this"),
        (
            Standing::ToldByPhone { at: opened },
            "We spoke to you 22 Nov",
        ),
        (
            Standing::WithTheHospital,
            "The hospital will contact you about this",
        ),
        (
            Standing::Withdrawn { at: opened },
            "Withdrawn by the hospital 22 Nov",
        ),
        (
            Standing::Superseded { at: opened },
            "Replaced by a newer one 22 Nov",
        ),
        (
            Standing::NotMine { at: opened },
            "Reported as not yours 22 Nov. The hospital is looking into it",
        ),
    ] {
        assert_eq!(said(standing, Audience::Patient), sentence);
    }
}

#[test]
fn carers_and_trusts_read_the_same_sentence_about_the_patient() {
    let at = wall("2025-11-25 17:30");
    let opened = wall("2025-11-22 10:06");
    let by_susan = |is_reader| Standing::Opened {
        at: opened,
        by: Opener::Carer {
            name: "Susan",
            is_reader,
        },
    };
    let by_patient = Standing::Opened {
        at: opened,
        by: Opener::Patient,
    };
    for (standing, reader, sentence) in [
        (
            Standing::WillPost { at },
            MARGARET,
            "New. We will post this on Tue 25 Nov unless Margaret opens it",
        ),
        (
            Standing::WillPost { at },
            Audience::Trust,
            "New. We will post this on Tue 25 Nov unless the patient opens it",
        ),
        (by_patient, MARGARET, "Opened by Margaret 22 Nov"),
        (by_patient, Audience::Trust, "Opened by patient 22 Nov"),
        (
            by_susan(true),
            MARGARET,
            "Opened by you for Margaret 22 Nov",
        ),
        (
            by_susan(false),
            MARGARET,
            "Opened by Susan for Margaret 22 Nov",
        ),
        (
            by_susan(false),
            Audience::Trust,
            "Opened by a carer for the patient 22 Nov",
        ),
        (
            Standing::WillPhone { by: at },
            Audience::Trust,
            "New. We will phone the patient by 17:30 on Tue 25 Nov unless the patient opens it",
        ),
    ] {
        assert_eq!(said(standing, reader), sentence);
    }
}

#[test]
fn in_a_demonstration_the_time_of_day_stands_for_the_day() {
    let at = utc("2025-11-25T10:06:45Z");
    let sentence = line(
        &Standing::WillPost { at },
        Audience::Patient,
        Precision::Second,
        local_date(at),
    );
    assert_eq!(
        sentence,
        "New. We will post this at 10:06:45 unless you open it"
    );
    let posted = line(
        &Standing::Posted { at },
        Audience::Patient,
        Precision::Second,
        local_date(at),
    );
    assert_eq!(posted, "Posted 10:06:45");
}

#[test]
fn dates_are_those_of_the_wall_calendar_in_summer_too() {
    // 23:30 UTC on 30 June is half past midnight on 1 July in England.
    let at = utc("2025-06-30T23:30:00Z");
    assert_eq!(when(at, Precision::Day, local_date(at)), "on Tue 1 Jul");
    assert_eq!(when(at, Precision::Second, local_date(at)), "at 00:30:00");
}

#[test]
fn a_year_is_named_when_the_date_would_mislead_without() {
    let today = local_date(wall("2026-12-30 12:00"));
    assert_eq!(
        when(wall("2027-01-04 17:30"), Precision::Day, today),
        "on Mon 4 Jan"
    );
    let last_year = Standing::Posted {
        at: wall("2025-11-25 17:30"),
    };
    assert_eq!(
        line(&last_year, Audience::Patient, Precision::Day, today),
        "Posted 25 Nov 2025"
    );
}

#[test]
fn precisions_read_back() {
    for precision in [Precision::Day, Precision::Second] {
        assert_eq!(Precision::from_name(precision.name()), Some(precision));
    }
}

fn any_standing() -> impl Strategy<Value = Standing<'static>> {
    (any_instant(), any_instant(), any::<bool>(), 0u8..13).prop_map(
        |(at, posted, by_carer, which)| {
            let carer = Opener::Carer {
                name: "Susan",
                is_reader: false,
            };
            let by = if by_carer { carer } else { Opener::Patient };
            match which {
                0 => Standing::WillPost { at },
                1 => Standing::WillPhone { by: at },
                2 => Standing::New,
                3 => Standing::GoesByPost { at },
                4 => Standing::HospitalPosts,
                5 => Standing::BeingPosted { since: at },
                6 => Standing::Posted { at },
                7 => Standing::Opened { at, by },
                8 => Standing::OpenedAfterPosting { posted, at, by },
                9 => Standing::ToldByPhone { at },
                10 => Standing::WithTheHospital,
                11 => Standing::Withdrawn { at },
                _ => Standing::Superseded { at },
            }
        },
    )
}

proptest! {
    #[test]
    fn no_reader_meets_the_words_of_the_machine(standing in any_standing(), now in any_instant()) {
        for reader in [Audience::Patient, MARGARET, Audience::Trust] {
            for precision in [Precision::Day, Precision::Second] {
                let said = line(&standing, reader, precision, local_date(now)).to_lowercase();
                for word in ["case", "ladder", "rung", "escalat", "handed", "dispatch", "null", "none", "  "] {
                    prop_assert!(!said.contains(word), "{said}");
                }
                prop_assert!(!said.ends_with([' ', '.']));
            }
        }
    }

    #[test]
    fn a_trusts_line_names_nobody(standing in any_standing(), now in any_instant()) {
        let said = line(&standing, Audience::Trust, Precision::Day, local_date(now));
        prop_assert!(!said.contains("Susan") && !said.contains("Margaret"), "{said}");
    }
}
