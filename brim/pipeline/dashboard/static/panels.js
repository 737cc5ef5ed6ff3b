// Tiles, memory by owner, downloads, workers and finished runs.

import { byId, dress, el, keyed, say, table } from "./dom.js";
import { ago, bytes, count, duration, percent, runName, short } from "./format.js";
import { resource } from "./words.js";

const WARM = 0.85, HOT = 0.95, PARTS = 4;

export function drawTiles(moment, shown) {
  const live = shown.filter(({ outcome }) => outcome === null);
  const rate = live.reduce((sum, { paces }) => sum + paces[paces.length - 1].rows, 0);
  const worst = live.map(({ run }) => run.bottleneck).filter(Boolean).sort((a, b) => b.share - a.share)[0];
  const share = moment.growth / moment.memory;
  const tiles = [
    { name: "Process tree", value: bytes(moment.growth), note: `of ${bytes(moment.memory)}, at most ${bytes(moment.peak_growth)} so far`, share, mood: share < WARM ? "good" : share < HOT ? "warn" : "bad" },
    { name: "Ledger", value: bytes(moment.ledger_used), note: `of ${bytes(moment.ledger_limit)} is reserved or lent`, share: moment.ledger_used / moment.ledger_limit, mood: "calm" },
    { name: "Out of the end", value: `${short(rate)}/s`, note: `rows of ${live.length === 1 ? "one run" : `${live.length} runs`}`, mood: "" },
    { name: "Bottleneck", value: worst ? worst.operator : "none", note: worst ? `${resource(worst.resource)}: ${percent(worst.share)} of the waiting lately` : "nobody waits", mood: worst ? "root" : "", hint: worst ? [worst.operator, worst.relief].filter(Boolean).join(": ") : "" },
    ...(moment.gpus ? [{ name: "Devices", value: `${moment.gpus_used.toFixed(1)} of ${moment.gpus}`, note: "held by workers", share: moment.gpus_used / moment.gpus, mood: "calm" }] : []),
  ];
  keyed(byId("tiles"), tiles, (tile) => tile.name, makeTile, updateTile);
}

function makeTile(tile) {
  const node = el("div", "tile");
  node.append(el("h3", "", tile.name));
  node.value = node.appendChild(el("p", "value"));
  node.note = node.appendChild(el("p", "note"));
  node.meter = node.appendChild(el("div", "meter"));
  node.meter.append(el("i"));
  return node;
}

function updateTile(node, tile) {
  dress(node, `tile ${tile.mood}`);
  say(node.value, tile.value);
  node.title = tile.hint ?? "";
  say(node.note, tile.note);
  node.meter.hidden = tile.share === undefined;
  node.meter.firstChild.style.width = percent(tile.share ?? 0);
}

/** Who holds what the ledger has given out, queues and functions one by one. */
export function ownersOf(moment) {
  const queues = moment.runs.flatMap((run) => run.stages.map((stage) => ({ name: `${stage.id} of ${runName(run.id)}`, size: stage.queue_bytes })));
  const functions = new Map();
  for (const worker of moment.workers) functions.set(worker.function, (functions.get(worker.function) ?? 0) + worker.held_bytes);
  return [
    { kind: "workers", name: "Workers", size: moment.owners.workers, parts: [...functions].map(([name, size]) => ({ name: `${name} holds`, size })) },
    { kind: "operators", name: "Operators", size: moment.owners.operators, parts: moment.runs.length > 1 ? largest(moment.runs.map(atWork)) : [] },
    { kind: "queues", name: "Queues", size: moment.owners.queues, parts: largest(queues) },
    { kind: "beyond", name: "Beyond the ledger", size: Math.max(0, moment.growth - moment.ledger_used), parts: [] },
    { kind: "free", name: "Free", size: Math.max(0, moment.memory - Math.max(moment.growth, moment.ledger_used)), parts: [] },
  ];
}

const atWork = (run) => ({ name: runName(run.id), size: run.held_bytes - run.stages.reduce((sum, stage) => sum + stage.queue_bytes, 0) });
const largest = (parts) => parts.filter(({ size }) => size > 0).sort((a, b) => b.size - a.size).slice(0, PARTS);

export function drawOwners(moment) {
  keyed(byId("owners"), ownersOf(moment), (owner) => owner.kind, makeOwner, (node, owner) => {
    say(node.size, bytes(owner.size));
    node.bar.style.width = percent(owner.size / moment.memory);
    say(node.parts, owner.parts.map(({ name, size }) => `${name} ${bytes(size)}`).join(" · "));
  });
}

function makeOwner(owner) {
  const node = el("li", owner.kind);
  node.append(el("i", "swatch"), el("span", "name", owner.name));
  node.size = node.appendChild(el("span", "size"));
  node.bar = node.appendChild(el("div", "meter")).appendChild(el("i"));
  node.parts = node.appendChild(el("p", "parts"));
  return node;
}

export function drawDownloads(shown) {
  const rows = shown.filter(({ outcome }) => outcome === null).flatMap(({ run, paces }) => run.stages.flatMap((stage, i) => (isDownload(stage) ? [[
    { text: stage.id, title: stage.detail, className: "name" },
    `${count(paces[i].rows)}/s`, `${bytes(paces[i].bytes)}/s`, percent(paces[i].shares[1]),
    { text: count(stage.retries), className: stage.retries ? "warn" : "" }, { text: count(stage.failed_rows), className: stage.failed_rows ? "bad" : "" },
  ]] : [])));
  byId("downloads-panel").hidden = !rows.length;
  table(byId("downloads"), [["operator"], ["rows", true], ["bytes", true], ["waiting", true], ["retries", true], ["failed", true]], rows);
}

const isDownload = (stage) => /(^|\.)download$/.test(stage.name) || stage.retries > 0;

export function drawWorkers(moment) {
  const rows = moment.workers.map((worker) => [
    String(worker.pid), { text: worker.function, className: "name", title: worker.function }, { text: worker.state, className: `state ${worker.state}` },
    bytes(worker.held_bytes), bytes(worker.peak_bytes), count(worker.calls), duration(worker.busy_s),
    { text: count(worker.restarts), className: worker.restarts ? "warn" : "" },
  ]);
  const busy = moment.workers.filter((worker) => worker.state === "busy").length;
  say(byId("workers-count"), rows.length ? `${busy} of ${rows.length} busy` : "");
  byId("no-workers").hidden = rows.length > 0;
  byId("workers").hidden = !rows.length;
  table(byId("workers"), [["pid"], ["function"], ["state"], ["holds", true], ["peak", true], ["calls", true], ["busy", true], ["restarts", true]], rows);
}

export function drawFinished(moment) {
  const rows = moment.finished.map((run) => [
    { text: runName(run.id), title: run.id }, { text: run.outcome, className: run.outcome === "ok" ? "good" : "bad" },
    { text: run.stages.join(" → "), className: "name", title: run.stages.join(" → ") },
    count(run.rows), duration(run.seconds), run.spilled_bytes ? bytes(run.spilled_bytes) : "–", ago(moment.at - run.ended),
  ]);
  byId("none-finished").hidden = rows.length > 0;
  byId("finished").hidden = !rows.length;
  table(byId("finished"), [["run"], ["outcome"], ["plan"], ["rows", true], ["time", true], ["spilled", true], ["ended", true]], rows);
}
