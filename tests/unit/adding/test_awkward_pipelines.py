"""Folders of pipelines over latents as people have them, of every such family: each is added, loaded and run once, or
refused in words. A row says what is done to a stock folder, and what comes of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from sfd_core.adding.add import add_model
from sfd_core.adding.said import Said
from sfd_core.errors import ModelRefused
from tests.support.tiny_dit_model import make_tiny_dit_model
from tests.support.tiny_flux import make_tiny_flux
from tests.support.tiny_sana import make_tiny_sana
from tests.support.tiny_sd3 import make_tiny_sd3
from tests.support.tiny_sdxl import make_tiny_sdxl

INDEX, SCHEDULER = "model_index.json", "scheduler/scheduler_config.json"
NETWORK, ENCODER = "transformer/config.json", "text_encoder/config.json"
MADE: dict[str, Callable[[Path], Any]] = {
    "sd3": lambda folder: make_tiny_sd3(folder, t5=True),
    "flux": make_tiny_flux,
    "sana": make_tiny_sana,
    "sdxl": make_tiny_sdxl,
    "dit": make_tiny_dit_model,
}
Change = Callable[[Path], None]


def changed(file: str, **values: object) -> Change:
    def change(folder: Path) -> None:
        path = folder / file
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return change


def written(file: str, content: bytes) -> Change:
    return lambda folder: (folder / file).write_bytes(content) and None


def with_a_mark(folder: Path) -> None:
    """Every JSON file begins with a byte order mark, as some editors begin one."""
    for path in folder.rglob("*.json"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())


def halves(folder: Path) -> None:
    """Variants of every network alone, in half precision."""
    for path in sorted(folder.glob("*/*.safetensors")):
        save_file(
            {name: value.half() for name, value in load_file(path).items()},
            path.with_name(f"{path.stem}.fp16.safetensors"),
        )
        path.unlink()


def parts(variant: str | None = None) -> Change:
    """Every network in two parts with an index, as hubs have the large ones."""

    def change(folder: Path) -> None:
        of_variant = f".{variant}" if variant is not None else ""
        for path in sorted(folder.glob("*/*.safetensors")):
            weights, names = load_file(path), {}
            for i, some in enumerate((sorted(weights)[::2], sorted(weights)[1::2]), start=1):
                part = f"{path.stem}{of_variant}-0000{i}-of-00002.safetensors"
                save_file({name: weights[name] for name in some}, path.with_name(part), {"format": "pt"})
                names |= dict.fromkeys(some, part)
            path.with_name(f"{path.name}.index{of_variant}.json").write_text(json.dumps({"weight_map": names}))
            path.unlink()

    return change


def cache(folder: Path) -> None:
    """A snapshot of a hub's cache: every file a link."""
    (blobs := folder.parent / "blobs").mkdir()
    for i, path in enumerate(sorted(path for path in folder.rglob("*") if path.is_file())):
        path.rename(blobs / str(i))
        path.symlink_to(blobs / str(i))


@dataclass(frozen=True)
class Row:
    """A folder: what is done to that of a stock pipeline, and what a refusal says; none: it is added and runs."""

    id: str
    of: tuple[str, ...]
    change: Change
    refused: str | None = None


EVERY, CLIPS, KLS = tuple(MADE), ("sd3", "flux", "sdxl"), ("sd3", "flux", "sdxl", "dit")
"""All pipelines, those with one of CLIP's text encoders and those with an ``AutoencoderKL``."""
LEFT_OVER = {"base_shift": None, "max_shift": None, "beta_start": 0.00085, "thresholding": None, "steps_offset": 1}
ROWS = (
    Row("halves alone", EVERY, halves),
    Row("parts of everything", EVERY, parts()),
    Row("parts of halves alone", EVERY, parts("fp16")),
    Row("a cache of a hub", EVERY, cache),
    Row("byte order marks", EVERY, with_a_mark),
    Row("a key twice", EVERY, lambda folder: twice(folder / SCHEDULER)),
    Row("an empty index", EVERY, written(INDEX, b"{}"), "its model_index.json names no pipeline (_class_name)"),
    Row("an index that is none", EVERY, written(INDEX, b"[]"), "its model_index.json must be a JSON object"),
    Row("an index in UTF-16", EVERY, written(INDEX, "{}".encode("utf-16")), "is not readable as JSON"),
    Row("fields left over", ("sd3", "sana", "sdxl", "dit"), changed(SCHEDULER, **LEFT_OVER)),
    Row("NaN for a shift", ("sd3", "flux"), changed(SCHEDULER, shift=float("nan")), "shift is nan, must be"),
    Row("NaN for a beta", ("sdxl", "dit"), changed(SCHEDULER, beta_end=float("nan")), "beta_end is nan, must be"),
    Row("no shift of latents", ("sd3", "flux", "sana"), changed("vae/config.json", shift_factor=None)),
    Row("latents of another autoencoder", EVERY, changed("vae/config.json", latent_channels=7), "in_channels is"),
    Row("quantized", ("sd3", "flux", "sana"), changed(NETWORK, quantization_config={}), "quantized weights are not"),
    Row("nobody's network", ("sd3", "flux", "sana", "dit"), changed(NETWORK, _class_name=None), "_class_name is None"),
    Row("more output", ("sd3", "flux", "sana"), changed(NETWORK, out_channels=8), "out_channels is 8"),
    Row("more layers than weights", CLIPS, changed(ENCODER, num_hidden_layers=3), "weights are missing, the first is"),
    Row("more weights than layers", CLIPS, changed(ENCODER, num_hidden_layers=1), "weights are not the network's"),
    Row("fewer tokens than weights", CLIPS, changed(ENCODER, vocab_size=10), "the network needs [10, "),
    Row("half an encoder", KLS, changed("vae/config.json", down_block_types=["DownEncoderBlock2D"]), "vae/diffusion"),
    Row("a third tokenizer alone", ("sd3",), changed(INDEX, text_encoder_3=[None, None])),
    Row("a third encoder that is missing", ("sd3",), lambda d: shutil.rmtree(d / "text_encoder_3"), "no such file"),
    Row("a number that weights lack", ("flux",), changed(NETWORK, guidance_embeds=False), "are not the network's"),
    Row("a number or none", ("flux",), changed(NETWORK, guidance_embeds=None), "guidance_embeds is None, must be true"),
)  # fmt: skip


def twice(path: Path) -> None:
    """The last counts, as to every program that reads such a file."""
    path.write_text(path.read_text().replace("{", '{"num_train_timesteps": 7, ', 1))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of every pipeline, as it is without Lethe."""
    folder = tmp_path_factory.mktemp("made")
    for name, make in MADE.items():
        make(folder / name)
        index = json.loads((folder / name / INDEX).read_text())
        stock = {INDEX, *(part for part, of in index.items() if isinstance(of, list) and of[0] is not None)}
        for path in (folder / name).iterdir():
            if path.name not in stock:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    return folder


@pytest.mark.parametrize(
    ("row", "name"), [(row, name) for row in ROWS for name in row.of], ids=lambda one: getattr(one, "id", one)
)
def test_a_pipeline(row: Row, name: str, made: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made / name, tmp_path / name))
    row.change(folder)
    if row.refused is None:
        assert add_model(folder, tmp_path / "models", Said()).folder.is_dir()
        return
    with pytest.raises(ModelRefused) as refused:
        add_model(folder, tmp_path / "models", Said())
    assert row.refused in str(refused.value)
    assert str(tmp_path / "models") not in str(refused.value)
