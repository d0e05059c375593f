//! The account's pages.

use super::*;

fn way(name: &'static str, label: &'static str, contact: &str) -> WayRow {
    WayRow {
        name,
        label,
        contact: contact.to_owned(),
        works: true,
        warning: (name == "text").then(|| "A message to this did not arrive.".to_owned()),
        used_for: "To tell you that something new is here.",
        wanted: name == "email",
        is_unsafe: name == "text",
    }
}

fn choices(names: &[&'static str]) -> Vec<FormatChoice> {
    const VALUES: [&str; 6] = ["one", "two", "three", "four", "five", "six"];
    let choice = |(value, text): (&'static str, &&'static str)| FormatChoice {
        value,
        text,
        checked: *text == names[0],
    };
    VALUES.into_iter().zip(names).map(choice).collect()
}

#[test]
fn r18_1_r18_2_the_accounts_pages_say_what_is_used_for_what_and_whom_to_tell() {
    let tabs = || crate::web::account::tabs("/account", true);
    let chrome = |title| super::chrome(title, "patient", "/account");
    let row = |key, value: &str, href| AccountRow {
        key,
        value: value.to_owned(),
        href,
        change: key,
    };
    let body = AccountBody {
        tabs: tabs(),
        rows: vec![
            row("Name", "<b>Margaret</b>", ""),
            row("Email", "margaret@example.test", "/account/contact"),
        ],
        may_join: true,
    };
    let html = written(
        "account",
        "account.jinja",
        &chrome("Account overview"),
        &body,
    );
    assert!(
        html.contains("&lt;b&gt;Margaret") && html.contains("does not change what your hospital")
    );
    assert!(html.contains("tell your GP and your hospital too"));
    assert!(html.contains("Get my own letters here") && html.contains("value=\"join\""));
    assert_eq!(
        html.matches("aria-current=\"page\"").count(),
        1,
        "one tab is open"
    );
    let body = ContactBody {
        tabs: tabs(),
        saved: true,
        has_mailbox: true,
        ways: vec![
            way("email", "Email", "margaret@example.test"),
            way("text", "Text messages", "07700 900123"),
        ],
        post_is_unsafe: false,
        reminders: choices(&["No, do not remind me", "Yes, by email"]),
        reminders_warning: Some("We cannot text you at the moment."),
    };
    let html = written(
        "account-contact",
        "account_contact.jinja",
        &chrome("Contact and notifications"),
        &body,
    );
    assert_eq!(html.matches("What we use it for").count(), 2);
    assert_eq!(
        html.matches(" checked").count(),
        3,
        "email is wanted, texts are unsafe, no reminders"
    );
    assert!(html.contains("Shall we remind you of appointments?"));
    let body = PostBody {
        tabs: tabs(),
        hint: Some("…HR4 •••".to_owned()),
        is_unsafe: false,
    };
    let html = written("account-post", "account_post.jinja", &chrome("Post"), &body);
    assert!(html.contains("…HR4 •••") && html.contains("Wrong? Tell your GP and hospital"));
    let formats = choices(&[
        "Standard print",
        "Large print",
        "Braille",
        "Audio",
        "Easy read",
    ]);
    let body = FormatBody {
        tabs: tabs(),
        saved: false,
        choices: formats,
        on_file: Some("Large print"),
    };
    written(
        "account-format",
        "account_format.jinja",
        &chrome("Format"),
        &body,
    );
    let look = LookRow {
        at: "22 November 2026, 10:06am".to_owned(),
        who: "Booking clerk, Wye Valley NHS Trust".to_owned(),
        did: "Opened a letter: Your eye clinic appointment".to_owned(),
    };
    let body = LookedBody {
        tabs: tabs(),
        looks: vec![look],
        older: Some("/account/looked?before=7".to_owned()),
        is_first: true,
    };
    written(
        "account-looked",
        "account_looked.jinja",
        &chrome("Who looked"),
        &body,
    );
}

#[test]
fn r28_1_the_page_for_deleting_asks_for_a_reason_and_says_what_follows() {
    let reasons = choices(&[
        "I prefer letters by post",
        "Another reason, or I would rather not say",
    ]);
    let body = DeleteBody {
        tabs: crate::web::account::tabs("/account/delete", true),
        has_mailbox: true,
        unread: Some("2 letters".to_owned()),
        post_is_unsafe: false,
        reasons,
        missing: true,
    };
    let chrome = super::chrome("Delete my account", "patient", "/account/delete");
    let html = written("account-delete", "account_delete.jinja", &chrome, &body);
    for words in [
        "Deleting my account",
        "2 letters that you have not opened will be posted",
        "Delete account",
        "Choose a reason",
    ] {
        assert!(html.contains(words), "{words}");
    }
    written(
        "account-deleted",
        "account_deleted.jinja",
        &super::chrome("Your account is deleted", "plain", "/"),
        &DeletedBody {},
    );
}
