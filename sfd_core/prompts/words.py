"""Words in prompts: is one there, put another in its place, take it out.

A word is found in any case, in singular and plural, with word boundaries ("gun" is in "two Guns" and "gun's", not in
"gunmetal"); the parts of "brad pitt" may be held together by any white space, a hyphen or an underscore. What else
makes no difference, such as accents and the dots of initials, ``sfd_core.base_model.folding`` says. Plurals are
English.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache

from sfd_core.base_model.folding import fold, folded
from sfd_core.base_model.inflection import article, forms_of, plural, plurals
from sfd_core.prompts.effort import Effort

MADE = 40
"""What it takes to make ready for a character of a word, in comparisons."""
FEW = 4
"""Forms that one prompt may have, tokens that they may have in common with it and rounds of taking them out that are
not counted: a list of ordinary prompts may be as long as it likes."""
_BETWEEN = r"[\s_\-]+"
# Letters and digits: an underscore parts words.
_TOKEN = re.compile(r"[^\W_]+")
# Written without spaces: a word has no boundary there that could be looked for.
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)
_DETERMINERS = "a|an|the|this|that|these|those|some|any|my|your|his|her|its|our|their"
_DANGLING = "a|an|the|and|or|of|with|without|by|in|on|at|for|to|from|as|like|under|over|near|beside|behind"
_ARTICLE = re.compile(r"(an?|the)\s+", re.IGNORECASE)
_PUNCTUATION = ",.;:!?"
_AT_THE_END = re.compile(rf"(?:^|\s)(?:{_DANGLING})(?=[\s{_PUNCTUATION}]*$)", re.IGNORECASE)


def mentions(prompt: str, words: Collection[str]) -> bool:
    """Return whether any of ``words`` is in ``prompt``."""
    return _kept(tuple(words)).are_in(prompt)


def replaced(prompt: str, words: Collection[str], by: str) -> str:
    """Replace words, as :meth:`Words.replaced` does."""
    return _kept(tuple(words)).replaced(prompt, by)


def removed(prompt: str, words: Collection[str]) -> str:
    """Remove words, as :meth:`Words.removed` does."""
    return _kept(tuple(words)).removed(prompt)


class _Node:
    """A place in a tree of forms: those whose tokens lead here, and what leads on, by the token after."""

    __slots__ = ("after", "forms")

    def __init__(self) -> None:
        self.forms: list[str] = []
        self.after: dict[str, _Node] = {}


class Words:
    """Some words, to be looked for in many prompts. One with neither a letter nor a digit is in none.

    Forms are found by the tokens that they are made of; only those whose tokens a prompt has one after the other are
    looked for in it, so that a thousand words take hardly longer than ten. ``effort``: what that may take, of whoever
    has the words and the prompts of a stranger.
    """

    def __init__(self, words: Collection[str], effort: Effort | None = None) -> None:
        self._effort = effort
        self._patterns: dict[tuple[str, ...], re.Pattern[str]] = {}
        self._spend(MADE * sum(map(len, words)))
        self._plurals: set[str] = set()
        self._tree = _Node()
        self._unspaced: list[str] = []
        forms: dict[str, None] = {}
        for spelling in dict.fromkeys(spelling for word in words for spelling in _spellings(word)):
            self._plurals.update(map(_compared, plurals(spelling)))
            forms |= dict.fromkeys(map(_compared, sorted(forms_of(spelling))))
        for form in forms:
            tokens = _TOKEN.findall(form)
            if not tokens:
                continue
            if any(map(_UNSPACED.search, tokens)):
                self._unspaced.append(form)
            else:
                node = self._tree
                for token in tokens:
                    node = node.after.setdefault(token, _Node())
                node.forms.append(form)

    def are_in(self, prompt: str) -> bool:
        """Return whether any of them is in ``prompt``."""
        text = fold(_composed(prompt))
        pattern = self._pattern(text)
        return pattern is not None and pattern.search(text) is not None

    def replaced(self, prompt: str, by: str) -> str:
        """Return ``prompt`` with ``by`` in the place of each of them: in the plural where they were, and with the
        article that it takes. An article of its own ("a middle aged man") gives way to one that is there."""
        text = _composed(prompt)
        compared = folded(text)
        if (pattern := self._pattern(compared.text)) is None:
            return text
        own_article = _ARTICLE.match(by)
        pieces: list[str] = []
        end = 0
        for match in pattern.finditer(compared.text):
            start, after = compared.place(match)
            before, put = text[end:start], by
            if _one_space(match[0]) in self._plurals and not own_article:
                put = plural(by)
            if (there := re.search(r"(?<!\w)(an?|the)(\s+)$", before, re.IGNORECASE)) is not None:
                put = put[own_article.end() :] if own_article else put
                if there[1].casefold() != "the":
                    before = before[: there.start()] + _cased_as(there[1], article(put)) + there[2]
            pieces += (before, put)
            end = after
        return "".join((*pieces, text[end:]))

    def removed(self, prompt: str) -> str:
        """Return ``prompt`` without them, and without what they leave behind: their article, a preposition that leads
        nowhere, an empty place between two commas. May be empty."""
        text = _composed(prompt)
        # Taking a word out may bring together what makes another: "new new york york".
        rounds = 0
        while (pattern := self._pattern((compared := folded(text)).text)) and pattern.search(compared.text):
            whole = rf"(?:(?<!\w)(?:{_DETERMINERS})\s+)?{pattern.pattern}(?:'s?(?!\w))?"
            pieces: list[str] = []
            end = 0
            for match in re.finditer(whole, compared.text):
                start, after = compared.place(match)
                pieces.append(text[end:start])
                end = after
            text = _tidied(" ".join((*pieces, text[end:])))
            rounds += 1
            self._spend(MADE * len(text) * (rounds > FEW))
        return text

    def _pattern(self, text: str) -> re.Pattern[str] | None:
        """A pattern of the forms that may be in the folded ``text``, the longest first; None where there are none."""
        forms = {*self._of_tokens(_TOKEN.findall(text)), *self._unspaced_in(text)}
        self._spend(len(text) * max(0, len(forms) - FEW) + len(self._unspaced))
        if not forms:
            return None
        longest_first = tuple(sorted(forms, key=lambda form: (-len(form), form)))
        if (known := self._patterns.get(longest_first)) is None:
            self._spend(MADE * sum(map(len, longest_first)))
            known = re.compile(f"(?:{'|'.join(map(_bounded, longest_first))})")
            self._patterns[longest_first] = known
        return known

    def _spend(self, characters: int) -> None:
        if self._effort is not None:
            self._effort.spend(characters)

    def _of_tokens(self, tokens: Sequence[str]) -> Iterator[str]:
        """The forms whose tokens are among ``tokens``, one after the other."""
        for start, token in enumerate(tokens):
            node, at = self._tree.after.get(token), start
            while node is not None:
                yield from node.forms
                at += 1
                node = node.after.get(tokens[at]) if at < len(tokens) else None
            self._spend(max(0, at - start - FEW))

    def _unspaced_in(self, text: str) -> Iterator[str]:
        return (form for form in self._unspaced if form.split(" ")[0] in text)


@lru_cache(maxsize=64)
def _kept(words: tuple[str, ...]) -> Words:
    """:class:`Words`, kept for the next prompt."""
    return Words(words)


def _tidied(text: str) -> str:
    parts = []
    for part in text.split(","):
        part = " ".join(part.split())
        while (shorter := _AT_THE_END.sub("", part)) != part:
            part = shorter.strip()
        if part.strip(_PUNCTUATION + " "):
            parts.append(re.sub(rf"\s+(?=[{_PUNCTUATION}])", "", part))
    return ", ".join(parts)


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _compared(form: str) -> str:
    """``form`` as it stands in a folded prompt, where a dot at its end is no part of it ("Robert Downey Jr.")."""
    compared = _one_space(fold(form))
    return compared.rstrip(".") or compared


def _spellings(word: str) -> Iterator[str]:
    """``word`` as it is written and as it compares, which English plurals are made of, and its initials apart and
    together: a prompt has "J M W Turner" or "JMW Turner"."""
    word = _composed(word)
    apart = re.sub(r"(?<!\w)([A-Z]{2,4})(?=\s)", lambda letters: " ".join(letters[0]), word)
    apart = re.sub(r"(?<!\w)([^\W\d_])\.\s*(?=[^\W\d_])", r"\1 ", apart)
    together = re.sub(r"(?<!\w)([^\W\d_])\s(?=[^\W\d_](?!\w))", r"\1", word)
    yield from map(_one_space, (word, fold(word), apart, together))


def _one_space(text: str) -> str:
    """``text`` with one space between its parts."""
    return " ".join(part for part in re.split(_BETWEEN, text) if part)


def _cased_as(old: str, new: str) -> str:
    return new.capitalize() if old[0].isupper() else new


@lru_cache(maxsize=4096)
def _bounded(form: str) -> str:
    """A pattern of one form between word boundaries. An underscore is no part of a word."""
    start = "" if _UNSPACED.match(form[0]) else r"(?<![^\W_])"
    end = "" if _UNSPACED.match(form[-1]) else r"(?![^\W_])"
    return f"{start}{_BETWEEN.join(map(re.escape, form.split(' ')))}{end}"
