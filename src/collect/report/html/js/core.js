// The page's data and small helpers that know nothing of plots. Users' text is only ever shown as text, never as markup.
const DATA = JSON.parse(document.getElementById("data").textContent);
// sizes come without names, since there are thousands of them
for (const run of DATA.runs) {
  run.sizes = run.sizes.map(([bytes, overlap, classic, iteration, shards, ops, application]) => {
    const named = (which) => Object.fromEntries(ops.filter((op) => op[which] != null).map((op) => [DATA.ops[op[0]], op[which]]));
    return { bytes, overlap, classic, iteration, shards: shards.length > 0 ? shards : undefined, ops: named(1), densities: named(2), flags: named(3), application };
  });
}
const byId = (id) => document.getElementById(id);

/** An element with attributes and children; strings become text. Attributes that are null or false are left out. */
function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value != null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

const showBytes = (bytes) => {
  for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]]) {
    if (bytes >= size && bytes % size === 0) return `${bytes / size} ${unit}`;
  }
  return `${bytes} B`;
};
/** Four digits, as many as the figures bear; nothing for an absent value. */
const showNumber = (value) => (value == null ? "" : String(Number(value.toPrecision(4))));
const showPercent = (ratio) => `${ratio > 1 ? "+" : ""}${((ratio - 1) * 100).toPrecision(Math.abs(ratio - 1) < 0.1 ? 2 : 3)} %`;
const showCount = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;

/** Numbers by size, then text by its numbers. */
const inOrder = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));
const distinct = (values) => [...new Set(values)].sort(inOrder);
const median = (values) => {
  const ordered = [...values].sort((a, b) => a - b);
  const middle = (ordered.length - 1) / 2;
  return (ordered[Math.floor(middle)] + ordered[Math.ceil(middle)]) / 2;
};

/** Values by key, in order of first appearance. */
function grouped(items, key) {
  const groups = new Map();
  for (const item of items) {
    const at = key(item);
    if (!groups.has(at)) groups.set(at, []);
    groups.get(at).push(item);
  }
  return groups;
}

/** The place of each figure in the row of an op. */
const FIELD = Object.fromEntries(DATA.fields.map((name, at) => [name, at]));
/** A figure of an op at a size, or null where either is absent. */
const figureOf = (size, op, field) => size?.ops[op]?.[FIELD[field]] ?? null;

const OPS = DATA.ops;
