"""How a page looks: one style sheet within the page, light or dark as the reader's screen is."""

STYLE = """
:root { color-scheme: light dark; --ink: #1d2329; --quiet: #5b6670; --line: #dde2e6; --ground: #fff; --raised: #f5f7f8;
  --bar: #3b78b5; --alert: #9a3412; --alert-ground: #fdf0e7; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8eb; --quiet: #9aa5ae; --line: #343b41; --ground: #15191c;
  --raised: #1e2327; --bar: #6aa5dc; --alert: #fdba8c; --alert-ground: #3a2417; } }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; padding-top: 1.5rem; border-top: 1px solid var(--line);
  overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1.75rem 0 .5rem; }
p { margin: .4rem 0; }
.quiet { color: var(--quiet); }
.tiles { display: flex; flex-wrap: wrap; gap: .75rem; margin-bottom: 1.25rem; }
.tile { background: var(--raised); border-radius: 6px; padding: .6rem .9rem; min-width: 7rem; }
.tile b { display: block; font-size: 1.3rem; font-weight: 600; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tile span { color: var(--quiet); font-size: .85rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: middle; }
th { color: var(--quiet); font-weight: 500; font-size: .85rem; white-space: nowrap; }
td.number, th.number { text-align: right; white-space: nowrap; }
td.name { max-width: 36rem; overflow-wrap: anywhere; }
code, pre { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, monospace; }
pre { background: var(--raised); border-radius: 6px; padding: .75rem 1rem; overflow-x: auto; }
.findings { background: var(--alert-ground); border-left: 3px solid var(--alert); border-radius: 4px;
  padding: .6rem 1rem .6rem 2rem; margin: .75rem 0; overflow-wrap: anywhere; }
.zero { color: var(--alert); background: var(--alert-ground); font-weight: 600; }
.bar { display: inline-block; height: .7rem; background: var(--bar); border-radius: 2px; vertical-align: middle; }
.track { display: inline-block; width: 6rem; margin-right: .5rem; }
svg.values { display: block; fill: var(--bar); }
"""
