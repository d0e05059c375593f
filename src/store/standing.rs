//! How a letter or an appointment's change stands, as the promise line tells it. Reads facts; words are the domain's.

use chrono::{DateTime, Utc};
use letterbox_domain::case::CaseEnd;
use letterbox_domain::id::AccountId;
use letterbox_domain::ladder::{Rung, phone_useful_until};
use letterbox_domain::letter::LetterState;
use letterbox_domain::policy::Policy;
use letterbox_domain::promise::{self, Audience, Opener, Standing};
use letterbox_domain::route::Route;
use letterbox_domain::time::{Calendars, local_date};
use tokio_postgres::Row;
use uuid::Uuid;

use super::StoreError;

/// Facts of a case `c`; see [`print_join!`].
macro_rules! case_facts {
    () => {
        "c.id AS case_id, c.policy_version, c.step_rungs, c.deadline_at, c.promised_at, c.created_at AS case_created_at, \
         c.ended_at, c.end_kind, c.end_detail, print.closed_at AS batch_closed_at, \
         EXISTS (SELECT FROM tasks t WHERE t.case_id = c.id AND t.closed_at IS NULL AND t.kind <> 'phone') AS in_hand, \
         EXISTS (SELECT FROM dispatches asked WHERE asked.case_id = c.id AND asked.asked_at IS NOT NULL) AS paper_asked, \
         app_now() AS now"
    };
}

/// Join for [`case_facts!`].
macro_rules! print_join {
    () => {
        " LEFT JOIN LATERAL (SELECT b.closed_at FROM dispatches d JOIN print_items i ON i.dispatch_id = d.id \
              JOIN print_batches b ON b.id = i.batch_id \
              WHERE d.case_id = c.id AND i.state = 'sent' LIMIT 1) AS print ON true "
    };
}

/// Facts of a relation `l` (letters) with its case `c`, its batch and its opener; see [`letter_joins!`].
macro_rules! letter_facts {
    () => {
        concat!(
            "l.state, l.route, l.opened_at, l.posted_at, l.withdrawn_at AS gone_at, l.not_mine_at, \
             l.opened_by_account_id IS DISTINCT FROM m.account_id AS opened_by_carer, opener.display_name AS opener, l.opened_by_account_id AS opened_by, \
             about.starts_at AS known_by, ",
            $crate::store::standing::case_facts!()
        )
    };
}

/// Joins for [`letter_facts!`].
macro_rules! letter_joins {
    () => {
        concat!(
            " LEFT JOIN cases c ON c.letter_id = l.id \
              LEFT JOIN appointments about ON about.id = l.appointment_id \
              LEFT JOIN memberships m ON m.patient_id = l.patient_id \
              LEFT JOIN accounts opener ON opener.id = l.opened_by_account_id ",
            $crate::store::standing::print_join!()
        )
    };
}

pub(super) use {case_facts, letter_facts, letter_joins, print_join};

/// What a promise line is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The letter's state; for an appointment's change `Published` or `Opened`.
    pub state: LetterState,
    /// Who delivers.
    pub route: Route,
    /// When it was opened.
    pub opened_at: Option<DateTime<Utc>>,
    /// The given name of the carer who opened it, if a carer did.
    pub opened_by_carer: Option<String>,
    /// Whose account it was.
    pub opened_by: Option<AccountId>,
    /// When the print house acknowledged it.
    pub posted_at: Option<DateTime<Utc>>,
    /// When it was withdrawn or replaced.
    pub gone_at: Option<DateTime<Utc>>,
    /// When the patient said that it is not theirs.
    pub not_mine_at: Option<DateTime<Utc>>,
    /// The case; a letter that the hospital posts itself has none.
    pub case: Option<CaseFacts>,
    /// Start of the appointment it is about.
    pub known_by: Option<DateTime<Utc>>,
}

/// What a promise line needs of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseFacts {
    /// Under which policy it runs.
    pub policy_version: i32,
    /// Whether somebody phones because paper comes too late.
    pub phones: bool,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When paper or a person takes over.
    pub deadline_at: DateTime<Utc>,
    /// The cut-off that takes the paper.
    pub promised_at: Option<DateTime<Utc>>,
    /// How and when it ended.
    pub end: Option<(CaseEnd, DateTime<Utc>)>,
    /// What exactly ended it, such as `told_by_phone`.
    pub end_detail: Option<String>,
    /// When the batch that holds its paper was closed, until the print house has answered.
    pub batch_closed_at: Option<DateTime<Utc>>,
    /// A person has an open task about it other than phoning.
    pub in_hand: bool,
    /// The patient has asked for it on paper too, so opening does not call the paper off.
    pub paper_asked: bool,
}

impl Facts {
    /// From a row with the columns of [`letter_facts!`].
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        let state: &str = row.get("state");
        let route: &str = row.get("route");
        let by_carer = row.get::<_, bool>("opened_by_carer");
        let opener = row.get::<_, Option<String>>("opener").filter(|_| by_carer);
        Ok(Self {
            state: LetterState::from_name(state)
                .ok_or_else(|| StoreError::corrupt("letters", "state", "no such state"))?,
            route: Route::from_name(route)
                .ok_or_else(|| StoreError::corrupt("letters", "route", "no such route"))?,
            opened_at: row.get("opened_at"),
            opened_by_carer: opener.map(|name| given(&name)),
            opened_by: row.get::<_, Option<Uuid>>("opened_by").map(AccountId::from),
            posted_at: row.get("posted_at"),
            gone_at: row.get("gone_at"),
            not_mine_at: row.get("not_mine_at"),
            case: CaseFacts::read(row)?,
            known_by: row.get("known_by"),
        })
    }

    /// How it stands, for whoever is not one of its openers. `policy` is the case's.
    #[must_use]
    pub fn standing(&self, policy: &Policy, calendars: &Calendars) -> Standing<'_> {
        self.standing_to(None, policy, calendars)
    }

    /// How it stands, for this reader: a carer who opened it reads "you".
    #[must_use]
    pub fn standing_to(
        &self,
        reader: Option<AccountId>,
        policy: &Policy,
        calendars: &Calendars,
    ) -> Standing<'_> {
        match (self.state, self.gone_at) {
            (LetterState::Withdrawn, Some(at)) => return Standing::Withdrawn { at },
            (LetterState::Superseded, Some(at)) => return Standing::Superseded { at },
            _ => {}
        }
        if let Some(at) = self.not_mine_at {
            return Standing::NotMine { at };
        }
        if let Some(at) = self.opened_at {
            let by = match &self.opened_by_carer {
                Some(name) => Opener::Carer {
                    name,
                    is_reader: reader.is_some() && reader == self.opened_by,
                },
                None => Opener::Patient,
            };
            return match self.posted_at.filter(|posted| *posted < at) {
                Some(posted) => Standing::OpenedAfterPosting { posted, at, by },
                None => Standing::Opened { at, by },
            };
        }
        if let Some(at) = self.posted_at {
            return Standing::Posted { at };
        }
        match &self.case {
            None if self.route == Route::Portal => Standing::New,
            None => Standing::HospitalPosts,
            Some(case) => case.standing(self.route, self.known_by, policy, calendars),
        }
    }

    /// The sentence for the trust; names nobody.
    #[must_use]
    pub fn promise(&self, policy: &Policy, calendars: &Calendars, now: DateTime<Utc>) -> String {
        promise::line(
            &self.standing(policy, calendars),
            Audience::Trust,
            policy.precision,
            local_date(now),
        )
    }
}

/// A display name's first word: carers are named to patients by their given name.
fn given(name: &str) -> String {
    name.split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned()
}

impl CaseFacts {
    /// From a row with the columns of [`case_facts!`]; `None` where there is no case.
    pub(super) fn read(row: &Row) -> Result<Option<Self>, StoreError> {
        if row.get::<_, Option<Uuid>>("case_id").is_none() {
            return Ok(None);
        }
        let rungs: Vec<i16> = row.get("step_rungs");
        let end = row
            .get::<_, Option<&str>>("end_kind")
            .map(|kind| {
                CaseEnd::from_name(kind)
                    .ok_or_else(|| StoreError::corrupt("cases", "end_kind", "no such end"))
            })
            .transpose()?;
        Ok(Some(Self {
            policy_version: row.get("policy_version"),
            phones: rungs.contains(&Rung::PhoneTask.number()),
            created_at: row.get("case_created_at"),
            deadline_at: row.get("deadline_at"),
            promised_at: row.get("promised_at"),
            end: end.zip(row.get("ended_at")),
            end_detail: row.get("end_detail"),
            batch_closed_at: row.get("batch_closed_at"),
            in_hand: row.get("in_hand"),
            paper_asked: row.get("paper_asked"),
        }))
    }

    fn standing(
        &self,
        route: Route,
        known_by: Option<DateTime<Utc>>,
        policy: &Policy,
        calendars: &Calendars,
    ) -> Standing<'static> {
        match self.end {
            Some((CaseEnd::HandedOver, at))
                if self.end_detail.as_deref() == Some("told_by_phone") =>
            {
                return Standing::ToldByPhone { at };
            }
            Some((CaseEnd::HandedOver, _)) => return Standing::WithTheHospital,
            Some((CaseEnd::Posted, at)) => return Standing::Posted { at },
            Some((CaseEnd::Withdrawn, at)) => return Standing::Withdrawn { at },
            Some((CaseEnd::Opened, _)) | None => {}
        }
        if self.in_hand {
            return Standing::WithTheHospital;
        }
        if self.phones {
            let start = known_by.unwrap_or(self.deadline_at);
            return Standing::WillPhone {
                by: phone_useful_until(policy, calendars, start, self.created_at),
            };
        }
        match (self.batch_closed_at, self.promised_at) {
            (Some(since), _) => Standing::BeingPosted { since },
            (None, Some(at)) if route == Route::Portal && !self.paper_asked => {
                Standing::WillPost { at }
            }
            (None, Some(at)) => Standing::GoesByPost { at },
            (None, None) => Standing::New,
        }
    }
}
