{
  const drawing = document.querySelector("#graph svg");
  const view = drawing.querySelector(".view");
  const size = { width: +drawing.dataset.width, height: +drawing.dataset.height };
  const at = { x: 0, y: 0, scale: 1 };

  const show = () => view.setAttribute("transform", `translate(${at.x} ${at.y}) scale(${at.scale})`);

  const fit = () => {
    const frame = drawing.getBoundingClientRect();
    const [wide, high] = [(frame.width - 16) / size.width, (frame.height - 16) / size.height];
    at.scale = Math.min(wide, Math.max(1, Math.min(1.35, high)));
    at.x = (frame.width - size.width * at.scale) / 2;
    at.y = Math.max(8, (frame.height - size.height * at.scale) / 2);
    show();
  };

  const zoom = (factor, x, y) => {
    const scale = Math.max(0.04, Math.min(4, at.scale * factor));
    at.x = x - (x - at.x) * scale / at.scale;
    at.y = y - (y - at.y) * scale / at.scale;
    at.scale = scale;
    show();
  };

  drawing.addEventListener("wheel", (event) => {
    event.preventDefault();
    const frame = drawing.getBoundingClientRect();
    const unit = event.deltaMode === 1 ? 18 : 1;
    if (event.ctrlKey || event.metaKey) {
      zoom(Math.exp(-event.deltaY * unit / 300), event.clientX - frame.left, event.clientY - frame.top);
    } else {
      at.x -= event.deltaX * unit;
      at.y -= event.deltaY * unit;
      show();
    }
  }, { passive: false });

  let grip = null;
  let moved = false;
  drawing.addEventListener("pointerdown", (event) => {
    grip = { x: event.clientX - at.x, y: event.clientY - at.y, from: [event.clientX, event.clientY] };
    moved = false;
  });
  window.addEventListener("pointermove", (event) => {
    if (!grip) return;
    moved = moved || Math.hypot(event.clientX - grip.from[0], event.clientY - grip.from[1]) > 4;
    if (!moved) return;
    drawing.classList.add("moving");
    at.x = event.clientX - grip.x;
    at.y = event.clientY - grip.y;
    show();
  });
  window.addEventListener("pointerup", () => {
    grip = null;
    drawing.classList.remove("moving");
  });

  for (const button of document.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => {
      const frame = drawing.getBoundingClientRect();
      if (button.dataset.zoom === "fit") fit();
      else zoom(button.dataset.zoom === "in" ? 1.3 : 1 / 1.3, frame.width / 2, frame.height / 2);
    });
  }

  /** Brings a section into view if it is not. */
  const reveal = (section) => {
    const frame = section.querySelector(".frame").getBoundingClientRect();
    const window = drawing.getBoundingClientRect();
    if (frame.top < window.top || frame.bottom > window.bottom) {
      const room = Math.max(20, (window.height - frame.height) / 2);
      at.y += window.top + room - frame.top;
    }
    if (frame.left < window.left || frame.right > window.right) {
      at.x += window.left + (window.width - frame.width) / 2 - frame.left;
    }
    show();
  };

  const boxes = [...drawing.querySelectorAll(".box")];
  const edges = [...drawing.querySelectorAll(".edge")];
  const sections = [...drawing.querySelectorAll(".section")];
  const mark = (value) => {
    for (const item of [...boxes, ...edges]) item.classList.toggle("same", item.dataset.value === value);
  };
  const tensor = (section, value) => {
    return data.sections[section].tensors.findIndex((t) => String(t.value) === value);
  };
  for (const box of boxes) {
    const title = box.querySelector("title");
    explain(box, title.textContent);
    title.remove();
    box.addEventListener("pointerenter", () => mark(box.dataset.value));
    box.addEventListener("pointerleave", () => mark(null));
    box.addEventListener("click", () => {
      if (moved || box.dataset.section === undefined || !data.sections.length) return;
      const section = +box.dataset.section;
      look(section, tensor(section, box.dataset.value));
    });
  }
  for (const section of sections) {
    section.addEventListener("click", () => { if (!moved) look(+section.dataset.section, 0); });
  }

  let shown = 0;
  views.push(() => {
    const picked = (data.sections[looking.section].tensors[looking.tensor] || {}).value;
    for (const section of sections) {
      section.classList.toggle("picked", +section.dataset.section === looking.section);
    }
    for (const box of boxes) {
      const here = +box.dataset.section === looking.section && box.dataset.value === String(picked);
      box.classList.toggle("picked", here);
    }
    if (shown !== looking.section && sections[looking.section]) reveal(sections[looking.section]);
    shown = looking.section;
  });
  window.addEventListener("resize", () => {
    fit();
    if (shown) reveal(sections[shown]);
  });
  fit();
}
