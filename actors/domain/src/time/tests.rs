use super::*;
use chrono::{Datelike, Timelike, Weekday};
use proptest::prelude::*;

/// An instant written as RFC 3339.
pub(crate) fn utc(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text)
        .expect("RFC 3339")
        .to_utc()
}

/// Wall-clock time in England, such as `2026-03-09 10:00` or `2026-03-09 10:00:30`.
pub(crate) fn wall(text: &str) -> DateTime<Utc> {
    let parsed = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M")
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S"));
    instant(parsed.expect("a wall-clock time"))
}

/// Any instant from 2024 to 2028, to the second.
pub(crate) fn any_instant() -> impl Strategy<Value = DateTime<Utc>> {
    (utc("2024-01-01T00:00:00Z").timestamp()..utc("2028-11-01T00:00:00Z").timestamp())
        .prop_map(|seconds| DateTime::from_timestamp(seconds, 0).expect("an instant"))
}

fn calendars() -> Calendars {
    Calendars::built_in()
}

/// The last Sunday of a month: the clocks change then, at 01:00 UTC (Summer Time Order 2002).
fn last_sunday(year: i32, month: u32) -> NaiveDate {
    (25..=31)
        .rev()
        .filter_map(|day| NaiveDate::from_ymd_opt(year, month, day))
        .find(|day| day.weekday() == Weekday::Sun)
        .expect("a month has a last Sunday")
}

fn at(day: NaiveDate, hour: u32, minute: u32) -> NaiveDateTime {
    day.and_hms_opt(hour, minute, 0).expect("a time of day")
}

#[test]
fn the_hour_that_is_skipped_in_march_means_the_moment_of_the_change() {
    for year in 2025..=2035 {
        let day = last_sunday(year, 3);
        let change = at(day, 1, 0).and_utc();
        assert_eq!(
            instant(at(day, 0, 59)),
            change - TimeDelta::minutes(1),
            "{year}"
        );
        for minute in [0, 1, 30, 59] {
            assert_eq!(
                instant(at(day, 1, minute)),
                change,
                "{year}, 01:{minute:02}"
            );
        }
        assert_eq!(instant(at(day, 2, 0)), change, "{year}");
        assert_eq!(
            instant(at(day, 2, 30)),
            change + TimeDelta::minutes(30),
            "{year}"
        );
    }
}

#[test]
fn the_hour_that_comes_twice_in_october_means_its_first_time() {
    for year in 2025..=2035 {
        let day = last_sunday(year, 10);
        let first = at(day, 0, 0).and_utc();
        assert_eq!(instant(at(day, 1, 0)), first, "{year}");
        assert_eq!(
            instant(at(day, 1, 59)),
            first + TimeDelta::minutes(59),
            "{year}"
        );
        assert_eq!(
            instant(at(day, 2, 0)),
            first + TimeDelta::hours(2),
            "{year}"
        );
    }
}

#[test]
fn r3_7_a_working_day_over_a_clock_change_ends_at_the_same_wall_clock_time() {
    for year in 2025..=2035 {
        for (month, elapsed) in [(3, 71), (10, 73)] {
            let sunday = last_sunday(year, month);
            let friday = sunday - Days::new(2);
            // Easter Monday can be the day after the March change; then one more day passes.
            let monday = sunday + Days::new(1);
            let is_holiday = calendars().bank_holidays().contains(monday)
                || calendars().bank_holidays().contains(friday);
            if is_holiday {
                continue;
            }
            let start = instant(at(friday, 12, 0));
            let end = Wait::working_days(1).after(start, &calendars());
            assert_eq!(
                local(end).naive_local(),
                at(monday, 12, 0),
                "{year}-{month}"
            );
            assert_eq!(end - start, TimeDelta::hours(elapsed), "{year}-{month}");
            assert_eq!(
                Wait::working_days(1).before(end, &calendars()),
                start,
                "{year}-{month}"
            );
        }
    }
}

#[test]
fn every_working_day_has_exactly_one_cut_off_through_all_clock_changes() {
    let calendars = calendars();
    let calendar = calendars.get(CalendarName::EnglandAndWales);
    for time in ["01:30", "17:30", "00:00"] {
        let cut_offs = CutOffs::Daily {
            at: NaiveTime::parse_from_str(time, "%H:%M").expect("a time of day"),
            calendar: CalendarName::Always,
        };
        let mut now = utc("2025-01-01T00:00:00Z") - TimeDelta::seconds(1);
        let mut day = local_date(now + TimeDelta::seconds(1));
        while day.year() <= 2035 {
            now = cut_offs.next_after(now, &calendars);
            assert_eq!(local_date(now), day, "{time}");
            day = day + Days::new(1);
        }
    }
    let mut now = utc("2025-01-01T00:00:00Z");
    while local_date(now).year() <= 2028 {
        let next = CutOffs::standard().next_after(now, &calendars);
        let wall = local(next);
        assert!(calendar.is_working_day(wall.date_naive()));
        assert_eq!((wall.hour(), wall.minute(), wall.second()), (17, 30, 0));
        let between = plus_days(local_date(now), 1);
        let skipped = between
            .iter_days()
            .take_while(|day| *day < wall.date_naive());
        assert_eq!(
            skipped.filter(|day| calendar.is_working_day(*day)).count(),
            0,
            "after {now}"
        );
        now = next;
    }
}

#[test]
fn waits_in_working_days_are_counted_as_people_count_them() {
    for (start, days, end) in [
        // An ordinary week; Monday 9 March 2026.
        ("2026-03-09 10:00", 1, "2026-03-10 10:00"),
        ("2026-03-09 10:00", 2, "2026-03-11 10:00"),
        ("2026-03-09 10:00", 5, "2026-03-16 10:00"),
        ("2026-03-13 17:00", 1, "2026-03-16 17:00"),
        // A start at the weekend counts from Monday 00:00.
        ("2026-03-14 15:00", 2, "2026-03-18 00:00"),
        ("2026-03-15 23:59", 2, "2026-03-18 00:00"),
        ("2026-03-16 00:00", 2, "2026-03-18 00:00"),
        // Easter 2026: Good Friday 3 April, Easter Monday 6 April.
        ("2026-04-02 09:30", 1, "2026-04-07 09:30"),
        ("2026-04-03 09:30", 1, "2026-04-08 00:00"),
        // Christmas 2027: 27 and 28 December are substitute days; New Year 2028 is observed on Monday the 3rd.
        ("2027-12-24 12:00", 2, "2027-12-30 12:00"),
        ("2027-12-24 12:00", 4, "2028-01-04 12:00"),
        // Over both clock changes.
        ("2026-03-27 12:00", 1, "2026-03-30 12:00"),
        ("2026-10-23 12:00", 1, "2026-10-26 12:00"),
        ("2026-03-14 15:00", 0, "2026-03-14 15:00"),
    ] {
        assert_eq!(
            Wait::working_days(days).after(wall(start), &calendars()),
            wall(end),
            "{days} after {start}"
        );
    }
}

#[test]
fn waits_in_working_days_are_counted_back_the_same_way() {
    for (end, days, start) in [
        ("2026-03-17 09:00", 6, "2026-03-09 09:00"),
        ("2026-04-07 09:30", 1, "2026-04-02 09:30"),
        // A Saturday clinic counts back from the end of Friday.
        ("2026-03-14 10:00", 1, "2026-03-13 00:00"),
        ("2026-03-14 10:00", 6, "2026-03-06 00:00"),
        ("2026-03-14 10:00", 0, "2026-03-14 10:00"),
    ] {
        assert_eq!(
            Wait::working_days(days).before(wall(end), &calendars()),
            wall(start),
            "{days} before {end}"
        );
    }
}

#[test]
fn working_hours_pass_only_while_the_booking_office_is_staffed() {
    for (start, hours, end) in [
        ("2026-03-09 10:00", 2, "2026-03-09 12:00"),
        ("2026-03-09 16:00", 2, "2026-03-09 18:00"),
        ("2026-03-09 17:00", 2, "2026-03-10 09:00"),
        ("2026-03-09 18:00", 2, "2026-03-10 10:00"),
        ("2026-03-09 03:00", 2, "2026-03-09 10:00"),
        ("2026-03-13 17:30", 1, "2026-03-16 08:30"),
        ("2026-03-14 12:00", 2, "2026-03-16 10:00"),
        ("2026-04-02 17:00", 12, "2026-04-08 09:00"),
        ("2026-03-27 17:00", 2, "2026-03-30 09:00"),
    ] {
        assert_eq!(
            Wait::working_hours(hours).after(wall(start), &calendars()),
            wall(end),
            "{hours} after {start}"
        );
    }
    for (end, hours, start) in [
        ("2026-03-10 09:00", 2, "2026-03-09 17:00"),
        ("2026-03-16 03:00", 1, "2026-03-13 17:00"),
        ("2026-03-14 12:00", 3, "2026-03-13 15:00"),
    ] {
        assert_eq!(
            Wait::working_hours(hours).before(wall(end), &calendars()),
            wall(start),
            "{hours} before {end}"
        );
    }
}

#[test]
fn the_clock_alone_counts_nights_and_holidays() {
    assert_eq!(
        Wait::hours(36).after(wall("2026-03-28 20:00"), &calendars()),
        wall("2026-03-30 09:00")
    );
    assert_eq!(
        Wait::days(2).after(utc("2026-12-24T09:00:00Z"), &calendars()),
        utc("2026-12-26T09:00:00Z")
    );
    assert_eq!(
        Wait::seconds(15).before(utc("2026-12-24T09:00:00Z"), &calendars()),
        utc("2026-12-24T08:59:45Z")
    );
}

#[test]
fn within_three_working_days_means_the_whole_third_day() {
    let calendars = calendars();
    assert_eq!(
        Wait::working_days(3).reach(wall("2026-03-09 17:30"), &calendars),
        wall("2026-03-13 00:00")
    );
    assert_eq!(
        Wait::days(3).reach(utc("2026-03-09T17:30:00Z"), &calendars),
        utc("2026-03-12T17:30:00Z")
    );
}

#[test]
fn a_nudge_that_falls_into_the_quiet_is_moved_to_its_end() {
    let hours = QuietHours::standard();
    for (at, moved) in [
        ("2026-03-09 08:00", "2026-03-09 08:00"),
        ("2026-03-09 07:59", "2026-03-09 08:00"),
        ("2026-03-09 19:59", "2026-03-09 19:59"),
        ("2026-03-09 20:00", "2026-03-10 08:00"),
        ("2026-03-14 20:00", "2026-03-16 08:00"),
        ("2026-03-15 12:00", "2026-03-16 08:00"),
        // The night of the clock change, and a bank holiday (which is not quiet).
        ("2026-03-28 23:00", "2026-03-30 08:00"),
        ("2026-12-25 12:00", "2026-12-25 12:00"),
    ] {
        assert_eq!(hours.next_allowed(wall(at)), wall(moved), "{at}");
    }
    let mondays = QuietHours {
        days: WeekDays::of(&[Weekday::Mon]),
        ..hours
    };
    assert_eq!(
        mondays.next_allowed(wall("2026-03-09 20:00")),
        wall("2026-03-16 08:00")
    );
}

#[test]
fn hours_that_lie_in_the_skipped_hour_still_open_once() {
    let (from, to) = (
        NaiveTime::from_hms_opt(1, 15, 0),
        NaiveTime::from_hms_opt(2, 30, 0),
    );
    let hours = QuietHours {
        from: from.expect("a time of day"),
        to: to.expect("a time of day"),
        days: WeekDays::EVERY_DAY,
    };
    assert_eq!(
        hours.next_allowed(wall("2026-03-29 00:30")),
        utc("2026-03-29T01:00:00Z")
    );
}

#[test]
fn a_cut_off_takes_what_is_queued_before_it_and_not_at_it() {
    let (cut_offs, calendars) = (CutOffs::standard(), calendars());
    for (at, next) in [
        ("2026-03-09 17:29", "2026-03-09 17:30"),
        ("2026-03-09 17:30", "2026-03-10 17:30"),
        ("2026-03-13 18:00", "2026-03-16 17:30"),
        ("2026-04-02 17:30", "2026-04-07 17:30"),
    ] {
        assert_eq!(
            cut_offs.next_after(wall(at), &calendars),
            wall(next),
            "{at}"
        );
    }
    let quick = CutOffs::EverySeconds(15);
    assert_eq!(
        quick.next_after(utc("2026-03-09T10:00:00Z"), &calendars),
        utc("2026-03-09T10:00:15Z")
    );
    assert_eq!(
        quick.next_after(utc("2026-03-09T10:00:14.999Z"), &calendars),
        utc("2026-03-09T10:00:15Z")
    );
}

#[test]
fn units_and_calendars_read_back() {
    for unit in Unit::ALL {
        assert_eq!(Unit::from_name(unit.name()), Some(unit));
    }
    for calendar in CalendarName::ALL {
        assert_eq!(CalendarName::from_name(calendar.name()), Some(calendar));
    }
    assert_eq!(
        WeekDays::from_bits(WeekDays::MONDAY_TO_FRIDAY.bits()),
        WeekDays::MONDAY_TO_FRIDAY
    );
    assert!(!WeekDays::MONDAY_TO_FRIDAY.has(Weekday::Sat));
}

fn any_unit() -> impl Strategy<Value = Unit> {
    proptest::sample::select(Unit::ALL.to_vec())
}

fn any_calendar() -> impl Strategy<Value = CalendarName> {
    proptest::sample::select(CalendarName::ALL.to_vec())
}

/// Minutes of staffed time in a span, counted one by one: slow, and plainly right.
fn staffed_minutes(from: DateTime<Utc>, to: DateTime<Utc>) -> i64 {
    let calendars = calendars();
    let calendar = calendars.get(CalendarName::EnglandAndWales);
    let is_staffed = |minute: &DateTime<Utc>| {
        let wall = local(*minute);
        calendar.is_working_day(wall.date_naive()) && (8..18).contains(&wall.hour())
    };
    let minutes = (to - from).num_minutes();
    let staffed = (0..minutes)
        .map(|n| from + TimeDelta::minutes(n))
        .filter(is_staffed)
        .count();
    i64::try_from(staffed).expect("a count")
}

proptest! {
    #[test]
    fn longer_waits_and_later_starts_never_end_earlier(
        start in any_instant(), later in 0i64..1_000_000, amount in 0u32..40, more in 0u32..10,
        unit in any_unit(), calendar in any_calendar(),
    ) {
        let calendars = calendars();
        let wait = Wait { amount, unit, calendar };
        let end = wait.after(start, &calendars);
        prop_assert!(end >= start);
        prop_assert!(wait.before(start, &calendars) <= start);
        let longer = Wait { amount: amount + more, ..wait };
        prop_assert!(longer.after(start, &calendars) >= end);
        // Zero waits end at once on any day, so monotony in the start is a rule for real waits.
        prop_assert!(wait.after(start + TimeDelta::seconds(later), &calendars) >= end);
    }

    #[test]
    fn two_waits_are_one_wait_of_their_sum(
        start in any_instant(), a in 0u32..20, b in 0u32..20, unit in any_unit(), calendar in any_calendar(),
    ) {
        let calendars = calendars();
        let wait = |amount| Wait { amount, unit, calendar };
        let in_two = wait(b).after(wait(a).after(start, &calendars), &calendars);
        prop_assert_eq!(in_two, wait(a + b).after(start, &calendars));
        let back_in_two = wait(b).before(wait(a).before(start, &calendars), &calendars);
        // An end of working time is also the beginning of the next: both instants are the same working time.
        let back = wait(a + b).before(start, &calendars);
        prop_assert_eq!(wait(1).after(back_in_two, &calendars), wait(1).after(back, &calendars));
    }

    #[test]
    fn counting_back_undoes_counting_on(start in any_instant(), days in 1u32..30) {
        let calendars = calendars();
        let wait = Wait::working_days(days);
        let end = wait.after(start, &calendars);
        let back = wait.before(end, &calendars);
        prop_assert!(back >= start, "counted back before the start");
        prop_assert_eq!(wait.after(back, &calendars), end);
    }

    #[test]
    fn working_days_pass_exactly_so_many(start in any_instant(), days in 1u32..30) {
        let calendars = calendars();
        let calendar = calendars.get(CalendarName::EnglandAndWales);
        let end = Wait::working_days(days).after(start, &calendars);
        let first = calendar.working_day_from(local_date(start));
        let passed = first.iter_days().skip(1).take_while(|day| *day <= local_date(end));
        prop_assert_eq!(passed.filter(|day| calendar.is_working_day(*day)).count(), days as usize);
        prop_assert!(calendar.is_working_day(local_date(end)));
    }

    #[test]
    fn working_hours_pass_exactly_so_many(start in any_instant(), hours in 1u32..25) {
        let calendars = calendars();
        let start = start.with_second(0).expect("a whole minute");
        let end = Wait::working_hours(hours).after(start, &calendars);
        prop_assert_eq!(staffed_minutes(start, end), i64::from(hours) * 60);
        let begin = Wait::working_hours(hours).before(start, &calendars);
        prop_assert_eq!(staffed_minutes(begin, start), i64::from(hours) * 60);
    }

    #[test]
    fn a_moved_nudge_is_never_early_never_in_the_quiet_and_never_moved_twice(at in any_instant(), days in 1u8..128) {
        let hours = QuietHours { days: WeekDays::from_bits(days), ..QuietHours::standard() };
        let moved = hours.next_allowed(at);
        prop_assert!(moved >= at && hours.allows(moved));
        prop_assert_eq!(hours.next_allowed(moved), moved);
        prop_assert!(moved - at <= TimeDelta::days(8));
    }

    #[test]
    fn cut_offs_come_after_and_nothing_lies_between(at in any_instant(), period in 1u32..1_000) {
        let calendars = calendars();
        for cut_offs in [CutOffs::standard(), CutOffs::EverySeconds(period)] {
            let next = cut_offs.next_after(at, &calendars);
            prop_assert!(next > at);
            prop_assert_eq!(cut_offs.next_after(next - TimeDelta::seconds(1), &calendars), next);
        }
    }
}
