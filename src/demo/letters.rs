//! The letters of the demonstration: real PDF files with their whole text beside them.

use chrono::{DateTime, Datelike, TimeDelta, Utc, Weekday};
use chrono_tz::Europe::London;

use super::hospital::Outgoing;
use crate::commands::seed::Persona;
use crate::pdf::{Fonts, HospitalLetter, hospital_letter};

const TITLE: &str = "Your eye clinic appointment";
const TRUST: &str = "Wye Valley NHS Trust";

/// A letter for this persona; `which` tells the first from the second.
///
/// # Errors
/// When the PDF cannot be made.
pub(super) fn compose<'a>(
    fonts: &Fonts,
    persona: &Persona,
    which: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<Outgoing<'a>> {
    let paragraphs = paragraphs(which);
    let (bring, visit) = (bring(), visit(now));
    let name = format!("{} {}", persona.given, persona.family);
    let address: Vec<String> = std::iter::once(name.clone())
        .chain(persona.address_lines.iter().map(|line| (*line).to_owned()))
        .collect();
    let salutation = format!("Dear {name}");
    let facts = [
        ("When", visit),
        ("Where", "Eye clinic, County Hospital, Hereford".to_owned()),
    ];
    let sender = [
        "Eye clinic",
        "County Hospital",
        "Hereford HR1 2ER",
        "Phone 01432 000000",
        "Monday to Friday, 9am to 5pm",
    ];
    let signature = ["Sister Beth Powell".to_owned(), "Eye clinic".to_owned()];
    let pdf = hospital_letter(
        fonts,
        &HospitalLetter {
            trust: TRUST,
            sender_lines: &sender.map(str::to_owned),
            address_lines: &address,
            date: now.with_timezone(&London).date_naive(),
            salutation: &salutation,
            subject: TITLE,
            facts: &facts,
            paragraphs: &paragraphs,
            bullets: &bring,
            signature: &signature,
        },
    )?;
    let facts = facts
        .map(|(label, value)| format!("{label}: {value}"))
        .join("\n");
    let text = [
        salutation,
        paragraphs[0].clone(),
        facts,
        paragraphs[1..].join("\n\n"),
        bring.join("\n"),
        signature.join("\n"),
    ];
    Ok(Outgoing {
        source_id: format!("demo-{}-{which}", persona.key),
        patient: persona.patient,
        nhs_number: persona.nhs_number,
        title: TITLE,
        full_text: text.join("\n\n"),
        pdf,
        authored_at: now,
    })
}

fn paragraphs(which: &str) -> Vec<String> {
    let reason = match which {
        "first" => "We would like to see you in the eye clinic for your yearly check.",
        _ => {
            "After your last visit we would like to look at your eyes again and measure the pressure in them."
        }
    };
    vec![
        reason.to_owned(),
        "Please arrive ten minutes early. The visit takes about an hour. We may use drops that blur your sight for \
         a few hours, so please do not drive yourself."
            .to_owned(),
        "If you cannot come, phone us as soon as you can. We will find another date, and somebody else can be seen \
         in your place."
            .to_owned(),
    ]
}

fn bring() -> Vec<String> {
    [
        "your glasses, also the ones for reading",
        "a list of your medicines",
        "sunglasses for the way home",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// The first weekday at least four weeks on, at 10:20.
fn visit(now: DateTime<Utc>) -> String {
    let mut day = now.with_timezone(&London).date_naive() + TimeDelta::days(28);
    while matches!(day.weekday(), Weekday::Sat | Weekday::Sun) {
        day += TimeDelta::days(1);
    }
    format!("{}, 10:20am", day.format("%A %-d %B %Y"))
}
