//! Pi, from the share of random points of the unit square that lie in the quarter circle.

/// Without samples, the result is NaN. The same number of samples always gives the same result, because the seed of the
/// random numbers is fixed. So the module needs no import.
#[unsafe(no_mangle)]
extern "C" fn monte_carlo_pi(samples: i32) -> f64 {
    let mut random = SplitMix64(0);
    let inside = (0..samples).filter(|_| random.fraction().powi(2) + random.fraction().powi(2) <= 1.0).count();
    4.0 * inside as f64 / f64::from(samples.max(0))
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to below 1, in steps of 2^-53: with as many bits as an `f64` holds.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
