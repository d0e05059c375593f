//! Patients as trusts tell of them. Writes no account, no membership, no grant.

use chrono::{DateTime, NaiveDate, Utc};
use letterbox_domain::id::{PatientId, TrustId};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{StoreError, Tx};

/// Whoever is meant by the NHS number or by the trust's own id, locked in the order of ids.
const MEANT: &str = "
    SELECT p.id, p.nhs_number, p.given_name, p.family_name, p.birth_date, s.source_version, s.body_sha256
    FROM patients p
    LEFT JOIN patient_sources s ON s.patient_id = p.id AND s.trust_id = $1 AND s.source_id = $2
    WHERE p.nhs_number = $3
       OR p.id = (SELECT patient_id FROM patient_sources WHERE trust_id = $1 AND source_id = $2)
    ORDER BY p.id
    FOR NO KEY UPDATE OF p";

const INSERT: &str = "
    INSERT INTO patients (id, nhs_number, given_name, family_name, birth_date, address_lines, phone, format_need)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

const UPDATE: &str = "
    UPDATE patients SET given_name = $2, family_name = $3, birth_date = $4, address_lines = $5, phone = $6,
                        format_need = $7
    WHERE id = $1";

const SOURCE: &str = "
    INSERT INTO patient_sources (trust_id, source_id, patient_id, source_version, body_sha256, answer)
    VALUES ($1, $2, $3, $4, $5, '{}')
    ON CONFLICT (trust_id, source_id)
    DO UPDATE SET source_version = $4, body_sha256 = $5, updated_at = app_now()";

const NOW: &str = "SELECT app_now(), policy_version FROM trusts WHERE id = $1";

/// A patient who is here already. No `Debug`: it is somebody.
#[derive(Clone)]
pub struct KnownPatient {
    /// Which.
    pub id: PatientId,
    /// Ten digits.
    pub nhs_number: String,
    /// As last told.
    pub given_name: String,
    /// As last told.
    pub family_name: String,
    /// As last told.
    pub birth_date: NaiveDate,
    /// The version and body hash under the trust's id, where that id leads here.
    pub source: Option<(i64, Vec<u8>)>,
}

/// What a trust tells of a patient. No `Debug`: it is somebody.
#[derive(Clone, Copy)]
pub struct PatientRow<'a> {
    /// Ten digits.
    pub nhs_number: &'a str,
    /// Given names.
    pub given_name: &'a str,
    /// Family name.
    pub family_name: &'a str,
    /// Date of birth.
    pub birth_date: NaiveDate,
    /// Where post goes; empty where no address is known.
    pub address_lines: &'a [String],
    /// Where staff can phone.
    pub phone: Option<&'a str>,
    /// `large_print`, `braille`, `audio` or `easy_read`.
    pub format_need: Option<&'a str>,
}

/// Locks and reads whoever is meant by the trust's id or by the NHS number: nobody, one, or by mistake two.
///
/// # Errors
/// Any [`StoreError`].
pub async fn meant(
    tx: &Tx,
    trust: TrustId,
    source_id: &str,
    nhs_number: &str,
) -> Result<Vec<KnownPatient>, StoreError> {
    let rows = tx
        .query(MEANT, &[&trust.as_uuid(), &source_id, &nhs_number])
        .await?;
    let read = |row: &Row| KnownPatient {
        id: PatientId::from(row.get::<_, Uuid>("id")),
        nhs_number: row.get("nhs_number"),
        given_name: row.get("given_name"),
        family_name: row.get("family_name"),
        birth_date: row.get("birth_date"),
        source: row
            .get::<_, Option<i64>>("source_version")
            .zip(row.get("body_sha256")),
    };
    Ok(rows.iter().map(read).collect())
}

/// Writes a patient nobody has told of before.
///
/// # Errors
/// [`StoreError::Contention`] when another transaction has just written the same NHS number.
pub async fn insert(tx: &Tx, id: PatientId, row: &PatientRow<'_>) -> Result<(), StoreError> {
    let written = tx
        .execute(
            INSERT,
            &[
                &id.as_uuid(),
                &row.nhs_number,
                &row.given_name,
                &row.family_name,
                &row.birth_date,
                &row.address_lines,
                &row.phone,
                &row.format_need,
            ],
        )
        .await;
    match written {
        Err(error) if error.violates("patients_nhs_number_key") => Err(StoreError::Contention(
            "this NHS number has just been written".to_owned(),
        )),
        other => other.map(drop),
    }
}

/// Writes what has changed of a patient; never the NHS number.
///
/// # Errors
/// Any [`StoreError`].
pub async fn update(tx: &Tx, id: PatientId, row: &PatientRow<'_>) -> Result<(), StoreError> {
    tx.execute(
        UPDATE,
        &[
            &id.as_uuid(),
            &row.given_name,
            &row.family_name,
            &row.birth_date,
            &row.address_lines,
            &row.phone,
            &row.format_need,
        ],
    )
    .await
    .map(drop)
}

/// Notes under which of the trust's ids and versions the patient was told of.
///
/// # Errors
/// Any [`StoreError`].
pub async fn note_source(
    tx: &Tx,
    trust: TrustId,
    source_id: &str,
    patient: PatientId,
    version: i64,
    body_sha256: &[u8],
) -> Result<(), StoreError> {
    tx.execute(
        SOURCE,
        &[
            &trust.as_uuid(),
            &source_id,
            &patient.as_uuid(),
            &version,
            &body_sha256,
        ],
    )
    .await
    .map(drop)
}

/// The transaction's time and the trust's present policy version.
///
/// # Errors
/// [`StoreError::Corrupt`] when there is no such trust.
pub async fn now(tx: &Tx, trust: TrustId) -> Result<(DateTime<Utc>, i32), StoreError> {
    let row = tx.query_opt(NOW, &[&trust.as_uuid()]).await?;
    row.map(|row| (row.get(0), row.get(1)))
        .ok_or_else(|| StoreError::corrupt("trusts", "id", "there is no such trust"))
}
