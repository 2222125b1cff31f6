//! "Did you mean …?": the known name closest to the one that was written.

/// The candidate that `written` was probably meant to be, if any is close enough.
///
/// Closeness is the Damerau–Levenshtein distance without regard to case, at most
/// a third of the name's length (and one for short names, where a third says
/// little). Among equals the first candidate wins, so that the answer depends on
/// nothing but the arguments.
#[must_use]
pub fn closest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = written.to_lowercase();
    let length = wanted.chars().count();
    // Nobody types a name this long by hand, and the distance is quadratic.
    if length > 64 {
        return None;
    }
    let limit = (length / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        if candidate == written || candidate.chars().count().abs_diff(length) > limit {
            continue;
        }
        let distance = strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase());
        // A name of one letter is at distance one from every other: no help.
        let acceptable = distance <= limit && distance < length.max(1);
        if acceptable && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, name)| name)
}

/// The hint "did you mean `…`?" for [`closest`]'s answer.
#[must_use]
pub fn did_you_mean<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    closest(written, candidates).map(|name| format!("did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPS: [&str; 6] = ["conv2d", "relu", "prelu", "pixel_shuffle", "max_pool2d", "avg_pool2d"];

    #[test]
    fn finds_the_likely_name() {
        assert_eq!(closest("conv2", OPS), Some("conv2d"));
        assert_eq!(closest("Conv2D", OPS), Some("conv2d"));
        assert_eq!(closest("pixelshuffle", OPS), Some("pixel_shuffle"));
        assert_eq!(closest("rleu", OPS), Some("relu"));
        assert_eq!(did_you_mean("kernal", ["out", "kernel"]).as_deref(), Some("did you mean `kernel`?"));
    }

    #[test]
    fn stays_silent_when_nothing_is_close() {
        assert_eq!(closest("attention", OPS), None);
        assert_eq!(closest("x", ["y", "z"]), None);
        assert_eq!(closest("", OPS), None);
        assert_eq!(closest("relu", ["relu"]), None);
        assert_eq!(closest(&"r".repeat(100_000), OPS), None);
    }

    #[test]
    fn the_first_of_equals_wins() {
        assert_eq!(closest("abx", ["aby", "abz"]), Some("aby"));
        assert_eq!(closest("abx", ["abz", "aby"]), Some("abz"));
    }
}
