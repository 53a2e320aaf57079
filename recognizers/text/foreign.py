"""German, French and Spanish words of feeling, word for word into English.

MiniLM's word pieces are English. A short list of our own (CC0) brings the words that carry a
feeling, and the small words around them, into English before it reads; the rest stays as it is.
Grammar is not translated.
"""

import re
from functools import cache
from pathlib import Path

FILE = Path(__file__).parent / "foreign_words.txt"
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_ELIDED = re.compile(r"^(?:[ldjmtscn]|qu)['’]", re.IGNORECASE)


def to_english(text: str) -> str:
    """Words of the list in English, where the text is in that language, else the text itself.

    A text is in the language of which it has most words that only that language has, at least one.
    """
    words = [_bare(match.group()) for match in _WORD.finditer(text)]
    counts = {
        language: sum(word in own for word in words) for language, (_, own) in _vocabulary().items()
    }
    language = max(counts, key=lambda name: counts[name])
    if not counts[language]:
        return text
    known = _vocabulary()[language][0]
    return _WORD.sub(lambda match: known.get(_bare(match.group()), match.group()), text)


def _bare(word: str) -> str:
    return _ELIDED.sub("", word).casefold()


@cache
def _vocabulary() -> dict[str, tuple[dict[str, str], frozenset[str]]]:
    """Language -> (its words in English, those words that say which language it is)."""
    tables: dict[str, dict[str, str]] = {}
    own: dict[str, set[str]] = {}
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        language, english, *forms = line.split("\t")
        for form in " ".join(forms).split():
            word = form.removesuffix("*")
            tables.setdefault(language, {})[word] = english
            if form == word:
                own.setdefault(language, set()).add(word)
    return {language: (table, frozenset(own[language])) for language, table in tables.items()}
