//! Values dropped at random. Bits are made of 16 positions side by side: one word of each for every element of four columns.

use super::Body;
use super::geometry::{blocks, each, element, fill_outside, pixel};
use super::simd::{LANES, Simd};
use crate::memory::{Tile, View};
use crate::program::BufferId;
use crate::program::instr::Dropout;
use crate::random::{Key, MULTIPLIERS, ROUNDS, WEYL};

/// Columns that share the bits of a position.
const COLUMNS: i64 = 4;

/// [`Dropout`], ready to run.
pub(super) struct DropoutKernel {
    dst: BufferId,
    src: BufferId,
    key: BufferId,
    stream: [u32; 2],
    dropped: u32,
    scale: f32,
}

impl DropoutKernel {
    pub(super) fn new(i: &Dropout) -> Self {
        Self { dst: i.dst, src: i.src, key: i.key, stream: i.stream, dropped: i.dropped, scale: i.scale }
    }

    /// The key of the stream.
    ///
    /// # Safety
    ///
    /// The key's buffer has four channels of pixel (0, 0).
    #[inline(always)]
    unsafe fn stream(&self, key: &View) -> Key {
        // SAFETY: the caller's promise.
        let numbers = [0, 1, 2, 3].map(|c| unsafe { *element(key, c, 0, 0) });
        let [op, image] = self.stream;
        Key::of_numbers(numbers).of(op, image.into())
    }

    /// What the elements of 16 positions are multiplied with, by column and position.
    #[inline(always)]
    fn factors(&self, key: Key, positions: [[u32; LANES]; 4]) -> [[f32; LANES]; COLUMNS as usize] {
        let words = encrypt(key, positions);
        words.map(|word| word.map(|bits| if bits >> 8 < self.dropped { 0.0 } else { self.scale }))
    }
}

impl Body for DropoutKernel {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, _: S, tile: &Tile<'_>, _: &mut [f32]) {
        let [dst, src, key] = [self.dst, self.src, self.key].map(|id| &tile.views[id.index()]);
        if !dst.valid.is_empty() {
            // SAFETY: verified geometry: the key is four channels of one pixel.
            let key = unsafe { self.stream(key) };
            for (block, y) in (0..blocks(dst)).flat_map(|b| each(dst.valid.y).map(move |y| (b, y))) {
                let mut x = dst.valid.x.start;
                while x < dst.valid.x.end {
                    let group = Group::new(dst, block, y, x);
                    let factors = self.factors(key, group.positions(tile.image));
                    // SAFETY: verified geometry: the source has what is valid.
                    unsafe { group.multiply(&factors, dst, src) };
                    x = group.end();
                }
            }
        }
        // SAFETY: the caller's promise.
        unsafe { fill_outside(dst) };
    }
}

/// 16 positions: the channels of a block, of as many groups of four columns as there is room for.
#[derive(Clone, Copy)]
struct Group {
    block: i64,
    y: i64,
    /// First column, a multiple of four.
    x: i64,
    lanes: i64,
}

impl Group {
    /// The positions from column `x` on.
    #[inline(always)]
    fn new(dst: &View, block: i64, y: i64, x: i64) -> Self {
        Self { block, y, x: x - x.rem_euclid(COLUMNS), lanes: dst.lanes }
    }

    /// The column after the last one.
    #[inline(always)]
    fn end(self) -> i64 {
        self.x + COLUMNS * (LANES as i64 / self.lanes)
    }

    /// Image, channels, row, and columns over four.
    #[inline(always)]
    fn positions(self, image: u64) -> [[u32; LANES]; 4] {
        let (first, column) = (self.block * self.lanes, self.x / COLUMNS);
        let channels = std::array::from_fn(|i| (first + i as i64 % self.lanes) as u32);
        let columns = std::array::from_fn(|i| (column + i as i64 / self.lanes) as u32);
        [[image as u32; LANES], channels, [self.y as u32; LANES], columns]
    }

    /// `dst = src · factors` for those elements that are valid.
    ///
    /// # Safety
    ///
    /// The source has what is valid of the result.
    #[inline(always)]
    unsafe fn multiply(self, factors: &[[f32; LANES]; COLUMNS as usize], dst: &View, src: &View) {
        let columns = self.x.max(dst.valid.x.start)..self.end().min(dst.valid.x.end);
        let (first, same) = (self.block * self.lanes, src.lanes == dst.lanes);
        for x in columns {
            let factors = &factors[(x % COLUMNS) as usize];
            let position = ((x - self.x) / COLUMNS * self.lanes) as usize;
            let to = pixel(dst, self.block, self.y, x);
            if same && self.lanes == LANES as i64 {
                let from = pixel(src, self.block, self.y, x);
                for (i, factor) in factors.iter().enumerate() {
                    // SAFETY: pixels of both have 16 lanes, and this one is valid.
                    unsafe { *to.add(i) = *from.add(i) * factor };
                }
                continue;
            }
            for i in 0..self.lanes.min(dst.channels - first) {
                let factor = factors[position + i as usize];
                // SAFETY: the pixel is valid, and the source has the channel.
                unsafe { *to.offset(i as isize) = *element(src, first + i, self.y, x) * factor };
            }
        }
    }
}

/// As [`Key::at`], of 16 positions side by side.
#[inline(always)]
fn encrypt(Key(mut key): Key, positions: [[u32; LANES]; 4]) -> [[u32; LANES]; 4] {
    let mut words = positions;
    for _ in 0..ROUNDS {
        let mut next = [[0; LANES]; 4];
        for i in 0..LANES {
            let [p, q] = [words[0][i], words[2][i]];
            let p = u64::from(p) * u64::from(MULTIPLIERS[0]);
            let q = u64::from(q) * u64::from(MULTIPLIERS[1]);
            next[0][i] = (q >> 32) as u32 ^ words[1][i] ^ key[0];
            next[1][i] = q as u32;
            next[2][i] = (p >> 32) as u32 ^ words[3][i] ^ key[1];
            next[3][i] = p as u32;
        }
        words = next;
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    words
}
