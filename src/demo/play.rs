//! What the buttons do. Nothing happens until one is pressed; each can be pressed once between two resets.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use letterbox_actors::clock::{Clock, SystemClock};
use reqwest::Client;
use secrecy::SecretString;

use super::control::State;
use super::hospital::Hospital;
use super::keeper::World;
use super::patients::Browser;
use crate::commands::seed::{Cast, Part};
use crate::pdf::Fonts;

/// Between two played patients: slow enough that the board is seen to fall.
const BETWEEN_PATIENTS: Duration = Duration::from_millis(500);
/// Before the first of them: the audience looks at "12 to tell" first.
const BEFORE_PATIENTS: Duration = Duration::from_secs(2);

/// The stage page's buttons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Button {
    /// A letter each to Margaret and Gwyn.
    Letters,
    /// Cancels tomorrow's nine o'clock clinic.
    Clinic,
    /// Kills the server with -9 while two letters are on their way.
    Kill,
    /// Everything as at the beginning.
    Reset,
}

impl Button {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "1" => Some(Self::Letters),
            "2" => Some(Self::Clinic),
            "3" => Some(Self::Kill),
            "reset" => Some(Self::Reset),
            _ => None,
        }
    }

    fn place(self) -> Option<usize> {
        match self {
            Self::Letters => Some(0),
            Self::Clinic => Some(1),
            Self::Kill => Some(2),
            Self::Reset => None,
        }
    }
}

/// Why a press did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Something else is under way.
    Busy,
    /// It did its work already; press Reset first.
    PressedBefore,
}

/// The demonstration as it stands.
pub(super) struct Play {
    world: World,
    client: Client,
    state: Mutex<State>,
    cast: Mutex<Cast>,
    fonts: Fonts,
    clock: SystemClock,
}

impl Play {
    pub(super) fn new(world: World, client: Client, cast: Cast, fonts: Fonts) -> Self {
        Self {
            world,
            client,
            state: Mutex::default(),
            cast: Mutex::new(cast),
            fonts,
            clock: SystemClock::new(),
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Starts what the button does, and answers at once.
    ///
    /// # Errors
    /// [`Refused`]; nothing was started then.
    pub(super) fn press(play: &Arc<Self>, button: Button) -> Result<(), Refused> {
        play.take(button)?;
        let play = Arc::clone(play);
        actix_rt::spawn(async move {
            let done = play.act(button).await;
            play.settle(button, done);
        });
        Ok(())
    }

    /// The whole demonstration's other side, for when it ends.
    pub(super) fn world(&self) -> &World {
        &self.world
    }

    fn take(&self, button: Button) -> Result<(), Refused> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.busy {
            return Err(Refused::Busy);
        }
        if let Some(place) = button.place()
            && std::mem::replace(&mut state.pressed[place], true)
        {
            return Err(Refused::PressedBefore);
        }
        state.busy = true;
        state.problem.clear();
        Ok(())
    }

    fn settle(&self, button: Button, done: anyhow::Result<()>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.busy = false;
        if button == Button::Reset {
            state.pressed = [false; 3];
        }
        if let Err(error) = done {
            tracing::error!(
                ?button,
                error = format!("{error:#}"),
                "the demonstration failed"
            );
            state.problem = format!("{error:#}");
        }
    }

    async fn act(&self, button: Button) -> anyhow::Result<()> {
        match button {
            Button::Letters => self.letters("first").await,
            Button::Clinic => self.clinic().await,
            Button::Kill => self.kill().await,
            Button::Reset => {
                let cast = self.world.reset().await?;
                *self.cast.lock().unwrap_or_else(PoisonError::into_inner) = cast;
                Ok(())
            }
        }
    }

    /// Margaret and Gwyn get a letter each.
    async fn letters(&self, which: &str) -> anyhow::Result<()> {
        for key in ["margaret", "gwyn"] {
            self.publish(key, which).await?;
        }
        Ok(())
    }

    async fn clinic(&self) -> anyhow::Result<()> {
        let cast = self.cast();
        let reason = "The consultant is unwell. We are sorry, and will send you a new date.";
        self.hospital()
            .cancel_clinic(cast.clinic_code, cast.clinic_day, reason)
            .await?;
        tokio::time::sleep(BEFORE_PATIENTS).await;
        for persona in cast
            .personas
            .iter()
            .filter(|persona| persona.part == Part::PlayedPatient)
        {
            let browser =
                Browser::sign_in(self.client.clone(), self.world.port(), persona.key).await?;
            browser
                .open_appointments()
                .await
                .with_context(|| persona.key)?;
            tokio::time::sleep(BETWEEN_PATIENTS).await;
        }
        Ok(())
    }

    /// The first letter is acknowledged; the second is on its way when the server dies, and is sent again.
    async fn kill(&self) -> anyhow::Result<()> {
        self.publish("margaret", "second").await?;
        let (published, killed) =
            futures_util::future::join(self.publish("gwyn", "second"), self.kill_soon()).await;
        killed?;
        published
    }

    async fn kill_soon(&self) -> anyhow::Result<()> {
        // Long enough for the request to be inside, short enough that it is rarely answered.
        tokio::time::sleep(Duration::from_millis(8)).await;
        self.world.kill_the_server()
    }

    async fn publish(&self, key: &str, which: &str) -> anyhow::Result<()> {
        let cast = self.cast();
        let persona = cast
            .personas
            .iter()
            .find(|persona| persona.key == key)
            .context("nobody of that name")?;
        let letter = super::letters::compose(&self.fonts, persona, which, self.clock.now())?;
        self.hospital().publish(&letter).await
    }

    fn hospital(&self) -> Hospital {
        let key = SecretString::from(self.cast().api_key.clone());
        Hospital::new(self.client.clone(), &self.world.base_url(), key)
    }

    fn cast(&self) -> Cast {
        self.cast
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
