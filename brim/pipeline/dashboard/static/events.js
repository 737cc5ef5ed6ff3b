// The events, newest first, with filters by kind and by text.

import { byId, dress, el, keyed, say } from "./dom.js";
import { clock, count, runName } from "./format.js";
import { kind, sentence, weight } from "./words.js";

const KEPT = 400, SHOWN = 200;
const hidden = new Set();
let kept = [], missed = 0, generation = 0;

/** Take in what was told. Numbers that begin anew are another engine's, or the same told again. */
export function take({ events, missed: more }) {
  if (kept.length && events[0].number <= kept[kept.length - 1].number) {
    kept = [];
    missed = 0;
    generation += 1;
  }
  missed += more;
  kept = [...kept, ...events].slice(-KEPT);
  draw();
}

export function start() {
  byId("filter").addEventListener("input", draw);
  draw();
}

/** Those of `events` that are wanted, newest first. */
export function wanted(events, without, text) {
  const part = text.trim().toLowerCase();
  return events.filter((event) => !without.has(kind(event.event)) && (!part || searched(event).includes(part))).reverse();
}

const searched = (event) => `${event.event} ${event.operator_id} ${event.run_id} ${sentence(event)}`.toLowerCase();

function draw() {
  const shown = wanted(kept, hidden, byId("filter").value).slice(0, SHOWN);
  byId("no-events").hidden = shown.length > 0;
  say(byId("events-count"), missed ? `${count(missed)} were missed` : "");
  drawKinds();
  keyed(byId("events"), shown, (event) => `${generation} ${event.number}`, makeEvent, () => {});
}

function drawKinds() {
  const counts = new Map();
  for (const event of kept) counts.set(kind(event.event), (counts.get(kind(event.event)) ?? 0) + 1);
  keyed(byId("kinds"), [...counts].sort(), ([name]) => name, makeKind, (node, [name, number]) => {
    say(node.number, count(number));
    dress(node, `kind${hidden.has(name) ? " off" : ""}`);
    node.setAttribute("aria-pressed", String(!hidden.has(name)));
  });
}

function makeKind([name]) {
  const node = el("button", "kind", `${name} `);
  node.type = "button";
  node.number = node.appendChild(el("small"));
  node.addEventListener("click", () => {
    if (!hidden.delete(name)) hidden.add(name);
    draw();
  });
  return node;
}

function makeEvent(event) {
  const node = el("li", weight(event));
  node.append(el("time", "", clock(event.at)), el("b", "", event.event));
  node.append(el("span", "where", event.operator_id || (event.run_id ? runName(event.run_id) : "engine")), el("span", "text", sentence(event)));
  return node;
}
