//! Frames into a clip, by an `ffmpeg` child. Invariant: a clip appears under its name only when it is whole.

use anyhow::{Context, Result, bail, ensure};
use image::RgbImage;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::JoinHandle;

/// A clip being written.
pub struct Clip {
    child: Child,
    frames: Option<ChildStdin>,
    words: Option<JoinHandle<String>>,
    part: PathBuf,
    path: PathBuf,
    size: (u32, u32),
}

impl Clip {
    /// Begins a clip of this size.
    pub fn create(path: &Path, size: (u32, u32), fps: u32) -> Result<Self> {
        let part = path.with_extension("part.mp4");
        let codec: &[&str] = if has_encoder("libx264")? {
            &["libx264", "-preset", "veryfast", "-crf", "17"]
        } else {
            &["mpeg4", "-q:v", "2"]
        };
        let mut child = Command::new("ffmpeg")
            .args([
                "-hide_banner",
                "-loglevel",
                "error",
                "-y",
                "-f",
                "rawvideo",
                "-pix_fmt",
                "rgb24",
            ])
            .args([
                "-s",
                &format!("{}x{}", size.0, size.1),
                "-r",
                &fps.to_string(),
                "-i",
                "-",
                "-c:v",
            ])
            .args(codec)
            // One thread, so that the bytes do not depend on the number of cores.
            .args(["-threads", "1", "-pix_fmt", "yuv420p", "-movflags", "+faststart"])
            .arg(&part)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start ffmpeg; install it with `apt-get install ffmpeg`")?;
        let mut stderr = child.stderr.take().context("ffmpeg has no error stream")?;
        let words = std::thread::spawn(move || {
            let mut words = String::new();
            // What cannot be read is no reason to fail: the exit status tells.
            let _ = stderr.read_to_string(&mut words);
            words
        });
        let frames = child.stdin.take();
        Ok(Self {
            child,
            frames,
            words: Some(words),
            part,
            path: path.to_path_buf(),
            size,
        })
    }

    /// Appends a frame.
    pub fn frame(&mut self, picture: &RgbImage) -> Result<()> {
        ensure!(picture.dimensions() == self.size, "a frame has the wrong size");
        let frames = self.frames.as_mut().context("the clip is finished")?;
        if frames.write_all(picture.as_raw()).is_err() {
            return self.fail();
        }
        Ok(())
    }

    /// Ends the clip and gives it its name.
    pub fn finish(mut self) -> Result<()> {
        drop(self.frames.take());
        if !self.child.wait()?.success() {
            return self.fail();
        }
        std::fs::rename(&self.part, &self.path).with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn fail(&mut self) -> Result<()> {
        drop(self.frames.take());
        let status = self.child.wait()?;
        let words = self
            .words
            .take()
            .and_then(|words| words.join().ok())
            .unwrap_or_default();
        let last = words.lines().last().unwrap_or("it said nothing").to_string();
        bail!(
            "ffmpeg could not write `{}` ({status}): {last}; is the disk full?",
            self.path.display()
        )
    }
}

impl Drop for Clip {
    fn drop(&mut self) {
        // After a failure on our side the child still waits for frames.
        drop(self.frames.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.part);
    }
}

fn has_encoder(name: &str) -> Result<bool> {
    let list = Command::new("ffmpeg")
        .args(["-hide_banner", "-encoders"])
        .stdin(Stdio::null())
        .output()
        .context("cannot start ffmpeg; install it with `apt-get install ffmpeg`")?;
    Ok(String::from_utf8_lossy(&list.stdout).contains(name))
}
