"""What the pages of all reports share: style, skeleton, plots, tables; text is escaped here."""

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

POLICY = (
    "default-src 'none'; img-src data:; media-src 'self' file: data:; style-src 'unsafe-inline'"
)

STYLE = """
:root{color-scheme:light dark;--ink:#1c2430;--faint:#5d6877;--grid:#d9dee6;--ground:#ffffff;
--page:#f3f5f8;--first:#0068a8;--second:#c24e00;--third:#007a5a;--warm:#fff4e2}
@media(prefers-color-scheme:dark){:root{--ink:#e8ecf2;--faint:#a3aebd;--grid:#343d4a;
--ground:#1b212a;--page:#12161c;--first:#5cb8f2;--second:#ff9a52;--third:#43c9a0;--warm:#33291b}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,
"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;overflow-wrap:anywhere}
main{max-width:1120px;margin:0 auto;padding:24px 20px 48px}
section{background:var(--ground);border:1px solid var(--grid);border-radius:12px;
padding:20px;margin-top:18px}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 4px}h2{font-size:1.15rem;margin:0 0 12px}
p{margin:0 0 10px}p.lead,.faint{color:var(--faint)}
a{color:var(--first)}
.notice{background:var(--warm);border-radius:8px;padding:10px 14px;margin:10px 0 0}
video{width:100%;max-height:70vh;border-radius:10px;background:#000;display:block}
.players{display:grid;grid-template-columns:repeat(auto-fill,minmax(250px,1fr));gap:12px;
margin-top:16px}
.players figure{margin:0}.players figcaption{font-size:.85rem;margin-bottom:4px}
audio{width:100%;height:40px}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(140px,1fr));gap:12px 20px;margin:0}
dt{color:var(--faint);font-size:.82rem}dd{margin:0;font-weight:600}
dt::first-letter,th::first-letter{text-transform:uppercase}
pre{background:var(--page);border-radius:8px;padding:12px 14px;margin:16px 0 0;
white-space:pre-wrap;font:13.5px/1.5 ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
.strip{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:14px;padding:0;
margin:0;list-style:none}
.strip img{width:100%;display:block;border-radius:8px;aspect-ratio:16/9;object-fit:cover}
.strip .row{display:flex;justify-content:space-between;gap:8px;font-size:.82rem;margin-top:5px}
.strip svg{flex:none;width:30px;height:30px}.strip b{font-weight:600}
.plot{overflow-x:auto;margin-top:12px}.plot:focus-visible{outline:2px solid var(--first)}
.plot svg{display:block;width:100%;min-width:760px;height:auto}
.bars{display:grid;grid-template-columns:repeat(auto-fill,minmax(128px,1fr));gap:0;padding:0;
margin:0;list-style:none}
.bars li{border-left:2px solid var(--faint);border-bottom:1px solid var(--grid);
padding:4px 8px 8px}
.bars li.hit{border-left:4px solid var(--second)}
.bars small{color:var(--faint);display:block}.bars span{font-weight:600;margin-right:10px;
overflow-wrap:normal}
.wide{overflow-x:auto}.wide td,.wide th{overflow-wrap:normal}.wide td{white-space:nowrap}
table{border-collapse:collapse;width:100%;font-size:.93rem}
th,td{text-align:left;padding:7px 12px 7px 0;border-bottom:1px solid var(--grid);
vertical-align:top}
td.value{font-weight:600;font-variant-numeric:tabular-nums}
summary{cursor:pointer;color:var(--first);padding:8px 0}
@media(max-width:600px){main{padding:14px 10px 32px}section{padding:14px}h1{font-size:1.35rem}
.strip{grid-template-columns:repeat(2,1fr)}td.meaning,th.meaning{display:block}
table.measures thead{display:none}table.measures tr{display:block;padding:6px 0;
border-bottom:1px solid var(--grid)}table.measures td,table.measures th{display:block;border:0;
padding:1px 0}}
@media print{section{break-inside:avoid}video,audio{display:none}}
"""


def document(title: str, parts: Sequence[str]) -> str:
    """A whole page: its title and the HTML of its sections; empty ones are left out."""
    return "\n".join(
        (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="generator" content="Affetto">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>\n</head>\n<body>\n<main>",
            *(part for part in parts if part),
            "</main>\n</body>\n</html>\n",
        )
    )


def header(title: str, lead: str, note: str) -> str:
    """The head of a page: its title, what kind of page it is, and a note in a box."""
    return (
        f'<header><h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p>'
        f'<p class="notice" role="note">{escape(note)}</p></header>'
    )


def fact_list(heading: str, facts: Sequence[tuple[str, str]], command: str, what: str) -> str:
    """Facts by name, and the command line that repeats `what`."""
    rows = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts
    )
    label = escape(f"Command that repeats {what}", quote=True)
    return (
        f"<section><h2>{escape(heading)}</h2><dl>{rows}</dl>"
        f'<pre aria-label="{label}"><code>{escape(command)}</code></pre></section>'
    )


def local_address(name: str) -> str:
    """A file beside the report as an address that cannot leave its folder's scheme and host."""
    return "./" + quote(name.lstrip("/"), safe="/")


def plot_list(heading: str, plots: Sequence[tuple[str, str, str]]) -> str:
    """Plots: (heading, what it shows in words, inline SVG)."""
    figures = "".join(
        f'<div class="plot" role="region" tabindex="0" aria-label="{escape(name, quote=True)}">'
        f'<div role="img" aria-label="{escape(words, quote=True)}">{svg}</div></div>'
        for name, words, svg in plots
    )
    return f"<section><h2>{escape(heading)}</h2>{figures}</section>"


def measure_table(measures: Sequence[tuple[str, str, str]]) -> str:
    """Measures: (name, value with unit, what it means in a sentence)."""
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="value">{escape(value)}</td>'
        f'<td class="faint meaning">{escape(meaning)}</td></tr>'
        for name, value, meaning in measures
    )
    return (
        '<section><h2>Measured</h2><table class="measures"><thead><tr><th scope="col">What</th>'
        '<th scope="col">Value</th><th scope="col">Meaning</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></section>"
    )


def file_list(files: Sequence[tuple[str, str]]) -> str:
    """Files: (path relative to the report, what it is)."""
    rows = "".join(
        f'<tr><td><a href="{escape(local_address(name), quote=True)}">{escape(name)}</a></td>'
        f"<td>{escape(what)}</td></tr>"
        for name, what in files
    )
    return (
        '<section><h2>Files</h2><table><thead><tr><th scope="col">File</th><th scope="col">What it '
        f"is</th></tr></thead><tbody>{rows}</tbody></table></section>"
    )


def notice_list(texts: Sequence[str]) -> str:
    """Sentences that the reader should know."""
    rows = "".join(f"<p>{escape(text)}</p>" for text in texts)
    return f"<section><h2>Good to know</h2>{rows}</section>"
