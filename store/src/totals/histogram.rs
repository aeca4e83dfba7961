//! How long things took: an exponential histogram, as OpenTelemetry has it
//! (<https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram>), at a fixed scale. It adds up, and a
//! quantile is at most 4.5 % off.

/// Buckets for each doubling.
const SCALE: f64 = 8.0;
/// Where the second and the following of them begin, from 2^63 on: 2^(63 + k/8), rounded up.
const BEGINS: [u64; 7] = [
    0x8b95_c1e3_ea8b_d6e7,
    0x9837_f051_8db8_a970,
    0xa5fe_d6a9_b151_38eb,
    0xb504_f333_f9de_6485,
    0xc567_2a11_5506_dade,
    0xd744_fcca_d69d_6af5,
    0xeac0_c6e7_dd24_392f,
];

/// Durations in microseconds, by buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// How many there are in each bucket that is not empty, the shortest first.
    buckets: Vec<(u32, u64)>,
}

impl Histogram {
    /// Adds a duration.
    pub fn record(&mut self, micros: u64) {
        self.add(bucket(micros), 1);
    }

    /// Adds those of another.
    pub fn merge(&mut self, other: &Self) {
        if self.buckets.is_empty() {
            self.buckets.clone_from(&other.buckets);
        } else {
            other.buckets.iter().for_each(|(bucket, count)| self.add(*bucket, *count));
        }
    }

    /// So many of these buckets; of one that is named again, all of them.
    pub(crate) fn of(buckets: impl IntoIterator<Item = (u32, u64)>) -> Self {
        let mut histogram = Self::default();
        buckets.into_iter().for_each(|(bucket, count)| histogram.add(bucket, count));
        histogram
    }

    /// How many there are in each bucket that is not empty, the shortest first.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (u32, u64)> {
        self.buckets.iter().copied()
    }

    fn add(&mut self, bucket: u32, count: u64) {
        // They come in order when they are read.
        if self.buckets.last().is_none_or(|(last, _)| *last < bucket) {
            self.buckets.push((bucket, count));
            return;
        }
        match self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => {
                if let Some((_, ours)) = self.buckets.get_mut(at) {
                    *ours = ours.saturating_add(count);
                }
            }
            Err(at) => self.buckets.insert(at, (bucket, count)),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// The duration that a share of all stays within: the median is `quantile(0.5)`. `None` if there are none.
    ///
    /// ```
    /// let mut histogram = throughline_store::Histogram::default();
    /// (1..=100).for_each(|millis| histogram.record(millis * 1000));
    /// let p95 = histogram.quantile(0.95).unwrap();
    /// assert!((91_000..=99_500).contains(&p95));
    /// ```
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let wanted = (self.count() as f64 * share.clamp(0.0, 1.0)).ceil().max(1.0) as u64;
        let mut seen = 0_u64;
        let (bucket, _) = self.buckets.iter().find(|(_, count)| {
            seen = seen.saturating_add(*count);
            seen >= wanted
        })?;
        Some(middle(*bucket))
    }
}

/// 0 for what took no time at all; else eighths of the logarithm, in integers: for a logarithm alone the extension would load
/// all of libm.
fn bucket(micros: u64) -> u32 {
    let Some(doublings) = micros.checked_ilog2() else { return 0 };
    let scaled = micros << micros.leading_zeros();
    let eighths = BEGINS.iter().filter(|begin| scaled >= **begin).count() as u32;
    doublings * SCALE as u32 + eighths + 1
}

fn middle(bucket: u32) -> u64 {
    if bucket == 0 { 0 } else { ((f64::from(bucket) - 0.5) / SCALE).exp2().round() as u64 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_quantile_is_at_most_a_bucket_off(mut micros in prop::collection::vec(0..=u64::MAX >> 8, 1..50)) {
            let mut histogram = Histogram::default();
            micros.iter().for_each(|one| histogram.record(*one));
            micros.sort_unstable();
            for (share, at) in [(0.0, 0), (1.0, micros.len() - 1)] {
                let (told, exact) = (histogram.quantile(share).unwrap() as f64, micros[at] as f64);
                prop_assert!((told - exact).abs() <= exact * 0.046 + 1.0, "{told} for {exact}");
            }
        }

        #[test]
        fn buckets_are_those_of_the_logarithm(micros in 1..=u64::from(u32::MAX)) {
            prop_assert_eq!(bucket(micros), ((micros as f64).log2() * SCALE).floor() as u32 + 1);
        }

        #[test]
        fn the_parts_make_the_whole(a in prop::collection::vec(any::<u64>(), 0..9), b in prop::collection::vec(any::<u64>(), 0..9)) {
            let (mut whole, mut first, mut second) = <(Histogram, Histogram, Histogram)>::default();
            for (values, part) in [(&a, &mut first), (&b, &mut second)] {
                values.iter().for_each(|value| { part.record(*value); whole.record(*value); });
            }
            first.merge(&second);
            prop_assert_eq!(first.count(), (a.len() + b.len()) as u64);
            prop_assert_eq!(first, whole);
        }
    }

    #[test]
    fn buckets_begin_where_they_should() {
        let found = [0, 1, 2, 3, 4, 1023, 1024, 1 << 63, BEGINS[0] - 1, BEGINS[0], u64::MAX].map(bucket);
        assert_eq!(found, [0, 1, 9, 13, 17, 80, 81, 505, 505, 506, 512]);
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(Histogram::default().quantile(0.5), None);
    }
}
