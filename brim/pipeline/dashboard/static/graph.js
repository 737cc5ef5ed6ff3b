// One run as a graph: boxes for operators, pipes for queues that fill and drain.

import { dress, el, keyed, say, svg } from "./dom.js";
import { bytes, count, percent, short } from "./format.js";
import { layout } from "./layout.js";
import { rows } from "./rates.js";
import { STATES, doing, mainState, queueState } from "./words.js";

const ROOM = 4; // around the picture, for outlines

/** Draw `run` into `place`; `paces` are those of its stages, `root` the id of the bottleneck. */
export function drawGraph(place, run, paces, root) {
  const last = run.stages[run.stages.length - 1];
  const nodes = last.writes ? run.stages : [...run.stages, { id: "consumer", end: true, inputs: [run.stages.length - 1] }];
  const plan = laidOut(place, nodes);
  const picture = place.picture ??= place.appendChild(svg("svg", { class: "pipes", "aria-hidden": "true" }));
  const boxes = place.boxes ??= place.appendChild(el("div", "boxes"));
  const labels = place.labels ??= place.appendChild(el("div", "labels"));
  size(place, plan.width, plan.height);
  dress(place, plan.turned ? "graph turned" : "graph");
  keyed(picture, plan.pipes, (pipe) => `${pipe.from}-${pipe.to}`, makePipe, (node, pipe) => updatePipe(node, pipe, run, paces));
  keyed(labels, plan.pipes, (pipe) => `${pipe.from}-${pipe.to}`, () => el("div", "queue"), (node, pipe) => updateLabel(node, pipe, run));
  keyed(boxes, nodes.map((stage, i) => ({ stage, i })), ({ stage }) => stage.id, makeBox, (node, { stage, i }) => {
    set(node, plan.boxes[i]);
    if (stage.end) dress(node, `box end${root === "consumer" ? " root" : ""}`);
    else updateBox(node, stage, paces[i], stage.id === root);
  });
}

/** The layout, made anew only where the width or the plan has changed. */
function laidOut(place, nodes) {
  const width = place.parentElement.clientWidth - 2 * ROOM;
  const key = `${width} ${nodes.map((node) => node.id).join(" ")}`;
  if (place.laidOutFor !== key) {
    place.laidOutFor = key;
    place.plan = layout(nodes, width);
  }
  return place.plan;
}

function makeBox({ stage }) {
  const box = el("div", "box");
  if (stage.end) {
    box.append(el("strong", "", "consumer"));
    return box;
  }
  const head = box.appendChild(el("div", "head"));
  const detail = box.appendChild(el("div", "detail"));
  const note = box.appendChild(el("div", "note"));
  const numbers = box.appendChild(el("div", "numbers"));
  const state = box.appendChild(el("div", "state"));
  const split = box.appendChild(el("div", "split"));
  box.parts = {
    name: head.appendChild(el("strong")), state, note, detail,
    rows: numbers.appendChild(el("span", "rows")), rate: numbers.appendChild(el("span", "rate")),
    shares: STATES.map((state) => split.appendChild(el("i", state))),
  };
  return box;
}

function updateBox(box, stage, pace, isRoot) {
  const { name, state, note, detail, rows: total, rate, shares } = box.parts;
  dress(box, `box ${mainState(stage, pace.shares)[0]}${isRoot ? " root" : ""}`);
  say(name, stage.name);
  say(state, doing(stage, pace.shares, pace.outside));
  say(note, notes(stage).join(", "));
  say(detail, stage.detail);
  box.title = `${stage.id}\n${stage.detail}\n${[...notes(stage), `${bytes(stage.bytes_out)} out`].join(", ")}`;
  say(total, `${short(rows(stage))} rows`);
  say(rate, stage.state === "ended" ? "" : `${short(pace.rows)}/s`);
  shares.forEach((part, i) => { part.style.flexGrow = pace.shares[i].toFixed(3); });
}

/** What went wrong or to disk, the worst first. */
function notes(stage) {
  return [
    ...(stage.failed_rows ? [`${count(stage.failed_rows)} failed`] : []),
    ...(stage.spilled_bytes ? [`${bytes(stage.spilled_bytes)} spilled`] : []),
    ...(stage.retries ? [`${count(stage.retries)} retries`] : []),
  ];
}

function makePipe() {
  const pipe = svg("g");
  for (const name of ["track", "fill", "flow"]) pipe.append(svg("path", { class: name, pathLength: 100 }));
  return pipe;
}

function updatePipe(node, pipe, run, paces) {
  const writer = run.stages[pipe.from];
  dress(node, `pipe ${writer.state === "ended" && !writer.queue_batches ? "ended" : queueState(writer, paces[pipe.from].rows > 0)}`);
  for (const path of node.children) if (path.getAttribute("d") !== pipe.path) path.setAttribute("d", pipe.path);
  const filled = 100 * fill(writer.queue_bytes, writer.queue_batches, run.queue_limit);
  node.children[1].style.strokeDasharray = `${filled.toFixed(1)} 200`;
}

/** How full a queue is drawn: what it holds of the most that it may; a single small batch can be seen, too. */
export function fill(size, batches, limit) {
  if (!batches) return 0;
  return Math.min(1, Math.max(0.08, limit ? size / limit : 1));
}

function updateLabel(node, pipe, run) {
  const writer = run.stages[pipe.from];
  node.style.left = `${pipe.x}px`;
  node.style.top = `${pipe.y}px`;
  say(node, writer.queue_batches ? bytes(writer.queue_bytes) : "");
  node.title = `${count(writer.queue_batches)} batches, ${percent(run.queue_limit ? writer.queue_bytes / run.queue_limit : 0)} of the most that the queue may hold`;
}

function size(node, width, height) {
  node.style.width = `${width}px`;
  node.style.height = `${height}px`;
}

function set(node, { x, y, width, height }) {
  node.style.left = `${x}px`;
  node.style.top = `${y}px`;
  size(node, width, height);
}
