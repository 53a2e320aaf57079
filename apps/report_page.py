"""The report's page: HTML from text that is escaped here and nowhere else."""

from html import escape
from pathlib import PurePosixPath
from urllib.parse import quote

from affetto.apps.report_data import (
    CutMeeting,
    Mood,
    ReportData,
    clock,
    meetings,
    mood_of,
    signed_ms,
)
from affetto.gen.music.chord_names import chord_name, key_name
from affetto.gen.music.keys import parse_key

SCENE_NOTE = (
    "The emotion read from the picture is a reading of colour, light and motion, as viewers tend "
    "to feel them. It says nothing about anybody's inner state."
)
AI_NOTE = "The music is AI-generated: composed and played by Affetto, no performer is heard."
MAX_SHOTS = 60
MAX_OPEN_BARS = 48
MAX_OPEN_CUTS = 16
_SOUND_TYPES = (".wav", ".flac", ".mp3", ".m4a", ".ogg")

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


def page(data: ReportData, *, pictures: dict[int, str], plots: list[tuple[str, str, str]]) -> str:
    """The whole page.

    Args:
        data: what to show.
        pictures: shot -> a data: address of its thumbnail, for those of `shown_shots`.
        plots: (heading, what it shows in words, inline SVG).
    """
    parts = [
        _header(data),
        _media(data),
        _film_strip(data, pictures),
        _plots(plots),
        _chord_chart(data),
        _cut_table(data),
        _measure_table(data),
        _file_list(data),
        _notices(data),
    ]
    return "\n".join(
        (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
            "img-src data:; media-src 'self' file: data:; style-src 'unsafe-inline'\">",
            '<meta name="generator" content="Affetto">',
            f"<title>{escape(data.title)} \u2013 soundtrack report</title>",
            f"<style>{STYLE}</style>\n</head>\n<body>\n<main>",
            *(part for part in parts if part),
            "</main>\n</body>\n</html>\n",
        )
    )


def shown_shots(number: int) -> list[int]:
    """Which of `number` shots the film strip shows: all, or `MAX_SHOTS` evenly chosen ones."""
    shown = min(number, MAX_SHOTS)
    return [index * number // shown for index in range(shown)]


def local_address(name: str) -> str:
    """A file beside the report as an address that cannot leave its folder's scheme and host."""
    return "./" + quote(name.lstrip("/"), safe="/")


def _header(data: ReportData) -> str:
    bars = data.soundtrack.bars
    low, high = min(bar.bpm for bar in bars), max(bar.bpm for bar in bars)
    tempo = f"{low:.0f} bpm" if round(low) == round(high) else f"{low:.0f}\u2013{high:.0f} bpm"
    own = [
        ("Length", clock(data.duration_s, decimals=2)),
        ("Key", key_name(parse_key(data.soundtrack.key))),
        ("Tempo", tempo),
        ("Shots", str(len(data.shot_starts_s))),
    ]
    rows = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in (*own, *data.facts)
    )
    return (
        f'<header><h1>{escape(data.title)}</h1><p class="lead">Soundtrack report</p>'
        f'<p class="notice" role="note">{escape(AI_NOTE)}</p></header>'
        f"<section><h2>The piece</h2><dl>{rows}</dl>"
        f'<pre aria-label="Command that repeats this piece"><code>{escape(data.command)}</code>'
        "</pre></section>"
    )


def _media(data: ReportData) -> str:
    film = escape(local_address(data.film_file), quote=True)
    players = "".join(
        f"<figure><figcaption><b>{escape(PurePosixPath(name).stem)}</b> "
        f'<span class="faint">{escape(what)}</span></figcaption>'
        f'<audio controls preload="none" aria-label="{escape(what, quote=True)}" '
        f'src="{escape(local_address(name), quote=True)}"></audio></figure>'
        for name, what in data.files
        if name.lower().endswith(_SOUND_TYPES)
    )
    return (
        "<section><h2>Watch and listen</h2>"
        f'<video controls preload="metadata" src="{film}" '
        f'aria-label="The film with its music"></video>'
        f'<div class="players">{players}</div></section>'
    )


def _film_strip(data: ReportData, pictures: dict[int, str]) -> str:
    asked = data.emotion
    shots = data.shots()
    cards = []
    for index, picture in pictures.items():
        start_s, end_s = shots[index]
        mood = mood_of(asked, start_s, end_s)
        words = (
            f"Shot {index + 1}, {clock(start_s)} to {clock(end_s)}: {mood.label}, "
            f"valence {mood.valence:+.2f}, arousal {mood.arousal:+.2f}"
        )
        cards.append(
            f'<li><img src="{picture}" alt="{escape(words, quote=True)}">'
            f'<div class="row"><div><b>{escape(mood.label)}</b><br>'
            f'<span class="faint">{clock(start_s)}\u2013{clock(end_s)}</span></div>'
            f"{_mood_dot(mood)}</div></li>"
        )
    left_out = (
        f'<p class="faint">{len(pictures)} of {len(shots)} shots are shown.</p>'
        if len(shots) > len(pictures)
        else ""
    )
    return (
        '<section><h2>Shots and their mood</h2><p class="faint">What the music was asked to '
        "express in each shot. In the small square: pleasant to the right, aroused at the top.</p>"
        f'{left_out}<ol class="strip">{"".join(cards)}</ol></section>'
    )


def _mood_dot(mood: Mood) -> str:
    x, y = 15 + 12 * mood.valence, 15 - 12 * mood.arousal
    return (
        '<svg viewBox="0 0 30 30" aria-hidden="true"><rect x="1" y="1" width="28" height="28" '
        'rx="4" fill="none" stroke="var(--grid)"/><path d="M15 3V27M3 15H27" stroke="var(--grid)"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="var(--second)"/></svg>'
    )


def _plots(plots: list[tuple[str, str, str]]) -> str:
    figures = "".join(
        f'<div class="plot" role="region" tabindex="0" aria-label="{escape(heading, quote=True)}">'
        f'<div role="img" aria-label="{escape(words, quote=True)}">{svg}</div></div>'
        for heading, words, svg in plots
    )
    return f"<section><h2>Over the film</h2>{figures}</section>"


def _chord_chart(data: ReportData) -> str:
    key = parse_key(data.soundtrack.key)
    struck = {one.downbeat_s for one in meetings(data) if one.hit}
    cells, chords, after = [], data.soundtrack.chords, 0
    for number, bar in enumerate(data.soundtrack.bars, start=1):
        names: list[str] = []
        while after < len(chords) and chords[after].start_s < bar.end_s - 0.02:
            names.append(chord_name(chords[after].symbol, key))
            after += 1
        shown = [name for place, name in enumerate(names) if place == 0 or name != names[place - 1]]
        kind, note = (' class="hit"', " \u00b7 cut") if bar.start_s in struck else ("", "")
        spans = "".join(f"<span>{escape(name)}</span>" for name in shown) or "<span>%</span>"
        cells.append(
            f"<li{kind}><small>{number} \u00b7 {clock(bar.start_s)}{note}</small>{spans}</li>"
        )
    rest = cells[MAX_OPEN_BARS:]
    more = (
        f'<details><summary>{len(rest)} more bars</summary><ol class="bars">{"".join(rest)}</ol>'
        "</details>"
        if rest
        else ""
    )
    return (
        '<section><h2>Chords</h2><p class="faint">One box for each bar: its number, when it '
        "begins, its chords. A bar marked \u201ccut\u201d begins on a cut of the film; % holds the "
        "chord.</p>"
        f'<ol class="bars">{"".join(cells[:MAX_OPEN_BARS])}</ol>{more}</section>'
    )


def _cut_table(data: ReportData) -> str:
    met = meetings(data)
    if not met:
        return (
            "<section><h2>Cuts</h2><p>The film has no cuts: the bars keep a steady tempo.</p>"
            "</section>"
        )
    head = (
        '<tr><th scope="col">Cut at</th><th scope="col">Strength</th><th scope="col">Nearest '
        'downbeat</th><th scope="col">Error</th><th scope="col">Met</th></tr>'
    )
    hits = sum(one.hit for one in met)
    table = (
        f'<div class="wide"><table><thead>{head}</thead><tbody>'
        f"{''.join(_cut_row(one) for one in met[:2000])}</tbody></table></div>"
    )
    if len(met) > MAX_OPEN_CUTS:
        table = f"<details><summary>All {len(met)} cuts</summary>{table}</details>"
    return (
        f"<section><h2>Cuts</h2><p>{hits} of {len(met)} cuts meet a downbeat within 60 ms.</p>"
        f"{table}</section>"
    )


def _cut_row(one: CutMeeting) -> str:
    return (
        f'<tr><td class="value">{clock(one.cut.time_s, decimals=2)}</td>'
        f"<td>{one.cut.strength:.2f}</td><td>{clock(one.downbeat_s, decimals=2)}</td>"
        f'<td class="value">{signed_ms(one.error_ms)}</td>'
        f"<td>{'yes' if one.hit else 'no'}</td></tr>"
    )


def _measure_table(data: ReportData) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="value">{escape(value)}</td>'
        f'<td class="faint meaning">{escape(meaning)}</td></tr>'
        for name, value, meaning in data.measures
    )
    return (
        '<section><h2>Measured</h2><table class="measures"><thead><tr><th scope="col">What</th>'
        '<th scope="col">Value</th><th scope="col">Meaning</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></section>"
    )


def _file_list(data: ReportData) -> str:
    rows = "".join(
        f'<tr><td><a href="{escape(local_address(name), quote=True)}">{escape(name)}</a></td>'
        f"<td>{escape(what)}</td></tr>"
        for name, what in data.files
    )
    return (
        '<section><h2>Files</h2><table><thead><tr><th scope="col">File</th><th scope="col">What it '
        f"is</th></tr></thead><tbody>{rows}</tbody></table></section>"
    )


def _notices(data: ReportData) -> str:
    rows = "".join(f"<p>{escape(text)}</p>" for text in (AI_NOTE, SCENE_NOTE, *data.notices))
    return f"<section><h2>Good to know</h2>{rows}</section>"
