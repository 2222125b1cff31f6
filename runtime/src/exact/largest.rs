//! The largest of some values, whoever comes first: values as keys whose order is that of the integers.

/// The key of no value at all.
pub(crate) const NOTHING: i64 = 0;
/// The key of NaN, whatever its sign and payload.
const NAN: i64 = 1 << 32;

/// The bits of a value that is no NaN, such that their order is that of the values: from −∞ by −0 and +0 to +∞. 0 and `u32::MAX`
/// are the bits of none.
pub(super) fn ordered(value: f32) -> u32 {
    let bits = value.to_bits();
    let flipped = ((bits as i32) >> 31) as u32 | 1 << 31;
    bits ^ flipped
}

/// The key of [`ordered`] bits, `u32::MAX` standing for a NaN.
pub(super) fn key_of_bits(bits: u32) -> i64 {
    if bits == u32::MAX { NAN } else { bits.into() }
}

/// The value of a key; −∞ for that of no value.
pub(crate) fn value(key: i64) -> f32 {
    match key {
        NOTHING => f32::NEG_INFINITY,
        NAN => f32::NAN,
        // The keys of numbers are 32 bits long.
        key => {
            let bits = key as u32;
            f32::from_bits(if bits >> 31 == 1 { bits ^ 1 << 31 } else { !bits })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: f32) -> i64 {
        key_of_bits(if value.is_nan() { u32::MAX } else { ordered(value) })
    }

    #[test]
    fn keys_are_in_the_order_of_the_values() {
        let values = [
            f32::NEG_INFINITY,
            f32::MIN,
            -1.0,
            -f32::MIN_POSITIVE,
            -1e-45,
            -0.0,
            0.0,
            1e-45,
            1.0,
            f32::MAX,
            f32::INFINITY,
        ];
        let mut before = NOTHING;
        for v in values {
            assert!(key(v) > before, "{v:?}");
            assert_eq!(value(key(v)).to_bits(), v.to_bits());
            before = key(v);
        }
        for nan in [f32::NAN, -f32::NAN, f32::from_bits(0x7f80_0001), f32::from_bits(0xffff_ffff)] {
            assert!(key(nan) > before && value(key(nan)).is_nan());
        }
        assert_eq!(value(NOTHING), f32::NEG_INFINITY);
    }
}
