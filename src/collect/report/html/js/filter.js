// The filter and the choice of colours, in the side column.

function drawFilter() {
  const box = byId("filter");
  for (const axis of FILTERS) box.append(filterOf(axis));
  byId("filter-clear").addEventListener("click", () => view.clear("f."));
  const colour = byId("colour");
  colour.append(el("option", { value: BY_CONFIGURATION }, "configuration"));
  for (const axis of CONFIGURATION) colour.append(el("option", { value: axis.key }, axis.label));
  colour.closest("label").hidden = CONFIGURATION.length < 1;
  colour.addEventListener("change", () => view.set("colour", [colour.value]));
  // on a phone the filter would push everything else out of sight
  const wide = matchMedia("(min-width: 60rem)");
  const fold = () => (byId("side-fold").open = wide.matches);
  wide.addEventListener("change", fold);
  fold();
  view.onChange(showFilter);
  showFilter();
}

/** An axis with a box for each value; many values stay folded until they are wanted. */
function filterOf(axis) {
  const values = axis.absent ? [...axis.values, null] : axis.values;
  const boxes = values.map((value) => {
    const input = el("input", { type: "checkbox", value: showValue(axis, value), "data-axis": axis.key });
    input.addEventListener("change", () => {
      const chosen = filter.chosen(axis);
      if (input.checked) chosen.add(input.value);
      else chosen.delete(input.value);
      view.set(`f.${axis.key}`, chosen);
    });
    return el("label", { class: "chip" }, input, el("span", {}, showValue(axis, value)));
  });
  return el("fieldset", {}, el("legend", {}, axis.label), el("div", { class: "chips" }, ...boxes));
}

/** Shows what is chosen, which may have come from the address. */
function showFilter() {
  const counts = new Map(FILTERS.map((axis) => [axis.key, filter.counts(axis)]));
  for (const input of byId("filter").querySelectorAll("input")) {
    input.checked = view.getAll(`f.${input.dataset.axis}`).includes(input.value);
    const left = counts.get(input.dataset.axis).get(input.value) ?? 0;
    const says = left > 0 ? showCount(left, "run") : "no run with the other filters";
    input.closest("label").title = says;
    input.closest("label").classList.toggle("none", left === 0);
    input.setAttribute("aria-description", says);
  }
  byId("filter-empty").replaceChildren(...emptySays());
  byId("colour").value = colourKey();
  const shown = filter.runs().length;
  const all = DATA.runs.length;
  byId("filter-says").textContent = shown === all ? `All ${showCount(all, "run")}` : `${shown} of ${showCount(all, "run")}`;
  byId("filter-clear").disabled = !filter.isOn();
  const words = FILTERS.filter((axis) => filter.chosen(axis).size > 0).map((axis) => `${axis.label}: ${[...filter.chosen(axis)].join(", ")}`);
  byId("filter-print").textContent = words.length > 0 ? `Only runs with ${words.join("; ")}.` : "";
  for (const row of document.querySelectorAll("tr[data-run]")) row.hidden = !filter.runs().includes(DATA.runs[row.dataset.run]);
}

/** Where nothing passes the filter: which part of it is to blame, and a button that takes it away. */
function emptySays() {
  const blamed = filter.blamed();
  if (!blamed) return [];
  const button = (text, act) => {
    const made = el("button", { type: "button" }, text);
    made.addEventListener("click", act);
    return made;
  };
  if (blamed.length === 0) return [" No run passes the filter, and none would without one part of it. ", button("Clear the filter", () => view.clear("f."))];
  const parts = blamed.flatMap(([axis, values, left]) => [` Without ${axis.label} ${[...values].join(", ")}: ${showCount(left, "run")}. `, button(`Clear ${axis.label}`, () => view.set(`f.${axis.key}`, []))]);
  return [" No run passes the filter.", ...parts];
}
