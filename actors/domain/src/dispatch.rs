//! One message to one person by one channel: what it may become, and which key makes it happen at most once.
//!
//! "No answer" from a provider is a state of its own, [`DispatchState::Unknown`]: it is looked up before
//! anything is tried again. Receipts may repeat, come late and in any order; they only ever move a dispatch on.

use std::time::Duration;

use uuid::Uuid;

use crate::ladder::Rung;

/// A way out of the building.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    /// Email.
    Email,
    /// Text message.
    Text,
    /// Paper in an envelope.
    Post,
}

impl Channel {
    /// All channels.
    pub const ALL: [Self; 3] = [Self::Email, Self::Text, Self::Post];

    /// The name in settings, metrics and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Text => "text",
            Self::Post => "post",
        }
    }

    /// The channel that carries this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.name() == name)
    }
}

/// Where a dispatch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DispatchState {
    /// Waiting to be claimed; also after a provider said "later".
    Queued,
    /// Held by one dispatcher under a lease.
    Claimed,
    /// The provider may or may not have it: look it up first.
    Unknown,
    /// The provider has it.
    Accepted,
    /// The provider says it arrived; for post, that it left the print house.
    Delivered,
    /// The provider refused it; it went nowhere.
    Rejected,
    /// The provider had it and could not deliver it.
    Failed,
    /// Post came back to the sender.
    Returned,
    /// Called off before it left: opened, withdrawn, hidden or opted out.
    Cancelled,
}

impl DispatchState {
    /// All states.
    pub const ALL: [Self; 9] = [
        Self::Queued,
        Self::Claimed,
        Self::Unknown,
        Self::Accepted,
        Self::Delivered,
        Self::Rejected,
        Self::Failed,
        Self::Returned,
        Self::Cancelled,
    ];

    /// The name in the API and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Claimed => "claimed",
            Self::Unknown => "unknown",
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Returned => "returned",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state that carries this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether a dispatch in this state may move to `next`. Staying is not a move.
    ///
    /// The only ways back are to [`DispatchState::Queued`], and only when it is certain that nothing was sent:
    /// from `Claimed` (the provider said "later", or the call was never made) and from `Unknown` (the provider
    /// was asked and has never heard of it). Once accepted there is no way back.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        use DispatchState::{
            Accepted, Cancelled, Claimed, Delivered, Failed, Queued, Rejected, Returned, Unknown,
        };
        matches!(
            (self, next),
            (Queued, Claimed | Cancelled)
                | (Claimed, Queued | Unknown | Accepted | Rejected | Cancelled)
                | (
                    Unknown,
                    Queued | Accepted | Delivered | Rejected | Failed | Returned
                )
                | (Accepted, Delivered | Failed | Returned | Cancelled)
                | (Delivered, Failed | Returned)
        )
    }

    /// Where a provider's receipt takes a dispatch; `None` if it says nothing new. Receipts arrive late, twice
    /// and out of order, and also before we have recorded the answer to our own call.
    #[must_use]
    pub const fn on_receipt(self, said: Self) -> Option<Self> {
        use DispatchState::{Accepted, Claimed, Delivered, Failed, Rejected, Returned};
        let is_receipt = matches!(said, Accepted | Delivered | Failed | Rejected | Returned);
        let early = matches!((self, said), (Claimed, Delivered | Failed | Returned));
        if is_receipt && (early || self.may_become(said)) {
            Some(said)
        } else {
            None
        }
    }

    /// Whether nothing more is expected (a late failure or returned post may still come).
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(
            self,
            Self::Delivered | Self::Rejected | Self::Failed | Self::Returned | Self::Cancelled
        )
    }

    /// Whether the person was certainly not reached, so that the next rung need not wait its time.
    #[must_use]
    pub const fn jumps_ahead(self) -> bool {
        matches!(self, Self::Rejected | Self::Failed | Self::Returned)
    }

    /// Whether the dispatch can be called off with certainty, without asking a provider.
    #[must_use]
    pub const fn has_not_left(self) -> bool {
        matches!(self, Self::Queued)
    }
}

/// What came of one attempt to hand a dispatch to its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider has it, under its own reference.
    Accepted {
        /// The provider's name for it.
        reference: String,
    },
    /// The provider refused it for good; trying again is pointless.
    Rejected {
        /// The provider's code, without anything personal.
        code: String,
    },
    /// The provider certainly does not have it; try again after this long.
    Later {
        /// How long to leave the provider alone.
        after: Duration,
    },
    /// No answer, or one that cannot be understood: it may or may not have gone.
    Unknown,
}

impl Outcome {
    /// The state it leads to.
    #[must_use]
    pub const fn state(&self) -> DispatchState {
        match self {
            Self::Accepted { .. } => DispatchState::Accepted,
            Self::Rejected { .. } => DispatchState::Rejected,
            Self::Later { .. } => DispatchState::Queued,
            Self::Unknown => DispatchState::Unknown,
        }
    }

    /// The name in the database and in metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Rejected { .. } => "rejected",
            Self::Later { .. } => "later",
            Self::Unknown => "unknown",
        }
    }
}

/// Our namespace for effect keys: random once, and never changed, because a changed key sends everything twice.
const EFFECTS: Uuid = Uuid::from_u128(0x8f2d_77c4_3b0a_4e0e_9a61_5d0c_1b7e_42a9);

/// The key of one effect: the same for the same subject and rung, on every node, in every attempt, for ever.
///
/// `subject` is the letter, or the case of an appointment's change. The unique index on this key, and the
/// provider's own duplicate check where it has one, make an effect happen once.
#[must_use]
pub fn effect_id(subject: Uuid, rung: Rung) -> Uuid {
    let mut name = Vec::with_capacity(32);
    name.extend_from_slice(subject.as_bytes());
    name.push(b'/');
    name.extend_from_slice(rung.name().as_bytes());
    Uuid::new_v5(&EFFECTS, &name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_state() -> impl Strategy<Value = DispatchState> {
        proptest::sample::select(DispatchState::ALL.to_vec())
    }

    #[test]
    fn names_read_back() {
        for state in DispatchState::ALL {
            assert_eq!(DispatchState::from_name(state.name()), Some(state));
        }
        for channel in Channel::ALL {
            assert_eq!(Channel::from_name(channel.name()), Some(channel));
        }
    }

    #[test]
    fn an_effect_keeps_its_key_for_ever() {
        let letter = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
        let keys: Vec<_> = Rung::ALL
            .into_iter()
            .map(|rung| effect_id(letter, rung).to_string())
            .collect();
        let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), Rung::ALL.len());
        assert_eq!(keys, PINNED, "changing these sends every message again");
    }

    /// Computed once with another UUID library.
    const PINNED: [&str; 6] = [
        "88dbb8d8-a16d-5e9c-bd5d-402b74a04824",
        "7a721ad7-bae0-5c46-80ed-002f26e7a35f",
        "89fb7094-e2c3-5006-9d7b-d207f0c11a19",
        "e911a87e-da4b-505c-b28e-8e5a30fc630a",
        "e68d9574-5d97-5376-92ae-5920bbd257ad",
        "df003213-076c-5f44-89b2-e4a21d2bc93d",
    ];

    #[test]
    fn a_receipt_before_our_own_record_is_believed() {
        assert_eq!(
            DispatchState::Claimed.on_receipt(DispatchState::Delivered),
            Some(DispatchState::Delivered)
        );
        assert_eq!(
            DispatchState::Queued.on_receipt(DispatchState::Delivered),
            None
        );
    }

    #[test]
    fn every_outcome_is_reachable_from_a_claim() {
        let outcomes = [
            Outcome::Accepted {
                reference: "SM1".into(),
            },
            Outcome::Rejected {
                code: "21610".into(),
            },
            Outcome::Later {
                after: Duration::from_secs(1),
            },
            Outcome::Unknown,
        ];
        for outcome in outcomes {
            assert!(
                DispatchState::Claimed.may_become(outcome.state()),
                "{}",
                outcome.name()
            );
        }
    }

    proptest! {
        /// Receipts in any order and number: what the provider had never becomes unsent, what went wrong stays wrong.
        #[test]
        fn receipts_only_move_a_dispatch_on(start in any_state(), said in proptest::collection::vec(any_state(), 0..10)) {
            let mut state = start;
            for receipt in said {
                if let Some(next) = state.on_receipt(receipt) {
                    prop_assert!(!matches!(next, DispatchState::Queued | DispatchState::Claimed | DispatchState::Unknown));
                    prop_assert!(!matches!(state, DispatchState::Failed | DispatchState::Returned | DispatchState::Rejected | DispatchState::Cancelled));
                    prop_assert!(next > state, "{state:?} went back to {next:?}");
                    state = next;
                }
            }
        }

        /// The same receipt twice changes nothing the second time.
        #[test]
        fn a_repeated_receipt_says_nothing_new(start in any_state(), receipt in any_state()) {
            if let Some(next) = start.on_receipt(receipt) {
                prop_assert_eq!(next.on_receipt(receipt), None);
            }
        }
    }
}
