//! Email addresses and mobile numbers.

use std::str::FromStr;

use unicode_normalization::UnicodeNormalization;

/// An email address. The part after the @ is kept in lower case, the part before it as given.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

/// A UK mobile number, as `+447…`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Mobile(String);

super::hidden!(Email, Mobile);

/// Why a text is not a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContactError {
    /// Not an address that mail servers take.
    #[error("an email address looks like name@example.com")]
    Email,
    /// Not a UK mobile number.
    #[error("a UK mobile number looks like 07700 900123")]
    Mobile,
}

impl Email {
    /// Reads an address of the form that every mail server takes: no quotes, comments or unusual alphabets.
    /// Compatible forms of a character count as the character itself (NFKC): full-width letters are letters.
    ///
    /// # Errors
    /// [`ContactError::Email`].
    pub fn parse(text: &str) -> Result<Self, ContactError> {
        // Nothing that could become an address is longer; normalizing stays cheap.
        let plain: String = text.trim().chars().take(400).nfkc().collect();
        let (local, domain) = plain.rsplit_once('@').ok_or(ContactError::Email)?;
        if is_local_part(local) && is_domain(domain) && local.len() + domain.len() < 254 {
            Ok(Self(format!("{local}@{}", domain.to_ascii_lowercase())))
        } else {
            Err(ContactError::Email)
        }
    }

    /// The address itself, for the mail server.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The address in lower case: two that are equal here are one account.
    #[must_use]
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

fn is_local_part(local: &str) -> bool {
    let is_atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c);
    (1..=64).contains(&local.len())
        && local
            .split('.')
            .all(|atom| !atom.is_empty() && atom.chars().all(is_atom))
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let top = domain.rsplit('.').next().unwrap_or_default();
    domain.contains('.')
        && domain.split('.').all(is_label)
        && top.chars().any(|c| c.is_ascii_alphabetic())
}

impl Mobile {
    /// Reads a number as people write it: `07700 900123`, `+44 (0)7700 900123`, `00447700900123`.
    ///
    /// # Errors
    /// [`ContactError::Mobile`]; pager ranges (070, 076 except 07624 of the Isle of Man) are not mobiles.
    pub fn parse(text: &str) -> Result<Self, ContactError> {
        let text = text.trim().replace("(0)", "");
        let has_plus = text.starts_with('+');
        let digits: String = text
            .chars()
            .filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.' | '+' | '\u{a0}'))
            .collect();
        if digits.chars().any(|c| !c.is_ascii_digit())
            || text.matches('+').count() > usize::from(has_plus)
        {
            return Err(ContactError::Mobile);
        }
        let national = national_part(&digits, has_plus).ok_or(ContactError::Mobile)?;
        let is_pager = national.starts_with("70")
            || (national.starts_with("76") && !national.starts_with("7624"));
        if national.len() == 10 && national.starts_with('7') && !is_pager {
            Ok(Self(format!("+44{national}")))
        } else {
            Err(ContactError::Mobile)
        }
    }

    /// The number itself, in E.164, for the text provider.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// As people write it: `07700 900123`.
    #[must_use]
    pub fn printed(&self) -> String {
        let national = &self.0[3..];
        format!("0{} {}", &national[..4], &national[4..])
    }
}

fn national_part(digits: &str, has_plus: bool) -> Option<&str> {
    if has_plus {
        digits.strip_prefix("44")
    } else {
        digits
            .strip_prefix("0044")
            .or_else(|| digits.strip_prefix('0'))
    }
}

impl FromStr for Email {
    type Err = ContactError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl FromStr for Mobile {
    type Err = ContactError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn mobiles_are_read_as_people_write_them() {
        for text in [
            "07700900123",
            "07700 900123",
            "+447700900123",
            "+44 7700 900 123",
            "+44 (0)7700 900123",
            "00447700900123",
            "(07700) 900-123",
        ] {
            let mobile = Mobile::parse(text).expect(text);
            assert_eq!(mobile.expose(), "+447700900123", "{text}");
            assert_eq!(mobile.printed(), "07700 900123");
        }
        assert_eq!(
            Mobile::parse("07624 900123").expect("Isle of Man").expose(),
            "+447624900123"
        );
    }

    #[test]
    fn what_is_not_a_uk_mobile_is_refused() {
        for text in [
            "",
            "01432 900123",
            "0770090012",
            "077009001234",
            "+33 6 12 34 56 78",
            "07012 345678",
            "07640 123456",
            "7700900123",
            "+07700900123",
            "07700 90012x",
            "++447700900123",
            "٠٧٧٠٠٩٠٠١٢٣",
        ] {
            assert_eq!(Mobile::parse(text), Err(ContactError::Mobile), "{text}");
        }
    }

    #[test]
    fn email_addresses_are_checked_for_form() {
        for text in [
            "a@b.uk",
            "margaret.hill+nhs@example.test",
            "o'neill@post.example.test",
        ] {
            assert_eq!(Email::parse(text).expect(text).expose(), text);
        }
        for text in [
            "",
            "@",
            "a@",
            "@b.uk",
            "a b@c.uk",
            "a@b",
            "a@b..uk",
            "a..b@c.uk",
            ".a@c.uk",
            "a@-b.uk",
            "a@b.uk\nBcc: x@y.z",
            "a@@b.uk",
            "\"a\"@b.uk",
            "a@1.2.3.4",
            "ä@b.uk",
            "a@b.uk,c@d.uk",
        ] {
            assert_eq!(Email::parse(text), Err(ContactError::Email), "{text:?}");
        }
        assert_eq!(
            Email::parse(&format!("{}@b.uk", "a".repeat(65))),
            Err(ContactError::Email)
        );
    }

    #[test]
    fn r14_1_the_same_address_in_capitals_or_full_width_is_the_same_account() {
        let folded = |text: &str| Email::parse(text).expect(text).folded();
        for text in [
            "Asha@Example.TEST",
            " ASHA@example.test ",
            "ａｓｈａ＠ｅｘａｍｐｌｅ．ｔｅｓｔ",
            "Ａsha@example.test",
        ] {
            assert_eq!(folded(text), "asha@example.test", "{text}");
        }
    }

    #[test]
    fn contacts_never_show_themselves_in_logs() {
        let (email, mobile) = (Email::parse("a@b.uk"), Mobile::parse("07700900123"));
        assert_eq!(
            format!("{email:?} {mobile:?}"),
            "Ok(Email(…)) Ok(Mobile(…))"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_either_refused_or_read_back(text in "\\PC{0,20}") {
            if let Ok(mobile) = Mobile::parse(&text) {
                prop_assert_eq!(Mobile::parse(mobile.expose()), Ok(mobile.clone()));
                prop_assert_eq!(Mobile::parse(&mobile.printed()), Ok(mobile));
            }
            if let Ok(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.expose()), Ok(email));
            }
        }

        #[test]
        fn no_address_can_carry_a_second_header(local in "[a-z]{1,8}", domain in "[a-z]{1,8}\\.uk", junk in "[\r\n ,;<>]{1,3}") {
            let (inside, after) = (format!("{local}{junk}x@{domain}"), format!("{local}@{domain}{junk}x"));
            prop_assert_eq!(Email::parse(&inside), Err(ContactError::Email));
            prop_assert_eq!(Email::parse(&after), Err(ContactError::Email));
        }
    }
}
