//! Person icon → Account: the overview, contacts and choices, paper, who looked, and leaving. Only for one's own account.

mod contact;
mod delete;
mod format;
mod looked;
mod overview;
mod post;

use actix_web::HttpRequest;

use super::doors::Doors;
use super::failure::Failure;
use super::model::AccountTab;
use super::page::Chrome;
use super::portal::Reader;
use crate::store::pages::{self, AccountView};

/// Where each tab leads; the sub-pages register themselves under the same addresses.
const TABS: [(&str, &str); 7] = [
    ("Account overview", "/account"),
    ("Contact and notifications", "/account/contact"),
    ("Post", "/account/post"),
    ("Format", "/account/format"),
    ("Who looked", "/account/looked"),
    ("Signed-in devices", "/account/sessions"),
    ("Deleting my account", "/account/delete"),
];

pub(crate) fn routes(doors: &mut Doors<'_>) {
    overview::routes(doors);
    contact::routes(doors);
    post::routes(doors);
    format::routes(doors);
    looked::routes(doors);
    delete::routes(doors);
}

/// What there is only with a mailbox: a carer has no post, no format and no record of their own.
const OF_A_MAILBOX: [&str; 3] = ["/account/post", "/account/format", "/account/looked"];

/// The tabs at the top of every account page; the one at `here` is open.
pub(crate) fn tabs(here: &str, has_mailbox: bool) -> Vec<AccountTab> {
    let tab = |(text, href): (&'static str, &'static str)| AccountTab {
        text,
        href,
        current: href == here,
    };
    TABS.into_iter()
        .filter(|(_, href)| has_mailbox || !OF_A_MAILBOX.contains(href))
        .map(tab)
        .collect()
}

/// Whoever is signed in, with their account. Carers without a mailbox have an account too; staff have none here.
struct Owner {
    reader: Reader,
    account: AccountView,
}

impl Owner {
    async fn of(request: &HttpRequest) -> Result<Self, Failure> {
        let reader = Reader::of(request).await?;
        let account = pages::account(&reader.tx, reader.session.account).await?;
        Ok(Self { reader, account })
    }

    fn chrome(&self, title: &str, here: &str) -> Chrome {
        self.reader.chrome(title, here)
    }

    /// For a form: whoever sent it, if it is from one of this session's own pages.
    async fn sent(request: &HttpRequest, csrf: &str) -> Result<Self, Failure> {
        let owner = Self::of(request).await?;
        if owner.reader.session.verify_csrf(csrf) {
            Ok(owner)
        } else {
            Err(Failure::Stale)
        }
    }

    /// For a change that only the owner may make: they have proved who they are within the last minutes.
    fn freshly(self, back: &str) -> Result<Self, Failure> {
        if self.reader.session.freshly() {
            return Ok(self);
        }
        Err(Failure::Confirm {
            back: back.to_owned(),
        })
    }
}
