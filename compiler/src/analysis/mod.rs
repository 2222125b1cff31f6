//! What passes ask about graphs and sections.

pub mod buffers;
pub mod cost;
pub mod crop;
pub mod device;
pub mod flow;
pub mod footprint;
pub mod fusion;
pub mod geometry;
pub mod materialized;
pub mod planner;
pub mod receptive;
pub mod stages;
mod strips;
pub mod work;
