// Downloads: what a plot shows as CSV, and the plot as an SVG file that stands alone.

function download(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = el("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  // the browser has taken the data by then
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

function csvText(columns, rows) {
  const cell = (value) => {
    const text = value == null ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** The colours of paper, whatever the screen shows. */
function paperColours() {
  const probe = el("div", { class: "paper", hidden: true });
  document.body.append(probe);
  const style = getComputedStyle(probe);
  const names = ["--page", "--text", "--soft", "--line", "--panel", ...Array.from({ length: 8 }, (_, at) => `--c${at}`)];
  const colours = new Map(names.map((name) => [name, style.getPropertyValue(name).trim()]));
  probe.remove();
  return colours;
}

const svgElement = (name, attributes, ...children) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};

/** All panels of a figure, its title and its legend as one SVG document. */
function svgText(title, panels, legend) {
  const gap = 16;
  const columns = panels.filter((panel) => panel.svg.getBoundingClientRect().top === panels[0].svg.getBoundingClientRect().top).length;
  const [width, height] = [panels[0].svg.viewBox.baseVal.width, panels[0].svg.viewBox.baseVal.height];
  const total = Math.max(columns * (width + gap) - gap, 320);
  const lines = legendRows(legend, total);
  const top = 30 + lines.length * 20;
  const titled = panels.some((panel) => panel.title);
  const step = height + gap + (titled ? 18 : 0);
  const all = svgElement("svg", { xmlns: "http://www.w3.org/2000/svg", viewBox: `0 0 ${total} ${top + Math.ceil(panels.length / columns) * step}`, width: total, height: top + Math.ceil(panels.length / columns) * step, "font-family": FONT, "font-size": 12, fill: "currentColor" });
  all.append(svgElement("title", {}, title), svgElement("rect", { width: "100%", height: "100%", fill: "var(--page)" }), svgElement("text", { x: 4, y: 18, "font-weight": 600, "font-size": 14 }, title));
  lines.forEach((line, row) => line.forEach(({ x, look }) => {
    all.append(svgElement("circle", { cx: x + 6, cy: 34 + row * 20, r: 5, fill: look.colour }), svgElement("text", { x: x + 16, y: 38 + row * 20 }, look.label));
  }));
  panels.forEach((panel, at) => {
    const [x, y] = [(at % columns) * (width + gap), top + Math.floor(at / columns) * step];
    if (panel.title) all.append(svgElement("text", { x: x + 4, y: y + 12, "font-weight": 600 }, panel.title));
    const copy = panel.svg.cloneNode(true);
    for (const left of copy.querySelectorAll("style, .ring")) left.remove();
    for (const [key, value] of Object.entries({ x, y: y + (titled ? 18 : 0), width, height })) copy.setAttribute(key, value);
    for (const key of ["tabindex", "class", "style", "role"]) copy.removeAttribute(key);
    for (const hidden of copy.querySelectorAll('[aria-description="band"]')) hidden.remove();
    all.append(copy);
  });
  return coloured(new XMLSerializer().serializeToString(all));
}

/** Legend entries in rows that fit `width`. */
function legendRows(legend, width) {
  const rows = [];
  let x = Infinity;
  for (const look of legend) {
    const length = 28 + look.label.length * 7;
    if (x + length > width) {
      rows.push([]);
      x = 4;
    }
    rows[rows.length - 1].push({ x, look });
    x += length;
  }
  return rows;
}

/** Programs that draw SVG for print know neither custom properties nor this page's styles. */
function coloured(text) {
  const colours = paperColours();
  const named = text.replace(/var\((--[a-z0-9]+)\)/g, (all, name) => colours.get(name) ?? all);
  return named.replaceAll("currentColor", colours.get("--text"));
}
