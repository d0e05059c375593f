//! The promise line: one dated sentence per item, the same in the patient's list, on the board and in the API.
//!
//! It is made from facts and never stored. Patients never read about cases, ladders, rungs or handing over.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use crate::time::{local, local_date};

/// How exactly a promise names its moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// "on Tue 25 Nov".
    Day,
    /// "at 10:06:45": for demonstrations, where a deadline is seconds away.
    Second,
}

impl Precision {
    /// The name in settings and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Second => "second",
        }
    }

    /// The precision that carries this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Day, Self::Second]
            .into_iter()
            .find(|precision| precision.name() == name)
    }
}

/// Who reads the line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Audience<'a> {
    /// The patient.
    Patient,
    /// A carer, who looks at the mailbox of the patient with this given name.
    Carer {
        /// The patient's given name.
        patient: &'a str,
    },
    /// The trust's staff and systems; names nobody.
    Trust,
}

/// Who opened an item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Opener<'a> {
    /// The patient.
    Patient,
    /// A carer who may read for the patient.
    Carer {
        /// The carer's given name.
        name: &'a str,
        /// The carer is the one who reads the line.
        is_reader: bool,
    },
}

impl fmt::Debug for Audience<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Patient => "Patient",
            Self::Carer { .. } => "Carer(…)",
            Self::Trust => "Trust",
        })
    }
}

impl fmt::Debug for Opener<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Patient => "Patient",
            Self::Carer { .. } => "Carer(…)",
        })
    }
}

/// How an item stands, as far as its reader is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing<'a> {
    /// Unopened; at this print cut-off it goes to the post.
    WillPost {
        /// The cut-off.
        at: DateTime<Utc>,
    },
    /// Unopened, and paper would come too late: somebody phones.
    WillPhone {
        /// The latest useful time.
        by: DateTime<Utc>,
    },
    /// Unopened, with nothing to post or phone: the mailbox is all there is.
    New,
    /// Never was for the portal, or no longer is: it goes to the post at this cut-off in any case.
    GoesByPost {
        /// The cut-off.
        at: DateTime<Utc>,
    },
    /// The hospital posts it itself.
    HospitalPosts,
    /// In a closed batch; the print house has not acknowledged it yet.
    BeingPosted {
        /// When the batch closed.
        since: DateTime<Utc>,
    },
    /// The print house has acknowledged it.
    Posted {
        /// When.
        at: DateTime<Utc>,
    },
    /// Opened.
    Opened {
        /// When.
        at: DateTime<Utc>,
        /// By whom.
        by: Opener<'a>,
    },
    /// Opened after it had been posted.
    OpenedAfterPosting {
        /// When it was posted.
        posted: DateTime<Utc>,
        /// When it was opened.
        at: DateTime<Utc>,
        /// By whom.
        by: Opener<'a>,
    },
    /// Somebody at the hospital spoke to the patient.
    ToldByPhone {
        /// When.
        at: DateTime<Utc>,
    },
    /// A person at the hospital is seeing to it.
    WithTheHospital,
    /// Taken back by the hospital.
    Withdrawn {
        /// When.
        at: DateTime<Utc>,
    },
    /// Replaced by a newer one.
    Superseded {
        /// When.
        at: DateTime<Utc>,
    },
    /// The patient has said that it is not theirs.
    NotMine {
        /// When.
        at: DateTime<Utc>,
    },
}

/// The sentence. `today` decides only whether a year must be named.
#[must_use]
pub fn line(
    standing: &Standing<'_>,
    reader: Audience<'_>,
    precision: Precision,
    today: NaiveDate,
) -> String {
    let say = Say {
        reader,
        precision,
        today,
    };
    match *standing {
        Standing::WillPost { at } => format!(
            "New. We will post this {} unless {}",
            say.when(at),
            say.opens()
        ),
        Standing::WillPhone { by } => format!(
            "New. We will phone {} by {} unless {}",
            say.object(),
            say.by(by),
            say.opens()
        ),
        Standing::New => "New".to_owned(),
        Standing::GoesByPost { at } => format!("We will post this {}", say.when(at)),
        Standing::HospitalPosts => "The hospital is posting this".to_owned(),
        Standing::BeingPosted { since } => format!("Being posted since {}", say.past(since)),
        Standing::Posted { at } => format!("Posted {}", say.past(at)),
        Standing::Opened { at, by } => format!("Opened by {} {}", say.opener(by), say.past(at)),
        Standing::OpenedAfterPosting { posted, at, by } => {
            format!(
                "Posted {}. Opened by {} {}",
                say.past(posted),
                say.opener(by),
                say.past(at)
            )
        }
        Standing::ToldByPhone { at } => format!("We spoke to {} {}", say.object(), say.past(at)),
        Standing::WithTheHospital => {
            format!("The hospital will contact {} about this", say.object())
        }
        Standing::Withdrawn { at } => format!("Withdrawn by the hospital {}", say.past(at)),
        Standing::Superseded { at } => format!("Replaced by a newer one {}", say.past(at)),
        Standing::NotMine { at } => format!(
            "Reported as {} {}. The hospital is looking into it",
            say.not_owner(),
            say.past(at)
        ),
    }
}

/// "on Tue 25 Nov", or in a demonstration "at 10:06:45"; for texts and emails.
#[must_use]
pub fn when(at: DateTime<Utc>, precision: Precision, today: NaiveDate) -> String {
    Say {
        reader: Audience::Patient,
        precision,
        today,
    }
    .when(at)
}

struct Say<'a> {
    reader: Audience<'a>,
    precision: Precision,
    today: NaiveDate,
}

impl Say<'_> {
    /// "on Tue 25 Nov" or "at 10:06:45".
    fn when(&self, at: DateTime<Utc>) -> String {
        match self.precision {
            Precision::Day => format!("on {}{}", local(at).format("%a %-d %b"), self.year(at)),
            Precision::Second => format!("at {}", local(at).format("%H:%M:%S")),
        }
    }

    /// "16:00 on Tue 25 Nov", "16:00 today"; phone calls always name an hour.
    fn by(&self, at: DateTime<Utc>) -> String {
        let time = local(at).format("%H:%M");
        if local_date(at) == self.today {
            return format!("{time} today");
        }
        format!(
            "{time} on {}{}",
            local(at).format("%a %-d %b"),
            self.year(at)
        )
    }

    /// "22 Nov" or "10:06:45".
    fn past(&self, at: DateTime<Utc>) -> String {
        match self.precision {
            Precision::Day => format!("{}{}", local(at).format("%-d %b"), self.year(at)),
            Precision::Second => local(at).format("%H:%M:%S").to_string(),
        }
    }

    fn year(&self, at: DateTime<Utc>) -> String {
        let year = local_date(at).year();
        // Half a year each way reads without a year, so that January's letters are not cluttered in December.
        let near = (local_date(at) - self.today).num_days().abs() < 183;
        if near || year == self.today.year() {
            String::new()
        } else {
            format!(" {year}")
        }
    }

    fn opens(&self) -> String {
        match self.reader {
            Audience::Patient => "you open it".to_owned(),
            Audience::Carer { patient } => format!("{patient} opens it"),
            Audience::Trust => "the patient opens it".to_owned(),
        }
    }

    fn object(&self) -> &str {
        match self.reader {
            Audience::Patient => "you",
            Audience::Carer { patient } => patient,
            Audience::Trust => "the patient",
        }
    }

    fn not_owner(&self) -> &'static str {
        match self.reader {
            Audience::Patient => "not yours",
            Audience::Carer { .. } | Audience::Trust => "not the patient’s",
        }
    }

    fn opener(&self, by: Opener<'_>) -> String {
        match (by, self.reader) {
            (Opener::Patient, Audience::Patient) => "you".to_owned(),
            (Opener::Patient, Audience::Carer { patient }) => patient.to_owned(),
            (Opener::Patient, Audience::Trust) => "patient".to_owned(),
            (Opener::Carer { name, .. }, Audience::Patient) => format!("{name} for you"),
            (
                Opener::Carer {
                    is_reader: true, ..
                },
                Audience::Carer { patient },
            ) => format!("you for {patient}"),
            (Opener::Carer { name, .. }, Audience::Carer { patient }) => {
                format!("{name} for {patient}")
            }
            (Opener::Carer { .. }, Audience::Trust) => "a carer for the patient".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
