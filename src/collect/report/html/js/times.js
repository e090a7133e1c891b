// The time line of a run: what its script noted, its sizes, and its straggling ranks.

const TRACK_COLOURS = { script: "var(--soft)", store: colourAt(1), client: colourAt(0) };
const SIZES_TRACK = "sizes";

/** The bars of a run: {track, says, from, to, colour, half}. */
function barsOf({ phases, sizes, ranks = [] }) {
  const ofPhases = phases.map(([which, from, to]) => [...DATA.phases[which], from, to]).map(([track, name, from, to]) => ({ track, name, from, to, colour: TRACK_COLOURS[track], lines: [`${track}: ${name}`] }));
  const ofSizes = sizes.map(([bytes, from, to, half, last]) => ({ track: SIZES_TRACK, name: showBytes(bytes), bytes, from, to, half, colour: colourAt(2), lines: [showBytes(bytes), `half of the ranks had ended ${showSeconds(to - half)} before the last, which was rank ${last}`] }));
  const ofRanks = ranks.flatMap(([rank, host, ratio, windows]) => windows.flatMap((window, at) => (window ? [{ track: `rank ${rank}`, name: "", bytes: sizes[at]?.[0], from: window[0], to: window[1], colour: colourAt(3), lines: [`rank ${rank} at ${showBytes(sizes[at]?.[0])}`, host, `straggles: ${showNumber(ratio)} times the middle of all ranks`] }] : [])));
  return [...ofPhases, ...ofSizes, ...ofRanks];
}

const showSeconds = (seconds) => (Math.abs(seconds) < 1 ? `${showNumber(Number((seconds * 1e3).toFixed(1)))} ms` : `${showNumber(Number(seconds.toFixed(3)))} s`);
const showDate = (seconds) => new Date(seconds * 1e3).toISOString().replace("T", " ").slice(0, 19);

/** What a reader may look at: the run, its sizes, or one of them with a little around it. */
function timesDomain(bars, part) {
  const wanted = bars.filter((bar) => part === "all" || (part === SIZES_TRACK ? bar.track === SIZES_TRACK : bar.track === SIZES_TRACK && String(bar.bytes) === part));
  const [from, to] = [Math.min(...wanted.map((bar) => bar.from)), Math.max(...wanted.map((bar) => bar.to))];
  const room = (to - from || 1e-3) * 0.02;
  return [from - room, to + room];
}

figure("times", {
  title: "Time line",
  caption: "Seconds since the run began. The script's own steps are whole seconds of its node's clock; connecting, sizes and ranks are on the ranks' common clock. A size reaches from the first start to the last end of its timed samples, without warm-up; darker where half of the ranks had ended. Ranks are the slowest of those that straggle, at most 4. `collect --trace` writes the same with all ranks, for Perfetto.",
  panelWidth: 600,
  controls: [{
    key: "part",
    label: "Show",
    options: () => (chosenRun()?.times?.sizes.length > 0 ? [["all", "the whole run"], [SIZES_TRACK, "all sizes"], ...chosenRun().times.sizes.map(([bytes]) => [bytes, showBytes(bytes)])] : []),
    fallback: () => "all",
  }],
  draw(get) {
    const run = chosenRun();
    if (!run?.times) return { note: "Of this run no times are known." };
    const { begin, end, off } = run.times;
    const bars = barsOf(run.times);
    if (bars.length === 0) return { note: "Of this run no times are known." };
    const domain = timesDomain(bars, get("part") || "all");
    const shown = bars.filter((bar) => bar.to >= domain[0] && bar.from <= domain[1]).map((bar) => ({ ...bar, x1: Math.max(bar.from, domain[0]), x2: Math.min(bar.to, domain[1]) }));
    const tracks = [...grouped(bars, (bar) => bar.track).keys()];
    const row = (bar) => tracks.indexOf(bar.track);
    const band = { y1: (bar) => row(bar) - 0.4, y2: (bar) => row(bar) + 0.4 };
    // a bar of a moment is still seen
    const least = (domain[1] - domain[0]) / 400;
    const fits = (bar, width) => bar.name && ((bar.x2 - bar.x1) / (domain[1] - domain[0])) * (width - 100) > bar.name.length * 6.2 + 6;
    return {
      title: `Time line of ${run.name}`,
      panels: [{
        title: "",
        height: 60 + 26 * tracks.length,
        points: shown.map((bar) => ({ x: (bar.x1 + bar.x2) / 2, y: row(bar), lines: [bar.lines[0], `${showSeconds(bar.to - bar.from)}, from ${showSeconds(bar.from)} to ${showSeconds(bar.to)}`, ...bar.lines.slice(1)] })),
        options: (width) => ({
          marginLeft: 76,
          x: { type: "linear", domain, ticks: Math.max(3, Math.floor(width / 110)), tickFormat: (value) => String(Number(value.toPrecision(6))), label: "s", labelAnchor: "center", labelArrow: "none", grid: true },
          y: { type: "linear", domain: [tracks.length - 0.5, -0.5], axis: null },
          marks: [
            Plot.axisY(tracks.map((_, at) => at), { text: (at) => tracks[at], tickSize: 0, label: null }),
            Plot.rect(shown, { ...band, x1: "x1", x2: (bar) => Math.max(bar.x2, bar.x1 + least), fill: { value: "colour", scale: null }, fillOpacity: 0.4, stroke: { value: "colour", scale: null }, strokeWidth: 0.8 }),
            Plot.rect(shown.filter((bar) => bar.half < bar.x2), { ...band, x1: (bar) => Math.max(bar.half, bar.x1), x2: "x2", fill: { value: "colour", scale: null }, fillOpacity: 0.5 }),
            Plot.text(shown.filter((bar) => fits(bar, width)), { x: (bar) => (bar.x1 + bar.x2) / 2, y: row, text: "name", fontSize: 10, fill: "var(--text)" }),
          ],
        }),
      }],
      note: [`Began ${showDate(begin)} UTC${end ? `; the last that its script noted: ${end}` : ""}.`, off ? `The clocks of the script's node and of rank 0 disagree by ${showSeconds(off)}: sizes stand beside the script's steps only as near as that.` : ""].filter(Boolean).join(" "),
      columns: ["run", "track", "what", "from_s", "to_s", "half_of_ranks_ended_s"],
      rows: bars.map((bar) => [run.name, bar.track, bar.name || showBytes(bar.bytes), bar.from, bar.to, bar.half ?? null]),
    };
  },
});
