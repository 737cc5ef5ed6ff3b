// Numbers, sizes and times for people. Pure.

export function bytes(size) {
  const sign = size < 0 ? "−" : "";
  let value = Math.abs(size), unit = 0;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  while (value >= 1024 && unit < units.length - 1) { value /= 1024; unit += 1; }
  return `${sign}${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function count(value) {
  for (const [unit, name] of [[1e9, "G"], [1e6, "M"]]) if (value >= unit) return `${(value / unit).toFixed(1)} ${name}`;
  if (value > 0 && value < 10 && !Number.isInteger(value)) return value.toFixed(1);
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A count in five characters or so, for where there is little room. */
export function short(value) {
  return value >= 99_500 && value < 999_500 ? `${Math.round(value / 1e3)} k` : count(value);
}

export function duration(seconds) {
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  const whole = Math.round(seconds), minutes = Math.floor(whole / 60), hours = Math.floor(minutes / 60);
  const two = (value) => String(value).padStart(2, "0");
  if (hours) return `${hours} h ${two(minutes % 60)} min`;
  return minutes ? `${minutes} min ${two(whole % 60)} s` : `${whole} s`;
}

export function ago(seconds) {
  return seconds < 2 ? "now" : `${duration(Math.max(10, seconds)).replace(/^10 s$/, `${Math.round(seconds)} s`)} ago`;
}

export function percent(share) {
  return `${Math.round(100 * Math.min(1, Math.max(0, share || 0)))}%`;
}

export function clock(at) {
  return new Date(at * 1000).toTimeString().slice(0, 8);
}

export function runName(id) {
  const last = id.split("-").pop();
  return /^\d+$/.test(last) ? `run ${last}` : id;
}
