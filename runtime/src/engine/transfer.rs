//! What `load` and `store` do: copies between device tensors and tile buffers, whatever the lanes of either.

use crate::memory::View;
use crate::program::{Element, Interval, Region};

/// Pixels whose channels are interleaved or separated at a time: 64 × 16 lanes stay in the first cache level.
const CHUNK: i64 = 64;

/// `value`, or the one NaN that device memory holds: processors disagree about sign and payload of those that they make.
#[inline(always)]
pub(super) fn canonical(value: f32) -> f32 {
    if value.is_nan() { f32::from_bits(0x7fc0_0000) } else { value }
}

/// How a value is put where it goes.
pub(super) trait Put {
    /// Whether it is copied as it is.
    const PLAIN: bool = false;

    /// Puts it there.
    ///
    /// # Safety
    ///
    /// `to` may be read and written.
    unsafe fn put(to: *mut f32, value: f32);
}

/// As it is.
pub(super) struct Plain;
/// As a value of device memory.
struct Canonical;
/// Added to the value of device memory that is there.
struct Added;

impl Put for Plain {
    const PLAIN: bool = true;

    #[inline(always)]
    unsafe fn put(to: *mut f32, value: f32) {
        // SAFETY: the caller's promise.
        unsafe { to.write(value) }
    }
}

impl Put for Canonical {
    #[inline(always)]
    unsafe fn put(to: *mut f32, value: f32) {
        // SAFETY: the caller's promise.
        unsafe { to.write(canonical(value)) }
    }
}

impl Put for Added {
    #[inline(always)]
    unsafe fn put(to: *mut f32, value: f32) {
        // SAFETY: the caller's promise.
        unsafe { to.write(canonical(to.read() + value)) }
    }
}

/// Fills the buffer `dst` with its tile of the tensor `src`: its valid part is copied, the rest becomes `dst.outside`, if
/// there is such a value.
///
/// # Safety
///
/// Both views describe memory that may be written and read as far as their computed regions go, `src` covers `dst.valid`,
/// both have the same channels, and nobody else writes either at the same time.
pub(super) unsafe fn load(dst: &View, src: &View) {
    // SAFETY: `dst.valid` is inside what both views cover.
    unsafe { copy::<Plain>(dst, src, dst.valid, [0; 2]) };
    if let Some(value) = dst.outside {
        // SAFETY: `dst` may be written.
        unsafe { fill_outside(dst, value) };
    }
}

/// Writes the part of the buffer `src` that the tile owns into the tensor `dst`, NaNs canonical, as values of its type.
///
/// # Safety
///
/// As for [`load`], with both views covering `src.owned`.
pub(super) unsafe fn store(dst: &View, src: &View, element: Element) {
    // SAFETY: `src.owned` is inside what both views cover.
    unsafe {
        copy::<Canonical>(dst, src, src.owned, [0; 2]);
        if let Some(max) = element.max() {
            quantize(dst, src.owned, max);
        }
    }
}

/// Adds the part of the buffer `src` that the tile owns to the tensor `dst`, but for `first`, which it writes; NaNs canonical.
///
/// # Safety
///
/// As for [`store`]; what is owned and not in `first` was written before.
pub(super) unsafe fn add(dst: &View, src: &View, first: Region) {
    // SAFETY: `src.owned` is inside what both views cover, and so are all parts of it.
    unsafe {
        copy::<Canonical>(dst, src, src.owned.intersect(first), [0; 2]);
        for part in beside(src.owned, first) {
            copy::<Added>(dst, src, part, [0; 2]);
        }
    }
}

/// A region without another, as rectangles, some of them empty: above and below it, left and right of it.
pub(super) fn beside(all: Region, without: Region) -> [Region; 4] {
    let Region { y, x } = all.intersect(without);
    if y.is_empty() || x.is_empty() {
        return [all, Region::default(), Region::default(), Region::default()];
    }
    [
        Region { y: Interval::new(all.y.start, y.start), x: all.x },
        Region { y: Interval::new(y.end, all.y.end), x: all.x },
        Region { y, x: Interval::new(all.x.start, x.start) },
        Region { y, x: Interval::new(x.end, all.x.end) },
    ]
}

/// Makes the values of a region whole numbers from 0 to `max`.
///
/// # Safety
///
/// `dst` covers the region, and nobody else uses it.
unsafe fn quantize(dst: &View, region: Region, max: f32) {
    for (c, y) in (0..dst.channels).flat_map(|c| (region.y.start..region.y.end).map(move |y| (c, y))) {
        for x in region.x.start..region.x.end {
            // SAFETY: the caller's promise.
            unsafe {
                let value = element(dst, c, y, x);
                // A NaN is neither above nor below, and `max` takes the number.
                *value = value.read().max(0.0).min(max).round_ties_even();
            }
        }
    }
}

/// Where element `(c, y, x)` lies.
///
/// # Safety
///
/// `(y, x)` is covered by the view, or `x` is one past its last column, and `c` is one of its channels.
#[inline(always)]
pub(super) unsafe fn element(view: &View, c: i64, y: i64, x: i64) -> *mut f32 {
    let offset = c / view.lanes * view.block_stride
        + view.slot(y) * view.row_stride
        + (x - view.x0) * view.lanes
        + c % view.lanes;
    // SAFETY: the caller promises that the element lies in the view's memory.
    unsafe { view.ptr.offset(offset as isize) }
}

/// Copies the pixels of `region`, each from `shift` further on in `src`.
///
/// # Safety
///
/// `dst` covers `region`, and `src` what lies `shift` further on; `dst` may be written, `src` read; they do not overlap and
/// have the same channels.
pub(super) unsafe fn copy<P: Put>(dst: &View, src: &View, region: Region, shift: [i64; 2]) {
    if region.is_empty() {
        return;
    }
    // SAFETY: the caller's promise, passed on.
    unsafe {
        if dst.lanes == src.lanes {
            copy_rows::<P>(dst, src, region, shift);
        } else {
            copy_channels::<P>(dst, src, region, shift);
        }
    }
}

/// [`copy`] between equal lanes: row by row, the lanes past the last channel included.
///
/// # Safety
///
/// As for [`copy`], with equal lanes.
unsafe fn copy_rows<P: Put>(dst: &View, src: &View, region: Region, [down, right]: [i64; 2]) {
    let n = (region.x.len() * dst.lanes) as usize;
    for c in (0..dst.channels).step_by(dst.lanes as usize) {
        for y in region.y.start..region.y.end {
            // SAFETY: a row of `region` is inside both views, shifted in `src`, `lanes` f32s a pixel side by side, and they do not overlap.
            unsafe {
                let to = element(dst, c, y, region.x.start);
                let from = element(src, c, y + down, region.x.start + right);
                copy_strided::<P>(to, 1, from, 1, n);
            }
        }
    }
}

/// [`copy`] between different lanes: channel by channel, in chunks short enough that the lanes of a block meet in the cache.
///
/// # Safety
///
/// As for [`copy`].
unsafe fn copy_channels<P: Put>(dst: &View, src: &View, region: Region, [down, right]: [i64; 2]) {
    let block = dst.lanes.max(src.lanes);
    let (to_stride, from_stride) = (dst.lanes as usize, src.lanes as usize);
    for first in (0..dst.channels).step_by(block as usize) {
        let channels = first..(first + block).min(dst.channels);
        for y in region.y.start..region.y.end {
            for x in (region.x.start..region.x.end).step_by(CHUNK as usize) {
                let n = CHUNK.min(region.x.end - x) as usize;
                for c in channels.clone() {
                    // SAFETY: pixels `x..x + n` of the row are inside `region`, which both views cover.
                    unsafe {
                        let (to, from) = (element(dst, c, y, x), element(src, c, y + down, x + right));
                        copy_strided::<P>(to, to_stride, from, from_stride, n);
                    }
                }
            }
        }
    }
}

/// `n` values, `to_stride` and `from_stride` apart.
///
/// # Safety
///
/// The values read and those written are in memory of their own.
#[inline(always)]
unsafe fn copy_strided<P: Put>(
    to: *mut f32,
    to_stride: usize,
    from: *const f32,
    from_stride: usize,
    n: usize,
) {
    if P::PLAIN && to_stride == 1 && from_stride == 1 {
        // SAFETY: the caller's promise.
        unsafe { to.copy_from_nonoverlapping(from, n) };
        return;
    }
    for i in 0..n {
        // SAFETY: the caller's promise.
        unsafe {
            P::put(to.add(i * to_stride), from.add(i * from_stride).read());
        }
    }
}

/// Writes `value` wherever the view lies outside the extent, all lanes.
///
/// # Safety
///
/// The view may be written as far as its computed region goes.
pub(super) unsafe fn fill_outside(view: &View, value: f32) {
    let (all, valid) = (view.computed, view.valid);
    for c in (0..view.channels).step_by(view.lanes as usize) {
        for y in all.y.start..all.y.end {
            let inside = !valid.is_empty() && valid.y.start <= y && y < valid.y.end;
            let (left, right) = if inside {
                (Interval::new(all.x.start, valid.x.start), Interval::new(valid.x.end, all.x.end))
            } else {
                (all.x, Interval::default())
            };
            for part in [left, right] {
                // SAFETY: `part` is empty or inside `computed`.
                unsafe { fill_row(view, c, y, part, value) };
            }
        }
    }
}

/// Writes `value` into pixels `x` of one row, if there are any, all lanes of one block.
///
/// # Safety
///
/// The view may be written there.
pub(super) unsafe fn fill_row(view: &View, c: i64, y: i64, x: Interval, value: f32) {
    if x.is_empty() {
        return;
    }
    // SAFETY: the pixels are in the view, `lanes` values each, side by side.
    unsafe {
        let row = element(view, c, y, x.start);
        std::slice::from_raw_parts_mut(row, (x.len() * view.lanes) as usize).fill(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory with the view that lies in it.
    struct Image {
        _values: Vec<f32>,
        view: View,
    }

    fn image(channels: i64, lanes: i64, computed: Region, extent: Region) -> Image {
        let (h, w) = (computed.y.len(), computed.x.len());
        let blocks = (channels as u64).div_ceil(lanes as u64) as i64;
        let mut values = vec![-7.0; (blocks * h * w * lanes) as usize];
        let mut view = View::new(channels as u64, lanes as u32, [h as u64, w as u64], extent);
        view.ptr = values.as_mut_ptr();
        view.place_rows(computed.y, computed.y, Interval::default());
        view.place_columns(computed.x, Interval::default());
        Image { _values: values, view }
    }

    fn region(y: (i64, i64), x: (i64, i64)) -> Region {
        Region { y: Interval::new(y.0, y.1), x: Interval::new(x.0, x.1) }
    }

    fn get(i: &Image, c: i64, y: i64, x: i64) -> f32 {
        // SAFETY: tests ask for covered elements only.
        unsafe { *element(&i.view, c, y, x) }
    }

    fn value(c: i64, y: i64, x: i64) -> f32 {
        (c * 10_000 + y * 100 + x) as f32
    }

    fn tensor(channels: i64, lanes: i64, extent: Region) -> Image {
        let t = image(channels, lanes, extent, extent);
        for c in 0..channels {
            for y in 0..extent.y.end {
                for x in 0..extent.x.end {
                    // SAFETY: the element is in the tensor.
                    unsafe { *element(&t.view, c, y, x) = value(c, y, x) };
                }
            }
        }
        t
    }

    #[test]
    fn a_load_copies_the_valid_part_and_fills_the_rest() {
        let extent = region((0, 9), (0, 70));
        for (lanes, buffer_lanes) in [(1, 1), (1, 16), (16, 16), (16, 1), (4, 16), (16, 2), (8, 4)] {
            for channels in [1, 3, 16, 19, 32] {
                for outside in [None, Some(0.5)] {
                    let src = tensor(channels, lanes, extent);
                    let tile = region((-2, 11), (-3, 75));
                    let mut dst = image(channels, buffer_lanes, tile, extent);
                    dst.view.outside = outside;
                    // SAFETY: both views are over vectors of their sizes.
                    unsafe { load(&dst.view, &src.view) };
                    for (c, y, x) in (0..channels)
                        .flat_map(|c| (tile.y.start..tile.y.end).map(move |y| (c, y)))
                        .flat_map(|(c, y)| (tile.x.start..tile.x.end).map(move |x| (c, y, x)))
                    {
                        let inside = (0..9).contains(&y) && (0..70).contains(&x);
                        let want = if inside { value(c, y, x) } else { outside.unwrap_or(-7.0) };
                        assert_eq!(get(&dst, c, y, x), want, "{lanes} → {buffer_lanes}: {c} {y} {x}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_load_beside_the_tensor_only_fills() {
        let extent = region((0, 4), (0, 4));
        let src = tensor(3, 1, extent);
        let mut dst = image(3, 4, region((6, 8), (1, 3)), extent);
        dst.view.outside = Some(9.0);
        // SAFETY: both views are over vectors of their sizes.
        unsafe { load(&dst.view, &src.view) };
        assert_eq!(get(&dst, 2, 7, 2), 9.0);
    }

    #[test]
    fn a_store_writes_the_owned_part_with_canonical_nans() {
        let extent = region((0, 8), (0, 8));
        for (lanes, tensor_lanes) in [(16, 1), (16, 16), (1, 1), (1, 16)] {
            let dst = tensor(5, tensor_lanes, extent);
            let mut src = image(5, lanes, region((2, 8), (1, 7)), extent);
            src.view.owned = region((3, 5), (2, 6));
            // SAFETY: the pixel is in the buffer.
            unsafe { *element(&src.view, 4, 4, 5) = f32::from_bits(0xffc1_2345) };
            // SAFETY: both views are over vectors of their sizes.
            unsafe { store(&dst.view, &src.view, Element::F32) };
            assert_eq!(get(&dst, 4, 4, 5).to_bits(), 0x7fc0_0000);
            assert_eq!(get(&dst, 4, 4, 4), -7.0);
            assert_eq!(get(&dst, 4, 5, 4), value(4, 5, 4));
            assert_eq!(get(&dst, 4, 4, 6), value(4, 4, 6));
        }
    }
}
