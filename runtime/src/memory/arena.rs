//! x
pub struct Arena;
