//! Post: where paper goes, and whom to tell where that is wrong. The portal itself changes no address: hospitals do.

use actix_web::{HttpRequest, HttpResponse};

use super::super::doors::Doors;
use super::super::failure::{Failure, page};
use super::super::model::PostBody;
use super::super::page::render;
use super::{Owner, tabs};

const HERE: &str = "/account/post";

pub(super) fn routes(doors: &mut Doors<'_>) {
    doors.get("/account/post", show);
}

async fn show(request: HttpRequest) -> HttpResponse {
    let work = async {
        let owner = Owner::of(&request).await?;
        if !owner.account.has_mailbox {
            return Err(Failure::NotFound);
        }
        let body = PostBody {
            tabs: tabs(HERE, true),
            hint: owner.account.post_hint.clone(),
            is_unsafe: owner.account.post_is_unsafe,
        };
        let chrome = owner.chrome("Post", HERE);
        Ok(render(&request, "account_post.jinja", &chrome, &body))
    };
    page(&request, work).await
}
