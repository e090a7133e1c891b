// What decides: the settings by how much they do, and the values of one of them at each load and size.

const SETTINGS = DATA.settings ?? [];

figure("decides", {
  title: "Settings by their effect",
  caption: "Slowest / fastest value of a setting by median duration, where all else is the same: geometric mean over loads, sizes and operations, with the geometric means of the ends of the 99 % intervals. Coloured where at least one difference is more than noise. Each takes all runs of the collection: the filter does not change it. Chance alone makes the slowest of several values slower, so that 1 is never met.",
  panelWidth: 600,
  draw(get, width) {
    if (SETTINGS.length === 0) return { note: "Runs differ in no setting." };
    const domain = ratioDomain(SETTINGS.map(({ spread, low, high }) => ({ ratio: spread, low, high })), [0.98, 1.05], 1.03);
    const bars = SETTINGS.map((one, at) => cutTo(domain)({ ...one, at, ratio: one.spread }));
    const above = width < 560;
    const room = above ? 14 : 130;
    const colour = (one) => (one.decided > 0 ? colourAt(0) : "var(--soft)");
    const fill = { value: colour, scale: null };
    const says = (one) => [`${one.label}: ${showNumber(one.spread)} times`, one.low == null ? "no interval: not repeated" : `99 % interval ${showNumber(one.low)} to ${showNumber(one.high)}`, one.says];
    return {
      title: "Slowest / fastest value of each setting",
      panels: [{
        title: "",
        height: 70 + (above ? 40 : 28) * bars.length,
        points: bars.map((one) => ({ x: one.ratio, y: one.at, lines: says(one.whole) })),
        options: (width) => ({
          marginLeft: room,
          x: { ...logAxis(domain, "slowest / fastest", 1), ticks: thin(roundTicks(domain), domain, width - room - 14, 40), tickFormat: showNumber, labelAnchor: "center" },
          y: { type: "linear", domain: [bars.length - 0.4, -0.6], axis: null },
          marks: [
            above
              ? Plot.text(bars, { x: domain[0], y: "at", text: "label", textAnchor: "start", dy: -14 })
              : Plot.axisY(bars.map(({ at }) => at), { text: (at) => bars[at].label, tickSize: 0, label: null }),
            Plot.ruleX([1], { stroke: "var(--text)" }),
            Plot.link(bars.filter(({ low }) => low != null), { x1: "low", x2: "high", y1: "at", y2: "at", stroke: fill, strokeWidth: 2 }),
            Plot.text(bars.filter(({ cutHigh }) => cutHigh), { x: () => domain[1], y: "at", text: () => "\u25b6", dx: -4, fontSize: 9 }),
            Plot.text(bars.filter(({ cutLow }) => cutLow), { x: () => domain[0], y: "at", text: () => "\u25c0", dx: 4, fontSize: 9 }),
            Plot.dot(bars, { x: "ratio", y: "at", r: 4, fill }),
          ],
        }),
      }],
      note: cutSay(bars).trim(),
      columns: ["setting", "slowest_to_fastest", "ci99_low", "ci99_high", "shown_in", "best"],
      rows: SETTINGS.map((one) => [one.label, one.spread, one.low, one.high, one.shown, one.best]),
    };
  },
});

/** The setting's values at each place in view: those of which a run passes the filter, at sizes that pass. */
function settingPoints(setting, op) {
  const passing = new Set(filter.comparable());
  const inView = setting.contexts.map(([, runs]) => runs.some((at) => passing.has(DATA.runs[at])));
  const sizes = filter.chosen(SIZE_AXIS);
  const places = setting.places.filter(([context, size, one]) => inView[context] && OPS[one] === op && (sizes.size === 0 || sizes.has(showBytes(setting.sizes[size]))));
  return places.flatMap(([context, size, , answer, values]) => values.map(([value, figure, runs, standing, low, high], at) => {
    const ratio = at === 0 ? 1 : figure;
    return { context: setting.contexts[context][0], bytes: setting.sizes[size], says: setting.answers[answer], value, us: Number((values[0][1] * ratio).toPrecision(5)), ratio, low, high, runs, standing: DATA.standings[standing] };
  }));
}

figure("settings", {
  title: "The values of a setting against tensor size",
  caption: "Median duration / that of the fastest value where all else is the same: 1 is the fastest. A mark is a value at one load and size, filled where it is shown to be slower, or where it is the fastest; lines join the geometric means. Bars are 99 % intervals, drawn where there are few; settings.csv has all.",
  height: 320,
  panelWidth: 480,
  controls: [
    { key: "setting", label: "Setting", options: () => SETTINGS.map(({ key, label }) => [key, label]), fallback: () => SETTINGS[0]?.key },
    { key: "op", label: "Operation", options: () => OPS.filter((op) => SETTINGS.some(({ places }) => places.some(([, , one]) => OPS[one] === op))).map((op) => [op, op]), fallback: () => OPS[0] },
  ],
  draw(get) {
    const setting = SETTINGS.find(({ key }) => key === get("setting"));
    const points = setting ? settingPoints(setting, get("op")) : [];
    if (points.length === 0) return { note: "No two runs of this selection differ in this setting only." };
    const values = distinct(points.map(({ value }) => value));
    const few = points.length <= 60;
    const domain = ratioDomain(few ? points : points.map(({ ratio }) => ({ ratio })), [1, 1.1], 1.05);
    // values stand beside each other, the places of one value too
    const beside = ({ value, bytes }) => bytes * 1.3 ** ((values.indexOf(value) + 0.5) / values.length - 0.5);
    const isShown = ({ standing }) => standing === "slower" || standing === "fastest";
    const shown = points.map((point) => ({ ...cutTo(domain)(point), x: beside(point), colour: colourAt(values.indexOf(point.value)), symbol: SYMBOLS[values.indexOf(point.value) % SYMBOLS.length], lines: [`${setting.values[point.value]}: ${showNumber(point.ratio)} times the fastest`, point.standing, `${showNumber(point.us)} us, ${showCount(point.runs, "run")}, ${showBytes(point.bytes)}`, ...(point.low == null ? [] : [`99 % interval ${showNumber(point.low)} to ${showNumber(point.high)}`]), point.context, point.says] }));
    const middles = [...grouped(shown, ({ value, bytes }) => `${value} ${bytes}`).values()].map((some) => ({ ...some[0], ratio: Math.exp(some.reduce((sum, { ratio }) => sum + Math.log(ratio), 0) / some.length) }));
    const colour = { value: "colour", scale: null };
    return {
      title: `Median of ${get("op")} by ${setting.label} / that of the fastest`,
      legend: values.map((value) => ({ label: setting.values[value], colour: colourAt(values.indexOf(value)), symbol: SYMBOLS[values.indexOf(value) % SYMBOLS.length] })),
      panels: [{
        title: "",
        points: shown.map((point) => ({ ...point, y: point.ratio })),
        options: (width, height) => ({
          x: sizeAxis(distinct(points.map(({ bytes }) => bytes)), width - 66),
          y: { ...logAxis(domain, "times the fastest", height - 60), tickFormat: showNumber },
          marks: [
            Plot.ruleY([1], { stroke: "var(--text)", strokeDasharray: "2 4" }),
            Plot.line(middles, { x: "x", y: "ratio", z: "value", sort: "bytes", stroke: colour, strokeWidth: 1.5 }),
            Plot.link(few ? shown.filter(({ low }) => low != null) : [], { x1: "x", x2: "x", y1: "low", y2: "high", stroke: colour, strokeOpacity: 0.5 }),
            Plot.dot(shown, { x: "x", y: "ratio", r: few ? 3.8 : 2.5, symbol: "symbol", stroke: colour, fill: { value: (point) => (isShown(point) ? point.colour : "var(--page)"), scale: null } }),
          ],
        }),
      }],
      note: `${setting.label}: ${setting.says}.${few ? cutSay(shown) : ""}`,
      columns: ["setting", "configuration", "tensor_bytes", "op", "value", "runs", "median_us", "ratio_to_fastest", "ci99_low", "ci99_high", "standing", "answer"],
      rows: points.map((point) => [setting.label, point.context, point.bytes, get("op"), setting.values[point.value], point.runs, point.us, point.ratio, point.low, point.high, point.standing, point.says]),
    };
  },
});
