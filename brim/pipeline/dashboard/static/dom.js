// Making and changing elements. Text is only ever set as text: no label can become markup.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export function el(tag, className = "", text = null) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== null) node.textContent = text;
  return node;
}

export function svg(tag, attributes = {}, text = null) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== null) node.textContent = text;
  return node;
}

/** Set a text, or a class, only where it is another: what stays is not laid out anew. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
  return node;
}

export function dress(node, className) {
  if (node.getAttribute("class") !== className) node.setAttribute("class", className);
  return node;
}

export function wipe(node) {
  node.replaceChildren();
  return node;
}

/** Let `parent` have one child for each of `items`, in their order; children are known by `key`, and kept. */
export function keyed(parent, items, key, make, update) {
  const known = parent.known ??= new Map();
  const wanted = new Set(items.map(key));
  for (const [name, node] of known) if (!wanted.has(name)) { node.remove(); known.delete(name); }
  items.forEach((item, i) => {
    const name = key(item);
    let node = known.get(name);
    if (!node) known.set(name, node = make(item));
    if (parent.children[i] !== node) parent.insertBefore(node, parent.children[i] ?? null);
    update(node, item, i);
  });
}

/** A table: heads as [text, isNumber], rows as lists of texts or elements. */
export function table(node, heads, rows) {
  if (!node.tHead) {
    const row = node.createTHead().insertRow();
    for (const [text, isNumber] of heads) row.append(el("th", isNumber ? "number" : "", text));
    node.append(el("tbody"));
  }
  const body = node.tBodies[0];
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, i) => {
    const row = body.rows[i] ?? body.insertRow();
    cells.forEach((cell, k) => {
      const place = row.cells[k] ?? row.insertCell();
      dress(place, [heads[k][1] ? "number" : "", cell.className ?? ""].join(" ").trim());
      say(place, cell.text ?? cell);
      if (cell.title !== undefined && place.title !== cell.title) place.title = cell.title;
    });
  });
}
