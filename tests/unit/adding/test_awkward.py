"""Folders as people have them, some forty of them: each is added and loaded, or refused in words, before anything of it
is used. A row says what is done to a stock folder, and what comes of it."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
    UNet2DModel,
)
from safetensors.torch import load_file, save_file
from transformers import CLIPTokenizer

from sfd_core.adding.add import add_model
from sfd_core.adding.said import Said
from sfd_core.errors import ModelRefused
from sfd_core.families.loading import load_base
from tests.support.foreign import save_class_model, save_classifier
from tests.support.tiny_text_model import make_tiny_text_model

UNET = "unet/diffusion_pytorch_model.safetensors"
INDEX = f"{UNET}.index.json"

Change = Callable[[Path], None]


def changed(file: str, **values: object) -> Change:
    """Set fields of a JSON file; None is JSON's null."""

    def change(folder: Path) -> None:
        path = folder / file
        before = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**before, **values}))

    return change


def without(*files: str) -> Change:
    def change(folder: Path) -> None:
        for file in files:
            path = folder / file
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def without_field(file: str, name: str) -> Change:
    def change(folder: Path) -> None:
        values = json.loads((folder / file).read_text())
        del values[name]
        (folder / file).write_text(json.dumps(values))

    return change


def renamed(**names: str) -> Change:
    """Rename weights: unet="fp16" gives the file of that network a variant."""

    def change(folder: Path) -> None:
        for part, variant in names.items():
            (path,) = (folder / part).glob("*.safetensors")
            path.rename(path.with_name(f"{path.stem}.{variant}.safetensors"))

    return change


def in_halves(folder: Path) -> None:
    """Weights in half precision alone, as `save_pretrained(variant="fp16")` writes them."""
    for path in sorted(folder.glob("*/*.safetensors")):
        save_file({name: value.half() for name, value in load_file(path).items()}, path)
    renamed(unet="fp16", vae="fp16", text_encoder="fp16")(folder)


def sharded(part: str, size: str, variant: str | None = None) -> Change:
    """Weights in several parts with an index, by diffusers' own hand."""

    def change(folder: Path) -> None:
        kind = UNet2DConditionModel if (folder / "vae").exists() else UNet2DModel
        network = kind.from_pretrained(folder / part)
        shutil.rmtree(folder / part)
        network.save_pretrained(folder / part, max_shard_size=size, variant=variant)
        assert len(list((folder / part).glob("*.safetensors"))) > 1

    return change


def both(*changes: Change) -> Change:
    def change(folder: Path) -> None:
        for each in changes:
            each(folder)

    return change


def hub_cache(folder: Path) -> None:
    """A snapshot of a hub's cache: every file a link into a folder of blobs elsewhere."""
    blobs = folder.parent / "blobs"
    blobs.mkdir()
    for i, path in enumerate(sorted(path for path in folder.rglob("*") if path.is_file())):
        path.rename(blobs / str(i))
        path.symlink_to(blobs / str(i))


def broken_cache(folder: Path) -> None:
    hub_cache(folder)
    (folder / UNET).resolve().unlink()


def pickled(folder: Path) -> None:
    (folder / UNET).unlink()
    (folder / "unet/diffusion_pytorch_model.bin").write_bytes(pickle.dumps({"weights": 1}))


def beside(name: str, content: str = "{}") -> Change:
    def change(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)

    return change


def pipe(folder: Path) -> None:
    """Whoever reads it waits for somebody who writes."""
    (folder / "unet/config.json").unlink()
    os.mkfifo(folder / "unet/config.json")


def network_alone(folder: Path) -> None:
    for path in (folder / "unet").iterdir():
        path.rename(folder / path.name)
    without("unet", "scheduler")(folder)


def a_classifier(folder: Path) -> None:
    without("unet", "scheduler")(folder)
    save_classifier(folder)


def transformer_alone(folder: Path) -> None:
    without("unet", "scheduler")(folder)
    (folder / "config.json").write_text(json.dumps({"_class_name": "DiTTransformer2DModel"}))


def scheduled(scheduler: Any) -> Change:
    return lambda folder: scheduler.save_pretrained(folder / "scheduler")


def more_tokens(*, embedded: bool) -> Change:
    """A token that was added, with or without a row for it in the text encoder."""

    def change(folder: Path) -> None:
        pipe = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
        pipe.tokenizer.add_tokens(["<my-cat>"])
        if embedded:
            pipe.text_encoder.resize_token_embeddings(len(pipe.tokenizer))
        pipe.save_pretrained(folder)

    return change


def slow_tokenizer(folder: Path) -> None:
    """vocab.json and merges.txt, as of years ago."""
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    read = json.loads((folder / "tokenizer/tokenizer.json").read_text())["model"]
    (folder / "tokenizer/tokenizer.json").unlink()
    (folder / "tokenizer/vocab.json").write_text(json.dumps(read["vocab"]))
    merges = (pair if isinstance(pair, str) else " ".join(pair) for pair in read["merges"])
    (folder / "tokenizer/merges.txt").write_text("#version: 0.2\n" + "\n".join(merges))
    assert tokenizer.model_max_length == 77


def two_variants(folder: Path) -> None:
    renamed(unet="fp16")(folder)
    shutil.copy(
        folder / "unet/diffusion_pytorch_model.fp16.safetensors",
        folder / "unet/diffusion_pytorch_model.bf16.safetensors",
    )


def twice_in_parts(folder: Path) -> None:
    sharded("unet", "3KB")(folder)
    first, second, *_ = sorted((folder / "unet").glob("*.safetensors"))
    save_file({**load_file(second), **load_file(first)}, second)


NOTHING_SAID = Said()


@dataclass(frozen=True)
class Row:
    """A folder: what is done to a stock one, and what a refusal says; none: it is added and loads."""

    id: str
    change: Change
    refused: str | None = None
    said: Said = NOTHING_SAID


CLASS_FOLDERS = (
    Row("as it is saved", lambda folder: None),
    Row("a variant alone", renamed(unet="fp16")),
    Row("another variant alone", renamed(unet="non_ema")),
    Row("two variants", two_variants, "say --variant"),
    Row("parts with an index", sharded("unet", "3KB")),
    Row("parts of a variant", sharded("unet", "3KB", "fp16")),
    Row("parts without their index", both(sharded("unet", "3KB"), without(INDEX)), "parts of one without their"),
    Row(
        "an index of parts that are elsewhere",
        both(without(UNET), beside(INDEX, '{"weight_map": {"a": "../../a.safetensors"}}')),
        "is no safetensors file beside it",
    ),
    Row(
        "an index of pickles",
        both(without(UNET), beside(INDEX, '{"weight_map": {"a": "a.bin"}}')),
        "is no safetensors file beside it",
    ),
    Row("an index that is none", both(without(UNET), beside(INDEX, "[]")), "weight_map must be"),
    Row(
        "a part that is missing",
        both(sharded("unet", "3KB"), lambda folder: sorted((folder / "unet").glob("*.safetensors"))[0].unlink()),
        "is missing",
    ),
    Row("a weight in two parts", twice_in_parts, "is in more than one of the parts"),
    Row("an index beside the whole", beside(INDEX, '{"weight_map": {"a": "/etc/passwd"}}')),
    Row(
        "code and notes beside the weights",
        both(beside("unet/model.py", "raise SystemExit"), beside("unet/notes.json")),
    ),
    Row("a cache of a hub", hub_cache),
    Row("a cache that lost a blob", broken_cache, "fetch the model again"),
    Row("pickles alone", pickled, "never from pickles"),
    Row("no weights", without(UNET), "nor a variant of it, nor an index"),
    Row("no scheduler", without("scheduler"), "scheduler_config.json: no such file"),
    Row("a network alone", network_alone, "a UNet2DModel, and nothing else: put its files into unet/"),
    Row("a classifier", a_classifier, "an image classifier is given beside a model, by --judge"),
    Row("a transformer alone", transformer_alone, "a DiTTransformer2DModel, and nothing else: name the folder of the"),
    Row("nothing", without("unet", "scheduler"), "neither model_index.json nor a network's config.json"),
    Row(
        "an adapter",
        both(without("unet", "scheduler"), beside("pytorch_lora_weights.safetensors")),
        "no model by itself",
    ),
    Row(
        "weights without a configuration",
        both(without("unet", "scheduler"), beside("model.safetensors")),
        "without a configuration",
    ),
    Row(
        "another scheduler", scheduled(DDIMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction"))
    ),
    Row(
        "a scheduler without a formula",
        scheduled(FlowMatchEulerDiscreteScheduler()),
        "a flow-matching scheduler",
    ),
    Row("images that are no squares", lambda folder: save_class_model(folder, sample_size=(8, 16))),
    Row("no size", changed("unet/config.json", sample_size=None), "sample_size is None, must be 1 to 4096"),
    Row("a pipe for a configuration", pipe, "can be added is class_unet (unet/config.json of a UNet2DModel)"),
    Row("no classes", changed("unet/config.json", num_class_embeds=None), "num_class_embeds is None"),
    Row("learned variances", lambda folder: save_class_model(folder, out_channels=6), "learned variances are not read"),
    Row("code of its own", changed("unet/config.json", auto_map={"AutoModel": "evil.Model"}), "auto_map"),
    Row("a field that nothing knows", changed("unet/config.json", frobnicate=1), "unknown fields: frobnicate"),
    Row("a size of a billion", changed("unet/config.json", block_out_channels=[10**9]), "at most 1048576"),
    Row(
        "a name for every class but one",
        lambda folder: None,
        "--concepts names 2 classes, the network has 3",
        Said(concepts=("a", "b")),
    ),
    Row("a name twice", lambda folder: None, "'a' is there 2 times", Said(concepts=("a", "a", "b"))),
    Row(
        "cells that are none, and a name too few",
        lambda folder: None,
        "--concepts names 2 classes, the network has 3",
        Said(patch=2, concepts=("a", "b")),
    ),
    Row("cells that are none", lambda folder: None, "no 2 x 2 pixels", Said(patch=2)),
)

TEXT_FOLDERS = (
    Row("as it is saved", lambda folder: None),
    Row("halves alone", in_halves),
    Row("a variant of one part", renamed(vae="fp16")),
    Row("parts with an index", sharded("unet", "50KB")),
    Row("a cache of a hub", hub_cache),
    Row("a tokenizer of years ago", slow_tokenizer),
    Row("a tokenizer without a length", without_field("tokenizer/tokenizer_config.json", "model_max_length")),
    Row("a token that the encoder knows", more_tokens(embedded=True)),
    Row("a token that the encoder does not know", more_tokens(embedded=False), "tokens, the text encoder knows"),
    Row("no tokenizer", without("tokenizer"), "neither tokenizer/tokenizer.json nor tokenizer/vocab.json and"),
    Row(
        "another pipeline",
        changed("model_index.json", _class_name="KandinskyPipeline"),
        "is that of a KandinskyPipeline",
    ),
    Row("a safety checker beside it", changed("model_index.json", safety_checker=[None, None])),
    Row(
        "a part that is not stock",
        changed("model_index.json", unet=["my_code", "MyUNet"]),
        r"unet is ['my_code', 'MyUNet']",
    ),
    Row("names of classes", lambda folder: None, "no classes to be named", Said(concepts=("a", "b"))),
    Row("a judge that is not there", lambda folder: None, "x: no such folder", Said(judges={"": Path("x")})),
    Row(
        "weights of another network",
        lambda folder: shutil.copy(folder / "vae/diffusion_pytorch_model.safetensors", folder / UNET) and None,
        "weights are missing",
    ),
)


@pytest.fixture(scope="session")
def text_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stock pipeline, without a manifest of ours."""
    folder = tmp_path_factory.mktemp("stock") / "text"
    make_tiny_text_model(folder)
    (folder / "manifest.json").unlink()
    return folder


@pytest.mark.parametrize("row", CLASS_FOLDERS, ids=lambda row: row.id)
def test_a_class_model(row: Row, tmp_path: Path) -> None:
    save_class_model(tmp_path / "mine")
    _try(row, tmp_path)


@pytest.mark.parametrize("row", TEXT_FOLDERS, ids=lambda row: row.id)
def test_a_text_model(row: Row, tmp_path: Path, text_folder: Path) -> None:
    shutil.copytree(text_folder, tmp_path / "mine")
    _try(row, tmp_path)


def _try(row: Row, tmp_path: Path) -> None:
    row.change(tmp_path / "mine")
    if row.refused is None:
        model = add_model(tmp_path / "mine", tmp_path / "models", row.said)
        assert load_base(model).network is not None
    else:
        with pytest.raises(ModelRefused) as refused:
            add_model(tmp_path / "mine", tmp_path / "models", row.said)
        assert row.refused in str(refused.value)
        left = (tmp_path / "models").glob("*") if (tmp_path / "models").exists() else ()
        assert [path.name for path in left if path.name != ".lock"] == []


def test_parts_make_the_network_that_they_are_parts_of(tmp_path: Path) -> None:
    save_class_model(tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    sharded("unet", "3KB")(tmp_path / "parts")
    whole, parts = (
        load_base(add_model(tmp_path / name, tmp_path / "models", Said())).network.state_dict()
        for name in ("whole", "parts")
    )
    assert all(torch.equal(parts[name], value) for name, value in whole.items())
