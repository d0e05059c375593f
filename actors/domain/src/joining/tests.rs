use chrono::Days;
use proptest::prelude::*;

use super::*;
use crate::time;

const NUMBER: &str = "9990000018";

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn born(text: &str) -> Option<BirthDate> {
    Some(text.parse().expect("a date of birth"))
}

fn number() -> NhsNumber {
    NhsNumber::parse(NUMBER).expect("valid")
}

/// A grown-up of the area who has proved who she is.
fn margaret() -> Facts<'static> {
    Facts {
        proofing: Proofing::P9,
        born: born("1951-04-03"),
        today: day("2026-11-22"),
        nhs_number: Some(NUMBER),
        practice: Practice::InArea,
        has_verified_email: true,
    }
}

#[test]
fn r6_3_whoever_lives_here_and_has_proved_it_may_join() {
    assert_eq!(judge(&margaret()), Standing::Join(number()));
}

#[test]
fn r9_2_only_a_proved_identity_gets_an_account() {
    for proofing in [Proofing::P0, Proofing::P5] {
        let facts = Facts {
            proofing,
            ..margaret()
        };
        assert_eq!(judge(&facts), Standing::Refused(NoAccount::Unproven));
    }
    let nameless = Facts {
        born: None,
        ..margaret()
    };
    assert_eq!(judge(&nameless), Standing::Refused(NoAccount::Unproven));
    for (name, level) in [
        ("P9", Some(Proofing::P9)),
        ("P9.Cp.Cd", Some(Proofing::P9)),
        ("P5.Cp", Some(Proofing::P5)),
        ("P0", Some(Proofing::P0)),
        ("P90", None),
        ("p9", None),
        ("", None),
    ] {
        assert_eq!(Proofing::from_name(name), level, "{name}");
    }
}

#[test]
fn r6_1_sixteen_is_reached_on_the_birthday_and_a_leap_day_birthday_on_the_first_of_march() {
    for (born_on, today, may) in [
        ("2010-11-23", "2026-11-22", false),
        ("2010-11-22", "2026-11-22", true),
        ("2012-02-29", "2028-02-28", false),
        ("2012-02-29", "2028-02-29", true),
        ("2084-02-29", "2100-02-28", false),
        ("2084-02-29", "2100-03-01", true),
        ("2027-01-01", "2026-11-22", false),
    ] {
        let facts = Facts {
            born: born(born_on),
            today: day(today),
            ..margaret()
        };
        let expected = if may {
            Standing::Join(number())
        } else {
            Standing::Refused(NoAccount::Under16)
        };
        assert_eq!(judge(&facts), expected, "born {born_on}, today {today}");
    }
}

#[test]
fn r6_1_the_day_is_the_one_in_england() {
    // 22:30 UTC on 30 June is 23:30 in London; 23:30 UTC is half past midnight on 1 July there.
    let before = "2026-06-30T22:30:00Z".parse().expect("an instant");
    let after = "2026-06-30T23:30:00Z".parse().expect("an instant");
    let at = |now| Facts {
        born: born("2010-07-01"),
        today: time::local_date(now),
        ..margaret()
    };
    assert_eq!(
        judge(&at(before)),
        Standing::Refused(NoAccount::Under16),
        "still 30 June"
    );
    assert_eq!(judge(&at(after)), Standing::Join(number()), "1 July");
}

#[test]
fn r6_2_without_a_valid_nhs_number_there_is_no_mailbox() {
    for wrong in [
        None,
        Some(""),
        Some("9990000019"),
        Some("0101010107"),
        Some("999"),
    ] {
        let facts = Facts {
            nhs_number: wrong,
            ..margaret()
        };
        assert_eq!(
            judge(&facts),
            Standing::CarerOnly(NoMailbox::NoNhsNumber),
            "{wrong:?}"
        );
    }
}

#[test]
fn r6_3_other_practices_may_help_but_get_no_letters_here() {
    for (practice, why) in [
        (Practice::Elsewhere, NoMailbox::OutsideArea),
        (Practice::Wales, NoMailbox::Wales),
        (Practice::None, NoMailbox::NoPractice),
    ] {
        let facts = Facts {
            practice,
            ..margaret()
        };
        assert_eq!(judge(&facts), Standing::CarerOnly(why));
        assert_eq!(NoMailbox::from_name(why.name()), Some(why));
    }
}

#[test]
fn an_account_needs_a_verified_email_address() {
    let facts = Facts {
        has_verified_email: false,
        ..margaret()
    };
    assert_eq!(judge(&facts), Standing::Refused(NoAccount::UnverifiedEmail));
    assert_eq!(
        judge_return(&facts, Some(&number())),
        Return::Welcome,
        "hers was verified when she joined"
    );
}

#[test]
fn a_member_who_comes_back_is_welcome_unless_she_moved() {
    let member = number();
    let back = |practice| {
        let facts = Facts {
            practice,
            ..margaret()
        };
        judge_return(&facts, Some(&member))
    };
    assert_eq!(back(Practice::InArea), Return::Welcome);
    assert_eq!(back(Practice::None), Return::Welcome);
    assert_eq!(back(Practice::Elsewhere), Return::Leave(Left::MovedAway));
    assert_eq!(back(Practice::Wales), Return::Leave(Left::MovedToWales));
}

#[test]
fn case_90_a_changed_number_never_opens_the_old_mailbox() {
    let member = number();
    for (said, outcome) in [
        (Some("999 000 0018"), Return::Welcome),
        (Some("9990000026"), Return::NumberChanged),
        (Some("9990000019"), Return::NumberChanged),
        (None, Return::NumberChanged),
    ] {
        let facts = Facts {
            nhs_number: said,
            ..margaret()
        };
        assert_eq!(judge_return(&facts, Some(&member)), outcome, "{said:?}");
        assert_eq!(
            judge_return(&facts, None),
            Return::Welcome,
            "a carer has no mailbox to lose"
        );
    }
    let moved_too = Facts {
        nhs_number: Some("9990000026"),
        practice: Practice::Elsewhere,
        ..margaret()
    };
    assert_eq!(
        judge_return(&moved_too, Some(&member)),
        Return::NumberChanged,
        "nothing of the old mailbox is touched"
    );
}

#[test]
fn family_names_are_compared_as_a_careful_clerk_does() {
    for (one, other, same) in [
        ("Preece", "PREECE", true),
        ("O'Neill", "ONEILL", true),
        ("O’Neill", "O'Neill", true),
        ("Smith-Jones", "Smith Jones", true),
        ("Ŵyn", "Wyn", true),
        ("Weiß", "WEISS", true),
        ("Preece", "Preec", false),
        ("Preece", "Price", false),
        ("", "", false),
        ("-", "'", false),
    ] {
        assert_eq!(is_same_family_name(one, other), same, "{one} and {other}");
    }
}

proptest! {
    #[test]
    fn nobody_under_sixteen_or_unproved_ever_gets_an_account(
        days_ago in 0u64..20_000, p in 0usize..3, practice in 0usize..4, email: bool, has_number: bool,
    ) {
        let today = day("2026-11-22");
        let date = today.checked_sub_days(Days::new(days_ago)).expect("a day");
        let facts = Facts {
            proofing: [Proofing::P0, Proofing::P5, Proofing::P9][p],
            born: BirthDate::new(date).ok(),
            today,
            nhs_number: has_number.then_some(NUMBER),
            practice: [Practice::None, Practice::InArea, Practice::Wales, Practice::Elsewhere][practice],
            has_verified_email: email,
        };
        let grown = today.years_since(date).is_some_and(|age| age >= 16);
        let account = !matches!(judge(&facts), Standing::Refused(_));
        prop_assert_eq!(account, grown && email && p == 2);
        let mailbox = matches!(judge(&facts), Standing::Join(_));
        prop_assert_eq!(mailbox, account && practice == 1 && has_number);
        let signed_in = matches!(judge_return(&facts, Some(&number())), Return::Welcome | Return::Leave(_));
        prop_assert_eq!(signed_in, grown && p == 2 && has_number);
    }

    #[test]
    fn a_family_name_is_the_same_as_itself(name in "[A-Za-zÀ-ž' -]{0,12}[A-Za-z]") {
        prop_assert!(is_same_family_name(&name, &name.to_uppercase()));
    }
}
