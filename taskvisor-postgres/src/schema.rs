//! The tables and functions in the database, and their names.

use std::fmt;

/// The version of the tables and functions that this crate calls.
pub(crate) const VERSION: i32 = 1;

const TABLES: &str = include_str!("schema.sql");

/// The greatest length of an identifier of PostgreSQL, in bytes.
const MAX_IDENTIFIER: usize = 63;

/// The name of the schema, which is the name of the channel for `NOTIFY` too.
#[derive(Debug, Clone)]
pub(crate) struct Schema {
    name: String,
}

impl Schema {
    pub(crate) fn new(name: &str) -> Self {
        let is_valid = !name.is_empty() && name.len() <= MAX_IDENTIFIER && !name.contains('\0');
        assert!(is_valid, "{name:?} cannot be the name of a schema: expected 1 to {MAX_IDENTIFIER} bytes without NUL");
        Self { name: name.to_owned() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the statements that make the tables and functions. Sent as one text, they are one transaction.
    pub(crate) fn tables(&self) -> String {
        // A lock until the end of the transaction, because `IF NOT EXISTS` fails if two transactions create the same
        // table at once.
        let lock = format!("SELECT pg_advisory_xact_lock({LOCK});\n");
        lock + &TABLES.replace("{schema}", &self.to_string())
    }

    pub(crate) fn create(&self) -> String {
        format!("CREATE SCHEMA IF NOT EXISTS {self};\n")
    }

    /// Returns the schema, tables and functions as a script for `psql`.
    pub(crate) fn script(&self) -> String {
        let (create, tables) = (self.create(), self.tables());
        let (lock, tables) = tables.split_once('\n').unwrap_or_default();
        // In a comment, a line break would end it.
        let commented: String =
            self.to_string().chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
        format!(
            "-- taskvisor-postgres, version {VERSION} of the tables. It can be run again, and while the tables are in \
             use.\n-- The role of the service needs:\n--   GRANT USAGE ON SCHEMA {commented} TO role;\n--   GRANT SELECT, \
             INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {commented} TO role;\nBEGIN;\n{lock}\n{create}\n{tables}COMMIT;\n"
        )
    }
}

/// The key of the lock of migrations: the bytes of "taskviso" as a number.
const LOCK: i64 = i64::from_be_bytes(*b"taskviso");

/// Formats the name as a quoted identifier.
impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.name.replace('"', "\"\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted() {
        assert_eq!(Schema::new("a\"; DROP TABLE x; --").to_string(), "\"a\"\"; DROP TABLE x; --\"");
    }

    #[test]
    fn a_line_break_in_a_name_ends_no_comment_of_the_script() {
        let script = Schema::new("new\nDROP TABLE x;").script();
        let (comments, statements) = script.split_once("BEGIN;\n").unwrap();
        assert!(comments.lines().all(|line| line.starts_with("--")), "{comments}");
        assert!(statements.contains("CREATE SCHEMA IF NOT EXISTS \"new\nDROP TABLE x;\";"), "{statements}");
    }

    #[test]
    #[should_panic(expected = "cannot be the name of a schema")]
    fn a_name_that_postgres_would_cut_is_refused() {
        Schema::new(&"x".repeat(64));
    }

    #[test]
    fn the_script_is_one_transaction_that_says_what_to_grant() {
        let script = Schema::new("jobs").script();
        assert!(script.contains("GRANT USAGE ON SCHEMA \"jobs\" TO role;"));
        assert_eq!((script.matches("BEGIN;\n").count(), script.matches("COMMIT;\n").count()), (1, 1));
        assert!(!script.contains("{schema}"));
    }
}
