//! The interval of a share. Invariant: it holds the share and lies within 0 to 1, also for none and for all of a few.

/// Wilson's interval of a share, at 95 %; from 0 to 1 where there is nothing.
pub fn wilson(part: usize, of: usize) -> (f64, f64) {
    const Z: f64 = 1.959_964;
    if of == 0 {
        return (0.0, 1.0);
    }
    let (n, share) = (of as f64, part as f64 / of as f64);
    let middle = share + Z * Z / (2.0 * n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_of_known_shares() {
        let (from, to) = wilson(0, 100);
        assert!(from < 1e-9 && (to - 0.037).abs() < 1e-3, "{to}");
        let (from, to) = wilson(50, 100);
        assert!(
            (from - 0.4038).abs() < 1e-3 && (to - 0.5962).abs() < 1e-3,
            "{from} {to}"
        );
    }
}
