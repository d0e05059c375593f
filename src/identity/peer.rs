//! From which address a request comes, where proxies stand in front. Believes a header only from a proxy of ours; used
//! for limits and for who may read the figures, never to know a person.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;

use crate::config::Network;

/// The client's address: the peer's, or the one that our own proxies name. `None`: nobody can tell.
///
/// Every proxy adds to the end of the list, so the list is read from the end and the first address that is not a proxy
/// of ours is the client's; what stands before it the client may have written itself.
#[must_use]
pub fn client(request: &HttpRequest, ours: &[Network]) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    named_by(peer, request.headers(), ours)
}

fn named_by(peer: IpAddr, headers: &HeaderMap, ours: &[Network]) -> Option<IpAddr> {
    let is_ours = |address: IpAddr| ours.iter().any(|network| network.contains(address));
    if !is_ours(peer) {
        return Some(peer);
    }
    let mut nearest = peer;
    for hop in hops(headers).iter().rev() {
        nearest = address(hop)?;
        if !is_ours(nearest) {
            break;
        }
    }
    Some(nearest)
}

/// What the proxies wrote, first to last. `Forwarded` (RFC 7239) wins over `X-Forwarded-For`.
fn hops(headers: &HeaderMap) -> Vec<String> {
    let lines = |name: &str| -> Vec<String> {
        let texts = headers
            .get_all(name)
            .filter_map(|value| value.to_str().ok());
        texts
            .flat_map(|text| text.split(','))
            .map(|hop| hop.trim().to_owned())
            .collect()
    };
    let forwarded: Vec<String> = lines("forwarded")
        .iter()
        .map(|hop| {
            let parts = hop.split(';').map(str::trim);
            let by_whom = parts.filter_map(|part| part.split_once('='));
            by_whom
                .filter(|(name, _)| name.eq_ignore_ascii_case("for"))
                .map(|(_, value)| value.trim_matches('"').to_owned())
                .next()
                .unwrap_or_default()
        })
        .collect();
    if forwarded.is_empty() {
        lines("x-forwarded-for")
    } else {
        forwarded
    }
}

/// `192.0.2.7`, `192.0.2.7:4711`, `2001:db8::1` or `[2001:db8::1]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    if let Some(inner) = text.strip_prefix('[') {
        return inner.split_once(']')?.0.parse().ok();
    }
    text.rsplit_once(':')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn seen(peer: &str, ours: &[&str], headers: &[(&'static str, &'static str)]) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        let ours: Vec<Network> = ours
            .iter()
            .map(|network| network.parse().expect("a network"))
            .collect();
        named_by(peer.parse().expect("an address"), &map, &ours).map(|address| address.to_string())
    }

    #[test]
    fn a_stranger_cannot_name_itself_somebody_else() {
        let forged = [
            ("x-forwarded-for", "127.0.0.1"),
            ("forwarded", "for=127.0.0.1"),
        ];
        assert_eq!(
            seen("203.0.113.9", &["10.0.0.0/8"], &forged).as_deref(),
            Some("203.0.113.9")
        );
        assert_eq!(
            seen("203.0.113.9", &[], &forged).as_deref(),
            Some("203.0.113.9")
        );
    }

    #[test]
    fn a_proxy_of_ours_is_believed_and_what_the_client_wrote_before_it_is_not() {
        let ours = ["10.0.0.0/8", "127.0.0.1"];
        let list = [("x-forwarded-for", "127.0.0.1, 203.0.113.9, 10.1.2.3")];
        assert_eq!(
            seen("127.0.0.1", &ours, &list).as_deref(),
            Some("203.0.113.9")
        );
        let standard = [
            ("forwarded", "for=\"[2001:db8::1]:4711\";proto=https"),
            ("forwarded", "for=10.0.0.1"),
        ];
        assert_eq!(
            seen("10.0.0.7", &ours, &standard).as_deref(),
            Some("2001:db8::1")
        );
        let with_port = [("x-forwarded-for", "203.0.113.9:4711")];
        assert_eq!(
            seen("10.0.0.7", &ours, &with_port).as_deref(),
            Some("203.0.113.9")
        );
    }

    #[test]
    fn what_a_proxy_of_ours_wrote_and_nobody_can_read_is_nobodys_address() {
        assert_eq!(
            seen(
                "10.0.0.7",
                &["10.0.0.0/8"],
                &[("x-forwarded-for", "unknown")]
            ),
            None
        );
        assert_eq!(
            seen("10.0.0.7", &["10.0.0.0/8"], &[]).as_deref(),
            Some("10.0.0.7")
        );
    }
}
