//! What an error of the database means: whether these very values are at fault, or the moment. Invariant: a record that
//! can never be written is [`StoreError::Refused`], so that it goes to quarantine; all else is tried again.

use super::StoreError;
use sqlx::postgres::PgDatabaseError;

/// A rule of the database that a record breaks, in words.
#[derive(Debug, thiserror::Error)]
#[error("{meaning} ({rule})")]
struct Broken {
    rule: String,
    meaning: &'static str,
    source: sqlx::Error,
}

/// The named constraints of `migrations/postgres`.
const MEANINGS: [(&str, &str); 11] = [
    ("site_has_province", "a site names a province that does not exist"),
    ("gate_has_site", "a gate names a site that does not exist"),
    ("device_has_site", "a device names a site that does not exist"),
    ("camera_has_device", "a camera names a device that does not exist"),
    ("line_has_camera", "a line names a camera that does not exist"),
    ("line_has_gate", "a line names a gate that its site does not have"),
    ("entry_has_list", "an entry names a watchlist that does not exist"),
    (
        "photograph_has_entry",
        "a photograph names an entry that does not exist",
    ),
    (
        "one_bundle_version",
        "there is one version of the watchlists and no more",
    ),
    ("tally_entered", "a count of a day would become negative"),
    ("tally_departed", "a count of a day would become negative"),
];

/// Whether another process wrote the same rows at the same moment: the same batch, tried again, finds them there.
pub(super) fn is_race(error: &StoreError) -> bool {
    const UNIQUE: &str = "23505";
    const SERIALIZATION: &str = "40001";
    const DEADLOCK: &str = "40P01";
    let StoreError::Unavailable(cause) = error else {
        return false;
    };
    match cause.downcast_ref::<sqlx::Error>() {
        Some(sqlx::Error::Database(database)) => {
            let code = database.code().unwrap_or_default();
            database.try_downcast_ref::<PgDatabaseError>().is_some()
                && [UNIQUE, SERIALIZATION, DEADLOCK].contains(&&*code)
        }
        _ => false,
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let refused = match &error {
            sqlx::Error::ColumnDecode { .. } => {
                return Self::Row {
                    what: "column",
                    cause: error.into(),
                };
            }
            sqlx::Error::Database(database) => {
                let code = database.code().unwrap_or_default();
                match database.try_downcast_ref::<PgDatabaseError>() {
                    Some(_) => postgres_refuses(&code),
                    None => sqlite_refuses(&code),
                }
            }
            _ => false,
        };
        if !refused {
            return Self::Unavailable(error.into());
        }
        let rule = error.as_database_error().and_then(|database| database.constraint());
        let meaning = rule.and_then(|rule| MEANINGS.iter().find(|(name, _)| *name == rule));
        match meaning {
            Some((rule, meaning)) => Self::Refused(
                Broken {
                    rule: (*rule).into(),
                    meaning,
                    source: error,
                }
                .into(),
            ),
            None => Self::Refused(error.into()),
        }
    }
}

/// Primary result codes: too big, constraint, mismatch.
fn sqlite_refuses(code: &str) -> bool {
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 18..=20))
}

/// Classes 22 (data exception) and 23 (integrity), but for a row that another process wrote first.
fn postgres_refuses(code: &str) -> bool {
    (code.starts_with("22") || code.starts_with("23")) && code != "23505"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_tell_the_values_from_the_moment() {
        // SQLITE_CONSTRAINT_FOREIGNKEY, SQLITE_TOOBIG; SQLITE_FULL, SQLITE_BUSY, SQLITE_IOERR_WRITE.
        for (code, refused) in [("787", true), ("18", true), ("13", false), ("5", false), ("778", false)] {
            assert_eq!(sqlite_refuses(code), refused, "{code}");
        }
        // NUL in a text, foreign key, check; unique, deadlock, disk full, shutting down.
        let postgres = [
            ("22021", true),
            ("23503", true),
            ("23514", true),
            ("23505", false),
            ("40P01", false),
        ];
        for (code, refused) in postgres.into_iter().chain([("53100", false), ("57P01", false)]) {
            assert_eq!(postgres_refuses(code), refused, "{code}");
        }
    }
}
