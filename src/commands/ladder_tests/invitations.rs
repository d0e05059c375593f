//! Invitations, from the patient's form to the carer's view, and the mails that carry them.

use std::time::Duration;

use chrono::TimeDelta;
use letterbox_actors::ports::{ClaimedDispatch, DispatchStore};
use letterbox_domain::circle::{ShareKind, Ticks};
use letterbox_domain::dispatch::{Channel, Outcome};
use letterbox_domain::id::AccountId;
use letterbox_domain::invitation::{Ended, MOST_A_DAY, MOST_STANDING, NotYours, Standing};
use letterbox_domain::person::{Email, NhsNumber};

use super::world::{LEASE, Person, World};
use crate::commands::answer_invitation::{AnswerError, accept, decline};
use crate::commands::invite::{InviteError, NewInvitation, cancel, invite, send_again};
use crate::commands::revoke::revoke;
use crate::store::ladder::Sender;
use crate::store::mails::AccountMails;

/// A patient, somebody who is to help, and the mails between them.
struct Story {
    world: World,
    mails: AccountMails,
    margaret: Person,
    susan: Person,
}

impl Story {
    async fn begin() -> Self {
        let world = World::new().await;
        let sender = Sender {
            service: "My Health and Wellbeing".into(),
            portal: Some("https://portal.example.test".into()),
        };
        let mails = AccountMails::new(world.db.store(), sender);
        let (margaret, susan) = (world.member("Margaret").await, world.member("Susan").await);
        Self {
            world,
            mails,
            margaret,
            susan,
        }
    }

    fn to(&self, account: AccountId) -> NewInvitation {
        NewInvitation {
            name: "Susan".into(),
            email: Email::parse(&format!("{account}@example.org")).expect("an address"),
            relationship: "daughter".into(),
            nhs_number: None,
            ticks: Ticks::of(&[ShareKind::ClinicLetters]),
            may_read_for_me: false,
        }
    }

    async fn invite_susan(&self) -> uuid::Uuid {
        let new = self.to(self.susan.account);
        let invited = invite(self.world.db.store(), self.margaret.account, &new).await;
        invited.expect("invites").invitation
    }

    async fn claim(&self) -> Vec<ClaimedDispatch> {
        let claimed = self
            .mails
            .claim(self.world.node, Channel::Email, 10, LEASE)
            .await;
        claimed.expect("claims")
    }

    /// Sends the one mail that is due; answers its token.
    async fn deliver(&self) -> String {
        let mut claimed = self.claim().await;
        let mail = claimed.pop().expect("a mail is due");
        assert!(claimed.is_empty(), "one mail");
        assert!(self.mails.still_wanted(&mail).await.expect("answers"));
        let sent = Outcome::Accepted {
            reference: "250 ok".into(),
        };
        assert!(self.mails.record(&mail, sent).await.expect("records"));
        token(&mail)
    }

    async fn accept(&self, who: AccountId, token: &str) -> Result<(), AnswerError> {
        let answered = accept(self.world.db.store(), who, token).await;
        answered.map(drop)
    }

    async fn sees(&self, who: AccountId) -> Option<Ticks> {
        let store = self.world.db.store();
        let viewer = store.viewer(who, self.margaret.patient).await;
        viewer.expect("answers").map(|viewer| match viewer {
            letterbox_domain::circle::Viewer::Carer(grant) => grant.ticks,
            patient => panic!("{patient:?} is no carer"),
        })
    }

    async fn mail_states(&self) -> Vec<String> {
        let rows = self
            .world
            .sql
            .query(
                "SELECT state FROM account_mails ORDER BY created_at, id",
                &[],
            )
            .await;
        let rows = rows.expect("reads");
        rows.iter().map(|row| row.get(0)).collect()
    }
}

fn token(mail: &ClaimedDispatch) -> String {
    let link = mail.outgoing.body.split("/invitations/").nth(1);
    let token = link.and_then(|rest| rest.split_whitespace().next());
    token.expect("the mail has a link").to_owned()
}

fn not_yours(answer: Result<(), AnswerError>) -> NotYours {
    match answer {
        Err(AnswerError::NotYours(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn r26_3_nothing_is_visible_before_acceptance_and_exactly_what_is_ticked_after_it() {
    let story = Story::begin().await;
    story.invite_susan().await;
    let token = story.deliver().await;
    assert_eq!(story.sees(story.susan.account).await, None, "only invited");
    story
        .accept(story.susan.account, &token)
        .await
        .expect("accepts");
    let ticks = Ticks::of(&[ShareKind::ClinicLetters]);
    assert_eq!(story.sees(story.susan.account).await, Some(ticks));
}

#[tokio::test]
async fn r26_2_the_token_is_in_the_mail_alone_and_its_hash_in_the_database() {
    let story = Story::begin().await;
    let before = story.world.count("account_mails").await;
    let invitation = story.invite_susan().await;
    assert_eq!(before, 0);
    let token = story.deliver().await;
    assert_eq!(token.len(), 64, "256 bits");
    let rows = story.world.one::<String>(
        "SELECT (SELECT string_agg(m::text, ' ') FROM account_mails m) || (SELECT string_agg(i::text, ' ') FROM invitations i)",
        &[],
    );
    assert!(!rows.await.contains(&token), "nowhere at rest");
    let kept: bool = story
        .world
        .one(
            "SELECT token_sha256 = sha256(convert_to($2, 'UTF8')) FROM invitations WHERE id = $1",
            &[&invitation, &token],
        )
        .await;
    assert!(kept);
}

#[tokio::test]
async fn case_92_a_forwarded_or_guessed_invitation_is_of_no_use_and_the_attempt_is_on_record() {
    let story = Story::begin().await;
    let stranger = story.world.member("Stranger").await.account;
    story.invite_susan().await;
    let token = story.deliver().await;
    let why = not_yours(story.accept(stranger, &token).await);
    assert_eq!(why, NotYours::OtherEmail);
    let unverified = "UPDATE accounts SET email_verified_at = NULL WHERE id = $1";
    story
        .world
        .run(unverified, &[&story.susan.account.as_uuid()])
        .await;
    let why = not_yours(story.accept(story.susan.account, &token).await);
    assert_eq!(why, NotYours::Unverified);
    let own = not_yours(story.accept(story.margaret.account, &token).await);
    assert_eq!(own, NotYours::Own);
    let made_up = story.accept(story.susan.account, &"a".repeat(64)).await;
    assert!(matches!(made_up, Err(AnswerError::NotFound)), "{made_up:?}");
    assert_eq!(story.world.count("grants").await, 0);
    assert_eq!(story.world.count("audit WHERE NOT allowed").await, 3);
}

#[tokio::test]
async fn r26_2_a_link_works_once_and_for_seven_days() {
    let story = Story::begin().await;
    story.invite_susan().await;
    let token = story.deliver().await;
    story
        .accept(story.susan.account, &token)
        .await
        .expect("accepts");
    let again = not_yours(story.accept(story.susan.account, &token).await);
    assert_eq!(again, NotYours::Over(Standing::Ended(Ended::Accepted)));

    let gwyn = story.world.member("Gwyn").await.account;
    let new = story.to(gwyn);
    invite(story.world.db.store(), story.margaret.account, &new)
        .await
        .expect("invites");
    let token = story.deliver().await;
    story.world.pass(TimeDelta::days(7)).await;
    let late = not_yours(story.accept(gwyn, &token).await);
    assert_eq!(late, NotYours::Over(Standing::Expired));
    assert_eq!(story.sees(gwyn).await, None);
}

#[tokio::test]
async fn a_person_may_say_no_and_a_patient_may_take_it_back() {
    let story = Story::begin().await;
    let store = story.world.db.store();
    story.invite_susan().await;
    let token = story.deliver().await;
    decline(store, story.susan.account, &token)
        .await
        .expect("declines");
    let changed = not_yours(story.accept(story.susan.account, &token).await);
    assert_eq!(changed, NotYours::Over(Standing::Ended(Ended::Declined)));

    let second = story.invite_susan().await;
    let token = story.deliver().await;
    cancel(store, story.margaret.account, second)
        .await
        .expect("cancels");
    let gone = not_yours(story.accept(story.susan.account, &token).await);
    assert_eq!(gone, NotYours::Over(Standing::Ended(Ended::Cancelled)));
    let theirs = cancel(store, story.susan.account, second).await;
    assert!(
        matches!(theirs, Err(InviteError::NoSuchInvitation)),
        "{theirs:?}"
    );
}

#[tokio::test]
async fn an_invitation_after_a_withdrawal_shares_again_under_the_same_grant() {
    let story = Story::begin().await;
    let store = story.world.db.store();
    story.invite_susan().await;
    let token = story.deliver().await;
    let (first, _) = accept(store, story.susan.account, &token)
        .await
        .expect("accepts");
    let twice = invite(
        store,
        story.margaret.account,
        &story.to(story.susan.account),
    )
    .await;
    assert!(matches!(twice, Err(InviteError::Shares)), "{twice:?}");
    revoke(store, story.margaret.account, first.id)
        .await
        .expect("answers");
    assert_eq!(story.sees(story.susan.account).await, None);
    story.invite_susan().await;
    let token = story.deliver().await;
    let (second, _) = accept(store, story.susan.account, &token)
        .await
        .expect("accepts");
    assert_eq!(first.id, second.id, "one grant for each carer");
    assert!(story.sees(story.susan.account).await.is_some());
}

#[tokio::test]
async fn a_patient_cannot_invite_themselves_twice_the_same_person_or_without_end() {
    let story = Story::begin().await;
    let store = story.world.db.store();
    let margaret = story.margaret.account;
    let own = invite(store, margaret, &story.to(margaret)).await;
    assert!(matches!(own, Err(InviteError::Own)), "{own:?}");
    story.invite_susan().await;
    let twice = invite(store, margaret, &story.to(story.susan.account)).await;
    assert!(matches!(twice, Err(InviteError::Invited)), "{twice:?}");
    for _ in 1..MOST_A_DAY {
        let new = story.to(AccountId::random());
        invite(store, margaret, &new).await.expect("invites");
    }
    let eleventh = invite(store, margaret, &story.to(AccountId::random())).await;
    assert!(
        matches!(eleventh, Err(InviteError::TooManyToday)),
        "{eleventh:?}"
    );
    story.world.pass(TimeDelta::hours(25)).await;
    for _ in MOST_A_DAY..MOST_STANDING {
        story.world.pass(TimeDelta::hours(3)).await;
        let new = story.to(AccountId::random());
        invite(store, margaret, &new).await.expect("invites");
    }
    let full = invite(store, margaret, &story.to(AccountId::random())).await;
    assert!(matches!(full, Err(InviteError::Full)), "{full:?}");
}

#[tokio::test]
async fn an_nhs_number_that_was_given_must_be_the_accepting_persons() {
    let story = Story::begin().await;
    let number = "UPDATE patients SET nhs_number = $2 WHERE id = $1";
    let susan = story.susan.patient.as_uuid();
    story.world.run(number, &[&susan, &"9990000026"]).await;
    let new = NewInvitation {
        nhs_number: Some(NhsNumber::parse("9990000018").expect("a number")),
        ..story.to(story.susan.account)
    };
    let store = story.world.db.store();
    invite(store, story.margaret.account, &new)
        .await
        .expect("invites");
    let token = story.deliver().await;
    let other = not_yours(story.accept(story.susan.account, &token).await);
    assert_eq!(other, NotYours::OtherNhsNumber);
    story.world.run(number, &[&susan, &"9990000018"]).await;
    story
        .accept(story.susan.account, &token)
        .await
        .expect("the number fits");
}

#[tokio::test]
async fn a_mail_of_which_nobody_knows_is_not_sent_again_until_the_patient_asks() {
    let story = Story::begin().await;
    let invitation = story.invite_susan().await;
    let mail = story.claim().await.pop().expect("due");
    assert!(story.mails.still_wanted(&mail).await.expect("answers"));
    let first = token(&mail);
    // The server dies here: the lease runs out with the mail perhaps on its way.
    story.world.pass(LEASE + TimeDelta::seconds(1)).await;
    let again = story.claim().await.pop().expect("comes back");
    assert!(again.unknown_before, "it is looked up, not sent");
    assert!(again.outgoing.body.is_empty(), "there is nothing to send");
    let late = story.mails.record(&mail, Outcome::Unknown).await;
    assert!(!late.expect("answers"), "the first server is fenced");
    assert!(
        story
            .mails
            .record(&again, Outcome::Unknown)
            .await
            .expect("records")
    );
    story.world.pass(TimeDelta::hours(1)).await;
    assert!(story.claim().await.is_empty(), "never by itself");
    assert_eq!(story.mail_states().await, ["unknown"]);

    let store = story.world.db.store();
    send_again(store, story.margaret.account, invitation)
        .await
        .expect("sends again");
    let second = story.deliver().await;
    assert_ne!(first, second);
    let old = story.accept(story.susan.account, &first).await;
    assert!(matches!(old, Err(AnswerError::NotFound)), "{old:?}");
    story
        .accept(story.susan.account, &second)
        .await
        .expect("accepts");
}

#[tokio::test]
async fn a_mail_that_certainly_did_not_leave_goes_again_and_one_not_wanted_stays() {
    let story = Story::begin().await;
    let invitation = story.invite_susan().await;
    story.claim().await.pop().expect("due");
    // Claimed and not yet leaving: whoever held it died.
    story.world.pass(LEASE + TimeDelta::seconds(1)).await;
    let mail = story.claim().await.pop().expect("comes back");
    assert!(!mail.unknown_before && !mail.outgoing.body.is_empty());
    assert!(story.mails.still_wanted(&mail).await.expect("answers"));
    let later = Outcome::Later {
        after: Duration::from_secs(60),
    };
    assert!(story.mails.record(&mail, later).await.expect("records"));
    assert!(story.claim().await.is_empty(), "not before its time");
    story.world.pass(TimeDelta::seconds(61)).await;
    let mail = story.claim().await.pop().expect("comes again");
    cancel(story.world.db.store(), story.margaret.account, invitation)
        .await
        .expect("cancels");
    assert!(!story.mails.still_wanted(&mail).await.expect("answers"));
    assert_eq!(story.mail_states().await, ["cancelled"]);
}
