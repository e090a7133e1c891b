// The question box: what an application asks for, the least store of each kind that keeps it, and the curve behind the answer.

const UNIT_NS = { us: 1e3, ms: 1e6, s: 1e9, m: 6e10 };
const BYTE_UNITS = { "": 1, b: 1, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, kb: 1e3, mb: 1e6, gb: 1e9 };
/** `50ms` in ns, `1MiB` in bytes, `5%` as a part; null for what is none. */
const readTime = (text) => {
  const [, number, unit] = /^\s*([\d.]+)\s*(us|ms|s|m)\s*$/.exec(text) ?? [];
  return Number(number) > 0 ? Number(number) * UNIT_NS[unit] : null;
};
const readBytes = (text) => {
  const [, number, unit] = /^\s*([\d.]+)\s*([kmg]?i?b)?\s*$/i.exec(text) ?? [];
  const bytes = Number(number) * BYTE_UNITS[(unit ?? "").toLowerCase()];
  return bytes >= 1 ? Math.round(bytes) : null;
};
const readNumber = (text) => (Number(text) > 0 && Number.isFinite(Number(text)) ? Number(text) : null);
const readPart = (text) => {
  const percent = readNumber(String(text).replace(/\s*%\s*$/, ""));
  return percent != null && percent <= 100 ? percent / 100 : null;
};
const showNs = (ns) => (ns >= 1e9 ? `${showThree(ns / 1e9)} s` : ns >= 1e6 ? `${showThree(ns / 1e6)} ms` : `${showThree(ns / 1e3)} us`);
/** Three digits, as the command shows them. */
const showThree = (value) => value.toFixed(Math.min(Math.max(3 - (Math.abs(value) < 1e-9 ? 1 : Math.floor(Math.log10(Math.abs(value))) + 1), 0), 9));

const FAMILIES = DATA.families ?? [];
const LIMITS = {
  p50: { label: "half of the operations take at most", read: readTime, hint: "50ms" },
  p90: { label: "nine in ten operations take at most", read: readTime, hint: "50ms" },
  p99: { label: "99 in 100 operations take at most", read: readTime, hint: "50ms" },
  rate: { label: "each rank makes iterations a second, at least", read: readNumber, hint: "10" },
  gb: { label: "all ranks move GB/s, at least", read: readNumber, hint: "10" },
  share: { label: "an iteration takes of a time step at most", read: readPart, hint: "5%" },
};

const question = (() => {
  const sizes = distinct(FAMILIES.flatMap((family) => family.curves.flatMap((curve) => curve.sizes.map((size) => size.bytes))));
  const ops = [...new Set(FAMILIES.flatMap((family) => family.ops))];
  const perNode = Math.max(1, ...FAMILIES.flatMap((family) => family.per_node));
  const ranks = Math.max(1, ...FAMILIES.flatMap((family) => family.points.map(([ranks]) => ranks)));
  /** The figures of the stores that had most ranks. */
  const foundOf = (of) => FAMILIES.flatMap((family) => {
    const curve = sizing.curveOf(family, ops[0], of);
    const points = family.points.filter(([count]) => count === ranks);
    return (curve ? points : []).map(([, per, dbNodes, servers]) => sizing.at(family, curve, { ranks, perNode: per, dbNodes: dbNodes || null, servers }, sizes.at(-1))).filter((one) => !one.why);
  });
  const isSure = (found) => Math.sqrt(found.high / found.low) <= sizing.WIDEST;
  const of = ["p99", "p90", "p50"].find((one) => foundOf(one).some(isSure)) ?? "p50";
  /** Half as much again as the best store needs at most for as many ranks as were measured, with two digits: a question that has an answer. */
  const limit = () => {
    const least = Math.min(...foundOf(of).map((one) => one.high));
    if (!Number.isFinite(least)) return "50ms";
    const ns = 1.5 * least;
    const [unit, scale] = ns >= 1e9 ? ["s", 1e9] : ns >= 1e6 ? ["ms", 1e6] : ["us", 1e3];
    return `${Number((ns / scale).toPrecision(2))}${unit}`;
  };
  const defaults = { ranks: String(ranks), per_node: String(perNode), bytes: sizes.length > 0 ? showBytes(sizes.at(-1)).replace(" ", "") : "1MiB", op: ops[0] ?? "", of, limit: FAMILIES.length > 0 ? limit() : "50ms", step: "1s" };
  const text = (key) => view.get(`q.${key}`) ?? (key === "limit" && view.get("q.of") && view.get("q.of") !== of ? LIMITS[view.get("q.of")]?.hint ?? defaults.limit : defaults[key]);
  /** What is asked, or {wrong: [key, what is allowed]}. */
  function asked() {
    const whole = (key) => (Number.isInteger(Number(text(key))) ? readNumber(text(key)) : null);
    const kind = text("of") in LIMITS ? text("of") : defaults.of;
    const step = kind === "share" ? readTime(text("step")) : 1;
    const all = { ranks: whole("ranks"), perNode: whole("per_node"), bytes: readBytes(text("bytes")), limit: LIMITS[kind].read(text("limit")), step };
    const allowed = { ranks: "ranks: a whole number", perNode: "ranks on a node: a whole number", bytes: "tensor: a size such as 64KiB or 1MiB", limit: `limit: such as ${LIMITS[kind].hint}`, step: "time step: such as 2s" };
    const wrong = Object.keys(all).filter((key) => all[key] == null);
    if (wrong.length > 0) return { wrong: wrong.map((key) => allowed[key]) };
    if (all.ranks > 2 ** 20) return { wrong: ["ranks: at most 1048576"] };
    return { ...all, of: kind, ops: text("op") ? [text("op")] : [] };
  }
  return { asked, text, ops, sizes, defaults };
})();

function drawQuestion() {
  const form = byId("question-form");
  if (!form) return;
  const input = (key, label, attributes = {}) => {
    const box = el("input", { id: `q-${key}`, size: 8, ...attributes });
    box.addEventListener("change", () => view.set(`q.${key}`, box.value.trim() === question.defaults[key] ? [] : [box.value.trim()]));
    return el("label", { id: `q-${key}-label` }, `${label} `, box);
  };
  const select = (key, label, options) => {
    const box = el("select", { id: `q-${key}` }, ...options.map(([value, text]) => el("option", { value }, text)));
    box.addEventListener("change", () => {
      const chosen = box.value;
      // a limit of one kind is none of another
      if (key === "of") view.set("q.limit", []);
      view.set(`q.${key}`, chosen === question.defaults[key] ? [] : [chosen]);
    });
    return el("label", {}, `${label} `, box);
  };
  form.append(
    input("ranks", "Ranks", { inputmode: "numeric" }),
    input("per_node", "on each node", { inputmode: "numeric" }),
    input("bytes", "Tensor", { list: "q-sizes" }),
    el("datalist", { id: "q-sizes" }, ...question.sizes.map((bytes) => el("option", { value: showBytes(bytes).replace(" ", "") }))),
    select("op", "Operation", [...question.ops.map((op) => [op, op]), ["", "each"]]),
    select("of", "Wanted", Object.entries(LIMITS).map(([key, { label }]) => [key, label])),
    input("limit", ""),
    input("step", "of"),
  );
  byId("q-limit").setAttribute("aria-label", "Limit");
  form.addEventListener("submit", (event) => event.preventDefault());
  view.onChange(showAnswers);
  showAnswers();
}

const storeSays = (family, { dbNodes, servers }) => (dbNodes != null ? (servers === 1 ? showCount(dbNodes, "DB node") : `${showCount(dbNodes, "DB node")} x ${showCount(servers, "server")}`) : family.colocated ? `${showCount(servers, "server")} on each application node` : "files");

/** A figure as its limit has it: a time, a rate, GB/s. */
function asLimit({ of, limit }, most) {
  if (of === "rate") return (ns) => `${showThree(1e9 / ns)}/s`;
  if (of === "gb") return (ns) => `${showThree((limit * most) / ns)} GB/s`;
  return showNs;
}

function figureSays(asked, { op, most, found }) {
  const what = op ? `${asked.of} of ${op}` : "an iteration";
  if (found.why) return `${what}: not known: ${found.why}`;
  const show = asLimit(asked, most);
  const ends = [show(found.low), show(found.high)];
  if (asked.of === "rate" || asked.of === "gb") ends.reverse();
  const isSure = Math.sqrt(found.high / found.low) <= sizing.WIDEST;
  const law = found.basis.startsWith("measured") ? "" : `, from ${showCount(found.points, "point")}; a point left out is missed by ${showThree(found.leftOut * 100)} %`;
  return `${what}: ${isSure ? show(found.ns) : "very uncertain"} [${ends.join(" to ")}], ${found.basis}${law}${found.boundBy ? `; ranks wait for ${found.boundBy}` : ""}`;
}

let lastAnswers = { key: null, all: [] };
/** The verdict of every family, worked out once for a question. */
function answers(asked) {
  const key = JSON.stringify(asked);
  if (lastAnswers.key !== key) {
    const all = FAMILIES.map((family, at) => ({ family, at, verdict: sizing.answer(family, asked) }));
    all.sort((a, b) => sizing.bestFirst(a.verdict, b.verdict) || a.at - b.at);
    lastAnswers = { key, all };
  }
  return lastAnswers.all;
}

function showAnswers() {
  for (const key of ["ranks", "per_node", "bytes", "op", "of", "limit", "step"]) byId(`q-${key}`).value = question.text(key);
  const asked = question.asked();
  byId("q-step-label").hidden = question.text("of") !== "share";
  const list = byId("answers");
  if (asked.wrong) {
    list.replaceChildren(el("li", { class: "wrong" }, `Not understood: ${asked.wrong.join("; ")}.`));
    return;
  }
  const most = 12;
  const all = answers(asked);
  const shown = all.slice(0, most).map(({ family, verdict: { answer, choice, mayDo, why } }) => {
    const nodes = Math.ceil(asked.ranks / asked.perNode);
    const says = answer === "met" ? `met by ${storeSays(family, choice.layout)}${mayDo > 0 && mayDo < choice.layout.dbNodes ? `; ${mayDo} may do` : ""}` : answer === "not met" ? `cannot be met; nearest is ${storeSays(family, choice.layout)}` : why ? `not known: ${why}` : choice.room >= 1 ? `not known; ${storeSays(family, choice.layout)} would be enough by the middle of the interval` : `not known; nearest is ${storeSays(family, choice.layout)}`;
    const cost = choice ? [el("span", { class: "figures" }, `${showCount(nodes, "node")} of the application${choice.layout.dbNodes != null ? ` + ${choice.layout.dbNodes} of the store (+${showThree((100 * choice.layout.dbNodes) / nodes)} %)` : family.colocated ? "; the servers take cores there" : ""}`)] : [];
    return el("li", { class: answer.replace(" ", "-") }, el("strong", {}, family.label), el("span", { class: "verdict" }, says), ...(choice ? choice.figures.map((one) => el("span", { class: "figures" }, figureSays(asked, one))) : []), ...cost);
  });
  if (all.length > most) shown.push(el("li", {}, `${all.length - most} further stores, none of them better: \`shardscale size\` lists all.`));
  list.replaceChildren(...shown);
}

const answerAxes = () => [...(FAMILIES.some((family) => family.db_nodes != null) ? [["db_nodes", "DB nodes"]] : []), ["ranks", "ranks"]];

figure("answer", {
  title: "The curve behind the answer",
  caption: "What is asked for against DB nodes, or against ranks with the store that is named. Line: expected; band: 90 % interval, drawn where it reaches at most twice to a side; broken line: the limit; large mark: the store that is named. A store meets the limit where its whole band is on the right side of it.",
  height: 280,
  controls: [{ key: "x", label: "Against", options: answerAxes, fallback: () => answerAxes()[0]?.[0] }],
  draw(get) {
    const asked = question.asked();
    if (asked.wrong || FAMILIES.length === 0) return { note: "No question, no curve." };
    const x = get("x");
    const lines = answers(asked).slice(0, FEW).flatMap(({ family, at, verdict: { choice } }) => {
      const chosen = choice?.layout ?? { ranks: asked.ranks, perNode: asked.perNode, dbNodes: family.db_nodes, servers: family.servers[0] };
      if (x === "db_nodes" && chosen.dbNodes == null) return [];
      const [need] = sizing.needs(family, asked);
      if (!need?.curve) return [];
      const places = x === "db_nodes" ? spacedUpTo(Math.min(family.db_nodes * 16, Math.max(4, 3 * chosen.dbNodes))) : spacedUpTo(4 * asked.ranks);
      const points = places.flatMap((place) => {
        const layout = x === "db_nodes" ? { ...chosen, dbNodes: place } : { ...chosen, ranks: place, perNode: Math.min(place, asked.perNode) };
        const found = sizing.at(family, need.curve, layout, asked.bytes);
        if (found.why || Math.sqrt(found.high / found.low) > sizing.WIDEST) return [];
        const turn = asked.of === "rate" ? (ns) => 1e9 / ns : asked.of === "gb" ? (ns) => (layout.ranks * asked.bytes * family.tensors) / ns : (ns) => ns / 1e6;
        const [low, high] = [turn(found.low), turn(found.high)].sort((a, b) => a - b);
        const isChosen = choice != null && layout.ranks === chosen.ranks && layout.dbNodes === chosen.dbNodes;
        return [{ x: place, y: turn(found.ns), low, high, basis: found.basis, isChosen, family, layout }];
      });
      return points.length > 0 ? [{ label: family.label, colour: colourAt(at), points }] : [];
    });
    if (lines.length === 0) return { note: "No interval here reaches less than twice to a side: nothing is drawn. `shardscale next` names runs that narrow it." };
    const unit = asked.of === "rate" ? "iterations/s of a rank" : asked.of === "gb" ? "GB/s" : `${asked.of === "share" ? "an iteration" : asked.of}, ms`;
    const limit = asked.of === "rate" || asked.of === "gb" ? asked.limit : (asked.of === "share" ? asked.limit * asked.step : asked.limit) / 1e6;
    const every = lines.flatMap((line) => line.points.map((point) => ({ ...point, line: line.label, colour: line.colour })));
    const domain = span([...every.flatMap((point) => [point.low, point.high]), limit], 1.15);
    return {
      title: `${unit} of ${showBytes(asked.bytes)} against ${x === "ranks" ? "ranks" : `DB nodes, ${asked.ranks} ranks`}`,
      legend: lines,
      panels: [{
        points: every.map((point) => ({ ...point, lines: [`${showNumber(point.y)} ${unit}`, `90 % interval ${showNumber(point.low)} to ${showNumber(point.high)}`, point.line, `${storeSays(point.family, point.layout)}, ${showCount(point.layout.ranks, "rank")}`, point.basis] })),
        options: (width, height) => ({
          x: measuredAxis(distinct(every.map((point) => point.x)), x === "ranks" ? "ranks" : "DB nodes", showTick, width - 66),
          y: logAxis(domain, unit, height - 60),
          marks: [
            Plot.areaY(every, { x: "x", y1: "low", y2: "high", z: "line", fill: { value: "colour", scale: null }, fillOpacity: 0.18 }),
            Plot.line(every, { x: "x", y: "y", z: "line", stroke: { value: "colour", scale: null }, strokeWidth: 1.6 }),
            Plot.ruleY([limit], { stroke: "var(--text)", strokeDasharray: "4 3" }),
            Plot.dot(every.filter((point) => point.isChosen), { x: "x", y: "y", r: 6, fill: { value: "colour", scale: null }, stroke: "var(--page)" }),
          ],
        }),
      }],
      columns: ["store", x, "ranks", "value", "low", "high", "basis"],
      rows: every.map((point) => [point.line, point.x, point.layout.ranks, point.y, point.low, point.high, point.basis]),
    };
  },
});

/** About thirty whole numbers up to a greatest one, evenly on a log axis. */
function spacedUpTo(most) {
  const steps = Array.from({ length: 30 }, (_, at) => Math.round(Math.exp((Math.log(most) * at) / 29)));
  return [...new Set(steps)];
}
