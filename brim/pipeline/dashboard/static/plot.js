// The stacked plot of memory over the last minutes. `shape` is pure; `draw` puts it on the page.

import { bytes, duration } from "./format.js";
import { svg, wipe } from "./dom.js";

const SPAN_S = 300, LEAST_S = 30, BOTTOM = 20, LEFT = 62, TOP = 8, RIGHT = 4;
export const LAYERS = ["workers", "operators", "queues", "beyond"];

/** Paths for `points` ([at, workers, operators, queues, growth], oldest first) in a picture of `width` by `height`. */
export function shape(points, memory, width, height) {
  const last = points[points.length - 1][0];
  const span = Math.min(SPAN_S, Math.max(LEAST_S, last - points[0][0]));
  const shown = points.filter((point) => point[0] >= last - span);
  const top = 1.06 * Math.max(memory, ...shown.map((p) => Math.max(p[4], p[1] + p[2] + p[3])), 1);
  const x = (at) => LEFT + ((at - last + span) / span) * (width - LEFT - RIGHT);
  const y = (size) => TOP + (1 - Math.max(0, size) / top) * (height - TOP - BOTTOM);
  const sums = shown.map(([, workers, operators, queues, growth]) => {
    const used = workers + operators + queues;
    return [0, workers, workers + operators, used, Math.max(used, growth)];
  });
  const line = (value) => shown.map((p, i) => `${i ? "L" : "M"}${round(x(p[0]))} ${round(y(value(p, i)))}`).join("");
  const back = (layer) => shown.map((p, i) => `L${round(x(p[0]))} ${round(y(sums[i][layer]))}`).reverse().join("");
  return {
    layers: LAYERS.map((_, layer) => `${line((_p, i) => sums[i][layer + 1])}${back(layer)}Z`),
    growth: line((p) => p[4]),
    budget: round(y(memory)),
    left: LEFT, right: width - RIGHT, bottom: height - BOTTOM,
    ticks: [0, 0.25, 0.5, 0.75, 1].map((share) => ({ y: round(y(share * memory)), text: share ? bytes(share * memory).replace(".0 ", " ") : "0" })),
    times: [0, 0.5, 1].map((share) => ({ x: round(x(last - span * (1 - share))), text: share === 1 ? "now" : `−${duration(span * (1 - share))}` })),
  };
}

export function draw(place, points, memory) {
  const width = place.clientWidth, height = place.clientHeight;
  if (!points.length || width < 80) return;
  const picture = shape(points, memory, width, height);
  const root = svg("svg", { width, height, role: "img", "aria-label": "memory over the last minutes" });
  for (const { y, text } of picture.ticks) {
    root.append(svg("line", { class: "grid", x1: picture.left, x2: picture.right, y1: y, y2: y }));
    root.append(svg("text", { class: "tick", x: picture.left - 8, y: y + 4, "text-anchor": "end" }, text));
  }
  picture.layers.forEach((path, i) => root.append(svg("path", { class: `layer ${LAYERS[i]}`, d: path })));
  root.append(svg("path", { class: "growth", d: picture.growth }));
  root.append(svg("line", { class: "budget", x1: picture.left, x2: picture.right, y1: picture.budget, y2: picture.budget }));
  for (const [i, { x, text }] of picture.times.entries()) {
    root.append(svg("text", { class: "tick", x, y: height - 4, "text-anchor": ["start", "middle", "end"][i] }, text));
  }
  wipe(place).append(root);
}

const round = (value) => Math.round(value * 10) / 10;
