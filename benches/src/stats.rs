//! Durations, summed up.

use std::time::Duration;

/// Samples of one thing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    /// Adds one.
    pub(crate) fn push(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// The sample that `percent` of them do not exceed (nearest rank), in milliseconds.
    pub(crate) fn percentile(&self, percent: u32) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent as usize).div_ceil(100);
        sorted.get(rank.max(1) - 1).map_or(f64::NAN, |sample| sample.as_secs_f64() * 1000.0)
    }

    /// The median of the differences to `other`, sample by sample, in milliseconds: what drifts in the
    /// machine during a run is in both and cancels out.
    pub(crate) fn median_added_to(&self, other: &Samples) -> f64 {
        let millis = |sample: &Duration| sample.as_secs_f64() * 1000.0;
        let mut differences: Vec<f64> =
            self.0.iter().zip(&other.0).map(|(a, b)| millis(a) - millis(b)).collect();
        differences.sort_unstable_by(f64::total_cmp);
        differences.get(differences.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(millis: impl IntoIterator<Item = u64>) -> Samples {
        Samples(millis.into_iter().map(Duration::from_millis).collect())
    }

    #[test]
    fn percentiles_are_samples() {
        let hundred = samples((1..=100).rev());
        assert_eq!(
            (hundred.percentile(50), hundred.percentile(99), hundred.percentile(100)),
            (50.0, 99.0, 100.0)
        );
        assert_eq!(samples([7]).percentile(50), 7.0);
        assert!(Samples::default().percentile(50).is_nan());
    }

    #[test]
    fn drift_cancels_out() {
        assert_eq!(samples([11, 21, 90]).median_added_to(&samples([10, 20, 30])), 1.0);
    }
}
