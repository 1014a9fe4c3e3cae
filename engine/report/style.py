"""The style sheet and the script of the HTML report."""

# ruff: noqa: E501

from __future__ import annotations

from engine.plots.colours import BACKGROUND, BAD_TEXT, GOOD_TEXT, MUTED, RULE, SURFACE, TEXT, WARNING_TEXT, Theme

SCHEMES: tuple[Theme, Theme] = ("light", "dark")


def variables(theme: Theme) -> str:
    """The colours of one theme as CSS variables."""
    return (
        f"--page:{BACKGROUND[theme]};--surface:{SURFACE[theme]};--text:{TEXT[theme]};--muted:{MUTED[theme]};"
        f"--rule:{RULE[theme]};--bad:{BAD_TEXT[theme]};--good:{GOOD_TEXT[theme]};--warn:{WARNING_TEXT[theme]};"
    )


CSS = f"""
:root{{color-scheme:light dark;{variables("light")}}}
@media (prefers-color-scheme:dark){{:root{{{variables("dark")}}}}}
*{{box-sizing:border-box}}
body{{margin:0;background:var(--page);color:var(--text);font:15px/1.55 "Source Sans 3","Source Sans Pro",system-ui,-apple-system,"Segoe UI",sans-serif}}
main{{max-width:1340px;margin:0 auto;padding:40px 32px 80px}}
h1{{font-size:30px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em}}
h2{{font-size:21px;margin:52px 0 14px;letter-spacing:-.005em}}
h3{{font-size:16px;margin:26px 0 6px}}
p{{margin:0 0 10px;max-width:78ch}}
.lead{{font-size:20px;line-height:1.45;margin:22px 0 24px;max-width:64ch}}
.muted,.facts dt{{color:var(--muted)}}
.tag{{display:inline-block;border:1px solid var(--rule);border-radius:99px;padding:1px 10px;font-size:13px;margin-right:6px;background:var(--surface)}}
.warning{{border:1px solid var(--warn);border-radius:10px;padding:10px 16px;margin:0 0 18px;color:var(--warn)}} .warning ul{{margin:4px 0 0;padding-left:20px;color:var(--text)}}
.cards{{display:grid;grid-template-columns:repeat(4,1fr);gap:16px}}
.card{{border:1px solid var(--rule);border-radius:10px;padding:16px 18px;background:var(--surface)}}
.card .kind{{color:var(--muted);font-size:13px}}
.card .figure{{font-size:23px;font-weight:600;margin:2px 0;letter-spacing:-.01em}}
.card .name{{font-weight:600}}
.charts{{display:grid;grid-template-columns:repeat(4,1fr);gap:24px;margin-top:18px}}
.chart{{min-width:0;break-inside:avoid}}
.scroll{{overflow-x:auto;border:1px solid var(--rule);border-radius:10px}}
table{{border-collapse:collapse;width:100%;font-size:13.5px}}
th,td{{text-align:left;padding:7px 9px;border-bottom:1px solid var(--rule);vertical-align:top}}
th{{color:var(--muted);font-weight:600;background:var(--surface)}}
td.number{{text-align:right;font-variant-numeric:tabular-nums}}
th.number{{text-align:right}}
tr:last-child td{{border-bottom:0}}
tr.baseline td{{background:var(--surface)}}
.status{{white-space:nowrap;font-weight:600}}
.status.bad{{color:var(--bad)}}.status.good{{color:var(--good)}}.status.warn{{color:var(--warn)}}.status.quiet{{color:var(--muted)}}
td small{{display:block;max-width:150px;margin-left:auto;font-size:11.5px;color:var(--muted)}}
td.latency small{{max-width:none;white-space:nowrap}}
tbody th{{color:var(--text);white-space:normal;background:none}}
th[scope=colgroup]{{background:var(--surface)}}
tr:has(+tr.note)>*{{border-bottom:0;padding-bottom:2px}} tr.note td{{padding-top:0;color:var(--muted);font-size:13px}}
.facts{{display:grid;grid-template-columns:minmax(140px,max-content) 1fr;gap:4px 20px;margin:0}}
.facts dd{{margin:0;overflow-wrap:anywhere}}
.columns{{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:8px 48px}}
code,pre{{font:13px/1.5 ui-monospace,"SF Mono",Menlo,Consolas,monospace}}
pre{{background:var(--surface);border:1px solid var(--rule);border-radius:8px;padding:10px 12px;white-space:pre-wrap;overflow-wrap:anywhere;margin:6px 0 12px}}
.variant{{break-inside:avoid;border-top:1px solid var(--rule);padding-top:4px;margin-top:18px}}
footer{{margin-top:60px;color:var(--muted);font-size:13px;border-top:1px solid var(--rule);padding-top:14px}}
@media (max-width:940px){{.cards,.charts{{grid-template-columns:repeat(2,1fr)}}}}
@media (max-width:600px){{.charts{{grid-template-columns:1fr}}main{{padding:24px 16px 48px}}.columns{{grid-template-columns:1fr}}}}
@media print{{
 @page{{size:A4 landscape;margin:12mm}}
 :root{{{variables("light")};color-scheme:light}}
 *{{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
 body{{font-size:13px}} main{{max-width:none;padding:0}} h2{{margin:22px 0 10px}}
 h2,h3{{break-after:avoid}} .card,.chart,.whole,.warning,.tag,tr,dd,dt,pre{{break-inside:avoid}}
 .cards{{grid-template-columns:repeat(4,1fr);gap:10px}} .card{{padding:8px 12px}} .card .figure{{font-size:19px}}
 .charts{{grid-template-columns:repeat(4,1fr);gap:14px;break-inside:avoid}}
 .scroll{{overflow:visible;border:0;border-radius:0}} table{{font-size:11px}} th,td{{padding:4px 6px}} thead{{display:table-header-group}}
 tr:has(+tr.note),tr:has(>th[scope=colgroup]){{break-after:avoid}}
 td.latency small{{white-space:normal;max-width:170px}}
 .variant{{margin-top:10px}} .variant:has(pre){{break-inside:auto}} .variant h3{{break-after:avoid}}
 .facts{{display:block}} .facts dt{{float:left;clear:left;width:170px;padding-right:12px}} .facts dd{{margin-left:170px;min-height:1.4em}}
}}
"""

SCRIPT = """
const figures = JSON.parse(document.getElementById("figures").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
const options = {displayModeBar: false, responsive: true};
function draw(scheme) {
  for (const [id, themes] of Object.entries(figures)) {
    const figure = themes[scheme];
    Plotly.react(id, figure.data, figure.layout, options);
  }
}
const current = () => dark.matches ? "dark" : "light";
draw(current());
dark.addEventListener("change", () => draw(current()));
addEventListener("beforeprint", () => draw("light"));
addEventListener("afterprint", () => draw(current()));
"""
