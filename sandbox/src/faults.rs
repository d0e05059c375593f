//! The knobs: how the world outside misbehaves, until it is told to stop.
//!
//! Knobs are set over HTTP, live in memory only, and are all at rest when the sandbox starts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Longest delay a knob may ask for; a test that needs more has stopped testing.
pub(crate) const DELAY_MAX_MS: u64 = 60_000;
/// Entries in one knob's table of numbers, addresses or letters.
const TABLE_MAX: usize = 1_000;
/// Extra copies of one callback.
const COPIES_MAX: u32 = 10;

/// All knobs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Faults {
    pub(crate) twilio: TwilioFaults,
    pub(crate) smtp: SmtpFaults,
    pub(crate) print: PrintFaults,
}

/// What `POST /faults` carries: a service that is named gets exactly these knobs, the others keep theirs.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FaultsChange {
    pub(crate) twilio: Option<TwilioFaults>,
    pub(crate) smtp: Option<SmtpFaults>,
    pub(crate) print: Option<PrintFaults>,
}

/// Knobs of the text provider.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TwilioFaults {
    /// Waits this long before a request is looked at.
    pub(crate) latency_ms: u64,
    /// Waits this long after a message is accepted and journalled, before the answer.
    pub(crate) answer_delay_ms: u64,
    /// This many requests to send are answered with `fail_status` and nothing is accepted.
    pub(crate) fail_next: u32,
    /// 500 when not given.
    pub(crate) fail_status: Option<u16>,
    /// The provider's own code in the error; 20500 when not given.
    pub(crate) fail_code: Option<u32>,
    /// Adds `Retry-After` to those failures, in seconds.
    pub(crate) retry_after_s: Option<u32>,
    /// This many messages are accepted and journalled, then the connection closes without an answer.
    pub(crate) lose_answer_next: u32,
    /// Number → error code of the refusal, for example 21610 (opted out).
    pub(crate) refuse: BTreeMap<String, u32>,
    /// Number → error code with which its texts end as `undelivered`.
    pub(crate) undelivered: BTreeMap<String, u32>,
    /// Each callback is sent this many times more.
    pub(crate) extra_callbacks: u32,
    /// `sent` is called back after the final status.
    pub(crate) reverse_callbacks: bool,
    /// Texts stay where they are until the knob is released.
    pub(crate) hold_statuses: bool,
    /// Callbacks carry a signature made with another key.
    pub(crate) forge_signatures: bool,
}

/// Where in the SMTP dialogue a failure is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SmtpStage {
    Connect,
    Mail,
    #[default]
    Rcpt,
    Data,
    /// After the final dot.
    End,
}

/// Knobs of the mail server.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SmtpFaults {
    /// Waits this long before the greeting.
    pub(crate) latency_ms: u64,
    /// Waits this long after a mail is accepted and journalled, before the answer to the final dot.
    pub(crate) answer_delay_ms: u64,
    /// This many times `fail_reply` is answered at `fail_at`.
    pub(crate) fail_next: u32,
    pub(crate) fail_at: SmtpStage,
    /// `451 4.3.0 try again later` when not given.
    pub(crate) fail_reply: Option<String>,
    /// Recipient → the reply to `RCPT TO`, for example `550 5.1.1 no such mailbox`.
    pub(crate) refuse: BTreeMap<String, String>,
    /// This many mails are accepted and journalled, then the connection closes without an answer.
    pub(crate) lose_answer_next: u32,
    /// This many mails are read to the final dot and thrown away, then the connection closes.
    pub(crate) cut_at_dot_next: u32,
}

/// Knobs of the print house.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PrintFaults {
    /// The house is closed: batches lie where they are.
    pub(crate) closed: bool,
    /// Batches are printed, acknowledgements wait until the knob is released.
    pub(crate) hold_acks: bool,
    /// Waits this long between printing and acknowledging.
    pub(crate) answer_delay_ms: u64,
    /// Letter id or postcode → the reason for not printing it.
    pub(crate) refuse: BTreeMap<String, String>,
}

impl Faults {
    /// Turns the named services' knobs.
    ///
    /// # Errors
    /// A sentence, when a knob is out of its range; then nothing was changed.
    pub(crate) fn change(&mut self, change: FaultsChange) -> Result<(), String> {
        let next = Self {
            twilio: change.twilio.unwrap_or_else(|| self.twilio.clone()),
            smtp: change.smtp.unwrap_or_else(|| self.smtp.clone()),
            print: change.print.unwrap_or_else(|| self.print.clone()),
        };
        next.check()?;
        *self = next;
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        let delays = [
            self.twilio.latency_ms,
            self.twilio.answer_delay_ms,
            self.smtp.latency_ms,
            self.smtp.answer_delay_ms,
            self.print.answer_delay_ms,
        ];
        if delays.iter().any(|ms| *ms > DELAY_MAX_MS) {
            return Err(format!("a delay may be at most {DELAY_MAX_MS} ms"));
        }
        let tables = [
            self.twilio.refuse.len(),
            self.twilio.undelivered.len(),
            self.smtp.refuse.len(),
            self.print.refuse.len(),
        ];
        if tables.iter().any(|len| *len > TABLE_MAX) {
            return Err(format!("a table may hold at most {TABLE_MAX} entries"));
        }
        if self.twilio.extra_callbacks > COPIES_MAX {
            return Err(format!("extra_callbacks may be at most {COPIES_MAX}"));
        }
        if self
            .twilio
            .fail_status
            .is_some_and(|s| !(400..600).contains(&s))
        {
            return Err("fail_status must be 400 to 599".into());
        }
        let mut replies = self.smtp.refuse.values().chain(&self.smtp.fail_reply);
        if replies.any(|reply| !is_negative_reply(reply)) {
            return Err("an SMTP reply must look like `451 4.3.0 text`".into());
        }
        Ok(())
    }
}

fn is_negative_reply(reply: &str) -> bool {
    let bytes = reply.as_bytes();
    bytes.len() <= 500
        && reply.bytes().all(|b| (b' '..=b'~').contains(&b))
        && matches!(bytes, [b'4' | b'5', b'0'..=b'9', b'0'..=b'9', b' ', ..])
}

/// Uses up one of a counted knob; false when none is left.
pub(crate) fn take(knob: &mut u32) -> bool {
    let left = *knob > 0;
    *knob = knob.saturating_sub(1);
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_is_not_named_keeps_its_knobs() {
        let mut faults = Faults::default();
        faults.smtp.fail_next = 2;
        let change = serde_json::from_str(r#"{"twilio":{"fail_next":1}}"#).expect("valid");
        faults.change(change).expect("in range");
        assert_eq!((faults.twilio.fail_next, faults.smtp.fail_next), (1, 2));
    }

    #[test]
    fn a_knob_out_of_range_changes_nothing() {
        let mut faults = Faults::default();
        for change in [
            r#"{"twilio":{"latency_ms":60001}}"#,
            r#"{"twilio":{"fail_status":200}}"#,
            r#"{"twilio":{"extra_callbacks":11}}"#,
            r#"{"smtp":{"fail_reply":"250 fine"}}"#,
            r#"{"smtp":{"refuse":{"a@example.test":"550\r\n250 ok"}}}"#,
        ] {
            let change = serde_json::from_str(change).expect("valid");
            assert!(faults.change(change).is_err());
        }
        assert_eq!(faults.twilio.latency_ms, 0);
    }
}
