// Scales and ticks that all plots share.

const FONT = "system-ui, sans-serif";

/** From the least to the greatest positive value with a little room; a log axis has no zero. */
function span(values, room) {
  const positive = values.filter((value) => value > 0);
  if (positive.length === 0) return [1, 10];
  return [Math.min(...positive) / room, Math.max(...positive) * room];
}

/** Those of ascending `ticks` that have `gap` pixels between them on a log axis of `length` pixels over `domain`. */
function thin(ticks, domain, length, gap) {
  const place = (value) => (Math.log(value / domain[0]) / Math.log(domain[1] / domain[0])) * length;
  const kept = [];
  for (const tick of ticks) if (kept.length === 0 || place(tick) - place(kept[kept.length - 1]) >= gap) kept.push(tick);
  return kept;
}

/** 1, 2, 5, 10, .. within a domain; even steps where it is narrow, whole powers of ten where it is wide. */
function roundTicks([min, max]) {
  if (max / min < 2.5) {
    const step = [0.5, 0.2, 0.1, 0.05].map((part) => part * 10 ** Math.floor(Math.log10(max))).find((one) => (max - min) / one >= 3) ?? (max - min) / 4;
    return Array.from({ length: Math.floor(max / step) - Math.ceil(min / step) + 1 }, (_, at) => Number(((Math.ceil(min / step) + at) * step).toPrecision(6)));
  }
  const steps = max / min > 1000 ? [1] : max / min < 8 ? [1, 1.5, 2, 3, 4, 5, 6, 8] : [1, 2, 5];
  const ticks = [];
  for (let power = Math.floor(Math.log10(min)); power <= Math.log10(max); power += 1) {
    for (const step of steps) {
      const tick = Number((step * 10 ** power).toPrecision(2));
      if (tick >= min && tick <= max) ticks.push(tick);
    }
  }
  return ticks;
}

const showTick = (value) => (value >= 1e6 ? `${value / 1e6}M` : value >= 1e4 ? `${value / 1e3}k` : String(Number(value.toPrecision(3))));

/** A log axis with ticks at the measured values. */
function measuredAxis(values, label, show, length, gap = 46) {
  const domain = span(values, values.length > 1 ? 1.18 : 2);
  return { type: "log", domain, ticks: thin(values, domain, length, gap), tickFormat: show, label, labelAnchor: "center", labelArrow: "none" };
}

/** A log axis with round ticks. */
function logAxis(domain, label, length) {
  return { type: "log", domain, ticks: thin(roundTicks(domain), domain, length, 18), tickFormat: showTick, label, grid: true, labelArrow: "none" };
}

function linearAxis(max, label, tickFormat = showTick) {
  return { type: "linear", domain: [0, max || 1], ticks: 5, tickFormat, label, grid: true, labelArrow: "none" };
}

/** Places as near to those wanted as `gap` between them allows, from `low` to `high`. */
function spread(wanted, gap, low, high) {
  const placed = wanted.map((place, at) => ({ place, at })).sort((a, b) => a.place - b.place);
  placed.forEach((one, at) => (one.place = Math.max(one.place, at === 0 ? low : placed[at - 1].place + gap)));
  placed.reverse().forEach((one, at) => (one.place = Math.min(one.place, at === 0 ? high : placed[at - 1].place - gap)));
  return placed.sort((a, b) => a.at - b.at).map((one) => one.place);
}

/** Room beside the last dots for labels, and the labels there, apart from each other; `ends`: {x, y, text, colour} on a log axis. */
function endLabels(ends, domain, width, height) {
  const most = Math.floor((width * 0.36) / 5.6);
  const words = ends.map(({ text }) => shorten(text, most));
  const step = (height - 60) / Math.log(domain[1] / domain[0]);
  const places = spread(ends.map(({ y }) => (Math.log(domain[1] / y)) * step), 12, 4, height - 64);
  const placed = ends.map((end, at) => ({ ...end, text: words[at], y: domain[1] * Math.exp(-places[at] / step) }));
  return {
    marginRight: 12 + 5.6 * Math.max(0, ...words.map((word) => word.length)),
    mark: Plot.text(placed, { x: "x", y: "y", text: "text", dx: 7, textAnchor: "start", fontSize: 10, fill: { value: "colour", scale: null }, stroke: "var(--page)", strokeWidth: 3 }),
  };
}

/** The x axis of a plot against tensor size. */
const sizeAxis = (bytes, length) => measuredAxis(bytes, "tensor size", showBytes, length, 52);

/**
 * Plot leaves out labels of log ticks that are not near a power of the base. Here each tick that `thin` left has room, and
 * so its label.
 */
function withTicks(options) {
  const marks = [];
  const scales = {};
  for (const [key, axis, grid] of [["x", Plot.axisX, Plot.gridX], ["y", Plot.axisY, Plot.gridY]]) {
    const scale = options[key];
    if (scale?.type !== "log") continue;
    const { ticks, tickFormat, label, labelAnchor, labelArrow } = scale;
    if (scale.grid) marks.push(grid(ticks));
    marks.push(axis(ticks, { text: tickFormat, label, labelAnchor, labelArrow }));
    scales[key] = { type: scale.type, domain: scale.domain, axis: null };
  }
  return { ...options, ...scales, marks: [...marks, ...options.marks] };
}
