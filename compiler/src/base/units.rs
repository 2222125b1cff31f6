//! Quantities for people: three digits and a unit.

/// Bytes.
pub fn bytes(bytes: u64) -> String {
    scaled(bytes as f64, 1024.0, &["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
}

/// Floating-point operations.
pub fn operations(count: f64) -> String {
    scaled(count, 1000.0, &["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP"])
}

/// A time.
pub fn time(seconds: f64) -> String {
    if seconds >= 0.9995 {
        return format!("{} s", digits(seconds));
    }
    let nanoseconds = (seconds * 1e9).round();
    scaled(nanoseconds, 1000.0, &["ns", "µs", "ms"])
}

fn scaled(mut value: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while value >= step - 0.5 && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    let number = if unit == 0 { format!("{value:.0}") } else { digits(value) };
    format!("{number} {}", units[unit])
}

/// Three digits, or all that stand before the point.
fn digits(value: f64) -> String {
    let digits = match value {
        99.95.. => 0,
        9.995.. => 1,
        _ => 2,
    };
    let mut number = format!("{value:.digits$}");
    if number.contains('.') {
        number.truncate(number.trim_end_matches('0').trim_end_matches('.').len());
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits() {
        let found = [0, 1023, 1024, 16640, 7_712_256, u64::MAX].map(bytes);
        assert_eq!(found, ["0 bytes", "1023 bytes", "1 KiB", "16.2 KiB", "7.35 MiB", "16 EiB"]);
        let found = [0.0, 999.4, 1500.0, 1.06e11].map(operations);
        assert_eq!(found, ["0 FLOP", "999 FLOP", "1.5 kFLOP", "106 GFLOP"]);
        let found = [0.0, 2.5e-7, 1.234e-5, 0.97338, 1.0, 754.2].map(time);
        assert_eq!(found, ["0 ns", "250 ns", "12.3 µs", "973 ms", "1 s", "754 s"]);
    }
}
