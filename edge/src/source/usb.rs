//! Pictures of a USB camera, through nokhwa. Invariant: a camera that is pulled out is looked for again, after growing
//! and jittered waits.

use super::child::wait;
use super::{Frame, Next, Source, SourceError, SourceOptions};
use crate::clock::Clock;
use crate::publish::Backoff;
use image::RgbImage;
use nokhwa::Camera;
use nokhwa::pixel_format::RgbFormat;
use nokhwa::utils::{CameraIndex, RequestedFormat, RequestedFormatType};
use std::sync::Arc;
use std::time::{Duration, Instant};
use vong_wire::{Trouble, UnixMs};

/// A USB camera. The stop of its options is seen between frames.
pub struct UsbSource {
    camera: String,
    number: u32,
    options: SourceOptions,
    clock: Arc<dyn Clock>,
    device: Option<Camera>,
    backoff: Backoff,
    retry_at: Option<Instant>,
    first_ms: Option<UnixMs>,
    last_ms: UnixMs,
    seq: u64,
    cut: bool,
}

impl UsbSource {
    /// A camera by its id and the number that the system gives it. Opened when the first frame is asked for.
    pub fn new(camera: &str, number: u32, options: SourceOptions, clock: Arc<dyn Clock>) -> Self {
        Self {
            camera: camera.to_owned(),
            number,
            options,
            clock,
            device: None,
            backoff: Backoff::default(),
            retry_at: None,
            first_ms: None,
            last_ms: 0,
            seq: 0,
            cut: false,
        }
    }

    fn grab(&mut self, image: &mut RgbImage) -> Result<(), nokhwa::NokhwaError> {
        let device = match &mut self.device {
            Some(device) => device,
            none => {
                let format = RequestedFormat::new::<RgbFormat>(RequestedFormatType::AbsoluteHighestFrameRate);
                let mut device = Camera::new(CameraIndex::Index(self.number), format)?;
                device.open_stream()?;
                none.insert(device)
            }
        };
        let buffer = device.frame()?;
        let (width, height) = (buffer.resolution().width(), buffer.resolution().height());
        if (image.width(), image.height()) != (width, height) {
            *image = RgbImage::new(width, height);
        }
        buffer.decode_image_to_buffer::<RgbFormat>(image)?;
        if let Some([left, top, right, bottom]) = self.options.region.map(|region| region.sides()) {
            let px = |share: f32, of: u32| (share * of as f32).round() as u32;
            let (x, y) = (px(left, width), px(top, height));
            let (right, bottom) = (px(right, width).max(x + 1), px(bottom, height).max(y + 1));
            *image = image::imageops::crop_imm(image, x, y, right - x, bottom - y).to_image();
        }
        Ok(())
    }
}

impl Source for UsbSource {
    fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError> {
        if let Some(retry_at) = self.retry_at.take()
            && !wait(&self.options.stop, retry_at)
        {
            return Ok(Next::Ended);
        }
        let least_gap_ms = self.options.max_fps.map_or(0, |fps| (950.0 / fps.max(0.01)) as UnixMs);
        loop {
            if self.options.stop.is_cancelled() {
                self.device = None;
                return Ok(Next::Ended);
            }
            if self.device.is_none() && std::mem::take(&mut self.cut) {
                return Ok(Next::Cut);
            }
            frame.planes.clear();
            if let Err(cause) = self.grab(&mut frame.image) {
                tracing::debug!(camera = self.camera, %cause, "the USB camera fails");
                self.device = None;
                self.cut = self.seq > 0;
                self.retry_at = Some(Instant::now() + self.backoff.next(&mut rand::rng()).max(Duration::from_secs(1)));
                return Ok(Next::Lost(SourceError::Lost {
                    camera: self.camera.clone(),
                    trouble: if self.seq == 0 {
                        Trouble::NoUsb
                    } else {
                        Trouble::NoFrames
                    },
                }));
            }
            let now_ms = self.clock.now_ms().max(self.last_ms + 1);
            if self.seq == 0 || now_ms - self.last_ms >= least_gap_ms {
                self.last_ms = now_ms;
                break;
            }
        }
        self.backoff.reset();
        let first_ms = *self.first_ms.get_or_insert(self.last_ms);
        frame.at_ms = self.last_ms;
        frame.at_s = (self.last_ms - first_ms) as f64 / 1e3;
        frame.seq = self.seq;
        self.seq += 1;
        Ok(Next::Frame)
    }
}
