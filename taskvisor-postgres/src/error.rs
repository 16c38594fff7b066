//! Converts errors of the database to errors of a lease.

use std::error::Error as _;
use std::{fmt, io};

use taskvisor::fleet::LeaseError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// An error of the database, with a remedy.
///
/// Its text ends with that of its source. So where errors are shown with their sources, this one is not shown twice.
struct Told {
    text: String,
    error: Error,
}

impl std::error::Error for Told {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.as_db_error().map(|error| error as _)
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A `main` that returns the error shows it by this.
impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Returns `true` if the statement failed only because of concurrent ones.
pub(crate) fn is_conflict(error: &Error) -> bool {
    matches!(error.code(), Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED))
}

/// Returns `true` if the result of the statement is unknown, because the connection is lost.
pub(crate) fn is_connection_lost(error: &Error) -> bool {
    match error.code() {
        Some(code) => code.code().starts_with("08") || code.code().starts_with("57P"),
        None => is_io(error),
    }
}

/// Returns `true` for an error of the network. Errors without a source are those of a closed connection and of
/// timeouts.
fn is_io(error: &Error) -> bool {
    error.source().is_none_or(<dyn std::error::Error>::is::<io::Error>)
}

/// Returns `true` if a statement has waited too long for a lock.
pub(crate) fn is_locked(error: &LeaseError) -> bool {
    is(error, &SqlState::LOCK_NOT_AVAILABLE)
}

/// Returns `true` if the server, the database, the role or the pooler has no connection left.
pub(crate) fn has_no_connection(error: &LeaseError) -> bool {
    // PgBouncer has no code for it.
    let is_pooler = |told: &Told| {
        told.error.as_db_error().is_some_and(|error| error.message().starts_with("no more connections allowed"))
    };
    is(error, &SqlState::TOO_MANY_CONNECTIONS) || told(error).is_some_and(is_pooler)
}

/// Returns `true` for an error that passes, and has this code.
fn is(error: &LeaseError, code: &SqlState) -> bool {
    told(error).is_some_and(|told| told.error.code() == Some(code))
}

fn told(error: &LeaseError) -> Option<&Told> {
    if let LeaseError::Unreachable(error) = error { error.downcast_ref() } else { None }
}

pub(crate) fn lease_error(error: Error, schema: &dyn fmt::Display) -> LeaseError {
    let Some(db) = error.as_db_error() else {
        return if is_io(&error) { LeaseError::unreachable(error) } else { LeaseError::misconfigured(error) };
    };
    let code = db.code().clone();
    let text = format!("SQLSTATE {}: {db}", code.code());
    if is_passing(&code) {
        return LeaseError::unreachable(Told { text, error });
    }
    let advice = match &code.code()[..2] {
        "28" => "check the user, the password and pg_hba.conf".to_owned(),
        "3D" => "check the name of the database".to_owned(),
        _ if code == SqlState::INSUFFICIENT_PRIVILEGE => {
            format!("grant the role USAGE on the schema {schema}, and SELECT, INSERT, UPDATE and DELETE on its tables")
        }
        _ if is_missing(&code) => format!(
            "the tables of this version are not in the schema {schema}: call `PostgresStore::migrate` at the start, or run \
             the script that `PostgresStore::schema_sql` returns"
        ),
        _ => return LeaseError::misconfigured(Told { text, error }),
    };
    LeaseError::misconfigured(Told { text: format!("{advice}: {text}"), error })
}

/// Adds what to do if the tables may not be made.
pub(crate) fn of_migration(error: LeaseError) -> LeaseError {
    let LeaseError::Misconfigured(error) = error else { return error };
    match error.downcast::<Told>() {
        Ok(told) if told.error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            let denied = told.error.as_db_error().map(ToString::to_string).unwrap_or_default();
            let text = format!(
                "run the script that `PostgresStore::schema_sql` returns as a role that may make the tables, and grant the \
                 rights that its comments list: SQLSTATE 42501: {denied}"
            );
            LeaseError::misconfigured(Told { text, error: told.error })
        }
        Ok(told) => LeaseError::Misconfigured(told),
        Err(error) => LeaseError::Misconfigured(error),
    }
}

fn is_missing(code: &SqlState) -> bool {
    let missing = [
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_FUNCTION,
        SqlState::UNDEFINED_COLUMN,
        SqlState::INVALID_SCHEMA_NAME,
    ];
    missing.contains(code)
}

/// Returns `true` if the server is down, starts, stands by or is overloaded, so that the same statement can succeed
/// later.
fn is_passing(code: &SqlState) -> bool {
    // Connections, conflicts, resources, cancels and shutdowns, the system, internal errors.
    let classes = ["08", "40", "53", "57", "58", "XX"];
    classes.contains(&&code.code()[..2])
        || [SqlState::READ_ONLY_SQL_TRANSACTION, SqlState::LOCK_NOT_AVAILABLE].contains(code)
}
