// One run in detail: its distributions, its shards, its hosts.

/** The run that is looked at: the reader's choice, or the one of this selection that moved most. */
function chosenRun() {
  const runs = detailRuns();
  return runs.find((run) => run.name === view.get("run")) ?? runs.reduce((best, run) => (bestOf(run) > bestOf(best) ? run : best), runs[0]) ?? null;
}
const detailRuns = () => filter.runs().filter((run) => run.sizes.length > 0);
const bestOf = (run) => Math.max(0, ...run.sizes.map((size) => size.overlap ?? size.classic ?? 0));

function drawRunChoice() {
  const select = byId("run");
  if (!select) return;
  const fill = () => {
    select.replaceChildren(...detailRuns().map((run) => el("option", { value: run.name }, run.state === "done" ? run.name : `${run.name} (${run.state})`)));
    select.value = chosenRun()?.name ?? "";
    showFacts(chosenRun());
  };
  select.addEventListener("change", () => view.set("run", [select.value]));
  view.onChange(fill);
  fill();
  // a name in the table of runs leads here
  for (const link of document.querySelectorAll("a[data-run-link]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      view.set("run", [DATA.runs[link.dataset.runLink].name]);
      view.visit("run-detail");
    });
  }
}

/** What was asked and what became of it, in words. */
function showFacts(run) {
  const box = byId("run-facts");
  if (!run) return box.replaceChildren();
  const asked = DATA.axes.filter((axis) => !axis.follows && valueOf(run, axis) !== null).map((axis) => [axis.label, String(valueOf(run, axis))]);
  const facts = [["run", run.name], ["state", run.state], ["ranks", String(run.ranks)], ...asked];
  box.replaceChildren(...facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  byId("run-notes").replaceChildren(...run.notes.map((note) => el("li", {}, note)));
}

figure("violins", {
  title: "Distribution of latencies for each tensor size",
  caption: `${sidesOfViolins()} The width is the share of samples in equal steps of the logarithmic axis up to p99.9, each half to its own greatest width. Lines: median (thick), p5 and p95; a small mark at the top is the maximum. Sizes are never pooled.`,
  height: 380,
  panelWidth: 600,
  draw() {
    const run = chosenRun();
    if (!run) return { note: "No run of this selection has figures." };
    const sizes = filter.sizes(run).slice().sort((a, b) => a.bytes - b.bytes);
    const halves = sizes.flatMap((size, slot) => OPS.flatMap((op, place) => (size.ops[op] ? [{ run, size, op, ...seatOf(slot, place), colour: colourAt(place), q: (field) => figureOf(size, op, field), x: size.bytes }] : [])));
    if (halves.length === 0) return { note: "This run has no samples of these sizes." };
    const domain = span(halves.flatMap((half) => [half.q("min"), half.q("max")]), 1.15);
    return {
      title: `Latencies of ${run.name}`,
      legend: OPS.filter((op) => halves.some((half) => half.op === op)).map((op) => ({ label: op, colour: colourAt(OPS.indexOf(op)) })),
      panels: [{
        title: "",
        points: halves.flatMap((half) => ["p5", "median", "p95", "max"].map((field) => ({ x: half.at + half.side * 0.18, y: half.q(field), lines: latencyLines(half, half.op) }))),
        options: (width, height) => ({
          x: { type: "linear", domain: [-0.5, sizes.length - 0.5], axis: null },
          y: logAxis(domain, "us", height - 60),
          marks: [
            Plot.axisX(everySo(sizes, width), { text: (at) => showBytes(sizes[at].bytes), label: "tensor size", labelAnchor: "center", labelArrow: "none" }),
            Plot.areaX(halves.flatMap(outlineOf), { y: "y", x1: "x1", x2: "x2", z: "key", fill: { value: "colour", scale: null }, fillOpacity: 0.35, stroke: { value: "colour", scale: null }, strokeWidth: 0.6 }),
            ...[["p5", 0.16, 1], ["median", 0.3, 2.5], ["p95", 0.16, 1], ["max", 0.06, 1.5]].map(([field, length, strokeWidth]) => Plot.link(halves, { x1: "at", x2: (half) => half.at + half.side * length, y1: (half) => half.q(field), y2: (half) => half.q(field), stroke: { value: "colour", scale: null }, strokeWidth })),
          ],
        }),
      }],
      note: flagsOf(halves),
      columns: ["run", "tensor_bytes", "op", "n", ...QUANTILES.map((field) => `${field}_us`), "overlap_gb_per_s"],
      rows: halves.map((half) => [run.name, half.size.bytes, half.op, half.q("n"), ...QUANTILES.map((field) => half.q(field)), half.q("overlap")]),
    };
  },
});

/** Where the half violin of an op stands in the slot of its size: two ops share a violin, which gets narrower with their number. */
function seatOf(slot, place) {
  const violins = Math.ceil(OPS.length / 2);
  const middle = slot + (Math.floor(place / 2) - (violins - 1) / 2) / violins;
  return { at: middle, side: (place % 2 === 0 ? -1 : 1) / violins };
}
function sidesOfViolins() {
  const pairs = OPS.filter((_, place) => place % 2 === 0).map((op, pair) => [op, OPS[2 * pair + 1]]);
  return pairs.map(([left, right]) => `Left half ${left}${right ? `, right half ${right}` : ""}.`).join(" ");
}

/** What a reader of these medians should know. */
const flagsOf = (halves) => halves.flatMap((half) => (half.size.flags?.[half.op] ?? []).map((flag) => `${showBytes(half.x)} ${half.op}: ${flag}`)).join("; ");

/** Places of sizes whose labels have room. */
function everySo(sizes, width) {
  const step = Math.ceil((sizes.length * 58) / (width - 66));
  return sizes.map((_, at) => at).filter((at) => at % step === 0);
}

/** The outline of a half violin, from its bins. */
function outlineOf(half) {
  const density = half.size.densities?.[half.op];
  if (!density) return [];
  const [low, high, letters] = density;
  const shares = [...letters].map((letter) => letter.charCodeAt(0) - DATA.zero);
  const most = Math.max(...shares);
  const step = (high / low) ** (1 / shares.length);
  const key = `${half.at} ${half.op}`;
  const point = (place, share) => ({ key, colour: half.colour, y: low * step ** place, x1: half.at, x2: half.at + (half.side * 0.42 * share) / most });
  return [point(0, 0), ...shares.map((share, at) => point(at + 0.5, share)), point(shares.length, 0)];
}

figure("shards", {
  title: "Shards",
  caption: "Ranks whose keys a shard owns, and what it moved (all operations, bytes / window of the size). The broken line is the mean: hashed names put ranks on shards unevenly, and the fullest shard holds the others up.",
  height: 230,
  panelWidth: 360,
  controls: [{ key: "size", label: "Tensor size", options: () => (chosenRun() ? filter.sizes(chosenRun()).filter((size) => size.shards).map((size) => [size.bytes, showBytes(size.bytes)]) : []), fallback: () => chosenRun()?.sizes.filter((size) => size.shards).at(-1)?.bytes }],
  draw(get) {
    const run = chosenRun();
    if (!run?.shards?.length) return { note: "Of this run no ranks for each shard are known." };
    const size = run.sizes.find((one) => String(one.bytes) === get("size"));
    const panels = [shardPanel("ranks", run.shards, "ranks")];
    if (size) panels.push(shardPanel(`GB/s at ${showBytes(size.bytes)}`, run.shards.map((_, shard) => size.shards[shard] ?? null), "GB/s"));
    const [most, mean] = [Math.max(...run.shards), run.shards.reduce((sum, ranks) => sum + ranks, 0) / run.shards.length];
    const empty = run.shards.filter((ranks) => ranks === 0).length;
    return {
      title: `Shards of ${run.name}`,
      panels,
      note: `${showCount(run.shards.length, "shard")}; the fullest has ${showCount(most, "rank")}, ${showNumber(most / mean)} times the mean${empty > 0 ? `; ${empty} have none` : ""}.`,
      columns: ["run", "shard", "ranks", "tensor_bytes", "gb_per_s"],
      rows: run.shards.map((ranks, shard) => [run.name, shard, ranks, size?.bytes ?? null, size?.shards[shard] ?? null]),
    };
  },
});

function shardPanel(title, all, unit) {
  // a shard without ranks moves nothing
  const values = all.map((value) => value ?? 0);
  const bars = values.map((y, x) => ({ x, y }));
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const top = Math.max(...values) * 1.08 || 1;
  return {
    title,
    points: bars.map(({ x, y }) => ({ x, y, lines: [`${showNumber(y)} ${unit}`, `shard ${x}`, `${showNumber(y / mean)} times the mean`] })),
    options: (width) => ({
      x: { type: "linear", domain: [-0.6, values.length - 0.4], axis: null },
      y: linearAxis(top, unit),
      marks: [
        Plot.axisX(bars.map(({ x }) => x).filter((x) => x % Math.ceil((values.length * 24) / (width - 66)) === 0), { text: String, label: "shard", labelAnchor: "center", labelArrow: "none" }),
        Plot.rect(bars, { x1: ({ x }) => x - 0.4, x2: ({ x }) => x + 0.4, y1: 0, y2: "y", fill: colourAt(0), fillOpacity: 0.7 }),
        Plot.ruleY([mean], { stroke: "var(--text)", strokeDasharray: "2 4" }),
      ],
    }),
  };
}

figure("hosts", {
  title: "Stragglers by host",
  caption: "Median latency of a host's ranks in proportion to that of all ranks, over operations and sizes; 1 is as fast as the middle. The slowest hosts, slowest first; above the broken line one stands apart from the scatter of the others (modified z-score above 3.5, and a tenth slower).",
  height: 260,
  panelWidth: 600,
  draw() {
    const run = chosenRun();
    if (!run?.hosts) return { note: "Of this run no figures by host are known." };
    const { total, limit, stragglers, slowest } = run.hosts;
    const hosts = slowest.map(([host, ranks, ratio], at) => ({ host, ranks, ratio, at, colour: colourAt(limit != null && ratio > limit ? 1 : 0) }));
    const ratios = [...hosts.map(({ ratio }) => ratio), limit ?? 1];
    return {
      title: `Hosts of ${run.name}`,
      note: hostsSay(run),
      panels: [{
        title: "",
        points: hosts.map(({ host, ranks, ratio, at }) => ({ x: at, y: ratio, lines: [`${showNumber(ratio)} times the median of all`, host, showCount(ranks, "rank")] })),
        options: (width) => ({
          marginBottom: 64,
          x: { type: "linear", domain: [-0.6, hosts.length - 0.4], axis: null },
          y: { type: "linear", domain: [Math.min(0.9, ...ratios) * 0.98, Math.max(1.1, ...ratios) * 1.02], label: "times the median of all", labelArrow: "none", grid: true, tickFormat: showTick },
          marks: [
            Plot.axisX(hosts.map(({ at }) => at).filter((at) => at % Math.ceil((hosts.length * 18) / (width - 66)) === 0), { text: (at) => shorten(hosts[at].host, 10), tickRotate: -50, label: null }),
            Plot.ruleY([1], { stroke: "var(--soft)" }),
            Plot.ruleY(limit == null ? [] : [limit], { stroke: "var(--text)", strokeDasharray: "2 4" }),
            Plot.link(hosts, { x1: "at", x2: "at", y1: 1, y2: "ratio", stroke: { value: "colour", scale: null } }),
            Plot.dot(hosts, { x: "at", y: "ratio", r: 4, fill: { value: "colour", scale: null } }),
          ],
        }),
      }],
      columns: ["run", "host", "ranks", "times_median_of_all", "of_hosts", "limit", "stragglers"],
      rows: hosts.map(({ host, ranks, ratio }) => [run.name, host, ranks, ratio, total, limit, stragglers]),
    };
  },
});

/** How many stand apart in a run, hosts and ranks. */
function hostsSay({ hosts, slow_ranks: ranks }) {
  const say = ({ total, limit, stragglers }, noun) => (limit == null ? `${showCount(total, noun)}: too few to tell stragglers` : `${stragglers} of ${showCount(total, noun)} ${stragglers === 1 ? "stands" : "stand"} apart`);
  const names = ranks && ranks.stragglers > 0 ? ` (slowest: ${ranks.slowest.slice(0, Math.min(5, ranks.stragglers)).map(([name, , ratio]) => `rank ${name}, ${showNumber(ratio)} times`).join("; ")})` : "";
  return [say(hosts, "host"), ranks ? say(ranks, "rank") + names : ""].filter(Boolean).join("; ") + ".";
}

/** The end of a long name tells hosts apart. */
const shorten = (text, most) => (text.length > most ? `…${text.slice(1 - most)}` : text);
