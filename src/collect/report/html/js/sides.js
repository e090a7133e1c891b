// The values of one axis beside each other: standard and colocated, TCP and UDS, ways of binding, and whatever else differs.

const SIDE_AXES = ["source", "deployment", "transport", "cpu_bind", "keys", "store", "server", "wire"];
const sideChoices = () => CONFIGURATION.filter((axis) => distinct(filter.comparable().map((run) => run.at[axis.at])).length > 1)
  .sort((a, b) => sideRank(a) - sideRank(b)).map((axis) => [axis.key, axis.label]);
const sideRank = (axis) => (SIDE_AXES.includes(axis.key) ? SIDE_AXES.indexOf(axis.key) : SIDE_AXES.length);

/** Axes that cannot stay the same when another one changes: a colocated store has no DB nodes, a socket no interface. */
const ENTAILS = { deployment: ["db_nodes", "servers_per_node", "net_ifname", "transport"], transport: ["net_ifname"], store: ["server"], server: ["store"] };
/** Axes that only servers, or only files, have: absent on one side they do not tell two stores apart, different on both they do. */
const ONE_SIDED = ["db_nodes", "servers_per_node", "db_cpus", "net_ifname", "transport", "io_threads", "malloc_conf", "maxmemory_bytes", "keys", "db_from", "pipeline", "wire_asked", "durability", "file_cache", "fan_out"];

const SIDE_FIGURES = () => [["overlap", "GB/s, all operations (overlap)"], ["classic", "GB/s, classic"], ...OPS.flatMap((op) => [[`${op} median`, `median of ${op}, us`], [`${op} p99`, `p99 of ${op}, us`]])];

figure("sides", {
  title: "Side by side",
  caption: "A panel for each value; the same scales in all. A line is a configuration, its marks are runs; thin grey lines are the other panels' lines.",
  height: 300,
  panelWidth: 320,
  controls: [
    { key: "axis", label: "Compare", options: sideChoices, fallback: () => sideChoices()[0]?.[0] },
    { key: "figure", label: "Figure", options: SIDE_FIGURES, fallback: sharedFigure },
    xControl,
  ],
  draw(get) {
    const axis = CONFIGURATION.find((one) => one.key === get("axis"));
    if (!axis) return { note: "All runs of this selection have the same deployment, transport, binding and store." };
    const key = get("figure");
    const runs = filter.comparable().filter((run) => String(xOf(run)) === get("x"));
    const points = runs.flatMap((run) => filter.sizes(run).map((size) => ({ run, size, x: size.bytes, y: gbPerS(size, key) }))).filter((point) => point.y != null);
    if (points.length === 0) return { note: "No run in this selection has this figure." };
    const unit = key.includes(" ") ? "us" : "GB/s";
    const domain = span(points.map((point) => point.y), 1.25);
    const sizes = distinct(points.map((point) => point.x));
    const lines = linesOf(runs).map((line) => ({ ...line, points: points.filter((point) => line.runs.includes(point.run)) }));
    const context = lines.flatMap((line) => middleOf(line.points).map((point) => ({ ...point, line, run: line.runs[0] })));
    const panels = splitBy(axis.key, runs).map(([title, some]) => {
      const mine = lines.filter((line) => some.includes(line.runs[0]));
      return {
        title: `${title} (${showCount(mine.length, "configuration")})`,
        points: mine.flatMap((line) => line.points.map((point) => ({ ...point, line: line.label, lines: [`${showNumber(point.y)} ${unit}`, line.label, showBytes(point.x), `n = ${nOf(point.size)} samples`, runSays(point.run)] }))),
        options: (width, height) => ({
          x: sizeAxis(sizes, width - 66),
          y: logAxis(domain, unit, height - 60),
          marks: [Plot.line(context.filter((point) => !some.includes(point.run)), { x: "x", y: "y", z: "line", stroke: "var(--soft)", strokeWidth: 0.6, strokeOpacity: 0.4 }), ...lineMarks(mine)],
        }),
      };
    });
    return {
      title: `${nameOf(SIDE_FIGURES(), key)} by ${axis.label} at ${get("x")} ${X.label}`,
      panels,
      legend: legendOf(runs),
      columns: ["run", "configuration", axis.key, X.key, "tensor_bytes", unit === "us" ? "us" : "gb_per_s", "state"],
      rows: lines.flatMap((line) => line.points.map(({ run, x, y }) => [run.name, line.label, valueOf(run, axis), xOf(run), x, y, run.state])),
    };
  },
});

figure("ratios", {
  title: "How many times as much",
  caption: "Each mark is the ratio of two medians of repeats whose runs differ in the compared axis only (and in what follows from it: a colocated store has no DB nodes, a UNIX socket no interface). The bar is the median of the pairs at that size. It says how large the difference is, not whether it is more than noise: that takes repeats.",
  height: 260,
  panelWidth: 330,
  controls: [{ key: "figure", label: "Figure", options: SIDE_FIGURES, fallback: sharedFigure }],
  draw(get) {
    const sides = figures.find(({ id }) => id === "sides");
    const axis = CONFIGURATION.find((one) => one.key === choiceOf(sides.inputs[0]));
    if (!axis) return { note: "Nothing to compare in this selection." };
    const pairs = pairsOf(axis, get("figure"));
    if (pairs.length === 0) return { note: `No two runs of this selection differ in ${axis.label} only.` };
    const domain = span([1, ...pairs.map((pair) => pair.y)], 1.15);
    const sizes = distinct(pairs.map((pair) => pair.x));
    const panels = [...grouped(pairs, (pair) => pair.title)].map(([title, some]) => {
      const middles = [...grouped(some, (pair) => pair.x)].map(([x, same]) => ({ x, y: median(same.map((pair) => pair.y)), n: same.length }));
      return {
        title,
        points: some.map((pair) => ({ ...pair, lines: [`${showNumber(pair.y)} times`, pair.what, showBytes(pair.x), sayX(pair.at)] })),
        options: (width, height) => ({
          x: sizeAxis(sizes, width - 66),
          y: { ...logAxis(domain, "ratio", height - 60), tickFormat: (value) => `${showNumber(value)}×` },
          marks: [
            Plot.ruleY([1], { stroke: "var(--soft)" }),
            Plot.dot(some, { x: "x", y: "y", r: 2.5, fill: colourAt(0), fillOpacity: 0.45 }),
            Plot.dot(middles, { x: "x", y: "y", r: 7, symbol: { draw: (context, area) => context.rect(-Math.sqrt(area), -1.5, 2 * Math.sqrt(area), 3) }, fill: "var(--text)" }),
          ],
        }),
      };
    });
    return {
      title: `Ratio of ${nameOf(SIDE_FIGURES(), get("figure"))} by ${axis.label}`,
      panels,
      note: `${showCount(new Set(pairs.map((pair) => `${pair.title} ${pair.what} ${pair.at}`)).size, "pair")} of configurations.`,
      columns: ["ratio_of", "configuration", X.key, "tensor_bytes", "ratio"],
      rows: pairs.map((pair) => [pair.title, pair.what, pair.at, pair.x, pair.y]),
    };
  },
});

/** Ratios of a value of `axis` to its first one, between runs that are the same in all that does not follow from it. */
function pairsOf(axis, key) {
  const oneSided = ["store", "server"].includes(axis.key) ? CONFIGURATION.filter((one) => ONE_SIDED.includes(one.key)) : [];
  const follows = new Set([axis.key, ...(ENTAILS[axis.key] ?? []), ...oneSided.map((one) => one.key)]);
  const fits = (a, b) => oneSided.every(({ at }) => a.at[at] === b.at[at] || a.at[at] < 0 || b.at[at] < 0);
  const same = CONFIGURATION.filter((one) => !follows.has(one.key));
  const pairs = [];
  for (const runs of grouped(filter.comparable(), (run) => [xOf(run), ...same.map((one) => run.at[one.at])].join()).values()) {
    const sides = linesOf(runs, CONFIGURATION.filter((one) => follows.has(one.key)));
    for (const [at, one] of sides.entries()) {
      for (const other of sides.slice(at + 1)) {
        if (one.runs[0].at[axis.at] !== other.runs[0].at[axis.at] && fits(one.runs[0], other.runs[0])) pairs.push(...ratiosOf(one, other, { axis, key, same }));
      }
    }
  }
  return pairs;
}

function ratiosOf(one, other, { axis, key, same }) {
  const medians = (line) => new Map([...grouped(line.runs.flatMap((run) => filter.sizes(run)), (size) => size.bytes)].map(([bytes, sizes]) => [bytes, sizes.map((size) => gbPerS(size, key)).filter((value) => value != null)]).filter(([, values]) => values.length > 0).map(([bytes, values]) => [bytes, median(values)]));
  const [run, below, above] = [other.runs[0], medians(one), medians(other)];
  const title = `${sayValue(axis, valueOf(run, axis))} / ${sayValue(axis, valueOf(one.runs[0], axis))}`;
  const telling = same.filter((axis) => axis.values.length > 1 || axis.absent).map((axis) => sayValue(axis, valueOf(run, axis)));
  return [...above].filter(([bytes]) => below.has(bytes)).map(([bytes, value]) => ({ title, x: bytes, y: value / below.get(bytes), at: xOf(run), what: [`${other.label} / ${one.label}`, ...telling].join(", ") }));
}
