"""Style: how the page looks, by day and by night. Colours have one meaning each, the same in every plot."""

from __future__ import annotations

from brim.pipeline.report_html.elements import Markup

STYLE = Markup("""
:root {
  color-scheme: light dark;
  --page: #f4f5f3; --card: #ffffff; --ink: #1c2024; --soft: #626a73; --line: #e4e6e3; --lane: #f1f2f0;
  --busy: #2c9f72; --outside: #3b82d6; --memory: #e8a020; --room: #b7a8d9; --input: #d5d9dc;
  --floors: #9aa5b4; --state: #8a6bc9; --work: #2c9f72; --ahead: #5b9be0; --oversize: #e0792b;
  --root: #d2452d; --root-soft: #fbeeea; --growth: #1c2024; --limit: #a3abb5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #121417; --card: #1a1d21; --ink: #e7eaee; --soft: #98a1ab; --line: #2b3037; --lane: #23272d;
    --busy: #3dbb89; --outside: #5a9ff0; --memory: #f0b340; --room: #6d5f93; --input: #3f464f;
    --floors: #66717f; --state: #9d82d9; --work: #3dbb89; --ahead: #4f8fd8; --oversize: #ee8c42;
    --root: #ff7a5f; --root-soft: #2c1d1a; --growth: #f4f6f8; --limit: #7d8792;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 28px 20px 48px; }
header { display: flex; align-items: baseline; justify-content: space-between; margin: 0 2px 14px; }
h1 { font-size: 22px; font-weight: 650; letter-spacing: -.01em; margin: 0; }
.mark { color: var(--soft); font-weight: 650; letter-spacing: .04em; }
section, .tile, .verdict { background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
section { padding: 16px 20px 18px; margin-top: 16px; }
h2 { font-size: 15px; font-weight: 650; margin: 0; }
.about { color: var(--soft); margin: 0 0 8px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 12px; }
.tile { padding: 12px 16px; }
.tile-name { color: var(--soft); font-size: 12.5px; }
.tile-value { font-size: 26px; font-weight: 650; letter-spacing: -.02em; line-height: 1.25;
  font-variant-numeric: tabular-nums; }
.tile-note { color: var(--soft); font-variant-numeric: tabular-nums; }
.meter { width: 96px; height: 6px; vertical-align: middle; margin-right: 4px; }
.over { fill: var(--root); }
.verdict { margin-top: 12px; padding: 14px 18px; border-left: 4px solid var(--root); background: var(--root-soft); }
.verdict p { margin: 0; } .verdict p + p { margin-top: 4px; }
.verdict p:first-child { font-size: 16.5px; }
.verdict.calm { border-left-color: var(--busy); background: var(--card); }
.resource { color: var(--root); font-weight: 600; }
code { font: 12.5px ui-monospace, "SF Mono", Menlo, Consolas, monospace; background: var(--lane); border-radius: 4px;
  padding: 1px 3px; }
.label { color: var(--soft); }
.chain { overflow-wrap: anywhere; }
.chip { border: 1px solid var(--line); background: var(--card); border-radius: 6px; padding: 1px 7px; font-size: 13px; }
.arrow { color: var(--soft); }
.scroll { overflow-x: auto; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; color: var(--soft); font-size: 12.5px; margin: 6px 0 8px; }
.legend span { white-space: nowrap; }
.swatch { width: 10px; height: 10px; margin-right: 6px; vertical-align: -1px; }
svg { display: block; } .legend svg, .meter, #readout svg { display: inline-block; }
svg text { fill: var(--ink); font-size: 12px; font-variant-numeric: tabular-nums; }
.plot { width: 100%; min-width: 720px; height: auto; }
.graph { max-width: 100%; height: auto; margin: 4px auto 0; }
.graph.long { min-width: 720px; }
svg .tick, svg .note, svg .box-facts, svg .edge-text { fill: var(--soft); font-size: 11.5px; }
svg .edge-text { font-size: 11px; }
.grid { stroke: var(--line); stroke-width: 1; }
.lane { fill: var(--lane); }
.cursor { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 2 3; opacity: .6; pointer-events: none; }
.s-busy { fill: var(--busy); } .s-outside { fill: var(--outside); } .s-memory { fill: var(--memory); }
.s-room { fill: var(--room); } .s-input { fill: var(--input); }
.o-floors { fill: var(--floors); } .o-state { fill: var(--state); } .o-work { fill: var(--work); }
.o-ahead { fill: var(--ahead); } .o-oversize { fill: var(--oversize); }
.line-growth { fill: var(--growth); } .line-limit { fill: var(--limit); }
.growth { fill: none; stroke: var(--growth); stroke-width: 2; }
.limit { fill: none; stroke: var(--limit); stroke-width: 1.2; stroke-dasharray: 5 4; }
.budget { stroke: var(--root); stroke-width: 1.5; }
svg .budget-text { fill: var(--root); font-weight: 600; }
.rate { fill: var(--busy); opacity: .85; } .queue { fill: var(--ahead); }
.box { fill: var(--card); stroke: var(--line); stroke-width: 1.4; }
.box.end { fill: var(--lane); }
.box.root { stroke: var(--root); stroke-width: 2; fill: var(--root-soft); }
svg .box-name { font-weight: 600; font-size: 12.5px; }
.badge { fill: var(--root); } svg .badge-text { fill: var(--card); font-size: 10.5px; font-weight: 650; }
.edge { fill: none; stroke: var(--limit); stroke-linejoin: round; stroke-linecap: round; }
table { border-collapse: collapse; width: 100%; min-width: 900px; }
th { text-align: right; color: var(--soft); font-weight: 500; font-size: 12.5px; padding: 2px 8px 6px; }
th:first-child, th:nth-child(5) { text-align: left; }
td { padding: 7px 8px; border-top: 1px solid var(--line); vertical-align: top; white-space: nowrap; }
td:first-child { white-space: normal; overflow-wrap: anywhere; min-width: 150px; max-width: 260px; }
td svg { margin-top: 4px; border-radius: 3px; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.kind, .spent { color: var(--soft); font-size: 12px; } .kind { display: block; }
.spent { white-space: normal; max-width: 290px; line-height: 1.35; margin-top: 2px; }
tr.root td { background: var(--root-soft); } tr.root td:first-child { box-shadow: inset 3px 0 var(--root); }
.errors { margin: 6px 0 0; padding: 0; list-style: none; }
.errors li { font: 12.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; padding: 5px 0;
  border-top: 1px solid var(--line); overflow-wrap: anywhere; }
#readout { position: fixed; z-index: 1; pointer-events: none; background: var(--card); color: var(--ink);
  border: 1px solid var(--line); border-radius: 8px; padding: 8px 11px; font-size: 12.5px; max-width: 380px;
  box-shadow: 0 6px 24px rgb(0 0 0 / .18); }
#readout[hidden] { display: none; }
#readout .at { color: var(--soft); margin-bottom: 2px; }
#readout .row { display: flex; justify-content: space-between; gap: 18px; }
#readout .row span:last-child { font-variant-numeric: tabular-nums; white-space: nowrap; }
@media print { section { break-inside: avoid; } }
""")
