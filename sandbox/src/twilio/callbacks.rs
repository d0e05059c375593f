//! A text's way to the phone, and the signed callbacks that tell the client about it.
//!
//! One task holds what is due next. Callbacks may come twice or in the wrong order when the knobs say
//! so; like the real provider's, they are never the only way to learn a status.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep_until};

use super::Account;
use crate::entry::Entry;
use crate::world::{Text, World};

/// Accepted texts waiting to be put on their way; a sender beyond it waits.
const QUEUE_MAX: usize = 1_024;
/// Callbacks in the air at once.
const IN_FLIGHT_MAX: usize = 32;
/// How long the client may take to answer a callback; the provider's own limit.
const CALLBACK_TIMEOUT: Duration = Duration::from_secs(15);
/// How often held texts are looked at again.
const HELD: Duration = Duration::from_millis(50);

/// How fast texts travel.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// From acceptance to `sent`.
    pub sent_after: Duration,
    /// From `sent` to `delivered` or `undelivered`.
    pub delivered_after: Duration,
}

/// Puts accepted texts on their way.
#[derive(Clone)]
pub(crate) struct Progress {
    queue: mpsc::Sender<String>,
}

impl Progress {
    pub(super) async fn begin(&self, sid: &str) {
        // Only fails while the sandbox is ending; the next start takes the text up again.
        drop(self.queue.send(sid.to_owned()).await);
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// Takes this status now, and calls back.
    Become(&'static str),
    /// Calls back about an earlier status.
    CallBack(&'static str),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Instant,
    sid: String,
    step: Step,
}

/// Starts the task, and puts every text on its way that had not arrived when the sandbox last ended.
pub(crate) fn start(world: Arc<World>, account: Account, pace: Pace) -> anyhow::Result<Progress> {
    let (queue, inbox) = mpsc::channel(QUEUE_MAX);
    // Redirects are not followed: the client named one address.
    let client = reqwest::Client::builder()
        .timeout(CALLBACK_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()?;
    let road = Road {
        world,
        account: Arc::new(account),
        pace,
        client,
        slots: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
        due: BinaryHeap::new(),
    };
    tokio::spawn(road.run(inbox));
    Ok(Progress { queue })
}

struct Road {
    world: Arc<World>,
    account: Arc<Account>,
    pace: Pace,
    client: reqwest::Client,
    slots: Arc<Semaphore>,
    due: BinaryHeap<Reverse<Due>>,
}

impl Road {
    async fn run(mut self, mut inbox: mpsc::Receiver<String>) {
        self.resume();
        loop {
            let next = self.due.peek().map(|Reverse(due)| due.at);
            let sleep = sleep_until(next.unwrap_or_else(|| Instant::now() + HELD));
            tokio::select! {
                sid = inbox.recv() => match sid {
                    Some(sid) => self.first_step(sid),
                    None => return,
                },
                () = sleep, if next.is_some() => self.take_step().await,
            }
        }
    }

    fn resume(&mut self) {
        let steps: Vec<(String, bool)> = self
            .world
            .state()
            .texts
            .values()
            .filter(|text| !is_final(&text.status))
            .map(|text| (text.accepted.sid.clone(), text.sent_at.is_some()))
            .collect();
        for (sid, sent) in steps {
            if sent {
                self.arrive_later(sid);
            } else {
                self.first_step(sid);
            }
        }
    }

    fn plan(&mut self, sid: String, step: Step, after: Duration) {
        let at = Instant::now() + after;
        self.due.push(Reverse(Due { at, sid, step }));
    }

    fn first_step(&mut self, sid: String) {
        let picked_later = {
            let state = self.world.state();
            state
                .text(&sid)
                .is_some_and(|text| text.status == "accepted")
        };
        if picked_later {
            self.plan(
                sid.clone(),
                Step::Become("queued"),
                self.pace.sent_after / 2,
            );
        }
        self.plan(sid, Step::Become("sent"), self.pace.sent_after);
    }

    fn arrive_later(&mut self, sid: String) {
        self.plan(sid, Step::Become("delivered"), self.pace.delivered_after);
    }

    async fn take_step(&mut self) {
        let Some(Reverse(due)) = self.due.pop() else {
            return;
        };
        if self.world.faults().twilio.hold_statuses {
            return self.plan(due.sid, due.step, HELD);
        }
        match due.step {
            Step::Become(status) => self.become_status(due.sid, status).await,
            Step::CallBack(status) => self.call_back(&due.sid, status, None),
        }
    }

    async fn become_status(&mut self, sid: String, status: &'static str) {
        let Some(to) = self.world.state().text(&sid).map(|t| t.accepted.to.clone()) else {
            return; // forgotten by a reset
        };
        let (error_code, reverse) = {
            let knobs = &self.world.faults().twilio;
            let code = knobs.undelivered.get(&to).copied();
            (
                code.filter(|_| status == "delivered"),
                knobs.reverse_callbacks,
            )
        };
        let status = if error_code.is_some() {
            "undelivered"
        } else {
            status
        };
        let entry = Entry::TextStatus {
            sid: sid.clone(),
            status: status.into(),
            error_code,
        };
        self.world.note(entry).await;
        if status == "sent" && reverse {
            let late = self.pace.delivered_after + HELD;
            self.plan(sid.clone(), Step::CallBack("sent"), late);
        } else {
            self.call_back(&sid, status, error_code);
        }
        if status == "sent" {
            self.arrive_later(sid);
        }
    }

    fn call_back(&self, sid: &str, status: &'static str, error_code: Option<u32>) {
        let (copies, forged) = {
            let knobs = &self.world.faults().twilio;
            (1 + knobs.extra_callbacks, knobs.forge_signatures)
        };
        let state = self.world.state();
        let Some(text) = state.text(sid) else { return };
        let Some(url) = text.accepted.status_callback.clone() else {
            return;
        };
        let form = form(text, status, error_code);
        let key = if forged {
            "another key"
        } else {
            &self.account.auth_token
        };
        // The fragment carries tuning for the provider and is not part of the request.
        let url = url.split('#').next().unwrap_or_default().to_owned();
        let call = Call {
            signature: signature(key, &url, &form),
            url,
            form,
            sid: sid.to_owned(),
            status,
        };
        for _ in 0..copies {
            let road = (
                Arc::clone(&self.world),
                self.client.clone(),
                Arc::clone(&self.slots),
            );
            tokio::spawn(call.clone().make(road.0, road.1, road.2));
        }
    }
}

fn is_final(status: &str) -> bool {
    matches!(status, "delivered" | "undelivered" | "failed")
}

fn form(text: &Text, status: &str, error_code: Option<u32>) -> Vec<(String, String)> {
    let accepted = &text.accepted;
    let mut form = vec![
        ("AccountSid", accepted.account_sid.clone()),
        ("ApiVersion", "2010-04-01".into()),
        ("From", accepted.from.clone().unwrap_or_default()),
        ("MessageSid", accepted.sid.clone()),
        ("MessageStatus", status.into()),
        ("SmsSid", accepted.sid.clone()),
        ("SmsStatus", status.into()),
        ("To", accepted.to.clone()),
    ];
    if let Some(service) = &accepted.messaging_service_sid {
        form.push(("MessagingServiceSid", service.clone()));
    }
    if let Some(code) = error_code {
        form.push(("ErrorCode", code.to_string()));
    }
    form.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
}

/// Base64 of HMAC-SHA1 over the URL followed by each parameter's name and value, sorted by name.
pub(super) fn signature(key: &str, url: &str, form: &[(String, String)]) -> String {
    let mut sorted: Vec<_> = form.iter().collect();
    sorted.sort();
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key.as_bytes()) else {
        return String::new(); // HMAC takes keys of any length
    };
    mac.update(url.as_bytes());
    for (name, value) in sorted {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    STANDARD.encode(mac.finalize().into_bytes())
}

#[derive(Clone)]
struct Call {
    url: String,
    form: Vec<(String, String)>,
    signature: String,
    sid: String,
    status: &'static str,
}

impl Call {
    /// Tries twice, as the provider does by default.
    async fn make(self, world: Arc<World>, client: reqwest::Client, slots: Arc<Semaphore>) {
        let Ok(_slot) = slots.acquire_owned().await else {
            return;
        };
        for _ in 0..2 {
            let outcome = self.once(&client).await;
            let done = outcome.as_ref().is_ok_and(|status| *status < 500);
            let outcome = outcome.map_or_else(|error| error, |status| status.to_string());
            let entry = Entry::Callback {
                sid: self.sid.clone(),
                status: self.status.into(),
                outcome,
            };
            world.note(entry).await;
            if done {
                return;
            }
        }
    }

    async fn once(&self, client: &reqwest::Client) -> Result<u16, String> {
        let request = client
            .post(&self.url)
            .header("X-Twilio-Signature", &self.signature)
            .form(&self.form);
        match request.send().await {
            Ok(answer) => Ok(answer.status().as_u16()),
            Err(error) => Err(error.without_url().to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::signature;

    /// The provider's published example: its documentation's URL, parameters, token and result.
    #[test]
    fn the_signature_matches_the_published_example() {
        let form = [
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+14158675309"),
            ("Digits", "1234"),
            ("From", "+14158675309"),
            ("To", "+18005551212"),
        ];
        let form: Vec<_> = form
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        assert_eq!(
            signature("12345", url, &form),
            "RSOYDt4T1cUTdK1PDd93/VVr8B8="
        );
    }
}
