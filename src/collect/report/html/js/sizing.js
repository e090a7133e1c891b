// The arithmetic of `shardscale size`, from the laws that `collect` fitted: who shares what, the time under a load with its 90 %
// interval, and the least store that keeps a limit. Knows neither the page nor its plots; tests hold it to the command's figures.
const sizing = (() => {
  const WIDEST = 2;
  const FURTHEST = 64;
  const SAME = 1.001;
  const MOST_TIMES = 16;
  const SLOTS = 16384;
  const STATIONS = ["the rank itself", "the server", "the DB node", "the client node", "a part that all ranks share"];
  const PARTS = { p50: 0.5, p90: 0.9, p99: 0.99 };

  // CRC16 of XMODEM, as Redis has it
  const CRC = Array.from({ length: 256 }, (_, byte) => {
    let crc = byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
    return crc;
  });
  const slotOf = (name) => {
    let crc = 0;
    for (const letter of name) crc = (CRC[(crc >> 8) ^ letter.charCodeAt(0)] ^ (crc << 8)) & 0xffff;
    return crc % SLOTS;
  };
  const slots = new Map();
  const slotsUpTo = (names, ranks) => {
    if (!slots.has(names)) slots.set(names, []);
    const of = slots.get(names);
    while (of.length < ranks) of.push(slotOf(`${names}${of.length}`));
    return of;
  };

  /** Ranks of each server by the slots of their keys; redis-cli deals slots in C's float. */
  function dealt(names, ranks, servers) {
    const part = Math.fround(SLOTS / servers);
    const lasts = [];
    let cursor = 0;
    for (let at = 1; at < servers; at += 1) {
      lasts.push(Math.round(Math.fround(Math.fround(cursor + part) - 1)));
      cursor = Math.fround(cursor + part);
    }
    const counts = new Array(servers).fill(0);
    const of = slotsUpTo(names, ranks);
    for (let rank = 0; rank < ranks; rank += 1) {
      let [low, high] = [0, lasts.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (lasts[middle] < of[rank]) low = middle + 1;
        else high = middle;
      }
      counts[low] += 1;
    }
    return counts;
  }
  const equal = (ranks, servers) => Array.from({ length: servers }, (_, at) => Math.floor(ranks / servers) + (at < ranks % servers ? 1 : 0));

  function ranksPerServer(family, { ranks, perNode, dbNodes, servers }) {
    if (family.colocated) return equal(Math.min(perNode, ranks), servers);
    const all = Math.max(dbNodes ?? 1, 1) * servers;
    return family.names && all >= 2 && all <= SLOTS ? dealt(family.names, ranks, all) : equal(ranks, all);
  }

  /** Ranks that share each station, for the quantile `of`, or for the ranks that are last. */
  function loadOf(family, layout, counts, of) {
    const ordered = [...counts].sort((a, b) => a - b);
    const all = ordered.reduce((sum, count) => sum + count, 0);
    let server = ordered.at(-1) ?? 1;
    if (of in PARTS) {
      let below = 0;
      server = ordered.find((count) => (below += count) >= PARTS[of] * all) ?? server;
    }
    const { ranks, perNode, dbNodes } = layout;
    const ofNode = Math.max(Math.min(perNode, ranks), 1);
    const dbNode = family.colocated ? ofNode : dbNodes == null ? ranks : ranks / Math.max(dbNodes, 1);
    return [1, Math.max(server, 1), Math.max(dbNode, 1), ofNode, Math.max(ranks, 1)];
  }

  /** ln T of a closed network, or of ranks that come in step, and the part that each station has in it. */
  function lawAt([stations, logs, , , , inStep], load) {
    const demands = stations.map((station, at) => [Math.exp(logs[at]), Math.max(load[station] - 1, 0)]);
    if (inStep) {
      const t = demands.reduce((sum, [demand, others]) => sum + demand * (others + 1), 0);
      return [Math.log(t), demands.map(([demand, others]) => (demand * (others + 1)) / t)];
    }
    let t = Math.max(demands.reduce((sum, [demand]) => sum + demand, 0), ...demands.map(([demand, others]) => demand * (others + 1)));
    for (let step = 0; step < 50; step += 1) {
      let [left, slope] = [-1, 0];
      for (const [demand, others] of demands) {
        const part = demand / (t - demand * others);
        left += part;
        slope += (part * part) / demand;
      }
      const by = left / slope;
      if (!Number.isFinite(by) || by <= 1e-13 * t) break;
      t += by;
    }
    let slope = 1;
    const parts = demands.map(([demand, others]) => {
      const left = t - demand * others;
      slope += (demand * demand * others) / (left * left);
      return (demand * t) / (left * left);
    });
    return [Math.log(t), parts.map((part) => part / slope)];
  }

  function foretold(size, load) {
    const each = size.laws.map((law) => {
      const [log, parts] = lawAt(law, load);
      const [, , covariance, scatter, weight] = law;
      let own = 0;
      let next = 0;
      parts.forEach((a, i) => parts.slice(i).forEach((b, j) => (own += (j === 0 ? 1 : 2) * a * covariance[next++] * b)));
      return { log, variance: Math.max(own, 0) + scatter, weight };
    });
    const log = each.reduce((sum, one) => sum + one.weight * one.log, 0);
    return { log, variance: each.reduce((sum, one) => sum + one.weight * (one.variance + (one.log - log) ** 2), 0) };
  }

  /** What is known at one size: {log, variance, t, basis, beyond}, or {why}. */
  function atSize(family, size, layout, load) {
    const seen = size.measured.find(([point]) => {
      const [ranks, perNode, dbNodes, servers] = family.points[point];
      return ranks === layout.ranks && perNode === layout.perNode && dbNodes === (layout.dbNodes ?? 0) && servers === layout.servers;
    });
    if (seen) {
      const [, log, runs] = seen;
      const scatter = size.laws.reduce((sum, [, , , scatter, weight]) => sum + weight * scatter, 0);
      if (size.repeats) return { log, variance: size.repeats[0] * (1 + 1 / runs), t: size.repeats[1], basis: runs === 1 ? "measured once" : `measured ${runs} times` };
      if (size.laws.length > 0) return { log, variance: scatter, t: size.t, basis: runs === 1 ? "measured once" : `measured ${runs} times` };
    }
    if (size.laws.length === 0) return { why: `${showCount(size.measured.length, "point")} are too few for any law: run more loads` };
    let beyond = 1;
    for (const [station, [least, most]] of size.ranges.entries()) {
      const factor = Math.max(load[station] / most, least / load[station]);
      if (factor > SAME && most < least * SAME) return { why: `all runs had as many ranks at ${STATIONS[station]}: run others` };
      beyond = Math.max(beyond, factor);
    }
    if (beyond > FURTHEST) return { why: `it is ${beyond.toFixed(0)} x beyond what was measured: run larger loads` };
    const { log, variance } = foretold(size, load);
    const isBeyond = beyond > SAME;
    return { log, variance: variance + (isBeyond ? size.growth * Math.log(beyond) ** 2 : 0), t: size.t, beyond: isBeyond ? beyond : 1, basis: isBeyond ? `extrapolated ${beyond.toFixed(1)} x` : "interpolated" };
  }

  /** The time of a layout, in ns: {ns, low, high, basis, ..}, or {why}. */
  function at(family, curve, layout, bytes, counts = ranksPerServer(family, layout)) {
    const load = loadOf(family, layout, counts, curve.of);
    const { sizes } = curve;
    const high = sizes.findIndex((size) => size.bytes >= bytes);
    const outside = { why: `measured were ${sizes.map((size) => showBytes(size.bytes)).join(", ")}; a size between two wants three around it, and nothing is said beyond them: run it with --tensor-bytes` };
    if (high < 0 || (sizes[high].bytes !== bytes && high === 0)) return outside;
    const exact = sizes[high].bytes === bytes;
    const [below, above] = [sizes[exact ? high : high - 1], sizes[high]];
    let known = atSize(family, below, layout, load);
    if (known.why) return known;
    if (!exact) {
      const other = atSize(family, above, layout, load);
      if (other.why) return other;
      if (curve.between == null) return outside;
      const part = Math.log(bytes / below.bytes) / Math.log(above.bytes / below.bytes);
      const beyond = Math.max(known.beyond ?? 1, other.beyond ?? 1);
      known = { log: known.log + part * (other.log - known.log), variance: Math.max(known.variance, other.variance) + curve.between, t: Math.max(known.t, other.t), basis: beyond > 1 ? `extrapolated ${beyond.toFixed(1)} x` : "interpolated" };
    }
    const half = known.t * Math.sqrt(known.variance);
    const nearest = bytes / below.bytes > above.bytes / bytes ? above : below;
    return { ns: Math.exp(known.log), low: Math.exp(known.log - half), high: Math.exp(known.log + half), basis: known.basis, leftOut: nearest.left_out, boundBy: boundBy(nearest, load), points: below.measured.length };
  }

  function boundBy(size, load) {
    if (size.laws.length === 0) return null;
    const likeliest = size.laws.reduce((best, law) => (law[4] >= best[4] ? law : best));
    const [, parts] = lawAt(likeliest, load);
    return STATIONS[likeliest[0][parts.lastIndexOf(Math.max(...parts))]];
  }

  const curveOf = (family, op, of) => family.curves.find((curve) => curve.of === of && (of === "iteration" || curve.op === op));

  /** What a question wants of a family: [{curve, most}] with times in ns. */
  function needs(family, { ops, of, limit, step, ranks, bytes }) {
    const asked = ops.length > 0 ? ops : family.ops;
    if (of in PARTS) return asked.map((op) => ({ op, curve: curveOf(family, op, of), most: limit }));
    const most = { rate: 1e9 / limit, gb: (ranks * bytes * family.tensors) / limit, share: limit * (step ?? 0) }[of];
    return [{ op: null, curve: curveOf(family, null, "iteration"), most }];
  }

  function tryOut(family, question, wanted, layout) {
    const counts = ranksPerServer(family, layout);
    const figures = wanted.map(({ op, curve, most }) => {
      const found = curve ? at(family, curve, layout, question.bytes, counts) : { why: "no run has measured this operation, or this quantile from enough samples" };
      return { op, most, found, met: !found.why && found.high <= most, broken: !found.why && found.low > most, room: found.why ? 0 : most / found.ns };
    });
    return { layout, figures, known: figures.every(({ found }) => !found.why), met: figures.every((one) => one.met), broken: figures.some((one) => one.broken), room: Math.min(...figures.map((one) => one.room)) };
  }

  function steps(most) {
    const all = [];
    for (let nodes = 1; nodes <= most; nodes += Math.max(Math.floor(nodes / 12), 1)) all.push(nodes);
    return all;
  }

  /** `choices` in the order of nodes. */
  function judge(choices) {
    const mayDo = choices.find((one) => one.known && !one.broken)?.layout.dbNodes ?? 0;
    const met = choices.find((one) => one.met);
    if (met) return { answer: "met", choice: met, mayDo };
    const most = (of) => of.reduce((best, one) => (best == null || one.room >= best.room ? one : best), null);
    const open = choices.filter((one) => !one.broken);
    const known = open.filter((one) => one.known);
    const likely = known.find((one) => one.room >= 1) ?? most(known);
    if (likely) return { answer: "not known", choice: likely };
    if (open.length > 0) return { answer: "not known", why: open[0].figures.find(({ found }) => found.why)?.found.why };
    return { answer: "not met", choice: most(choices) };
  }

  function ofServers(family, question, wanted, servers) {
    const layout = (dbNodes) => ({ ranks: question.ranks, perNode: question.perNode, dbNodes, servers });
    if (family.db_nodes == null) return judge([tryOut(family, question, wanted, layout(null))]);
    const most = Math.min(family.db_nodes * MOST_TIMES, Math.floor(SLOTS / servers));
    const tried = new Map(steps(most).map((nodes) => [nodes, tryOut(family, question, wanted, layout(nodes))]));
    const ascending = () => [...tried.keys()].sort((a, b) => a - b);
    for (const does of [(one) => one.met, (one) => one.known && !one.broken]) {
      const nodes = ascending();
      const first = nodes.findIndex((count) => does(tried.get(count)));
      if (first < 1) continue;
      for (let count = nodes[first - 1] + 1; count < nodes[first]; count += 1) tried.set(count, tryOut(family, question, wanted, layout(count)));
    }
    return judge(ascending().map((count) => tried.get(count)));
  }

  const placeOf = ({ answer, choice, why }) => (answer === "met" ? [0, choice.layout.dbNodes ?? 0] : answer === "not met" ? [3, -choice.room] : why ? [2, 0] : [1, -choice.room]);

  /** Met with the fewest nodes first, then what might be, what is not known, and what cannot be, each with the most room. */
  const bestFirst = (one, other) => placeOf(one)[0] - placeOf(other)[0] || placeOf(one)[1] - placeOf(other)[1];

  /** The verdict on a family: {answer, choice, mayDo} or {answer, why}. */
  function answer(family, question) {
    const wanted = needs(family, question);
    if (wanted.length === 0) return { answer: "not known", why: "no run has measured this operation" };
    const verdicts = family.servers.map((servers) => ofServers(family, question, wanted, servers));
    return verdicts.reduce((best, one) => (bestFirst(best, one) <= 0 ? best : one));
  }

  return { answer, bestFirst, at, needs, curveOf, WIDEST, PARTS };
})();
