//! The paper notice of an appointment, made from the facts that the store froze.

use chrono_tz::Europe::London;
use letterbox_domain::time::local;

use crate::pdf::{AppointmentNotice, Change, Fonts, Sender, appointment_notice};
use crate::store::ladder::{NoticeChange, NoticeFacts, NoticeFile, NoticePdf};

/// Sets notices with the fonts of this build.
pub(super) struct Paper(pub(super) Fonts);

impl NoticePdf for Paper {
    fn make(&self, facts: &NoticeFacts) -> Result<NoticeFile, String> {
        let notice = AppointmentNotice {
            sender: Sender {
                trust: &facts.trust,
                clinic: &facts.clinic,
                phone: &facts.phone,
                hours: facts.hours.as_deref(),
                name: &facts.name,
                address_lines: &facts.address_lines,
                date: local(facts.dated).date_naive(),
                large_print: facts.large_print,
            },
            change: match facts.change {
                NoticeChange::Booked => Change::Booked,
                NoticeChange::Moved => Change::Moved,
                NoticeChange::Cancelled => Change::Cancelled,
            },
            starts_at: facts.starts_at.with_timezone(&London),
            location: &facts.location,
            instructions: facts.instructions.as_deref(),
        };
        let pdf = appointment_notice(&self.0, &notice).map_err(|error| error.to_string())?;
        // A notice is one page by its layout; longer instructions would only make it two.
        let pages = crate::inspect::page_count(&pdf).unwrap_or(1);
        Ok(NoticeFile { pdf, pages })
    }
}
