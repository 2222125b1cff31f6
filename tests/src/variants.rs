//! Programs that compute the same as a given one, and that the pipeline never makes.

use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::Value;
use zellige_runtime::program::instr::{AxisId, ConvDw, Map, Operand};
use zellige_runtime::program::{
    AccumulatorId, Axis, Buffer, BufferId, Instr, Interval, Program, Queue, Role, Scheduled, Section, Steps,
    Token, sample,
};

/// A change that keeps what is computed.
pub struct Variant {
    /// What it does.
    pub name: &'static str,
    /// Does it; `None` where the program has nothing to do it to.
    pub apply: fn(&Program, &mut Rng) -> Option<Program>,
}

/// All of them.
pub const VARIANTS: &[Variant] = &[
    Variant { name: "buffers moved", apply: moved },
    Variant { name: "instructions reordered", apply: reordered },
    Variant { name: "loads enlarged", apply: enlarged },
    Variant { name: "tables written out", apply: written_out },
    Variant { name: "tables with other periods", apply: other_periods },
    Variant { name: "entries renumbered", apply: renumbered },
    Variant { name: "epilogues split off", apply: split },
    Variant { name: "rows kept in rings", apply: kept },
    Variant { name: "instructions repeated", apply: repeated },
    Variant { name: "values outside where nobody reads", apply: filled },
    Variant { name: "running sums left out", apply: summed_at_once },
    Variant { name: "tensors kept tile by tile", apply: in_blocks },
];

/// Each instruction waits for the one before it, and the first of a tile for the last of the tile before: the order of the body.
pub fn in_order(program: &mut Program) {
    for section in &mut program.sections {
        let n = section.body.len();
        for (i, scheduled) in section.body.iter_mut().enumerate() {
            scheduled.signal = Some(Token(i as u32));
            scheduled.wait = i.checked_sub(1).map(|before| Token(before as u32)).into_iter().collect();
            scheduled.wait_previous = if i == 0 { vec![Token(n as u32 - 1)] } else { Vec::new() };
        }
    }
}

/// Buffers apart from one another, in random order and with gaps.
fn moved(program: &Program, rng: &mut Rng) -> Option<Program> {
    let mut program = program.clone();
    place(&mut program, rng);
    Some(program)
}

fn place(program: &mut Program, rng: &mut Rng) {
    for section in &mut program.sections {
        let mut order: Vec<usize> = (0..section.buffers.len()).collect();
        rng.shuffle(&mut order);
        let mut end = 0;
        for b in order {
            let buffer = &mut section.buffers[b];
            buffer.offset = end + 64 * rng.u64(0..3);
            end = (buffer.offset + buffer.bytes().expect("buffers of tests are small")).next_multiple_of(64);
        }
        let sums: Vec<u64> = section.running.iter().map(|r| running_bytes(section, r.acc)).collect();
        for (running, bytes) in section.running.iter_mut().zip(sums) {
            running.offset = end + 64 * rng.u64(0..3);
            end = (running.offset + bytes).next_multiple_of(64);
        }
        // Scratch and a block of weights lie behind the buffers.
        program.sram_bytes += end;
    }
    program.machine.sram = program.machine.sram.max(program.sram_bytes);
}

/// Bytes of the running sums of an accumulator.
fn running_bytes(section: &Section, acc: AccumulatorId) -> u64 {
    let bytes = section.body.iter().find_map(|scheduled| match &scheduled.instr {
        Instr::ConvDw(i) if i.acc == acc => {
            let channels = [i.x, i.dy].map(|b| section.buffers[b.index()].channels);
            ConvDw::running_bytes(channels, i.window.kernel, i.groups)
        }
        _ => None,
    });
    bytes.expect("what has running sums is filled with products")
}

/// Another order of the instructions that keeps which of those that touch the same bytes comes first.
fn reordered(program: &Program, rng: &mut Rng) -> Option<Program> {
    let mut new = program.clone();
    for section in &mut new.sections {
        let touched: Vec<_> = section.body.iter().map(|s| touched(section, &s.instr)).collect();
        let mut left: Vec<usize> = (0..section.body.len()).collect();
        let mut body = Vec::with_capacity(left.len());
        while !left.is_empty() {
            let conflict = |a: usize, b: usize| {
                let clash = |(x, x_writes): &(BufferId, bool), (y, y_writes): &(BufferId, bool)| {
                    (*x_writes || *y_writes) && share_bytes(section, *x, *y)
                };
                touched[a].iter().any(|x| touched[b].iter().any(|y| clash(x, y)))
            };
            let ready: Vec<usize> =
                (0..left.len()).filter(|&i| left[..i].iter().all(|&b| !conflict(b, left[i]))).collect();
            body.push(section.body[left.remove(ready[rng.usize(0..ready.len())])].clone());
        }
        section.body = body;
    }
    let same = |a: &Section, b: &Section| a.body.iter().map(|s| &s.instr).eq(b.body.iter().map(|s| &s.instr));
    let changed = !new.sections.iter().zip(&program.sections).all(|(a, b)| same(a, b));
    in_order(&mut new);
    changed.then_some(new)
}

/// Buffers that an instruction touches, and whether it writes them.
fn touched(section: &Section, instr: &Instr) -> Vec<(BufferId, bool)> {
    let instruction = instr.as_instruction();
    let reads = instruction.reads(AxisId::Y, Interval::new(0, 1));
    let mut touched: Vec<_> = reads.into_iter().map(|r| (r.buffer, false)).collect();
    touched.extend(instruction.writes().map(|b| (b, true)));
    touched.retain(|(b, _)| b.index() < section.buffers.len());
    touched
}

fn share_bytes(section: &Section, a: BufferId, b: BufferId) -> bool {
    let end = |b: &Buffer| b.offset + b.bytes().expect("buffers of tests are small");
    let (a, b) = (&section.buffers[a.index()], &section.buffers[b.index()]);
    a.offset < end(b) && b.offset < end(a)
}

/// Tiles that are loaded begin earlier and end later than they need to.
pub fn enlarged(program: &Program, rng: &mut Rng) -> Option<Program> {
    let mut program = program.clone();
    let mut changed = false;
    for section in &mut program.sections {
        let loaded: Vec<BufferId> = section
            .body
            .iter()
            .filter(|s| matches!(s.instr, Instr::Load(_)))
            .filter_map(|s| s.instr.as_instruction().writes())
            .filter(|b| !section.buffers[b.index()].ring)
            .collect();
        for b in loaded {
            changed = true;
            let more: [i64; 4] = std::array::from_fn(|_| rng.i64(0..4));
            let buffer = &mut section.buffers[b.index()];
            buffer.rows += (more[0] + more[2]) as u64;
            buffer.cols += (more[1] + more[3]) as u64;
            for (axis, [before, after]) in
                [(&mut section.y, [more[0], more[2]]), (&mut section.x, [more[1], more[3]])]
            {
                let table = &mut axis.buffers[b.index()].computed;
                *table = each(table, |i| Interval::new(i.start - before, i.end + after));
            }
        }
    }
    fit_blocks(&mut program);
    place(&mut program, rng);
    changed.then_some(program)
}

/// Tensors that are kept tile by tile get blocks that tiles fit, in memory that nothing else uses.
fn fit_blocks(program: &mut Program) {
    for tensor in &mut program.tensors {
        let Some(blocks) = &mut tensor.blocks else { continue };
        let section = &program.sections[blocks.section as usize];
        blocks.size = [&section.y, &section.x].map(|axis| {
            let covered = axis.buffers[blocks.buffer.index()].computed.iter().map(|i| i.len() as u64);
            covered.max().expect("a section has tiles")
        });
        if matches!(tensor.role, Role::Composite(_)) {
            tensor.role = Role::Composite(program.device_bytes);
            program.device_bytes += tensor.bytes().expect("tensors of tests are small").next_multiple_of(64);
        }
    }
}

/// A table with each of its intervals replaced.
fn each(table: &Steps, f: impl Fn(Interval) -> Interval) -> Steps {
    Steps::compress(&table.iter().map(f).collect::<Vec<_>>())
}

fn tables(program: &mut Program, mut f: impl FnMut(&mut Steps)) {
    for section in &mut program.sections {
        for axis in [&mut section.y, &mut section.x] {
            for buffer in &mut axis.buffers {
                f(&mut buffer.computed);
                f(&mut buffer.owned);
            }
        }
    }
}

/// Step tables without periods.
fn written_out(program: &Program, _: &mut Rng) -> Option<Program> {
    let mut program = program.clone();
    tables(&mut program, |table| {
        *table = Steps { prologue: table.iter().collect(), ..Steps::default() };
    });
    Some(program)
}

/// Step tables whose period begins later, ends earlier, or is several turns long.
fn other_periods(program: &Program, rng: &mut Rng) -> Option<Program> {
    let mut program = program.clone();
    let mut changed = false;
    tables(&mut program, |table| {
        let all: Vec<Interval> = table.iter().collect();
        let p = table.period.len();
        if table.repeats < 4 || p == 0 {
            return;
        }
        let (skipped, turns) = (rng.usize(0..2), rng.usize(1..3));
        let start = table.prologue.len() + skipped * p;
        let repeats = (table.repeats as usize - skipped) / turns;
        let end = start + repeats * turns * p;
        *table = Steps {
            prologue: all[..start].to_vec(),
            period: all[start..start + turns * p].to_vec(),
            advance: table.advance * turns as i64,
            repeats: repeats as u64,
            epilogue: all[end..].to_vec(),
        };
        assert_eq!(table.iter().collect::<Vec<_>>(), all, "a table written otherwise");
        changed = true;
    });
    changed.then_some(program)
}

/// Tensors, weights, expressions, accumulators and buffers in another order.
fn renumbered(program: &Program, rng: &mut Rng) -> Option<Program> {
    let mut new = program.clone();
    let mut orders = BTreeMap::new();
    for (sigil, n) in [
        ("@t", new.tensors.len()),
        ("@w", new.weights.len()),
        ("@e", new.expressions.len()),
        ("@a", new.accumulators.len()),
    ] {
        let mut order: Vec<usize> = (0..n).collect();
        rng.shuffle(&mut order);
        orders.insert(sigil, order);
    }
    // Outputs are given in the order of their tensors.
    let outputs = |order: &[usize]| {
        let is_output = |i: &&usize| program.tensors[**i].role == Role::Output;
        order.iter().filter(is_output).copied().collect::<Vec<_>>()
    };
    let mut sorted = outputs(&orders["@t"]);
    sorted.sort_unstable();
    let places: Vec<usize> =
        (0..new.tensors.len()).filter(|&i| program.tensors[orders["@t"][i]].role == Role::Output).collect();
    for (place, tensor) in places.into_iter().zip(sorted) {
        orders.get_mut("@t")?[place] = tensor;
    }
    new.tensors = permuted(&program.tensors, &orders["@t"]);
    new.weights = permuted(&program.weights, &orders["@w"]);
    new.expressions = permuted(&program.expressions, &orders["@e"]);
    new.accumulators = permuted(&program.accumulators, &orders["@a"]);
    for (s, section) in (0..).zip(&mut new.sections) {
        let mut order: Vec<usize> = (0..section.buffers.len()).collect();
        rng.shuffle(&mut order);
        for blocks in new.tensors.iter_mut().filter_map(|t| t.blocks.as_mut()).filter(|b| b.section == s) {
            let moved = order.iter().position(|&old| old == blocks.buffer.index())?;
            blocks.buffer = BufferId(moved as u32);
        }
        section.buffers = permuted(&section.buffers, &order);
        for axis in [&mut section.y, &mut section.x] {
            *axis = Axis { steps: axis.steps, buffers: permuted(&axis.buffers, &order) };
        }
        orders.insert("%b", order);
        let renamed = |value: Value| rename(value, &orders);
        let body = section.body.iter().map(|s| {
            let instr = serde_json::from_value(renamed(serde_json::to_value(&s.instr).ok()?)).ok()?;
            Some(Scheduled { instr, ..s.clone() })
        });
        section.body = body.collect::<Option<_>>()?;
        section.end = serde_json::from_value(renamed(serde_json::to_value(&section.end).ok()?)).ok()?;
        section.running =
            serde_json::from_value(renamed(serde_json::to_value(&section.running).ok()?)).ok()?;
    }
    for tensor in &mut new.tensors {
        tensor.role =
            serde_json::from_value(rename(serde_json::to_value(tensor.role).ok()?, &orders)).ok()?;
    }
    Some(new)
}

fn permuted<T: Clone>(items: &[T], order: &[usize]) -> Vec<T> {
    order.iter().map(|&i| items[i].clone()).collect()
}

/// A tree whose ids are those of the same entries in their new order.
fn rename(tree: Value, orders: &BTreeMap<&str, Vec<usize>>) -> Value {
    match tree {
        Value::String(text) => {
            let moved = text.split_at_checked(2).and_then(|(sigil, digits)| {
                let old: usize = digits.parse().ok()?;
                let new = orders.get(sigil)?.iter().position(|o| *o == old)?;
                Some(format!("{sigil}{new}"))
            });
            Value::String(moved.unwrap_or(text))
        }
        Value::Array(items) => items.into_iter().map(|item| rename(item, orders)).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, field)| (name, rename(field, orders))).collect()
        }
        other => other,
    }
}

/// Convolutions without their epilogues, which follow as instructions of their own, in place.
fn split(program: &Program, _: &mut Rng) -> Option<Program> {
    let mut program = program.clone();
    let mut changed = false;
    for section in &mut program.sections {
        let mut body = Vec::with_capacity(section.body.len());
        for mut scheduled in std::mem::take(&mut section.body) {
            let (epilogue, dst) = match &mut scheduled.instr {
                Instr::Conv2d(i) => (i.epilogue.take(), i.dst),
                Instr::ConvTranspose2d(i) => (i.epilogue.take(), i.dst),
                _ => (None, BufferId(0)),
            };
            body.push(scheduled);
            if let Some(epilogue) = epilogue {
                changed = true;
                let operands = [Operand::Buffer(dst)].into_iter().chain(epilogue.operands).collect();
                let instr = Instr::Map(Map { dst, operands, expr: epilogue.expr });
                body.push(Scheduled { instr, wait: Vec::new(), wait_previous: Vec::new(), signal: None });
            }
        }
        section.body = body;
    }
    in_order(&mut program);
    changed.then_some(program)
}

/// Sections that compute no row twice in a strip: each buffer keeps its rows, and a step writes those that are new.
pub fn kept(program: &Program, rng: &mut Rng) -> Option<Program> {
    let mut program = program.clone();
    let mut changed = false;
    for section in &mut program.sections {
        let in_place = section.body.iter().any(|s| {
            let dst = s.instr.as_instruction().writes();
            touched(section, &s.instr).iter().any(|(b, writes)| !writes && Some(*b) == dst)
        });
        let rows: Vec<Vec<Interval>> =
            section.y.buffers.iter().map(|t| t.computed.iter().collect()).collect();
        // Without gaps, too, of which there would be rows to compute that no step needs.
        let descends = |t: &Vec<Interval>| {
            t.is_sorted_by(|a, b| a.start <= b.start && a.end <= b.end && b.start <= a.end)
        };
        if in_place || section.y.steps < 2 || !rows.iter().all(descends) {
            continue;
        }
        changed = true;
        for (b, rows) in rows.iter().enumerate() {
            let mut end = rows[0].start;
            let new: Vec<Interval> =
                rows.iter().map(|r| Interval::new(std::mem::replace(&mut end, r.end), r.end)).collect();
            section.y.buffers[b].computed = Steps::compress(&new);
            section.buffers[b].ring = true;
        }
    }
    place(&mut program, rng);
    changed.then_some(program)
}

/// An instruction a second time, right after itself.
fn repeated(program: &Program, rng: &mut Rng) -> Option<Program> {
    let mut program = program.clone();
    let section = rng.usize(0..program.sections.len());
    let section = &mut program.sections[section];
    let again: Vec<usize> = (0..section.body.len())
        .filter(|&i| {
            let instruction = section.body[i].instr.as_instruction();
            let dst = instruction.writes();
            let in_place =
                touched(section, &section.body[i].instr).iter().any(|(b, w)| !w && Some(*b) == dst);
            instruction.queue() != Queue::Store && dst.is_some() && !in_place
        })
        .collect();
    let at = *again.get(rng.usize(0..again.len().max(1)))?;
    let copy = section.body[at].clone();
    section.body.insert(at, copy);
    in_order(&mut program);
    Some(program)
}

/// Buffers get a value outside their extent that had none.
fn filled(program: &Program, rng: &mut Rng) -> Option<Program> {
    let mut program = program.clone();
    let mut changed = false;
    for buffer in program.sections.iter_mut().flat_map(|s| &mut s.buffers) {
        if buffer.outside.is_none() {
            buffer.outside = Some(rng.f32());
            changed = true;
        }
    }
    changed.then_some(program)
}

/// Tensors that are loaded once cut into blocks, in memory or in files.
fn in_blocks(program: &Program, rng: &mut Rng) -> Option<Program> {
    let new = sample::in_blocks(program.clone(), rng.bool());
    (new.tensors != program.tensors).then_some(new)
}

/// Products added to their accumulators grain by grain.
fn summed_at_once(program: &Program, _: &mut Rng) -> Option<Program> {
    let mut program = program.clone();
    let running: usize = program.sections.iter_mut().map(|s| s.running.drain(..).len()).sum();
    (running > 0).then_some(program)
}
