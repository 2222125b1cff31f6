//! The eight ways to lay down a square tile.

use crate::io::Array;
use crate::program::Dims;

/// A symmetry of the square: pixel (y, x) of the result is pixel (y′, x′) of the image, with y and x counted from the other end
/// where they are flipped, and then exchanged where rows and columns are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Turn {
    /// Whether rows become columns.
    pub transposed: bool,
    /// Whether the result's rows are counted from below.
    pub flip_y: bool,
    /// Whether the result's columns are counted from the right.
    pub flip_x: bool,
}

impl Turn {
    /// So many quarter turns clockwise.
    pub fn quarters(count: u64) -> Self {
        let count = count % 4;
        Self { transposed: count % 2 == 1, flip_y: count >= 2, flip_x: count == 1 || count == 2 }
    }

    /// Then flipped: upside down, left to right.
    pub fn then_flipped(self, y: bool, x: bool) -> Self {
        Self { flip_y: self.flip_y ^ y, flip_x: self.flip_x ^ x, ..self }
    }

    /// Shape of an image that is turned.
    pub fn dims(self, dims: Dims) -> Dims {
        if self.transposed { Dims { h: dims.w, w: dims.h, ..dims } } else { dims }
    }

    /// The image, turned.
    pub fn of(self, image: Array) -> Array {
        if self == Self::default() {
            return image;
        }
        let (from, dims) = (image.dims, self.dims(image.dims));
        let [h, w, stride] = [dims.h, dims.w, from.w].map(|n| n as usize);
        let mut data = Vec::with_capacity(image.data.len());
        for plane in image.data.chunks_exact((h * w).max(1)) {
            for y in 0..h {
                let y = if self.flip_y { h - 1 - y } else { y };
                data.extend((0..w).map(|x| {
                    let x = if self.flip_x { w - 1 - x } else { x };
                    let (row, column) = if self.transposed { (x, y) } else { (y, x) };
                    plane[row * stride + column]
                }));
            }
        }
        Array { dims, data }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Array {
        // Two planes of 2 × 3.
        Array { dims: Dims { n: 1, c: 2, h: 2, w: 3 }, data: (0..12).map(|v| v as f32).collect() }
    }

    #[test]
    fn quarters_go_clockwise() {
        let turned = |count| Turn::quarters(count).of(image());
        assert_eq!(turned(1).dims, Dims { n: 1, c: 2, h: 3, w: 2 });
        assert_eq!(turned(1).data[..6], [3.0, 0.0, 4.0, 1.0, 5.0, 2.0]);
        assert_eq!(turned(2).data[..6], [5.0, 4.0, 3.0, 2.0, 1.0, 0.0]);
        assert_eq!(turned(3).data[..6], [2.0, 5.0, 1.0, 4.0, 0.0, 3.0]);
        assert_eq!(turned(1).data[6..], [9.0, 6.0, 10.0, 7.0, 11.0, 8.0]);
        assert_eq!(turned(4), image());
        let one = Turn::quarters(1);
        assert_eq!(one.of(one.of(one.of(image()))), turned(3));
    }

    #[test]
    fn flips_come_after() {
        let flipped = |turn: Turn, y, x| turn.then_flipped(y, x).of(image()).data[..6].to_vec();
        assert_eq!(flipped(Turn::default(), true, false), [3.0, 4.0, 5.0, 0.0, 1.0, 2.0]);
        assert_eq!(flipped(Turn::default(), false, true), [2.0, 1.0, 0.0, 5.0, 4.0, 3.0]);
        // Of 3 0 / 4 1 / 5 2.
        assert_eq!(flipped(Turn::quarters(1), false, true), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(flipped(Turn::quarters(2), true, true), image().data[..6]);
    }
}
