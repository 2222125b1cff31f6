/** The tiling of a tensor over its extent. Each axis is cut at all places where something begins or ends. */

/** The cells of an axis: from and to in pixels of the tensor, and what is there. */
function axisCells(axis, extent, border) {
  const cells = [];
  axis.stretches.forEach((stretch, index) => {
    const own = stretch.filter((s) => !s.ghost);
    let from = Math.min(...own.map((s) => s.computed[0]));
    let to = Math.max(...own.map((s) => s.computed[1]));
    if (index === 0) from = Math.min(from, 0);
    if (index === axis.stretches.length - 1) to = Math.max(to, extent);
    const cuts = new Set([from, to]);
    const cut = (at) => { if (at > from && at < to) cuts.add(at); };
    for (const step of stretch) [...step.computed, ...(step.owned || [])].forEach(cut);
    [0, extent, -border[0], extent + border[1]].forEach(cut);
    const places = [...cuts].sort((a, b) => a - b);
    // Steps of a ring may add nothing; something has to be pointed at all the same.
    if (places.length < 2) places.push(places[0]);
    for (let i = 0; i + 1 < places.length; i++) {
      const [a, b] = [places[i], places[i + 1]];
      const inside = a >= 0 && b <= extent;
      cells.push({
        a, b, inside, stretch: index,
        reset: !inside && a >= -border[0] && b <= extent + border[1],
        cover: stretch.filter((s) => s.computed[0] <= a && b <= s.computed[1]).length,
      });
    }
  });
  return cells;
}

/** Gives each cell its place: in proportion, but wide enough to be seen. Gives the length of it all. */
function layCells(cells, room, gap, scale) {
  const least = Math.max(2, Math.min(9, room / cells.length / 1.6));
  let at = 0;
  cells.forEach((cell, i) => {
    if (i && cells[i - 1].stretch !== cell.stretch) at += gap;
    cell.at = at;
    cell.size = Math.max(least, (cell.b - cell.a) * scale);
    at += cell.size;
  });
  return at;
}

/** The scale at which the cells fill the room. */
function fillingScale(cells, room, gap) {
  let [low, high] = [0, room];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (layCells(cells, room, gap, middle) > room) high = middle; else low = middle;
  }
  return low;
}

/** Where a coordinate lies in a stretch. */
function placeOf(cells, stretch, coordinate) {
  const own = cells.filter((c) => c.stretch === stretch);
  for (const cell of own) {
    if (coordinate <= cell.a) return cell.at;
    if (coordinate <= cell.b) return cell.at + cell.size * (coordinate - cell.a) / (cell.b - cell.a);
  }
  const last = own[own.length - 1];
  return last.at + last.size;
}

function tilingPanel() {
  const LEFT = 52;
  const TOP = 34;
  const GAP = 30;
  const names = element("ul", { class: "tensors" });
  const facts = element("p", { class: "facts" });
  const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  picture.setAttribute("class", "picture");
  const readout = element("p", { class: "readout", "aria-live": "polite" });
  const legend = element("ul", { class: "legend" });
  const heading = element("h2", {}, "Tiling");
  const hint = element("p", { class: "hint" });
  const right = element("div", {}, facts, picture, readout, legend, hint);
  const card = element("section", { class: "card" }, heading, element("div", { class: "tiling" }, names, right));
  const step = [1, 1];
  let focus = () => {};

  const draw = () => {
    const section = data.sections[looking.section];
    const tensor = section.tensors[looking.tensor];
    heading.textContent = `Tiling in ${section.name}`;
    picture.replaceChildren();
    names.replaceChildren(...section.tensors.map((t, i) => {
      const kind = t.role + (t.fused ? " fused" : "") + (i === looking.tensor ? " picked" : "");
      const button = element("button", { type: "button", class: kind },
        element("i"), element("b", {}, `%${t.name}`), element("small", {}, [t.fused ? "fused" : t.role, t.tile, ...(t.kept ? ["kept"] : [])].join(", ")));
      button.addEventListener("click", () => look(looking.section, i));
      return element("li", {}, button);
    }));
    if (!tensor) return;
    facts.replaceChildren();
    for (const [key, value] of [["", tensor.shape], ...tensor.facts]) {
      facts.append(element("span", {}, `${key} `, element("b", {}, value)));
    }
    if (tensor.kept) facts.append(element("b", {}, "kept for the backward pass"));
    paint(tensor);
  };

  const paint = (tensor) => {
    const [t, l, b, r] = tensor.border;
    const axes = tensor.axes;
    const rows = axisCells(axes[0], tensor.extent[0], [t, b]);
    const columns = axisCells(axes[1], tensor.extent[1], [l, r]);
    const width = Math.max(260, picture.parentElement.clientWidth || 560);
    const room = [400, width - LEFT - 14];
    const scales = [fillingScale(rows, room[0], GAP), fillingScale(columns, room[1], GAP)];
    const common = Math.min(...scales);
    // One scale for both axes, unless one of them would be too small to be read.
    const used = [common, common];
    const lengths = [rows, columns].map((cells, i) => {
      const length = layCells(cells, room[i], GAP, common);
      used[i] = length >= room[i] * 0.6 ? common : Math.min(scales[i], common * 8);
      return layCells(cells, room[i], GAP, used[i]);
    });
    hint.textContent = distortion(used);
    const height = TOP + lengths[0] + 14;
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    picture.setAttribute("height", height);
    pattern(picture);
    const sheet = shape(picture, "g", { transform: `translate(${LEFT} ${TOP})`, class: tensor.role });
    for (const row of rows) for (const column of columns) cell(sheet, row, column);
    extent(sheet, tensor, rows, columns);
    outlines(sheet, tensor, rows, columns);
    ticks(sheet, rows, 0);
    ticks(sheet, columns, 1);
    breaks(sheet, rows, columns, lengths);
    explainMarks(tensor, rows, columns);
    pointing(sheet, tensor, rows, columns, lengths);
  };

  const distortion = ([row, column]) => {
    const [large, small, ratio] = row > column ? ["Rows", "columns", row / column] : ["Columns", "rows", column / row];
    const stretched = ratio > 1.05 ? `${large} are drawn ${ratio.toFixed(1)} times as large as ${small}. ` : "";
    return `${stretched}Narrow bands are widened so that they can be seen.`;
  };

  const pattern = (parent) => {
    const defs = shape(parent, "defs", {});
    const hatch = shape(defs, "pattern", {
      id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)",
    });
    shape(hatch, "rect", { width: 6, height: 6, style: "fill: var(--card)" });
    shape(hatch, "rect", { width: 2.2, height: 6, style: "fill: var(--accent)", opacity: "0.75" });
  };

  const SHADES = ["0", "0.2", "0.42", "0.62", "0.8"];
  const cell = (sheet, row, column) => {
    const cover = row.cover * column.cover;
    if (!cover) return;
    const frame = { x: column.at, y: row.at, width: column.size, height: row.size };
    if (row.inside && column.inside) {
      shape(sheet, "rect", { ...frame, style: `fill: var(--role); fill-opacity: ${SHADES[Math.min(cover, 4)]}` });
    } else if ((row.inside || row.reset) && (column.inside || column.reset)) {
      shape(sheet, "rect", { ...frame, fill: "url(#hatch)" });
    } else {
      shape(sheet, "rect", { ...frame, style: "fill: var(--fixed); fill-opacity: 0.22" });
    }
  };

  /** The true extent, as far as it is drawn: around the cells that are inside. */
  const extent = (sheet, tensor, rows, columns) => {
    const span = (cells) => {
      const inside = cells.filter((c) => c.inside);
      const last = inside[inside.length - 1];
      return inside.length ? [inside[0].at, last.at + last.size] : [0, 0];
    };
    const [[top, bottom], [left, right]] = [span(rows), span(columns)];
    shape(sheet, "rect", {
      x: left, y: top, width: right - left, height: bottom - top,
      style: "fill: none; stroke: var(--ink); stroke-width: 1.8",
    });
  };

  /** Calls with each step of an axis that is drawn whole: the step, its stretch, and from where to where it goes. */
  const each = (axis, cells, call) => axis.stretches.forEach((stretch, index) => {
    for (const s of stretch.filter((s) => !s.ghost)) {
      call(s, index, placeOf(cells, index, s.computed[0]), placeOf(cells, index, s.computed[1]));
    }
  });

  const outlines = (sheet, tensor, rows, columns) => {
    const group = shape(sheet, "g", { style: "fill: none; stroke: var(--role); stroke-width: 0.8", opacity: "0.9" });
    each(tensor.axes[0], rows, (y, _a, top, bottom) => each(tensor.axes[1], columns, (x, _b, left, right) => {
      shape(group, "rect", { x: left + 0.5, y: top + 0.5, width: Math.max(0, right - left - 1), height: Math.max(0, bottom - top - 1) });
    }));
  };

  /** Coordinates at the places where steps begin and the extent ends, as long as there is room. */
  const ticks = (sheet, cells, axis) => {
    const places = new Map();
    for (const c of cells) {
      if (!places.has(c.at)) places.set(c.at, c.a);
      places.set(c.at + c.size, c.b);
    }
    let free = -Infinity;
    const label = (at, value) => {
      const need = axis ? 7 * String(value).length + 8 : 13;
      if (at - free < need) return;
      free = at;
      const end = axis ? { x: at, y: -10, "text-anchor": "middle" } : { x: -8, y: at + 4, "text-anchor": "end" };
      shape(sheet, "text", end, grouped(value));
      const line = axis ? `M${at} -6V-2` : `M-5 ${at}H-2`;
      shape(sheet, "path", { d: line, style: "stroke: var(--soft)" });
    };
    for (const [at, value] of [...places].sort((a, b) => a[0] - b[0])) label(at, value);
  };

  /** Where steps are left out. */
  const breaks = (sheet, rows, columns, lengths) => {
    const gaps = (cells) => cells.slice(1).flatMap((c, i) => (c.stretch !== cells[i].stretch ? [c.at - GAP / 2] : []));
    const dots = (at, vertical) => {
      for (const d of [-5, 0, 5]) {
        for (const across of vertical ? [lengths[1] / 2] : [lengths[0] / 2]) {
          const [cx, cy] = vertical ? [across, at + d] : [at + d, across];
          shape(sheet, "circle", { cx, cy, r: 1.6, style: "fill: var(--soft)" });
        }
      }
    };
    for (const at of gaps(rows)) dots(at, true);
    for (const at of gaps(columns)) dots(at, false);
  };

  const explainMarks = (tensor, rows, columns) => {
    const most = Math.max(...rows.map((c) => c.cover)) * Math.max(...columns.map((c) => c.cover));
    const items = [];
    const mark = (style, text) => {
      const box = element("i", { class: `swatch ${tensor.role}`, style });
      items.push(element("li", {}, box, text));
    };
    const shade = (n) => `background: color-mix(in srgb, var(--role) ${100 * SHADES[n]}%, transparent)`;
    mark(shade(1), "in one tile");
    if (most >= 2) mark(shade(2), "in two: overlap");
    if (most >= 3) mark(shade(4), most > 4 ? "in four and more" : "in four");
    if (tensor.outside) mark("background: repeating-linear-gradient(45deg, var(--accent) 0 2px, transparent 2px 5px)", tensor.outside);
    const beyond = [...rows, ...columns].some((c) => c.cover && !c.inside && !c.reset);
    if (beyond) mark("background: color-mix(in srgb, var(--fixed) 30%, transparent)", "outside: does not matter");
    mark("border: 2px solid var(--ink)", "extent");
    mark("border: 2px solid var(--accent)", "step pointed at");
    if (tensor.axes[0].stretches[0][0].kept !== null) mark("border: 2px dotted var(--accent)", "rows kept in the ring");
    if (tensor.axes[0].stretches[0][0].owned) mark("border: 2px dashed var(--accent)", "what it owns");
    legend.replaceChildren(...items);
  };

  const find = (axis, i) => {
    for (let index = 0; index < axis.stretches.length; index++) {
      const found = axis.stretches[index].find((s) => !s.ghost && s.i === i);
      if (found) return [found, index];
    }
    return [axis.stretches[0][0], 0];
  };

  const pointing = (sheet, tensor, rows, columns, lengths) => {
    const marks = shape(sheet, "g", { style: "pointer-events: none" });
    focus = () => {
      marks.replaceChildren();
      const [[y, sy], [x, sx]] = [find(tensor.axes[0], step[0]), find(tensor.axes[1], step[1])];
      const frame = (ys, xs, style) => {
        const [top, bottom] = ys.map((v) => placeOf(rows, sy, v));
        const [left, right] = xs.map((v) => placeOf(columns, sx, v));
        shape(marks, "rect", { x: left, y: top, width: right - left, height: bottom - top, style });
      };
      if (y.kept !== null && y.kept < y.computed[0]) {
        frame([y.kept, y.computed[0]], x.computed,
          "fill: var(--accent); fill-opacity: 0.22; stroke: var(--accent); stroke-width: 1.2; stroke-dasharray: 1.5 2.5");
      }
      frame(y.computed, x.computed, "fill: var(--accent); fill-opacity: 0.10; stroke: var(--accent); stroke-width: 2.4");
      if (y.owned && x.owned) {
        frame(y.owned, x.owned, "fill: none; stroke: var(--accent); stroke-width: 1.6; stroke-dasharray: 5 3");
      }
      describe(tensor, y, x);
    };
    const pad = shape(sheet, "rect", { width: lengths[1], height: lengths[0], style: "fill: transparent" });
    pad.addEventListener("pointermove", (event) => {
      const box = picture.getBoundingClientRect();
      const ratio = box.width / picture.viewBox.baseVal.width;
      const [px, py] = [(event.clientX - box.left) / ratio - LEFT, (event.clientY - box.top) / ratio - TOP];
      const nearest = (axis, cells, at) => {
        let best = [Infinity, 0];
        each(axis, cells, (s, _i, from, to) => {
          const distance = Math.abs(at - (from + to) / 2);
          if (distance < best[0]) best = [distance, s.i];
        });
        return best[1];
      };
      step[0] = nearest(tensor.axes[0], rows, py);
      step[1] = nearest(tensor.axes[1], columns, px);
      focus();
    });
    focus();
  };

  const describe = (tensor, y, x) => {
    const span = ([a, b]) => `${grouped(a)}..${grouped(b)}`;
    const length = ([a, b]) => b - a;
    const within = (s, extent) => [Math.max(0, s.computed[0]), Math.min(extent, s.computed[1])];
    const valid = [within(y, tensor.extent[0]), within(x, tensor.extent[1])];
    const parts = [
      element("b", {}, `Step ${y.i}, ${x.i}`), ` of ${grouped(tensor.axes[0].count)} × ${grouped(tensor.axes[1].count)}: `,
      `rows ${span(y.computed)}, columns ${span(x.computed)}: ${length(y.computed)} × ${length(x.computed)} pixels`,
    ];
    const inside = valid.map((v) => Math.max(0, length(v)));
    if (inside[0] !== length(y.computed) || inside[1] !== length(x.computed)) {
      parts.push(`, ${inside[0]} × ${inside[1]} of them inside`);
    }
    if (y.kept !== null && y.kept < y.computed[0]) parts.push(`; keeps rows ${span([y.kept, y.computed[0]])} in the ring`);
    if (y.owned && x.owned) parts.push(`; owns rows ${span(y.owned)}, columns ${span(x.owned)}`);
    readout.replaceChildren(...parts, ".");
  };

  views.push(draw);
  window.addEventListener("resize", draw);
  return card;
}
