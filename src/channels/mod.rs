//! Ways out of the building: email by SMTP, texts by Twilio's contract, paper by a shared folder.
//!
//! An outlet hands one message over and says what came of it, "no answer" being an answer of its own. It
//! never decides whether something should be sent, never retries by itself, and is never called inside a
//! transaction. Nothing here logs an address, a number or a word of a message.

pub mod email;
pub mod post;
pub mod twilio;

use std::sync::Arc;
use std::time::Duration;

use letterbox_actors::ports::{Outlet, Press};
use letterbox_domain::dispatch::Channel;

use crate::config::ChannelSettings;

/// A setting with which a channel cannot work.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// Names the setting and what to write there.
    #[error("channels.{setting}: {advice}")]
    Setting {
        setting: &'static str,
        advice: &'static str,
    },
    /// The client of a provider could not be built, or a folder not be made.
    #[error("channels.{setting}: cannot be set up")]
    SetUp {
        setting: &'static str,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ChannelError {
    fn setting(setting: &'static str, advice: &'static str) -> Self {
        Self::Setting { setting, advice }
    }

    fn set_up(
        setting: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let source = source.into();
        Self::SetUp { setting, source }
    }
}

/// The channels that are configured; one that is not is `None`, and the ladder goes on without it.
pub struct Channels {
    pub email: Option<Arc<email::Mailer>>,
    pub text: Option<Arc<twilio::Twilio>>,
    pub webhook: Option<twilio::Webhook>,
    pub post: Option<Arc<post::Folder>>,
}

impl Channels {
    /// Builds what the settings name. `timeout` bounds one call to a provider.
    ///
    /// # Errors
    /// [`ChannelError`], naming the setting to correct.
    pub fn new(
        settings: &ChannelSettings,
        public_url: &str,
        timeout: Duration,
    ) -> Result<Self, ChannelError> {
        let callback = twilio::callback_url(&settings.text, public_url);
        Ok(Self {
            email: email::Mailer::new(&settings.email, timeout)?.map(Arc::new),
            text: twilio::Twilio::new(&settings.text, &callback, timeout)?.map(Arc::new),
            webhook: twilio::Webhook::new(&settings.text, &callback),
            post: post::Folder::new(&settings.post)?.map(Arc::new),
        })
    }

    /// The outlets for the dispatchers.
    pub fn outlets(&self) -> Vec<Arc<dyn Outlet>> {
        let email = self.email.clone().map(|mailer| mailer as Arc<dyn Outlet>);
        let text = self.text.clone().map(|twilio| twilio as Arc<dyn Outlet>);
        email.into_iter().chain(text).collect()
    }

    /// The print house's folder.
    pub fn press(&self) -> Option<Arc<dyn Press>> {
        self.post.clone().map(|folder| folder as Arc<dyn Press>)
    }
}

/// Whether this code says that the address or number itself is bad, so that it is not tried again until it
/// changes and the case goes on at once.
pub fn spoils_contact(channel: Channel, code: &str) -> bool {
    match channel {
        Channel::Email => email::spoils_contact(code),
        Channel::Text => twilio::spoils_contact(code),
        Channel::Post => false,
    }
}
