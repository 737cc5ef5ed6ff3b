"""Script: shows the values of a plot under the pointer. It reads numbers, and writes text only, never markup."""

from __future__ import annotations

from brim.pipeline.report_html.elements import Markup

SCRIPT = Markup("""
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("values").textContent);
  const readout = document.getElementById("readout");
  const cursors = [...document.querySelectorAll(".cursor")];
  const SVG = "http://www.w3.org/2000/svg";
  const size = (bytes) => {
    for (const [unit, name] of [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]])
      if (Math.abs(bytes) >= unit) return (bytes / unit).toFixed(1) + " " + name;
    return bytes + " B";
  };
  const shown = {
    size,
    rate: (value) => value.toLocaleString("en") + " rows/s",
    words: (value) => value,
  };
  const end = data.seconds[data.seconds.length - 1];
  const nearest = (second) => {
    const found = data.seconds.findIndex((known) => known >= second);
    return found < 0 ? data.seconds.length - 1 : found;
  };
  const line = (name, colour, value) => {
    const row = document.createElement("div"), label = document.createElement("span");
    row.className = "row";
    if (colour) {
      const mark = document.createElementNS(SVG, "svg"), square = document.createElementNS(SVG, "rect");
      mark.setAttribute("class", "swatch");
      mark.setAttribute("viewBox", "0 0 10 10");
      for (const [key, given] of [["width", 10], ["height", 10], ["rx", 2], ["class", colour]])
        square.setAttribute(key, given);
      mark.append(square);
      label.append(mark);
    }
    label.append(name);
    const text = document.createElement("span");
    text.textContent = value;
    row.append(label, text);
    return row;
  };
  const show = (plot, event) => {
    const box = plot.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * data.width;
    const part = (x - data.left) / (data.right - data.left);
    if (part < 0 || part > 1) return hide();
    const at = Math.min(data.right, Math.max(data.left, x));
    for (const cursor of cursors) {
      cursor.setAttribute("x1", at);
      cursor.setAttribute("x2", at);
      cursor.setAttribute("visibility", "visible");
    }
    const place = nearest(part * end), given = data.plots[plot.dataset.plot];
    const when = document.createElement("div");
    when.className = "at";
    when.textContent = (part * end).toFixed(2) + " s";
    const rows = given.series
      .filter(([, , values]) => values[place] !== null)
      .map(([name, colour, values]) => line(name, colour, shown[given.unit](values[place])));
    readout.replaceChildren(when, ...rows);
    readout.hidden = false;
    const wide = readout.offsetWidth, high = readout.offsetHeight;
    const left = event.clientX + 16 + wide > innerWidth ? event.clientX - 16 - wide : event.clientX + 16;
    readout.style.left = Math.max(4, left) + "px";
    readout.style.top = Math.max(4, Math.min(event.clientY + 12, innerHeight - high - 8)) + "px";
  };
  const hide = () => {
    readout.hidden = true;
    for (const cursor of cursors) cursor.setAttribute("visibility", "hidden");
  };
  for (const plot of document.querySelectorAll(".plot")) {
    plot.addEventListener("pointermove", (event) => show(plot, event));
    plot.addEventListener("pointerleave", hide);
  }
})();
""")
