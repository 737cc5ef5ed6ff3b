// What happened between two moments of a run: rates, and where the time of a stage went. Pure.

const WINDOW_S = 3;
export const SPENT = ["busy_s", "waiting_for_outside_s", "waiting_for_memory_s", "waiting_for_room_s", "waiting_for_input_s"];

/** Remembers `run` in `past` (oldest first) and drops what is older than the window. */
export function remember(past, run) {
  const kept = past.filter((other) => other.seconds <= run.seconds && other.stages.length === run.stages.length);
  kept.push(run);
  while (kept.length > 2 && kept[1].seconds <= run.seconds - WINDOW_S) kept.shift();
  return kept;
}

export function rows(stage) {
  return stage.writes ? stage.rows_in : stage.rows_out;
}

/** A stage between two looks: rows and bytes a second, and the shares of its time. */
export function pace(before, now, seconds) {
  const each = (difference) => (seconds > 0 ? difference / seconds : 0);
  const spent = SPENT.map((name) => Math.max(0, now[name] - before[name]));
  const total = spent.reduce((sum, value) => sum + value, 0);
  const sent = now.writes ? now.bytes_in - before.bytes_in : now.bytes_out - before.bytes_out;
  return {
    rows: each(rows(now) - rows(before)),
    bytes: each(sent),
    shares: spent.map((value) => (total > 0 ? value / total : 0)),
  };
}

/** The paces of all stages of the last of `past` over the window. */
export function paces(past) {
  const now = past[past.length - 1], before = past[0];
  return now.stages.map((stage, index) => ({
    ...pace(before.stages[index], stage, now.seconds - before.seconds),
    outside: past.findLast((run) => run.stages[index].resource !== null)?.stages[index].resource ?? null,
  }));
}

/** How far a run is: rows done, rows expected (null where not known), rows a second. */
export function progress(run, all) {
  const last = run.stages.length - 1, place = furthest(run.stages, last);
  if (place === null) return { done: rows(run.stages[last]), expected: null, rate: all[last].rows };
  const stage = run.stages[place];
  return { done: stage.rows_out, expected: stage.rows_expected, rate: stage.writes ? all[last].rows : all[place].rows };
}

/** The stage furthest downstream that knows how many rows there will be; of two branches, the one with more. Null where nobody knows. */
function furthest(stages, place) {
  const { rows_expected: expected, rows_out: sent } = stages[place];
  if (expected !== null) return sent <= expected ? place : null;
  const found = stages[place].inputs.map((input) => furthest(stages, input));
  return found.length && !found.includes(null) ? found.reduce((a, b) => (stages[b].rows_expected > stages[a].rows_expected ? b : a)) : null;
}
