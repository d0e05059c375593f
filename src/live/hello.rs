//! From the first frame to the answer `ok`: who is there, by a ticket that works once, and where each box stands.
//!
//! A newcomer can do nothing but say `hi`. Boxes are attached before heads are read (the actor does both), so
//! nothing that is committed in between is missed.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use letterbox_domain::circle::Viewer;
use letterbox_domain::id::Seq;

use super::Live;
use super::attach::LIVE;
use super::boxes::{AccountBox, LiveBox, MAX_BOXES, Standing, Tie};
use super::close::Ending;
use super::frame::{self, FromBrowser, OpenedBox};
use super::framing::{Received, Socket};
use super::gate::{Gate, Handle, Holder};
use super::rate::Rate;
use super::session::{ANSWER_WITHIN, Session};
use crate::identity::ticket::TicketHash;
use crate::store::Redeemed;

/// A socket that has not said who it is.
pub(super) struct Newcomer {
    live: Arc<Live>,
    gate: Arc<Gate>,
    socket: Socket,
    rate: Rate,
    began: Instant,
}

/// A newcomer that may not stay.
pub(super) struct Refused {
    pub(super) why: Ending,
    socket: Socket,
    gate: Arc<Gate>,
}

impl Refused {
    pub(super) async fn close(self: Box<Self>) {
        self.gate.end();
        tracing::debug!(sid = self.gate.sid, code = %self.why.label(), "live.newcomer_refused");
        self.socket.close(self.why).await;
    }
}

impl Newcomer {
    pub(super) fn new(live: Arc<Live>, socket: Socket) -> Self {
        let hello_by = live.wheel.after(live.limits.hello_within);
        let gate = Gate::new(live.next_sid(), live.limits.window, hello_by);
        live.wheel.watch(&gate);
        Self {
            live,
            gate,
            socket,
            rate: Rate::new(),
            began: Instant::now(),
        }
    }

    /// Waits for `hi`, redeems the ticket, attaches the boxes and answers.
    ///
    /// # Errors
    /// [`Refused`], with what to close the socket with.
    pub(super) async fn welcome(mut self) -> Result<Box<Session>, Box<Refused>> {
        let identified = match self.identify().await {
            Ok(identified) => identified,
            Err(why) => return Err(self.refuse(why)),
        };
        let Identified { who, positions } = identified;
        let holder = Holder {
            account: who.account,
            session: who.session,
        };
        let wheel = &self.live.wheel;
        let (ping_at, expires_at, now) = (wheel.next_ping(), wheel.after(who.ttl), wheel.now());
        self.gate.identified(holder, |times| {
            times.hello_by = 0;
            times.ping_at = ping_at;
            times.expires_at = expires_at;
            times.active_at = now;
        });
        let limit = self.live.limits.sessions_per_account;
        let entry = self.live.registry.enter(who.account, &self.gate, limit);
        let mut session = Box::new(Session {
            live: self.live,
            gate: self.gate,
            socket: self.socket,
            account: who.account,
            session: who.session,
            boxes: Box::default(),
            backlog: VecDeque::new(),
            rate: self.rate,
            began: self.began,
            sent: 0,
            acked: 0,
            receipts: 0,
            read_again: 0,
            resumed: LIVE,
            _entry: entry,
        });
        match session.open_boxes(&who, &positions).await {
            Ok(()) => Ok(session),
            Err(why) => Err(Box::new(Refused {
                why,
                gate: Arc::clone(&session.gate),
                socket: session.into_socket(),
            })),
        }
    }

    fn refuse(self, why: Ending) -> Box<Refused> {
        Box::new(Refused {
            why,
            socket: self.socket,
            gate: self.gate,
        })
    }

    async fn identify(&mut self) -> Result<Identified, Ending> {
        loop {
            let received = poll_fn(|cx| self.poll_first(cx)).await?;
            if !self
                .rate
                .takes(self.live.message_rate, self.began.elapsed())
            {
                return Err(Ending::TooMany);
            }
            let Received::Text(text) = received else {
                continue;
            };
            let Some(FromBrowser::Hi { ticket, pos }) = frame::read(&text) else {
                return Err(Ending::BadHello);
            };
            let hash = TicketHash::of(&ticket).ok_or(Ending::Resync)?;
            let positions = pos
                .into_iter()
                .map(|(name, cursor)| (name.into_owned(), cursor.into_owned()))
                .collect();
            let who = self.redeem(hash).await?;
            return Ok(Identified { who, positions });
        }
    }

    async fn redeem(&self, hash: TicketHash) -> Result<Redeemed, Ending> {
        let asked = self.live.store.redeem_ticket(&hash.0, &self.live.idle);
        match tokio::time::timeout(ANSWER_WITHIN, asked).await {
            Ok(Ok(Some(who))) if who.boxes.is_empty() => Err(Ending::Forbidden),
            Ok(Ok(Some(who))) => Ok(who),
            // Spent, too old, or its session has ended: the page asks for another and hears which.
            Ok(Ok(None)) => Err(Ending::Resync),
            Ok(Err(error)) => {
                tracing::warn!(%error, "live.ticket_not_redeemed");
                Err(Ending::Full)
            }
            Err(_) => Err(Ending::Full),
        }
    }

    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, Ending>> {
        if let Some(why) = self.gate.ending(cx) {
            return Poll::Ready(Err(why));
        }
        if self.socket.has_unsent() {
            std::task::ready!(self.socket.poll_unsent(cx))?;
        }
        self.socket.poll_receive(cx)
    }
}

struct Identified {
    who: Redeemed,
    positions: BTreeMap<String, String>,
}

impl Session {
    async fn open_boxes(
        &mut self,
        who: &Redeemed,
        positions: &BTreeMap<String, String>,
    ) -> Result<(), Ending> {
        let account_boxes = &who.boxes[..who.boxes.len().min(MAX_BOXES)];
        self.boxes = account_boxes.iter().copied().map(LiveBox::new).collect();
        let mut opened = Vec::new();
        for (slot, account_box) in (0..).zip(account_boxes) {
            let cursor = positions.get(&self.boxes[usize::from(slot)].name.to_string());
            let since = cursor.and_then(|cursor| self.known_position(slot, cursor));
            if let Some(line) = self.open_box(slot, *account_box, since).await? {
                opened.push(line);
            }
        }
        if opened.is_empty() {
            return Err(Ending::Forbidden);
        }
        let ping = self.live.limits.ping_every;
        self.socket
            .send(frame::ok(self.gate.sid, ping, who.now, who.ttl, &opened))
    }

    /// Where a cursor says this box stood, if the cursor is ours and its rights still hold.
    fn known_position(&self, slot: u8, cursor: &str) -> Option<Seq> {
        let this = &self.boxes[usize::from(slot)];
        let position = self.live.cursors.open(self.account, &this.name, cursor)?;
        (position.version == this.version).then_some(position.seq)
    }

    async fn open_box(
        &mut self,
        slot: u8,
        account_box: AccountBox,
        since: Option<Seq>,
    ) -> Result<Option<OpenedBox>, Ending> {
        let res = match account_box {
            AccountBox::Board(trust, _) => {
                let handle = Handle::new(&self.gate, slot);
                let seat = self.live.system.attach_board(trust, handle);
                let seat = seat.map_err(|_| Ending::Full)?;
                self.boxes[usize::from(slot)].tie = Tie::Board(seat);
                LIVE
            }
            AccountBox::Own(patient) => {
                let viewer = Viewer::Patient {
                    account: self.account,
                };
                self.attach(slot, patient, viewer, since).await?
            }
            AccountBox::Shared(grant) => {
                self.attach(slot, grant.patient, Viewer::Carer(grant), since)
                    .await?
            }
        };
        let this = &self.boxes[usize::from(slot)];
        if this.standing == Standing::Gone {
            return Ok(None);
        }
        if res != LIVE {
            self.resumed = res;
        }
        let has_position = this.is_mailbox() && this.standing == Standing::Live;
        Ok(Some(OpenedBox {
            b: this.name.to_string(),
            role: this.name.role(),
            pos: has_position.then(|| self.cursor(slot)),
            res,
        }))
    }
}
