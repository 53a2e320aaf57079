"""A map of feelings to click on: from unpleasant to pleasant, from quiet to stirred up.

A self-contained widget: mouse, finger, arrow keys, and two sliders with names for screen readers.
Its value is "valence,arousal", each -1 to 1.
"""

from typing import Any

from affetto.emotion import LABEL_VAD

START = "0.5,0.3"

# Names that would lie on each other are moved aside, in hundredths of the map.
ASIDE = {"fearful": (-5, -3), "angry": (6, 1), "disgusted": (-2, -1), "contemptuous": (2, 3),
         "surprised": (-2, 0), "tender": (3, 0), "neutral": (0, 3)}  # fmt: skip

_STYLE = """
.pad { position: relative; width: 100%; max-width: 360px; aspect-ratio: 1; border-radius: 10px;
  border: 1px solid var(--s-grid); background: var(--s-soft); touch-action: none; cursor: crosshair;
  user-select: none; margin: 0 auto 8px; color: var(--s-ink); }
.pad i { position: absolute; background: var(--s-grid); }
.pad .v { left: 50%; top: 0; bottom: 0; width: 1px; } .pad .h { top: 50%; left: 0; right: 0;
  height: 1px; }
.pad span { position: absolute; transform: translate(-50%, -50%); font-size: .78rem;
  color: var(--s-faint); pointer-events: none; }
.pad b { position: absolute; font-size: .72rem; font-weight: 600; color: var(--s-faint);
  pointer-events: none; }
.pad .dot { position: absolute; width: 20px; height: 20px; border-radius: 50%;
  background: var(--s-first); border: 3px solid var(--s-ground);
  box-shadow: 0 0 0 1px var(--s-first);
  transform: translate(-50%, -50%); pointer-events: none; }
.axes { max-width: 360px; margin: 0 auto; display: grid; gap: 4px; font-size: .88rem;
  color: var(--s-ink); }
.axes label { display: grid; grid-template-columns: 7.5em 1fr 3em; align-items: center; gap: 8px; }
.axes input { width: 100%; accent-color: var(--s-first); }
.axes output { text-align: right; font-variant-numeric: tabular-nums; }
"""

_SCRIPT = """
const read = () => String(props.value || '0,0').split(',').map(Number);
const clamp = (x) => Math.max(-1, Math.min(1, Math.round(x * 100) / 100));
let now = read();
function draw() {
  const dot = element.querySelector('.dot');
  if (!dot) return;
  dot.style.left = 50 * (1 + now[0]) + '%';
  dot.style.top = 50 * (1 - now[1]) + '%';
  element.querySelectorAll('input').forEach((input, axis) => {
    input.value = now[axis];
    input.nextElementSibling.value = (now[axis] > 0 ? '+' : '') + now[axis].toFixed(2);
  });
}
function tell() {
  props.value = now[0] + ',' + now[1];
  trigger('input');
}
function place(event) {
  const box = element.querySelector('.pad').getBoundingClientRect();
  now = [clamp(2 * (event.clientX - box.left) / box.width - 1),
         clamp(1 - 2 * (event.clientY - box.top) / box.height)];
  draw();
}
let held = false;
element.addEventListener('pointerdown', (event) => {
  if (!event.target.closest('.pad')) return;
  held = true;
  place(event);
  event.preventDefault();
});
window.addEventListener('pointermove', (event) => { if (held) place(event); });
window.addEventListener('pointerup', () => { if (held) { held = false; tell(); } });
element.addEventListener('input', (event) => {
  const axis = [...element.querySelectorAll('input')].indexOf(event.target);
  if (axis < 0) return;
  now[axis] = clamp(Number(event.target.value));
  draw();
});
element.addEventListener('change', (event) => {
  if (event.target.tagName === 'INPUT') tell();
});
watch('value', () => { now = read(); draw(); });
draw();
"""


def build_map(label: str) -> Any:  # noqa: ANN401 - a gradio component
    """The widget, inside a page under construction."""
    import gradio as gr

    return gr.HTML(
        value=START,
        label=label,
        html_template=_template(),
        css_template=_STYLE,
        js_on_load=_SCRIPT,
    )


def read_place(value: object) -> tuple[float, float]:
    """Valence and arousal; whatever is no such pair counts as the middle."""
    try:
        valence, arousal = (float(part) for part in str(value).split(","))
    except ValueError:
        return 0.0, 0.0
    return max(-1.0, min(1.0, valence)), max(-1.0, min(1.0, arousal))


def _template() -> str:
    names = "".join(
        f'<span style="left:{50 * (1 + vad[0]) + ASIDE.get(name, (0, 0))[0]:.0f}%;'
        f'top:{50 * (1 - vad[1]) + ASIDE.get(name, (0, 0))[1]:.0f}%">{name}</span>'
        for name, vad in LABEL_VAD.items()
    )
    edges = (
        ("left:50%;top:4px;transform:translateX(-50%)", "stirred up"),
        ("left:50%;bottom:4px;transform:translateX(-50%)", "quiet"),
        ("left:5px;top:50%;transform:translateY(6px)", "unpleasant"),
        ("right:5px;top:50%;transform:translateY(6px)", "pleasant"),
    )
    marks = "".join(f'<b style="{style}">{word}</b>' for style, word in edges)
    sliders = "".join(
        f'<label><span>{word}</span><input type="range" min="-1" max="1" step="0.01" '
        f'aria-label="{spoken}"><output></output></label>'
        for word, spoken in (
            ("Valence", "Valence, from unpleasant to pleasant"),
            ("Arousal", "Arousal, from quiet to stirred up"),
        )
    )
    return (
        f'<div class="pad" aria-hidden="true"><i class="v"></i><i class="h"></i>{marks}{names}'
        f'<div class="dot"></div></div><div class="axes">{sliders}</div>'
    )
