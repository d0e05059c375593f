//! A sandbox in this process, and channels that are configured to use it.

use std::path::PathBuf;
use std::time::Duration;

use letterbox::channels::Channels;
use letterbox::config::{ChannelSettings, EmailSettings, PostSettings, SmtpTls, TextSettings};
use letterbox_actors::ports::Outgoing;
use letterbox_domain::id::DispatchId;
use letterbox_sandbox::{Account, Pace, Running, Settings, start};
use secrecy::SecretString;
use serde_json::{Value, json};

pub(crate) const GWYN: &str = "+447700900123";
pub(crate) const PUBLIC: &str = "https://letters.example.test";
const ACCOUNT: &str = "AC00000000000000000000000000000000";
const TOKEN: &str = "a token for tests";
/// Ten times what the slowest machine needs.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct World {
    running: Running,
    pub(crate) folder: PathBuf,
    pub(crate) settings: ChannelSettings,
    client: reqwest::Client,
}

impl World {
    pub(crate) async fn new() -> Self {
        let name = format!("letterbox-channels-{}", uuid::Uuid::new_v4());
        let folder = std::env::temp_dir().join(name);
        let post = folder.join("post");
        std::fs::create_dir_all(&post).expect("a folder can be made");
        let loopback = "127.0.0.1:0".parse().expect("an address");
        let running = start(Settings {
            http: loopback,
            smtp: loopback,
            journal: folder.join("journal.jsonl"),
            post_folder: post.join("outgoing"),
            acks_folder: post.join("incoming"),
            account: Account {
                sid: ACCOUNT.into(),
                auth_token: TOKEN.into(),
                api_key: None,
            },
            pace: Pace {
                sent_after: Duration::from_millis(20),
                delivered_after: Duration::from_millis(20),
            },
            print_every: Duration::from_millis(10),
        });
        let running = running.await.expect("the sandbox starts");
        let settings = settings(&running, post);
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .build();
        let client = client.expect("a client can be built");
        Self {
            running,
            folder,
            settings,
            client,
        }
    }

    pub(crate) fn channels(&self) -> Channels {
        self.channels_within(PATIENCE)
    }

    pub(crate) fn channels_within(&self, timeout: Duration) -> Channels {
        Channels::new(&self.settings, PUBLIC, timeout).expect("the settings are good")
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let url = format!("http://{}{path}", self.running.http);
        let answer = self.client.get(url).send().await.expect("an answer");
        answer.json().await.expect("JSON")
    }

    pub(crate) async fn faults(&self, knobs: Value) {
        let url = format!("http://{}/faults", self.running.http);
        let answer = self.client.post(url).json(&knobs).send().await;
        assert!(answer.expect("an answer").status().is_success());
    }

    pub(crate) async fn calm(&self) {
        self.faults(json!({ "twilio": {}, "smtp": {}, "print": {} }))
            .await;
    }

    pub(crate) async fn journal(&self, kind: &str) -> Vec<Value> {
        let page = self.get("/journal?limit=1000").await;
        let lines = page["lines"].as_array().expect("a list").clone();
        lines
            .into_iter()
            .filter(|line| line["kind"] == kind)
            .collect()
    }

    pub(crate) async fn until(&self, kind: &str, count: usize) -> Vec<Value> {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                let lines = self.journal(kind).await;
                if lines.len() >= count {
                    return lines;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        found
            .await
            .unwrap_or_else(|_| panic!("{count} lines of {kind} never came"))
    }

    pub(crate) async fn end(self) {
        self.running.stop().await;
        std::fs::remove_dir_all(&self.folder).expect("the folder is ours");
    }
}

fn settings(running: &Running, post: PathBuf) -> ChannelSettings {
    ChannelSettings {
        email: EmailSettings {
            host: Some(running.smtp.ip().to_string()),
            port: running.smtp.port(),
            tls: SmtpTls::None,
            username: None,
            password: None,
            from: "My Health and Wellbeing <no-reply@example.test>".into(),
            reply_to: None,
        },
        text: TextSettings {
            base_url: format!("http://{}", running.http),
            account_sid: Some(ACCOUNT.into()),
            api_key_sid: None,
            api_key_secret: None,
            auth_token: Some(SecretString::from(TOKEN)),
            auth_token_previous: None,
            messaging_service_sid: None,
            from: Some("MyHealth".into()),
            status_callback: None,
        },
        post: PostSettings {
            folder: Some(post),
            poll: Duration::from_secs(1),
            cut_off: chrono::NaiveTime::MIN,
            max_batch_letters: 500,
        },
    }
}

/// A message of which only the words matter.
pub(crate) fn outgoing(to: &str, body: &str) -> Outgoing {
    Outgoing {
        key: DispatchId::random(),
        to: to.into(),
        subject: "My Health and Wellbeing: you have a new hospital message".into(),
        body: body.into(),
    }
}
