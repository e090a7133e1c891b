// Latency against tensor size or against load, with quantile bands; heat maps of x axis and tensor size.

const hasOp = (run, op) => run.sizes.some((size) => size.ops[op]);
/** The first op of the runs that are drawn first: workloads have ops of their own. */
const commonOp = () => OPS.find((op) => filter.comparable().some((run) => String(xOf(run)) === String(commonX()) && hasOp(run, op))) ?? OPS[0];
const opControl = { key: "op", label: "Operation", options: () => OPS.filter((op) => DATA.runs.some((run) => hasOp(run, op))).map((op) => [op, op]), fallback: commonOp };
const xControl = { key: "x", label: `At ${X.label}`, options: xChoices, fallback: commonX };
const allControl = { key: "all", label: "all panels", fallback: () => "no" };

/** The first panels only, unless all are wanted, and what to say of the rest. */
function fewPanels(panels, wanted) {
  if (wanted === "yes" || panels.length <= FEW) return [panels, ""];
  return [panels.slice(0, FEW), `The first ${FEW} of ${panels.length} panels are drawn: filter to fewer, or ask for all.`];
}

/** What load may be: {key, label, of: a run's, frees: the axis that a line then runs along}. Servers grow with DB nodes; with servers a node where those are the same. */
const LOADS = (() => {
  const varies = (key) => axisOf(key)?.values.length > 1;
  const along = (key) => ({ key, label: axisOf(key)?.label, of: (run) => valueOf(run, axisOf(key)), frees: key });
  return [
    { key: "ranks", label: "ranks", of: (run) => run.ranks, frees: X.key },
    ...["client_nodes", "clients_per_node", "db_nodes"].map(along),
    { key: "servers", label: "servers", of: (run) => run.servers, frees: varies("db_nodes") ? "db_nodes" : "servers_per_node" },
  ].filter(({ frees }) => varies(frees));
})();
const inputOf = (id, key) => figures.find((one) => one.id === id).inputs.find(({ control }) => control.key === key);
/** The load that latency is drawn against; absent where that is the tensor size. */
const latencyLoad = () => LOADS.find(({ key }) => key === choiceOf(inputOf("latency", "against")));
/** Runs of the op along a load at a size, as `joined` has sizes; those of a repeat are joined. */
const alongLoad = (line, load, { at, op, bytes }) => line.runs.flatMap((run) => quantilesOf(run, op).filter(({ size }) => size.bytes === bytes).map((point) => ({ ...point, x: load.of(run), z: `${at} ${run.repeat}` }))).sort((a, b) => a.x - b.x);

/** Sizes of a run with the op, ascending, as {x, q} where q gives a figure by name; those with the same z are joined. */
const quantilesOf = (run, op) => filter.sizes(run).filter((size) => size.ops[op]).map((size) => ({ run, size, op, x: size.bytes, z: run.name, q: (field) => figureOf(size, op, field) })).sort((a, b) => a.x - b.x);
/** A line's points in the order of sizes. Runs of a single size, as SmartSim-Scaling has them, are joined with those of their repeat. */
const joined = (line, at, op) => line.runs.flatMap((run) => quantilesOf(run, op).map((point) => (run.sizes.length > 1 ? point : { ...point, z: `${at} ${run.repeat}` }))).sort((a, b) => a.x - b.x);

figure("latency", {
  title: "Latency against tensor size or load",
  caption: "In panels: the median of a configuration's runs as a line (runs of one size each, and runs along a load, are joined by repeat), p5 to p95 as a light band, p25 to p75 as a darker one, p99 as a dotted line, each where the samples bear it; thin grey lines are the medians of all other configurations. In one plot: medians, and the band from p5 to p95 of the line that is pointed at. Both axes are logarithmic. Against a load a line holds all other parameters fixed.",
  height: 230,
  controls: [
    opControl,
    { key: "against", label: "Against", options: () => [["size", "tensor size"], ...LOADS.map(({ key, label }) => [key, label])], fallback: () => "size" },
    { ...xControl, options: () => (latencyLoad()?.frees === X.key ? [] : xChoices()) },
    { ...sizeControl, options: () => (latencyLoad() ? sizeChoices() : []) },
    { key: "layout", label: "Show", options: () => [["panels", "a panel for each configuration"], ["one", "all medians in one plot"]], fallback: () => (linesOf(filter.comparable()).length > FEW ? "one" : "panels") },
    allControl,
  ],
  draw(get) {
    const [op, load, bytes] = [get("op"), latencyLoad(), Number(get("size"))];
    const isAt = (run) => load?.frees === X.key || String(xOf(run)) === get("x");
    const withOp = filter.comparable().filter((run) => isAt(run) && quantilesOf(run, op).some(({ size }) => !load || size.bytes === bytes));
    const runs = withOp.filter((run) => !load || load.of(run) != null);
    if (runs.length === 0) return { note: "No run in this selection has this operation." };
    const axes = CONFIGURATION.filter(({ key }) => key !== load?.frees);
    // a line along an axis of configurations has none of their colours
    const look = (line, at) => (axes.length < CONFIGURATION.length ? { ...line, colour: colourAt(at), symbol: SYMBOLS[at % SYMBOLS.length] } : line);
    const lines = linesOf(runs, axes).map((line, at) => ({ ...look(line, at), points: load ? alongLoad(line, load, { at, op, bytes }) : joined(line, at, op) }));
    const every = lines.flatMap((line) => line.points);
    const domain = span(every.flatMap((point) => [point.q("p5"), point.q("p95"), point.q("p99"), point.q("median")]), 1.2);
    const frame = (width, height) => ({ x: load ? measuredAxis(distinct(every.map((point) => point.x)), load.label, String, width - 66) : sizeAxis(distinct(every.map((point) => point.x)), width - 66), y: logAxis(domain, `${op}, us`, height - 60) });
    const one = get("layout") === "one";
    const [panels, left] = one ? [[overlay(lines, frame)], crowded(lines.length)] : fewPanels(lines.map((line) => bandPanel(line, every, frame)), get("all"));
    return {
      title: `Latency of ${op} in us${load ? ` of ${showBytes(bytes)} against ${load.label}` : ""}${load?.frees === X.key ? "" : ` at ${get("x")} ${X.label}`}`,
      panels,
      note: [left, withOp.length > runs.length ? `${showCount(withOp.length - runs.length, "run")} of this selection ${withOp.length - runs.length > 1 ? "have" : "has"} no ${load.label}.` : ""].filter(Boolean).join(" "),
      legend: !one && !colourAxis() ? [] : axes.length < CONFIGURATION.length ? lines.slice(0, FEW) : legendOf(runs),
      columns: ["run", "configuration", X.key, ...(load ? [`against_${load.key}`] : []), "op", "tensor_bytes", "n", ...QUANTILES.map((field) => `${field}_us`), "state"],
      rows: lines.flatMap((line) => line.points.map((point) => [point.run.name, line.label, xOf(point.run), ...(load ? [point.x] : []), op, point.size.bytes, point.q("n"), ...QUANTILES.map((field) => point.q(field)), point.run.state])),
    };
  },
});

const QUANTILES = DATA.fields.filter((field) => /^(p\d+|min|max|median|ci_low|ci_high)$/.test(field));

function latencyLines(point, label) {
  const q = (field) => showNumber(point.q(field));
  const rest = [["p5", "p5"], ["p95", "p95"], ["p99", "p99"], ["p99.9", "p999"], ["max", "max"]].filter(([, field]) => point.q(field) != null).map(([name, field]) => `${name} ${q(field)}`).join(", ");
  const interval = point.q("ci_low") == null ? "" : ` (95 % CI ${q("ci_low")} to ${q("ci_high")})`;
  return [`median ${q("median")} us${interval}`, label, `${showBytes(point.size.bytes)}, ${showCount(point.run.ranks, "rank")}`, `${rest} us`, `n = ${point.q("n")} samples`, ...(point.size.flags?.[point.op] ?? []), runSays(point.run)];
}

const bandMarks = (points, colour, low, high, opacity) => Plot.areaY(points.filter((point) => point.q(low) != null && point.q(high) != null), { x: "x", y1: (point) => point.q(low), y2: (point) => point.q(high), z: "z", fill: colour, fillOpacity: opacity });

/** One configuration with its bands, before the medians of all others. */
function bandPanel(line, every, frame) {
  const { points } = line;
  const mine = new Set(line.runs);
  const y = (field) => (point) => point.q(field);
  const z = "z";
  return {
    title: line.label,
    points: points.map((point) => ({ point, x: point.x, y: point.q("median"), lines: latencyLines(point, line.label) })),
    options: (width, height) => ({
      ...frame(width, height),
      marks: [
        Plot.line(every.filter((point) => !mine.has(point.run)), { x: "x", y: y("median"), z, stroke: "var(--soft)", strokeWidth: 0.6, strokeOpacity: 0.45 }),
        bandMarks(points, line.colour, "p5", "p95", 0.2),
        bandMarks(points, line.colour, "p25", "p75", 0.3),
        Plot.line(points.filter((point) => point.q("p99") != null), { x: "x", y: y("p99"), z, stroke: line.colour, strokeDasharray: "1 3", clip: true }),
        Plot.line(points, { x: "x", y: y("median"), z, stroke: line.colour, strokeWidth: 2 }),
        Plot.dot(points, { x: "x", y: y("median"), stroke: line.colour, fill: { value: (point) => (point.run.state === "partial" ? "var(--page)" : line.colour), scale: null }, symbol: line.symbol, r: 3 }),
      ],
    }),
  };
}

/** All medians in one plot; the band belongs to the line that is pointed at. */
function overlay(lines, frame) {
  const withLine = lines.flatMap((line) => line.points.map((point) => ({ ...point, y: point.q("median"), line: line.label, colour: line.colour })));
  const drawn = lines.map((line) => ({ ...line, points: withLine.filter((point) => line.runs.includes(point.run)) }));
  return {
    title: "",
    height: 420,
    points: withLine.map((point) => ({ ...point, lines: latencyLines(point, point.line) })),
    options: (width, height) => ({
      ...frame(width, height),
      marks: [
        Plot.areaY(withLine.filter((point) => point.q("p5") != null && point.q("p95") != null), { x: "x", y1: (point) => point.q("p5"), y2: (point) => point.q("p95"), z: "line", fill: { value: "colour", scale: null }, fillOpacity: 0.25, ariaLabel: "line", ariaDescription: "band" }),
        ...lineMarks(drawn),
      ],
    }),
  };
}

const HEAT_FIGURES = () => [...BANDWIDTHS, ...OPS.flatMap((op) => [[`${op} median`, `median of ${op}, us`], [`${op} p99`, `p99 of ${op}, us`]])];

figure("heat", {
  title: `Heat map of ${X.label} and tensor size`,
  caption: "Each panel holds one configuration; a cell is the median of its repeats. The colour scale is logarithmic and the same in all panels; an empty place was not measured.",
  height: 260,
  panelWidth: 330,
  controls: [{ key: "figure", label: "Figure", options: () => HEAT_FIGURES().filter(([key]) => DATA.runs.some((run) => run.sizes.some((size) => gbPerS(size, key) != null))), fallback: sharedFigure }, allControl],
  draw(get) {
    const key = get("figure");
    const runs = filter.comparable();
    const cells = linesOf(runs).map((line) => ({ line, cells: cellsOf(line, key) })).filter((one) => one.cells.length > 0);
    const values = cells.flatMap((one) => one.cells.map((cell) => cell.y)).filter((value) => value > 0);
    if (values.length === 0) return { note: "No run in this selection has this figure." };
    const domain = [Math.min(...values), Math.max(...values)];
    const shade = (value) => (domain[0] === domain[1] ? 1 : Math.log(value / domain[0]) / Math.log(domain[1] / domain[0]));
    const [xs, sizes] = [distinct(cells.flatMap((one) => one.cells.map((cell) => cell.x))), distinct(cells.flatMap((one) => one.cells.map((cell) => cell.bytes)))];
    const unit = key.endsWith(" median") || key.endsWith(" p99") ? "us" : "GB/s";
    const [panels, left] = fewPanels(cells.map((one) => heatPanel(one, { xs, sizes, shade, unit })), get("all"));
    return {
      title: `${nameOf(HEAT_FIGURES(), key)}${unit === "us" ? "" : ", GB/s"}`,
      panels,
      note: [lacking(runs.flatMap((run) => filter.sizes(run).map((size) => ({ run, size }))), key), `Light is ${showNumber(domain[0])}, dark is ${showNumber(domain[1])} ${unit}.`, left].filter(Boolean).join(" "),
      columns: ["configuration", X.key, "tensor_bytes", unit === "us" ? "us" : "gb_per_s", "runs"],
      rows: cells.flatMap(({ line, cells: some }) => some.map((cell) => [line.label, cell.x, cell.bytes, cell.y, cell.runs])),
    };
  },
});

function cellsOf(line, key) {
  const all = line.runs.flatMap((run) => filter.sizes(run).map((size) => ({ x: xOf(run), bytes: size.bytes, y: gbPerS(size, key) }))).filter((cell) => cell.y != null && cell.x != null);
  return [...grouped(all, (cell) => `${cell.x} ${cell.bytes}`).values()].map((same) => ({ ...same[0], y: median(same.map((cell) => cell.y)), runs: same.length }));
}

/** Light to dark blue by the mixture of two colours: the same in both themes, since cells are opaque. */
const heatColour = (share) => `hsl(${Math.round(200 + 30 * share)} ${Math.round(70 - 10 * share)}% ${Math.round(93 - 68 * share)}%)`;

function heatPanel({ line, cells }, { xs, sizes, shade, unit }) {
  return {
    title: line.label,
    points: cells.map((cell) => ({ x: String(cell.x), y: showBytes(cell.bytes), lines: [`${showNumber(cell.y)} ${unit}`, line.label, `${sayX(cell.x)}, ${showBytes(cell.bytes)}`, showCount(cell.runs, "run")] })),
    height: 60 + 20 * Math.max(sizes.length, 4),
    options: (width) => ({
      marginLeft: 68,
      x: { type: "band", domain: xs.map(String), label: X.label, labelAnchor: "center", labelArrow: "none", padding: 0.04 },
      y: { type: "band", domain: sizes.map(showBytes).reverse(), label: null, padding: 0.04 },
      marks: [
        Plot.cell(cells, { x: (cell) => String(cell.x), y: (cell) => showBytes(cell.bytes), fill: { value: (cell) => heatColour(shade(cell.y)), scale: null } }),
        ...((width - 82) / xs.length < 34 ? [] : [Plot.text(cells, { x: (cell) => String(cell.x), y: (cell) => showBytes(cell.bytes), text: (cell) => showNumber(Number(cell.y.toPrecision(cell.y < 1000 ? 2 : 3))), fill: { value: (cell) => (shade(cell.y) > 0.45 ? "#ffffff" : "#10202e"), scale: null }, fontSize: 10 })]),
      ],
    }),
  };
}
