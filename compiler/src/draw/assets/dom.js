"use strict";
const data = JSON.parse(document.getElementById("data").textContent);

/** An element of the page with attributes and children; texts are texts. */
function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** The same of a drawing, appended to its parent. */
function shape(parent, tag, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    made.setAttribute(name, typeof value === "number" ? Math.round(value * 10) / 10 : value);
  }
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

/** Shows a text beside the pointer, as long as it is over an element. */
const tip = document.getElementById("tip");
function explain(target, text) {
  target.addEventListener("pointermove", (event) => {
    tip.textContent = text;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const x = event.clientX + 16 + box.width > innerWidth ? event.clientX - 12 - box.width : event.clientX + 16;
    const y = Math.min(event.clientY + 14, innerHeight - box.height - 6);
    tip.style.left = `${Math.max(4, x)}px`;
    tip.style.top = `${Math.max(4, y)}px`;
  });
  target.addEventListener("pointerleave", () => { tip.hidden = true; });
}

/** What is looked at; views that depend on it redraw themselves. */
const looking = { section: 0, tensor: 0 };
const views = [];
function look(section, tensor) {
  if (!data.sections[section]) return;
  looking.section = section;
  looking.tensor = Math.max(0, Math.min(tensor, data.sections[section].tensors.length - 1));
  for (const view of views) view();
}

/** Numbers with their thousands apart. */
function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, "\u2009");
}
