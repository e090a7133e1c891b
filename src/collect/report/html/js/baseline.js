// What became slower or faster than in the baseline. Ratios are new / old: of durations above 1 is slower, of bandwidth faster.

const VERDICT_COLOURS = { slower: 1, faster: 2 };
const verdictColour = (verdict) => (verdict in VERDICT_COLOURS ? colourAt(VERDICT_COLOURS[verdict]) : "var(--soft)");

const CHANGE_FIGURES = [["median_us", "median duration"], ["p99_us", "p99"], ["overlap_gb_per_s", "bandwidth of all ranks (overlap)"]];
const ALL_CHANGES = DATA.baseline ? [...DATA.baseline.changes, ...DATA.baseline.further] : [];
const changeFigureControl = { key: "figure", label: "Figure", options: () => CHANGE_FIGURES.filter(([key]) => ALL_CHANGES.some((change) => change.figure === key)), fallback: () => "median_us" };
const changeFigureName = (key) => CHANGE_FIGURES.find(([one]) => one === key)?.[1] ?? "";
const changeUnit = (change) => (change.figure === "overlap_gb_per_s" ? "GB/s" : "us");

/** Changes of this figure, of runs and sizes that the filter lets pass. */
function changesInView(figure) {
  const names = new Set(filter.runs().map((run) => run.name));
  const sizes = filter.chosen(SIZE_AXIS);
  return ALL_CHANGES.filter((change) => change.figure === figure && names.has(change.run) && (sizes.size === 0 || sizes.has(showBytes(change.bytes))));
}

/**
 * The range of an axis of ratios. Few repeats leave intervals that reach over ten powers of ten: what is compared are the ratios, so
 * intervals beyond their spread, and a factor of 1.5 at least, are cut.
 */
function ratioDomain(changes, least, room) {
  const ratios = [...least, ...changes.map((change) => change.ratio)].filter((value) => value > 0);
  const [low, high] = [Math.min(...ratios), Math.max(...ratios)];
  const spread = Math.max(1.5, high / low);
  const ends = changes.flatMap((change) => [change.low, change.high]).filter((value) => value > 0);
  return span([low, high, ...ends.map((end) => Math.min(Math.max(end, low / spread), high * spread))], room);
}
/** The part of an interval that a plot shows. */
const cutTo = ([low, high]) => (change) => ({ ...change, whole: change, low: change.low == null ? null : Math.max(change.low, low), high: change.high == null ? null : Math.min(change.high, high), cutLow: change.low != null && change.low < low, cutHigh: change.high != null && change.high > high });
const cutSay = (changes) => {
  const cut = changes.filter((change) => change.cutLow || change.cutHigh).length;
  return cut > 0 ? ` ${showCount(cut, "interval")} ${cut > 1 ? "reach" : "reaches"} beyond the plot: an arrow is at the end that is cut. Download the table for the numbers.` : "";
};

/** Broad where there is room beside the other places of a slot. */
const barWidth = (places, slots, width) => Math.max(1, Math.min(4, (0.5 * 0.8 * (width - 66)) / slots / places));
/** Student's at 99.5 % for the degrees of freedom that Welch's formula gives so many repeats on both sides. */
const FACTORS = { 2: "9.9 to 64", 3: "4.6 to 9.9" };
/** Why intervals are wide, and what would make them narrower. */
function fewRunsSay(changes) {
  const [repeats, ...others] = distinct(changes.filter((change) => change.low != null).flatMap((change) => change.runs));
  return others.length === 0 && repeats in FACTORS ? `With ${repeats} repeats a 99 % interval is wide: it reaches ${FACTORS[repeats]} standard errors to each side, with 5 repeats 3.4 to 4.6.` : "";
}

const isCertain = (change) => change.verdict in VERDICT_COLOURS;
const changeLines = (change) => [
  `${change.verdict}: ${showPercent(change.ratio)}`,
  `${change.op}, ${showBytes(change.bytes)}`,
  `${changeFigureName(change.figure)} ${showNumber(change.old)} ${changeUnit(change)} before, ${showNumber(change.new)} ${changeUnit(change)} now`,
  change.low == null ? "too little was measured for an interval" : `99 % interval of the ratio ${showNumber(change.low)} to ${showNumber(change.high)}, from ${change.method}`,
  `${showCount(change.runs[0], "run")} before, ${showCount(change.runs[1], "run")} now`,
  ...(change.differs ? [`differs: ${change.differs}`] : []),
  change.run,
];
const CHANGE_COLUMNS = ["run", "baseline_run", "op", "tensor_bytes", "figure", "old", "new", "ratio", "ratio_low", "ratio_high", "old_runs", "new_runs", "interval_from", "verdict", "differs"];
const changeRow = (change) => [change.run, change.baseline_run ?? change.run, change.op, change.bytes, change.figure, change.old, change.new, change.ratio, change.low, change.high, ...change.runs, change.method, change.verdict, change.differs ?? ""];

function changesSay(changes) {
  const counts = [...grouped(changes, (change) => change.verdict)].map(([verdict, some]) => `${some.length} ${verdict}`);
  return `${showCount(changes.length, "comparison")}: ${counts.join(", ")}.`;
}

if (DATA.baseline) {
  figure("changes", {
    title: "Change by tensor size",
    caption: "A mark is one set of parameters at one size; its bar is the 99 % interval of new / old. Above 1 is slower, for bandwidth faster. Coloured only where the change is more than noise; unconfirmed: single runs that differ, repeat them; definitions below.",
    height: 320,
    panelWidth: 420,
    controls: [changeFigureControl, { key: "panels", label: "A panel for each", options: () => [["op", "operation"], ["run", "set of parameters"]], fallback: () => "op" }, allControl],
    draw(get) {
      const changes = changesInView(get("figure"));
      if (changes.length === 0) return { note: "No run of this selection has a partner in the baseline." };
      const domain = ratioDomain(changes, [0.9, 1.1], 1.05);
      const shown = changes.map(cutTo(domain));
      const sizes = distinct(changes.map((change) => change.bytes));
      // a size has a slot of its own, and in it what the panel does not fix a place of its own, the same at all sizes
      const [panelBy, placeBy] = get("panels") === "run" ? ["run", "op"] : ["op", "run"];
      const [few, left] = fewPanels([...grouped(shown, (change) => change[panelBy])], get("all"));
      const panels = few.map(([title, some]) => {
        const places = distinct(some.map((change) => change[placeBy]));
        const placed = some.map((change) => ({ ...change, x: sizes.indexOf(change.bytes) + 0.8 * ((places.indexOf(change[placeBy]) + 0.5) / places.length - 0.5) }));
        placed.sort((a, b) => isCertain(a) - isCertain(b));
        return {
          title,
          points: placed.map((change) => ({ x: change.x, y: change.ratio, lines: changeLines(change.whole) })),
          options: (width, height) => ({
            x: { type: "linear", domain: [-0.5, sizes.length - 0.5], axis: null },
            y: { ...logAxis(domain, "new / old", height - 60), tickFormat: showNumber },
            marks: [
              Plot.rect(sizes.map((_, at) => at).filter((at) => at % 2 === 1), { x1: (at) => at - 0.5, x2: (at) => at + 0.5, y1: domain[0], y2: domain[1], fill: "var(--panel)" }),
              Plot.axisX(everySo(sizes.map((bytes) => ({ bytes })), width), { text: (at) => showBytes(sizes[at]), label: "tensor size", labelAnchor: "center", labelArrow: "none" }),
              Plot.ruleY([1], { stroke: "var(--text)" }),
              Plot.link(placed.filter((change) => change.low != null), { x1: "x", x2: "x", y1: "low", y2: "high", stroke: { value: ({ verdict }) => verdictColour(verdict), scale: null }, strokeOpacity: { value: (change) => (isCertain(change) ? 0.7 : 0.35), scale: null }, strokeWidth: barWidth(places.length, sizes.length, width), strokeLinecap: "butt" }),
              Plot.text(placed.filter((change) => change.cutHigh), { x: "x", y: () => domain[1], text: () => "\u25b2", dy: 5, fontSize: 9 }),
              Plot.text(placed.filter((change) => change.cutLow), { x: "x", y: () => domain[0], text: () => "\u25bc", dy: -5, fontSize: 9 }),
              Plot.dot(placed, { x: "x", y: "ratio", r: { value: (change) => (isCertain(change) ? 4 : 2.6), scale: null }, fill: { value: ({ verdict }) => verdictColour(verdict), scale: null }, symbol: ({ verdict }) => (verdict === "slower" ? "triangle" : verdict === "faster" ? "diamond" : "circle") }),
            ],
          }),
        };
      });
      return { title: `New / old ${changeFigureName(get("figure"))}`, panels, note: [changesSay(changes) + cutSay(shown), fewRunsSay(changes), left].filter(Boolean).join(" "), legend: [{ label: "slower", colour: verdictColour("slower"), symbol: "triangle" }, { label: "faster", colour: verdictColour("faster"), symbol: "diamond" }, { label: "noise, unconfirmed, or too little to tell", colour: "var(--soft)" }], columns: CHANGE_COLUMNS, rows: changes.map(changeRow) };
    },
  });

  figure("forest", {
    title: "The largest changes that are more than noise",
    caption: "The largest ratio first, at most 30; the bar is the 99 % interval.",
    panelWidth: 600,
    controls: [changeFigureControl],
    draw(get, width) {
      const changes = changesInView(get("figure")).filter(isCertain).sort((a, b) => Math.abs(Math.log(b.ratio)) - Math.abs(Math.log(a.ratio))).slice(0, 30).sort((a, b) => b.ratio - a.ratio);
      if (changes.length === 0) return { note: "Nothing in this selection changed by more than noise." };
      const domain = ratioDomain(changes, [0.95, 1.05], 1.03);
      const bars = changes.map(cutTo(domain)).map((change, at) => ({ ...change, at }));
      // where there is no room beside the bars, names stand above them
      const above = width < 560;
      const nameRoom = (width) => (above ? 14 : Math.min(330, width * 0.45));
      return {
        title: "The largest changes that are more than noise",
        panels: [{
          title: "",
          height: 70 + (above ? 36 : 22) * changes.length,
          points: changes.map((change, at) => ({ x: change.ratio, y: at, lines: changeLines(change) })),
          options: (width) => ({
            marginLeft: nameRoom(width),
            x: { ...logAxis(domain, "new / old", 1), ticks: thin(roundTicks(domain), domain, width - nameRoom(width) - 14, 40), tickFormat: showNumber, labelAnchor: "center" },
            y: { type: "linear", domain: [changes.length - 0.4, -0.6], axis: null },
            marks: [
              above
                ? Plot.text(changes, { x: domain[0], y: (_, at) => at, text: (change) => forestLabel(change, width), textAnchor: "start", dy: -13 })
                : Plot.axisY(changes.map((_, at) => at), { text: (at) => forestLabel(changes[at], nameRoom(width)), tickSize: 0, label: null }),
              Plot.ruleX([1], { stroke: "var(--text)" }),
              Plot.link(bars.filter((change) => change.low != null), { x1: "low", x2: "high", y1: "at", y2: "at", stroke: { value: ({ verdict }) => verdictColour(verdict), scale: null }, strokeWidth: 2 }),
              Plot.text(bars.filter((change) => change.cutHigh), { x: () => domain[1], y: "at", text: () => "\u25b6", dx: -4, fontSize: 9 }),
              Plot.text(bars.filter((change) => change.cutLow), { x: () => domain[0], y: "at", text: () => "\u25c0", dx: 4, fontSize: 9 }),
              Plot.dot(changes, { x: "ratio", y: (_, at) => at, r: 4, fill: { value: ({ verdict }) => verdictColour(verdict), scale: null } }),
            ],
          }),
        }],
        note: cutSay(bars).trim(),
        columns: CHANGE_COLUMNS,
        rows: changes.map(changeRow),
      };
    },
  });
}

/** What fits before the axis: op and size in full, then as much of the run's name as there is room for. */
function forestLabel(change, room) {
  const what = `${change.op.replace("_tensor", "")} ${showBytes(change.bytes)}`;
  return `${shorten(change.run, Math.max(6, Math.floor(room / 6.2) - what.length - 2))} ${what}`;
}
