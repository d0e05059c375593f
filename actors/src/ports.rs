//! The doors of the living system: traits that the server's store, channels and printer fulfil.
//!
//! Actors know these and nothing behind them. No trait here opens a socket, writes SQL or reads a clock;
//! every method may be called again after any failure, because each claim carries a fence.

use std::{collections::BTreeSet, error::Error as StdError, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use letterbox_domain::{
    circle::Grant,
    dispatch::{Channel, Outcome},
    event::Event,
    id::{BatchId, CaseId, DispatchId, GrantsVersion, PatientId, Seq, TrustId},
    ladder::{CaseView, Decision},
    mailbox::MailboxItem,
};

/// One running server process; fresh at every start, so that a restarted node is never taken for its old self.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub uuid::Uuid);

impl NodeId {
    /// A new process's id.
    pub fn random() -> Self {
        Self(uuid::Uuid::now_v7())
    }
}

/// What a port answers.
pub type PortResult<T> = Result<T, PortError>;

/// Why a port could not answer. Whoever receives it logs it once and tries again later.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The other side did not answer, or refused for now: try again with back-off.
    #[error("the port is unavailable, the caller tries again")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// What was read makes no sense; the text names table, column and row, never a person.
    #[error("stored data makes no sense: {0}")]
    Corrupt(String),
}

impl PortError {
    /// Wraps whatever the driver said.
    pub fn unavailable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }
}

/// One mailbox as it stood at `head`, read in one REPEATABLE READ transaction.
#[derive(Debug, Clone)]
pub struct MailboxSnapshot {
    pub patient: PatientId,
    /// The last event contained in `items`; 0 for a mailbox in which nothing has happened.
    pub head: Seq,
    /// Rises whenever a grant is given, changed or withdrawn.
    pub grants_version: GrantsVersion,
    /// Grants in force; withdrawn ones are absent.
    pub grants: Vec<Grant>,
    pub items: Vec<MailboxItem>,
}

/// Where a mailbox stands, cheap enough to ask for thousands once a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub patient: PatientId,
    pub seq: Seq,
    pub grants_version: GrantsVersion,
}

/// Reads mailboxes. The only port that patient actors use; it never writes a letter or a case.
#[async_trait]
pub trait MailboxReader: Send + Sync + 'static {
    /// The whole mailbox, or `None` for a patient who does not exist.
    async fn snapshot(&self, patient: PatientId) -> PortResult<Option<MailboxSnapshot>>;

    /// Events after `after`, ascending and dense, at most `limit`; shorter only where there are no more.
    async fn since(&self, patient: PatientId, after: Seq, limit: u16) -> PortResult<Vec<Event>>;

    /// Heads of the given boxes (at most 5,000) in one query, with the database's instant at which it began.
    ///
    /// Unknown patients are absent from the answer.
    async fn heads(&self, node: NodeId, patients: &[PatientId]) -> PortResult<Heads>;

    /// Stamps this node's row: `heartbeat_at = now`, `polled_from = began`.
    ///
    /// Called once a comparison of *all* attached boxes is complete and acted upon, with the instant at which
    /// its first query began: every change committed before `began` is obeyed on this node. Called on a node
    /// without sessions too.
    async fn polled(&self, node: NodeId, began: DateTime<Utc>) -> PortResult<()>;
}

/// The answer to [`MailboxReader::heads`].
#[derive(Debug, Clone)]
pub struct Heads {
    /// The database's instant at which the query began.
    pub began: DateTime<Utc>,
    pub heads: Vec<Head>,
}

/// Tells whether what staff of a trust look at may have changed. Boards re-read; they get no events.
#[async_trait]
pub trait BoardReader: Send + Sync + 'static {
    /// Per trust a mark that differs whenever its board may have changed (the trust's last history id).
    async fn marks(&self, trusts: &[TrustId]) -> PortResult<Vec<(TrustId, i64)>>;
}

/// An overdue case in our hands until its lease ends.
#[derive(Debug, Clone)]
pub struct ClaimedCase {
    pub case: CaseId,
    /// Rises with every claim; a commit carrying an older one changes nothing.
    pub fence: i64,
    pub patient: PatientId,
    /// What [`letterbox_domain::ladder::decide`] needs, policy included.
    pub view: CaseView,
}

/// What one claim brought, with the database's instant of the claim.
#[derive(Debug, Clone)]
pub struct ClaimedCases {
    /// The `now` for `decide`; never a node's own clock.
    pub now: DateTime<Utc>,
    pub cases: Vec<ClaimedCase>,
}

/// What became of one batch of decisions.
#[derive(Debug, Clone, Default)]
pub struct CommitReport {
    /// Cases whose decision was written.
    pub done: usize,
    /// Cases somebody else had claimed meanwhile (fence moved); nothing was written for them.
    pub lost_lease: usize,
    /// Cases that had ended meanwhile (opened, withdrawn…); nothing was written for them.
    pub ended: usize,
    /// Events born in the transaction, for the relay's doorbell.
    pub events: Vec<Event>,
    /// Channels that have a new dispatch due now.
    pub dispatched: BTreeSet<Channel>,
}

/// Cases and their deadlines.
#[async_trait]
pub trait CaseStore: Send + Sync + 'static {
    /// Time until the trust's next due, unleased case, from the database's `now`; negative = overdue; `None` = none open.
    ///
    /// A case under somebody's lease counts from the lease's end.
    async fn next_due(&self, trust: TrustId) -> PortResult<Option<TimeDelta>>;

    /// Claims up to `limit` overdue cases (range scan over all overdue rows, `FOR UPDATE SKIP LOCKED`).
    async fn claim_overdue(
        &self,
        node: NodeId,
        trust: TrustId,
        limit: u16,
        lease: TimeDelta,
    ) -> PortResult<ClaimedCases>;

    /// Writes all decisions of one claim in one transaction, each only where its fence still holds and the case is open.
    async fn commit(
        &self,
        node: NodeId,
        decided: Vec<(ClaimedCase, Decision)>,
    ) -> PortResult<CommitReport>;

    /// Every trust that can have cases.
    async fn trusts(&self) -> PortResult<Vec<TrustId>>;
}

/// What goes to a provider. `to` and `body` never appear in `Debug`.
#[derive(Clone)]
pub struct Outgoing {
    /// The deterministic effect key (uuid5 of subject and rung): the provider's duplicate check where it has one.
    pub key: DispatchId,
    /// Address or number, re-read when claimed.
    pub to: String,
    /// Empty for texts.
    pub subject: String,
    pub body: String,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// A queued message in our hands until its lease ends.
#[derive(Debug, Clone)]
pub struct ClaimedDispatch {
    pub id: DispatchId,
    /// The fencing token: a record with an older attempt changes nothing.
    pub attempt: i32,
    pub channel: Channel,
    pub outgoing: Outgoing,
    /// An earlier attempt ended without an answer: ask the provider before sending again.
    pub unknown_before: bool,
}

/// Messages to people.
#[async_trait]
pub trait DispatchStore: Send + Sync + 'static {
    /// Time until the channel's next due message, from the database's `now`; negative = overdue; `None` = none queued.
    async fn next_due(&self, channel: Channel) -> PortResult<Option<TimeDelta>>;

    /// Claims up to `limit` due messages; raises each attempt and inserts its attempts row in the same transaction.
    ///
    /// Rows whose lease ran out while claimed come back with `unknown_before = true`.
    async fn claim(
        &self,
        node: NodeId,
        channel: Channel,
        limit: u16,
        lease: TimeDelta,
    ) -> PortResult<Vec<ClaimedDispatch>>;

    /// Asked right before the irreversible call: same attempt, case not ended, contact still valid.
    ///
    /// `false` means it has been marked cancelled or fenced already; the caller drops it.
    async fn still_wanted(&self, claimed: &ClaimedDispatch) -> PortResult<bool>;

    /// Writes the outcome; `false` = fenced, somebody else holds a newer attempt and nothing was written.
    async fn record(&self, claimed: &ClaimedDispatch, outcome: Outcome) -> PortResult<bool>;
}

/// What a provider says about a message we may or may not have handed over.
#[derive(Debug, Clone)]
pub enum LookUp {
    /// It has it, with this outcome.
    Found(Outcome),
    /// It surely does not have it: sending is safe.
    NotFound,
    /// It cannot be asked, or does not say: the outcome stays unknown.
    CannotTell,
}

/// A way out of the building (a channel's driver). Called outside any transaction.
#[async_trait]
pub trait Outlet: Send + Sync + 'static {
    fn channel(&self) -> Channel;

    /// Hands the message over. No answer is `Outcome::Unknown`, never an error.
    async fn send(&self, outgoing: &Outgoing) -> Outcome;

    /// Asks by effect key whether an earlier attempt got through.
    async fn look_up(&self, outgoing: &Outgoing) -> LookUp;
}

/// One frozen print batch: ids, hashes, addresses and name never change once it is closed.
#[derive(Debug, Clone)]
pub struct Batch {
    pub id: BatchId,
    /// The folder's name, the same on every try.
    pub name: String,
    pub items: Vec<BatchItem>,
}

/// One envelope. The address never appears in `Debug`.
#[derive(Clone)]
pub struct BatchItem {
    pub dispatch: DispatchId,
    /// The letter, or the case of an appointment's notice: names the file.
    pub subject: uuid::Uuid,
    pub version: i32,
    pub pdf: Bytes,
    pub sha256: [u8; 32],
    pub pages: i32,
    pub address_lines: Vec<String>,
    pub postage: Postage,
    /// `standard`, or the format the patient needs: `large_print`, `braille`, `audio`, `easy_read`.
    pub format: String,
}

impl std::fmt::Debug for BatchItem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchItem")
            .field("dispatch", &self.dispatch)
            .field("subject", &self.subject)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// Class of post, as the manifest spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Postage {
    First,
    Second,
    Economy,
}

impl Postage {
    /// The word in the manifest and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
            Self::Economy => "economy",
        }
    }
}

/// What the print house says about one item of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    pub batch_name: String,
    /// The item's subject (see [`BatchItem::subject`]).
    pub item: uuid::Uuid,
    pub verdict: Verdict,
}

/// Posted, or refused with the print house's code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Posted,
    Rejected { code: String },
}

/// Print batches.
#[async_trait]
pub trait PrintStore: Send + Sync + 'static {
    /// Time until the next cut-off of any trust; negative = one has passed unclosed; `None` = no trust prints.
    async fn next_cut_off(&self) -> PortResult<Option<TimeDelta>>;

    /// Per trust past its cut-off: freezes queued post whose case is still open and letter unopened. Answers batches closed.
    async fn close_due_batches(&self, node: NodeId) -> PortResult<usize>;

    /// Up to `limit` closed batches not yet written, under a lease.
    async fn unfinished(&self, node: NodeId, limit: u16) -> PortResult<Vec<Batch>>;

    /// The batch's folder stands under its final name.
    async fn written(&self, batch: BatchId) -> PortResult<()>;

    /// Posted ends the case and closes the notice; rejected makes a task. Repeats change nothing.
    async fn acknowledge(&self, acks: Vec<Ack>) -> PortResult<Vec<Event>>;
}

/// The print house's folder. Writing is atomic by rename and the same on every try.
#[async_trait]
pub trait Press: Send + Sync + 'static {
    /// Writes the batch unless it stands already under its name with the same content.
    async fn write(&self, batch: &Batch) -> PortResult<()>;

    /// Acknowledgements not yet forgotten.
    async fn acks(&self) -> PortResult<Vec<Ack>>;

    /// The acknowledgements of this batch are in the store.
    async fn forget(&self, batch_name: &str) -> PortResult<()>;
}

/// An idempotent sweep that the caretaker wakes.
#[async_trait]
pub trait Chore: Send + Sync + 'static {
    /// Dotted name for logs and metrics, such as `sessions.sweep`.
    fn name(&self) -> &'static str;

    /// Cron expression with seconds, read in UTC: `sec min hour day-of-month month day-of-week`.
    fn schedule(&self) -> &str;

    /// Does it; answers how many rows changed.
    async fn run(&self) -> PortResult<u64>;
}

/// The doorbell: where events born in the living system go after their commit.
///
/// The server's relay rings every node, this one included. Never blocks; a lost ring costs a second.
pub trait Doorbell: Send + Sync + 'static {
    fn ring(&self, events: &[Event]);
}

/// A session's end of an attachment, given by whoever frames the sockets.
///
/// Implementations must be quick and must not panic: they are called on a patient's thread, under the lock
/// of the mailbox's seats. So they neither own nor drop an `Attachment` (its owner is the session's own task),
/// and no lock that `try_push` takes may be held while an attachment is dropped.
pub trait SessionHandle: Send + Sync + 'static {
    /// Offers a push; never blocks, never waits.
    ///
    /// Only [`Push::Event`] may be answered [`Pushed::Full`]. The others are marks (one bit each is enough)
    /// and must be taken: a full queue is no reason to keep showing a withdrawn view.
    fn try_push(&self, push: &Arc<Push>) -> Pushed;
}

/// What a session did with a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    Taken,
    /// No room: the attachment is now *dirty*, gets no events, and asks `resume` when it has room again.
    Full,
    /// The session has ended: forget it.
    Gone,
}

/// What an attached session hears. Shared by all sessions of a mailbox; allocated once.
///
/// Events hidden from a viewer are not pushed at all, so their timing leaks nothing: the session moves its
/// cursor past them by `Attachment::position`, at its own fixed cadence.
#[derive(Debug)]
pub enum Push {
    /// Something happened that this viewer may see.
    Event(EventPush),
    /// Continuity is lost and the attachment is over: read the page again and attach again.
    Reset {
        patient: PatientId,
        why: ResetReason,
    },
    /// This view has been withdrawn and the attachment is over: purge it, do not attach again.
    Gone { patient: PatientId },
    /// A staff board has changed: read it again.
    Dirty { trust: TrustId },
    /// The patient's own circle of care has changed: pages about it read it again. Only patients hear this.
    CircleChanged { patient: PatientId },
    /// The node goes: come back within `after`, somewhere else.
    Drain { after: Duration },
}

/// Why a mailbox's continuity is lost. Ids for the wire; no variant says anything about the patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetReason {
    /// The attachment gave no position.
    NoPosition,
    /// Too far behind to replay.
    TooFarBehind,
    /// A position the mailbox has never had (a restored database, or a made-up cursor).
    AheadOfHead,
    /// The mailbox in memory was replaced after a crash.
    Restarted,
    /// This node has not heard from the store for a lease: carers see nothing.
    LeaseLapsed,
    /// The viewer's rights changed; what was shown may no longer be.
    RightsChanged,
}

/// An event with room for its encoded form, so that many sessions encode it once.
#[derive(Debug)]
pub struct EventPush {
    pub event: Event,
    wire: std::sync::OnceLock<Bytes>,
}

impl EventPush {
    pub fn new(event: Event) -> Self {
        Self {
            event,
            wire: std::sync::OnceLock::new(),
        }
    }

    /// The shared part of the frame; `encode` runs for the first session only.
    pub fn wire(&self, encode: impl FnOnce(&Event) -> Bytes) -> &Bytes {
        self.wire.get_or_init(|| encode(&self.event))
    }
}
