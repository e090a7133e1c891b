// Where the better of two ways changes: the ratio of their bandwidths with its interval, and the crossovers.

const DUELS = DATA.crossover ?? [];
const SHARES = DATA.shares ?? [];
const pairOf = ({ sides }) => `${sides[1]} / ${sides[0]}`;

/** Duels of which a run passes the filter. */
function duelsInView() {
  const passing = new Set(filter.comparable());
  return DUELS.filter(({ runs }) => runs.some((at) => passing.has(DATA.runs[at])));
}
/** Of all crossovers the most frequent (pair, share), to begin with. */
function crossingMost() {
  const crossed = duelsInView().flatMap((duel) => duel.curves.filter(([, , , , crossings]) => crossings.length > 0).map(([, , share]) => [pairOf(duel), SHARES[share][0]]));
  const groups = [...grouped(crossed, String).values()].sort((a, b) => b.length - a.length);
  return groups[0]?.[0] ?? [pairChoices()[0]?.[0], SHARES[0]?.[0]];
}
const pairChoices = () => [...new Set(duelsInView().map(pairOf))].map((pair) => [pair, pair]);
const crossoverAxis = () => DUELS[0]?.axis ?? "";
/** What can stay: sizes along the load, loads along the size. */
function stays(along) {
  const all = distinct(duelsInView().flatMap(({ curves }) => curves.filter(([one]) => one === along).map(([, at]) => at)));
  const sizes = filter.chosen(SIZE_AXIS);
  return along === "load" ? all.filter((bytes) => sizes.size === 0 || sizes.has(showBytes(bytes))).map((bytes) => [bytes, showBytes(bytes)]) : all.map((load) => [load, `${load} ${crossoverAxis()}`]);
}
const alongOf = () => choiceOf(figures.find(({ id }) => id === "crossover").inputs.find(({ control }) => control.key === "along"));

figure("crossover", {
  title: "Where the better of two changes",
  caption: "Ratio of the bandwidths of all operations of all ranks under the same load; above the line the first named moves more. A panel for each set of what else is the same; bars and band are 99 % intervals, filled marks are where one side is shown to move more. A shaded place is the interval of a crossover: where the ratio's interval, interpolated on both logarithmic axes, holds 1.",
  height: 260,
  panelWidth: 330,
  controls: [
    { key: "pair", label: "Compare", options: pairChoices, fallback: () => crossingMost()[0] },
    { key: "share", label: "Bandwidth", options: () => SHARES, fallback: () => crossingMost()[1] },
    { key: "along", label: "Against", options: () => [["load", crossoverAxis()], ["size", "tensor size"]].filter(([along]) => stays(along).length > 0), fallback: () => "load" },
    { key: "at", label: "At", options: () => stays(alongOf()), fallback: () => stays(alongOf()).at(-1)?.[0] },
    allControl,
  ],
  draw(get) {
    const [along, at, share] = [get("along"), Number(get("at")), SHARES.findIndex(([key]) => key === get("share"))];
    const curves = duelsInView().filter((duel) => pairOf(duel) === get("pair")).flatMap((duel) => {
      const curve = duel.curves.find(([one, stays, by]) => one === along && stays === at && by === share);
      return curve ? [{ duel, says: duel.answers[curve[3]], crossings: curve[4], points: curvePoints(duel, { along, at, share }) }] : [];
    });
    if (curves.length === 0) return { note: "No two sides of this selection have two points in common." };
    const domain = ratioDomain(curves.flatMap(({ points }) => points), [0.9, 1.1], 1.05);
    const [panels, left] = fewPanels(curves.map((curve) => crossoverPanel(curve, { along, domain })), get("all"));
    const place = along === "load" ? showBytes(at) : `${at} ${crossoverAxis()}`;
    return {
      title: `${get("pair")}: bandwidth ${SHARES[share][1]} at ${place}`,
      panels,
      legend: [...curves[0].duel.sides.map((side, at) => ({ label: `${side} moves more`, colour: colourAt(at) })), { label: "no difference shown", colour: "var(--soft)" }],
      note: [left, cutSay(curves.flatMap(({ points }) => points.map(cutTo(domain)))).trim()].filter(Boolean).join(" "),
      columns: ["pair", "configuration", "bandwidth", crossoverAxis(), "tensor_bytes", "first_runs", "second_runs", "ratio", "ci99_low", "ci99_high", "better", "answer"],
      rows: curves.flatMap(({ duel, says, points }) => points.map((point) => [pairOf(duel), duel.label, SHARES[share][1], point.load, point.bytes, ...point.runs, point.ratio, point.low, point.high, point.better == null ? "" : duel.sides[point.better], says])),
    };
  },
});

function curvePoints({ cells, factors }, { along, at, share }) {
  const points = cells.filter(([load, bytes]) => (along === "load" ? bytes : load) === at && factors[load][share] != null).map(([load, bytes, runs, value, low, high, better]) => {
    const [ratio, from, to] = [value, low, high].map((one) => (one == null ? null : Number((one * factors[load][share]).toPrecision(5))));
    return { x: along === "load" ? load : bytes, load, bytes, runs, ratio, low: from, high: to, better: better[share] };
  });
  return points.sort((a, b) => a.x - b.x);
}

function crossoverPanel({ duel, says, crossings, points }, { along, domain }) {
  const shown = points.map(cutTo(domain)).map((point) => ({ ...point, colour: point.better == null ? "var(--soft)" : colourAt(point.better) }));
  const colour = { value: "colour", scale: null };
  const spread = ({ low, high }) => (low == null ? "no interval: not repeated" : `99 % interval ${showNumber(low)} to ${showNumber(high)}`);
  const verdict = ({ better }) => (better == null ? "no difference shown" : `${duel.sides[better]} moves more`);
  const xs = points.map(({ x }) => x);
  return {
    title: duel.label === "all runs" ? says : `${duel.label}: ${says}`,
    points: shown.map((point) => ({ x: point.x, y: point.ratio, lines: [`${showNumber(point.whole.ratio)} times`, spread(point.whole), verdict(point), `${point.load} ${duel.axis}, ${showBytes(point.bytes)}`, `${showCount(point.runs[1], "run")} / ${showCount(point.runs[0], "run")}`, duel.label] })),
    options: (width, height) => ({
      x: along === "load" ? measuredAxis(xs, duel.axis, String, width - 66, 28) : sizeAxis(xs, width - 66),
      y: { ...logAxis(domain, `ratio (${duel.figure})`, height - 60), tickFormat: (value) => `${showNumber(value)}\u00d7` },
      marks: [
        Plot.rect(crossings, { x1: ([, low]) => low, x2: ([, , high]) => high, y1: domain[0], y2: domain[1], fill: "var(--c2)", fillOpacity: 0.18 }),
        Plot.ruleX(crossings.map(([x]) => x), { stroke: "var(--c2)", strokeDasharray: "3 3" }),
        // no band over places without an interval
        Plot.areaY(shown, { x: "x", y1: "low", y2: "high", fill: "var(--soft)", fillOpacity: 0.15 }),
        Plot.ruleY([1], { stroke: "var(--text)" }),
        Plot.line(shown, { x: "x", y: "ratio", stroke: "var(--soft)", strokeWidth: 1.5 }),
        Plot.link(shown.filter(({ low }) => low != null), { x1: "x", x2: "x", y1: "low", y2: "high", stroke: colour, strokeOpacity: 0.6 }),
        Plot.dot(shown, { x: "x", y: "ratio", r: 3.8, stroke: colour, fill: { value: (point) => (point.better == null ? "var(--page)" : point.colour), scale: null } }),
      ],
    }),
  };
}
