//! Programs of the Zellige dataflow unit, and the engines that run them.
//!
//! The crate is usable without the compiler: a [`program::Program`] is read from its binary form, verified, and run
//! by an [`engine::Executable`]. Imports run one way:
//!
//! ```text
//! scalar → program → { kernels, jit, io } → engine
//! random → { kernels, jit }
//! exact, random → optimizer
//! io, random, optimizer → { dataset, checkpoint, curve }
//! ```
//!
//! The last lines are for training: what happens between the gradients of one step and the inputs of the next.
//!
//! # The canonical order
//!
//! Arithmetic is part of each instruction's definition: every kernel and the JIT produce the same bits, whatever the
//! tiling. All values are IEEE binary32 unless said otherwise, rounded to nearest even; denormals are kept.
//!
//! * **conv2d** — for output channel `o` of group `g`, pixel `(y, x)`:
//!   `acc = bias[o]` (or `+0`), then `acc = fma(v, w, acc)` over the group's input channels in blocks of 16 and, within
//!   a block, over kernel rows, kernel columns, and channels, all ascending. A tap outside the tensor has `v = +0`.
//! * **conv_transpose2d** — the same order in gather form: taps whose position is not a multiple of the stride are
//!   skipped; a tap outside the tensor has `v = +0`.
//! * **max pool** — `acc = −∞`, then `acc = if v > acc or v is NaN { v } else { acc }` in raster order over the taps inside
//!   the tensor.
//! * **average pool** — `acc = +0`, then `acc = acc + v` in raster order over the taps inside the tensor, then
//!   `acc / n` with `n` the number of taps that the definition counts.
//! * **resize** — along each axis, output `o` lies at `s = (o · num + offset) / den`, an exact rational, among the source's
//!   pixels; `i = ⌊s⌋`, `f` is `s − i` rounded once, `g = 1 − f`. Taps and their weights, products from the left:
//!   *nearest* `i`, with no weight; *linear* `i: g, i + 1: f`; *cubic* `i − 1: −0.75 · f · g · g, i: p(f), i + 1: p(g),
//!   i + 2: −0.75 · g · f · f`, where `p(t) = fma(fma(1.25, t, −2.25), t · t, 1)`. A tap outside the tensor is the pixel at the
//!   border. Columns first: for each row tap `r = w · v` for the first column tap, then `r = fma(w, v, r)`, ascending; then
//!   `acc = w · r` for the first row tap, then `acc = fma(w, r, acc)`, ascending.
//! * **max pool's gradient** — the maximum of a window is at the last NaN among its taps inside the tensor, or else at the first, in
//!   raster order, of the largest. `acc = +0`, then `acc = acc + dy[o]` in raster order over the windows `o` whose maximum is at the pixel.
//! * **adjoint**, the gradient of what is linear along rows and columns — along each axis, output `o` has taps at inputs: of *resize* those
//!   above with their weights, 1 for *nearest*; of an *average* the taps inside the tensor, each `1 / n`; of *padding* the pixel that stands
//!   there, with 1. For each row of the outputs `row = +0`, then `row = fma(w, dy[o], row)` over the taps that are at the pixel's column;
//!   then `acc = +0`, `acc = fma(w, row, acc)` over those at its row: outputs ascending, and the taps of one.
//! * **statistics over space** — per grain of 8 × 8 pixels of the tensor's own grid, in f64 and raster order from `+0` on,
//!   `s = s + x` and `q = q + x · x` (the product is exact). `S` and `Q` are the exact sums of `s` and `q` over all grains, of one
//!   channel or of a group of channels, of each image or of all images together, each rounded to f64 once; `n` is the number of
//!   values. In f64, rounded to f32 at the end:
//!   * sum: `S`;
//!   * mean: `m = S / n`;
//!   * what rounding takes from the mean: `m − f64(f32(m))`;
//!   * variance: `v = Q / n − m · m`, and 0 where `v < 0`;
//!   * maximum: the largest value, a NaN if there is one, and `+0` rather than `−0`.
//! * **fold** — over the values v₀, v₁, … along one axis, ascending, an f64 chain: `acc = +0`, then `acc = acc + v` (or `acc + v·v`,
//!   whose product is exact), divided by their number for a mean, and rounded to f32 once. The maximum is that of a max pool.
//!   The position of the maximum: `best = v₀, at = 0`, then `best = v, at = i` where `v > best`, or v is NaN and best is not.
//! * **matmul** — `acc = +0`, then `acc = fma(a[y, k], b[k, x], acc)` over k, ascending.
//! * **conv_dw**, the gradient of a convolution's weights — over the grains of `dy`, 8 × 32 pixels of its own grid, of all images:
//!   per grain, weight and in f32 `acc = +0`, then `acc = fma(v, dy[o, y, x], acc)` in raster order over the pixels of the grain inside
//!   the tensor, with `v` what the weight's tap reads of input channel `i` for that pixel, `+0` outside the tensor; pixels that a tap of a
//!   transposed convolution does not reach are skipped. The gradient is the exact sum of `acc` over all grains, rounded to f32 once. NaN if
//!   an `acc` is NaN or there are infinities of both signs, an infinity if there are some of one sign.
//! * **dropout** — `src · m` with `m = +0` where `u < dropped`, else `m = scale`. `u` is the upper 24 bits of word `x mod 4` of the bits
//!   that Philox4x32-10 has under the stream's key for `[n, c, y, ⌊x / 4⌋]`, each modulo 2³² and in the tensor's coordinates. The stream's
//!   key is words 0 and 1 of the bits for `[image, 0, op, 2³² − 1]` under the key that the program is given as four numbers of 16 bits,
//!   the lowest first ([`random::Key`]).
//! * **elementwise** — an [`scalar::Expr`], evaluated as written.
//! * **store_rmw**, where tiles that overlap are added up in device memory — `s = v` for the first tile in the order of colours that owns
//!   the element, then `s = s + v` for the others in that order.
//! * **stores** replace every NaN by the canonical one (`7fc00000`).

pub mod checkpoint;
pub mod curve;
pub mod dataset;
pub mod engine;
pub mod exact;
pub mod io;
mod jit;
mod kernels;
pub mod machine;
pub mod memory;
pub mod optimizer;
pub mod program;
pub mod random;
pub mod scalar;
#[cfg(test)]
mod testing;
pub mod weights;
