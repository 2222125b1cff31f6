//! Statistics over space whose value does not depend on how the space is cut or who comes first.
//!
//! Pixels are first summed in f64 within the cells of a fixed grid ([`grains`]), in raster order; the cells' sums are then added
//! exactly ([`superaccumulator`]), so that their order is immaterial. The largest of some values needs no grid. Weight gradients are
//! sums in f32, and added exactly too ([`single`]), most of them by way of f64 (`running`).

mod accumulate;
pub mod grains;
mod largest;
mod magnitude;
mod partial;
pub(crate) mod running;
pub mod single;
mod statistic;
pub mod superaccumulator;

pub(crate) use accumulate::accumulate;
pub(crate) use statistic::{statistic, words};
