//! Authenticator apps: set one up, check its codes, remove it (RFC 6238; ASVS 5.0 6.5).

mod code;

use diesel::pg::PgConnection;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::audit::{AuditAction, NewEvent};
use crate::db::{Failed, Fault, refuse};
use crate::factors::recovery_codes::RecoveryCodes;
use crate::factors::{Factors, base32, queries};
use crate::identity::{Client, LiveUser, UserId, UserSession as _};
use crate::notices::{AddedFactor, Notice, RemovedFactor};
use crate::secret::{SealBroken, Secret};

use code::Seed;

pub(crate) use code::digits;

/// After this many wrong codes in a row the app is locked (NIST SP 800-63B-4 §3.2.2 allows 100).
pub(crate) const MAX_TOTP_FAILURES: i32 = 10;

/// How long a seed on the page can be used to finish the set-up.
const ENROLMENT_LIFETIME: Duration = Duration::hours(1);

const SEAL_PURPOSE: &str = "totp";
const RESEAL_BATCH: i64 = 500;

/// A seed as its owner sees it during the set-up. No Debug, no Display.
pub struct TotpEnrolment {
    /// For the QR code.
    pub uri: SecretString,
    /// For typing, in groups of four.
    pub key: SecretString,
}

pub enum TotpRefusal {
    /// The user has an app already, and has to remove it first.
    AlreadyOn,
    /// No set-up was started, or it has expired.
    NotStarted,
    Wrong(TotpEnrolment),
}

/// The result of checking a code.
pub(crate) enum TotpCheck {
    Right,
    UsedAlready,
    Wrong {
        failures: i32,
    },
    /// The user has no app, or it is locked.
    NotChecked,
}

impl Factors {
    /// Creates a seed. It is not in use until [`Factors::finish_totp`].
    pub async fn start_totp(&self, live: &LiveUser) -> Result<TotpEnrolment, Failed<TotpRefusal>> {
        let (factors, user, live) = (self.clone(), live.user_id(), live.clone());
        self.db
            .write_or_refuse(move |conn| {
                let seed = Seed::generate().map_err(Fault::bug)?;
                let sealed = factors.secret.seal(SEAL_PURPOSE, user.0.as_bytes(), seed.as_bytes());
                let sealed = sealed.map_err(Fault::bug)?;
                if !factors.lock_if_live(conn, &live)?
                    || !queries::insert_totp_enrolment(conn, user, &sealed)?
                {
                    return refuse(TotpRefusal::AlreadyOn);
                }
                Ok(enrolment(conn, user, &seed)?)
            })
            .await
    }

    /// Puts the app into use after a correct code. Creates recovery codes if the user has none.
    pub async fn finish_totp(
        &self,
        live: LiveUser,
        typed: SecretString,
        client: Client,
    ) -> Result<Option<RecoveryCodes>, Failed<TotpRefusal>> {
        let (factors, user) = (self.clone(), live.user_id());
        self.db
            .write_or_refuse(move |conn| {
                if !factors.lock_if_live(conn, &live)? {
                    return refuse(TotpRefusal::NotStarted);
                }
                let Some(row) = queries::totp(conn, user)? else { return refuse(TotpRefusal::NotStarted) };
                if row.active_at.is_some() {
                    return refuse(TotpRefusal::AlreadyOn);
                }
                let seconds = queries::unix_seconds(conn)?;
                let now = OffsetDateTime::from_unix_timestamp(seconds).map_err(Fault::bug)?;
                if now - row.created_at > ENROLMENT_LIFETIME {
                    return refuse(TotpRefusal::NotStarted);
                }
                let seed = factors.unseal(user, &row.sealed_seed)?;
                // Not counted: the user knows the seed.
                let Some(step) =
                    digits(typed.expose_secret()).and_then(|digits| seed.step_of(&digits, seconds))
                else {
                    return refuse(TotpRefusal::Wrong(enrolment(conn, user, &seed)?));
                };
                queries::activate_totp(conn, user, step)?;
                NewEvent::by_owner(AuditAction::TotpAdded, user, &client)
                    .session(live.record.handle)
                    .write(conn)?;
                if let Some(owner) = crate::identity::queries::recipient(conn, user)? {
                    factors.notify_factor_added(conn, &owner, AddedFactor::AuthenticatorApp, &client)?;
                }
                let codes = match queries::recovery_codes_left(conn, user)? {
                    0 => Some(factors.replace_recovery_codes(conn, user)?),
                    _ => None,
                };
                Ok(codes)
            })
            .await
    }

    /// `false` if the user had none.
    pub async fn remove_totp(&self, live: LiveUser, client: Client) -> Result<bool, Fault> {
        let (factors, user) = (self.clone(), live.user_id());
        self.db
            .write(move |conn| {
                if !factors.lock_if_live(conn, &live)? || !queries::delete_totp(conn, user)? {
                    return Ok(false);
                }
                factors.clean_up_after_removal(conn, user)?;
                NewEvent::by_owner(AuditAction::TotpRemoved, user, &client)
                    .session(live.record.handle)
                    .write(conn)?;
                factors.notify_user(
                    conn,
                    user,
                    &Notice::FactorRemoved(RemovedFactor::AuthenticatorApp),
                    &client,
                )?;
                Ok(true)
            })
            .await
    }

    /// Counts the attempt, then checks the code. Each time step is accepted once (RFC 6238 §5.2; ASVS 5.0 6.5.1), by the
    /// database's clock (6.5.8).
    pub(crate) fn check_totp_code(
        &self,
        conn: &mut PgConnection,
        user: UserId,
        digits: &str,
    ) -> Result<TotpCheck, Fault> {
        let Some(counted) = queries::count_totp_attempt(conn, user, MAX_TOTP_FAILURES)? else {
            return Ok(TotpCheck::NotChecked);
        };
        let seed = self.unseal(user, &counted.sealed_seed)?;
        match seed.step_of(digits, counted.seconds) {
            None => Ok(TotpCheck::Wrong { failures: counted.failures }),
            Some(step) if queries::consume_totp_step(conn, user, step)? => Ok(TotpCheck::Right),
            Some(_) => {
                queries::refund_totp_attempt(conn, user)?;
                Ok(TotpCheck::UsedAlready)
            }
        }
    }

    /// Maintenance: reseals the seeds of the previous secret with the current one, so that the previous secret can be
    /// removed. In batches, so that log-ins do not wait long. Returns how many.
    pub(crate) async fn reseal_seeds(&self) -> Result<usize, Fault> {
        let (mut resealed, mut after) = (0, Uuid::nil());
        loop {
            let secret = self.secret.clone();
            let (some, last) = self.db.write(move |conn| reseal_batch(conn, &secret, after)).await?;
            resealed += some;
            match last {
                Some(last) => after = last,
                None => return Ok(resealed),
            }
        }
    }

    fn unseal(&self, user: UserId, sealed: &[u8]) -> Result<Seed, Fault> {
        let bytes = self.secret.open(SEAL_PURPOSE, user.0.as_bytes(), sealed).map_err(Fault::bug)?;
        Seed::new(bytes.expose_secret()).ok_or_else(|| Fault::bug(SealBroken))
    }
}

fn enrolment(conn: &mut PgConnection, user: UserId, seed: &Seed) -> Result<TotpEnrolment, Fault> {
    let account =
        crate::identity::queries::recipient(conn, user)?.map(|person| person.email).unwrap_or_default();
    let key = SecretString::from(base32::encode(seed.as_bytes()));
    let account = utf8_percent_encode(&account, NON_ALPHANUMERIC);
    Ok(TotpEnrolment {
        // https://github.com/google/google-authenticator/wiki/Key-Uri-Format
        uri: format!(
            "otpauth://totp/Latchkey:{account}?secret={}&issuer=Latchkey&algorithm=SHA1&digits=6&period={}",
            key.expose_secret(),
            code::STEP
        )
        .into(),
        key: base32::group(key.expose_secret(), 4, " ").into(),
    })
}

/// Returns how many seeds it resealed, and the last user of the batch.
fn reseal_batch(
    conn: &mut PgConnection,
    secret: &Secret,
    after: Uuid,
) -> Result<(usize, Option<Uuid>), Fault> {
    let stale = queries::seeds_not_sealed_with(conn, &secret.seal_id(), after, RESEAL_BATCH)?;
    let last = stale.last().map(|(user, _)| user.0);
    let mut resealed = 0;
    for (user, old) in stale {
        let context = user.0.as_bytes();
        // A seed that neither secret opens stays as it is: the operator may restore its secret.
        let Ok(seed) = secret.open(SEAL_PURPOSE, context, &old) else { continue };
        let new = secret.seal(SEAL_PURPOSE, context, seed.expose_secret()).map_err(Fault::bug)?;
        queries::replace_sealed_seed(conn, user, &old, &new)?;
        resealed += 1;
    }
    Ok((resealed, last))
}
