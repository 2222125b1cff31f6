//! Random bits that are a function of a key and a position: nothing is drawn in an order that anything could change.
//!
//! The function is Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011): four words of
//! a position are encrypted in ten rounds with two words of a key. Whoever asks for the same place gets the same bits, on any
//! thread, tile or processor, and after a resume.

/// Multipliers of the rounds.
pub(crate) const MULTIPLIERS: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
/// What is added to the key after each round.
pub(crate) const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
pub(crate) const ROUNDS: usize = 10;

/// For keys of dropout.
const DROPOUT: u32 = 2;

/// The key of a stream of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(pub(crate) [u32; 2]);

impl Key {
    /// The key of a seed.
    pub fn new(seed: u64) -> Self {
        Self(halves(seed))
    }

    /// The key of item `number` of a kind of things that `purpose` names, under this one: streams of different things do not
    /// meet.
    pub fn of(self, purpose: u32, number: u64) -> Self {
        let [low, high] = halves(number);
        // The last word keeps these positions apart from those of `at` with a small last coordinate.
        let [a, b, ..] = self.at([low, high, purpose, u32::MAX]);
        Self([a, b])
    }

    /// The key that dropout has in a step of a training: what a program that drops values takes, as [`Self::numbers`].
    pub fn of_dropout(seed: u64, step: u64) -> Self {
        Self::new(seed).of(DROPOUT, step)
    }

    /// The key as four whole numbers of 16 bits, the lowest first, which floats hold exactly.
    pub fn numbers(self) -> [f32; 4] {
        let [low, high] = self.0;
        [low, low >> 16, high, high >> 16].map(|bits| f32::from(bits as u16))
    }

    /// The key of four such numbers. Fractions are dropped, numbers out of range are the nearest in it, and NaN is 0.
    pub fn of_numbers(numbers: [f32; 4]) -> Self {
        let [a, b, c, d] = numbers.map(|number| u32::from(number as u16));
        Self([a | b << 16, c | d << 16])
    }

    /// The bits of a position, such as `[n, c, y, x]`.
    pub fn at(self, position: [u32; 4]) -> [u32; 4] {
        let (mut key, mut words) = (self.0, position);
        for _ in 0..ROUNDS {
            let products = [words[0], words[2]];
            let [p, q] = std::array::from_fn(|i| halves(u64::from(products[i]) * u64::from(MULTIPLIERS[i])));
            words = [q[1] ^ words[1] ^ key[0], q[0], p[1] ^ words[3] ^ key[1], p[0]];
            key = std::array::from_fn(|i| key[i].wrapping_add(WEYL[i]));
        }
        words
    }

    /// A whole number below `end`, for the `number`-th question: the high half of 64 random bits times `end`, so that no number
    /// is likelier than another by more than 1 in 2⁶⁴ / `end`; 0 if `end` is.
    pub fn below(self, number: u64, end: u64) -> u64 {
        let [low, high] = halves(number);
        let [a, b, ..] = self.at([low, high, 0, 0]);
        let bits = u64::from(a) | u64::from(b) << 32;
        ((u128::from(bits) * u128::from(end)) >> 64) as u64
    }

    /// A multiple of 2⁻²⁴ in [0, 1), for the `number`-th question.
    pub fn uniform(self, number: u64) -> f32 {
        self.below(number, 1 << 24) as f32 / (1 << 24) as f32
    }
}

/// Low and high words.
fn halves(number: u64) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers that the authors give with their library, Random123.
    #[test]
    fn bits_are_those_of_the_definition() {
        for (position, key, bits) in [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ] {
            assert_eq!(Key(key).at(position), bits);
        }
    }

    #[test]
    fn numbers_below_an_end_are_all_there_and_about_as_often() {
        let mut counts = [0; 7];
        (0..7000).for_each(|i| counts[Key::new(3).below(i, 7) as usize] += 1);
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
        assert_eq!(Key::new(3).below(5, 0), 0);
        assert_eq!(Key::new(3).below(5, 1), 0);
        assert!((0..1000).all(|i| (0.0..1.0).contains(&Key::new(1).uniform(i))));
    }

    #[test]
    fn keys_are_numbers_and_back() {
        for step in 0..100 {
            let key = Key::of_dropout(7, step);
            assert_eq!(Key::of_numbers(key.numbers()), key);
            assert_ne!(key, Key::of_dropout(8, step));
            assert_ne!(key, Key::of_dropout(7, step + 1));
        }
        assert_eq!(Key::of_numbers([f32::NAN, -1.0, 1e9, 2.75]), Key([0, 0x0002_ffff]));
    }

    #[test]
    fn streams_differ() {
        let mut keys = vec![Key::new(0), Key::new(1)];
        keys.extend((0..3).flat_map(|purpose| (0..5).map(move |i| Key::new(0).of(purpose, i))));
        for (i, a) in keys.iter().enumerate() {
            assert!(keys[..i].iter().all(|b| a.at([0; 4]) != b.at([0; 4])));
        }
    }
}
