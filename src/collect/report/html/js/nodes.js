// Which nodes are slow in many runs: hosts against runs in the order of their dates.

const NODE_ORDER = [["apart", "those that straggle in most runs first"], ["host", "by name"]];

/** How far from the middle of its run, from 0 to 1 at twice as slow or as fast, as a share of the colour. */
const slowness = ({ ratio }) => 0.1 + 0.9 * Math.min(1, Math.abs(Math.log2(ratio)));

figure("nodes", {
  title: "Hosts against runs",
  caption: "A cell is the median latency of a host's ranks in a run, in proportion to that of all its ranks, over operations and sizes: 1, the faintest, is as fast as the middle; full orange is twice as slow and beyond, blue is faster. A dot marks a host that straggles in that run (modified z-score above 3.5, and a tenth slower; runs of fewer than five hosts are not judged). Runs stand in the order in which they began; an empty place: the host was not in that run.",
  panelWidth: 600,
  controls: [{ key: "order", label: "Hosts", options: () => NODE_ORDER, fallback: () => "apart" }],
  draw(get) {
    if (!DATA.nodes) return { note: "No host is known." };
    const columns = filter.comparable().filter((run) => run.hosts).sort((a, b) => (a.times?.begin ?? 0) - (b.times?.begin ?? 0));
    const place = new Map(columns.map((run, at) => [DATA.runs.indexOf(run), at]));
    const seen = DATA.nodes.rows.map(({ host, ratios, apart }) => {
      const cells = [...place].flatMap(([run, x]) => (ratios[run] == null ? [] : [{ host, x, run: columns[x], ratio: ratios[run], apart: apart.includes(run) }]));
      return { host, cells, apart: cells.filter((cell) => cell.apart).length, judged: cells.filter((cell) => cell.run.hosts.limit != null).length, mean: Math.exp(cells.reduce((sum, cell) => sum + Math.log(cell.ratio), 0) / cells.length) };
    }).filter(({ cells }) => cells.length > 0);
    if (seen.length === 0) return { note: "Of the runs in this selection no figures by host are known." };
    const hosts = get("order") === "host" ? seen.sort((a, b) => inOrder(a.host, b.host)) : seen.sort((a, b) => b.apart - a.apart || b.mean - a.mean);
    const cells = hosts.flatMap((host, y) => host.cells.map((cell) => ({ ...cell, y })));
    const often = hosts.filter(({ apart }) => apart > 1);
    const days = columns.map((run) => (run.times ? showDate(run.times.begin).slice(0, 10) : "no date"));
    return {
      title: "How slow hosts were in runs",
      panels: [{
        title: "",
        height: 64 + 18 * hosts.length,
        points: cells.map((cell) => ({ x: cell.x, y: cell.y, lines: [`${showNumber(cell.ratio)} times the median of all${cell.apart ? ": straggles" : ""}`, cell.host, `${days[cell.x]}, ${cell.run.name}`] })),
        options: (width) => {
          const left = width < 500 ? 92 : 150;
          const cell = (width - left - 14) / columns.length;
          return {
            marginLeft: left,
            x: { type: "linear", domain: [-0.5, columns.length - 0.5], axis: null },
            y: { type: "linear", domain: [hosts.length - 0.5, -0.5], axis: null },
            marks: [
              Plot.axisY(hosts.map((_, at) => at), { text: (at) => nodeLabel(hosts[at], width < 500 ? 6 : 14), tickSize: 0, label: null }),
              Plot.axisX(dayStarts(days, cell), { text: (at) => days[at], label: "runs in the order of their begin", labelAnchor: "center", labelArrow: "none", textAnchor: "start" }),
              Plot.rect(cells, { x1: ({ x }) => x - 0.5 + (cell > 6 ? 0.06 : 0), x2: ({ x }) => x + 0.5, y1: ({ y }) => y - 0.46, y2: ({ y }) => y + 0.46, fill: { value: ({ ratio }) => colourAt(ratio < 1 ? 0 : 1), scale: null }, fillOpacity: { value: slowness, scale: null } }),
              Plot.dot(cells.filter(({ apart }) => apart), { x: "x", y: "y", r: Math.max(1.2, Math.min(3.5, cell / 3)), fill: "var(--text)", stroke: "var(--page)", strokeWidth: cell > 6 ? 0.8 : 0.3 }),
            ],
          };
        },
      }],
      note: [
        `${showCount(hosts.length, "host")} in ${showCount(columns.length, "run")}${DATA.nodes.total > DATA.nodes.rows.length ? `; of ${DATA.nodes.total} hosts the ${DATA.nodes.rows.length} that straggle in most runs, or else are slowest: hosts.csv has all` : ""}.`,
        often.length > 0 ? `In more than one run straggle: ${often.slice(0, 5).map(({ host, apart, judged }) => `${host} (${apart} of ${judged})`).join(", ")}${often.length > 5 ? ` and ${often.length - 5} more` : ""}.` : "No host straggles in more than one run.",
      ].join(" "),
      columns: ["host", "run", "began_utc", "times_median_of_all", "straggles"],
      rows: cells.map((cell) => [cell.host, cell.run.name, cell.run.times ? showDate(cell.run.times.begin) : "", cell.ratio, cell.run.hosts.limit == null ? "" : cell.apart ? "yes" : "no"]),
    };
  },
});

/** A host, and in how many of the runs that judge it straggles. */
const nodeLabel = ({ host, apart, judged }, most) => `${shorten(host, most)}  ${judged > 0 ? `${apart}/${judged}` : ""}`;

/** Places of the first run of each day, as far as there is room for its date. */
function dayStarts(days, cell) {
  const kept = [];
  days.forEach((day, at) => {
    if ((at === 0 || days[at - 1] !== day) && (kept.length === 0 || (at - kept[kept.length - 1]) * cell > 74)) kept.push(at);
  });
  return kept;
}
