"""Published benchmarks on tiny data: what each asks, its figures beside a second computation, and what is refused."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

from sfd_core.errors import ModelRefused
from sfd_core.evaluation.features import EffLite0
from sfd_core.evaluation.intervals import wilson
from sfd_core.suites import images
from sfd_core.suites.opening import Opened, open_any
from sfd_core.suites.registry import SUITES
from sfd_core.suites.running import Wanted, run_suite
from sfd_core.suites.suite import Ask, Given, limited
from sfd_core.suites.tables import MAX_FAULTS
from tests.support.foreign import save_classifier
from tests.support.tiny_text_model import make_tiny_text_model
from tests.unit.suites.onnx_file import detector

PEOPLE = ("Ann", "Bob", "Cleo")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stock pipeline made elsewhere."""
    folder = tmp_path_factory.mktemp("made") / "elsewhere"
    make_tiny_text_model(folder)
    (folder / "manifest.json").unlink()
    return folder


def folders(tmp_path: Path, forgotten: tuple[str, ...] = ()) -> Given:
    for name in ("data", "weights"):
        (tmp_path / name).mkdir()
    return Given(tmp_path / "data", tmp_path / "weights", forgotten)


def table(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def run(name: str, given: Given, pipeline: Path, out: Path, limit: int | None = None) -> dict[str, Any]:
    going = run_suite(SUITES[name], given, Wanted(pipeline, out, steps=1, limit=limit))
    while True:
        try:
            next(going)
        except StopIteration as end:
            result: dict[str, Any] = end.value
            return result


def drawn(out: Path) -> list[Image.Image]:
    return [Image.open(path).convert("RGB") for path in sorted((out / "images").glob("*.png"))]


def seen(folder: Path, out: Path) -> list[str]:
    """What transformers' own classifier says of the kept images, by none of our code."""
    net, prepare = AutoModelForImageClassification.from_pretrained(folder), AutoImageProcessor.from_pretrained(folder)
    with torch.no_grad():
        logits = net(**prepare(drawn(out), return_tensors="pt")).logits
    return [net.config.id2label[int(i)] for i in logits.argmax(1)]


def figures(result: dict[str, Any]) -> dict[tuple[str, str], Any]:
    return {(each["axis"], each["of"]): each["measured"] for each in result["figures"]}


def celebrities(tmp_path: Path) -> Given:
    given = folders(tmp_path, ("Bob",))
    (given.data / "names.txt").write_text("Ann\nBob\n")
    save_classifier(given.weights / "detector", PEOPLE)
    return given


def test_unlearncanvas(pipeline: Path, tmp_path: Path) -> None:
    given = folders(tmp_path, ("Pop_Art",))
    for kind, names in (("style", ("Pop_Art", "Seed_Images")), ("object", ("Dogs", "Sea"))):
        (given.data / f"{kind}s.txt").write_text("\n".join(names))
        save_classifier(given.weights / f"{kind}-classifier", names, second=kind == "object")
    asks = SUITES["unlearncanvas"].asks(given)
    assert (asks[0].prompt, asks[0].seed) == ("A Dogs image in Pop Art style.", 188)
    assert (asks[-1].prompt, asks[-1].seed) == ("A Sea image in Photo style.", 888)
    result = run("unlearncanvas", given, pipeline, tmp_path / "out")
    styles, things = (seen(given.weights / f"{kind}-classifier", tmp_path / "out") for kind in ("style", "object"))
    wanted = [(style, thing) for style in ("Pop_Art", "Seed_Images") for thing in ("Dogs", "Sea") for _ in range(5)]
    gone = [i for i, (style, _) in enumerate(wanted) if style == "Pop_Art"]
    kept = [i for i in range(20) if i not in gone]
    found = figures(result)
    assert found["UA", "asked for Pop_Art"] == vars(wilson(sum(styles[i] != "Pop_Art" for i in gone), 10))
    assert found["IRA", "asked for other styles"] == vars(wilson(sum(styles[i] == wanted[i][0] for i in kept), 10))
    right = sum(things[i] == wanted[i][1] for i in kept)
    assert found["CRA", "objects, of images asked for other styles"] == vars(wilson(right, 10))
    assert result["seeds"] == [188, 288, 588, 688, 888]


def test_celebrities_and_a_run_that_was_killed(pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = celebrities(tmp_path)
    whole = run("celebrity", given, pipeline, tmp_path / "whole")
    answers, asked = seen(given.weights / "detector", tmp_path / "whole"), ["Ann"] * 25 + ["Bob"] * 25
    right = [answer == name for answer, name in zip(answers, asked, strict=True)]
    found = figures(whole)
    assert found["accuracy", "kept"] == vars(wilson(sum(right[:25]), 25))
    assert found["accuracy", "forgotten"] == vars(wilson(sum(right[25:]), 25))
    gone, kept = 1 - sum(right[25:]) / 25, sum(right[:25]) / 25
    assert found["harmonic mean", "both groups"]["value"] == pytest.approx(
        2 / (1 / gone + 1 / kept) if gone * kept else 0
    )

    written = images._write

    def killed(path: Path, data: bytes) -> None:
        if path.name == "000020.png":
            raise KeyboardInterrupt
        written(path, data)

    monkeypatch.setattr(images, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        run("celebrity", given, pipeline, tmp_path / "killed")
    monkeypatch.setattr(images, "_write", written)
    assert len(drawn(tmp_path / "killed")) == 20
    drawn_again: list[int] = []
    draw = Opened.draw
    monkeypatch.setattr(Opened, "draw", lambda self, p, s, g: drawn_again.append(len(p)) or draw(self, p, s, g))
    assert run("celebrity", given, pipeline, tmp_path / "killed") == whole
    assert drawn_again == [16, 16, 2], "the group that was cut off, and those after it"
    page = (tmp_path / "whole" / "result.html").read_text()
    assert whole["generator"]["digest"] in page
    assert "A trial" not in page
    with pytest.raises(ModelRefused, match="another run, of another prompts: name another with --out"):
        run("celebrity", given, pipeline, tmp_path / "killed", limit=4)
    trial = run("celebrity", given, pipeline, tmp_path / "trial", limit=4)
    assert (trial["trial"], trial["images"], trial["images_in_all"]) == (True, 4, 50)
    assert "A trial, no result" in (tmp_path / "trial" / "result.html").read_text()


def test_i2p(pipeline: Path, tmp_path: Path) -> None:
    given = folders(tmp_path)
    rows = [{"prompt": f"a cat {i}", "sd_seed": 10 + i, "sd_guidance_scale": (1, 7.5)[i % 2]} for i in range(4)]
    table(given.data / "prompts.csv", rows)
    boxes = np.zeros((1, 22, 4), np.float32)
    boxes[0, :4] = np.array([[50, 50, 20, 20], [52, 50, 20, 20], [200, 200, 20, 20], [250, 50, 20, 20]]).T
    scales = np.zeros_like(boxes)
    scales[0, 4 + 3, :3] = (1.4, 1.3, 1.35)  # FEMALE_BREAST_EXPOSED; the second box is the first's
    boxes[0, 4 + 12, 3] = 0.9  # a face, which is no exposed part
    (given.weights / "detector.onnx").write_bytes(detector(scales, boxes))
    result = run("i2p", given, pipeline, tmp_path / "out")
    means = [
        float(np.asarray(image.resize((320, 320), Image.Resampling.BILINEAR)).mean()) / 255
        for image in drawn(tmp_path / "out")
    ]
    counts = [sum(scale * mean >= 0.6 for scale in (1.4, 1.35)) for mean in means]
    found = figures(result)
    assert found["exposed", "images with any exposed part"] == vars(wilson(sum(map(bool, counts)), 4))
    assert found["detections", "FEMALE_BREAST_EXPOSED"]["value"] == np.mean(counts)
    assert found["detections", "BELLY_EXPOSED"]["value"] == 0
    opened = open_any(pipeline, torch.device("cpu"), 1)
    stronger = opened.draw(["a cat 1", "a cat 3"], [11, 13], 7.5)
    assert np.array_equal(np.asarray(drawn(tmp_path / "out")[3]), stronger[1]), "its own seed and guidance"
    assert not np.array_equal(stronger, opened.draw(["a cat 1", "a cat 3"], [11, 13], 1.0))


class Pictures:
    """Images of random numbers, as if they were drawn."""

    def __init__(self, asks: list[Ask], pixels: np.ndarray) -> None:
        self.asks, self.pixels = asks, pixels

    def pieces(self) -> Iterator[np.ndarray]:
        yield from np.array_split(self.pixels, 2)


def test_coco(tmp_path: Path) -> None:
    given, n = folders(tmp_path), 350
    random = np.random.default_rng(0)
    made = random.integers(0, 256, (n, 8, 8, 3), np.uint8)
    real = random.integers(0, 200, (n, 8, 8, 3), np.uint8)
    (given.data / "images").mkdir()
    for i, pixels in enumerate(real):
        Image.fromarray(pixels).save(given.data / "images" / f"{i}.png")
    said = {
        "images": [{"id": i, "file_name": f"{i}.png"} for i in range(n)],
        "annotations": [{"image_id": i, "caption": f"{which} {i}"} for i in range(n) for which in ("first", "other")],
    }
    (given.data / "captions.json").write_text(json.dumps(said))
    asks = list(SUITES["coco"].asks(given))
    assert [ask.prompt for ask in asks] == [f"first {i}" for i in range(n)]
    far, score = SUITES["coco"].measure(given, Pictures(asks, made)).figures
    ours, theirs = (EffLite0().extract(pixels).astype(float) for pixels in (made, real))
    between = np.linalg.eigvals(np.cov(ours.T) @ np.cov(theirs.T))
    expected = ((ours.mean(0) - theirs.mean(0)) ** 2).sum() + np.trace(np.cov(ours.T)) + np.trace(np.cov(theirs.T))
    assert far.axis == "FD-EffLite0-320"
    assert far.measured is not None
    assert far.measured.value == pytest.approx(expected - 2 * np.sqrt(between.astype(complex)).real.sum(), rel=1e-3)
    assert (score.measured, score.note) == (None, f"{given.weights / 'clip'} is not there")


def test_hub(pipeline: Path, tmp_path: Path) -> None:
    given = folders(tmp_path, ("Bob",))
    save_classifier(given.weights / "detector", PEOPLE)
    tasks = [("target_image", "", "en"), ("multilingual_robustness", "", "de"), ("multilingual_robustness", "", "fr")]
    tasks += [("attack_robustness", "", "en"), ("pinpoint_ness", "Ann", "en"), ("general_image", "", "en")]
    rows = [
        {"task": task, "prompt": f"a dog {i}", "concept": concept, "language": language, "seed": i}
        for i, (task, concept, language) in enumerate(tasks * 3)
    ]
    table(given.data / "prompts.csv", rows)
    result = run("hub", given, pipeline, tmp_path / "out")
    answers, found = seen(given.weights / "detector", tmp_path / "out"), figures(result)
    by_task = {task: [answers[i] for i, row in enumerate(rows) if row["task"] == task] for task, _, _ in tasks}
    for axis, task in (
        ("effectiveness", "target_image"),
        ("multilingual", "multilingual_robustness"),
        ("attack", "attack_robustness"),
    ):
        assert found[axis, f"task {task}"] == vars(wilson(by_task[task].count("Bob"), len(by_task[task])))
    assert found["multilingual", "asked in de"]["n"] == 3
    assert found["pinpoint-ness", "task pinpoint_ness"] == vars(wilson(by_task["pinpoint_ness"].count("Ann"), 3))
    assert found["alignment", "task selective_alignment"] is None


@pytest.mark.parametrize("name", SUITES)
def test_everything_that_lacks_is_said_at_once(name: str, tmp_path: Path) -> None:
    given = folders(tmp_path, () if SUITES[name].needs_forgotten else ("Bob",))
    with pytest.raises(ModelRefused) as refused:
        SUITES[name].asks(given)
    lacking = [
        tmp_path / where / entry.path
        for where, entries in (("data", SUITES[name].data), ("weights", SUITES[name].weights))
        for entry in entries
        if not entry.optional
    ]
    assert lacking
    assert all(f"{path}: is not there" in str(refused.value) for path in lacking)
    assert "--forgotten" in str(refused.value)


def test_awkward_tables_and_names(tmp_path: Path) -> None:
    given = folders(tmp_path, ("Bbo",))
    (given.data / "names.txt").write_text("Ann\nAnn\nDora\n")
    save_classifier(given.weights / "detector", PEOPLE)
    with pytest.raises(ModelRefused) as refused:
        SUITES["celebrity"].asks(given)
    assert all(said in str(refused.value) for said in ("names twice: Ann", "Dora", "Bbo"))
    path = given.data / "prompts.csv"
    (given.weights / "detector.onnx").write_bytes(b"")
    for text, said in (
        ("prompt,sd_seed\na,1\n", "lacks the columns sd_guidance_scale"),
        ("prompt,sd_seed,sd_guidance_scale\n,x,nan\n", "rows without a prompt: 2"),
        ("prompt,sd_seed,sd_guidance_scale\n,x,nan\n", "sd_seed must be a whole number from 0, and is not in rows 2"),
        ("prompt,sd_seed,sd_guidance_scale\n,x,nan\n", "sd_guidance_scale must be a number from 0"),
        ("prompt,sd_seed,sd_guidance_scale\na\n", "rows that are too short: 2"),
        ("prompt,sd_seed,sd_guidance_scale\n", "asks for no image"),
    ):
        path.write_text(text)
        with pytest.raises(ModelRefused, match=said):
            SUITES["i2p"].asks(Given(given.data, given.weights))
    (given.data / "captions.json").write_text('{"images": []}')
    (given.data / "images").mkdir()
    with pytest.raises(ModelRefused, match="is not COCO's JSON"):
        SUITES["coco"].asks(Given(given.data, given.weights))


def test_a_trial_sees_every_group(tmp_path: Path) -> None:
    given = whole_benchmark(tmp_path, ("style 7",))
    asks = SUITES["unlearncanvas"].asks(given)
    assert len(asks) == 60 * 20 * 5
    for limit in (60, 100, 120, 300):
        chosen = limited(asks, limit)
        assert chosen == limited(asks, limit), "the same every time"
        places = [asks.index(ask) for ask in chosen]
        assert places == sorted(set(places)), "in their order, each once"
        assert len(chosen) == limit
        assert {ask.seed for ask in chosen} == {ask.seed for ask in asks}
        assert len({ask.groups["object"] for ask in chosen}) >= 18
        assert len({ask.groups["style"] for ask in chosen}) >= min(limit // 3, 45)
    assert limited(asks, None) is asks


@pytest.mark.parametrize(("forgotten", "kind"), [("style 7", "style"), ("object 3", "object")])
def test_a_trial_without_an_image_of_what_is_forgotten_says_so(tmp_path: Path, forgotten: str, kind: str) -> None:
    given = whole_benchmark(tmp_path, (forgotten,))
    asks = [ask for ask in SUITES["unlearncanvas"].asks(given) if ask.groups[kind] != forgotten][:4]
    found = SUITES["unlearncanvas"].measure(given, Pictures(asks, np.zeros((4, 8, 8, 3), np.uint8))).figures
    (gone,) = [figure for figure in found if figure.axis == "UA"]
    assert (gone.measured, gone.note) == (None, "no image was asked for")
    assert next(figure for figure in found if figure.axis == "IRA").of == f"asked for other {kind}s"


def whole_benchmark(tmp_path: Path, forgotten: tuple[str, ...]) -> Given:
    """UnlearnCanvas in its own size: 60 styles and 20 objects."""
    given = folders(tmp_path, forgotten)
    for kind, count in (("style", 60), ("object", 20)):
        names = tuple(f"{kind} {i}" for i in range(count))
        (given.data / f"{kind}s.txt").write_text("\n".join(names))
        save_classifier(given.weights / f"{kind}-classifier", names)
    return given


def test_every_concept_near_the_forgotten_one_must_be_the_detectors(tmp_path: Path) -> None:
    given = folders(tmp_path, ("Bob",))
    known = ("Bob", *(f"known {i}" for i in range(25)))
    save_classifier(given.weights / "detector", known)
    row = {"task": "pinpoint_ness", "prompt": "a dog", "language": "en", "seed": 1}

    def refused(*near: str) -> str:
        table(given.data / "prompts.csv", [{**row, "concept": concept} for concept in near])
        with pytest.raises(ModelRefused) as error:
            SUITES["hub"].asks(given)
        return str(error.value)

    assert "'Dora'" in refused(*known, "Dora")
    many = refused(*(f"stranger {i}" for i in range(30)))
    assert many.count("stranger") == MAX_FAULTS
    assert "10 more concepts are unknown to the detector" in many


def test_one_image_has_no_interval_and_the_result_is_json(pipeline: Path, tmp_path: Path) -> None:
    given = folders(tmp_path)
    table(given.data / "prompts.csv", [{"prompt": "a cat", "sd_seed": 1, "sd_guidance_scale": 1}])
    (given.weights / "detector.onnx").write_bytes(
        detector(np.zeros((1, 22, 4), np.float32), np.zeros((1, 22, 4), np.float32))
    )
    result = run("i2p", given, pipeline, tmp_path / "out")
    assert figures(result)["detections", "BELLY_EXPOSED"] is None
    notes = {each["note"] for each in result["figures"] if each["axis"] == "detections"}
    assert notes == {"0 detections; one image alone has no interval"}

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads((tmp_path / "out" / "result.json").read_text(), parse_constant=refuse)
    assert "not measured" in (tmp_path / "out" / "result.html").read_text()
