//! Indices into a program's tables. In text they carry a sigil; in the binary form they are numbers.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $sigil:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// The index as a `usize`.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}{}", $sigil, self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() { s.collect_str(self) } else { s.serialize_u32(self.0) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                if !d.is_human_readable() {
                    return u32::deserialize(d).map(Self);
                }
                let text = String::deserialize(d)?;
                text.strip_prefix($sigil)
                    .and_then(|n| n.parse().ok())
                    .map(Self)
                    .ok_or_else(|| D::Error::custom(format!("expected an index like `{}0`, found `{text}`", $sigil)))
            }
        }
    )*};
}

ids! {
    /// A device tensor.
    TensorId "@t";
    /// A parameter or constant.
    WeightId "@w";
    /// An exact accumulator.
    AccumulatorId "@a";
    /// An expression.
    ExprId "@e";
    /// A tile buffer of the section at hand.
    BufferId "%b";
    /// A synchronisation token of the section at hand.
    Token "%t";
}
