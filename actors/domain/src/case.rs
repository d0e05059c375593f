//! A case: the obligation that a letter, or a change of appointment, reaches its patient. It ends exactly once.
//!
//! Whatever is learnt after the end is an [`Annotation`]: kept, shown, counted, and never a second end. That is
//! what makes every letter countable: published = opened + posted + withdrawn + handed over + still open.

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CaseEnd {
    /// The patient, or a carer who may read for them, got the whole content.
    Opened,
    /// The print house acknowledged the item, and paper will arrive in time.
    Posted,
    /// The trust took it back or replaced it.
    Withdrawn,
    /// A named person has taken it over, or has spoken to the patient.
    HandedOver,
}

impl CaseEnd {
    /// All ends.
    pub const ALL: [Self; 4] = [
        Self::Opened,
        Self::Posted,
        Self::Withdrawn,
        Self::HandedOver,
    ];

    /// The name in the API and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Posted => "posted",
            Self::Withdrawn => "withdrawn",
            Self::HandedOver => "handed_over",
        }
    }

    /// The end that carries this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.name() == name)
    }
}

/// Something learnt after a case had ended, or that must not end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Annotation {
    /// Opened although the paper had already gone.
    OpenedAfterPosting,
    /// Opened after a person had taken over.
    OpenedAfterHandover,
    /// Posted although opened: it was already in a closed batch.
    PostedAfterOpening,
    /// Posted after a person had taken over.
    PostedAfterHandover,
    /// Posted although withdrawn: it was already in a closed batch. The trust owes a correction.
    PostedAfterWithdrawal,
    /// Posted for the record only: paper comes too late, so the case stays open until somebody has been reached.
    PostedForTheRecord,
    /// Withdrawn although opened: the patient has read what was taken back.
    WithdrawnAfterOpening,
    /// Withdrawn although the paper had already gone. The trust owes a correction.
    WithdrawnAfterPosting,
    /// Withdrawn after a person had taken over.
    WithdrawnAfterHandover,
    /// A person took over what had already ended.
    HandedOverAfterEnd,
    /// Post came back to the sender.
    ReturnedByPost,
}

impl Annotation {
    /// All annotations.
    pub const ALL: [Self; 11] = [
        Self::OpenedAfterPosting,
        Self::OpenedAfterHandover,
        Self::PostedAfterOpening,
        Self::PostedAfterHandover,
        Self::PostedAfterWithdrawal,
        Self::PostedForTheRecord,
        Self::WithdrawnAfterOpening,
        Self::WithdrawnAfterPosting,
        Self::WithdrawnAfterHandover,
        Self::HandedOverAfterEnd,
        Self::ReturnedByPost,
    ];

    /// The name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenedAfterPosting => "opened_after_posting",
            Self::OpenedAfterHandover => "opened_after_handover",
            Self::PostedAfterOpening => "posted_after_opening",
            Self::PostedAfterHandover => "posted_after_handover",
            Self::PostedAfterWithdrawal => "posted_after_withdrawal",
            Self::PostedForTheRecord => "posted_for_the_record",
            Self::WithdrawnAfterOpening => "withdrawn_after_opening",
            Self::WithdrawnAfterPosting => "withdrawn_after_posting",
            Self::WithdrawnAfterHandover => "withdrawn_after_handover",
            Self::HandedOverAfterEnd => "handed_over_after_end",
            Self::ReturnedByPost => "returned_by_post",
        }
    }

    /// The annotation that carries this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|annotation| annotation.name() == name)
    }

    /// Whether a person at the trust must now do something about it.
    #[must_use]
    pub const fn needs_a_person(self) -> bool {
        matches!(
            self,
            Self::PostedAfterWithdrawal | Self::WithdrawnAfterPosting | Self::ReturnedByPost
        )
    }
}

/// Whether a case still has something to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CaseState {
    /// Not ended.
    Open,
    /// Ended, once and for all.
    Ended(CaseEnd),
}

/// What a fact does to a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// It ends the case.
    Ends(CaseEnd),
    /// It is noted; the case stays as it was.
    Noted(Annotation),
    /// It says again what is already known; nothing to write.
    Known,
}

impl CaseState {
    /// What the fact `end` does to a case in this state. `paper_ends_it` is false where paper comes too late
    /// (see [`crate::ladder::Plan::paper_ends_case`]): there the printer's acknowledgement is only noted.
    #[must_use]
    pub const fn hears(self, end: CaseEnd, paper_ends_it: bool) -> Ending {
        use CaseEnd::{HandedOver, Opened, Posted, Withdrawn};
        let Self::Ended(first) = self else {
            return match end {
                Posted if !paper_ends_it => Ending::Noted(Annotation::PostedForTheRecord),
                _ => Ending::Ends(end),
            };
        };
        match (first, end) {
            (Opened, Opened)
            | (Posted, Posted)
            | (HandedOver, HandedOver)
            | (Withdrawn, Withdrawn | Opened) => Ending::Known,
            (Posted, Opened) => Ending::Noted(Annotation::OpenedAfterPosting),
            (HandedOver, Opened) => Ending::Noted(Annotation::OpenedAfterHandover),
            (Opened, Posted) => Ending::Noted(Annotation::PostedAfterOpening),
            (HandedOver, Posted) => Ending::Noted(Annotation::PostedAfterHandover),
            (Withdrawn, Posted) => Ending::Noted(Annotation::PostedAfterWithdrawal),
            (Opened, Withdrawn) => Ending::Noted(Annotation::WithdrawnAfterOpening),
            (Posted, Withdrawn) => Ending::Noted(Annotation::WithdrawnAfterPosting),
            (HandedOver, Withdrawn) => Ending::Noted(Annotation::WithdrawnAfterHandover),
            (_, HandedOver) => Ending::Noted(Annotation::HandedOverAfterEnd),
        }
    }

    /// The end, if there is one.
    #[must_use]
    pub const fn end(self) -> Option<CaseEnd> {
        match self {
            Self::Open => None,
            Self::Ended(end) => Some(end),
        }
    }

    /// Whether something is still awaited.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_read_back() {
        for end in CaseEnd::ALL {
            assert_eq!(CaseEnd::from_name(end.name()), Some(end));
        }
        for annotation in Annotation::ALL {
            assert_eq!(Annotation::from_name(annotation.name()), Some(annotation));
        }
    }

    #[test]
    fn paper_that_comes_too_late_does_not_end_a_case() {
        let heard = CaseState::Open.hears(CaseEnd::Posted, false);
        assert_eq!(heard, Ending::Noted(Annotation::PostedForTheRecord));
        assert_eq!(
            CaseState::Open.hears(CaseEnd::Posted, true),
            Ending::Ends(CaseEnd::Posted)
        );
    }

    #[test]
    fn opening_after_the_post_has_gone_is_noted() {
        let heard = CaseState::Ended(CaseEnd::Posted).hears(CaseEnd::Opened, true);
        assert_eq!(heard, Ending::Noted(Annotation::OpenedAfterPosting));
    }

    proptest! {
        /// Whatever arrives in whatever order, a case ends at most once, and with the first fact that may end it.
        #[test]
        fn a_case_ends_once(facts in proptest::collection::vec((0usize..4, any::<bool>()), 0..12)) {
            let mut state = CaseState::Open;
            let mut ends = 0;
            for (index, paper_ends_it) in facts {
                let before = state;
                if let Ending::Ends(end) = state.hears(CaseEnd::ALL[index], paper_ends_it) {
                    state = CaseState::Ended(end);
                    ends += 1;
                }
                prop_assert!(before.is_open() || before == state, "an ended case changed its end");
            }
            prop_assert!(ends <= 1);
        }
    }
}
