//! A line a step.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::Row;
use crate::io::{IoError, write_atomically};

/// The first line.
const HEADER: &str = "step,epoch,loss,lr,gradient_norm,seconds,validation";

/// A CSV file to which rows are appended, each of which reaches the file system at once.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
}

/// Why a log cannot be continued.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// What the file system says.
    #[error(transparent)]
    Io(#[from] IoError),
    /// A file that is something else, which is left alone.
    #[error("`{}` is not the log of a training: it does not begin with `{HEADER}`", .0.display())]
    Foreign(PathBuf),
    /// A line that is no row.
    #[error("line {line} of `{}` is not a row of a log", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
    },
}

impl Log {
    /// Begins a log, in the place of what has that name.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn create(path: &Path) -> Result<Self, LogError> {
        Self::with(path, &[])
    }

    /// Continues a log after so many steps; also gives the rows up to there. Rows after that are dropped, since those steps
    /// are done again; so is a last line that was not written to its end. A log that is not there is begun.
    ///
    /// # Errors
    ///
    /// If the file is not a log, or cannot be read or written.
    pub fn resume(path: &Path, steps: u64) -> Result<(Self, Vec<Row>), LogError> {
        let text = match fs::read(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(IoError::from(e).in_file(path).into()),
        };
        let mut rows = parse(path, &text)?;
        rows.retain(|row| row.step <= steps);
        Ok((Self::with(path, &rows)?, rows))
    }

    /// Appends a row.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn append(&mut self, row: &Row) -> Result<(), LogError> {
        let written = self.file.write_all(line(row).as_bytes());
        written.map_err(|e| IoError::from(e).in_file(&self.path).into())
    }

    fn with(path: &Path, rows: &[Row]) -> Result<Self, LogError> {
        write_atomically(path, |file| {
            writeln!(file, "{HEADER}")?;
            Ok(rows.iter().try_for_each(|row| file.write_all(line(row).as_bytes()))?)
        })?;
        let file = File::options().append(true).open(path).map_err(|e| IoError::from(e).in_file(path))?;
        Ok(Self { path: path.to_owned(), file })
    }
}

/// A row as a line: numbers in the fewest digits that give them back.
fn line(row: &Row) -> String {
    let Row { step, epoch, loss, lr, gradient_norm, seconds, validation } = row;
    let mut line = format!("{step},{epoch},{loss},{lr},{gradient_norm},{seconds:.3},");
    if let Some(validation) = validation {
        // Writing to a string does not fail.
        let _ = write!(line, "{validation}");
    }
    line.push('\n');
    line
}

fn parse(path: &Path, text: &str) -> Result<Vec<Row>, LogError> {
    let Some((header, body)) = text.split_once('\n') else {
        // No file, or one that was never written.
        return if HEADER.starts_with(text) {
            Ok(Vec::new())
        } else {
            Err(LogError::Foreign(path.to_owned()))
        };
    };
    if header.trim_end() != HEADER {
        return Err(LogError::Foreign(path.to_owned()));
    }
    // What follows the last end of a line was not written to its end.
    let whole = body.rfind('\n').map_or("", |end| &body[..end]);
    let row = |(i, line)| row(line).ok_or_else(|| LogError::Line { path: path.to_owned(), line: i + 2 });
    whole.lines().enumerate().map(row).collect()
}

fn row(line: &str) -> Option<Row> {
    let fields: Vec<&str> = line.trim_end().split(',').collect();
    let [step, epoch, loss, lr, gradient_norm, seconds, validation] = fields[..] else { return None };
    let validation = if validation.is_empty() { None } else { Some(validation.parse().ok()?) };
    Some(Row {
        step: step.parse().ok()?,
        epoch: epoch.parse().ok()?,
        loss: loss.parse().ok()?,
        lr: lr.parse().ok()?,
        gradient_norm: gradient_norm.parse().ok()?,
        seconds: seconds.parse().ok()?,
        validation,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row_of(step: u64) -> Row {
        let loss = 1.0 / (step as f32 + 0.3);
        let validation = step.is_multiple_of(4).then_some(loss * 1.1);
        Row {
            step,
            epoch: step / 3,
            loss,
            lr: 1e-3 / 7.0,
            gradient_norm: 0.1 + 0.2,
            seconds: 0.25,
            validation,
        }
    }

    #[test]
    fn rows_read_back() {
        for case in [
            row_of(3),
            row_of(4),
            Row { loss: f32::INFINITY, gradient_norm: f64::NEG_INFINITY, ..row_of(u64::MAX) },
        ] {
            assert_eq!(row(line(&case).trim_end()), Some(case));
        }
        let nan = row(line(&Row { loss: f32::NAN, ..row_of(1) }).trim_end()).unwrap();
        assert!(nan.loss.is_nan());
        assert_eq!(
            line(&row_of(4)),
            "4,1,0.23255813,0.00014285714285714287,0.30000000000000004,0.250,0.25581396\n"
        );
    }

    #[test]
    fn a_log_is_continued_from_the_step_of_the_checkpoint() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.csv");
        let mut log = Log::create(&path).unwrap();
        (1..=9).for_each(|step| log.append(&row_of(step)).unwrap());
        let whole = fs::read_to_string(&path).unwrap();
        // Killed in the middle of a line.
        fs::write(&path, format!("{whole}10,3,0.")).unwrap();
        let (mut log, rows) = Log::resume(&path, 6).unwrap();
        assert_eq!(rows, (1..=6).map(row_of).collect::<Vec<_>>());
        (7..=9).for_each(|step| log.append(&row_of(step)).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), whole);
        assert_eq!(Log::resume(&path, 100).unwrap().1.len(), 9);
        assert_eq!(fs::read_to_string(&path).unwrap(), whole);
    }

    #[test]
    fn a_log_that_is_not_there_is_begun() {
        let directory = tempfile::tempdir().unwrap();
        for text in
            [None, Some(""), Some("step,epo"), Some(&format!("{HEADER}\n")), Some(&format!("{HEADER}\n1,"))]
        {
            let path = directory.path().join("log.csv");
            if let Some(text) = text {
                fs::write(&path, text).unwrap();
            }
            assert!(Log::resume(&path, 3).unwrap().1.is_empty());
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{HEADER}\n"));
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn other_files_are_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.csv");
        let error = |text: &str| {
            fs::write(&path, text).unwrap();
            let error = Log::resume(&path, 3).unwrap_err().to_string();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            error.replace(&format!("{}/", directory.path().display()), "")
        };
        let foreign = format!("`log.csv` is not the log of a training: it does not begin with `{HEADER}`");
        assert_eq!(error("a,b\n1,2\n"), foreign);
        assert_eq!(error("abc"), foreign);
        let row = line(&row_of(1));
        assert_eq!(
            error(&format!("{HEADER}\n{row}1,2,x,4,5,6,\n{row}")),
            "line 3 of `log.csv` is not a row of a log"
        );
        assert_eq!(error(&format!("{HEADER}\n\n{row}")), "line 2 of `log.csv` is not a row of a log");
    }
}
