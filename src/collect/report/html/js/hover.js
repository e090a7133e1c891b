// Values under the pointer, under a finger, and for the arrow keys.

const hover = (() => {
  const tip = byId("tip");
  const said = byId("said");
  let ring = null;

  function hide() {
    tip.hidden = true;
    ring?.remove();
    for (const one of document.querySelectorAll(".hovering")) one.classList.remove("hovering");
    for (const one of document.querySelectorAll(".on")) one.classList.remove("on");
  }

  function show(svg, figure, point, [x, y]) {
    hide();
    ring = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    for (const [key, value] of Object.entries({ cx: x, cy: y, r: 7, class: "ring" })) ring.setAttribute(key, value);
    svg.append(ring);
    tip.replaceChildren(...point.lines.map((line, at) => el(at === 0 ? "strong" : "div", {}, line)));
    tip.hidden = false;
    const box = svg.getBoundingClientRect();
    const scale = box.width / svg.viewBox.baseVal.width;
    const [left, top] = [box.x + x * scale, box.y + y * scale];
    const fits = left + 14 + tip.offsetWidth < document.documentElement.clientWidth;
    tip.style.left = `${Math.max(4, fits ? left + 14 : left - 14 - tip.offsetWidth) + scrollX}px`;
    tip.style.top = `${Math.max(4, Math.min(top - tip.offsetHeight / 2, innerHeight - tip.offsetHeight - 4)) + scrollY}px`;
    if (point.line == null) return;
    const mine = [...figure.querySelectorAll("[aria-label]")].filter((mark) => mark.getAttribute("aria-label") === point.line && mark.closest("svg"));
    if (mine.length === 0) return;
    figure.classList.add("hovering");
    for (const mark of mine) mark.classList.add("on");
  }

  /** Lets `svg` tell of `points`: {x, y} in the plot's units, `lines` to say, `line` that lights up. */
  function attach(svg, figure, points) {
    const place = (scale, value) => scale.apply(value) + (scale.bandwidth ?? 0) / 2;
    const [xs, ys] = [svg.scale("x"), svg.scale("y")];
    const placed = points.map((point) => ({ point, at: point.pixel ?? [place(xs, point.x), place(ys, point.y)] })).filter(({ at }) => at.every(Number.isFinite));
    if (placed.length === 0) return;
    placed.sort((a, b) => a.at[0] - b.at[0] || b.at[1] - a.at[1]);
    let current = -1;
    const go = (next) => {
      current = next;
      show(svg, figure, placed[current].point, placed[current].at);
    };
    const nearest = (event) => {
      const box = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / box.width;
      const [x, y] = [(event.clientX - box.x) * scale, (event.clientY - box.y) * scale];
      const distances = placed.map(({ at }) => Math.hypot(at[0] - x, at[1] - y));
      const least = distances.indexOf(Math.min(...distances));
      if (distances[least] < 48) go(least);
      else hide();
    };
    svg.addEventListener("pointermove", nearest);
    svg.addEventListener("pointerdown", nearest);
    svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hide());
    svg.addEventListener("blur", hide);
    svg.setAttribute("tabindex", "0");
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1, Home: -placed.length, End: placed.length }[event.key];
      if (event.key === "Escape") hide();
      if (!step) return;
      event.preventDefault();
      go(Math.max(0, Math.min(placed.length - 1, current < 0 ? 0 : current + step)));
      said.textContent = placed[current].point.lines.join(", ");
    });
  }

  addEventListener("keydown", (event) => event.key === "Escape" && hide());
  return { attach, hide };
})();
