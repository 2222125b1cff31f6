//! Sizes in bytes as people write them: `4096`, `512KiB`, `1MiB`.

use serde::{Deserializer, Serialize, Serializer, de};

/// Largest first, so that formatting finds the largest that divides.
const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];

/// Reads a whole number of bytes, KiB, MiB, GiB or TiB; `None` if it is not one, or if it overflows.
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, shift) = UNITS
        .iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?.trim_end(), *shift)))
        .unwrap_or((text, 0));
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Writes a size in the largest unit that divides it, so that [`parse_size`] gives it back.
pub fn format_size(bytes: u64) -> String {
    match UNITS.iter().find(|(_, shift)| bytes != 0 && bytes.trailing_zeros() >= *shift) {
        Some((unit, shift)) => format!("{}{unit}", bytes >> shift),
        None => bytes.to_string(),
    }
}

pub(super) fn serialize<S: Serializer>(bytes: &u64, s: S) -> Result<S::Ok, S::Error> {
    if s.is_human_readable() { format_size(*bytes).serialize(s) } else { s.serialize_u64(*bytes) }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
    if d.is_human_readable() { d.deserialize_any(Visitor) } else { d.deserialize_u64(Visitor) }
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = u64;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a size like 4096 or \"64KiB\"")
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<u64, E> {
        Ok(value)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<u64, E> {
        u64::try_from(value).map_err(|_| E::invalid_value(de::Unexpected::Signed(value), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
        parse_size(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_written() {
        for (text, bytes) in
            [("4096", 4096), ("512KiB", 512 << 10), ("1 MiB", 1 << 20), ("2GiB", 2 << 30), ("0", 0)]
        {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in ["", "KiB", "-1", "+1", "1KB", "1.5MiB", "1kib", "99999999999TiB", "18446744073709551616"]
        {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }

    #[test]
    fn formatting_is_exact() {
        for bytes in [0, 1, 1023, 1024, 1536, 1 << 20, (1 << 20) + 1, 3 << 30, u64::MAX, 1 << 63] {
            assert_eq!(parse_size(&format_size(bytes)), Some(bytes));
        }
        assert_eq!(format_size(1536 << 10), "1536KiB");
    }
}
