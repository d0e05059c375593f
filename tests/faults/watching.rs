//! Cases 93 and 94: programs that look at links, and browsers that fetch ahead, open no letter; patients do.

use reqwest::Response;
use uuid::Uuid;

use crate::rig::browser::{Browser, letter_path};
use crate::rig::node::Node;
use crate::rig::world::Wanted;
use crate::rig::{seconds, until};
use crate::stage::Stage;

/// A program that visits addresses it finds in messages, named by what it does. The behaviour is written down from what
/// such programs are generally known to do; no traffic was recorded.
struct Bot {
    name: &'static str,
    /// Where its maker describes the kind; to look further, not copied from.
    source: &'static str,
    agent: &'static str,
    methods: &'static [&'static str],
    headers: &'static [(&'static str, &'static str)],
}

const BOTS: &[Bot] = &[
    Bot {
        name: "mail gateway that checks a link when it is clicked",
        source: "Microsoft Learn, Safe Links in Microsoft Defender for Office 365",
        agent: "ms-office",
        methods: &["HEAD", "GET"],
        headers: &[],
    },
    Bot {
        name: "detonation chamber: a whole browser that runs scripts and presses everything",
        source: "Microsoft Learn, Safe Attachments and URL detonation in Defender for Office 365",
        agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
        methods: &["GET", "POST", "GET"],
        headers: &[
            ("Accept", "text/html,application/xhtml+xml"),
            ("Sec-Fetch-Mode", "navigate"),
            ("Sec-Fetch-Dest", "document"),
        ],
    },
    Bot {
        name: "link protection that follows with both methods at delivery",
        source: "Barracuda Campus, Understanding Link Protection",
        agent: "Mozilla/5.0 (compatible; BarracudaLinkProtect)",
        methods: &["HEAD", "GET", "GET"],
        headers: &[],
    },
    Bot {
        name: "rewritten links tested before and at the click",
        source: "Proofpoint, Targeted Attack Protection: URL Defense",
        agent: "Mozilla/5.0 (Windows NT 10.0; WOW64) AppleWebKit/537.36",
        methods: &["GET", "HEAD", "GET"],
        headers: &[("Referer", "https://urldefense.example/v3/")],
    },
    Bot {
        name: "image proxy of a mail service",
        source: "Gmail Help, Images sent through Google's image proxy",
        agent: "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        methods: &["GET"],
        headers: &[("Accept", "image/*")],
    },
    Bot {
        name: "preview in a chat, made by the sender's phone",
        source: "WhatsApp Business documentation, Link previews",
        agent: "WhatsApp/2.24.20.89 A",
        methods: &["GET"],
        headers: &[("Range", "bytes=0-65535")],
    },
    Bot {
        name: "preview in a text message, made by the phone",
        source: "Apple technote TN3156, Create rich previews for Messages",
        agent: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
        methods: &["GET"],
        headers: &[],
    },
    Bot {
        name: "crawler of a social network",
        source: "Meta for Developers, Meta web crawlers",
        agent: "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        methods: &["GET", "GET"],
        headers: &[("Range", "bytes=0-524287")],
    },
    Bot {
        name: "link expander of a workplace chat",
        source: "Slack API, Slack's robots",
        agent: "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        methods: &["GET"],
        headers: &[("Range", "bytes=0-32768")],
    },
    Bot {
        name: "monitor that counts what answers",
        source: "RFC 9110, 9.3.2 (HEAD)",
        agent: "check_http/2.3",
        methods: &["HEAD", "HEAD", "HEAD", "OPTIONS"],
        headers: &[],
    },
    Bot {
        name: "security scanner that tries other methods",
        source: "OWASP Web Security Testing Guide, Test HTTP Methods",
        agent: "Mozilla/5.0 (compatible; scanner)",
        methods: &["POST", "PUT", "DELETE", "PATCH"],
        headers: &[("X-HTTP-Method-Override", "POST")],
    },
    Bot {
        name: "search engine's prefetch",
        source: "MDN, Sec-Purpose",
        agent: "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
        methods: &["GET"],
        headers: &[
            ("Sec-Purpose", "prefetch;anonymous-client-ip"),
            ("Purpose", "prefetch"),
        ],
    },
];

/// Case 93: nobody is signed in. `FAULTS_BOT_VISITS` sets how often each comes by.
#[tokio::test]
async fn case_93_whatever_a_link_scanner_does_no_letter_is_opened() {
    let visits: usize =
        std::env::var("FAULTS_BOT_VISITS").map_or(3, |count| count.parse().expect("a number"));
    let stage = Stage::set(&Wanted::patients(1), &[]).await;
    let letter = stage.publish("letter-1").await;
    let stranger = Browser::stranger();
    for bot in BOTS {
        for path in addresses(letter) {
            for method in bot.methods.iter().cycle().take(bot.methods.len() * visits) {
                let answer = visit(&stranger, &stage.node, bot, method, &path).await;
                // 416 and the like are fine; a letter, or a failure of ours, is not.
                let (status, body) = (
                    answer.status().as_u16(),
                    answer.bytes().await.unwrap_or_default(),
                );
                assert!(
                    status < 500,
                    "{} ({}): {method} {path} answers {status}",
                    bot.name,
                    bot.source
                );
                assert!(
                    !holds(&body, b"%PDF-"),
                    "{}: {method} {path} gives the letter away",
                    bot.name
                );
            }
        }
        assert_eq!(opened(&stage).await, 0, "{} ({})", bot.name, bot.source);
    }
    stage.node.until_ready().await;
    still_unopened(&stage).await;
}

/// Case 94: in the patient's own browser, signed in, but without the patient.
#[tokio::test]
async fn case_94_nothing_that_a_browser_fetches_by_itself_opens_a_letter() {
    let stage = Stage::set(&Wanted::patients(1), &[]).await;
    let letter = stage.publish("letter-1").await;
    let browser = Browser::of(stage.world.patient(0));
    let ahead: &[&[(&str, &str)]] = &[
        &[("Sec-Purpose", "prefetch")],
        &[("Sec-Purpose", "prefetch;prerender")],
        &[("Purpose", "prefetch")],
        &[("X-Moz", "prefetch")],
        &[("X-Purpose", "preview")],
        &[],
    ];
    for headers in ahead {
        for path in addresses(letter) {
            for method in ["GET", "HEAD"] {
                let mut request = browser.request(method, &stage.node, &path);
                for (name, value) in *headers {
                    request = request.header(*name, *value);
                }
                let answer = request.send().await.expect("an answer");
                let (status, body) = (
                    answer.status().as_u16(),
                    answer.bytes().await.unwrap_or_default(),
                );
                assert!(
                    status < 500,
                    "{method} {path} with {headers:?} answers {status}"
                );
                assert!(
                    !holds(&body, b"%PDF-"),
                    "{method} {path} with {headers:?} gives the letter away"
                );
            }
        }
        assert_eq!(opened(&stage).await, 0, "{headers:?}");
    }
    still_unopened(&stage).await;
}

/// Case 94: a form that our own page did not send, in this session, just now.
#[tokio::test]
async fn case_94_a_view_that_the_patient_did_not_press_opens_nothing() {
    let stage = Stage::set(&Wanted::patients(2), &[]).await;
    let letter = stage.publish("letter-1").await;
    let (browser, node) = (Browser::of(stage.world.patient(0)), &stage.node);
    let form = browser
        .view_form(node, letter)
        .await
        .expect("a page")
        .expect("a form");
    let fields = |csrf: &str, nonce: &str| [("csrf", csrf.to_owned()), ("nonce", nonce.to_owned())];
    let (csrf, nonce) = (form.csrf.as_str(), form.nonce.as_str());
    let post = |who: &Browser, origin: &str, fields: &[(&'static str, String)]| {
        let request = who.request("POST", node, &form.action);
        request.header("Origin", origin.to_owned()).form(fields)
    };
    // As a browser says it of a sandboxed frame; our own pages, which send no referrer, say `same-origin`.
    let frame = browser.form_from("cross-site", "null", node, &form.action);
    let ours = node.url();
    let other_patient = Browser::of(stage.world.patient(1));
    let refused = [
        ("without anything", post(&browser, &ours, &[])),
        (
            "without the token",
            post(&browser, &ours, &fields("", nonce)),
        ),
        (
            "without the nonce",
            post(&browser, &ours, &fields(csrf, "")),
        ),
        (
            "with a nonce of one's own making",
            post(&browser, &ours, &fields(csrf, "AAAAAAAAAAAAAAAAAAAAAA")),
        ),
        (
            "from another site",
            post(&browser, "https://elsewhere.example", &fields(csrf, nonce)),
        ),
        (
            "from a frame without origin",
            frame.form(&fields(csrf, nonce)),
        ),
        (
            "by another patient",
            post(&other_patient, &ours, &fields(csrf, nonce)),
        ),
        (
            "by nobody",
            post(&Browser::stranger(), &ours, &fields(csrf, nonce)),
        ),
    ];
    for (how, request) in refused {
        let answer = request.send().await.expect("an answer");
        let (status, body) = (
            answer.status().as_u16(),
            answer.bytes().await.unwrap_or_default(),
        );
        assert!((300..500).contains(&status), "{how}: {status}");
        assert!(!holds(&body, b"%PDF-"), "{how}: the letter is given away");
        assert_eq!(opened(&stage).await, 0, "{how}");
    }
    still_unopened(&stage).await;
}

/// Case 94: the explicit press, which needs no script at all, is an opening; pressing the same form again is none.
#[tokio::test]
async fn case_94_the_patient_who_presses_view_has_opened_the_letter_without_any_script() {
    let stage = Stage::set(&Wanted::patients(1), &[]).await;
    let letter = stage.publish("letter-1").await;
    let browser = Browser::of(stage.world.patient(0));
    let form = browser
        .view_form(&stage.node, letter)
        .await
        .expect("a page")
        .expect("a form");
    let whole = browser
        .press_view(&stage.node, &form)
        .send()
        .await
        .expect("an answer");
    assert_eq!(whole.status(), 200);
    assert_eq!(whole.headers()["content-type"], "application/pdf");
    assert!(
        whole
            .bytes()
            .await
            .expect("the whole letter")
            .starts_with(b"%PDF-")
    );
    stage.until_state("letter-1", "opened_at").await;
    assert_eq!(opened(&stage).await, 1);
    let again = browser
        .press_view(&stage.node, &form)
        .send()
        .await
        .expect("an answer");
    assert_ne!(
        again.status(),
        500,
        "a used form is answered, whatever the answer"
    );
    assert_eq!(opened(&stage).await, 1, "opened once");
    let closed = "SELECT count(*) FROM cases WHERE end_kind = 'opened'";
    assert_eq!(
        stage.world.count(closed).await,
        1,
        "its deadline has stopped"
    );
}

/// Every address of the portal that names the letter, and those in front of it.
fn addresses(letter: Uuid) -> Vec<String> {
    let page = letter_path(letter);
    let mut all: Vec<String> = [
        "/",
        "/my-health/documents",
        "/my-health/documents/rows.json",
        "/my-health/appointments",
    ]
    .map(str::to_owned)
    .to_vec();
    all.extend(["", "/view", "/file", "/read"].map(|end| format!("{page}{end}")));
    all.push(format!("/my-health/appointments/{letter}/open"));
    all.push("/live/ticket".to_owned());
    all.push("/live".to_owned());
    all
}

async fn visit(stranger: &Browser, node: &Node, bot: &Bot, method: &str, path: &str) -> Response {
    let mut request = stranger
        .request(method, node, path)
        .header("User-Agent", bot.agent);
    for (name, value) in bot.headers {
        request = request.header(*name, *value);
    }
    if method == "POST" {
        // It fills in what it finds; without a session it finds nothing.
        request = request.form(&[("csrf", "x"), ("nonce", "x")]);
    }
    request.send().await.expect("an answer")
}

async fn opened(stage: &Stage) -> i64 {
    stage
        .world
        .count("SELECT count(*) FROM letters WHERE opened_at IS NOT NULL OR state = 'opened'")
        .await
}

/// As the hospital sees it; and the letter can still be opened by its patient.
async fn still_unopened(stage: &Stage) {
    let state = stage
        .hospital
        .ask(&stage.node, "letter-1")
        .await
        .expect("an answer");
    assert_eq!(state.body["state"], "published", "{state:?}");
    let browser = Browser::of(stage.world.patient(0));
    let letter = state.letter_id();
    assert!(
        browser.open(&stage.node, letter).await.expect("an answer"),
        "the patient can still press View"
    );
    until("then it is opened", seconds(20), async || {
        opened(stage).await == 1
    })
    .await;
}

fn holds(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}
