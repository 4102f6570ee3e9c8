//! The pictures of alerts, as files by the day of their alert. Invariant: a file under its final name is whole and on
//! the disk. A picture is personal data and is deleted when its time is over.

use crate::domain::{LocalDay, now_ms};
use crate::store::{Store, StoreError};
use image::ImageReader;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use vong_wire::EventId;

/// A crop of an alert is some 20 to 200 KB.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Larger pictures would not be of a camera.
const MOST_SIDE_PX: u32 = 8_192;
const DELETE_AT_ONCE: u32 = 200;
/// Pictures that wait for the disk at the same time.
const WRITERS: usize = 8;

/// Why a picture cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot write evidence `{path}`: {cause}; check that the disk is there, writable and not full")]
pub struct EvidenceError {
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub cause: std::io::Error,
}

/// Why bytes are no picture of an alert.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceFault {
    /// Too large.
    #[error("picture of {0} bytes is larger than {MOST_BYTES}")]
    TooLarge(usize),
    /// No JPEG.
    #[error("no readable JPEG")]
    NotJpeg,
    /// Dimensions that no camera has.
    #[error("picture of {0}x{1} pixels is larger than {MOST_SIDE_PX} a side")]
    Dimensions(u32, u32),
}

/// The folder of the pictures.
#[derive(Debug, Clone)]
pub struct EvidenceFolder {
    folder: PathBuf,
}

impl EvidenceFolder {
    /// Makes the folder and tries whether it can be written.
    pub fn open(folder: &Path) -> Result<Self, EvidenceError> {
        let this = Self {
            folder: folder.to_path_buf(),
        };
        let trial = "trial.part";
        this.write(trial, b"").map(|()| this.remove(trial))?;
        Ok(this)
    }

    /// Where the picture of an alert lies, below the folder. It depends on the id alone, so that a picture that comes
    /// again lands in the same file.
    pub fn file_of(alert: EventId) -> String {
        let made = alert.0.get_timestamp().map_or((0, 0), |time| time.to_unix());
        let day = LocalDay::of((made.0 as i64).saturating_mul(1_000));
        format!("{}/{alert}.jpg", day.0)
    }

    /// Whether bytes are a picture of an alert; only the header is read.
    pub fn check(jpeg: &[u8]) -> Result<(), EvidenceFault> {
        if jpeg.len() > MOST_BYTES {
            return Err(EvidenceFault::TooLarge(jpeg.len()));
        }
        let reader = ImageReader::with_format(Cursor::new(jpeg), image::ImageFormat::Jpeg);
        let (width, height) = reader.into_dimensions().map_err(|_| EvidenceFault::NotJpeg)?;
        if width.max(height) > MOST_SIDE_PX {
            return Err(EvidenceFault::Dimensions(width, height));
        }
        Ok(())
    }

    /// Writes a picture: to a temporary file, to the disk, then under its name.
    pub fn write(&self, file: &str, jpeg: &[u8]) -> Result<(), EvidenceError> {
        let path = self.folder.join(file);
        let failed = |cause| EvidenceError {
            path: path.clone(),
            cause,
        };
        let parent = path.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(parent).map_err(failed)?;
        // Offices that share a folder may be handed the same picture at the same moment.
        let part = path.with_extension(format!("{}.part", uuid::Uuid::new_v4().simple()));
        let written = write_whole(&part, jpeg).and_then(|()| std::fs::rename(&part, &path));
        if written.is_err() {
            // Half a file is worthless; where even that fails the next attempt overwrites it.
            let _ = std::fs::remove_file(&part);
        }
        written.map_err(failed)
    }

    /// Writes pictures, several at a time: a file system flushes them together.
    pub fn write_all(&self, pictures: &[(String, bytes::Bytes)]) -> Result<(), EvidenceError> {
        let write = |part: &[(String, bytes::Bytes)]| part.iter().try_for_each(|(file, jpeg)| self.write(file, jpeg));
        let mut parts = pictures.chunks(pictures.len().div_ceil(WRITERS).max(1));
        let first = parts.next().unwrap_or_default();
        std::thread::scope(|scope| {
            let others: Vec<_> = parts.map(|part| scope.spawn(move || write(part))).collect();
            let own = write(first);
            let written = others
                .into_iter()
                .map(|other| other.join().expect("writing never panics"));
            written.fold(own, Result::and)
        })
    }

    /// Reads a picture.
    pub fn read(&self, file: &str) -> std::io::Result<Vec<u8>> {
        std::fs::read(self.folder.join(file))
    }

    fn remove(&self, file: &str) {
        // A file that is gone already is what was wanted; another failure shows at the next attempt.
        let _ = std::fs::remove_file(self.folder.join(file));
    }

    /// Deletes pictures that came before a moment; how many.
    pub async fn delete_before(&self, store: &dyn Store, before_ms: i64) -> Result<usize, StoreError> {
        let mut deleted = 0;
        loop {
            let old = store.evidence_before(before_ms, DELETE_AT_ONCE).await?;
            if old.is_empty() {
                return Ok(deleted);
            }
            let folder = self.clone();
            let files: Vec<String> = old.iter().map(|row| row.file.clone()).collect();
            let removed = tokio::task::spawn_blocking(move || files.iter().for_each(|file| folder.remove(file)));
            removed.await.map_err(|cause| StoreError::Unavailable(cause.into()))?;
            let alerts: Vec<EventId> = old.iter().map(|row| row.alert).collect();
            store.evidence_deleted(&alerts).await?;
            deleted += alerts.len();
        }
    }

    /// Deletes what is older than so many days.
    pub async fn delete_older(&self, store: &dyn Store, keep_days: u32) -> Result<usize, StoreError> {
        self.delete_before(store, now_ms() - i64::from(keep_days) * 86_400_000)
            .await
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg() -> Vec<u8> {
        let mut bytes = Vec::new();
        let picture = image::RgbImage::from_pixel(16, 8, image::Rgb([9, 9, 9]));
        picture
            .write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Jpeg)
            .unwrap();
        bytes
    }

    #[test]
    fn only_pictures_are_taken() {
        let good = jpeg();
        assert_eq!(EvidenceFolder::check(&good), Ok(()));
        let cases: [(&[u8], EvidenceFault); 4] = [
            (b"", EvidenceFault::NotJpeg),
            (b"\xff\xd8\xff", EvidenceFault::NotJpeg),
            (b"\x89PNG\r\n\x1a\n", EvidenceFault::NotJpeg),
            (&vec![0; MOST_BYTES + 1], EvidenceFault::TooLarge(MOST_BYTES + 1)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(EvidenceFolder::check(bytes), Err(expected));
        }
    }

    #[test]
    fn a_picture_is_whole_or_not_there() {
        let root = tempfile::tempdir().unwrap();
        let folder = EvidenceFolder::open(&root.path().join("evidence")).unwrap();
        let alert = EventId::generate();
        let file = EvidenceFolder::file_of(alert);
        assert_eq!(file, EvidenceFolder::file_of(alert));
        folder.write(&file, &jpeg()).unwrap();
        folder.write(&file, &jpeg()).unwrap();
        assert_eq!(folder.read(&file).unwrap(), jpeg());
        let day = root.path().join("evidence").join(&file);
        let beside: Vec<_> = std::fs::read_dir(day.parent().unwrap()).unwrap().collect();
        assert_eq!(beside.len(), 1, "a temporary file was left");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let root = tempfile::tempdir().unwrap();
        let taken = root.path().join("evidence");
        std::fs::write(&taken, "a file stands in the way").unwrap();
        let error = EvidenceFolder::open(&taken).unwrap_err().to_string();
        assert!(error.contains("evidence") && error.contains("disk"), "{error}");
    }
}
