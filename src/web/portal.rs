//! What the pages are built on, and who is reading: resolved once per request, before anything is shown.

use std::sync::Arc;

use actix_web::{HttpRequest, web};
use letterbox_actors::system::System;
use letterbox_domain::circle::Viewer;
use letterbox_domain::id::{AccountId, GrantId, PatientId};

use super::demo::Demo;
use super::entrance::Entrance;
use super::failure::Failure;
use super::page::{Chrome, LiveSource, SessionFacts, account_menu, carer_nav, patient_nav};
use crate::commands::Bells;
use crate::commands::look::{self, Closed};
use crate::draw::Drawer;
use crate::identity::session::{Ended, SignedIn};
use crate::live::Live;
use crate::store::ladder::LadderStore;
use crate::store::pages::{self, Person};
use crate::store::{Principal, Store, Tx};

/// Everything that handlers need besides the session; one per node.
#[derive(Clone)]
pub struct Portal {
    /// The only truth.
    pub store: Store,
    /// Cases, tasks and what follows from them.
    pub ladder: LadderStore,
    /// The living system: withdrawals take effect in it before the answer.
    pub system: System,
    /// Open sockets: those of a session that ends are closed with it.
    pub live: Arc<Live>,
    /// Rung after each commit that made events.
    pub bells: Arc<dyn Bells>,
    /// The way in by NHS login.
    pub entrance: Arc<Entrance>,
    /// Draws letters for public computers.
    pub drawer: Arc<Drawer>,
    /// Only in demonstrations: sign-in without a password, the stage, the outside world.
    pub demo: Option<Arc<Demo>>,
}

impl std::fmt::Debug for Portal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Portal")
            .field("demo", &self.demo.is_some())
            .finish_non_exhaustive()
    }
}

impl Portal {
    /// The one that this server runs with.
    pub(crate) fn of(request: &HttpRequest) -> Result<web::Data<Self>, Failure> {
        request
            .app_data::<web::Data<Self>>()
            .cloned()
            .ok_or_else(|| Failure::Unavailable("no portal is set up".into()))
    }
}

impl Portal {
    /// Closes the sockets of sessions that have just ended, on this node at once; the others follow within a second.
    pub(crate) fn end_sockets(&self, ended: &Ended) {
        for (account, session) in ended {
            self.live.end_session(*account, *session);
        }
    }
}

/// The signed-in reader with an open snapshot: everything a page shows is of one instant.
pub(crate) struct Reader {
    pub(crate) portal: web::Data<Portal>,
    pub(crate) session: SignedIn,
    pub(crate) person: Person,
    pub(crate) tx: Tx,
}

impl Reader {
    /// For a page that somebody has asked for.
    pub(crate) async fn of(request: &HttpRequest) -> Result<Self, Failure> {
        let session = SignedIn::of(request).await?.ok_or(Failure::SignIn)?;
        Self::with(request, session).await
    }

    /// For what an open page asks by itself: it keeps nobody signed in.
    pub(crate) async fn glance(request: &HttpRequest) -> Result<Self, Failure> {
        let session = SignedIn::glance(request).await?.ok_or(Failure::SignIn)?;
        Self::with(request, session).await
    }

    async fn with(request: &HttpRequest, session: SignedIn) -> Result<Self, Failure> {
        let portal = Portal::of(request)?;
        let tx = portal
            .store
            .pages()
            .begin_snapshot(&Principal::Account {
                account: session.account,
            })
            .await?;
        let person = pages::person(&tx, session.account).await?;
        Ok(Self {
            portal,
            session,
            person,
            tx,
        })
    }

    /// The page is read: its snapshot goes back before anything is written, so that no request waits for a second
    /// connection while it holds a first.
    pub(crate) fn done(self) -> (web::Data<Portal>, AccountId) {
        (self.portal, self.session.account)
    }

    /// What is not theirs to see is not there, and the attempt is written down.
    pub(crate) async fn turned_away(self, from: Closed) -> Failure {
        let (portal, account) = self.done();
        let noted = look::turned_away(&portal.store, account, from).await;
        noted.map_or_else(Failure::from, |()| Failure::NotFound)
    }

    /// The frame of a page of this reader; `here` is its address in the menu.
    pub(crate) fn chrome(&self, title: &str, here: &str) -> Chrome {
        let nav = match self.person.mailbox {
            Some(_) => patient_nav(here, self.person.helps_others),
            None => carer_nav(here),
        };
        Chrome {
            title: title.to_owned(),
            area: "patient",
            home: "/",
            who: Some(self.person.name.clone()),
            csrf: self.session.csrf_token(),
            account: account_menu(here),
            session: Some(SessionFacts::of(&self.session)),
            nav,
            ..Chrome::default()
        }
    }
}

/// Keeps an open page up to date over the reader's socket.
pub(crate) fn live(
    source: impl Into<String>,
    reload: impl Into<String>,
    check: &'static str,
) -> Option<LiveSource> {
    Some(LiveSource {
        how: "socket",
        source: source.into(),
        reload: reload.into(),
        check,
    })
}

/// A mailbox in front of its reader: the patient's own, or one that is shared.
pub(crate) struct Desk {
    pub(crate) reader: Reader,
    pub(crate) viewer: Viewer,
    pub(crate) patient: PatientId,
    /// Where its letters live: `/my-health/documents` or `/people/{grant}/documents`.
    pub(crate) letters_at: String,
    /// Where its appointments live: `/my-health/appointments` or `/people/{grant}/appointments`.
    pub(crate) appointments_at: String,
    /// First name of the patient, if the reader is a carer.
    pub(crate) viewing: Option<String>,
}

impl Desk {
    /// The reader's own mailbox, or the one behind `grant`. Anything else is not there.
    pub(crate) async fn of(reader: Reader, grant: Option<GrantId>) -> Result<Self, Failure> {
        match grant {
            None => Self::own(reader),
            Some(grant) => Self::shared(reader, grant).await,
        }
    }

    fn own(reader: Reader) -> Result<Self, Failure> {
        let patient = reader.person.mailbox.ok_or(Failure::NotFound)?;
        let viewer = Viewer::Patient {
            account: reader.session.account,
        };
        Ok(Self {
            viewer,
            patient,
            letters_at: "/my-health/documents".to_owned(),
            appointments_at: "/my-health/appointments".to_owned(),
            viewing: None,
            reader,
        })
    }

    async fn shared(reader: Reader, grant: GrantId) -> Result<Self, Failure> {
        let shared = pages::shared_patient(&reader.tx, reader.session.account, grant).await?;
        let Some((grant, given, _)) = shared else {
            return Err(reader.turned_away(Closed::Grant(grant)).await);
        };
        let letters_at = format!("/people/{}/documents", grant.id);
        let appointments_at = format!("/people/{}/appointments", grant.id);
        Ok(Self {
            viewer: Viewer::Carer(grant),
            patient: grant.patient,
            letters_at,
            appointments_at,
            viewing: Some(given),
            reader,
        })
    }

    /// Whether files may be kept on this computer, and so whether downloads are offered: never on a public one.
    /// Every page and every download asks here.
    pub(crate) fn keeps_files(&self) -> bool {
        !self.reader.session.public_computer
    }

    /// The frame of one of this mailbox's pages.
    pub(crate) fn chrome(&self, title: &str) -> Chrome {
        self.chrome_at(title, "/my-health/documents")
    }

    /// The same for a page elsewhere in the patient's menu.
    pub(crate) fn chrome_at(&self, title: &str, here: &str) -> Chrome {
        let here = if self.viewing.is_some() {
            "/people"
        } else {
            here
        };
        Chrome {
            viewing: self.viewing.clone(),
            area: if self.viewing.is_some() {
                "carer"
            } else {
                "patient"
            },
            ..self.reader.chrome(title, here)
        }
    }
}
