"use strict";
// Draws the two plots from the JSON in the page. Users' text is only ever shown as text.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const find = (id) => document.getElementById(id);
  // colours of Okabe and Ito, told apart by colour-blind readers too; shapes and dashes say it again
  const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#7a7a7a"];
  const BLUE_ON_DARK = "#4aa3df";
  const SHAPES = ["circle", "rect", "triangle", "diamond", "roundRect", "arrow", "pin"];
  const DASHES = ["solid", "dashed", "dotted"];
  const LIGHT = { text: "#1d2126", soft: "#59616b", line: "#d5dae0", page: "#ffffff" };
  const DARK = { text: "#e6e9ed", soft: "#a3acb7", line: "#383f47", page: "#15181c" };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let theme = dark.matches ? DARK : LIGHT;
  let printing = false;

  const look = (group) => ({
    colour: theme === DARK && group % COLOURS.length === 0 ? BLUE_ON_DARK : COLOURS[group % COLOURS.length],
    shape: SHAPES[group % SHAPES.length],
    dash: DASHES[Math.floor(group / COLOURS.length) % DASHES.length],
  });

  function showBytes(bytes) {
    for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]]) {
      if (bytes >= size && bytes % size === 0) return `${bytes / size} ${unit}`;
    }
    return `${bytes} B`;
  }
  const showNumber = (value) => (value == null ? "" : String(Number(value.toPrecision(4))));
  const sorted = (values) => [...new Set(values)].sort((a, b) => a - b);
  const median = (values) => {
    const ordered = [...values].sort((a, b) => a - b);
    const middle = (ordered.length - 1) / 2;
    return (ordered[Math.floor(middle)] + ordered[Math.ceil(middle)]) / 2;
  };

  function element(name, text) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function fillSelect(select, values, show) {
    for (const value of values) {
      const option = element("option", show(value));
      option.value = value;
      select.append(option);
    }
    select.value = values[values.length - 1];
  }

  function fillTable(table, caption, columns, rows) {
    const head = element("thead");
    const titles = element("tr");
    for (const column of columns) {
      const cell = element("th", column);
      cell.scope = "col";
      titles.append(cell);
    }
    head.append(titles);
    const body = element("tbody");
    for (const row of rows) {
      const line = element("tr");
      row.forEach((value, at) => {
        const cell = element(at === 0 ? "th" : "td", value);
        if (at === 0) cell.scope = "row";
        line.append(cell);
      });
      body.append(line);
    }
    table.replaceChildren(element("caption", caption), head, body);
  }

  // ECharts takes an element in place of HTML text, so that no name is read as markup
  function tip(lines) {
    const box = element("div");
    lines.forEach((line, at) => box.append(element(at === 0 ? "strong" : "div", line)));
    return box;
  }

  // ticks stand at `ticks`: the values that were measured, or round ones
  function axis(name, type, gap, ticks, range, show) {
    return {
      type, name, nameLocation: "middle", nameGap: gap, nameTextStyle: { color: theme.text },
      logBase: 2, ...range,
      axisLabel: { color: theme.soft, hideOverlap: true, formatter: show, customValues: ticks },
      axisTick: { show: true, customValues: ticks },
      axisLine: { show: true, onZero: false, lineStyle: { color: theme.soft } },
      splitLine: { show: true, lineStyle: { color: theme.line } },
    };
  }

  // from the least to the greatest value with a little room; a log axis has no zero
  function around(values, factor) {
    const positive = values.filter((value) => value > 0);
    return positive.length > 0 ? { min: Math.min(...positive) / factor, max: Math.max(...positive) * factor } : { min: 1, max: 10 };
  }

  // 1, 2, 5, 10, .. within a range; more where that is narrow, whole powers of ten where it is wide
  function roundTicks({ min, max }) {
    const steps = max / min > 1000 ? [1] : max / min < 8 ? [1, 2, 3, 4, 5, 6, 8] : [1, 2, 5];
    const ticks = [];
    for (let power = Math.floor(Math.log10(min)); power <= Math.log10(max); power += 1) {
      for (const step of steps) {
        const tick = Number(`${step}e${power}`);
        if (tick >= min && tick <= max) ticks.push(tick);
      }
    }
    return ticks;
  }

  function frame(x, y, series, formatter) {
    // paper cannot scroll its legend: there it takes the lines that it needs
    const top = printing ? 44 + 20 * Math.floor(data.groups.length / 2) : 44;
    return {
      animation: false,
      textStyle: { color: theme.text, fontFamily: "system-ui, sans-serif" },
      legend: { type: printing ? "plain" : "scroll", top: 0, textStyle: { color: theme.text }, pageTextStyle: { color: theme.text }, pageIconColor: theme.text, pageIconInactiveColor: theme.line },
      grid: { left: 64, right: 24, top, bottom: 56 },
      tooltip: { trigger: "item", confine: true, backgroundColor: theme.page, borderColor: theme.soft, textStyle: { color: theme.text }, formatter },
      xAxis: x, yAxis: y, series,
    };
  }

  function marks(group, partial) {
    const { colour, shape } = look(group);
    return { symbol: shape, symbolSize: 10, itemStyle: { color: partial ? theme.page : colour, borderColor: colour, borderWidth: 2 } };
  }

  function drawBandwidth(chart) {
    const [first, second] = find("bandwidth-figure").value.split(" ");
    const bytes = Number(find("bandwidth-size").value);
    const figure = find("bandwidth-figure").selectedOptions[0].textContent;
    const points = [];
    for (const run of data.runs) {
      for (const size of run.sizes.filter((size) => size.bytes === bytes)) {
        const value = second ? size.ops[first]?.[second] : size[first];
        const n = Object.entries(size.ops).filter(([op]) => !second || op === first).reduce((sum, [, op]) => sum + op.n, 0);
        if (value != null && run.x != null) points.push({ run, value, n });
      }
    }
    const series = [];
    data.groups.forEach((name, group) => {
      const mine = points.filter((point) => point.run.group === group);
      if (mine.length === 0) return;
      const { colour, dash } = look(group);
      const places = sorted(mine.map((point) => point.run.x));
      const middle = places.map((x) => [x, median(mine.filter((point) => point.run.x === x).map((point) => point.value))]);
      // the legend takes its mark from here; the points themselves are the runs
      series.push({
        name, type: "line", data: middle, silent: true, showSymbol: false, ...marks(group, false),
        lineStyle: { color: colour, type: dash, width: 2 },
      });
      series.push({
        name, type: "scatter", color: colour,
        data: mine.map((point) => ({ value: [point.run.x, point.value], point, ...marks(group, point.run.state === "partial") })),
      });
    });
    const log = find("bandwidth-log").checked;
    const [places, values] = [sorted(points.map((point) => point.run.x)), points.map((point) => point.value)];
    const range = log ? around(values, 1.3) : { min: 0 };
    const x = axis(data.axis, "log", 30, places, around(places, 1.15), String);
    const y = axis("GB/s", log ? "log" : "value", 46, log ? roundTicks(range) : undefined, range, showNumber);
    chart.setOption(frame(x, y, series, ({ data: { point } }) => tip([
      data.groups[point.run.group], `${showNumber(point.value)} GB/s`, `${point.run.x} ${data.axis}, repeat ${point.run.repeat}`,
      `n = ${point.n} samples, ${showBytes(bytes)}`, `${point.run.name} (${point.run.state})`,
    ])), true);
    const caption = `GB/s (${figure}) at ${showBytes(bytes)} against ${data.axis}`;
    find("bandwidth-plot").setAttribute("aria-label", `${caption}: ${points.length} runs; the table below holds the values`);
    fillTable(find("bandwidth-table"), caption, ["run", "line", data.axis, "repeat", "GB/s", "n", "state"], points.map(({ run, value, n }) =>
      [run.name, data.groups[run.group], run.x, run.repeat ?? "", showNumber(value), n, run.state]));
  }

  // the band from p5 to p95, and a stroke at each size so that a single size has one too
  function band(name, group, points) {
    const { colour } = look(group);
    return {
      name, type: "custom", silent: true, clip: true, z: 1, color: colour, data: points.flatMap((p) => [[p.bytes, p.p5], [p.bytes, p.p95]]),
      renderItem: (params, api) => {
        if (params.dataIndex !== 0) return null;
        const low = points.map((p) => api.coord([p.bytes, p.p5]));
        const high = points.map((p) => api.coord([p.bytes, p.p95]));
        const strokes = points.map((_, at) => ({ type: "line", shape: { x1: low[at][0], y1: low[at][1], x2: high[at][0], y2: high[at][1] }, style: { stroke: colour, lineWidth: 1 } }));
        return { type: "group", children: [{ type: "polygon", shape: { points: [...low, ...high.reverse()] }, style: { fill: colour, opacity: 0.15 } }, ...strokes] };
      },
    };
  }

  function drawLatency(chart) {
    const op = find("latency-op").value;
    const place = Number(find("latency-x").value);
    const runs = data.runs.filter((run) => run.x === place).sort((a, b) => a.group - b.group);
    const shown = [];
    const rows = [];
    const series = [];
    for (const run of runs) {
      const points = run.sizes.filter((size) => size.ops[op]).map((size) => ({ bytes: size.bytes, ...size.ops[op] })).sort((a, b) => a.bytes - b.bytes);
      const name = data.groups[run.group];
      const { colour, dash } = look(run.group);
      shown.push(...points);
      series.push({
        name, type: "line", z: 2, lineStyle: { color: colour, type: dash, width: 2 }, color: colour, showAllSymbol: true,
        ...marks(run.group, false),
        data: points.map((point) => ({ value: [point.bytes, point.median], point, run, ...marks(run.group, run.state === "partial") })),
      });
      series.push(band(name, run.group, points));
      for (const p of points) rows.push([run.name, name, showBytes(p.bytes), ...[p.p5, p.median, p.p95, p.p99, p.max].map(showNumber), p.n, run.state]);
    }
    const sizes = sorted(shown.map((point) => point.bytes));
    const range = around(shown.flatMap((point) => [point.p5, point.p95]), 1.3);
    const x = axis("tensor size", "log", 30, sizes, around(sizes, 1.3), showBytes);
    const y = axis(`${op} in us`, "log", 50, roundTicks(range), range, showNumber);
    chart.setOption(frame(x, y, series, ({ data: { point, run } }) => tip([
      `${data.groups[run.group]}, ${showBytes(point.bytes)}`, `median ${showNumber(point.median)} us`,
      `p5 ${showNumber(point.p5)} us, p95 ${showNumber(point.p95)} us`, `n = ${point.n} samples`, `${run.name} (${run.state})`,
    ])), true);
    const caption = `Latency of ${op} in us against tensor size at ${place} ${data.axis}`;
    find("latency-plot").setAttribute("aria-label", `${caption}: ${runs.length} runs; the table below holds the values`);
    fillTable(find("latency-table"), caption, ["run", "line", "size", "p5 us", "median us", "p95 us", "p99 us (from 660 samples)", "max us", "n", "state"], rows);
  }

  function save(chart, name) {
    const link = element("a");
    link.href = chart.getDataURL({ type: "svg" });
    link.download = name;
    link.click();
  }

  fillSelect(find("bandwidth-size"), sorted(data.runs.flatMap((run) => run.sizes.map((size) => size.bytes))), showBytes);
  fillSelect(find("latency-x"), sorted(data.runs.map((run) => run.x).filter((x) => x != null)), String);
  const plots = [["bandwidth", drawBandwidth], ["latency", drawLatency]].map(([name, draw]) => {
    const chart = echarts.init(find(`${name}-plot`), null, { renderer: "svg" });
    find(name).querySelector("form").addEventListener("change", () => draw(chart));
    find(name).querySelector("form").addEventListener("submit", (event) => event.preventDefault());
    find(`${name}-save`).addEventListener("click", () => save(chart, `shardscale-${name}.svg`));
    draw(chart);
    return { chart, draw };
  });
  const redraw = (next, size) => {
    theme = next;
    for (const { chart, draw } of plots) {
      chart.resize(size);
      draw(chart);
    }
  };
  const onScreen = () => redraw(dark.matches ? DARK : LIGHT, { width: "auto" });
  dark.addEventListener("change", onScreen);
  addEventListener("resize", () => plots.forEach(({ chart }) => chart.resize()));
  // paper is white and about so wide
  addEventListener("beforeprint", () => {
    printing = true;
    redraw(LIGHT, { width: 680 });
  });
  addEventListener("afterprint", () => {
    printing = false;
    onScreen();
  });
})();
