//! Values as whole numbers of steps. Invariant: no number is beyond the greatest that was asked for, and what is said to be
//! lost is the length of all that is lost, by rounding and by values beyond the last step.

use super::scan::LANES;

/// To add it leaves no room for a fraction: 1.5 * 2^23. Unlike a call of `round`, this is done for many values at once.
const TO_WHOLE: f32 = 12_582_912.0;
/// Shares of the widest step that are tried.
const SHARES: [f32; 4] = [1.0, 0.9, 0.8, 0.7];

/// The value of one step and the length of what is lost by it.
pub(super) type Stepped = (f32, f32);

/// Writes the values as whole numbers of steps from -`most` to `most`.
#[inline(always)]
pub(super) fn stepped(values: &[f32], most: f32, numbers: &mut [i8]) -> Stepped {
    let step = widest(values, most);
    write(values, most, step, numbers);
    (step, lost(values, most, step))
}

/// The same with the step that loses least: a few values beyond the last step cost less than long steps for all.
pub(super) fn stepped_best(values: &[f32], most: f32, numbers: &mut [i8]) -> Stepped {
    let widest = widest(values, most);
    let (mut step, mut least) = (widest, f32::INFINITY);
    for share in SHARES {
        let lost = lost(values, most, widest * share);
        if lost < least {
            (step, least) = (widest * share, lost);
        }
    }
    write(values, most, step, numbers);
    (step, lost(values, most, step))
}

/// The length of a vector.
#[inline(always)]
pub(super) fn length(values: &[f32]) -> f32 {
    let squares = folded(values, 0.0, |sum: f64, value| sum + f64::from(value).powi(2));
    squares.iter().sum::<f64>().sqrt() as f32
}

/// A step that leaves no value beyond the last.
#[inline(always)]
fn widest(values: &[f32], most: f32) -> f32 {
    let greatest = folded(values, 0.0, |top: f32, value| top.max(value.abs()));
    // Never nought, by which nothing can be divided.
    (greatest.into_iter().fold(0.0, f32::max) / most).max(f32::MIN_POSITIVE)
}

#[inline(always)]
fn write(values: &[f32], most: f32, step: f32, numbers: &mut [i8]) {
    for (number, value) in numbers.iter_mut().zip(values) {
        *number = whole(*value, most, step) as i8;
    }
}

#[inline(always)]
fn lost(values: &[f32], most: f32, step: f32) -> f32 {
    let squares = folded(values, 0.0, |sum: f64, value| {
        sum + f64::from(value - whole(value, most, step) * step).powi(2)
    });
    squares.iter().sum::<f64>().sqrt() as f32
}

#[inline(always)]
fn whole(value: f32, most: f32, step: f32) -> f32 {
    (value / step).clamp(-most, most) + TO_WHOLE - TO_WHOLE
}

/// Every sixteenth value taken together, so that the compiler uses vector registers.
#[inline(always)]
fn folded<T: Copy>(values: &[f32], none: T, with: impl Fn(T, f32) -> T) -> [T; LANES] {
    let (all, rest) = values.as_chunks::<LANES>();
    let mut lanes = [none; LANES];
    for values in all {
        for (lane, value) in lanes.iter_mut().zip(values) {
            *lane = with(*lane, *value);
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane = with(*lane, *value);
    }
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_lost_is_told(values in prop::collection::vec(-2.0_f32..2.0, 0..70), most in 1_i8..=127) {
            let most = f32::from(most);
            for with in [stepped, stepped_best] {
                let mut numbers = vec![0; values.len()];
                let (step, lost) = with(&values, most, &mut numbers);
                let squares = values.iter().zip(&numbers).map(|(value, number)| {
                    assert!(f32::from(*number).abs() <= most);
                    (f64::from(*value) - f64::from(*number) * f64::from(step)).powi(2)
                });
                let plain = squares.sum::<f64>().sqrt();
                prop_assert!((plain - f64::from(lost)).abs() < 1e-5, "{plain} {lost}");
                let widest = values.iter().fold(0.0_f32, |top, value| top.max(value.abs())) / most;
                prop_assert!(f64::from(lost) <= 0.5001 * f64::from(widest) * (values.len() as f64).sqrt() + 1e-5);
            }
        }
    }

    #[test]
    fn nothing_is_lost_of_nought() {
        let mut numbers = [1; 20];
        let (step, lost) = stepped(&[0.0; 20], 127.0, &mut numbers);
        assert!(step > 0.0 && lost == 0.0 && numbers == [0; 20]);
    }
}
