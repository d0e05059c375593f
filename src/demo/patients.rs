//! Played patients: each signs in on a host of their own and opens what is new, by the ordinary pages.

use anyhow::{Context, ensure};
use reqwest::{Client, RequestBuilder, Response, header};

/// A browser without a screen: one cookie, one host name.
pub(super) struct Browser {
    client: Client,
    /// Where the server listens.
    base_url: String,
    /// The host name the page is asked for, such as `margaret.localhost:8080`.
    host: String,
    cookie: String,
}

/// A form as found in a page: where it goes and what it carries.
#[derive(Debug, PartialEq, Eq)]
struct Form {
    action: String,
    fields: Vec<(String, String)>,
}

impl Browser {
    /// Signs in as a persona through the demonstration's sign-in page.
    ///
    /// # Errors
    /// When the page is missing or refuses.
    pub(super) async fn sign_in(client: Client, port: u16, persona: &str) -> anyhow::Result<Self> {
        let mut browser = Self {
            client,
            base_url: format!("http://127.0.0.1:{port}"),
            host: format!("{persona}.localhost:{port}"),
            cookie: String::new(),
        };
        let page = browser.get("/demo/sign-in").await?.text().await?;
        let form = forms(&page)
            .into_iter()
            .find(|form| form.action == "/demo/sign-in");
        let mut form = form.context("the sign-in page has no form")?;
        form.answer("computer", "private");
        let answer = browser.submit(&form).await?;
        browser.remember(&answer);
        ensure!(
            !browser.cookie.is_empty(),
            "signing in as {persona} gave no session"
        );
        Ok(browser)
    }

    /// Opens every appointment whose details are unread; answers how many.
    ///
    /// # Errors
    /// When a page is missing or refuses.
    pub(super) async fn open_appointments(&self) -> anyhow::Result<usize> {
        let mut opened = 0;
        for list in [
            "/my-health/appointments/upcoming",
            "/my-health/appointments/cancelled",
        ] {
            let page = self.get(list).await?.text().await?;
            let unread = forms(&page)
                .into_iter()
                .filter(|form| form.action.ends_with("/open"));
            for form in unread {
                let answer = self.submit(&form).await?;
                ensure!(
                    answer.status().is_success() || answer.status().is_redirection(),
                    "opening was refused"
                );
                opened += 1;
            }
        }
        Ok(opened)
    }

    async fn get(&self, path: &str) -> anyhow::Result<Response> {
        let sent = self.client.get(format!("{}{path}", self.base_url));
        Ok(self.dressed(sent).send().await?.error_for_status()?)
    }

    async fn submit(&self, form: &Form) -> anyhow::Result<Response> {
        let sent = self
            .client
            .post(format!("{}{}", self.base_url, form.action))
            .form(&form.fields);
        Ok(self
            .dressed(sent)
            .header(header::ORIGIN, format!("http://{}", self.host))
            .send()
            .await?)
    }

    fn dressed(&self, sent: RequestBuilder) -> RequestBuilder {
        sent.header(header::HOST, &self.host)
            .header(header::COOKIE, &self.cookie)
            .header("Sec-Fetch-Site", "same-origin")
    }

    fn remember(&mut self, answer: &Response) {
        let cookies = answer.headers().get_all(header::SET_COOKIE).iter();
        let pairs = cookies.filter_map(|value| value.to_str().ok()?.split(';').next());
        self.cookie = pairs.collect::<Vec<_>>().join("; ");
    }
}

impl Form {
    /// Gives this answer to a question, in place of the pre-selected one.
    fn answer(&mut self, name: &str, value: &str) {
        self.fields.retain(|(field, _)| field != name);
        self.fields.push((name.to_owned(), value.to_owned()));
    }
}

/// Every form of one of our own pages. Not a parser of HTML: our templates write attributes in double quotes.
fn forms(page: &str) -> Vec<Form> {
    page.split("<form")
        .skip(1)
        .filter_map(|rest| form(rest.split("</form").next()?))
        .collect()
}

fn form(text: &str) -> Option<Form> {
    let action = attribute(text.split('>').next()?, "action")?;
    let inputs = text
        .split("<input")
        .skip(1)
        .filter_map(|rest| rest.split('>').next());
    let given = inputs.filter(|tag| !tag.contains(r#"type="radio""#) || tag.contains(" checked"));
    let fields = given.filter_map(|tag| {
        Some((
            attribute(tag, "name")?,
            attribute(tag, "value").unwrap_or_default(),
        ))
    });
    let buttons = text
        .split("<button")
        .skip(1)
        .filter_map(|rest| rest.split('>').next());
    let pressed = buttons
        .filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?)))
        .take(1);
    Some(Form {
        action,
        fields: fields.chain(pressed).collect(),
    })
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag
        .split(&format!(" {name}=\""))
        .nth(1)?
        .split('"')
        .next()?;
    Some(
        value
            .replace("&#x2f;", "/")
            .replace("&#x27;", "'")
            .replace("&quot;", "\"")
            .replace("&amp;", "&"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_answers_the_chosen_one_is_sent_and_can_be_replaced() {
        let page = r#"<form action="/in"><input name="c" type="radio" value="a" checked><input name="c" type="radio" value="b"></form>"#;
        let mut form = forms(page).pop().expect("a form");
        assert_eq!(form.fields, [("c".to_owned(), "a".to_owned())]);
        form.answer("c", "b");
        assert_eq!(form.fields, [("c".to_owned(), "b".to_owned())]);
    }

    #[test]
    fn forms_are_found_with_what_they_carry() {
        let page = r#"<p>Hello</p><form method="post" action="/a/open"><input type="hidden" name="csrf" value="x&amp;y">
            <button class="b" name="go" value="1">Open</button></form><form action="/b"></form>"#;
        let carried = vec![
            ("csrf".to_owned(), "x&y".to_owned()),
            ("go".to_owned(), "1".to_owned()),
        ];
        assert_eq!(
            forms(page),
            [
                Form {
                    action: "/a/open".to_owned(),
                    fields: carried
                },
                Form {
                    action: "/b".to_owned(),
                    fields: vec![]
                }
            ]
        );
    }
}
