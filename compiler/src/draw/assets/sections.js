/** The list of sections, above the views of one of them. */
if (data.sections.length) {
  const known = data.sections.some((s) => s.cost);
  const trains = data.sections.some((s) => s.direction);
  const heads = ["section", ...(trains ? ["pass"] : []), "tile", "grid", "overlap", "SRAM"];
  if (known) heads.push("work", "traffic", "modelled time");
  heads.push("ops");
  const numbers = new Set(["tile", "grid", "SRAM", "work", "traffic"]);
  const head = element("tr", {});
  for (const name of heads) head.append(element("th", numbers.has(name) ? { class: "number" } : {}, name));

  const longest = Math.max(...data.sections.map((s) => (s.cost ? s.cost.seconds : 0)));
  const body = element("tbody");
  const rows = data.sections.map((section, index) => {
    const cost = section.cost || {};
    const cells = {
      section: section.name, pass: section.direction, tile: section.tile, grid: section.grid, SRAM: section.sram,
      overlap: section.overlap && [section.overlap, cost.ratio].filter(Boolean).join(" "), work: cost.work, traffic: cost.traffic, "modelled time": cost.time,
      ops: section.ops.join(", "),
    };
    const row = element("tr", { tabindex: "0" });
    for (const name of heads) {
      const kind = name === "modelled time" ? "bar" : name === "ops" ? "ops" : numbers.has(name) ? "number" : "";
      const cell = element("td", { class: kind }, cells[name] ?? "–");
      if (name === "modelled time" && longest > 0) {
        const share = element("i");
        share.style.width = `${Math.max(1, 88 * (cost.seconds || 0) / longest)}%`;
        cell.append(share);
      }
      if (name === "ops") cell.title = cells.ops;
      row.append(cell);
    }
    row.addEventListener("click", () => look(index, 0));
    row.addEventListener("keydown", (event) => { if (event.key === "Enter") look(index, 0); });
    body.append(row);
    return row;
  });
  const scroller = element("div", { class: "scroll" });
  views.push(() => {
    rows.forEach((row, i) => row.classList.toggle("picked", i === looking.section));
    const [row, room] = [rows[looking.section], scroller.clientHeight - 40];
    if (row.offsetTop < scroller.scrollTop + 30 || row.offsetTop > scroller.scrollTop + room) {
      scroller.scrollTop = row.offsetTop - room / 2;
    }
  });

  const table = element("table", {}, element("thead", {}, head), body);
  const list = element("section", { class: "card" }, element("h2", {}, "Sections"));
  scroller.append(table);
  list.append(scroller);
  const panels = document.getElementById("panels");
  panels.append(list);
  if (data.sections.some((s) => s.tensors.length)) panels.append(tilingPanel());
  if (data.memory) panels.append(...memoryPanels());
  look(0, 0);
}
