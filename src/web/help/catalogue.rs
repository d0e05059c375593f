//! The help texts: 30 questions with their answers, and the pages beside them, as data that ships with the program.
//!
//! Never knows who is reading: every reader gets the same words, and a link leads through the sign-in page where it must.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::super::templates::Site;

const QUESTIONS: &str = include_str!("questions.toml");
const PAGES: &str = include_str!("pages.toml");

/// Everything there is to read. What ships is checked by the tests below, so it always parses.
pub(super) static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue {
    questions: toml::from_str::<Questions>(QUESTIONS)
        .map(|file| file.question)
        .unwrap_or_default(),
    pages: toml::from_str::<Pages>(PAGES)
        .map(|file| file.page)
        .unwrap_or_default(),
});

/// The groups of the list of questions, in its order.
pub(super) const GROUPS: [(&str, &str); 7] = [
    ("about", "About the portal"),
    ("joining", "Joining"),
    ("letters", "Letters"),
    ("appointments", "Appointments"),
    ("sharing", "Family, friends and carers"),
    ("safety", "Your information"),
    ("help", "Getting help, and leaving"),
];

pub(super) struct Catalogue {
    pub(super) questions: Vec<Question>,
    pub(super) pages: Vec<Page>,
}

impl Catalogue {
    pub(super) fn question(&self, number: u8) -> Option<&Question> {
        self.questions.iter().find(|one| one.number == number)
    }

    pub(super) fn page(&self, slug: &str) -> Option<&Page> {
        self.pages.iter().find(|one| one.slug == slug)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Questions {
    question: Vec<Question>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pages {
    page: Vec<Page>,
}

/// One of the questions that patients are given, by its number.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    pub(super) number: u8,
    pub(super) group: String,
    pub(super) title: String,
    #[serde(default)]
    text: Vec<String>,
    #[serde(default)]
    points: Vec<String>,
    #[serde(default)]
    steps: Vec<String>,
    #[serde(default)]
    after: Vec<String>,
    pub(super) links: Vec<Link>,
    #[serde(default)]
    help_desk: bool,
    /// What else somebody may search for.
    pub(super) words: Vec<String>,
}

impl Question {
    /// The answer.
    pub(super) fn part(&self) -> Part {
        Part {
            heading: None,
            text: self.text.clone(),
            points: self.points.clone(),
            steps: self.steps.clone(),
            after: self.after.clone(),
            links: self.links.clone(),
            help_desk: self.help_desk,
        }
    }
}

/// A help page of its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// Its address below `/help`.
    pub(super) slug: String,
    pub(super) title: String,
    /// In the list of help pages.
    pub(super) about: String,
    pub(super) words: Vec<String>,
    pub(super) part: Vec<Part>,
}

/// A stretch of text, in this order.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    heading: Option<String>,
    #[serde(default)]
    text: Vec<String>,
    #[serde(default)]
    points: Vec<String>,
    #[serde(default)]
    steps: Vec<String>,
    #[serde(default)]
    after: Vec<String>,
    #[serde(default)]
    links: Vec<Link>,
    /// Whether the help desk's address follows.
    #[serde(default)]
    help_desk: bool,
}

/// Where the reader can go on.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Link {
    pub(super) text: String,
    /// A page of ours, or an address of the NHS or the government.
    pub(super) href: String,
}

impl Part {
    /// With the configured names in place of their signs.
    pub(super) fn told(mut self, site: &Site) -> Self {
        let lists = [
            &mut self.text,
            &mut self.points,
            &mut self.steps,
            &mut self.after,
        ];
        for line in lists.into_iter().flatten() {
            *line = told(line, site);
        }
        self
    }

    /// Everything that is said, for searching.
    pub(super) fn sentences(&self) -> impl Iterator<Item = &str> {
        let lists = [&self.text, &self.points, &self.steps, &self.after];
        let links = self.links.iter().map(|link| link.text.as_str());
        let said = lists.into_iter().flatten().map(String::as_str);
        said.chain(self.heading.as_deref()).chain(links)
    }
}

/// The text with the configured names in it.
pub(super) fn told(text: &str, site: &Site) -> String {
    text.replace("{portal}", &site.portal_name)
        .replace("{area}", &site.area)
        .replace("{help_desk}", &site.help_email)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::web::place;

    /// Where links to other sites may lead: the NHS and the government, nobody else.
    const ELSEWHERE: [&str; 3] = [
        "https://www.nhs.uk/",
        "https://help.login.nhs.uk/",
        "https://www.gov.uk/",
    ];

    fn all_links() -> Vec<(String, Link)> {
        let of_questions = CATALOGUE.questions.iter().flat_map(|question| {
            let named = move |link: &Link| (question.number.to_string(), link.clone());
            question.links.iter().map(named)
        });
        let of_pages = CATALOGUE.pages.iter().flat_map(|page| {
            let links = page.part.iter().flat_map(|part| &part.links);
            links.map(|link| (page.slug.clone(), link.clone()))
        });
        of_questions.chain(of_pages).collect()
    }

    #[test]
    fn what_ships_can_be_read_and_all_thirty_questions_have_an_answer() {
        let questions: Questions = toml::from_str(QUESTIONS).expect("the questions");
        let pages: Pages = toml::from_str(PAGES).expect("the pages");
        let numbers: Vec<u8> = questions.question.iter().map(|one| one.number).collect();
        assert_eq!(numbers, (1..=30).collect::<Vec<u8>>());
        for question in &questions.question {
            let said = question.part().sentences().map(str::len).sum::<usize>();
            assert!(said > 80, "question {} says too little", question.number);
            assert!(
                !question.links.is_empty(),
                "question {} leads nowhere",
                question.number
            );
            assert!(GROUPS.iter().any(|(group, _)| *group == question.group));
        }
        let slugs: BTreeSet<_> = pages.page.iter().map(|page| &page.slug).collect();
        assert_eq!(slugs.len(), pages.page.len(), "a page stands twice");
    }

    #[actix_web::test]
    async fn every_link_leads_to_a_page_that_the_router_knows_or_to_the_nhs() {
        for (where_it_stands, link) in all_links() {
            let known = match link.href.as_str() {
                "/help/what-comes-here" | "/help/questions" => true,
                ours if ours.starts_with("/help/questions/") => ours
                    .rsplit('/')
                    .next()
                    .and_then(|number| number.parse().ok())
                    .is_some_and(|number| CATALOGUE.question(number).is_some()),
                ours if ours.starts_with("/help/") => CATALOGUE.page(&ours[6..]).is_some(),
                ours if ours.starts_with('/') => place::known(ours).is_some(),
                other => ELSEWHERE.iter().any(|site| other.starts_with(site)),
            };
            assert!(known, "{where_it_stands} leads to {}", link.href);
        }
    }

    #[test]
    fn no_sign_for_a_configured_name_is_left_over() {
        let site = Site {
            portal_name: "P".to_owned(),
            area: "A".to_owned(),
            help_email: "h@example.test".to_owned(),
            ..Site::default()
        };
        let of_pages = CATALOGUE.pages.iter().flat_map(|page| page.part.clone());
        let of_questions = CATALOGUE.questions.iter().map(Question::part);
        for part in of_pages.chain(of_questions) {
            let part = part.told(&site);
            for sentence in part.sentences() {
                assert!(!sentence.contains(['{', '}']), "{sentence}");
            }
        }
    }

    #[test]
    fn r10_1_r11_1_help_with_nhs_login_and_with_the_nhs_number_is_one_link_away() {
        let leads = |number, place: &str| {
            let question = CATALOGUE.question(number).expect("the question");
            question.links.iter().any(|link| link.href == place)
        };
        assert!(leads(9, "/help/nhs-login") && leads(10, "/help/nhs-login"));
        assert!(leads(10, "https://help.login.nhs.uk/"));
        assert!(leads(
            11,
            "https://www.nhs.uk/nhs-services/online-services/find-nhs-number/"
        ));
    }
}
