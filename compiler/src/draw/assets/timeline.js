/** What lies in memory while the program runs: instructions from left to right, bytes from below. */

function memoryPanels() {
  const memory = data.memory;
  return [
    memoryPanel("SRAM of a worker", "Tile buffers over the instructions of a tile, section after section.", memory.sram, 300),
    memoryPanel("Device memory", "Composites between sections, weights, inputs and outputs.", memory.device, 220),
  ];
}

function memoryPanel(title, about, level, height) {
  const LEFT = 62;
  const TOP = 22;
  const chart = element("div", { class: "chart" });
  const note = element("p", { class: "hint" }, about);
  const legend = element("ul", { class: "legend" });
  const roles = { input: "read", intermediate: "intermediate", output: "written", summed: "summed", fixed: "weights and scratch" };
  for (const [role, text] of Object.entries(roles)) {
    if (!level.blocks.some((b) => b.role === role)) continue;
    legend.append(element("li", {}, element("i", { class: `swatch ${role}`, style: "background: var(--role)" }), text));
  }
  const head = element("div", { class: "tools" }, element("h2", {}, title), legend);
  const card = element("section", { class: "card" }, head, note, chart);
  const columns = data.memory.columns;
  const spans = data.memory.sections;

  // A budget far above what is used would leave nothing to be seen.
  const near = level.budget <= level.used * 1.6;
  const top = near ? Math.max(level.budget, level.used) : level.used;
  const y = (bytes) => TOP + 14 + (height - TOP - 14) * (1 - bytes / Math.max(1, top));

  const draw = () => {
    const room = Math.max(240, chart.clientWidth || 700) - LEFT - 8;
    const wide = Math.max(room / columns.length, 14);
    const width = LEFT + wide * columns.length + 8;
    const x = (column) => LEFT + wide * column;
    const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    for (const [name, value] of Object.entries({ class: "picture", viewBox: `0 0 ${width} ${height + 8}`, height: height + 8 })) {
      picture.setAttribute(name, value);
    }
    picture.style.width = `${width}px`;
    bands(picture, x);
    scale(picture, width);
    for (const block of level.blocks) paint(picture, block, x);
    budget(picture, width);
    chart.replaceChildren(picture);
  };

  const bands = (picture, x) => spans.forEach(([from, to], i) => {
    const here = i === looking.section;
    const style = `fill: var(${here ? "--picked" : i % 2 ? "--card" : "--hover"})`;
    const band = shape(picture, "rect", { x: x(from), y: TOP - 6, width: x(to) - x(from), height: height - TOP + 6, style });
    band.style.cursor = "pointer";
    band.addEventListener("click", () => look(i, 0));
    const name = data.sections[i].name;
    if (here || x(to) - x(from) > 7 * name.length + 4) {
      shape(picture, "text", { x: (x(from) + x(to)) / 2, y: 11, "text-anchor": "middle", class: here ? "accent" : "" }, name);
    }
  });

  const scale = (picture, width) => {
    const unit = [1, 1024, 1024 ** 2, 1024 ** 3, 1024 ** 4].filter((u) => u <= Math.max(1, top)).pop();
    const suffix = ["B", "KiB", "MiB", "GiB", "TiB"][Math.round(Math.log2(unit) / 10)];
    const rough = top / unit / 4;
    const magnitude = 10 ** Math.floor(Math.log10(Math.max(rough, 1e-9)));
    const pace = [1, 2, 2.5, 5, 10].map((f) => f * magnitude).find((f) => f >= rough) * unit;
    for (let bytes = 0; bytes <= top; bytes += pace) {
      shape(picture, "path", { d: `M${LEFT} ${y(bytes)}H${width - 8}`, style: "stroke: var(--grid)" });
      const value = Math.round(bytes / unit * 100) / 100;
      shape(picture, "text", { x: LEFT - 7, y: y(bytes) + 4, "text-anchor": "end" }, `${value} ${suffix}`);
    }
  };

  const paint = (picture, block, x) => {
    const [from, to] = block.columns;
    const frame = {
      x: x(from) + 0.5, y: y(block.offset + block.bytes) + 0.25, width: Math.max(1, x(to) - x(from) - 1),
      height: Math.max(0.8, y(block.offset) - y(block.offset + block.bytes) - 0.5),
    };
    const group = shape(picture, "g", { class: block.role });
    const rounding = Math.min(3, frame.height / 3);
    shape(group, "rect", { ...frame, rx: rounding, style: "fill: var(--role); fill-opacity: 0.55; stroke: var(--role)" });
    const size = 6.6 * block.name.length + 8;
    if (size < frame.width && frame.height > 12) {
      const at = { x: frame.x + frame.width / 2, y: frame.y + frame.height / 2 + 4, "text-anchor": "middle", class: "strong" };
      shape(group, "text", at, block.name);
    }
    const during = to - from > 1 ? `from ${columns[from].label}\nto ${columns[to - 1].label}` : `during ${columns[from].label}`;
    explain(group, `${block.name}: ${block.text} at ${grouped(block.offset)}\n${during}`);
    group.style.cursor = "pointer";
    group.addEventListener("click", () => {
      const section = columns[from].section;
      look(section, data.sections[section].tensors.findIndex((t) => t.name === block.name));
    });
  };

  const budget = (picture, width) => {
    const at = near ? y(level.budget) : TOP + 4;
    shape(picture, "path", {
      d: `M${LEFT} ${at}H${width - 8}`, style: "stroke: var(--accent); stroke-width: 1.8; stroke-dasharray: 7 4",
    });
    const ratio = level.budget / Math.max(1, level.used);
    const times = ratio < 10 ? ratio.toFixed(1) : grouped(Math.round(ratio));
    const text = `budget ${level.budget_text}` + (near ? "" : `: ${times} times what is used`);
    const size = 6.8 * text.length;
    shape(picture, "rect", { x: width - 14 - size, y: at - 9, width: size + 8, height: 17, rx: 4, style: "fill: var(--card)" });
    shape(picture, "text", { x: width - 10, y: at + 4, "text-anchor": "end", class: "accent" }, text);
  };

  views.push(draw);
  window.addEventListener("resize", draw);
  return card;
}
