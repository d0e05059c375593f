//! What NHS login says of a person, beyond the standard claims; and that as our own types.

use std::fmt;

use letterbox_domain::joining::Proofing;
use letterbox_domain::person::{BirthDate, Email, Mobile, PersonName};
use openidconnect::core::CoreGenderClaim;
use openidconnect::{AdditionalClaims, IdTokenClaims, StandardClaims, UserInfoClaims};
use serde::{Deserialize, Serialize};

use super::LoginError;
use crate::commands::arrive::Verified;

/// Claims of NHS login's own. `Debug` hides them.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(super) struct NhsClaims {
    /// Vector of trust that was reached.
    #[serde(default)]
    pub(super) vot: Option<String>,
    #[serde(default)]
    nhs_number: Option<String>,
    #[serde(default)]
    identity_proofing_level: Option<String>,
    #[serde(default)]
    gp_registration_details: Option<Registration>,
}

#[derive(Clone, Deserialize, Serialize)]
struct Registration {
    #[serde(default)]
    gp_ods_code: Option<String>,
}

impl fmt::Debug for NhsClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NhsClaims(…)")
    }
}

impl AdditionalClaims for NhsClaims {}

pub(super) type IdClaims = IdTokenClaims<NhsClaims, CoreGenderClaim>;
pub(super) type InfoClaims = UserInfoClaims<NhsClaims, CoreGenderClaim>;

/// Whether the vector of trust is one that we asked for. A lower proof of identity is let through to be told what
/// is missing: it opens nothing.
pub(super) fn judge_trust(claims: &IdClaims, asked: &[String]) -> Result<Proofing, LoginError> {
    let own = claims.additional_claims();
    let vot = own.vot.as_deref().ok_or(LoginError::Again("vot_missing"))?;
    let level = own.identity_proofing_level.as_deref();
    let reached = Proofing::from_name(vot).ok_or(LoginError::Again("vot_unknown"))?;
    let stated = level.and_then(Proofing::from_name).unwrap_or(Proofing::P0);
    if reached == Proofing::P9 && !asked.iter().any(|one| one == vot) {
        return Err(LoginError::Again("vot_not_asked_for"));
    }
    // The lower of the two counts.
    Ok(reached.min(stated))
}

/// Both answers as one person; the signed one wins, and they must not contradict each other.
pub(super) fn person(
    id: &IdClaims,
    info: &InfoClaims,
    proofing: Proofing,
) -> Result<Verified, LoginError> {
    let (signed, told) = (id.additional_claims(), info.additional_claims());
    let contradicts =
        |a: &Option<String>, b: &Option<String>| matches!((a, b), (Some(a), Some(b)) if a != b);
    if contradicts(&signed.nhs_number, &told.nhs_number) {
        return Err(LoginError::Again("nhs_number_contradiction"));
    }
    let standard = info.standard_claims();
    let practice = told.gp_registration_details.clone();
    let practice = practice.or_else(|| signed.gp_registration_details.clone());
    Ok(Verified {
        issuer: id.issuer().to_string(),
        subject: id.subject().to_string(),
        proofing,
        name: name(id, standard),
        born: born(id, standard),
        nhs_number: signed
            .nhs_number
            .clone()
            .or_else(|| told.nhs_number.clone()),
        email: verified_email(standard),
        mobile: verified_mobile(standard),
        practice_code: practice
            .and_then(|one| one.gp_ods_code)
            .filter(|code| code.len() <= 16),
    })
}

fn name(id: &IdClaims, standard: &StandardClaims<CoreGenderClaim>) -> Option<PersonName> {
    let family = id
        .family_name()
        .or_else(|| standard.family_name())
        .and_then(|name| name.get(None))?;
    let given = standard
        .given_name()
        .or_else(|| id.given_name())
        .and_then(|name| name.get(None));
    // A person with one name has it in both places.
    let given = given.map_or(family.as_str(), |name| name.as_str());
    PersonName::parse(given, family).ok()
}

fn born(id: &IdClaims, standard: &StandardClaims<CoreGenderClaim>) -> Option<BirthDate> {
    let said = id.birthdate().or_else(|| standard.birthdate())?;
    said.as_str().parse().ok()
}

fn verified_email(standard: &StandardClaims<CoreGenderClaim>) -> Option<Email> {
    let verified = standard.email_verified() == Some(true);
    let email = standard.email().filter(|_| verified)?;
    Email::parse(email).ok()
}

fn verified_mobile(standard: &StandardClaims<CoreGenderClaim>) -> Option<Mobile> {
    let verified = standard.phone_number_verified() == Some(true);
    let phone = standard.phone_number().filter(|_| verified)?;
    Mobile::parse(phone).ok()
}
