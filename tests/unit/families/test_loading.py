"""Base models that are refused: clearly, before anything large is read, and with nothing executed."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from sfd_core.base_model.manifest import digest_of, file_sha256
from sfd_core.base_model.safe_files import load_unet
from sfd_core.errors import ModelRefused
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.families.loading import load_base
from sfd_core.families.registry import load_manifest, registered
from tests.support.tiny_model import make_tiny_model

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_tiny_model(tmp_path / "tiny")
    return tmp_path / "tiny"


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def restate_digests(folder: Path) -> None:
    """The owner of a hostile folder also writes its manifest."""
    change_manifest(folder, lambda m: m.update(files={n: file_sha256(folder / n) for n in m["files"]}))


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object], file: str = WEIGHTS) -> None:
    weights = load_file(folder / file)
    change(weights)
    save_file(weights, folder / file)
    restate_digests(folder)


def test_the_untouched_model_loads(folder: Path) -> None:
    base = load_base(load_manifest(folder))
    assert base.schedule.steps == 1000
    assert ImageJudge.load(base.model).judge.__name__ == "judge"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: m.pop("concepts"), "concepts is missing"),
        (lambda m: m.update(schema_version=2), "schema_version is 2"),
        (lambda m: m.update(family="gan"), "unknown family 'gan'; known: class_unet"),
        (lambda m: m.update(concepts=["a"]), "concepts must be 2 to"),
        (lambda m: m.update(concepts=["a", "a", "b", "c"]), "same name twice"),
        (lambda m: m["files"].update({"../x": "0"}), "lies outside the folder"),
        (lambda m: m["files"].update({"/etc/passwd": "0"}), "lies outside the folder"),
        (lambda m: m["image"].update(patch=3), "does not divide"),
        (lambda m: m["image"].update(height=0), "image.height must be from 1"),
        (lambda m: m["image"].update(width=True), "image.width must be a int"),
        (lambda m: m["judge"].update(by_concept=[0.5]), "has 1 entries for 4 concepts"),
        (lambda m: m.update(name=3), "name must be a str"),
    ],
)
def test_manifests_that_are_wrong(folder: Path, change: Callable[[dict[str, Any]], object], says: str) -> None:
    change_manifest(folder, change)
    with pytest.raises(ModelRefused, match=says):
        load_manifest(folder)


@pytest.mark.parametrize("content", ["", "[]", "{", "\ud800".encode("utf-8", "surrogatepass")])
def test_a_manifest_that_is_no_json_object(folder: Path, content: str | bytes) -> None:
    (folder / "manifest.json").write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ModelRefused, match=r"manifest\.json"):
        load_manifest(folder)


def test_a_byte_that_differs_from_the_manifest(folder: Path) -> None:
    with (folder / "judge/config.json").open("a") as file:
        file.write(" ")
    with pytest.raises(ModelRefused, match=r"judge/config\.json: sha256 is"):
        load_base(load_manifest(folder))


def test_a_missing_file(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    with pytest.raises(ModelRefused, match=r"named in manifest\.json but missing"):
        load_base(load_manifest(folder))


def test_a_link_that_leaves_the_folder(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes((folder / WEIGHTS).read_bytes())
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).symlink_to(outside)
    with pytest.raises(ModelRefused, match="a link that leaves"):
        load_base(load_manifest(folder))


@pytest.mark.parametrize(
    "name", ["unet/diffusion_pytorch_model.safetensors.index.json", "judge/adapter_config.json", "judge/model.py"]
)
def test_a_file_that_nobody_has_checked_beside_those_that_were(folder: Path, name: str) -> None:
    (folder / name).write_text("{}")
    with pytest.raises(ModelRefused, match="lie beside the model's files and not in manifest"):
        load_base(load_manifest(folder))


def test_what_no_loader_opens_may_lie_beside_them(folder: Path) -> None:
    for name in ("unet/README.md", "judge/training.log", "unet/.gitattributes", "notes.json"):
        (folder / name).write_text("")
    load_base(load_manifest(folder))


def test_an_index_beside_weights_that_no_manifest_covers(folder: Path) -> None:
    (folder / f"{WEIGHTS}.index.json").write_text('{"weight_map": {}}')
    with pytest.raises(ModelRefused, match="libraries read the files that it names"):
        load_unet(folder / "unet")


class Exploit:
    """Pickled, it runs a command when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.mark}",)


def test_a_pickle_is_not_opened(folder: Path, tmp_path: Path) -> None:
    (folder / WEIGHTS).write_bytes(pickle.dumps(Exploit(tmp_path / "executed")))
    restate_digests(folder)
    with pytest.raises(ModelRefused, match="not a readable safetensors file"):
        load_base(load_manifest(folder))
    assert not (tmp_path / "executed").exists()


def test_a_huge_header_is_not_believed(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((10**15).to_bytes(8, "little") + b"{}")
    with pytest.raises(ModelRefused, match="not a readable safetensors file"):
        load_unet(folder / "unet")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w: w.pop("conv_out.bias"), "1 weights are missing, the first is conv_out.bias"),
        (lambda w: w.update(extra=torch.zeros(1)), "1 weights are not the network's, the first is extra"),
        (
            lambda w: w.update({"conv_out.bias": torch.zeros(2)}),
            r"conv_out.bias has shape \[2\], the network needs \[1\]",
        ),
        (lambda w: w.update({"conv_out.bias": torch.zeros(1, dtype=torch.float64)}), "conv_out.bias is F64"),
        (lambda w: w["conv_out.bias"].fill_(float("nan")), "conv_out.bias holds NaN"),
    ],
)
def test_weights_that_do_not_fit(folder: Path, change: Callable[[Any], object], says: str) -> None:
    change_weights(folder, change)
    with pytest.raises(ModelRefused, match=says):
        load_base(load_manifest(folder))


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        ("scheduler/scheduler_config.json", {"beta_schedule": "cosine"}, "beta_schedule"),
        ("scheduler/scheduler_config.json", {"prediction_type": "sample"}, "prediction_type"),
        ("unet/config.json", {"auto_map": {"AutoModel": "evil.Model"}}, "auto_map"),
        ("unet/config.json", {"num_class_embeds": 5}, "num_class_embeds is 5, must be 4, one a concept"),
    ],
)
def test_configurations_that_do_not_fit(folder: Path, file: str, change: dict[str, Any], says: str) -> None:
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    restate_digests(folder)
    with pytest.raises(ModelRefused, match=says):
        load_base(load_manifest(folder))


def test_a_judge_that_asks_for_code_of_its_own(folder: Path) -> None:
    path = folder / "judge/config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"auto_map": {"AutoConfig": "evil.Config"}}))
    with pytest.raises(ModelRefused, match="auto_map"):
        ImageJudge.load(load_manifest(folder))


def test_a_judge_of_other_concepts(folder: Path) -> None:
    change_manifest(folder, lambda m: m.update(concepts=["green", "red", "blue", "pink"]))
    with pytest.raises(ModelRefused, match="are not the model's concepts: it lacks pink and has grey"):
        ImageJudge.load(load_manifest(folder))


def test_models_are_registered_by_name_and_a_name_only_once(tmp_path: Path) -> None:
    make_tiny_model(tmp_path / "a" / "one", "first")
    make_tiny_model(tmp_path / "b" / "two", "second")
    (tmp_path / "a" / "no-model").mkdir()
    assert set(registered([tmp_path / "a", tmp_path / "b"]).models) == {"first", "second"}
    make_tiny_model(tmp_path / "b" / "three", "first")
    found = registered([tmp_path / "a", tmp_path / "b"])
    assert set(found.models) == {"first", "second"}
    assert "'first' is already registered from" in found.refused["three"]
    with pytest.raises(ModelRefused, match="not a folder"):
        registered([tmp_path / "nowhere"])


def test_digests_cover_names_and_content() -> None:
    assert digest_of({"a": "1", "b": "2"}) == digest_of({"b": "2", "a": "1"})
    assert digest_of({"a": "1", "b": "2"}) != digest_of({"a": "2", "b": "1"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reference": "elsewhere.safetensors"}, "reference names 'elsewhere.safetensors', which is not among files"),
        ({"features": {"EffLite0-320": "f.safetensors"}}, "features.EffLite0-320 names 'f.safetensors', which is not"),
        ({"features": {"EffLite0-320": "../f"}}, "features.EffLite0-320 must be a path inside the folder"),
        ({"controls": {"red": "controls/red"}}, "controls.red names 'controls/red', of which no file is among files"),
        ({"controls": {"mauve": "controls/mauve"}}, "controls names 'mauve', which is none of the concepts"),
    ],
)
def test_a_manifest_that_names_what_its_digests_do_not_cover_is_refused(
    change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    path = make_tiny_model(tmp_path / "tiny").folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelRefused) as refused:
        load_manifest(path.parent)
    assert said in str(refused.value)


def test_a_judges_digest_must_be_that_of_its_files(tmp_path: Path) -> None:
    path = make_tiny_model(tmp_path / "tiny").folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["second_judge"]["digest"] = manifest["judge"]["digest"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(
        ModelRefused, match=r"second_judge\.digest is sha256:.*, the files of second_judge/ make sha256:"
    ):
        load_manifest(path.parent)
