// Who sits on which core of a node: cells by NUMA domain and L3 group, as the manifest of the chosen run has it.

const CORE_KINDS = { db: "store server", rank: "rank", reserved: "reserved for the system", idle: "idle" };

function drawPlacement() {
  const box = byId("placement");
  if (!box) return;
  const show = () => {
    const nodes = DATA.placements[chosenRun()?.placement] ?? [];
    box.closest("[data-placement]").hidden = DATA.placements.length === 0;
    box.replaceChildren(...(nodes.length > 0 ? nodes.map(nodeOf) : [el("p", { class: "note" }, "This run's manifest holds no placement: nobody was pinned, or the node is not known.")]));
  };
  view.onChange(show);
  show();
}

/** {title, numa: [[l3 group: [[cpu, kind, who], ..], ..], ..]} as cells and as words. */
function nodeOf(node) {
  const cells = node.numa.map((groups, domain) => el("div", { class: "numa" }, el("span", { class: "numa-name" }, `NUMA ${domain}`), el("div", { class: "l3s" }, ...groups.map((cores) => el("div", { class: "l3" }, ...cores.map(coreOf))))));
  const kinds = [...grouped(node.numa.flat(2), ([, kind]) => kind)];
  const words = kinds.map(([kind, cores]) => el("li", {}, el("span", { class: `core ${kind}` }), `${CORE_KINDS[kind]}: ${showCount(cores.length, "core")}`));
  return el("div", { class: "node" }, el("h4", {}, node.title), el("div", { class: "cells", role: "img", "aria-label": `${node.title}: ${kinds.map(([kind, cores]) => `${CORE_KINDS[kind]}: ${showCount(cores.length, "core")}`).join(", ")}` }, ...cells), el("ul", { class: "legend" }, ...words));
}

const coreOf = ([cpu, kind, who]) => el("span", { class: `core ${kind}`, title: `core ${cpu}: ${who}` }, kind === "db" ? "DB" : kind === "rank" ? who.replace(/^rank /, "") : "");
