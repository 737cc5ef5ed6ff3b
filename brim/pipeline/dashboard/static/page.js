// The page: listens to the engine, draws what it hears, and says so when it hears nothing.

import { byId, dress, say } from "./dom.js";
import { duration } from "./format.js";
import * as events from "./events.js";
import { drawDownloads, drawFinished, drawOwners, drawTiles, drawWorkers } from "./panels.js";
import { draw as drawPlot } from "./plot.js";
import { drawRuns, forget, take } from "./runs.js";

const AGAIN_MS = 2000, SILENT_MS = 3000, POINTS = 300;
let source = null, moment = null, heard = 0, points = [], wanted = false;

function connect() {
  source = new EventSource("events");
  source.addEventListener("history", (event) => { points = JSON.parse(event.data); forget(); });
  source.addEventListener("point", (event) => { points = [...points, JSON.parse(event.data)].slice(-POINTS); });
  source.addEventListener("told", (event) => events.take(JSON.parse(event.data)));
  source.addEventListener("moment", (event) => hear(JSON.parse(event.data)));
  source.addEventListener("gone", () => lose("The engine is gone."));
  source.onerror = () => lose("The engine is gone.");
}

function hear(now) {
  moment = now;
  heard = Date.now();
  status("live", now.runs.length ? "running" : "idle");
  byId("notice").hidden = true;
  draw();
}

/** The stream has ended: say why, and try again, for ever. */
async function lose(reason) {
  source.close();
  status("gone", "gone");
  setTimeout(connect, AGAIN_MS);
  notice(await why(reason));
}

async function why(reason) {
  try {
    const { status: code } = await fetch("events", { method: "HEAD" });
    if (code === 401) return "The page needs the token again: open its address with ?token=…";
    if (code === 503) return "Too many pages are watching already.";
  } catch { /* nobody listens: the reason stands */ }
  return reason;
}

function notice(text) {
  const since = heard ? ` This is how it stood ${duration((Date.now() - heard) / 1000)} ago.` : "";
  if (byId("connection").className.includes("gone")) {
    byId("notice").hidden = false;
    say(byId("notice"), `${text}${since} Trying again.`);
  }
}

function status(className, text) {
  dress(byId("connection"), `connection ${className}`);
  dress(document.body, className);
  say(byId("connection").lastElementChild, text);
  document.title = text === "running" || text === "idle" ? "brim" : `brim: ${text}`;
}

/** Draw at the next frame, once; not at all while nobody looks. */
function draw() {
  if (wanted || document.hidden) return;
  wanted = true;
  requestAnimationFrame(() => {
    wanted = false;
    const shown = take(moment);
    drawTiles(moment, shown);
    drawRuns(shown);
    drawOwners(moment);
    drawPlot(byId("plot"), points, moment.memory);
    drawDownloads(shown);
    drawWorkers(moment);
    drawFinished(moment);
  });
}

setInterval(() => {
  if (source.readyState === EventSource.OPEN && heard && Date.now() - heard > SILENT_MS) {
    status("silent", `silent for ${duration((Date.now() - heard) / 1000)}`);
  }
}, 500);
events.start();
connect();
