//! Help: the frequently asked questions, the pages beside them, and what comes here today. Open to everybody.
//!
//! The texts need no database: with it down, help can still be read. Who is signed in keeps their own menu.

mod catalogue;
mod search;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::doors::Doors;
use super::failure::{Failure, page};
use super::model::{
    AnswerBody, HelpBody, HelpGroup, HelpLink, HelpPageBody, QuestionsBody, WhatComesBody,
};
use super::page::{Chrome, lost_nav, render, staff_nav, visitor};
use super::portal::{Portal, Reader};
use super::templates::{Site, Templates};
use super::{join, words};
use crate::identity::session::{AccountKind, COOKIE};
use crate::store::{Principal, pages};
use catalogue::{CATALOGUE, GROUPS, Question, told};
use search::{Found, search, tidy};

pub(crate) use catalogue::Part;

const QUESTIONS: &str = "/help/questions";

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors
        .get("/help", start)
        .get(QUESTIONS, questions)
        .get("/help/questions/{question}", answer)
        .get("/help/what-comes-here", what_comes_here)
        .get("/help/{topic}", topic);
}

/// The frame of a help page: the reader's own where somebody is signed in, otherwise a visitor's.
async fn frame(request: &HttpRequest, title: &str, here: &str) -> Chrome {
    match Reader::of(request).await {
        Ok(reader) if reader.session.kind == AccountKind::Staff => Chrome {
            area: "board",
            nav: staff_nav(here),
            ..reader.chrome(title, here)
        },
        Ok(reader) => reader.chrome(title, here),
        // Who may be signed in keeps the quick exit.
        Err(Failure::Unavailable(_)) if request.cookie(COOKIE).is_some() => Chrome {
            area: "patient",
            nav: lost_nav(),
            ..visitor(title, here)
        },
        Err(_) => visitor(title, here),
    }
}

/// What the configuration says of the portal.
fn site(request: &HttpRequest) -> Result<Site, Failure> {
    let templates = request.app_data::<web::Data<Templates>>();
    let templates = templates.ok_or_else(|| Failure::Unavailable("no templates".into()))?;
    Ok(templates.site().clone())
}

async fn start(request: HttpRequest) -> HttpResponse {
    let work = async {
        let pages = CATALOGUE.pages.iter().map(|page| HelpLink {
            href: format!("/help/{}", page.slug),
            text: page.title.clone(),
            about: Some(page.about.clone()),
        });
        let body = HelpBody {
            pages: pages.collect(),
        };
        let chrome = frame(&request, "Help", "/help").await;
        Ok(render(&request, "help.jinja", &chrome, &body))
    };
    page(&request, work).await
}

#[derive(Deserialize)]
struct Typed {
    #[serde(default)]
    q: String,
}

async fn questions(request: HttpRequest, typed: web::Query<Typed>) -> HttpResponse {
    let work = async {
        let site = site(&request)?;
        let q = tidy(&typed.q);
        let found = search(&q).into_iter().filter_map(|one| link_to(one, &site));
        let found: Vec<_> = found.collect();
        let count = i64::try_from(found.len()).unwrap_or_default();
        let body = QuestionsBody {
            outcome: (!q.is_empty()).then(|| match count {
                0 => "Nothing found".to_owned(),
                some => format!("{} found", words::count(some, "answer")),
            }),
            groups: groups(&site),
            found,
            q,
        };
        let chrome = frame(&request, "Frequently asked questions", QUESTIONS).await;
        Ok(render(&request, "help_questions.jinja", &chrome, &body))
    };
    page(&request, work).await
}

fn link_to(found: Found, site: &Site) -> Option<HelpLink> {
    Some(match found {
        Found::Question(number) => question_link(CATALOGUE.question(number)?, site),
        Found::Page(place) => {
            let page = CATALOGUE.pages.get(place)?;
            HelpLink {
                href: format!("/help/{}", page.slug),
                text: page.title.clone(),
                about: None,
            }
        }
    })
}

fn question_link(question: &Question, site: &Site) -> HelpLink {
    HelpLink {
        href: format!("{QUESTIONS}/{}", question.number),
        text: told(&question.title, site),
        about: None,
    }
}

fn groups(site: &Site) -> Vec<HelpGroup> {
    let group = |(name, heading): &(&str, &'static str)| HelpGroup {
        heading,
        links: CATALOGUE
            .questions
            .iter()
            .filter(|question| question.group == *name)
            .map(|question| question_link(question, site))
            .collect(),
    };
    GROUPS.iter().map(group).collect()
}

async fn answer(request: HttpRequest, number: web::Path<String>) -> HttpResponse {
    let work = async {
        let number = number.parse().map_err(|_| Failure::NotFound)?;
        let question = CATALOGUE.question(number).ok_or(Failure::NotFound)?;
        let site = site(&request)?;
        let title = told(&question.title, &site);
        let next = CATALOGUE.question(number + 1);
        let chrome = frame(&request, &title, QUESTIONS).await;
        let body = AnswerBody {
            title,
            parts: vec![question.part().told(&site)],
            next: next.map(|question| question_link(question, &site)),
        };
        Ok(render(&request, "help_answer.jinja", &chrome, &body))
    };
    page(&request, work).await
}

async fn topic(request: HttpRequest, slug: web::Path<String>) -> HttpResponse {
    let work = async {
        let found = CATALOGUE.page(&slug).ok_or(Failure::NotFound)?;
        let site = site(&request)?;
        let here = match found.slug.as_str() {
            "contact" => "/help/contact",
            _ => "/help",
        };
        let chrome = frame(&request, &found.title, here).await;
        let parts = found.part.iter().map(|part| part.clone().told(&site));
        let body = HelpPageBody {
            title: found.title.clone(),
            parts: parts.collect(),
        };
        Ok(render(&request, "help_page.jinja", &chrome, &body))
    };
    page(&request, work).await
}

/// The roll-out as it stands, trust by trust, in the words of the page that asks whether to join.
async fn what_comes_here(request: HttpRequest) -> HttpResponse {
    let work = async {
        let portal = Portal::of(&request)?;
        let tx = portal.store.begin_snapshot(&Principal::Anonymous).await?;
        let rollout = pages::comes_here(&tx).await?;
        drop(tx);
        let (comes_here, by_post) = join::divide(&rollout);
        let body = WhatComesBody {
            comes_here,
            by_post,
        };
        let chrome = frame(&request, "Which letters come here", "/help").await;
        Ok(render(&request, "help_what_comes.jinja", &chrome, &body))
    };
    page(&request, work).await
}
