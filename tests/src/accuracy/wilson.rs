//! The interval of a share: Wilson 1927, 95 %. Unlike the simple interval it is right for shares near 0 and 1.

/// Two-sided 95 % of the normal distribution.
const Z: f64 = 1.959_964;

/// Lower and upper end for `hits` of `all`; all of 0 to 1 where there is nothing.
pub fn interval(hits: u64, all: u64) -> (f64, f64) {
    if all == 0 {
        return (0.0, 1.0);
    }
    let (n, p, z2) = (all as f64, hits as f64 / all as f64, Z * Z);
    let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

/// A share in per cent with its interval.
pub fn share(hits: u64, all: u64) -> String {
    let (low, high) = interval(hits, all);
    let percent = if all == 0 {
        0.0
    } else {
        100.0 * hits as f64 / all as f64
    };
    format!("{percent:.1} % ({:.1} to {:.1})", 100.0 * low, 100.0 * high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_intervals() {
        // Brown, Cai and DasGupta 2001 give the formula; values by hand.
        for (hits, all, low, high) in [
            (0, 10, 0.0, 0.2775),
            (5, 10, 0.2366, 0.7634),
            (83, 90, 0.8481, 0.9618),
            (0, 0, 0.0, 1.0),
        ] {
            let (l, h) = interval(hits, all);
            assert!(
                (l - low).abs() < 5e-4 && (h - high).abs() < 5e-4,
                "{hits} of {all}: {l} {h}"
            );
        }
        assert_eq!(share(9, 10), "90.0 % (59.6 to 98.2)");
    }
}
