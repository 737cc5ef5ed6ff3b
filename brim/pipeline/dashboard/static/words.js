// What a stage does, what an event says, in words. Pure: returns text, which is shown as text.

import { bytes, count, duration, percent } from "./format.js";

const RESOURCES = { cpu: "computing", consumer: "who reads", queue_full: "room", no_input: "input", rate_limit: "rate limit" };
const OUTSIDE = { ...RESOURCES, cpu: "thread", no_input: "iterable" };
export const STATES = ["busy", "outside", "memory", "room", "input"];

/** The state a stage spent most of the last seconds in, and its share. */
export function mainState(stage, shares) {
  if (stage.state === "ended") return ["ended", 1];
  const most = Math.max(...shares);
  return most > 0 ? [STATES[shares.indexOf(most)], most] : [stage.state, 0];
}

/** `outside` is what of the outside it waited for last. */
export function doing(stage, shares, outside) {
  const [state, share] = mainState(stage, shares);
  const part = share > 0 && share < 0.995 ? ` ${percent(share)}` : "";
  if (state === "ended") return "done";
  if (state === "busy") return `busy${part}`;
  if (state === "outside") return `${OUTSIDE[outside] ?? outside ?? "outside"}${part}`;
  return { memory: "waits for memory", room: "waits for room", input: "waits for input" }[state] ?? state;
}

export function resource(name) {
  return RESOURCES[name] ?? name;
}

/** What the queue behind `writer` is like: "idle", "flowing", "filling" or "full". */
export function queueState(writer, moved) {
  if (writer.state === "room") return "full";
  if (writer.queue_batches > 0) return "filling";
  return moved ? "flowing" : "idle";
}

/** The kind of an event, for filters. */
export function kind(event) {
  const first = event.split(".")[0];
  return { row: "rows", batch: "batches", udf: "downloads", download: "downloads", worker: "workers", run: "runs", stall: "stalls" }[first] ?? first;
}

/** How bad it is: "bad", "warn" or "". */
export function weight(event) {
  if (event.event === "run.stop") return event.outcome === "ok" ? "" : "bad";
  if (["stall", "row.error"].includes(event.event)) return "bad";
  return /^(memory\.shrink|worker\.(restart|memory)|download\.retry|udf\.throttled|batch\.overshoot)$/.test(event.event) ? "warn" : "";
}

const HIDDEN = new Set(["event", "at", "number", "run_id", "operator", "operator_id", "ledger_used", "ledger_limit"]);
const some = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;
const times = (event) => (event.count > 1 ? `${count(event.count)} × ` : "");
const SENTENCES = {
  "run.start": (e) => `${some(e.stages?.length ?? 0, "stage")} within ${bytes(e.memory)}`,
  "run.stop": (e) => `${e.outcome}, ${some(e.rows, "row")}`,
  "backpressure.start": (e) => `${e.edge}: waits for ${e.reason === "memory" ? "memory" : "room"}, in the end for ${e.root} (${resource(e.root_reason)})`,
  "backpressure.stop": (e) => `${e.edge}: goes on, waited ${duration(e.waited_ms / 1000)}`,
  "download.retry": (e) => `${times(e)}${e.what}: ${e.cause}, again in ${duration(e.wait_s)}`,
  "udf.throttled": (e) => `${times(e)}${e.function}: ${e.cause}, nothing for ${duration(e.wait_s)}`,
  "row.error": (e) => `${some(e.rows, "row")}, ${e.what}: ${e.cause}`,
  "spill.write": (e) => `${times(e)}${bytes(e.bytes)} written`,
  "spill.read": (e) => `${times(e)}${bytes(e.bytes)} read back`,
  "batch.resize": (e) => `now pieces of ${some(e.rows, "row")}: ${e.cause}`,
  "batch.overshoot": (e) => `held ${bytes(e.held_bytes)} where ${bytes(e.lent_bytes)} were lent`,
  "memory.drift": (e) => `${bytes(e.drift)} that nobody accounts for; grown by ${bytes(e.growth)} of ${bytes(e.memory)}`,
  "memory.shrink": (e) => `at ${e.level}%: grown by ${bytes(e.growth)} of ${bytes(e.memory)}`,
  "worker.start": (e) => `${times(e)}${e.function}, pid ${e.pid}: ${bytes(e.base_bytes)} after ${duration(e.start_s)}`,
  "worker.restart": (e) => `${times(e)}${e.function}, pid ${e.pid}: ${e.cause}`,
  "worker.memory": (e) => `${times(e)}${e.function}, pid ${e.pid}: ${e.action}, held ${bytes(e.held_bytes)}`,
  "worker.output": (e) => `${e.function}, pid ${e.pid}: ${e.text}`,
  "worker.stop": (e) => `${e.function}, pid ${e.pid}: ${e.cause}`,
};

export function sentence(event) {
  const known = SENTENCES[event.event];
  if (known) return known(event);
  return Object.entries(event).filter(([name]) => !HIDDEN.has(name)).map(([name, value]) => `${name}=${Array.isArray(value) ? value.join(" → ") : value}`).join("  ");
}
