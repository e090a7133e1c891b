// Plots against client nodes: aggregate bandwidth, and efficiency.

const BANDWIDTHS = [
  ["overlap", "all ranks, all operations (overlap)"],
  ...OPS.map((op) => [`${op} overlap`, `all ranks, ${op} (overlap)`]),
  ["of_store_node", "all ranks, all operations (overlap), for each node of the store"],
  ["of_node", "all ranks, all operations (overlap), for each node of the job: x 3600 is GB a node-hour"],
  ["iteration", "all ranks, median over iterations"],
  ["classic", "classic, as SmartSim-Scaling"],
  ...OPS.map((op) => [`${op} median_gb`, `one rank, ${op} at the median`]),
];
/** GB/s of a size by a key of `BANDWIDTHS`. */
function gbPerS(size, key) {
  const [first, field] = key.split(" ");
  return field ? figureOf(size, first, field) : size[first];
}
for (const run of DATA.runs) {
  const [ofStore, all] = run.nodes;
  for (const size of run.sizes) {
    [size.of_store_node, size.of_node] = [ofStore, all].map((nodes) => (size.overlap != null && nodes ? size.overlap / nodes : null));
  }
}
const nameOf = (options, key) => options.find(([value]) => value === key)[1];

/** Sizes that any run in view has, as choices. */
const sizeChoices = () => distinct(filter.comparable().flatMap((run) => filter.sizes(run).map((size) => size.bytes))).map((bytes) => [bytes, showBytes(bytes)]);
/** The largest of the values that nearly as many runs have as have the most common one. */
function common(values) {
  const counts = [...grouped(values, (value) => value)].map(([value, same]) => [value, same.length]);
  const most = Math.max(...counts.map(([, count]) => count));
  return Math.max(...counts.filter(([, count]) => count >= 0.8 * most).map(([value]) => value));
}
const commonSize = () => common(filter.comparable().flatMap((run) => filter.sizes(run).map((size) => size.bytes)));
const commonX = () => common(filter.comparable().map(xOf));
const xChoices = () => distinct(filter.comparable().map(xOf)).map((x) => [x, String(x)]);

const figureControl = (label = "Figure") => ({ key: "figure", label, options: () => BANDWIDTHS.filter(([key]) => DATA.runs.some((run) => run.sizes.some((size) => gbPerS(size, key) != null))), fallback: sharedFigure });
/** The figure to begin with: by overlap; classic where that is known of more runs, since those of SmartSim-Scaling have no common clock. */
function sharedFigure() {
  const having = (key) => filter.comparable().filter((run) => run.sizes.every((size) => size[key] != null)).length;
  return having("classic") > having("overlap") ? "classic" : "overlap";
}
/** Says which runs a plot of a figure leaves out, and where they are. */
function lacking(sizes, key) {
  const without = sizes.filter(({ size }) => gbPerS(size, key) == null).map(({ run }) => run);
  if (without.length === 0) return "";
  const more = without.length > 1 ? ` and ${showCount(without.length - 1, "other run")}` : "";
  const instead = BANDWIDTHS.filter(([other]) => sizes.every(({ size }) => gbPerS(size, other) != null)).map(([, name]) => name);
  return `${without[0].name}${more} ${without.length > 1 ? "have" : "has"} no such figure${instead.length > 0 ? `; all have: ${instead.join("; ")}` : ""}.`;
}
const sizesAt = (runs, bytes) => runs.flatMap((run) => run.sizes.filter((size) => size.bytes === bytes).map((size) => ({ run, size })));
const sizeControl = { key: "size", label: "Tensor size", options: sizeChoices, fallback: commonSize };
const panelControl = {
  key: "panels",
  label: "A panel for each",
  options: () => [["", "(all in one)"], ...CONFIGURATION.filter((axis) => axis !== colourAxis()).map((axis) => [axis.key, axis.label])],
  fallback: () => (colourAxis() && colourAxis().key !== "deployment" && CONFIGURATION.some((axis) => axis.key === "deployment") ? "deployment" : ""),
};

/** Runs at a size with their value: what a plot against the x axis is made from. */
function pointsOf(runs, bytes, key) {
  return runs.flatMap((run) => {
    const size = run.sizes.find((one) => one.bytes === bytes);
    const y = size && gbPerS(size, key);
    return y != null && xOf(run) != null ? [{ run, size, x: xOf(run), y }] : [];
  });
}

/** Runs by the value of an axis, in its order, as [title, runs]. */
function splitBy(key, runs) {
  const axis = CONFIGURATION.find((one) => one.key === key);
  if (!axis) return [["", runs]];
  return [...axis.values, null].map((value) => [sayValue(axis, value), runs.filter((run) => valueOf(run, axis) === value)]).filter(([, some]) => some.length > 0);
}

/** A line through the median of the repeats at each place. */
const middleOf = (points) => [...grouped(points, (point) => point.x)].map(([x, some]) => ({ x, y: median(some.map((point) => point.y)) })).sort((a, b) => a.x - b.x);

const sayX = (x) => sayValue(X, x);
const nOf = (size) => OPS.reduce((sum, op) => sum + (figureOf(size, op, "n") ?? 0), 0);
const runSays = (run) => `${run.name} (${run.state})`;

figure("bandwidth", {
  title: `Aggregate GB/s against ${X.label}`,
  caption: "A mark is a run, hollow where the run is partial; a line joins the medians of the repeats of one configuration. Broken lines: ideal, in proportion to the line's smallest point. Configurations are never pooled; invalid runs are not drawn.",
  panelWidth: 420,
  height: 380,
  controls: [figureControl(), sizeControl, panelControl, { key: "log", label: "log GB/s", fallback: () => "yes" }, { key: "ideal", label: "ideal", fallback: () => "yes" }],
  draw(get) {
    const [key, bytes, log] = [get("figure"), Number(get("size")), get("log") === "yes"];
    const all = pointsOf(filter.comparable(), bytes, key);
    if (all.length === 0) return { note: "No run in this selection has this figure." };
    const runs = all.map((point) => point.run);
    const [xs, ys] = [distinct(all.map((point) => point.x)), all.map((point) => point.y)];
    const lines = linesOf(runs);
    const panels = splitBy(get("panels"), runs).map(([title, some]) => {
      const mine = linesOf(some).map((line) => ({ ...line, points: all.filter((point) => line.runs.includes(point.run)) }));
      const ideal = get("ideal") === "yes" && mine.length <= FEW ? mine.flatMap(idealOf) : [];
      return {
        title,
        points: mine.flatMap((line) => line.points.map((point) => ({ ...point, line: line.label, lines: [`${showNumber(point.y)} GB/s`, `${sayX(point.x)}, ${showBytes(bytes)}`, line.label, `n = ${nOf(point.size)} samples, ${showCount(point.run.ranks, "rank")}`, runSays(point.run)] }))),
        options: (width, height) => ({
          x: measuredAxis(xs, X.label, String, width - 66),
          y: log ? logAxis(span(ys, 1.25), "GB/s", height - 60) : linearAxis(Math.max(...ys) * 1.08, "GB/s"),
          marks: [Plot.line(ideal, { x: "x", y: "y", z: "line", stroke: { value: "colour", scale: null }, strokeDasharray: "2 4", strokeOpacity: 0.75, clip: true, ariaLabel: "line" }), ...lineMarks(mine)],
        }),
      };
    });
    const title = `GB/s (${nameOf(BANDWIDTHS, key)}) at ${showBytes(bytes)} against ${X.label}`;
    return {
      title,
      panels,
      legend: legendOf(runs),
      columns: ["run", "configuration", X.key, "repeat", "tensor_bytes", "gb_per_s", "n", "ranks", "state"],
      rows: lines.flatMap((line) => all.filter((point) => line.runs.includes(point.run)).map(({ run, size, x, y }) => [run.name, line.label, x, run.repeat, bytes, y, nOf(size), run.ranks, run.state])),
      note: [lacking(sizesAt(filter.comparable(), bytes), key), crowded(lines.length)].filter(Boolean).join(" "),
    };
  },
});

/** Lines through medians, and a mark for each run. Marks and lines carry their label, by which they light up. */
function lineMarks(lines) {
  const middles = lines.flatMap((line) => middleOf(line.points).map((point) => ({ ...point, line: line.label, colour: line.colour })));
  const marks = lines.flatMap((line) => line.points.map((point) => ({ ...point, line: line.label, colour: line.colour, symbol: line.symbol, fill: point.run.state === "partial" ? "var(--page)" : line.colour })));
  const thinner = lines.length > FEW;
  return [
    Plot.line(middles, { x: "x", y: "y", z: "line", stroke: { value: "colour", scale: null }, strokeWidth: thinner ? 1 : 1.8, ariaLabel: "line" }),
    Plot.dot(marks, { x: "x", y: "y", fill: { value: "fill", scale: null }, stroke: { value: "colour", scale: null }, symbol: "symbol", r: thinner ? 2.5 : 3.8, strokeWidth: 1.5, ariaLabel: "line" }),
  ];
}

/** What a line would reach if it grew with the x axis from its smallest point on; nothing for a single point. */
function idealOf(line) {
  const middle = middleOf(line.points);
  if (middle.length < 2) return [];
  const [first, last] = [middle[0], middle[middle.length - 1]];
  return [first, { x: last.x, y: (first.y * last.x) / first.x }].map((point) => ({ ...point, line: line.label, colour: line.colour }));
}

const crowded = (lines) => (lines > FEW ? `${lines} configurations: point at one to bring it out, or filter to fewer.` : "");

figure("efficiency", {
  title: "Efficiency against ideal",
  caption: `GB/s per ${X.label.replace(/s( |$)/, "$1")} of a configuration, in proportion to its smallest point, which has 100 % by definition. With a fixed number of shards this says how far clients can be added before the store is full.`,
  panelWidth: 420,
  height: 300,
  controls: [figureControl(), sizeControl, panelControl],
  draw(get) {
    const [key, bytes] = [get("figure"), Number(get("size"))];
    const all = pointsOf(filter.comparable(), bytes, key);
    const lines = linesOf(all.map((point) => point.run)).map((line) => ({ ...line, points: efficiencies(all.filter((point) => line.runs.includes(point.run))) })).filter((line) => line.points.length > 0);
    const points = lines.flatMap((line) => line.points);
    if (points.length === 0) return { note: `Efficiency needs a configuration with runs at two places on the axis of ${X.label}.` };
    const xs = distinct(points.map((point) => point.x));
    const top = Math.max(1, ...points.map((point) => point.y));
    const panels = splitBy(get("panels"), points.map((point) => point.run)).map(([title, some]) => {
      const mine = lines.filter((line) => some.includes(line.points[0].run));
      return {
        title,
        points: mine.flatMap((line) => line.points.map((point) => ({ ...point, line: line.label, lines: [`${(point.y * 100).toPrecision(3)} %`, `${sayX(point.x)} against ${point.from}, ${showBytes(bytes)}`, line.label, runSays(point.run)] }))),
        options: (width) => ({
          x: measuredAxis(xs, X.label, String, width - 66),
          y: linearAxis(top * 1.05, "efficiency", (value) => `${Math.round(value * 100)} %`),
          marks: [Plot.ruleY([1], { stroke: "var(--soft)", strokeDasharray: "2 4" }), ...lineMarks(mine)],
        }),
      };
    });
    return {
      title: `Efficiency (${nameOf(BANDWIDTHS, key)}) at ${showBytes(bytes)}`,
      panels,
      legend: legendOf(points.map((point) => point.run)),
      columns: ["run", "configuration", X.key, `against_${X.key}`, "tensor_bytes", "gb_per_s", "efficiency"],
      rows: lines.flatMap((line) => line.points.map(({ run, x, y, from, gb }) => [run.name, line.label, x, from, bytes, gb, y])),
      note: [lacking(sizesAt(filter.comparable(), bytes), key), crowded(lines.length)].filter(Boolean).join(" "),
    };
  },
});

/** Points with their value per unit of x, against the median of the line's smallest x; none where there is one x only. */
function efficiencies(points) {
  const middle = middleOf(points);
  if (middle.length < 2) return [];
  const [first] = middle;
  return points.map((point) => ({ ...point, gb: point.y, from: first.x, y: point.y / point.x / (first.y / first.x) }));
}
