// The frame of every plot: its controls, its panels, its legend, its data as a table and as files. A plot is drawn when it
// comes into view, so that a page of many plots opens at once.

const figures = [];
const MIN_PANEL = 270;
const FEW = 12;

/**
 * Registers a plot for the element with `data-figure="id"`.
 *
 * `controls`: {key, label, options: () => [[value, text], ..], fallback: () => value} or, without options, a box to tick; `entry` is
 * its name in the address where plots share it.
 * `draw(get, width)` gives {title, panels, legend, columns, rows, note}, or {note} alone where there is nothing to draw.
 * A panel is {title, options, points}: what Plot is asked for, and what can be hovered.
 */
function figure(id, { title, caption, controls = [], panelWidth = MIN_PANEL, height = 260, draw }) {
  const place = document.querySelector(`[data-figure="${id}"]`);
  if (!place) return;
  const box = place.appendChild(el("figure", { id: `figure-${id}` }));
  const form = el("form", { class: "controls", autocomplete: "off", "aria-label": `Choices for: ${title}` });
  form.addEventListener("submit", (event) => event.preventDefault());
  const panels = el("div", { class: "panels" });
  const legend = el("ul", { class: "legend", "aria-label": "Legend" });
  const note = el("p", { class: "note" });
  const shown = el("p", { class: "shown" });
  const details = el("details", {}, el("summary", {}, "Data of this plot as a table"));
  const saveSvg = el("button", { type: "button" }, "SVG");
  const saveCsv = el("button", { type: "button" }, "CSV");
  saveSvg.setAttribute("aria-label", `Save as SVG: ${title}`);
  saveCsv.setAttribute("aria-label", `Save the data as CSV: ${title}`);
  const one = { id, box, controls, panels, legend, note, shown, details, draw, title, panelWidth, height, dirty: true, drawn: null, inputs: [] };
  for (const control of controls) form.append(controlOf(one, control));
  const head = el("div", { class: "figure-head" }, el("h3", {}, title), el("span", { class: "save" }, saveSvg, saveCsv));
  box.append(head, shown, form, legend, panels, note, el("figcaption", {}, caption), details);
  saveSvg.addEventListener("click", () => one.drawn?.panels && download(`shardscale-${id}.svg`, "image/svg+xml", svgText(one.drawn.title ?? title, one.drawn.panels, one.drawn.legend ?? [])));
  saveCsv.addEventListener("click", () => one.drawn?.rows && download(`shardscale-${id}.csv`, "text/csv", csvText(one.drawn.columns, one.drawn.rows)));
  details.addEventListener("toggle", () => details.open && fillTable(one));
  figures.push(one);
  watcher.observe(box);
}

function controlOf(one, control) {
  const name = control.entry ?? `${one.id}.${control.key}`;
  const input = control.options ? el("select", {}) : el("input", { type: "checkbox" });
  input.id = `${one.id}-${control.key}`;
  input.addEventListener("change", () => {
    const value = control.options ? input.value : input.checked ? "yes" : "no";
    view.set(name, value === String(control.fallback()) ? [] : [value]);
  });
  one.inputs.push({ control, name, input });
  return control.options ? el("label", {}, `${control.label} `, input) : el("label", {}, input, ` ${control.label}`);
}

/** What a control stands at: the address says it, as far as it is among what can be chosen now. */
function choiceOf({ control, name }) {
  const asked = view.get(name);
  if (!control.options) return asked ?? control.fallback();
  const values = control.options().map(([value]) => String(value));
  if (asked != null && values.includes(asked)) return asked;
  const fallback = String(control.fallback());
  return values.includes(fallback) ? fallback : (values[0] ?? "");
}

function showControls(one) {
  for (const item of one.inputs) {
    const { control, input } = item;
    if (!control.options) {
      input.checked = choiceOf(item) === "yes";
      continue;
    }
    const options = control.options();
    input.replaceChildren(...options.map(([value, text]) => el("option", { value }, text)));
    input.value = choiceOf(item);
    input.closest("label").hidden = options.length < 2;
  }
}

function drawFigure(one) {
  one.dirty = false;
  showControls(one);
  const get = (key) => choiceOf(one.inputs.find(({ control }) => control.key === key));
  // no width yet, as in a tab that was never shown: drawn again once there is one
  const width = Math.max(one.box.clientWidth, 200);
  const drawn = one.draw(get, width);
  one.drawn = drawn;
  const panels = drawn.panels ?? [];
  const columns = Math.max(1, Math.min(panels.length, Math.floor(width / one.panelWidth), 4));
  const panelWidth = Math.floor((width - (columns - 1) * 16) / columns);
  one.panels.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  one.panels.replaceChildren(...panels.map((panel) => panelOf(one, panel, panelWidth)));
  one.legend.replaceChildren(...(drawn.legend ?? []).map((look) => el("li", {}, swatch(look), look.label)));
  // paper has no controls: it says what they stand at
  one.shown.textContent = drawn.title ?? "";
  one.note.replaceChildren(drawn.note ?? "", ...emptySays());
  one.details.hidden = !drawn.rows;
  if (one.details.open) fillTable(one);
  one.box.dataset.drawn = "yes";
}

function panelOf(one, panel, width) {
  const height = panel.height ?? one.height;
  const svg = Plot.plot({
    width, height, marginLeft: 52, marginRight: 14, marginTop: 22, marginBottom: 38,
    symbol: { domain: SYMBOLS, range: SYMBOLS },
    style: { background: "none", overflow: "visible", fontSize: "11px" },
    ...withTicks(panel.options(width, height)),
  });
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${one.drawn.title ?? one.title}${panel.title ? `: ${panel.title}` : ""}; ${showCount(panel.points.length, "value")}; arrow keys go through them, the table below holds them`);
  hover.attach(svg, one.box, panel.points);
  panel.svg = svg;
  return el("div", { class: "panel" }, ...(panel.title ? [el("h4", {}, panel.title)] : []), svg);
}

/** The mark of a line, as the plots draw it. */
function swatch({ colour, symbol = "circle" }) {
  const mark = Plot.plot({ width: 14, height: 14, margin: 0, axis: null, marks: [Plot.dot([0], { frameAnchor: "middle", symbol, fill: colour, r: 5 })] });
  mark.setAttribute("aria-hidden", "true");
  return mark;
}

function fillTable(one) {
  const { columns, rows, title } = one.drawn ?? {};
  if (!rows) return;
  const most = 1000;
  const line = (cells) => el("tr", {}, ...cells.map((value, at) => (at === 0 ? el("th", { scope: "row" }, String(value ?? "")) : el("td", { class: typeof value === "number" ? "n" : null }, value == null ? "" : String(value)))));
  const says = `${title ?? one.title}${rows.length > most ? `: the first ${most} of ${rows.length} rows; the CSV has all` : ""}`;
  const table = el("table", {}, el("caption", {}, says), el("thead", {}, el("tr", {}, ...columns.map((column) => el("th", { scope: "col" }, column)))), el("tbody", {}, ...rows.slice(0, most).map(line)));
  const wide = el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": `Data: ${one.title}` }, table);
  one.details.replaceChildren(one.details.querySelector("summary"), wide);
}

// a little ahead of what is seen, so that nothing jumps while scrolling
const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const one = figures.find(({ box }) => box === target);
    one.inView = isIntersecting;
    if (isIntersecting && one.dirty) drawFigure(one);
  }
}, { rootMargin: "400px 0px" });

/** Draws anew what is in view, and the rest when it comes into view. */
function refresh({ all = false } = {}) {
  hover.hide();
  for (const one of figures) {
    one.dirty = true;
    if (one.drawn) one.box.dataset.drawn = "before";
    if (all || one.inView) drawFigure(one);
  }
}
