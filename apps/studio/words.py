"""Small pieces of the page as HTML; whatever comes from outside is escaped here."""

from collections.abc import Sequence
from html import escape
from typing import Literal

from affetto.apps.studio.desk import Step

Tone = Literal["good", "plain", "bad"]
AI_NOTE = (
    "What is made here is AI-generated, and its files say so. Show it only with the consent of the "
    "people in it, and say that it is made."
)
READING_NOTE = (
    "Recognition says how a face looks, a voice sounds, a picture or a text may strike somebody, "
    "as a model judges it. It is not a statement about what a person feels."
)
SIGNED = "signed as AI-generated (Content Credentials, this machine's own key)"
FEW_COLUMNS = 3  # a table of more is scrolled sideways on a phone
COMMAND = "This command makes it again, beside the same files"
COMMAND_COPIED = """
element.addEventListener('click', async (event) => {
  const button = event.target.closest('.copy');
  if (!button) return;
  await navigator.clipboard.writeText(element.querySelector('pre').textContent);
  button.textContent = 'Copied';
  setTimeout(() => { button.textContent = 'Copy'; }, 1500);
});
"""
CONSENT = "I have the consent of everybody whose face or voice I use here"
CONSENT_NEEDED = (
    "Please tick the consent box first: a face or a voice may only be used when its owner agrees. "
    "The bundled examples need no consent."
)


def idle(text: str) -> str:
    """What will appear here."""
    return f'<div class="s-idle" role="status">{escape(text)}</div>'


def step(event: Step) -> str:
    """What is happening, how far, how long still."""
    percent = round(100 * min(1.0, max(0.0, event.share)))
    left = f"{percent} %" + (f", about {_span(event.left_s)} left" if event.left_s else "")
    what = escape(event.what[:1].upper() + event.what[1:])
    return (
        f'<div class="s-step"><div class="row" role="status"><span>{what}</span>'
        f'<span>{left}</span></div><div class="s-track" role="progressbar" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{percent}" aria-label="Progress">'
        f'<div style="width:{percent}%"></div></div></div>'
    )


def bad(text: str) -> str:
    """What went wrong, in a sentence."""
    return f'<div class="s-bad" role="alert">{escape(_sentence(text))}</div>'


def done(text: str, *, tone: Tone = "good") -> str:
    """What came of it, in a sentence; every one has the class `s-done`."""
    role = "alert" if tone == "bad" else "status"
    return f'<div class="s-done s-{tone}" role="{role}">{escape(_sentence(text))}</div>'


def notes(texts: Sequence[str]) -> str:
    """Things to know, one paragraph each."""
    lines = "".join(f"<p>{escape(_sentence(text))}</p>" for text in texts)
    return f'<div class="s-note" role="note">{lines}</div>' if lines else ""


def facts(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values."""
    cells = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in rows
    )
    return f'<table class="s-table">{cells}</table>'


def command(text: str) -> str:
    """A command line to read and to copy; nothing where there is none."""
    if not text:
        return ""
    return (
        f'<div class="s-line"><div class="row"><span>{escape(COMMAND)}</span>'
        f'<button type="button" class="copy">Copy</button></div>'
        f'<pre tabindex="0" aria-label="{escape(COMMAND, quote=True)}">{escape(text)}</pre></div>'
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with a head; one of many columns is scrolled sideways where it is too wide."""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    many = " s-many" if len(head) > FEW_COLUMNS else ""
    return (
        f'<div class="s-wide{many}" tabindex="0" role="region" aria-label="Table">'
        f'<table class="s-table"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _sentence(text: str) -> str:
    text = text.strip() or "-"
    ended = text if text.endswith((".", "!", "?", ")")) else f"{text}."
    first = ended.split(maxsplit=1)[0].rstrip(",:")
    return ended[:1].upper() + ended[1:] if first.isalpha() else ended  # a file keeps its name


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min"
