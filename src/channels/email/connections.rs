//! Connections to the mail server, kept open between mails.
//!
//! Lettre's own pooled transport is not used: its async form has no time limit after connecting, an error
//! does not say whether the mail had been handed over, and a send that is given up returns its connection to
//! the pool with a reply still to come, which the next mail would take for its own. Here a connection goes
//! back only after a whole, undisturbed dialogue. docs/decisions/0013-mail-connections.md

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, timeout, timeout_at};

use super::super::ChannelError;
use crate::config::{EmailSettings, SmtpTls};

/// Open connections kept for the next mail: as many as one claim's worth needs side by side.
const KEPT_MAX: usize = 4;
/// Servers close idle connections after a minute or more; ours are younger, and are asked before use anyway.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// An idle connection that does not answer at once is not worth waiting for.
const NOOP: Duration = Duration::from_secs(2);

/// How far a mail had come when something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// Nothing of the mail itself had been sent.
    Dialogue,
    /// The mail was on its way: only a reply says what became of it.
    Mail,
}

/// `None`: no reply in time.
type Failed = (Reached, Option<Error>);

pub(super) struct Connections {
    host: String,
    port: u16,
    tls: SmtpTls,
    parameters: Option<TlsParameters>,
    login: Option<(String, SecretString)>,
    hello: ClientId,
    timeout: Duration,
    kept: Mutex<Vec<(Instant, AsyncSmtpConnection)>>,
}

impl Connections {
    pub(super) fn new(
        settings: &EmailSettings,
        timeout: Duration,
    ) -> Result<Option<Self>, ChannelError> {
        let Some(host) = settings.host.clone() else {
            return Ok(None);
        };
        let parameters = match settings.tls {
            SmtpTls::None => None,
            SmtpTls::StartTls | SmtpTls::Tls => Some(
                TlsParameters::new(host.clone())
                    .map_err(|source| ChannelError::set_up("email.tls", source))?,
            ),
        };
        Ok(Some(Self {
            host,
            port: settings.port,
            tls: settings.tls,
            parameters,
            login: login(settings)?,
            hello: ClientId::default(),
            timeout,
            kept: Mutex::default(),
        }))
    }

    /// Hands one mail over; the answer is the server's last reply line.
    pub(super) async fn send(&self, message: &Message) -> Result<String, Failed> {
        let deadline = Instant::now() + self.timeout;
        let bytes = message.formatted();
        let dialogue = async {
            let mut connection = self.connection().await?;
            self.envelope(&mut connection, message).await?;
            Ok(connection)
        };
        let mut connection = within(deadline, Reached::Dialogue, dialogue).await?;
        // A time of its own: giving up early here is what makes doubt.
        let deadline = Instant::now() + self.timeout;
        let handed_over = connection.message(&bytes);
        let reply = within(deadline, Reached::Mail, handed_over).await?;
        self.keep(connection);
        Ok(reply
            .first_line()
            .unwrap_or_default()
            .chars()
            .take(200)
            .collect())
    }

    async fn envelope(
        &self,
        connection: &mut AsyncSmtpConnection,
        message: &Message,
    ) -> Result<Response, Error> {
        let envelope = message.envelope();
        let from = envelope.from().cloned();
        connection.command(Mail::new(from, Vec::new())).await?;
        for to in envelope.to() {
            connection
                .command(Rcpt::new(to.clone(), Vec::new()))
                .await?;
        }
        connection.command(Data).await
    }

    async fn connection(&self) -> Result<AsyncSmtpConnection, Error> {
        while let Some(mut connection) = self.take() {
            // A server may have closed it meanwhile; better to learn that before a mail is at stake.
            if timeout(NOOP, connection.test_connected()).await == Ok(true) {
                return Ok(connection);
            }
        }
        let at_once = self.parameters.clone().filter(|_| self.tls == SmtpTls::Tls);
        let server = (self.host.as_str(), self.port);
        let limit = Some(self.timeout);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, limit, &self.hello, at_once, None).await?;
        if self.tls == SmtpTls::StartTls
            && let Some(parameters) = self.parameters.clone()
        {
            connection.starttls(parameters, &self.hello).await?;
        }
        if let Some((user, password)) = &self.login {
            let password = password.expose_secret().to_owned();
            let login = Credentials::new(user.clone(), password);
            connection.auth(DEFAULT_MECHANISMS, &login).await?;
        }
        Ok(connection)
    }

    fn take(&self) -> Option<AsyncSmtpConnection> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(since, _)| since.elapsed() < IDLE_MAX);
        kept.pop().map(|(_, connection)| connection)
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_MAX {
            kept.push((Instant::now(), connection));
        }
    }
}

async fn within<T>(
    deadline: Instant,
    reached: Reached,
    step: impl Future<Output = Result<T, Error>>,
) -> Result<T, Failed> {
    match timeout_at(deadline, step).await {
        Ok(result) => result.map_err(|error| (reached, Some(error))),
        Err(_) => Err((reached, None)),
    }
}

fn login(settings: &EmailSettings) -> Result<Option<(String, SecretString)>, ChannelError> {
    match (&settings.username, &settings.password) {
        (None, None) => Ok(None),
        (Some(user), Some(password)) if settings.tls != SmtpTls::None => {
            Ok(Some((user.clone(), password.clone())))
        }
        (Some(_), Some(_)) => Err(ChannelError::setting(
            "email.tls",
            "a password is never sent in the clear: use starttls or tls",
        )),
        _ => Err(ChannelError::setting(
            "email.username",
            "set username and password, or neither",
        )),
    }
}
