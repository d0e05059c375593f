//! A code becomes a person: the token endpoint, the signed token, and what userinfo adds. Every check is here or in
//! the library that is called here; none can be switched off.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use letterbox_actors::clock::Clock as _;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AuthType, AuthorizationCode, ClaimsVerificationError, Client,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdToken, IdTokenFields,
    Nonce, OAuth2TokenResponse as _, PkceCodeVerifier, RequestTokenError,
    SignatureVerificationError, StandardErrorResponse, StandardTokenResponse, SubjectIdentifier,
    TokenResponse as _, UserInfoError,
};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::claims::{IdClaims, InfoClaims, NhsClaims, judge_trust, person};
use super::{LoginError, NhsLogin};
use crate::commands::arrive::Verified;

/// The only signature we take, as NHS login's documents say.
const ALGORITHM: CoreJwsSigningAlgorithm = CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512;
/// How far its clock may be ahead of ours.
const AHEAD: TimeDelta = TimeDelta::minutes(1);
/// A token is made while we wait for it; an older one is somebody's old one.
const OLD: TimeDelta = TimeDelta::minutes(10);

type Tokens = StandardTokenResponse<
    IdTokenFields<
        NhsClaims,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;
type SignedToken =
    IdToken<NhsClaims, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
pub(super) type OidcClient = Client<
    NhsClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

impl NhsLogin {
    pub(super) fn client_of(&self, metadata: &Arc<CoreProviderMetadata>) -> OidcClient {
        Client::from_provider_metadata(metadata.as_ref().clone(), self.client.clone(), None)
            .set_redirect_uri(self.redirect.clone())
            .set_auth_type(AuthType::RequestBody)
    }

    pub(super) async fn exchange(
        &self,
        code: &str,
        verifier: Option<PkceCodeVerifier>,
        nonce_sha256: &[u8; 32],
    ) -> Result<Verified, LoginError> {
        let metadata = self.provider.metadata().await?;
        let mut client = self.client_of(&metadata);
        let tokens = self.tokens(&client, code, verifier).await?;
        let token = tokens
            .id_token()
            .ok_or(LoginError::Again("id_token_missing"))?;
        if !names_its_key(&token.to_string()) {
            return Err(LoginError::Again("kid_missing"));
        }
        let mut claims = self.claims(&client, token, nonce_sha256);
        if matches!(claims, Err(LoginError::Again("kid_unknown")))
            && let Some(renewed) = self.provider.with_new_keys().await?
        {
            client = self.client_of(&renewed);
            claims = self.claims(&client, token, nonce_sha256);
        }
        let claims = claims?;
        check_access_token(&client, token, &claims, tokens.access_token())?;
        let proofing = judge_trust(&claims, &self.settings.vtr)?;
        let subject = claims.subject().clone();
        let info = self
            .userinfo(&client, tokens.access_token(), subject)
            .await?;
        person(&claims, &info, proofing)
    }

    async fn tokens(
        &self,
        client: &OidcClient,
        code: &str,
        verifier: Option<PkceCodeVerifier>,
    ) -> Result<Tokens, LoginError> {
        let endpoint = client
            .token_uri()
            .ok_or(LoginError::Down("token_address"))?;
        let assertion = self
            .key
            .sign(&self.client, endpoint.as_str(), self.clock.now())
            .map_err(|_| LoginError::Down("assertion"))?;
        let mut request = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|_| LoginError::Down("token_address"))?
            .add_extra_param(
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            )
            .add_extra_param("client_assertion", assertion);
        if let Some(verifier) = verifier {
            request = request.set_pkce_verifier(verifier);
        }
        let line = self.provider.line();
        let ask = move |request| line.clone().ask(request);
        // What went wrong may repeat what was sent: only its kind goes on.
        request
            .request_async(&ask)
            .await
            .map_err(|error| match error {
                RequestTokenError::Request(_) => LoginError::Down("token"),
                RequestTokenError::ServerResponse(_) => LoginError::Again("code_refused"),
                _ => LoginError::Again("token_unreadable"),
            })
    }

    /// Signature, issuer, audience, expiry and nonce.
    fn claims(
        &self,
        client: &OidcClient,
        token: &SignedToken,
        nonce_sha256: &[u8; 32],
    ) -> Result<IdClaims, LoginError> {
        let now = self.clock.now();
        let verifier = client
            .id_token_verifier()
            .set_allowed_algs([ALGORITHM])
            .set_time_fn(move || now)
            .set_issue_time_verifier_fn(move |issued| judge_issue_time(issued, now));
        let expected = *nonce_sha256;
        let nonce = move |said: Option<&Nonce>| {
            let said = said.map(|nonce| <[u8; 32]>::from(Sha256::digest(nonce.secret())));
            match said {
                Some(said) if bool::from(said.ct_eq(&expected)) => Ok(()),
                _ => Err("another nonce".to_owned()),
            }
        };
        token
            .claims(&verifier, nonce)
            .cloned()
            .map_err(|error| LoginError::Again(label(&error)))
    }

    async fn userinfo(
        &self,
        client: &OidcClient,
        access: &AccessToken,
        subject: SubjectIdentifier,
    ) -> Result<InfoClaims, LoginError> {
        let line = self.provider.line();
        let ask = move |request| line.clone().ask(request);
        client
            .user_info(access.clone(), Some(subject))
            .map_err(|_| LoginError::Down("userinfo_address"))?
            .request_async(&ask)
            .await
            .map_err(|error| match error {
                UserInfoError::Request(_) => LoginError::Down("userinfo"),
                UserInfoError::ClaimsVerification(_) => LoginError::Again("userinfo_subject"),
                _ => LoginError::Again("userinfo_unreadable"),
            })
    }
}

/// Where the token says which access token it goes with, it must be the one that came along.
fn check_access_token(
    client: &OidcClient,
    token: &SignedToken,
    claims: &IdClaims,
    access: &AccessToken,
) -> Result<(), LoginError> {
    let Some(expected) = claims.access_token_hash() else {
        return Ok(());
    };
    let verifier = client.id_token_verifier().set_allowed_algs([ALGORITHM]);
    let algorithm = token.signing_alg();
    let key = token.signing_key(&verifier);
    let actual = match (algorithm, key) {
        (Ok(algorithm), Ok(key)) => AccessTokenHash::from_token(access, algorithm, key).ok(),
        _ => return Err(LoginError::Again("at_hash_unchecked")),
    };
    (actual.as_ref() == Some(expected))
        .then_some(())
        .ok_or(LoginError::Again("at_hash"))
}

fn judge_issue_time(issued: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), String> {
    if issued > now + AHEAD || issued < now - OLD {
        return Err("made at another time".to_owned());
    }
    Ok(())
}

/// Whether the token's header says with which key it is signed: without that, any key of the set would do.
fn names_its_key(token: &str) -> bool {
    let header = token.split('.').next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap_or_default();
    header["kid"].as_str().is_some_and(|kid| !kid.is_empty())
}

/// The kind of fault, without its words: they may repeat a claim.
fn label(error: &ClaimsVerificationError) -> &'static str {
    match error {
        ClaimsVerificationError::Expired(_) => "expired",
        ClaimsVerificationError::InvalidAudience(_) => "audience",
        ClaimsVerificationError::InvalidIssuer(_) => "issuer",
        ClaimsVerificationError::InvalidNonce(_) => "nonce",
        ClaimsVerificationError::InvalidSubject(_) => "subject",
        ClaimsVerificationError::SignatureVerification(why) => match why {
            SignatureVerificationError::NoMatchingKey => "kid_unknown",
            SignatureVerificationError::DisallowedAlg(_)
            | SignatureVerificationError::UnsupportedAlg(_) => "algorithm",
            SignatureVerificationError::NoSignature => "unsigned",
            _ => "signature",
        },
        _ => "token",
    }
}
