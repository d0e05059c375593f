//! A patient's browser, as far as pages go: a cookie, an origin, forms.

use reqwest::{Client, RequestBuilder, Response};
use uuid::Uuid;

use super::hospital;
use super::node::Node;
use super::world::Patient;

#[derive(Clone)]
pub(crate) struct Browser {
    client: Client,
    cookie: Option<String>,
}

/// The form of a letter page whose answer is the letter itself.
#[derive(Clone, Debug)]
pub(crate) struct ViewForm {
    pub(crate) action: String,
    pub(crate) csrf: String,
    pub(crate) nonce: String,
}

impl Browser {
    pub(crate) fn of(patient: &Patient) -> Self {
        Self {
            client: hospital::client(),
            cookie: Some(patient.cookie.clone()),
        }
    }

    /// Somebody who is not signed in.
    pub(crate) fn stranger() -> Self {
        Self {
            client: hospital::client(),
            cookie: None,
        }
    }

    /// The same connections for another patient.
    pub(crate) fn now_of(&self, patient: &Patient) -> Self {
        Self {
            client: self.client.clone(),
            cookie: Some(patient.cookie.clone()),
        }
    }

    /// Any request, with what a browser sends by itself when somebody follows a link on our own page.
    pub(crate) fn request(&self, method: &str, node: &Node, path: &str) -> RequestBuilder {
        let method = method.parse().expect("a method");
        let request = self.client.request(method, format!("{}{path}", node.url()));
        let request = request
            .header("Sec-Fetch-Site", "same-origin")
            .header("Sec-Fetch-Mode", "navigate");
        match &self.cookie {
            Some(cookie) => request.header("Cookie", cookie),
            None => request,
        }
    }

    /// A form that another site's page, or a frame, sends in this browser.
    pub(crate) fn form_from(
        &self,
        site: &str,
        origin: &str,
        node: &Node,
        path: &str,
    ) -> RequestBuilder {
        let request = self.client.post(format!("{}{path}", node.url()));
        let request = request
            .header("Sec-Fetch-Site", site)
            .header("Origin", origin);
        match &self.cookie {
            Some(cookie) => request.header("Cookie", cookie),
            None => request,
        }
    }

    pub(crate) async fn get(&self, node: &Node, path: &str) -> reqwest::Result<Response> {
        self.request("GET", node, path).send().await
    }

    /// The letter page's View form; `None` when there is none, because the letter is open already or not there.
    pub(crate) async fn view_form(
        &self,
        node: &Node,
        letter: Uuid,
    ) -> reqwest::Result<Option<ViewForm>> {
        let page = self
            .get(node, &letter_path(letter))
            .await?
            .error_for_status()?
            .text()
            .await?;
        Ok(find_form(&page))
    }

    /// Presses View: the answer is the PDF.
    pub(crate) fn press_view(&self, node: &Node, form: &ViewForm) -> RequestBuilder {
        let fields = [("csrf", &form.csrf), ("nonce", &form.nonce)];
        self.request("POST", node, &form.action)
            .header("Origin", node.url())
            .form(&fields)
    }

    /// Opens a letter as a patient does, and reads the whole PDF; false where there was nothing to press.
    pub(crate) async fn open(&self, node: &Node, letter: Uuid) -> reqwest::Result<bool> {
        let Some(form) = self.view_form(node, letter).await? else {
            return Ok(false);
        };
        let answer = self
            .press_view(node, &form)
            .send()
            .await?
            .error_for_status()?;
        if answer.status() != 200 {
            // Opened meanwhile, perhaps by an earlier press whose answer was lost: back to the letter's page.
            return Ok(false);
        }
        let whole = answer.bytes().await?;
        assert!(whole.starts_with(b"%PDF-"), "View answers with the PDF");
        Ok(true)
    }
}

pub(crate) fn letter_path(letter: Uuid) -> String {
    format!("/my-health/documents/{letter}")
}

fn find_form(page: &str) -> Option<ViewForm> {
    page.split("<form").skip(1).find_map(|form| {
        let form = form.split("</form>").next()?;
        let action = attribute(form, "action")?.to_owned();
        action.ends_with("/view").then_some(())?;
        Some(ViewForm {
            action,
            csrf: field(form, "csrf")?,
            nonce: field(form, "nonce")?,
        })
    })
}

fn field(form: &str, name: &str) -> Option<String> {
    let mut inputs = form
        .split("<input")
        .skip(1)
        .filter_map(|input| input.split('>').next());
    let input = inputs.find(|input| attribute(input, "name") == Some(name))?;
    attribute(input, "value").map(str::to_owned)
}

/// Our own pages quote every attribute, and none of these values holds what HTML would escape.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split('"').next()
}
