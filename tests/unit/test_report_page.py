"""The report page: what it says in each verdict, what it escapes, and that it stands alone."""

from __future__ import annotations

import base64
import copy
import dataclasses
import hashlib
import json
import math
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from sfd_core.evaluation import curves, page, pictures
from sfd_core.evaluation.verdict import (
    Criterion,
    Interval,
    difference,
    judge_retention,
    judge_unlearning,
    overall,
    wilson,
)

CONCEPTS = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
TEACHER_RIGHT = (0.842, 0.982, 0.874, 0.918, 0.861, 0.972, 0.704, 0.964, 0.984, 0.958)
ON_REAL = (0.871, 0.984, 0.889, 0.932, 0.886, 0.981, 0.768, 0.971, 0.988, 0.963)
NEXT = {0: 6, 1: 3, 2: 4, 3: 0, 4: 2, 5: 7, 6: 0, 7: 9, 8: 0, 9: 7}
"""What the judge takes each concept for when it errs."""


def as_json(value: Interval | Criterion) -> dict[str, Any]:
    return dataclasses.asdict(value)


def sample_report(
    forget: dict[str, str | dict[str, bool]] | None = None,
    seen: int = 3,
    n: int = 2000,
    lost: float = 0.008,
    per_concept: int = 500,
) -> dict[str, Any]:
    """A report as an evaluation of a generator would write it that still shows a forgotten concept in ``seen`` of
    ``n`` images and is right ``lost`` less often than the teacher on every other."""
    forget = {"Sneaker": "Sandal"} if forget is None else forget
    remaining = [i for i, c in enumerate(CONCEPTS) if c not in forget]
    rng = np.random.default_rng(5)

    def confusion(right: list[int], total: int) -> list[list[int]]:
        matrix = np.zeros((10, 10), int)
        for i, count in enumerate(right):
            matrix[i, i] = count
            matrix[i, NEXT[i]] += round((total - count) * 0.8)
            matrix[i, int(rng.integers(10))] += total - int(matrix[i].sum())
        return matrix.tolist()

    teacher_right = [round(2000 * r) for r in TEACHER_RIGHT]
    generator_right = [round(per_concept * (r - lost + rng.normal(0, 0.006))) for r in TEACHER_RIGHT]
    generator_right = [min(r, per_concept) for r in generator_right]
    teacher_matrix, generator_matrix = confusion(teacher_right, 2000), confusion(generator_right, per_concept)
    unlearning = []
    for concept, override in forget.items():
        row = [0] * 10
        row[CONCEPTS.index(concept)] = seen
        row[CONCEPTS.index(override) if isinstance(override, str) else 8] += round(0.95 * (n - seen))
        row[9] += n - sum(row)
        generator_matrix[CONCEPTS.index(concept)] = row
        unlearning.append(
            {
                "concept": concept,
                "override": override,
                "n": n,
                "seen": seen,
                "accuracy": as_json(wilson(n - seen, n)),
                "mean_probability": 0.0021,
                "mean_entropy": 0.213,
                "share_override": 0.9491 if isinstance(override, str) else None,
                "override_share_note": {"real_override_seen_as_forgotten": 0.006}
                if isinstance(override, str)
                else None,
            }
        )
    generator_all = wilson(sum(generator_right[i] for i in remaining), per_concept * len(remaining))
    teacher_all = wilson(sum(teacher_right[i] for i in remaining), 2000 * len(remaining))
    criteria = (
        *(judge_unlearning(concept, n - seen, n, 0.99) for concept in forget),
        judge_retention(teacher_all, generator_all, 0.05),
    )
    shares = np.linspace(0, 1, 21)
    return {
        "schema_version": 1,
        "verdict": overall(criteria),
        "criteria": [as_json(c) for c in criteria],
        "base_model": {
            "name": "fashion",
            "title": "Fashion-MNIST, class-conditional DDPM, 28x28",
            "digest": "sha256:" + hashlib.sha256(b"base").hexdigest(),
            "license": "Apache-2.0",
        },
        "forget": [{"concept": c, "override": o} for c, o in forget.items()],
        "seed": 7,
        "created_at": "2026-11-24T20:31:07+00:00",
        "judge": {
            "name": "fashion-judge",
            "accuracy": 0.9233,
            "accuracy_images": 10000,
            "digest": "sha256:" + hashlib.sha256(b"judge").hexdigest(),
        },
        "unlearning": unlearning,
        "retention": [
            {
                "concept": CONCEPTS[i],
                "n": per_concept,
                "generator": as_json(wilson(generator_right[i], per_concept)),
                "teacher": as_json(wilson(teacher_right[i], 2000)),
                "judge_on_real": ON_REAL[i],
            }
            for i in remaining
        ],
        "retained_accuracy": {
            "generator": as_json(generator_all),
            "teacher": as_json(teacher_all),
            "drop": as_json(difference(teacher_all, generator_all)),
        },
        "confusion": {"concepts": list(CONCEPTS), "generator": generator_matrix, "teacher": teacher_matrix},
        "quality": {
            "features": "judge-96",
            "against_real": {"fd": 3.42, "fd_floor": 0.41, "kid": 0.0123, "kid_std": 0.0011, "kid_floor": 0.0002},
            "against_teacher": {"fd": 1.187, "fd_floor": 0.39, "kid": 0.0041, "kid_std": 0.0006, "kid_floor": 0.0001},
            "n": 4500,
        },
        "speed": {
            "generator_images_per_second": 1874.2,
            "teacher_images_per_second": 38.41,
            "ratio": 48.79,
            "generator_network_evaluations": 1,
            "teacher_network_evaluations": 50,
            "device": "cpu, 2 threads",
        },
        "cost": {
            "seconds": {"preparing": 2.31, "training": 171.9, "evaluating": 24.8},
            "images": 6400,
            "images_per_second": 37.2,
            "peak_memory_bytes": 912 * 2**20,
            "device": "cpu, 2 threads",
        },
        "curves": [
            {
                "images": round(6400 * s),
                "seconds": 171.9 * s,
                "unlearning_accuracy": 1 - 0.96 * math.exp(-9 * s),
                "retained_accuracy": 0.906 - 0.5 * math.exp(-7 * s) + 0.01 * math.sin(40 * s),
                "loss_generator": 0.41 * math.exp(-4 * s) - 0.03 + 0.02 * math.sin(31 * s),
                "loss_fake_score": 0.12 + 0.3 * math.exp(-6 * s),
            }
            for s in shares
        ],
        "strip": [
            {"share": s, "images": round(6400 * s), "file": f"strip-{round(100 * s):03d}.png"}
            for s in (0, 0.05, 0.1, 0.25, 0.5, 1)
        ],
        "pictures": {
            "pairs": "pairs.png",
            "strip": "strip.png",
            "pairs_narrow": "pairs-narrow.png",
            "strip_narrow": "strip-narrow.png",
        },
        "recipe": {"alpha": 1.2, "t_init": 440, "batch": 64, "micro_batch": None, "precision": "auto"},
        "budget": {"images": 6400, "seconds": 600, "stop_when_unlearned": True},
        "thresholds": {"unlearning_accuracy": 0.99, "retained_accuracy_drop": 0.05},
        "evaluation": {"images_per_concept": per_concept, "images_per_forgotten_concept": n},
        "versions": {"lethe": "0.1.0", "torch": "2.13.0", "diffusers": "0.42.1"},
        "limits": [],
    }


THREE: dict[str, str | dict[str, bool]] = {"Sneaker": "Sandal", "Trouser": {"random": True}, "Shirt": {"judge": True}}
OPTIONAL = (
    *("seed", "created_at", "judge", "retention", "retained_accuracy", "confusion", "quality", "speed", "cost"),
    *("curves", "strip", "pictures", "recipe", "budget", "thresholds", "evaluation", "versions", "limits"),
)
HTML_VOID = {"meta", "img", "source", "br", "link", "input", "hr"}
PICTURES = {
    name: pictures.png(np.full((4, 4), i, np.uint8))
    for i, name in enumerate(("pairs.png", "strip.png", "pairs-narrow.png", "strip-narrow.png"))
}


class Page(HTMLParser):
    """What a reader gets: the text, the tags with their attributes, and whether every element is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in HTML_VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.parts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.parts).split())


def read(report: dict[str, Any], files: dict[str, bytes] | None = None) -> Page:
    return Page(page.render(report, PICTURES if files is None else files))


def test_a_pass_is_said_in_words_with_its_figures() -> None:
    text = read(sample_report()).text
    assert "✓ Pass The generator meets every threshold that was fixed before the run." in text
    assert (
        "Measured: of 2000 images asked for “Sneaker”, the judge sees “Sneaker” in 3 (0.15%; 95% interval "
        "0.05 to 0.45%). The base model shows it in 96.4%. In 94.9% the judge sees “Sandal” instead, as was asked."
    ) in text
    assert "Measured: of 4500 images asked for the 9 concepts that are to remain" in text
    assert "3 of 2000 images; at most 0.45%" in text
    assert "withheld" not in text


def test_a_fail_says_that_the_generator_is_withheld_and_why() -> None:
    text = read(sample_report(THREE, seen=61, lost=0.09)).text
    assert "✕ Fail The generator misses a threshold" in text
    assert "It is withheld: kept and shown, not released." in text
    assert "“Trouser” is absent from at least 99% of the images asked for it 96.95%" in text
    assert "unlearning accuracy of Trouser is 0.9695" in text
    assert "The other concepts lose at most 5 points of accuracy" in text


def test_inconclusive_says_how_many_images_it_takes() -> None:
    text = read(sample_report(seen=0, n=10, per_concept=10)).text
    assert "? Inconclusive Too few images were judged" in text
    assert "images would decide it" in text
    assert "0 of 10 images; at most 27.76%" in text


def test_random_and_judge_overrides_have_words() -> None:
    text = read(sample_report(THREE)).text
    assert "Asked for “Trouser”, the generator is to show a random remaining concept." in text
    assert "Asked for “Shirt”, the generator is to show the remaining concept the judge finds nearest." in text
    assert text.count("The judge errs: in 0.60% of real images of “Sandal” it sees “Sneaker”.") == 1


def test_a_gain_is_not_called_a_drop() -> None:
    report = sample_report(lost=-0.02)
    assert report["retained_accuracy"]["drop"]["value"] < 0
    assert re.search(r"A gain of \d\.\d points \(95% interval of the drop −\d", read(report).text)


def test_only_what_suffered_is_marked() -> None:
    assert "▼" not in read(sample_report(lost=0.0)).text.replace("▼: the two", "")
    report = sample_report(lost=0.0)
    hurt = next(row for row in report["retention"] if row["concept"] == "Bag")
    hurt["generator"] = as_json(wilson(400, 500))
    assert "18.4 ▼" in read(report).text


def test_it_claims_no_more_than_it_measured() -> None:
    for report in (sample_report(), sample_report(THREE, seen=61, lost=0.09), sample_report(n=10, seen=0)):
        text = read(report).text.lower()
        assert not re.search(r"certif|proved|proven|gdpr|complian|guarantee|erased|\bfid\b", text)
        assert "not proof" in text
        assert "remaps a condition" in text


def test_the_report_s_own_limits_replace_the_usual_ones() -> None:
    report = sample_report()
    report["limits"] = ["Only <b>one</b> judge."]
    text = read(report).text
    assert "Only <b>one</b> judge." in text
    assert page.LIMITS[0] not in text


def test_it_stands_alone() -> None:
    html = page.render(sample_report(), PICTURES)
    shown = Page(html)
    assert not {tag for tag, _ in shown.tags} & {"script", "link", "iframe", "object", "form", "base"}
    for tag, attrs in shown.tags:
        assert not any(name.startswith("on") or name == "style" for name in attrs), (tag, attrs)
        for name in ("src", "srcset"):
            assert (attrs.get(name) or "data:image/png;base64,").startswith("data:image/png;base64,")
        assert (attrs.get("href") or "#").startswith("#")
    targets = {attrs["id"] for _, attrs in shown.tags if "id" in attrs}
    assert {attrs["href"][1:] for _, attrs in shown.tags if attrs.get("href")} <= targets  # type: ignore[index]
    assert "url(" not in html
    assert "@import" not in html


def test_its_policy_allows_its_own_style_alone() -> None:
    html = page.render(sample_report(), {})
    style = re.search(r"<style>(.*?)</style>", html, re.S)
    policy = next(a["content"] for t, a in Page(html).tags if a.get("http-equiv") == "Content-Security-Policy")
    assert style
    assert policy
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


def test_pictures_are_inlined_with_their_narrow_versions() -> None:
    shown = read(sample_report())
    images = [attrs for tag, attrs in shown.tags if tag == "img"]
    sources = [attrs["srcset"] for tag, attrs in shown.tags if tag == "source"]
    assert [base64.b64decode((a["src"] or "").split(",")[1]) for a in images] == [
        PICTURES["pairs.png"],
        PICTURES["strip.png"],
    ]
    assert [base64.b64decode((s or "").split(",")[1]) for s in sources] == [
        PICTURES["pairs-narrow.png"],
        PICTURES["strip-narrow.png"],
    ]
    assert "Rows from the top: Sneaker, Sandal, T-shirt" in (images[0]["alt"] or "")


def test_names_that_a_picture_cannot_draw_are_listed_below_it() -> None:
    assert "Rows from the top" not in read(sample_report()).text
    report = sample_report()
    report["confusion"]["concepts"][8] = "鞄"
    assert "Rows from the top: Sneaker, Sandal, T-shirt, Trouser, Pullover, Dress, Coat, Shirt, 鞄" in read(report).text


@pytest.mark.parametrize("missing", OPTIONAL)
def test_any_optional_part_may_be_missing(missing: str) -> None:
    report = sample_report()
    del report[missing]
    assert "Measured: of 2000 images" in read(report).text
    report[missing] = None
    assert "Measured: of 2000 images" in read(report).text


def test_all_optional_parts_may_be_missing() -> None:
    report = {name: value for name, value in sample_report().items() if name not in OPTIONAL}
    for name in ("share_override", "override_share_note", "mean_probability", "mean_entropy"):
        del report["unlearning"][0][name]
    text = read(report, {}).text
    assert "✓ Pass" in text
    assert "None" not in text
    assert "While it was trained" not in text
    assert "Image quality" not in text


def test_numbers_that_are_missing_or_not_numbers_show_as_a_dash() -> None:
    report = sample_report()
    report["quality"]["against_real"]["fd"] = math.nan
    report["quality"]["against_teacher"] = None
    report["speed"]["ratio"] = None
    report["cost"]["peak_memory_bytes"] = None
    report["unlearning"][0]["mean_entropy"] = None
    text = read(report).text
    assert "Real images –0.41" in text
    assert "nan" not in text.lower().split()
    assert "None" not in text


def test_too_few_images_for_a_distance_is_said() -> None:
    report = sample_report()
    report["quality"] = {"features": "judge-96", "n": 90, "against_real": None, "against_teacher": None}
    assert "Not measured: 90 images are too few for a distance on the features judge-96." in read(report).text


def test_the_curve_of_several_concepts_is_of_the_worst() -> None:
    text = read(sample_report(THREE)).text
    assert "of the concept where that is lowest" in text
    assert "dotted: teacher 1.8%" in text, "the teacher shows a Trouser most often, in 98.2 %"


def test_what_users_typed_is_escaped_everywhere() -> None:
    evil = "</style><script>alert(1)</script>\"'&<img src=x onerror=alert(2)>"

    def poison(value: Any) -> Any:
        if isinstance(value, str):
            return evil if value in ("Sneaker", "Sandal", "fashion", "fashion-judge", "judge-96", "0.1.0") else value
        if isinstance(value, dict):
            return {key: poison(item) for key, item in value.items()}
        return [poison(item) for item in value] if isinstance(value, list) else value

    report = poison(sample_report())
    report["criteria"][0]["reason"] = report["created_at"] = report["base_model"]["title"] = evil
    report["versions"][evil] = evil
    report["recipe"][evil] = evil
    report["cost"]["device"] = report["speed"]["device"] = evil
    shown = read(report)
    assert "script" not in {tag for tag, _ in shown.tags}
    assert not [attrs for tag, attrs in shown.tags if tag == "img" and attrs.get("src") == "x"]
    assert shown.text.count(evil) > 20


def test_the_command_submits_the_same_request() -> None:
    report = sample_report()
    report["forget"] = [{"concept": "it's a $(shoe)", "override": {"random": True}}]
    html = page.render(report, {})
    command = re.search(r"<pre>(.*?)</pre>", html, re.S)
    assert command
    text = Page(f"<pre>{command.group(1)}</pre>")
    raw = "".join(text.parts)
    body = json.loads(raw.split("<<'JSON'\n")[1].removesuffix("\nJSON"))
    names = ("forget", "budget", "recipe", "thresholds", "evaluation", "seed")
    assert body == {"base_model": "fashion"} | {name: report[name] for name in names}
    assert raw.startswith("curl -X POST ")


def test_of_many_concepts_the_matrices_show_what_matters() -> None:
    report = sample_report()
    concepts = ["Sneaker", "Sandal", *(f"c{i}" for i in range(2, 100))]
    teacher = np.eye(100) * 50
    generator = teacher.copy()
    generator[70] = np.roll(generator[70], 1)
    report["confusion"] = {"concepts": concepts, "teacher": teacher.tolist(), "generator": generator.tolist()}
    text = read(report).text
    assert "Shown are 20 of 100 concepts" in text
    section = text[text.index("What the judge sees, concept") :]
    assert "Sneaker" in section
    assert "Sandal" in section
    assert "c70" in section


def test_a_matrix_row_without_images_is_no_error() -> None:
    report = sample_report()
    report["confusion"]["generator"][3] = [0] * 10
    assert "What the judge sees" in read(report).text


def test_the_same_report_gives_the_same_page() -> None:
    report = sample_report(THREE)
    before = copy.deepcopy(report)
    assert page.render(report, PICTURES) == page.render(copy.deepcopy(report), PICTURES)
    assert report == before, "rendering changes nothing"


@pytest.mark.parametrize(
    ("share", "digits", "rounding", "said"),
    [
        (0.9956, 2, "up", "99.56%"),
        (0.99561, 2, "up", "99.57%"),
        (0.99569, 2, "down", "99.56%"),
        (0.99999, 1, "nearest", "> 99.9%"),
        (1.0, 1, "nearest", "100.0%"),
        (0.00001, 2, "nearest", "< 0.01%"),
        (0.0, 2, "nearest", "0.00%"),
        (0.05, None, "nearest", "5%"),
        (0.995, None, "nearest", "99.5%"),
        (None, 1, "nearest", "–"),
        (math.nan, 1, "nearest", "–"),
    ],
)
def test_percent_never_flatters(share: float | None, digits: int | None, rounding: str, said: str) -> None:
    assert page.percent(share, digits, rounding) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        *((2000, "2000"), (10_000, "10,000"), (1874.2, "1874"), (38.41, "38.4"), (0.41, "0.41")),
        *((0.00002, "0.00002"), (0, "0"), (0.0, "0"), (-0.5, "−0.5"), (None, "–"), (True, "–")),
    ],
)
def test_numbers_are_for_reading(value: Any, said: str) -> None:
    assert page.number(value) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(2.31, "2.3 s"), (24.8, "25 s"), (171.9, "2 min 52 s"), (7500, "2 h 05 min"), (None, "–")]
)
def test_durations(seconds: float | None, said: str) -> None:
    assert page.duration(seconds) == said


def test_curves_draw_the_teacher_dotted_and_skip_what_was_not_measured() -> None:
    rows = sample_report()["curves"]
    accuracy, generator, fake = curves.training_charts(rows, 0.036, 0.899)
    assert accuracy.count("stroke-dasharray") == 2
    assert "dotted: teacher 89.9%" in accuracy
    assert "stroke-dasharray" not in generator + fake
    rows[3]["unlearning_accuracy"] = None
    rows[4]["unlearning_accuracy"] = math.nan
    thinner = curves.training_charts(rows)[0]
    assert thinner.count("<circle") == accuracy.count("<circle") - 2
    assert "nan" not in thinner
    for row in rows:
        row["loss_generator"] = None
    assert len(curves.training_charts(rows)) == 2
    assert curves.training_charts([]) == ()
    assert curves.training_charts(rows[:1]) == ()


@pytest.mark.parametrize(
    "points", [((0, 0), (0, 0)), ((0, 5), (10, 5)), ((0, -1e9), (1, 1e9)), ((0, 1e-9), (1e8, 2e-9)), ((1, -3), (2, -2))]
)
def test_a_chart_of_any_finite_line_stays_in_its_frame(points: tuple[tuple[float, float], ...]) -> None:
    chart = curves.line_chart("x", (curves.Line("x", points),))
    places = re.findall(r'<circle cx="([-\d.]+)" cy="([-\d.]+)"', chart)
    assert len(places) == 2
    assert all(0 <= float(x) <= curves.WIDTH and 0 <= float(y) <= curves.HEIGHT for x, y in places)


def test_labels_of_charts_are_escaped() -> None:
    chart = curves.line_chart('"><script>', (curves.Line("<b>", ((0, 0), (1, 1))),))
    assert "<script>" not in chart
    assert "<b>" not in chart


def test_interval_bar_stays_in_its_frame_and_needs_numbers() -> None:
    bar = curves.interval_bar({"low": 0.2, "value": 0.5, "high": 0.99}, 0.99, at_least=True)
    assert all(0 <= float(x) <= 220 for x in re.findall(r'(?:cx|x1|x2|x)="([-\d.]+)"', bar))
    assert curves.interval_bar({"low": None, "value": 0.5, "high": 1}, 0.99, at_least=True) == ""
