// The runs: a card each. One that has just ended stays for some seconds, unless it was over at once.

import { byId, dress, el, keyed, say } from "./dom.js";
import { count, duration, percent, runName, short } from "./format.js";
import { drawGraph } from "./graph.js";
import { paces, progress, remember } from "./rates.js";
import { resource } from "./words.js";

const LINGER_S = 6, WORTH_S = 1, OPEN = 3, SHOWN = 16;
const seen = new Map();

/** Take in a moment; what is known of each run that is shown. */
export function take(moment) {
  for (const run of moment.runs) {
    const known = seen.get(run.id) ?? { past: [] };
    seen.set(run.id, { past: remember(known.past, run), run, at: moment.at, outcome: null });
  }
  const finished = new Map(moment.finished.map((run) => [run.id, run]));
  const live = new Set(moment.runs.map((run) => run.id));
  for (const [id, known] of seen) {
    if (live.has(id)) continue;
    known.outcome ??= finished.get(id)?.outcome ?? "ended";
    const since = moment.at - known.at;
    if (known.run.seconds < WORTH_S || since > LINGER_S || since < 0) seen.delete(id);
  }
  return [...seen.values()].map((known) => ({ ...known, paces: paces(known.past) }));
}

export function forget() {
  seen.clear();
}

export function drawRuns(shown) {
  const live = shown.filter((run) => run.outcome === null);
  const hidden = shown.length - SHOWN;
  say(byId("runs-count"), live.length > 1 ? `${live.length} under way${hidden > 0 ? `, the last ${hidden} not shown` : ""}` : "");
  byId("idle").hidden = shown.length > 0;
  keyed(byId("runs"), shown.slice(0, SHOWN), ({ run }) => run.id, (item) => makeCard(item, shown.indexOf(item) < OPEN), updateCard);
}

function makeCard(item, isOpen) {
  const card = el("details", "run");
  card.open = isOpen;
  const summary = card.appendChild(el("summary"));
  const bar = card.appendChild(el("div", "bar"));
  card.parts = {
    name: summary.appendChild(el("strong")), time: summary.appendChild(el("span", "time")),
    rows: summary.appendChild(el("span", "rows")), verdict: summary.appendChild(el("span", "verdict")),
    bar, done: bar.appendChild(el("i")), graph: card.appendChild(el("div", "frame")).appendChild(el("div", "graph")),
  };
  card.addEventListener("toggle", () => card.latest && updateCard(card, card.latest));
  return card;
}

function updateCard(card, item) {
  card.latest = item;
  const { run, outcome } = item, parts = card.parts;
  const far = reached(progress(run, item.paces), outcome);
  dress(card, `run ${outcome === null ? "" : outcome === "ok" ? "ended ok" : "ended failed"}`.trim());
  say(parts.name, runName(run.id));
  card.title = run.id;
  say(parts.time, duration(run.seconds));
  say(parts.rows, counted(far, outcome));
  dress(parts.verdict, `verdict ${verdictClass(outcome)}`);
  say(parts.verdict, verdict(run, outcome));
  parts.verdict.title = outcome === null ? (run.bottleneck?.relief ?? "") : "";
  parts.bar.hidden = far.expected === null;
  parts.done.style.width = percent(far.expected ? far.done / far.expected : 0);
  if (card.open) drawGraph(parts.graph, run, item.paces, outcome === null ? run.bottleneck?.operator : null);
}

/** What has ended well is done, though the last look at it was before. */
export function reached(far, outcome) {
  return outcome === "ok" && far.expected !== null ? { ...far, done: far.expected } : far;
}

export function counted({ done, expected, rate }, outcome) {
  const of = expected === null ? "" : ` of ${count(expected)}`;
  const left = outcome === null && expected !== null && rate > 0 && done < expected ? `, about ${duration((expected - done) / rate)} left` : "";
  return `${count(done)}${of} rows${outcome === null ? `, ${short(rate)}/s` : ""}${left}`;
}

function verdictClass(outcome) {
  return outcome === null ? "wait" : outcome === "ok" ? "good" : "bad";
}

function verdict(run, outcome) {
  if (outcome !== null) return outcome;
  const found = run.bottleneck;
  return found ? `waits for ${found.operator}: ${resource(found.resource)}, ${percent(found.share)}` : "nobody waits";
}
