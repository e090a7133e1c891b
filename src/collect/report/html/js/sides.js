// The values of one axis beside each other: standard and colocated, TCP and UDS, ways of binding, and whatever else differs.

const SIDE_AXES = ["source", "deployment", "transport", "cpu_bind", "keys", "store", "server", "wire"];
const sideChoices = () => CONFIGURATION.filter((axis) => distinct(filter.comparable().map((run) => run.at[axis.at])).length > 1)
  .sort((a, b) => sideRank(a) - sideRank(b)).map((axis) => [axis.key, axis.label]);
const sideRank = (axis) => (SIDE_AXES.includes(axis.key) ? SIDE_AXES.indexOf(axis.key) : SIDE_AXES.length);

const SIDE_FIGURES = () => [["overlap", "GB/s, all operations (overlap)"], ["classic", "GB/s, classic"], ...OPS.flatMap((op) => [[`${op} median`, `median of ${op}, us`], [`${op} p99`, `p99 of ${op}, us`]])];

/** Both plots show runs of one number of clients: a ratio of figures of different ones would say nothing of the compared axis. */
const clientsChoices = () => [...grouped(filter.comparable().filter((run) => run.ranks != null), (run) => run.ranks)].sort(([a], [b]) => a - b).map(([ranks, runs]) => [ranks, `${ranks} (${X.label} ${distinct(runs.map(xOf)).join(", ")})`]);
const commonClients = () => common(filter.comparable().map((run) => run.ranks));
const sideControls = [
  { key: "axis", entry: "sides.axis", label: "Compare", options: sideChoices, fallback: () => sideChoices()[0]?.[0] },
  { key: "figure", entry: "sides.figure", label: "Figure", options: SIDE_FIGURES, fallback: sharedFigure },
  { key: "clients", entry: "sides.clients", label: "Clients", options: clientsChoices, fallback: commonClients },
];
const runsOfClients = (ranks) => filter.comparable().filter((run) => String(run.ranks) === ranks);

figure("sides", {
  title: "Side by side",
  caption: "A panel for each value; the same scales in all. A line is a configuration, its marks are runs, its label stands at its end; thin grey lines are the other panels' lines. All runs have the chosen number of clients.",
  height: 300,
  panelWidth: 320,
  controls: sideControls,
  draw(get) {
    const axis = CONFIGURATION.find((one) => one.key === get("axis"));
    if (!axis) return { note: "All runs of this selection have the same deployment, transport, binding and store." };
    const key = get("figure");
    const runs = runsOfClients(get("clients"));
    const points = runs.flatMap((run) => filter.sizes(run).map((size) => ({ run, size, x: size.bytes, y: gbPerS(size, key) }))).filter((point) => point.y != null);
    if (points.length === 0) return { note: "No run in this selection has this figure." };
    const unit = key.includes(" ") ? "us" : "GB/s";
    const domain = span(points.map((point) => point.y), 1.25);
    const sizes = distinct(points.map((point) => point.x));
    const lines = linesOf(runs).map((line) => ({ ...line, points: points.filter((point) => line.runs.includes(point.run)) }));
    const context = lines.flatMap((line) => middleOf(line.points).map((point) => ({ ...point, line, run: line.runs[0] })));
    const panels = splitBy(axis.key, runs).map(([title, some]) => {
      const mine = lines.filter((line) => some.includes(line.runs[0]));
      const ends = mine.length > FEW ? [] : labelsWithin(axis, mine).map((text, at) => ({ ...middleOf(mine[at].points).at(-1), text, colour: mine[at].colour })).filter(({ x }) => x != null);
      return {
        title: `${title} (${showCount(mine.length, "configuration")})`,
        lines: mine.length,
        points: mine.flatMap((line) => line.points.map((point) => ({ ...point, line: line.label, lines: [`${showNumber(point.y)} ${unit}`, line.label, showBytes(point.x), `n = ${nOf(point.size)} samples`, runSays(point.run)] }))),
        options: (width, height) => {
          const { marginRight, mark } = endLabels(ends, domain, width, height);
          return {
            marginRight,
            x: sizeAxis(sizes, width - 52 - marginRight),
            y: logAxis(domain, unit, height - 60),
            marks: [Plot.line(context.filter((point) => !some.includes(point.run)), { x: "x", y: "y", z: "line", stroke: "var(--soft)", strokeWidth: 0.6, strokeOpacity: 0.4 }), ...lineMarks(mine), mark],
          };
        },
      };
    });
    return {
      title: `${nameOf(SIDE_FIGURES(), key)} by ${axis.label} of ${get("clients")} clients`,
      panels,
      legend: legendOf(runs),
      note: crowded(Math.max(...panels.map(({ lines }) => lines))),
      columns: ["run", "configuration", axis.key, X.key, "tensor_bytes", unit === "us" ? "us" : "gb_per_s", "state"],
      rows: lines.flatMap((line) => line.points.map(({ run, x, y }) => [run.name, line.label, valueOf(run, axis), xOf(run), x, y, run.state])),
    };
  },
});

figure("ratios", {
  title: "How many times as much",
  caption: "Each mark is the ratio of two medians of repeats whose runs have the chosen number of clients and differ in the compared axis only (and in what follows from it: a colocated store has no DB nodes, a UNIX socket no interface). The bar is the median of the pairs at that size. It says how large the difference is, not whether it is more than noise: that takes repeats.",
  height: 260,
  panelWidth: 330,
  controls: sideControls,
  draw(get) {
    const axis = CONFIGURATION.find((one) => one.key === get("axis"));
    if (!axis) return { note: "Nothing to compare in this selection." };
    const pairs = pairsOf(axis, get("figure"), runsOfClients(get("clients")));
    if (pairs.length === 0) return { note: `No two runs of ${get("clients")} clients in this selection differ in ${axis.label} only.` };
    const domain = span([1, ...pairs.map((pair) => pair.y)], 1.15);
    const sizes = distinct(pairs.map((pair) => pair.x));
    const panels = [...grouped(pairs, (pair) => pair.title)].map(([title, some]) => {
      const middles = [...grouped(some, (pair) => pair.x)].map(([x, same]) => ({ x, y: median(same.map((pair) => pair.y)), n: same.length }));
      const ends = endsOf(some);
      return {
        title,
        points: some.map((pair) => ({ ...pair, lines: [`${showNumber(pair.y)} times`, pair.what, showBytes(pair.x)] })),
        options: (width, height) => {
          const { marginRight, mark } = endLabels(ends, domain, width, height);
          return {
            marginRight,
            x: sizeAxis(sizes, width - 52 - marginRight),
            y: { ...logAxis(domain, "ratio", height - 60), tickFormat: (value) => `${showNumber(value)}×` },
            marks: [
              Plot.ruleY([1], { stroke: "var(--soft)" }),
              Plot.line(some, { x: "x", y: "y", z: "what", stroke: colourAt(0), strokeOpacity: 0.3 }),
              Plot.dot(some, { x: "x", y: "y", r: 2.5, fill: colourAt(0), fillOpacity: 0.6 }),
              Plot.dot(middles, { x: "x", y: "y", r: 7, symbol: { draw: (context, area) => context.rect(-Math.sqrt(area), -1.5, 2 * Math.sqrt(area), 3) }, fill: "var(--text)" }),
              mark,
            ],
          };
        },
      };
    });
    return {
      title: `Ratio of ${nameOf(SIDE_FIGURES(), get("figure"))} by ${axis.label} of ${get("clients")} clients`,
      panels,
      note: `${showCount(new Set(pairs.map((pair) => `${pair.title} ${pair.what}`)).size, "pair")} of configurations.`,
      columns: ["ratio_of", "configuration", "clients", X.key, "tensor_bytes", "ratio"],
      rows: pairs.map((pair) => [pair.title, pair.what, Number(get("clients")), pair.at, pair.x, pair.y]),
    };
  },
});

/** What tells the lines of a panel apart, beside the value of `axis` that they share. */
function labelsWithin(axis, lines) {
  const telling = tellingAxes(lines.map(({ runs }) => runs[0]), CONFIGURATION.filter((one) => one !== axis));
  return lines.map(({ runs }) => (telling.length > 0 ? labelOf(runs[0], telling) : ""));
}

/** Of each pair the last point, labelled by what tells it from the other pairs; nothing where there are too many to read. */
function endsOf(pairs) {
  const lines = [...grouped(pairs, (pair) => pair.what).values()];
  if (lines.length > FEW) return [];
  const isShared = (part) => lines.every(([{ parts }]) => parts.includes(part));
  const text = ([{ pair, parts }]) => (lines.length === 1 ? pair : parts.filter((part) => !isShared(part)).join(", "));
  return lines.map((line) => ({ ...line.reduce((last, one) => (one.x > last.x ? one : last)), text: text(line), colour: "var(--text)" }));
}

/** Ratios of a value of `axis` to its first one, between runs that are the same in all that does not follow from it. */
function pairsOf(axis, key, all) {
  // a store has its versions; what only servers or only files have tells two stores apart where both have it
  const isStore = ["store", "server"].includes(axis.key);
  const entailed = DATA.entails[isStore ? "store" : axis.key] ?? [];
  const oneSided = isStore ? CONFIGURATION.filter((one) => one.key !== "server" && entailed.includes(one.key)) : [];
  const follows = new Set([axis.key, ...(isStore ? ["store", "server"] : []), ...entailed]);
  const fits = (a, b) => oneSided.every(({ at }) => a.at[at] === b.at[at] || a.at[at] < 0 || b.at[at] < 0);
  const same = CONFIGURATION.filter((one) => !follows.has(one.key));
  const pairs = [];
  for (const runs of grouped(all, (run) => [follows.has(X.key) ? "" : xOf(run), ...same.map((one) => run.at[one.at])].join()).values()) {
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
  const pair = `${other.label} / ${one.label}`;
  return [...above].filter(([bytes]) => below.has(bytes)).map(([bytes, value]) => ({ title, x: bytes, y: value / below.get(bytes), at: xOf(run), pair, what: [pair, sayX(xOf(run)), ...telling].join(", "), parts: [...other.label.split(", "), `/ ${one.label}`, ...telling] }));
}
