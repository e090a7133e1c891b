// What the store costs the application: its slowdown, and the part of its time that goes into transfers, against tensor size.

const APPLICATION_OPS = distinct((DATA.application ?? []).map(({ op }) => op));
const applicationControl = { key: "op", label: "Computed", options: () => APPLICATION_OPS.map((op) => [op, op]), fallback: () => APPLICATION_OPS[0] };

/** Of each line its figures by size: over all of its repeats where three or more are in view, else of each run by itself. */
function applicationPoints(lines, field, op) {
  const shown = new Set(lines.flatMap((line) => line.runs));
  const lineOf = (run) => lines.find((line) => line.runs.includes(run));
  const repeats = (DATA.application ?? []).filter((one) => one.op === op && one.runs.length > 2 && one.runs.every((at) => shown.has(DATA.runs[at])));
  const taken = new Set(repeats.flatMap(({ runs, bytes }) => runs.map((at) => `${at} ${bytes}`)));
  const of = (run, bytes, runs, { [field]: [y, low, high] }) => ({ run, x: bytes, runs, y, low, high, look: lineOf(run) });
  const alone = [...shown].flatMap((run) => filter.sizes(run).flatMap((size) => (size.application ?? []).filter((one) => one.op === op && !taken.has(`${DATA.runs.indexOf(run)} ${size.bytes}`)).map((one) => of(run, size.bytes, 1, one))));
  const pooled = repeats.filter(({ runs, bytes }) => filter.sizes(DATA.runs[runs[0]]).some((size) => size.bytes === bytes)).map((one) => of(DATA.runs[one.runs[0]], one.bytes, one.runs.length, one));
  return [...alone, ...pooled].filter(({ y }) => y != null).map((point) => ({ ...point, line: point.look.label, colour: point.look.colour, symbol: point.look.symbol }));
}

const applicationDraw = (field, { title, y, domain, show, rule }) => (get) => {
  // both axes of a run, its nodes too: a slowdown at one number of nodes is not that at another
  const lines = linesOf(filter.comparable(), [...CONFIGURATION, ...(axisOf(X.key) ? [axisOf(X.key)] : [])]);
  const points = applicationPoints(lines, field, get("op")).sort((a, b) => a.x - b.x);
  if (points.length === 0) return { note: "No run in this selection computes between its transfers." };
  const sizes = distinct(points.map((point) => point.x));
  const drawn = lines.filter((line) => points.some((point) => point.look === line));
  const spread = (point) => (point.low == null ? "no interval: too few iterations" : `99 % interval ${show(point.low)} to ${show(point.high)}`);
  const says = (point) => [show(point.y), spread(point), showBytes(point.x), point.line, point.runs > 1 ? `geometric mean of ${point.runs} runs` : runSays(point.run)];
  const values = points.flatMap((point) => [point.y, point.low, point.high]).filter((value) => value != null);
  return {
    title: `${title}${APPLICATION_OPS.length > 1 ? ` (${get("op")})` : ""}`,
    legend: legendOf(points.map(({ run }) => run)),
    panels: [{
      title: "",
      points: points.map((point) => ({ x: point.x, y: point.y, line: point.line, lines: says(point) })),
      options: (width) => ({
        x: sizeAxis(sizes, width - 66),
        y: { type: "linear", domain: domain(values), ticks: 6, tickFormat: show, label: y, grid: true, labelArrow: "none" },
        marks: [
          Plot.ruleY(rule, { stroke: "var(--text)", strokeDasharray: "2 4" }),
          Plot.link(points.filter(({ low }) => low != null), { x1: "x", x2: "x", y1: "low", y2: "high", stroke: { value: "colour", scale: null }, strokeWidth: 2, strokeOpacity: 0.6, clip: true, ariaLabel: "line" }),
          ...lineMarks(drawn.map((line) => ({ ...line, points: points.filter((point) => point.look === line) }))),
        ],
      }),
    }],
    note: crowded(drawn.length),
    columns: ["run", "configuration", "runs", "tensor_bytes", field, "ci99_low", "ci99_high"],
    rows: points.map((point) => [point.run.name, point.line, point.runs, point.x, point.y, point.low, point.high]),
  };
};

const room = (values, always) => {
  const [low, high] = [Math.min(...values, always), Math.max(...values, always)];
  const more = Math.max(high - low, 0.02) * 0.08;
  return [Math.max(0, low - more), high + more];
};

figure("slowdown", {
  title: "Slowdown of the application against tensor size",
  caption: "Median time to compute beside the store / median time of the same before the store had traffic, all ranks at once both times; the broken line is no slowdown. Bars are 99 % intervals: of one run from blocks of iterations; of three repeats and more, drawn as one mark, from how the runs differ. One run does not show how much the next differs by chance.",
  panelWidth: 480,
  height: 340,
  controls: [applicationControl],
  draw: applicationDraw("slowdown", { title: "Time to compute beside the store / alone", y: "slowdown", domain: (values) => room(values, 1), show: (value) => `${showNumber(value)}×`, rule: [1] }),
});

figure("share", {
  title: "Part of an iteration in transfers",
  caption: "Time in transfers / time in transfers and computation, as the median over blocks of iterations with a 99 % interval. Waiting for other ranks, or for the schedule of an open loop, is neither.",
  panelWidth: 480,
  height: 300,
  controls: [applicationControl],
  draw: applicationDraw("share", { title: "Part of the time of transfers and computation in transfers", y: "in transfers", domain: (values) => [0, Math.min(1, Math.max(...values) * 1.08)], show: (value) => `${showNumber(value * 100)} %`, rule: [] }),
});
