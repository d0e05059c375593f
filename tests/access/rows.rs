//! One row per door: who may come in. A new page is added here or the matrix fails.

use letterbox::web::doors::Door;

use super::world::Person;

/// Who may come in by a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Everybody, signed in or not.
    Public,
    /// Whoever is signed in; what they see there is their own.
    SignedIn,
    /// Whoever is signed in and has a mailbox.
    Mailbox,
    /// The patient whose item it is, and nobody else.
    Owner,
    /// A carer whose grant is in the address, as long as it stands.
    Grant,
    /// The same, for letters that the grant covers.
    SharedLetter,
    /// The same, for appointments.
    SharedAppointment,
    /// Staff of the trust.
    Staff,
    /// Managers of the trust; clerks may look, not change.
    Manager,
    /// Nobody outside demonstrations.
    DemoOnly,
    /// Anybody's browser reports something, also one that another site's page has led there; nothing is changed by it.
    Report,
}

impl Rule {
    /// Whether this person is let in.
    pub(crate) const fn lets_in(self, person: Person) -> bool {
        match self {
            Self::Public | Self::Report => true,
            Self::SignedIn => person.is_signed_in(),
            Self::Mailbox => matches!(person, Person::Owner | Person::OtherPatient),
            Self::Owner => matches!(person, Person::Owner),
            Self::Grant => person.has_a_grant(),
            Self::SharedAppointment => {
                matches!(person, Person::AppointmentsCarer | Person::EverythingCarer)
            }
            Self::SharedLetter => matches!(
                person,
                Person::AppointmentLettersCarer
                    | Person::ClinicLettersCarer
                    | Person::EverythingCarer
            ),
            Self::Staff => matches!(person, Person::Clerk | Person::OtherClerk),
            Self::Manager | Self::DemoOnly => false,
        }
    }

    /// Whether everybody whom the row lets in is let in at every address; a carer sees some letters and not others.
    pub(crate) const fn is_certain(self) -> bool {
        matches!(
            self,
            Self::Public | Self::Mailbox | Self::Grant | Self::Staff
        )
    }

    /// Whether its form carries a session's token: before signing in there is no session.
    pub(crate) const fn needs_a_token(self) -> bool {
        !matches!(self, Self::Public | Self::DemoOnly | Self::Report)
    }
}

pub(crate) const ROWS: &[(&str, &str, Rule)] = &[
    ("GET", "/", Rule::SignedIn),
    ("GET", "/dashboard.json", Rule::Mailbox),
    ("GET", "/my-health/documents", Rule::Mailbox),
    ("GET", "/my-health/documents/rows.json", Rule::Mailbox),
    ("GET", "/people/{grant}/documents", Rule::Grant),
    ("GET", "/people/{grant}/documents/rows.json", Rule::Grant),
    ("GET", "/my-health/documents/{letter}", Rule::Owner),
    ("GET", "/my-health/documents/{letter}/now.json", Rule::Owner),
    ("POST", "/my-health/documents/{letter}/view", Rule::Owner),
    ("POST", "/my-health/documents/{letter}/read", Rule::Owner),
    ("GET", "/my-health/documents/{letter}/file", Rule::Owner),
    (
        "GET",
        "/people/{grant}/documents/{letter}",
        Rule::SharedLetter,
    ),
    (
        "GET",
        "/people/{grant}/documents/{letter}/now.json",
        Rule::SharedLetter,
    ),
    (
        "POST",
        "/people/{grant}/documents/{letter}/view",
        Rule::SharedLetter,
    ),
    (
        "POST",
        "/people/{grant}/documents/{letter}/read",
        Rule::SharedLetter,
    ),
    (
        "GET",
        "/people/{grant}/documents/{letter}/file",
        Rule::SharedLetter,
    ),
    ("GET", "/my-health/appointments", Rule::Mailbox),
    ("GET", "/my-health/appointments.json", Rule::Mailbox),
    ("GET", "/my-health/appointments/{appointment}", Rule::Owner),
    (
        "POST",
        "/my-health/appointments/{appointment}/open",
        Rule::Owner,
    ),
    ("GET", "/connect/circle-of-care", Rule::Mailbox),
    ("GET", "/connect/circle-of-care.json", Rule::Mailbox),
    (
        "POST",
        "/connect/circle-of-care/{grant}/withdraw",
        Rule::Owner,
    ),
    ("POST", "/connect/circle-of-care/{grant}/share", Rule::Owner),
    ("GET", "/connect/circle-of-care/add", Rule::Mailbox),
    ("POST", "/connect/circle-of-care/add", Rule::Mailbox),
    ("GET", "/connect/circle-of-care/{grant}", Rule::Owner),
    ("POST", "/connect/circle-of-care/{grant}", Rule::Owner),
    (
        "POST",
        "/connect/circle-of-care/invitations/{invitation}/send-again",
        Rule::Owner,
    ),
    (
        "POST",
        "/connect/circle-of-care/invitations/{invitation}/cancel",
        Rule::Owner,
    ),
    // Whoever holds the token; it says a first name, and only the invited person gets further.
    ("GET", "/invitations/{token}", Rule::Public),
    ("POST", "/invitations/{token}/accept", Rule::SignedIn),
    ("POST", "/invitations/{token}/decline", Rule::SignedIn),
    ("POST", "/my-health/documents/{letter}/hide", Rule::Owner),
    (
        "POST",
        "/my-health/appointments/{appointment}/hide",
        Rule::Owner,
    ),
    ("GET", "/people/preferences", Rule::SignedIn),
    ("POST", "/people/preferences", Rule::SignedIn),
    ("GET", "/people/{grant}/leave", Rule::Grant),
    ("POST", "/people/{grant}/leave", Rule::Grant),
    ("GET", "/people", Rule::SignedIn),
    ("GET", "/people.json", Rule::SignedIn),
    ("GET", "/board", Rule::Staff),
    ("GET", "/board.json", Rule::Staff),
    ("POST", "/board/tasks/{task}", Rule::Staff),
    ("POST", "/board/clinics/cancel", Rule::Staff),
    ("GET", "/demo/sign-in", Rule::DemoOnly),
    ("POST", "/demo/sign-in", Rule::DemoOnly),
    ("POST", "/sign-out", Rule::SignedIn),
    ("GET", "/stage", Rule::DemoOnly),
    ("GET", "/stage.json", Rule::DemoOnly),
    ("POST", "/stage/{button}", Rule::DemoOnly),
    ("GET", "/outside-world", Rule::DemoOnly),
    ("GET", "/outside-world.json", Rule::DemoOnly),
    ("GET", "/account", Rule::SignedIn),
    ("GET", "/account/contact", Rule::SignedIn),
    ("POST", "/account/contact", Rule::Mailbox),
    ("POST", "/account/contact/reminders", Rule::Mailbox),
    ("GET", "/account/post", Rule::Mailbox),
    ("GET", "/account/format", Rule::Mailbox),
    ("POST", "/account/format", Rule::Mailbox),
    ("GET", "/account/looked", Rule::Mailbox),
    ("GET", "/account/delete", Rule::SignedIn),
    ("POST", "/account/delete", Rule::SignedIn),
    ("GET", "/account/deleted", Rule::Public),
    ("GET", "/account/sessions", Rule::SignedIn),
    ("GET", "/account/sessions/left.json", Rule::SignedIn),
    ("POST", "/account/sessions/stay", Rule::SignedIn),
    ("POST", "/account/sessions/end-others", Rule::SignedIn),
    ("POST", "/account/sessions/{session}/end", Rule::SignedIn),
    ("GET", "/account/confirm", Rule::SignedIn),
    ("POST", "/account/confirm", Rule::SignedIn),
    ("GET", "/login", Rule::Public),
    ("POST", "/login/nhs", Rule::Public),
    ("GET", "/login/nhs/callback", Rule::Public),
    ("GET", "/login/{reason}", Rule::Public),
    // Without the cookie that NHS login's answer set, both only say that one has to start again.
    ("GET", "/join", Rule::Public),
    ("POST", "/join", Rule::Public),
    ("GET", "/signed-out", Rule::Public),
    ("POST", "/leave", Rule::Public),
    ("GET", "/help", Rule::Public),
    ("GET", "/help/questions", Rule::Public),
    ("GET", "/help/questions/{question}", Rule::Public),
    ("GET", "/help/what-comes-here", Rule::Public),
    ("GET", "/help/{topic}", Rule::Public),
    ("POST", "/content-policy-reports", Rule::Report),
    ("GET", "/board/roll-out", Rule::Staff),
    ("POST", "/board/roll-out", Rule::Manager),
    ("GET", "/my-health/documents/paper", Rule::Mailbox),
    ("GET", "/my-health/documents/paper.json", Rule::Mailbox),
    ("POST", "/my-health/documents/paper", Rule::Mailbox),
    ("GET", "/my-health/documents/{letter}/download", Rule::Owner),
    ("GET", "/my-health/documents/{letter}/not-mine", Rule::Owner),
    (
        "POST",
        "/my-health/documents/{letter}/not-mine",
        Rule::Owner,
    ),
    (
        "POST",
        "/my-health/documents/{letter}/not-mine/undo",
        Rule::Owner,
    ),
    ("POST", "/my-health/documents/{letter}/paper", Rule::Owner),
    ("GET", "/my-health/documents/{letter}/wrong", Rule::Owner),
    (
        "GET",
        "/people/{grant}/documents/{letter}/download",
        Rule::SharedLetter,
    ),
    (
        "GET",
        "/people/{grant}/documents/{letter}/wrong",
        Rule::SharedLetter,
    ),
    ("GET", "/my-health/appointments/upcoming", Rule::Mailbox),
    ("GET", "/my-health/appointments/past", Rule::Mailbox),
    ("GET", "/my-health/appointments/cancelled", Rule::Mailbox),
    ("GET", "/my-health/appointments/lists.json", Rule::Mailbox),
    ("GET", "/people/{grant}/appointments", Rule::Grant),
    ("GET", "/people/{grant}/appointments.json", Rule::Grant),
    (
        "GET",
        "/my-health/appointments/{appointment}/now.json",
        Rule::Owner,
    ),
    (
        "GET",
        "/my-health/appointments/{appointment}/calendar.ics",
        Rule::Owner,
    ),
    (
        "POST",
        "/my-health/appointments/{appointment}/coming",
        Rule::Owner,
    ),
    (
        "GET",
        "/my-health/appointments/{appointment}/request",
        Rule::Owner,
    ),
    (
        "POST",
        "/my-health/appointments/{appointment}/request",
        Rule::Owner,
    ),
    (
        "POST",
        "/my-health/appointments/{appointment}/request/take-back",
        Rule::Owner,
    ),
    (
        "GET",
        "/people/{grant}/appointments/{appointment}",
        Rule::SharedAppointment,
    ),
    (
        "GET",
        "/people/{grant}/appointments/{appointment}/now.json",
        Rule::SharedAppointment,
    ),
    (
        "POST",
        "/people/{grant}/appointments/{appointment}/open",
        Rule::SharedAppointment,
    ),
    ("POST", "/board/requests/{request}", Rule::Staff),
];

/// The row of a door.
pub(crate) fn rule(door: &Door) -> Option<Rule> {
    ROWS.iter()
        .find(|(method, path, _)| *method == door.method && *path == door.path)
        .map(|(_, _, rule)| *rule)
}
