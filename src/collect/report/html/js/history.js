// How each configuration went over the collections of the history, and where its level changed.

const TRENDS = DATA.history?.trends ?? [];
const historyOps = () => OPS.concat(distinct(TRENDS.flatMap(({ moments }) => moments.flatMap(({ figures }) => Object.keys(figures)))).filter((op) => !OPS.includes(op)));
const historySizes = () => distinct(TRENDS.flatMap(({ moments }) => moments.flatMap(({ figures }) => Object.values(figures).flatMap((sizes) => Object.keys(sizes).map(Number)))));

figure("history", {
  title: "Median duration over the collections",
  caption: "A panel for each configuration: those with a change of level first, then those of the present collection. A mark is the geometric mean of the medians of a collection's runs, its bar the 99 % interval from three runs on. Broken lines: a change of level, found over all operations and sizes of the configuration together; full lines join the marks of one level. A ring is where something that is recorded differs from the collection before.",
  height: 240,
  panelWidth: 380,
  controls: [
    { key: "op", label: "Operation", options: () => historyOps().map((op) => [op, op]), fallback: () => historyOps()[0] },
    { key: "size", label: "Tensor size", options: () => historySizes().map((bytes) => [bytes, showBytes(bytes)]), fallback: () => historySizes().at(-1) },
    allControl,
  ],
  draw(get) {
    const lines = TRENDS.map((trend) => ({ trend, points: historyPoints(trend, get("op"), get("size")) })).filter(({ points }) => points.length > 0);
    const single = DATA.history.single > 0 ? `${showCount(DATA.history.single, "configuration")} of one collection only: a line begins with the second.` : "";
    if (lines.length === 0) return { note: single || "No collection of the history has this." };
    const times = lines.flatMap(({ points }) => points.map(({ x }) => x));
    const domain = [Math.min(...times), Math.max(...times)].map((time, at, ends) => new Date(time + (at * 2 - 1) * Math.max(0.03 * (ends[1] - ends[0]), 43_200_000)));
    const [panels, left] = fewPanels(lines.map((line) => historyPanel(line, { domain, op: get("op") })), get("all"));
    const beyond = DATA.history.left > 0 ? `The page has no room for ${showCount(DATA.history.left, "configuration")} more: history.csv has all.` : "";
    return {
      title: `Median of ${get("op")} at ${showBytes(Number(get("size")))} over the collections`,
      panels,
      note: [left, beyond, single].filter(Boolean).join(" "),
      columns: ["configuration", "run", "measured_utc", "op", "tensor_bytes", "runs", "median_us", "ci99_low_us", "ci99_high_us", "level", "differs"],
      rows: lines.flatMap(({ trend, points }) => points.map((point) => [trend.label, point.run, point.utc, get("op"), Number(get("size")), point.runs, point.us, point.low, point.high, point.level, point.differs])),
    };
  },
});

function historyPoints({ moments, turns }, op, bytes) {
  return moments.flatMap(({ utc, run, differs, figures }, at) => {
    const found = figures[op]?.[bytes];
    if (!found) return [];
    const [us, low, high, runs] = found;
    return [{ x: Date.parse(utc), utc, run, us, low, high, runs, differs: differs ?? "", level: 1 + turns.filter(([from]) => from <= at).length }];
  }).filter(({ x }) => Number.isFinite(x));
}

function historyPanel({ trend, points }, { domain, op }) {
  const y = ratioDomain(points.map(({ us, low, high }) => ({ ratio: us, low, high })), [], 1.08);
  const shown = points.map((point) => ({ ...cutTo(y)(point), x: new Date(point.x) }));
  const turns = trend.turns.map(([at, says]) => ({ x: new Date(Date.parse(trend.moments[at].utc)), says })).filter(({ x }) => Number.isFinite(x.getTime()));
  const told = turns.length > 0 ? showCount(turns.length, "change") + " of level" : (trend.why ?? "no change of level");
  const says = (point) => [`${showNumber(point.us)} us`, point.low == null ? showCount(point.runs, "run") : `99 % interval ${showNumber(point.whole.low)} to ${showNumber(point.whole.high)} us, ${showCount(point.runs, "run")}`, point.utc.replace("T", " ").replace("Z", " UTC"), ...(point.differs ? [`differs from before: ${point.differs}`] : []), ...turns.filter(({ x }) => x.getTime() === point.x.getTime()).map(({ says }) => says), point.run];
  return {
    title: `${trend.label}: ${told}${trend.present ? "" : "; not in the present collection"}`,
    points: shown.map((point) => ({ x: point.x, y: point.us, lines: says(point) })),
    options: (width, height) => ({
      x: { type: "utc", domain, ticks: Math.max(2, Math.floor(width / 110)), label: null },
      y: { ...logAxis(y, `${op}, us`, height - 60), tickFormat: showNumber },
      marks: [
        Plot.ruleX(turns, { x: "x", stroke: colourAt(1), strokeDasharray: "3 3" }),
        Plot.line(shown, { x: "x", y: "us", z: "level", stroke: colourAt(0), strokeWidth: 1.5 }),
        Plot.link(shown.filter(({ low }) => low != null), { x1: "x", x2: "x", y1: "low", y2: "high", stroke: colourAt(0), strokeOpacity: 0.5 }),
        Plot.dot(shown.filter(({ differs }) => differs), { x: "x", y: "us", r: 6.5, stroke: colourAt(3) }),
        Plot.dot(shown, { x: "x", y: "us", r: 3.5, fill: colourAt(0) }),
      ],
    }),
  };
}
