"""English words: their articles, their plurals, and what they may be the plural of. Plain."""

from __future__ import annotations

import re

_IRREGULAR = {
    "child": "children",
    "foot": "feet",
    "goose": "geese",
    "man": "men",
    "mouse": "mice",
    "person": "people",
    "tooth": "teeth",
    "woman": "women",
}
_SINGULAR = {plural: singular for singular, plural in _IRREGULAR.items()}
_NO_PLURALS = frozenset({"lens", "mars", "means", "news"})
"""They end in s and are another word without it."""
# Sounds, not letters: "a unicorn", "a one-eyed cat", "an hour".
_CONSONANT_SOUND = re.compile(r"(uni([^nm]|$)|us[aeu]|u[fk]|eu[cnprt]|ewe|one\b|once\b)", re.IGNORECASE)
_SILENT_H = re.compile(r"(hour|honest|honou?r|heir)", re.IGNORECASE)


def article(word: str) -> str:
    """The indefinite article before ``word``."""
    if _SILENT_H.match(word):
        return "an"
    return "an" if word[:1].casefold() in tuple("aeiou") and not _CONSONANT_SOUND.match(word) else "a"


def plural(word: str) -> str:
    """The plural of an English word, or of the last word of several."""
    first, last = _last_word(word)
    folded = last.casefold()
    if folded in _IRREGULAR:
        return first + _IRREGULAR[folded]
    if folded.endswith("man") and folded != "human":
        return word[:-2] + "en"
    if re.search(r"[^aeiou\W]y$", folded):
        return word[:-1] + "ies"
    if re.search(r"(s|x|z|ch|sh)$", folded):
        return word + "es"
    if re.search(r"[^f]fe$|(l|ea|oa|r)f$", folded):
        return re.sub("fe?$", "ves", word, flags=re.IGNORECASE)
    return word + "s"


def forms_of(word: str) -> set[str]:
    """``word`` (one space between its parts), its plurals and what it may be the plural of."""
    first, last = _last_word(word)
    forms = {word, *plurals(word), *(first + singular for singular in _singulars(last))}
    return forms | {form.replace("ß", "ss") for form in forms}


def plurals(word: str) -> set[str]:
    """Every spelling of the plural that is in use."""
    found = {plural(word), word + "s"}
    if word.endswith(("o", "O")):
        found.add(word + "es")
    if (v := re.sub(r"fe?$", "ves", word, flags=re.IGNORECASE)) != word:
        found.add(v)
    return found


def _singulars(last: str) -> set[str]:
    """What ``last`` may be the plural of. A word that is none may stand among them: "Mercede" is looked for too."""
    folded = last.casefold()
    if folded in _SINGULAR:
        return {_SINGULAR[folded]}
    if folded.endswith("men") and len(folded) > 4:
        return {last[:-2] + "an"}
    if not folded.endswith("s") or folded.endswith(("ss", "us", "is")) or len(folded) < 4 or folded in _NO_PLURALS:
        return set()
    found = {last[:-1]}
    if folded.endswith("ies") and len(folded) > 4:
        found.add(last[:-3] + "y")
    if folded.endswith("ves"):
        found |= {last[:-3] + "f", last[:-3] + "fe"}
    if folded.endswith(("ses", "xes", "zes", "ches", "shes", "oes")):
        found.add(last[:-2])
    return found


def _last_word(text: str) -> tuple[str, str]:
    """What is before the last word, and it."""
    split = re.search(r"\S*$", text)
    assert split is not None  # an empty match is a match
    return text[: split.start()], split[0]
