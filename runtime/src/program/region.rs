//! Half-open integer intervals and rectangles in a tensor's global, unclamped coordinates: negative means padding.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// `[start, end)`; empty where `end <= start`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[repr(C)]
pub struct Interval {
    /// First element.
    pub start: i64,
    /// One past the last element.
    pub end: i64,
}

impl Interval {
    /// `[start, end)`.
    #[inline]
    pub const fn new(start: i64, end: i64) -> Self {
        Self { start, end }
    }

    /// Number of elements, 0 for an empty interval.
    #[inline]
    pub fn len(self) -> i64 {
        self.end.saturating_sub(self.start).max(0)
    }

    /// Whether there is no element.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.end <= self.start
    }

    /// The elements common to both.
    #[inline]
    pub fn intersect(self, other: Self) -> Self {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }

    /// The smallest interval that holds both; an empty one adds nothing.
    #[inline]
    pub fn hull(self, other: Self) -> Self {
        match (self.is_empty(), other.is_empty()) {
            (true, _) => other,
            (_, true) => self,
            _ => Self::new(self.start.min(other.start), self.end.max(other.end)),
        }
    }

    /// Whether every element of `other` is in `self`.
    pub fn contains(self, other: Self) -> bool {
        other.is_empty() || (self.start <= other.start && other.end <= self.end)
    }

    /// Moved by `offset`, saturating.
    pub fn shift(self, offset: i64) -> Self {
        Self::new(self.start.saturating_add(offset), self.end.saturating_add(offset))
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { (self.start, self.end).serialize(s) }
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if !d.is_human_readable() {
            return <(i64, i64)>::deserialize(d).map(|(a, b)| Self::new(a, b));
        }
        let text = String::deserialize(d)?;
        text.split_once("..")
            .and_then(|(a, b)| Some(Self::new(a.parse().ok()?, b.parse().ok()?)))
            .ok_or_else(|| D::Error::custom(format!("expected an interval like `0..16`, found `{text}`")))
    }
}

/// An axis-aligned rectangle of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[repr(C)]
pub struct Region {
    /// Rows.
    pub y: Interval,
    /// Columns.
    pub x: Interval,
}

impl Region {
    /// Whether there is no pixel.
    pub fn is_empty(self) -> bool {
        self.y.is_empty() || self.x.is_empty()
    }

    /// The pixels common to both.
    pub fn intersect(self, other: Self) -> Self {
        Self { y: self.y.intersect(other.y), x: self.x.intersect(other.x) }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}]", self.y, self.x)
    }
}
