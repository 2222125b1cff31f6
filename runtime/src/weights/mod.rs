//! Parameters in the layouts that instructions want, made once at load.

mod layout;
mod pack;

pub use layout::{BLOCK, ConvLayout, GroupedLayout};
pub use pack::{PackError, pack, packed_len};
