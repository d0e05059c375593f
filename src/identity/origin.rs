//! Which pages may act for a signed-in browser: exactly ours. Decides by `Origin` and `Sec-Fetch-Site`;
//! never by `Referer`, never by a prefix or a suffix.

use std::fmt;

/// The list of origins from which a browser may change something or open a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins {
    ours: Vec<String>,
    /// In demonstrations every person has a host of their own below `localhost`.
    demo_port: Option<u16>,
}

/// Why a request was not taken to come from one of our own pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignOrigin {
    /// No `Origin` at all; browsers send one with everything that changes something.
    Missing,
    /// `Origin: null`: a sandboxed frame, a file, a redirect across sites.
    Null,
    /// Another site, or one that looks like ours.
    Other,
    /// The browser itself says that another site made the request.
    CrossSite,
}

impl ForeignOrigin {
    /// The label of metrics and logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Missing => "origin_missing",
            Self::Null => "origin_null",
            Self::Other => "origin_foreign",
            Self::CrossSite => "cross_site",
        }
    }
}

impl fmt::Display for ForeignOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// A public address that is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "public_url must be an http or https address such as https://portal.example, without a path of its own"
)]
pub struct BadPublicUrl;

impl Origins {
    /// Only the origin of `public_url`.
    ///
    /// # Errors
    /// [`BadPublicUrl`] unless it is `http(s)://host[:port]` with at most a closing slash.
    pub fn of(public_url: &str) -> Result<Self, BadPublicUrl> {
        let none = Self {
            ours: Vec::new(),
            demo_port: None,
        };
        none.and(public_url)
    }

    /// One more.
    ///
    /// # Errors
    /// As [`Origins::of`].
    pub fn and(mut self, public_url: &str) -> Result<Self, BadPublicUrl> {
        let origin = public_url.trim_end_matches('/').to_ascii_lowercase();
        let host = origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"))
            .ok_or(BadPublicUrl)?;
        let plain = !host.is_empty() && !host.contains(['/', '@', '?', '#', ' ', '\\']);
        self.ours.push(without_default_port(&origin));
        plain.then_some(self).ok_or(BadPublicUrl)
    }

    /// Also `http://localhost:PORT` and `http://NAME.localhost:PORT`, for a demonstration on this machine only.
    #[must_use]
    pub fn with_demo_hosts(mut self, port: u16) -> Self {
        self.demo_port = Some(port);
        self
    }

    /// Whether browsers reach us by https, as the configured address says: then they are told never to try without.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.ours
            .first()
            .is_some_and(|origin| origin.starts_with("https://"))
    }

    /// Judges the two headers of one request.
    ///
    /// # Errors
    /// [`ForeignOrigin`] unless `Origin` is one of ours and the browser does not call the request cross-site.
    pub fn judge(
        &self,
        origin: Option<&[u8]>,
        fetch_site: Option<&[u8]>,
    ) -> Result<(), ForeignOrigin> {
        // `none` is a person typing an address, which never carries an Origin worth trusting more.
        if fetch_site.is_some_and(|site| site != b"same-origin" && site != b"none") {
            return Err(ForeignOrigin::CrossSite);
        }
        let origin = origin.ok_or(ForeignOrigin::Missing)?;
        if origin == b"null" {
            return Err(ForeignOrigin::Null);
        }
        let origin = std::str::from_utf8(origin).map_err(|_| ForeignOrigin::Other)?;
        let ours = self.ours.iter().any(|one| one == origin)
            || self.demo_port.is_some_and(|p| is_demo(origin, p));
        ours.then_some(()).ok_or(ForeignOrigin::Other)
    }
}

/// Browsers leave the default port out of `Origin`.
fn without_default_port(origin: &str) -> String {
    let short = match origin.strip_prefix("https://") {
        Some(_) => origin.strip_suffix(":443"),
        None => origin.strip_suffix(":80"),
    };
    short.unwrap_or(origin).to_owned()
}

/// `http://localhost:PORT`, or one label of lower-case letters and digits before it.
fn is_demo(origin: &str, port: u16) -> bool {
    let Some(rest) = origin.strip_prefix("http://") else {
        return false;
    };
    let Some(host) = rest.strip_suffix(&format!(":{port}")) else {
        return false;
    };
    let label = match host.strip_suffix("localhost") {
        Some("") => return true,
        Some(label) => label.strip_suffix('.').unwrap_or(""),
        None => return false,
    };
    !label.is_empty()
        && label
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(origin: &str) -> Result<(), ForeignOrigin> {
        let ours = Origins::of("https://portal.example/").expect("a plain address");
        ours.judge(Some(origin.as_bytes()), None)
    }

    #[test]
    fn only_exactly_our_origin_passes() {
        assert_eq!(judge("https://portal.example"), Ok(()));
        for foreign in [
            "http://portal.example",
            "https://portal.example:8443",
            "https://portal.example.evil.test",
            "https://evilportal.example",
            "https://portal.example@evil.test",
            "https://portal.example/",
            "https://PORTAL.example",
            "https://sub.portal.example",
            "https://portal.exampl\u{435}",
            "https://portal.example, https://evil.test",
            "file://",
            "",
        ] {
            assert_eq!(judge(foreign), Err(ForeignOrigin::Other), "{foreign}");
        }
        assert_eq!(judge("null"), Err(ForeignOrigin::Null));
    }

    #[test]
    fn a_missing_origin_and_a_cross_site_request_are_refused() {
        let ours = Origins::of("https://portal.example").expect("a plain address");
        assert_eq!(ours.judge(None, None), Err(ForeignOrigin::Missing));
        for site in ["cross-site", "same-site", "nonsense"] {
            assert_eq!(
                ours.judge(Some(b"https://portal.example"), Some(site.as_bytes())),
                Err(ForeignOrigin::CrossSite),
                "{site}"
            );
        }
        let same = ours.judge(Some(b"https://portal.example"), Some(b"same-origin"));
        assert_eq!(same, Ok(()));
    }

    #[test]
    fn demonstration_hosts_are_one_label_below_localhost_on_our_port() {
        let ours = Origins::of("http://localhost:8080")
            .expect("a plain address")
            .with_demo_hosts(8080);
        let judge = |origin: &str| ours.judge(Some(origin.as_bytes()), None).is_ok();
        assert!(judge("http://localhost:8080") && judge("http://margaret.localhost:8080"));
        for foreign in [
            "http://margaret.localhost:8081",
            "https://margaret.localhost:8080",
            "http://evil.test.localhost:8080",
            "http://evillocalhost:8080",
            "http://.localhost:8080",
            "http://margaret.localhost.evil.test:8080",
            "http://margaret.localhost",
        ] {
            assert!(!judge(foreign), "{foreign}");
        }
    }

    #[test]
    fn default_ports_are_left_out_as_browsers_do() {
        let ours = Origins::of("https://portal.example:443").expect("a plain address");
        assert_eq!(ours.judge(Some(b"https://portal.example"), None), Ok(()));
    }

    #[test]
    fn an_address_that_is_no_origin_is_refused_at_start_up() {
        for bad in [
            "portal.example",
            "ftp://x",
            "https://",
            "https://a/b",
            "https://u@a",
        ] {
            assert_eq!(Origins::of(bad), Err(BadPublicUrl), "{bad}");
        }
    }
}
