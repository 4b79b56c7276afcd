"""Texts that a reader takes for the same, made the same: what every search for a word in a prompt compares. Plain.

A name that is not recognised in a prompt is worse than one that is recognised too often: the prompt is then retained,
so that the run preserves what it was to forget. So the fold is generous. Case, accents ("Beyonce" is "Beyoncé"), the
dots and spaces of initials ("J. M. W." is "J.M.W."), wide and joined letters, curly apostrophes and characters that
nobody sees make no difference. That "resume" is also found in "résumé" costs one retained prompt, which the report
counts.

Words stay whole, and letters that are no accented form of another in their script stay apart (й is not и, が is
not か).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

_APOSTROPHES = dict.fromkeys("‘’‚‛ʹʼˈ′´`＇", "'")
_JOINED = {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i"}
"""Unicode does not take them apart."""
_PLAIN: dict[str, str] = {**_APOSTROPHES, **_JOINED}
_OWN_LETTERS = frozenset("йЙїЇ")
"""They look accented and are not: nobody leaves it out."""
_KEPT = ("<super>", "<sub>", "<square>", "<fraction>")
"""Taken apart they would become a part of the word before: "gun™"."""
_IGNORABLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
"""Characters that are not seen, beside the format characters (Unicode's Default_Ignorable_Code_Point)."""

# An initial with its dot; a space may part it from the next, and the last one's dot may be missing.
_INITIALS = re.compile(r"(?<![\w.'])(?:(?:[^\W\d_]\.)+[^\W\d_](?![\w.'])|(?:[^\W\d_]\.\s*){2,}(?<=\.))")
# A dot after one letter or a title, before another word: "Samuel L. Jackson", "Dr. Dre", "L.Jackson".
_SHORTENED = re.compile(r"(?<![\w.'])((?:[^\W\d_]|dr|jr|mr|mrs|ms|mt|prof|sr|st))\.(?=\s*[^\W\d_])")


@dataclass(frozen=True)
class Folded:
    """A folded text. ``starts``, ``ends``: where each of its characters stands in the original."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    def place(self, match: re.Match[str]) -> tuple[int, int]:
        """Return where a match that is not empty stands in the original."""
        return self.starts[match.start()], self.ends[match.end() - 1]


@lru_cache(maxsize=4096)
def folded(text: str) -> Folded:
    """Take ``text`` as it compares, and say where its characters come from."""
    if text.isascii():
        found = Folded(text.lower().replace("`", "'"), range(len(text)), range(1, len(text) + 1))
    else:
        found = _by_cluster(text)
    return _without_dots(found) if "." in found.text else found


def fold(text: str) -> str:
    """Return ``text`` as it compares: equal for any two that are found in each other's place."""
    return folded(text).text


def _by_cluster(text: str) -> Folded:
    """Each letter with its accents, folded; what folds to nothing belongs to the letter before it."""
    letters: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for start, end in _clusters(text):
        if made := _letter(text[start:end]):
            letters += made
            starts += [start] * len(made)
            ends += [end] * len(made)
        elif ends:
            ends[-1] = end
    return Folded("".join(letters), starts, ends)


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for at in range(1, len(text) + 1):
        if at == len(text) or not unicodedata.combining(unicodedata.normalize("NFKD", text[at])[0]):
            yield start, at
            start = at


def _letter(cluster: str) -> str:
    """One letter and its accents, as they compare."""
    parts = "".join(map(_apart, unicodedata.normalize("NFC", cluster)))
    # Composed again: a syllable of Hangul must not be found in a longer one, nor か in が.
    bare = unicodedata.normalize("NFC", "".join(part for part in parts if not _is_accent(part)))
    plain = "".join(_PLAIN.get(letter, letter) for letter in bare.casefold())
    return "".join("-" if unicodedata.category(letter) == "Pd" else letter for letter in plain)


def _apart(character: str) -> str:
    if unicodedata.category(character) == "Cf" or _IGNORABLE.match(character):
        return ""
    if character in _OWN_LETTERS or character in _PLAIN:
        return _PLAIN.get(character, character)
    if unicodedata.decomposition(character).startswith(_KEPT):
        return character
    return unicodedata.normalize("NFKD", character)


def _is_accent(character: str) -> bool:
    """Whether it is written above or below a letter and may be left out: accents, and the vowel points of Hebrew and
    Arabic. The signs of Indic scripts, of Thai and of kana are letters."""
    position = unicodedata.combining(character)
    return 10 <= position <= 36 or position >= 200


def _without_dots(found: Folded) -> Folded:
    """The same without the dots and spaces of initials, and without the dots of titles."""
    text, starts, ends = found.text, list(found.starts), list(found.ends)
    dropped: set[int] = set()
    spaces: set[int] = set()
    for match in _INITIALS.finditer(text):
        letters = [at for at in range(*match.span()) if text[at].isalpha()]
        for at, following in zip(letters, [*letters[1:], match.end()], strict=True):
            dropped.update(range(at + 1, following))
            ends[at] = ends[following - 1]
        if text[match.end() - 1] == "." and text[match.end() : match.end() + 1].isalpha():
            spaces.add(match.end() - 1)
    for match in _SHORTENED.finditer(text):
        dot = match.end() - 1
        if dot in dropped:
            continue
        (dropped if text[dot + 1].isspace() else spaces).add(dot)
    kept = [at for at in range(len(text)) if at not in dropped or at in spaces]
    return Folded(
        "".join(" " if at in spaces else text[at] for at in kept),
        [starts[at] for at in kept],
        [ends[at] for at in kept],
    )
