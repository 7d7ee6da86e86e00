"""What a report looks like beside what all pages share: charts, meters, tracks."""

STYLE = """
:root { --second: #c2660c; }
@media (prefers-color-scheme: dark) { :root { --second: #f0a35e; } }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin: 0 0 1.25rem; font-size: .9rem; }
a { color: var(--bar); text-decoration: none; }
a:hover { text-decoration: underline; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr)); gap: 1rem 1.5rem; }
figure { margin: 0; }
figcaption { font-size: .9rem; }
figure svg { display: block; width: 100%; height: auto; }
.grid { stroke: var(--line); }
.tick { fill: var(--quiet); font-size: 11px; }
.mark { stroke: var(--quiet); stroke-dasharray: 3 3; }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.line0 { stroke: var(--bar); } .line1 { stroke: var(--second); }
.dot0 { fill: var(--bar); } .dot1 { fill: var(--second); }
.key { color: var(--quiet); margin-left: .9rem; }
.key::before { content: ""; display: inline-block; width: .8rem; height: .2rem; margin-right: .35rem;
  vertical-align: middle; background: var(--bar); }
.key1::before { background: var(--second); }
.chance::before { background: var(--ink); }
p .key::before { width: .15rem; height: .9rem; }
.meter { position: relative; display: inline-block; width: 7rem; height: .7rem; margin-right: .5rem;
  background: var(--raised); border-radius: 2px; vertical-align: middle; }
.meter i { position: absolute; inset: 0 auto 0 0; background: var(--bar); border-radius: 2px; }
.meter b { position: absolute; top: -.15rem; bottom: -.15rem; width: 2px; margin-left: -1px; background: var(--ink); }
.meter u { position: absolute; top: -.15rem; bottom: -.15rem; width: 2px; margin-left: -1px; background: var(--second); }
.small { color: var(--quiet); font-size: .85rem; }
td, code { unicode-bidi: isolate; }
.tags { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)); gap: .75rem; }
.tag { background: var(--raised); border-radius: 6px; padding: .6rem .9rem; min-width: 0; }
.tag h4 { margin: 0 0 .3rem; overflow-wrap: anywhere; }
.tag dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .8rem; margin: 0; font-size: .85rem; }
.tag dt { color: var(--quiet); }
.tag dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.tag dd code { font-size: 12px; }
.tag dd span { white-space: nowrap; color: var(--quiet); margin-left: .4rem; }
td.name { min-width: 7rem; }
td.name code { overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
"""
