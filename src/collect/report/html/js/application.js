// What the store costs the application: its slowdown, and the part of its time that goes into transfers, against tensor size.

const APPLICATION_OPS = distinct((DATA.application ?? []).map(({ op }) => op));
const applicationControl = { key: "op", label: "Computed", options: () => APPLICATION_OPS.map((op) => [op, op]), fallback: () => APPLICATION_OPS[0] };

/** Of each line its figures by size: over all of its repeats where three or more are in view, else of each run by itself. */
function applicationPoints(lines, field, op) {
  const lineOf = new Map(lines.flatMap((line, at) => line.runs.map((run) => [run, { line: line.label, colour: line.colour, symbol: line.symbol, at }])));
  const isChosen = (one) => one.op === op && one[field][0] != null;
  const point = (run, bytes, runs, { [field]: [ratio, low, high] }) => ({ run, bytes, runs, ratio, low, high, ...lineOf.get(run) });
  const repeats = (DATA.application ?? []).map((one) => ({ ...one, runs: one.runs.map((at) => DATA.runs[at]) }))
    .filter((one) => isChosen(one) && one.runs.length > 2 && one.runs.every((run) => lineOf.has(run)));
  const pooled = new Set(repeats.flatMap(({ runs }) => runs));
  const isInView = (run, bytes) => filter.sizes(run).some((size) => size.bytes === bytes);
  return [
    ...[...lineOf.keys()].filter((run) => !pooled.has(run)).flatMap((run) => filter.sizes(run).flatMap((size) => (size.application ?? []).filter(isChosen).map((one) => point(run, size.bytes, 1, one)))),
    ...repeats.filter((one) => isInView(one.runs[0], one.bytes)).map((one) => point(one.runs[0], one.bytes, one.runs.length, one)),
  ].sort((a, b) => a.bytes - b.bytes);
}

/** `axis(points, height)` gives the y axis; what of an interval is beyond it is cut. */
const applicationDraw = (field, { title, show, rule, axis }) => (get) => {
  // runs on other numbers of nodes are other lines: a slowdown is of one number
  const lines = linesOf(filter.comparable(), [...CONFIGURATION, ...DATA.axes.filter(({ key }) => key === X.key)]);
  const points = applicationPoints(lines, field, get("op"));
  if (points.length === 0) return { note: "No run in this selection computes between its transfers." };
  const drawn = lines.filter((line, at) => points.some((point) => point.at === at));
  const spread = ({ low, high }) => (low == null ? "no interval: too little was measured" : `99 % interval ${show(low)} to ${show(high)}`);
  const says = (point) => [show(point.ratio), spread(point), showBytes(point.bytes), point.line, point.runs > 1 ? `geometric mean of ${point.runs} runs` : runSays(point.run)];
  const { domain } = axis(points, 0);
  // lines stand beside each other, so that no interval hides another
  const beside = (point) => point.bytes * 1.15 ** ((drawn.indexOf(lines[point.at]) + 0.5) / drawn.length - 0.5);
  const shown = points.map(cutTo(domain)).map((point) => ({ ...point, x: beside(point), y: point.ratio, lines: says(point.whole) }));
  const colour = { value: "colour", scale: null };
  return {
    title: `${title}${APPLICATION_OPS.length > 1 ? ` (${get("op")})` : ""}`,
    legend: legendOf(points.map(({ run }) => run)),
    panels: [{
      title: "",
      points: shown,
      options: (width, height) => ({
        x: sizeAxis(distinct(points.map(({ bytes }) => bytes)), width - 66),
        y: axis(points, height - 60),
        marks: [
          Plot.ruleY(rule, { stroke: "var(--text)", strokeDasharray: "2 4" }),
          Plot.link(shown.filter(({ low }) => low != null), { x1: "x", x2: "x", y1: "low", y2: "high", stroke: colour, strokeWidth: 2, strokeOpacity: 0.5 }),
          Plot.text(shown.filter(({ cutHigh }) => cutHigh), { x: "x", y: () => domain[1], text: () => "\u25b2", dy: 5, fontSize: 9, fill: colour }),
          Plot.text(shown.filter(({ cutLow }) => cutLow), { x: "x", y: () => domain[0], text: () => "\u25bc", dy: -5, fontSize: 9, fill: colour }),
          ...lineMarks(drawn.map((line) => ({ ...line, points: shown.filter((point) => lines[point.at] === line) }))),
        ],
      }),
    }],
    note: [cutSay(shown), crowded(drawn.length)].filter(Boolean).join(" "),
    columns: ["run", "configuration", "runs", "tensor_bytes", field, "ci99_low", "ci99_high"],
    rows: points.map((point) => [point.run.name, point.line, point.runs, point.bytes, point.ratio, point.low, point.high]),
  };
};

const showTimes = (value) => `${showNumber(value)}×`;
const showPart = (value) => `${showNumber(value * 100)} %`;

figure("slowdown", {
  title: "Slowdown of the application against tensor size",
  caption: "Median time to compute beside the store / median time of the same before the store had traffic, all ranks at once both times; the broken line is no slowdown. Bars are 99 % intervals: of one run from blocks of iterations; of three repeats and more, drawn as one mark, from how the runs differ. One run does not show how much the next differs by chance.",
  panelWidth: 480,
  height: 340,
  controls: [applicationControl],
  draw: applicationDraw("slowdown", {
    title: "Time to compute beside the store / alone",
    show: showTimes,
    rule: [1],
    axis: (points, height) => ({ ...logAxis(ratioDomain(points, [0.95, 1.05], 1.05), "slowdown", height), tickFormat: showTimes }),
  }),
});

figure("share", {
  title: "Part of an iteration in transfers",
  caption: "Time in transfers / time in transfers and computation, as the median over blocks of iterations with a 99 % interval. Waiting for other ranks, or for the schedule of an open loop, is neither.",
  panelWidth: 480,
  height: 300,
  controls: [applicationControl],
  draw: applicationDraw("share", {
    title: "Part of the time of transfers and computation in transfers",
    show: showPart,
    rule: [],
    axis: (points) => linearAxis(Math.min(1, 1.08 * Math.max(...points.flatMap(({ ratio, high }) => [ratio, high ?? 0]))), "in transfers", showPart),
  }),
});
