//! Which telling of a minute its uncertainty belongs to. One text for both databases.

/// Sets a column of a minute's uncertainty: it goes with the later telling, which saw more crossings of the line, or as many
/// and more of the minute; of the same telling again the first stands.
macro_rules! of_later_telling {
    ($column:literal) => {
        concat!(
            $column,
            " = CASE WHEN (excluded.total_in + excluded.total_out, excluded.coverage)",
            " > (old.total_in + old.total_out, old.coverage)",
            " THEN excluded.",
            $column,
            " ELSE old.",
            $column,
            " END"
        )
    };
}
pub(super) use of_later_telling;
