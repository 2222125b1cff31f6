//! What a step sees: a function of seed and step.

use super::{DataError, Dataset, Item, Turn};
use crate::program::{Dims, Interval, Region};
use crate::random::Key;

/// What random numbers are for.
const ORDER: u32 = 0;
const DRAW: u32 = 1;
/// Questions about a draw.
const TOP: u64 = 0;
const LEFT: u64 = 1;
const QUARTERS: u64 = 2;
const FLIP_Y: u64 = 3;
const FLIP_X: u64 = 4;

/// How samples are drawn.
///
/// The samples of all steps are one sequence, a batch after the other. It goes through the items in passes, or epochs, each in an
/// order of its own, which follows from the seed and the pass. Where a crop lies and how a sample is turned follows from the seed
/// and the sample's place in the sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sampling {
    /// The seed.
    pub seed: u64,
    /// Items a step; 0 is taken for 1.
    pub batch: u64,
    /// Rows and columns of the first tensor that a sample has; all of them without. Those of the others are in proportion.
    pub crop: Option<[u64; 2]>,
    /// Whether half of the samples are upside down, and half of them left to right.
    pub flips: bool,
    /// Whether samples are turned by quarters; by halves where a crop would not stay what it is: if it is not square, or
    /// a tensor has not the same proportion to the first along both axes.
    pub turns: bool,
}

impl Sampling {
    /// Whether rows of an item's samples may become columns: a crop stays what it is.
    fn may_transpose(&self, item: &Item) -> bool {
        let is_even = |of: &Dims| is_even(*of, item.dims[0]);
        self.turns && self.crop.is_none_or(|crop| crop[0] == crop[1] && item.dims.iter().all(is_even))
    }
}

/// A part of an item, and how it is laid down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The item's number.
    pub item: usize,
    /// Passes through the items before this one.
    pub epoch: u64,
    /// The part of each tensor, before it is turned.
    pub regions: Vec<Region>,
    /// How all of them are turned.
    pub turn: Turn,
}

/// The sizes that samples of an item have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The item's number.
    pub item: usize,
    /// Whether they are those of samples whose rows have become columns.
    pub transposed: bool,
    /// The shape of each tensor.
    pub dims: Vec<Dims>,
}

impl Dataset {
    /// The sizes of the samples of all items: as they lie, and where they may be turned by a quarter, as they lie then.
    ///
    /// # Errors
    ///
    /// The first item that is smaller than the crop, or of which the crops of the other tensors would not be whole pixels.
    pub fn sizes(&self, sampling: &Sampling) -> Result<Vec<Sizes>, DataError> {
        let mut sizes = Vec::new();
        for (number, item) in self.items.iter().enumerate() {
            let dims: Vec<Dims> = match sampling.crop {
                None => item.dims.clone(),
                Some(crop) => {
                    grid(item, crop)?;
                    let of = |dims: &Dims| super::cut(*dims, part(*dims, item.dims[0], [0, 0], crop));
                    item.dims.iter().map(of).collect()
                }
            };
            let turned = dims.iter().map(|dims| Turn::quarters(1).dims(*dims)).collect();
            sizes.push(Sizes { item: number, transposed: false, dims });
            if sampling.may_transpose(item) {
                sizes.push(Sizes { item: number, transposed: true, dims: turned });
            }
        }
        Ok(sizes)
    }

    /// The samples of a step.
    ///
    /// # Errors
    ///
    /// As of [`sizes`](Self::sizes).
    pub fn batch(&self, sampling: &Sampling, step: u64) -> Result<Vec<Sample>, DataError> {
        let (len, batch) = (self.items.len() as u64, sampling.batch.max(1));
        let first = step.wrapping_mul(batch);
        let mut order = (u64::MAX, Vec::new());
        let draws = (0..batch).map(|i| {
            let place = first.wrapping_add(i);
            let epoch = place / len;
            if order.0 != epoch {
                order = (epoch, shuffled(len, Key::new(sampling.seed).of(ORDER, epoch)));
            }
            self.draw(sampling, order.1[(place % len) as usize], epoch, place)
        });
        draws.collect()
    }

    /// All of an item, as it is: to validate with.
    ///
    /// # Panics
    ///
    /// If there is no such item.
    pub fn whole(&self, item: usize) -> Sample {
        let regions = self.items[item].dims.iter().map(|dims| all(*dims)).collect();
        Sample { item, epoch: 0, regions, turn: Turn::default() }
    }

    fn draw(&self, sampling: &Sampling, item: usize, epoch: u64, place: u64) -> Result<Sample, DataError> {
        let key = Key::new(sampling.seed).of(DRAW, place);
        let Item { dims, .. } = &self.items[item];
        let regions = match sampling.crop {
            None => dims.iter().map(|dims| all(*dims)).collect(),
            Some(crop) => {
                let grid = grid(&self.items[item], crop)?;
                let at = std::array::from_fn(|axis| {
                    let positions = (extent(dims[0], axis) - crop[axis]) / grid[axis] + 1;
                    key.below([TOP, LEFT][axis], positions) * grid[axis]
                });
                dims.iter().map(|of| part(*of, dims[0], at, crop)).collect()
            }
        };
        let flipped = |question| sampling.flips && key.below(question, 2) == 1;
        let quarters = match (sampling.turns, sampling.may_transpose(&self.items[item])) {
            (false, _) => 0,
            (true, false) => 2 * key.below(QUARTERS, 2),
            (true, true) => key.below(QUARTERS, 4),
        };
        let turn = Turn::quarters(quarters).then_flipped(flipped(FLIP_Y), flipped(FLIP_X));
        Ok(Sample { item, epoch, regions, turn })
    }
}

/// The numbers below `len` in an order that follows from the key (Fisher and Yates).
fn shuffled(len: u64, key: Key) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len as usize).collect();
    for i in (1..order.len()).rev() {
        order.swap(i, key.below(i as u64, i as u64 + 1) as usize);
    }
    order
}

fn all(dims: Dims) -> Region {
    Region { y: Interval::new(0, dims.h as i64), x: Interval::new(0, dims.w as i64) }
}

/// Rows or columns.
fn extent(dims: Dims, axis: usize) -> u64 {
    [dims.h, dims.w][axis]
}

/// The pixels of a tensor that belong to a crop of the first one; all of one that has no space, such as a class.
fn part(of: Dims, first: Dims, at: [u64; 2], crop: [u64; 2]) -> Region {
    if is_a_value(of) {
        return all(of);
    }
    let [y, x] = std::array::from_fn(|axis| {
        // The products are whole multiples: positions and sizes are multiples of the denominator.
        let [num, den] = ratio(of, first, axis);
        let [start, len] = [at[axis], crop[axis]].map(|n| (n / den * num) as i64);
        Interval::new(start, start + len)
    });
    Region { y, x }
}

/// One value a channel, which belongs to every part of an image.
fn is_a_value(dims: Dims) -> bool {
    dims.h == 1 && dims.w == 1
}

/// Whether a tensor has the same proportion to the first along both axes.
fn is_even(of: Dims, first: Dims) -> bool {
    is_a_value(of) || ratio(of, first, 0) == ratio(of, first, 1)
}

/// The proportion of a tensor to the first, in lowest terms.
fn ratio(of: Dims, first: Dims, axis: usize) -> [u64; 2] {
    let [of, first] = [of, first].map(|dims| extent(dims, axis));
    let common = gcd(of, first);
    [of / common, first / common]
}

/// What a crop's position and size are multiples of, so that it is whole pixels of every tensor.
fn grid(item: &Item, crop: [u64; 2]) -> Result<[u64; 2], DataError> {
    let first = item.dims[0];
    let size = [first.h, first.w];
    if crop[0] > size[0] || crop[1] > size[1] || crop.contains(&0) {
        return Err(DataError::Crop { file: item.files[0].clone(), crop, size });
    }
    let mut grid = [1; 2];
    for (file, of) in item.files.iter().zip(&item.dims).filter(|(_, of)| !is_a_value(**of)) {
        for (axis, grid) in grid.iter_mut().enumerate() {
            let [_, den] = ratio(*of, first, axis);
            if !crop[axis].is_multiple_of(den) {
                return Err(DataError::CropRatio {
                    file: file.clone(),
                    size: [of.h, of.w],
                    of: item.files[0].clone(),
                    of_size: size,
                    axis: ["rows", "columns"][axis],
                    multiple: den,
                    crop: crop[axis],
                });
            }
            // Both divide the crop, and so does their least common multiple.
            *grid = *grid / gcd(*grid, den) * den;
        }
    }
    Ok(grid)
}

/// The greatest common divisor of two numbers, not both 0.
fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
