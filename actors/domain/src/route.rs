//! The binding answer to "who delivers this?": the portal, our post, or the trust's own post, and why.

use crate::letter::LetterKind;

/// Who delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Route {
    /// The portal first; our post if it is not opened.
    Portal,
    /// Our post, at the next cut-off.
    WePost,
    /// The trust's own post; we deliver nothing on paper.
    YouPost,
}

impl Route {
    /// All routes.
    pub const ALL: [Self; 3] = [Self::Portal, Self::WePost, Self::YouPost];

    /// The name in the API and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portal => "portal",
            Self::WePost => "we_post",
            Self::YouPost => "you_post",
        }
    }

    /// The route that carries this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|route| route.name() == name)
    }
}

/// Why a letter takes its route. Stored with it and told to the trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RouteReason {
    /// The patient has joined the portal.
    Member,
    /// The patient has not joined.
    NonMember,
    /// This trust, specialty and kind of letter is not on the portal yet.
    NotLive,
    /// The patient is under 16 and cannot be a member.
    Under16,
    /// The patient needs a format that the portal does not give (braille, audio …).
    FormatNeed,
    /// The patient has asked for paper.
    WantsPaper,
}

impl RouteReason {
    /// All reasons.
    pub const ALL: [Self; 6] = [
        Self::Member,
        Self::NonMember,
        Self::NotLive,
        Self::Under16,
        Self::FormatNeed,
        Self::WantsPaper,
    ];

    /// The name in the API and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::NonMember => "non_member",
            Self::NotLive => "not_live",
            Self::Under16 => "under_16",
            Self::FormatNeed => "format_need",
            Self::WantsPaper => "wants_paper",
        }
    }

    /// The reason that carries this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// What decides a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteFacts {
    /// What kind of letter it is; kept with the facts because the roll-out is by kind.
    pub kind: LetterKind,
    /// The roll-out matrix has this trust, specialty and kind live at publication.
    pub is_live: bool,
    /// Whose the paper is where the portal does not deliver: [`Route::WePost`] or [`Route::YouPost`], from the
    /// same row of the matrix. (A matrix that says "portal" is read as "we post": nobody is left without.)
    pub paper: Route,
    /// The patient is a member today.
    pub is_member: bool,
    /// The patient is 16 or older today.
    pub is_sixteen: bool,
    /// The patient needs a format that the portal does not give.
    pub has_format_need: bool,
    /// The patient has chosen "Always post my letters".
    pub wants_paper: bool,
}

/// The route and its reason. What is not live stays with the trust, as before the portal; a member under 16
/// cannot be, so age is asked before membership.
#[must_use]
pub const fn decide_route(facts: &RouteFacts) -> (Route, RouteReason) {
    let paper = match facts.paper {
        Route::YouPost => Route::YouPost,
        Route::WePost | Route::Portal => Route::WePost,
    };
    if !facts.is_live {
        (Route::YouPost, RouteReason::NotLive)
    } else if !facts.is_sixteen {
        (paper, RouteReason::Under16)
    } else if !facts.is_member {
        (paper, RouteReason::NonMember)
    } else if facts.has_format_need {
        (paper, RouteReason::FormatNeed)
    } else if facts.wants_paper {
        (paper, RouteReason::WantsPaper)
    } else {
        (Route::Portal, RouteReason::Member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBER: RouteFacts = RouteFacts {
        kind: LetterKind::Clinic,
        is_live: true,
        paper: Route::WePost,
        is_member: true,
        is_sixteen: true,
        has_format_need: false,
        wants_paper: false,
    };

    #[test]
    fn each_reason_gives_its_route() {
        let cases = [
            (MEMBER, (Route::Portal, RouteReason::Member)),
            (
                RouteFacts {
                    is_member: false,
                    ..MEMBER
                },
                (Route::WePost, RouteReason::NonMember),
            ),
            (
                RouteFacts {
                    is_member: false,
                    paper: Route::YouPost,
                    ..MEMBER
                },
                (Route::YouPost, RouteReason::NonMember),
            ),
            (
                RouteFacts {
                    is_live: false,
                    ..MEMBER
                },
                (Route::YouPost, RouteReason::NotLive),
            ),
            (
                RouteFacts {
                    is_sixteen: false,
                    ..MEMBER
                },
                (Route::WePost, RouteReason::Under16),
            ),
            (
                RouteFacts {
                    has_format_need: true,
                    ..MEMBER
                },
                (Route::WePost, RouteReason::FormatNeed),
            ),
            (
                RouteFacts {
                    wants_paper: true,
                    ..MEMBER
                },
                (Route::WePost, RouteReason::WantsPaper),
            ),
            (
                RouteFacts {
                    wants_paper: true,
                    paper: Route::Portal,
                    ..MEMBER
                },
                (Route::WePost, RouteReason::WantsPaper),
            ),
        ];
        for (facts, expected) in cases {
            assert_eq!(decide_route(&facts), expected, "{facts:?}");
        }
    }

    #[test]
    fn names_read_back() {
        for route in Route::ALL {
            assert_eq!(Route::from_name(route.name()), Some(route));
        }
        for reason in RouteReason::ALL {
            assert_eq!(RouteReason::from_name(reason.name()), Some(reason));
        }
    }
}
