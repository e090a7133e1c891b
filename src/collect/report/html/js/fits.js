// How bandwidth grows in each series of runs, and the law that fits it, as `collect` worked them out.

for (const series of DATA.scaling) {
  series.points = series.points.map(([x, runs, y, low, high]) => ({ x, runs, y, low, high }));
  const [first] = series.points;
  for (const point of series.points) {
    point.speed_up = point.y / first.y;
    point.efficiency = (point.speed_up * first.x) / point.x;
  }
}

const READINGS = () => DATA.readings;
function ofReading(reading) {
  const passing = new Set(filter.runs());
  return DATA.scaling.filter((series) => series.reading === reading && series.runs.some((at) => passing.has(DATA.runs[at])));
}

figure("fits", {
  title: "Scaling, series by series",
  caption: "A panel for each series of runs that differ along one axis only. Marks: median over the repeats, bars from their least to their greatest; broken line: ideal, in proportion to the smallest point; full line: the Universal Scalability Law (or Amdahl's, where it needs no more), only where at least five points bear it. A series stands here while the filter lets one of its runs pass, with all its points. GB/s are those by overlap, or classic where a run of the series has no common clock; the axis says which.",
  height: 230,
  panelWidth: 300,
  controls: [
    { key: "reading", label: "Reading", options: READINGS, fallback: () => READINGS()[0]?.[0] },
    { key: "size", label: "Tensor size", options: () => fitSizes().map((bytes) => [bytes, showBytes(bytes)]), fallback: () => fitSizes().at(-1) },
    allControl,
  ],
  draw(get) {
    const series = ofReading(get("reading")).filter((one) => String(one.bytes) === get("size"));
    if (series.length === 0) return { note: "No two runs in this selection differ along one axis only." };
    const ys = series.flatMap((one) => one.points.map((point) => point.y));
    const domain = span(ys, 1.4);
    const [panels, left] = fewPanels(series.map((one) => fitPanel(one, domain)), get("all"));
    // what else may explain a step in a line
    const mixed = series.filter((one) => one.differs).map((one) => `Runs of ${one.label} differ in ${one.differs.join("; ")}.`);
    return {
      title: `GB/s at ${showBytes(Number(get("size")))}: ${READINGS().find(([key]) => key === get("reading"))[1]}`,
      panels,
      note: [left, ...new Set(mixed)].filter(Boolean).join(" "),
      columns: ["reading", "series", "axis", "x", "tensor_bytes", "runs", "figure", "gb_per_s", "least_gb_per_s", "greatest_gb_per_s", "speed_up", "efficiency", "fit", "sigma", "kappa", "knee", "r_squared", "differs"],
      rows: series.flatMap((one) => one.points.map((point) => [one.reading, one.label, one.axis, point.x, one.bytes, point.runs, one.figure, point.y, point.low, point.high, Number(point.speed_up.toPrecision(5)), Number(point.efficiency.toPrecision(5)), one.fit?.kind ?? one.why, one.fit?.sigma, one.fit?.kappa, one.fit?.knee, one.fit?.r_squared, one.differs?.join("; ")])),
    };
  },
});

function fitSizes() {
  const chosen = filter.chosen(SIZE_AXIS);
  return distinct(DATA.scaling.map((series) => series.bytes)).filter((bytes) => chosen.size === 0 || chosen.has(showBytes(bytes)));
}

function fitPanel(one, domain) {
  const [first, last] = [one.points[0], one.points.at(-1)];
  const xs = one.points.map((point) => point.x);
  const steps = Array.from({ length: 41 }, (_, at) => first.x * (last.x / first.x) ** (at / 40));
  const curve = one.fit ? steps.map((x) => ({ x, y: lawAt(one.fit, x) })) : [];
  return {
    title: `${one.label}: ${fitSays(one)}`,
    points: one.points.map((point) => ({ x: point.x, y: point.y, lines: [`${showNumber(point.y)} GB/s`, `${point.x} ${one.axis}`, `speed-up ${showNumber(point.speed_up)}, efficiency ${(point.efficiency * 100).toPrecision(3)} %`, `${showCount(point.runs, "run")}, ${showNumber(point.low)} to ${showNumber(point.high)} GB/s`, one.label] })),
    options: (width, height) => ({
      x: measuredAxis(xs, one.axis, String, width - 66, 28),
      y: logAxis(domain, `GB/s (${one.figure})`, height - 60),
      marks: [
        Plot.line([first, { x: last.x, y: (first.y * last.x) / first.x }], { x: "x", y: "y", stroke: "var(--soft)", strokeDasharray: "2 4", clip: true }),
        Plot.line(curve, { x: "x", y: "y", stroke: colourAt(0), strokeWidth: 1.5, clip: true }),
        Plot.ruleX(one.fit?.knee_is_measured ? [one.fit.knee] : [], { stroke: colourAt(1), strokeDasharray: "1 3" }),
        Plot.link(one.points, { x1: "x", x2: "x", y1: "low", y2: "high", stroke: colourAt(0) }),
        Plot.dot(one.points, { x: "x", y: "y", r: 3.5, fill: colourAt(0) }),
      ],
    }),
  };
}

const lawAt = ({ lambda, sigma, kappa }, x) => (lambda * x) / (1 + sigma * (x - 1) + kappa * x * (x - 1));

function fitSays({ fit, why, axis }) {
  if (!fit) return `no fit (${why})`;
  const terms = fit.kind === "linear" ? "linear" : `${fit.kind}, σ ${fit.sigma.toPrecision(2)}${fit.kappa > 0 ? `, κ ${fit.kappa.toPrecision(2)}` : ""}`;
  const knee = fit.knee == null ? "" : `, knee at ${Math.round(fit.knee)} ${axis}${fit.knee_is_measured ? "" : " (extrapolated)"}`;
  return `${terms}${knee}`;
}
