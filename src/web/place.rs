//! Which address somebody may be led to after a form: a page that the router knows, on this site, and nothing else.
//!
//! `next` comes from outside. What does not look exactly like a page of ours is dropped, never repaired.

use std::sync::OnceLock;

use super::doors::Door;

/// No page of ours has a longer address.
const LONGEST: usize = 300;

/// The address, if it is a page of ours; its query may say anything harmless.
pub(crate) fn known(address: &str) -> Option<&str> {
    static DOORS: OnceLock<Vec<Door>> = OnceLock::new();
    let doors = DOORS.get_or_init(super::doors);
    let plain = address
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/-_.~?=&%+".contains(&byte));
    if address.len() > LONGEST || !plain || address.starts_with("//") {
        return None;
    }
    let path = address.split('?').next().unwrap_or_default();
    let page = |door: &Door| door.method == "GET" && is_page(door.path) && fits(door.path, path);
    doors.iter().any(page).then_some(address)
}

/// What is asked for by scripts, or is a file, is no place to be.
fn is_page(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    !last.contains('.') && last != "file" && last != "callback"
}

fn fits(pattern: &str, path: &str) -> bool {
    let mut wanted = pattern.split('/');
    let mut given = path.split('/');
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted.starts_with('{') => {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
                if given.is_empty() || !given.bytes().all(plain) {
                    return false;
                }
            }
            (Some(wanted), Some(given)) if wanted == given => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::known;

    #[actix_web::test]
    async fn case_77_only_pages_of_ours_are_places_to_go_to() {
        for ours in [
            "/",
            "/account/sessions",
            "/my-health/documents",
            "/my-health/appointments?list=past",
            "/my-health/documents/0199d5e2-7e52-7000-8000-000000000000",
        ] {
            assert_eq!(known(ours), Some(ours));
        }
        for foreign in [
            "",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "data:text/html,x",
            "/%2f/evil.example",
            "/my-health/documents/../../sign-out",
            "/sign-out",
            "/leave",
            "/dashboard.json",
            "/my-health/documents/x/file",
            "/nowhere",
            "/account/sessions\r\nSet-Cookie: x",
            "/account/sessions#x",
            " /account/sessions",
            "/account/sessions/",
        ] {
            assert_eq!(known(foreign), None, "{foreign:?}");
        }
        assert_eq!(known(&format!("/?{}", "x".repeat(400))), None);
    }
}
