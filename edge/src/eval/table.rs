//! Tables of truth: CSV in UTF-8, the columns in any order, more of them allowed, with or without a byte-order mark.
//! Invariant: a table that cannot be used whole is refused with its file, the line and the remedy; no row is passed over.

use anyhow::{Context, bail, ensure};
use std::path::{Path, PathBuf};

/// A table, read whole.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    head: Vec<String>,
    rows: Vec<Row>,
}

/// A row with its place in the file.
#[derive(Debug)]
pub struct Row {
    /// Line of the file, from 1.
    pub line: u64,
    values: csv::StringRecord,
}

impl Row {
    /// The value of a column; empty where the row ends before it.
    pub fn get(&self, column: usize) -> &str {
        self.values.get(column).unwrap_or_default()
    }
}

impl Table {
    /// Reads a table that must have these columns.
    ///
    /// # Errors
    /// When the file cannot be read, is no such table or has no row.
    pub fn read(path: &Path, columns: &[&str]) -> anyhow::Result<Self> {
        let wanted = columns.join(",");
        let shown = path.display();
        let bytes = std::fs::read(path)
            .with_context(|| format!("cannot read table `{shown}`; name an existing file with the columns {wanted}"))?;
        let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
        let empty = text.iter().all(u8::is_ascii_whitespace);
        ensure!(
            !empty,
            "table `{shown}` is empty; its first line names the columns {wanted}"
        );
        if let Err(fault) = std::str::from_utf8(text) {
            let line = 1 + text[..fault.valid_up_to()]
                .iter()
                .filter(|&&byte| byte == b'\n')
                .count();
            bail!("table `{shown}`, line {line}: is no UTF-8; save the table as CSV in UTF-8");
        }
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text);
        let no_csv = || format!("table `{shown}`: is no CSV; save it with commas between the values");
        let head: Vec<String> = reader
            .headers()
            .with_context(no_csv)?
            .iter()
            .map(String::from)
            .collect();
        for (at, column) in head.iter().enumerate() {
            let twice = !column.is_empty() && head[..at].contains(column);
            ensure!(
                !twice,
                "table `{shown}`, line 1: column `{column}` stands there twice; leave one"
            );
        }
        let mut place = (0, 1);
        let table = Self {
            path: path.to_owned(),
            rows: reader
                .records()
                .map(|record| {
                    let values = record.with_context(no_csv)?;
                    let begins = values.position().map_or(0, |position| position.byte() as usize);
                    place = line_of(text, place, begins);
                    Ok(Row { line: place.1, values })
                })
                .collect::<anyhow::Result<_>>()?,
            head,
        };
        for column in columns {
            table.needed(column, &wanted)?;
        }
        ensure!(
            !table.rows.is_empty(),
            "table `{shown}` has no rows; give at least one below {wanted}"
        );
        for row in &table.rows {
            // No value of these tables has more than one line: here a quote was opened and never closed.
            if row.values.iter().any(|value| value.contains('\n')) {
                bail!(
                    "{}: a value goes on in the next line; close its quote",
                    table.place(row)
                );
            }
            let (has, needs) = (row.values.len(), table.head.len());
            if has > needs {
                bail!(
                    "{}: {has} values for {needs} columns; put a value with a comma in quotes",
                    table.place(row)
                );
            }
        }
        Ok(table)
    }

    /// The rows, in order.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Names of the columns.
    pub fn head(&self) -> &[String] {
        &self.head
    }

    /// Where a column stands.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.head.iter().position(|known| known == name)
    }

    /// What a complaint about a row begins with.
    pub fn place(&self, row: &Row) -> String {
        format!("table `{}`, line {}", self.path.display(), row.line)
    }

    fn needed(&self, name: &str, all: &str) -> anyhow::Result<usize> {
        self.column(name).with_context(|| {
            format!(
                "table `{}`, line 1: no column `{name}`, but `{}`; the columns are {all}",
                self.path.display(),
                self.head.join(",").chars().take(80).collect::<String>()
            )
        })
    }

    /// The value of a column that must not be empty.
    pub fn value<'r>(&self, row: &'r Row, column: &str) -> anyhow::Result<&'r str> {
        let value = row.get(self.needed(column, column)?);
        ensure!(
            !value.is_empty(),
            "{}: no value for `{column}`; fill it in",
            self.place(row)
        );
        Ok(value)
    }

    /// Refuses a row that names a picture which is not there.
    pub fn there(&self, row: &Row, images: &Path, file: &str) -> anyhow::Result<()> {
        let (place, folder) = (self.place(row), images.display());
        ensure!(
            images.join(file).is_file(),
            "{place}: names `{file}`, which is not in `{folder}`; correct the table or add the picture"
        );
        Ok(())
    }
}

/// The place and line of the first text from `begins` on, counted from an earlier place: a record's position is told before
/// the empty lines that lie before it.
fn line_of(text: &[u8], (at, line): (usize, u64), begins: usize) -> (usize, u64) {
    let empty = text[begins..]
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count();
    let newlines = text[at..begins + empty].iter().filter(|&&byte| byte == b'\n').count();
    (begins + empty, line + newlines as u64)
}

/// Reads a table with these columns, none of whose values may be empty; `check` says what is wrong with a row.
///
/// # Errors
/// When the file cannot be read, a column or value is missing or a row is wrong; the text names the file and the line.
pub fn read_table<const N: usize>(
    path: &Path,
    columns: [&str; N],
    check: impl Fn(&[String; N]) -> Result<(), String>,
) -> anyhow::Result<Vec<[String; N]>> {
    let table = Table::read(path, &columns)?;
    let mut rows = Vec::new();
    for row in table.rows() {
        let mut values = std::array::from_fn(|_| String::new());
        for (value, column) in values.iter_mut().zip(columns) {
            *value = table.value(row, column)?.to_owned();
        }
        if let Err(wrong) = check(&values) {
            bail!("{}: {wrong}", table.place(row));
        }
        rows.push(values);
    }
    Ok(rows)
}

/// Refuses a folder of pictures that is not there.
///
/// # Errors
/// When it is no folder.
pub fn folder_there(images: &Path) -> anyhow::Result<()> {
    let shown = images.display();
    ensure!(
        images.is_dir(),
        "`{shown}` is no folder; --images names the folder of the pictures"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: impl AsRef<[u8]>, expected: Result<usize, &str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.csv");
        let text = text.as_ref();
        let shown = String::from_utf8_lossy(text);
        std::fs::write(&path, text).unwrap();
        match (read_table(&path, ["a", "b", "same"], |_| Ok(())), expected) {
            (Ok(rows), Ok(count)) => assert_eq!(rows.len(), count, "{shown:?}"),
            (Err(error), Err(part)) => {
                let said = format!("{error:#}");
                assert!(
                    said.contains("pairs.csv") && said.contains(part) && !said.contains('\n'),
                    "{said:?} does not say {part:?}"
                );
            }
            (got, expected) => panic!("{shown:?}: {got:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn tables_are_read_or_refused_with_their_place() {
        check("a,b,same\nx,y,1\n", Ok(1));
        check("\u{feff}same,b,more,a\r\n1,y,z,x\r\n0,y,z,x\r\n", Ok(2));
        check("a,b,same\n\nx,y,1\n\n\nx,z,0", Ok(2));
        check("\u{feff}a,b,same\n\"x,1\",y,1\n", Ok(1));
        check("a,b\nx,y\n", Err("line 1: no column `same`"));
        check("a;b;same\nx;y;1\n", Err("no column `a`, but `a;b;same`"));
        check("x,y,1\nx,z,0\n", Err("the columns are a,b,same"));
        check("a,b,same\nx,y,1\nx,,0\n", Err("line 3: no value for `b`"));
        check("a,b,same\n\nx,y\n", Err("line 3: no value for `same`"));
        check("a,b,same\r\n\r\nx,y,1\r\n\r\nx,,1", Err("line 5: no value for `b`"));
        check(
            "a,b,same\nx,y,1\n\"x,y,1\nx,z,0\n",
            Err("line 3: a value goes on in the next line"),
        );
        check("a,b,same,b\nx,y,1,z\n", Err("line 1: column `b` stands there twice"));
        check("a,b,same\nx,y,1,2\n", Err("line 2: 4 values for 3 columns"));
        check("a,b,same\n", Err("no rows"));
        check("", Err("is empty"));
        check("\u{feff}\r\n", Err("is empty"));
        check(b"a,b,same\nx,\xff,1\n", Err("line 2: is no UTF-8"));
        check(b"\xff\xfea\0,\0b\0", Err("line 1: is no UTF-8"));
        let missing = read_table(Path::new("nowhere/pairs.csv"), ["a"], |_| Ok(())).unwrap_err();
        assert!(missing.to_string().contains("nowhere/pairs.csv"));
    }
}
