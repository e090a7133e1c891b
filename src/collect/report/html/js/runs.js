// Which runs are looked at: the axes in which runs differ, the filter over them, and the lines that runs form.

const STATE_AXIS = { key: "state", label: "state", bare: true, values: distinct(DATA.runs.map((run) => run.state)) };
const SIZE_AXIS = { key: "size", label: "tensor size", values: distinct(DATA.runs.flatMap((run) => run.sizes.map((size) => size.bytes))) };
DATA.axes.forEach((axis, at) => (axis.at = at));
const axisOf = (key) => DATA.axes.find((axis) => axis.key === key);
/** A run's value on an axis; null where it has none. */
const valueOf = (run, axis) => (axis === STATE_AXIS ? run.state : axis.at == null ? null : run.at[axis.at] < 0 ? null : axis.values[run.at[axis.at]]);
const showValue = (axis, value) => (value === null ? "(none)" : axis === SIZE_AXIS ? showBytes(value) : String(value));
/** A value that says by itself what it is: `4 DB nodes`, `tcp`, `keys hash`. */
function sayValue(axis, value) {
  if (value === null) return `no ${axis.label}`;
  if (axis.bare) return String(value);
  if (typeof value !== "number") return `${axis.label} ${value}`;
  return `${value} ${value === 1 ? axis.label.replace(/s( |$)/, "$1") : axis.label}`;
}

// the axes that can be chosen from: those of jobs, then what became of them, then the size inside a job
const FILTERS = [...DATA.axes.filter((axis) => !axis.follows), STATE_AXIS, SIZE_AXIS].filter((axis) => axis.values.length + (axis.absent ? 1 : 0) > 1);

const filter = (() => {
  let runs = null;
  let sizes = null;
  const chosen = (axis) => new Set(view.getAll(`f.${axis.key}`));
  /** A run's values on an axis as the filter has them; of sizes it has several. */
  const valuesAt = (run, axis) => (axis === SIZE_AXIS ? run.sizes.map((size) => showBytes(size.bytes)) : [showValue(axis, valueOf(run, axis))]);
  const asked = () => FILTERS.map((axis) => [axis, chosen(axis)]).filter(([, values]) => values.size > 0);
  /** Runs that all filters but that of `axis` let pass, with a size that is asked for. */
  const without = (axis) => {
    const others = asked().filter(([one]) => one !== axis);
    return DATA.runs.filter((run) => others.every(([one, values]) => valuesAt(run, one).some((value) => values.has(value))));
  };
  view.onChange(() => {
    runs = null;
    sizes = null;
  });
  return {
    chosen,
    /** Runs that the filter lets pass, in every state. */
    runs() {
      if (!runs) {
        const ofRuns = asked().filter(([axis]) => axis !== SIZE_AXIS);
        runs = DATA.runs.filter((run) => ofRuns.every(([axis, values]) => values.has(showValue(axis, valueOf(run, axis)))));
      }
      return runs;
    },
    /** Those of them that have figures to set beside those of others. */
    comparable: () => filter.runs().filter((run) => run.comparable && run.sizes.length > 0),
    /** A run's sizes that the filter lets pass. */
    sizes(run) {
      sizes ??= chosen(SIZE_AXIS);
      return sizes.size === 0 ? run.sizes : run.sizes.filter((size) => sizes.has(showBytes(size.bytes)));
    },
    isOn: () => asked().length > 0,
    asked,
    /** How many runs each value of an axis would leave with the other filters as they are. */
    counts(axis) {
      const values = without(axis).flatMap((run) => valuesAt(run, axis));
      return new Map([...grouped(values, (value) => value)].map(([value, same]) => [value, same.length]));
    },
    /** Nothing passes: (axis, values, runs without it) of each filter that alone is to blame; null where something passes. */
    blamed() {
      if (!filter.isOn() || without(null).length > 0) return null;
      return asked().map(([axis, values]) => [axis, values, without(axis).length]).filter(([, , left]) => left > 0);
    },
  };
})();

const X = DATA.x;
/** Axes that make a configuration: all but the one that plots stand against, the repeat, and what follows from others. */
const CONFIGURATION = DATA.axes.filter((axis) => axis.key !== X.key && !axis.follows && axis.key !== "repeat");
const xOf = (run) => valueOf(run, axisOf(X.key) ?? { at: null }) ?? X.value;

const colourAt = (at) => `var(--c${at % 8})`;
const SYMBOLS = ["circle", "square", "triangle", "diamond", "star", "wye", "cross"];

/** What gives colours: the reader's choice; else the configuration, as long as each has a colour of its own; else an axis. */
function colourKey() {
  const asked = view.get("colour");
  if (asked === BY_CONFIGURATION || CONFIGURATION.some((axis) => axis.key === asked)) return asked;
  if (configurations().length <= 8) return BY_CONFIGURATION;
  return DATA.prefer.find((key) => CONFIGURATION.some((axis) => axis.key === key)) ?? CONFIGURATION[0].key;
}
const BY_CONFIGURATION = "configuration";
const colourAxis = () => CONFIGURATION.find((axis) => axis.key === colourKey()) ?? null;

/** Each configuration of all comparable runs, in order. */
const configurations = (() => {
  let all = null;
  return () => (all ??= linesOf(DATA.runs.filter((run) => run.comparable && run.sizes.length > 0), CONFIGURATION, null));
})();

/** Colour and mark of a run: the same under every filter. */
function lookOf(run) {
  const axis = colourAxis();
  if (!axis) {
    const at = configurations().findIndex((line) => CONFIGURATION.every((one) => line.runs[0].at[one.at] === run.at[one.at]));
    return { colour: colourAt(at), symbol: SYMBOLS[at % SYMBOLS.length], at, label: configurations()[at].label };
  }
  const value = valueOf(run, axis);
  // what has no value stands behind those that have one
  const at = value === null ? axis.values.length : axis.values.indexOf(value);
  return { colour: colourAt(at), symbol: SYMBOLS[at % SYMBOLS.length], at, label: sayValue(axis, value) };
}

/** Legend of the runs' colours, each once. */
function legendOf(runs) {
  const looks = new Map(runs.map(lookOf).map((look) => [look.at, look]));
  return [...looks.values()].sort((a, b) => a.at - b.at);
}

/**
 * Runs as lines: those that differ in nothing but the x axis and the repeat. A line is labelled by what tells it from the
 * other lines, and never joins two configurations.
 */
function linesOf(runs, axes = CONFIGURATION, look = lookOf) {
  const groups = [...grouped(runs, (run) => axes.map((axis) => run.at[axis.at]).join()).values()];
  const telling = tellingAxes(groups.map((group) => group[0]), axes);
  const lines = groups.map((group) => ({
    runs: group,
    label: labelOf(group[0], telling),
    order: telling.map((axis) => group[0].at[axis.at]),
    ...(look && pick(look(group[0]))),
  }));
  return lines.sort((a, b) => a.order.map((value, at) => value - b.order[at]).find((step) => step !== 0) ?? 0);
}

/**
 * Of `axes` those that it takes to tell `runs` apart; an interface that follows from the transport is not among them, nor what one
 * source of results does not record, or one store does not have, while all runs of the others agree on it.
 */
function tellingAxes(runs, axes) {
  const kinds = (some) => new Set(runs.map((run) => some.map((axis) => run.at[axis.at]).join())).size;
  const isImpliedBy = (by, axis) => {
    const parts = by && by !== axis ? [...grouped(runs, (run) => run.at[by.at]).values()] : [];
    return parts.length > 1 && parts.every((some) => new Set(some.map((run) => run.at[axis.at])).size === 1) && parts.some(([first]) => first.at[axis.at] < 0);
  };
  const isImplied = (axis) => ["source", "store"].some((key) => isImpliedBy(axisOf(key), axis));
  let telling = axes.filter((axis) => kinds([axis]) > 1 && !isImplied(axis));
  for (const weak of DATA.weak) {
    const without = telling.filter((axis) => axis.key !== weak);
    if (kinds(without) === kinds(telling)) telling = without;
  }
  return telling;
}

const labelOf = (run, axes) => axes.filter((axis) => valueOf(run, axis) !== null).map((axis) => sayValue(axis, valueOf(run, axis))).join(", ") || "all runs";
const pick = ({ colour, symbol }) => ({ colour, symbol });
