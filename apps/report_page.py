"""The report's page: HTML from text that is escaped here and nowhere else."""

from html import escape
from pathlib import PurePosixPath

from affetto.apps.report_data import (
    CutMeeting,
    Mood,
    ReportData,
    clock,
    meetings,
    mood_of,
    signed_ms,
)
from affetto.apps.report_parts import (
    document,
    fact_list,
    file_list,
    header,
    local_address,
    measure_table,
    notice_list,
    plot_list,
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
        plot_list("Over the film", plots),
        _chord_chart(data),
        _hit_table(data),
        _cut_table(data),
        measure_table(data.measures),
        file_list(data.files),
        notice_list((AI_NOTE, SCENE_NOTE, *data.notices)),
    ]
    return document(f"{data.title} \u2013 soundtrack report", parts)


def shown_shots(number: int) -> list[int]:
    """Which of `number` shots the film strip shows: all, or `MAX_SHOTS` evenly chosen ones."""
    shown = min(number, MAX_SHOTS)
    return [index * number // shown for index in range(shown)]


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
    return header(data.title, "Soundtrack report", AI_NOTE) + fact_list(
        "The piece", (*own, *data.facts), data.command, "this piece"
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
        f"<section><h2>Cuts</h2><p>{hits} of {len(met)} cuts meet a downbeat within 40 ms.</p>"
        f"{table}</section>"
    )


def _hit_table(data: ReportData) -> str:
    """The user's own moments; nothing where there are none."""
    if not data.hits:
        return ""
    head = "".join(
        f'<th scope="col">{name}</th>'
        for name in ("Your moment", "Name", "Met by", "Bar and beat", "Error")
    )
    rows = "".join(
        f'<tr><td class="value">{clock(one.time_s, decimals=3)}</td><td>{escape(one.name)}</td>'
        f"<td>{one.on}</td><td>{one.bar}.{one.beat}</td>"
        f'<td class="value">{one.error_ms:+.1f} ms</td></tr>'
        for one in data.hits
    )
    lines = sum(one.on == "downbeat" for one in data.hits)
    return (
        f"<section><h2>Hit points</h2><p>{lines} of your {len(data.hits)} moments meet a downbeat "
        "within 40 ms. Where nothing meets one, the nearest beat is told; moments less than a bar "
        f"apart, or that ask for more than 6 % of tempo change, cannot all be met.</p><div "
        f'class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        "</section>"
    )


def _cut_row(one: CutMeeting) -> str:
    return (
        f'<tr><td class="value">{clock(one.cut.time_s, decimals=2)}</td>'
        f"<td>{one.cut.strength:.2f}</td><td>{clock(one.downbeat_s, decimals=2)}</td>"
        f'<td class="value">{signed_ms(one.error_ms)}</td>'
        f"<td>{'yes' if one.hit else 'no'}</td></tr>"
    )
