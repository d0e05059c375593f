//! Email by SMTP: lettre builds the mail and speaks the protocol.
//!
//! Each mail has a Message-ID made from its dispatch, the same on every try, so that a mail that went twice
//! can be seen to be one. A mail server cannot be asked what it has: [`Outlet::look_up`] cannot tell, and
//! the dispatcher's rule is one more try after an unknown outcome, marked as a possible duplicate.

mod connections;
mod reply;

use std::time::Duration;

use async_trait::async_trait;
use letterbox_actors::ports::{LookUp, Outgoing, Outlet};
use letterbox_domain::dispatch::{Channel, Outcome};
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};

use crate::config::EmailSettings;
use crate::crash;
use connections::{Connections, Reached};

use super::ChannelError;
pub(super) use reply::spoils_contact;

/// The way to the mail server.
pub struct Mailer {
    connections: Connections,
    from: Mailbox,
    reply_to: Option<Mailbox>,
}

impl Mailer {
    /// `None` when no mail server is set.
    ///
    /// # Errors
    /// [`ChannelError`], naming the setting to correct.
    pub(super) fn new(
        settings: &EmailSettings,
        timeout: Duration,
    ) -> Result<Option<Self>, ChannelError> {
        let Some(connections) = Connections::new(settings, timeout)? else {
            return Ok(None);
        };
        let mailbox = |setting, text: &str| {
            let parsed = text.parse::<Mailbox>();
            parsed.map_err(|source| ChannelError::set_up(setting, source))
        };
        let reply_to = settings.reply_to.as_deref();
        Ok(Some(Self {
            connections,
            from: mailbox("email.from", &settings.from)?,
            reply_to: reply_to
                .map(|text| mailbox("email.reply_to", text))
                .transpose()?,
        }))
    }

    /// `None` when the address cannot stand in a mail.
    fn message(&self, outgoing: &Outgoing) -> Option<Message> {
        let to = outgoing.to.parse().ok()?;
        let domain = self.from.email.domain();
        let mut builder = Message::builder()
            .message_id(Some(format!("<{}@{domain}>", outgoing.key)))
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(outgoing.subject.clone())
            .header(AutoSubmitted)
            .header(ContentType::TEXT_PLAIN);
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        builder.body(outgoing.body.clone()).ok()
    }
}

#[async_trait]
impl Outlet for Mailer {
    fn channel(&self) -> Channel {
        Channel::Email
    }

    async fn send(&self, outgoing: &Outgoing) -> Outcome {
        let Some(message) = self.message(outgoing) else {
            return Outcome::Rejected {
                code: reply::BAD_ADDRESS.to_owned(),
            };
        };
        match self.connections.send(&message).await {
            Ok(reply) => {
                crash::point("dispatch.accepted");
                Outcome::Accepted { reference: reply }
            }
            Err((Reached::Dialogue, error)) => reply::before_the_mail(error.as_ref()),
            Err((Reached::Mail, error)) => reply::after_the_mail(error.as_ref()),
        }
    }

    async fn look_up(&self, _outgoing: &Outgoing) -> LookUp {
        LookUp::CannotTell
    }
}

/// Tells other machines not to answer (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}
