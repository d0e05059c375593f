//! Writing what was decided, and committing it.

use std::collections::BTreeSet;

use letterbox_domain::case::CaseEnd;
use letterbox_domain::dispatch::Channel;
use letterbox_domain::event::Event;
use letterbox_domain::id::{CaseId, LetterId};
use letterbox_domain::letter::LetterState;
use serde_json::{Value, json};

use super::Publication;
use super::decide::{Accepted, Decisions};
use crate::commands::births::Of;
use crate::commands::{Refusal, Wake, calendars, forms::NewLetter};
use crate::crash;
use crate::store::climbs::{self, Climb};
use crate::store::history::Entry;
use crate::store::intake::{self, Outcome};
use crate::store::letters::{self, NewLetterRow};
use crate::store::quarantine::NewQuarantine;
use crate::store::{StoreError, Tx, endings};

impl Decisions<'_> {
    pub(super) async fn write(self, tx: Tx) -> Result<Publication, StoreError> {
        let (trust, now) = (self.sender.trust, self.now());
        let rows: Vec<NewLetterRow<'_>> = self.accepted.iter().map(Accepted::row).collect();
        self.end_what_made_way(&tx).await?;
        let climbs = self.climbs();
        let channels = self.climb(&tx, &rows, &climbs).await?;
        let events = self.number()?;
        let history = self.history();
        let refused: Vec<NewQuarantine<'_>> = self
            .refused
            .iter()
            .map(|(form, why)| quarantined(form, why))
            .collect();
        let look_by = self.policy.escalate_after.after(now, calendars());
        let outcome = Outcome {
            letters: if climbs.is_empty() { &rows } else { &[] },
            events: &events,
            history: &history,
            quarantine: Some((look_by, &refused)),
        };
        crash::point("publish.before_commit");
        intake::write_and_commit(tx, &self.sender.principal(), trust, now, &outcome).await?;
        crash::point("publish.after_commit");
        let cases = if self.accepted.is_empty() && refused.is_empty() {
            BTreeSet::new()
        } else {
            BTreeSet::from([trust])
        };
        Ok(Publication {
            results: self.results,
            wake: Wake {
                events,
                cases,
                channels,
            },
        })
    }

    /// Cases before letters: the order in which everybody locks.
    async fn end_what_made_way(&self, tx: &Tx) -> Result<(), StoreError> {
        let carried: Vec<CaseId> = self.carried.iter().copied().collect();
        if !carried.is_empty() {
            endings::end(tx, &carried, CaseEnd::Withdrawn, Some("carried_by_letter")).await?;
        }
        if self.superseded.is_empty() {
            return Ok(());
        }
        let cases: Vec<CaseId> = self
            .superseded
            .iter()
            .filter_map(|letter| letter.case)
            .collect();
        endings::end(tx, &cases, CaseEnd::Withdrawn, Some("superseded")).await?;
        let letters: Vec<LetterId> = self.superseded.iter().map(|letter| letter.id).collect();
        letters::take_back(tx, &letters, LetterState::Superseded, None).await
    }

    /// What the first steps of fresh cases mean.
    fn climbs(&self) -> Vec<Climb<'_>> {
        let of = |letter: &Accepted<'_>| Of {
            trust: self.sender.trust,
            patient: letter.resolved.patient.id,
            subject: Some(letter.item.id.as_uuid()),
            policy: self.policy,
            known_by: letter.resolved.known_by(),
        };
        self.accepted
            .iter()
            .filter_map(|letter| letter.birth.as_ref()?.climb(&of(letter)))
            .collect()
    }

    /// Letters whose cases climb at once are written first, because what climbing means hangs on them.
    async fn climb(
        &self,
        tx: &Tx,
        rows: &[NewLetterRow<'_>],
        climbs: &[Climb<'_>],
    ) -> Result<BTreeSet<Channel>, StoreError> {
        if climbs.is_empty() {
            return Ok(BTreeSet::new());
        }
        letters::insert(tx, self.sender.trust, self.now(), rows).await?;
        climbs::apply(
            tx,
            &self.sender.principal(),
            calendars(),
            self.now(),
            climbs,
        )
        .await
    }

    fn number(&self) -> Result<Vec<Event>, StoreError> {
        match &self.found.mailboxes {
            Some(mailboxes) => mailboxes.clone().number(&self.news),
            None => Ok(Vec::new()),
        }
    }

    fn history(&self) -> Vec<Entry> {
        let trust = self.sender.trust.as_uuid();
        let gone = self
            .superseded
            .iter()
            .map(|letter| letter.gone_entry(trust, "letter.superseded"));
        gone.chain(
            self.accepted
                .iter()
                .map(|letter| letter.entry(trust, self.policy.version)),
        )
        .collect()
    }
}

impl Accepted<'_> {
    fn row(&self) -> NewLetterRow<'_> {
        let form = self.item.form;
        NewLetterRow {
            id: self.item.id,
            source_id: &form.source_id,
            form_sha256: &self.item.form_sha256,
            patient: self.resolved.patient.id,
            document: self.resolved.document,
            kind: form.kind,
            title: &form.title,
            specialty: &form.specialty,
            clinic: &form.clinic,
            contact_phone: &form.contact_phone,
            contact_hours: form.contact_hours.as_deref(),
            appointment: self.resolved.appointment.map(|appointment| appointment.id),
            full_text: form.full_text.as_deref(),
            authored_at: form.authored_at,
            release_at: form.release_at,
            state: self.state,
            route: self.route,
            reason: self.reason,
            restricted: self.restricted,
            replaces: self.resolved.replaced.map(|letter| letter.id),
            case: self.birth.as_ref().map(|birth| &birth.case),
        }
    }

    fn entry(&self, trust: uuid::Uuid, policy_version: i32) -> Entry {
        Entry {
            trust,
            patient: Some(self.resolved.patient.id.as_uuid()),
            subject_kind: "letter",
            subject: self.item.id.as_uuid(),
            kind: if self.state == LetterState::Held {
                "letter.held"
            } else {
                "letter.published"
            },
            policy_version: Some(policy_version),
            facts: self.facts(),
        }
    }

    /// Short, as there is one a letter; what the letter's own row never changes is not repeated.
    fn facts(&self) -> Value {
        let mut facts = json!({ "route": self.route.name(), "reason": self.reason.name() });
        if let Some(birth) = &self.birth {
            facts["case"] = json!(birth.case.id.as_uuid());
            facts["deadline_at"] = json!(birth.case.plan.deadline);
            facts["promised_at"] = json!(birth.case.plan.post_at);
        }
        if let Some(replaced) = self.resolved.replaced {
            facts["replaces"] = json!(replaced.id.as_uuid());
        }
        if self.restricted {
            facts["restricted"] = json!(true);
        }
        facts
    }
}

fn quarantined<'a>(form: &'a NewLetter, refusal: &'a Refusal) -> NewQuarantine<'a> {
    NewQuarantine {
        kind: "letter",
        source_id: Some(&form.source_id),
        code: refusal.code.name(),
        detail: &refusal.detail,
        body: form.to_json(),
    }
}
