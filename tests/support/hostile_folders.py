"""Model folders made hostile or senseless, a row each: what is done to a good one."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from tests.support.tiny_parts import digests, judge_entry

PICKLE = b"cos\nsystem\n(S'touch /tmp/lethe-was-here'\ntR."


@dataclass(frozen=True)
class Row:
    """A folder made hostile. ``change``: what is done to the files; ``listed``: the manifest then lists them as they
    are, so that nothing but their content is wrong."""

    name: str
    change: Callable[[Path], object]
    kind: str = "classes"
    listed: bool = True


def config(file: str, **values: Any) -> Callable[[Path], object]:
    """Say ``values`` in a configuration."""

    def change(folder: Path) -> None:
        path = folder / file
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


def weights(file: str, change_one: Callable[[str, torch.Tensor], torch.Tensor]) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = folder / file
        changed = {name: change_one(name, w).contiguous() for name, w in load_file(path).items()}
        save_file(changed, path, metadata={"format": "pt"})

    return change


def content(file: str, what: bytes) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(what)

    return change


def sparse(file: str, size: int) -> Callable[[Path], object]:
    """Make a file as large as ``size`` that takes no room, with the header of the one before."""

    def change(folder: Path) -> None:
        with (folder / file).open("r+b") as stream:
            stream.truncate(size)

    return change


def pipe(file: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        (folder / file).unlink(missing_ok=True)
        os.mkfifo(folder / file)

    return change


def link(file: str, to: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = folder / file
        if path.is_dir():
            shutil.move(path, to)
        else:
            path.unlink(missing_ok=True)
        path.symlink_to(to)

    return change


def manifest(**values: Any) -> Callable[[Path], object]:
    return config("manifest.json", **values)


def within_manifest(*names: str, **values: Any) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = folder / "manifest.json"
        said = json.loads(path.read_text())
        part = said
        for name in names:
            part = part[name]
        part |= values
        path.write_text(json.dumps(said))

    return change


def only_listed(*files: str) -> Callable[[Path], object]:
    """Have the manifest list these files alone, as they are."""

    def change(folder: Path) -> None:
        path = folder / "manifest.json"
        said = json.loads(path.read_text())
        said["files"] = {name: digest for name, digest in digests(folder).items() if name in files}
        said = {name: value for name, value in said.items() if name not in ("judge", "second_judge")}
        path.write_text(json.dumps(said))

    return change


def all_listed_but(name: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = folder / "manifest.json"
        said = json.loads(path.read_text())
        del said["files"][name]
        path.write_text(json.dumps(said))

    return change


def judge_elsewhere(folder: Path) -> None:
    """The judge's folder is beside the model's; its digest is that of no file."""
    shutil.copytree(folder / "judge", folder.parent / "elsewhere")
    path = folder / "manifest.json"
    said = json.loads(path.read_text())
    said["judge"] |= {"folder": "../elsewhere", "digest": judge_entry("../elsewhere", said["files"], ())["digest"]}
    path.write_text(json.dumps(said))


def more_tokens(folder: Path) -> None:
    path = folder / "tokenizer" / "tokenizer.json"
    said = json.loads(path.read_text())
    vocabulary = said["model"]["vocab"]
    vocabulary["zebra</w>"] = len(vocabulary) + 10_000
    path.write_text(json.dumps(said))


def huge_tokenizer(folder: Path) -> None:
    """Most of it is white space."""
    path = folder / "tokenizer" / "tokenizer.json"
    with path.open("ab") as stream:
        stream.write(b" " * (200 << 20))


def nan(name: str, w: torch.Tensor) -> torch.Tensor:
    return torch.full_like(w, float("nan")) if w.is_floating_point() else w


def header(length: int, text: bytes) -> bytes:
    return struct.pack("<Q", length) + text


def blocks(n: int) -> dict[str, Any]:
    """A network of so many blocks."""
    return {
        "block_out_channels": [8] * n,
        "down_block_types": ["DownBlock2D"] * n,
        "up_block_types": ["UpBlock2D"] * n,
    }


INDEX = json.dumps({"weight_map": {"conv_in.weight": "evil.bin"}}).encode()
DEEP = b"[" * 200_000 + b"]" * 200_000
UNET, JUDGE, VAE = "unet/config.json", "judge/config.json", "vae/config.json"
UNET_WEIGHTS, JUDGE_WEIGHTS = "unet/diffusion_pytorch_model.safetensors", "judge/model.safetensors"
SCHEDULER, TEXT = "scheduler/scheduler_config.json", "text_encoder/config.json"
WORDS = "tokenizer/tokenizer_config.json"
ROWS = [
    # What a manifest does not list, beside what it does.
    Row("an index beside a network", content(f"{UNET_WEIGHTS}.index.json", INDEX), listed=False),
    Row("an index that is listed", content(f"{UNET_WEIGHTS}.index.json", INDEX)),
    Row("an index beside a judge", content(f"{JUDGE_WEIGHTS}.index.json", INDEX), listed=False),
    Row("an index beside a judge that is listed", content(f"{JUDGE_WEIGHTS}.index.json", INDEX)),
    Row("an index beside a text encoder", content("text_encoder/model.safetensors.index.json", INDEX), "text", False),
    Row("a pickle beside a network", content("unet/diffusion_pytorch_model.bin", PICKLE), listed=False),
    Row("an adapter beside a judge", content("judge/adapter_config.json", b"{}"), listed=False),
    Row("code beside a network", content("unet/modeling.py", b"import os"), listed=False),
    Row("a file in a folder of its own", content("more/config.json", b"{}"), listed=False),
    Row("a file far below", content("unet/a/b/config.json", b"{}"), listed=False),
    Row("one file is listed", only_listed("reference.safetensors"), listed=False),
    Row("nothing is listed", only_listed(), listed=False),
    Row("a pipeline that is not listed", only_listed("vocabulary.json"), "text", False),
    Row("an index of a pipeline that is not listed", all_listed_but("model_index.json"), "text", False),
    Row("a folder that is a link out", link("unet", "/tmp/lethe-hostile-unet"), listed=False),
    Row("a judge in another folder", judge_elsewhere, listed=False),
    Row("a judge in the model's folder", within_manifest("judge", folder="."), listed=False),
    Row("a judge in a hidden folder", within_manifest("judge", folder=".judge"), listed=False),
    Row("a judge at an absolute path", within_manifest("judge", folder="/tmp"), listed=False),
    Row("a file above", within_manifest("files", **{"../x": "0" * 64}), listed=False),
    Row("a file in another spelling", within_manifest("files", **{"unet//config.json": "0" * 64}), listed=False),
    Row("a digest that is none", within_manifest("files", **{"unet/config.json": 7}), listed=False),
    Row("a reference that is not listed", manifest(reference="elsewhere.safetensors"), listed=False),
    # Configurations that ask for what is elsewhere.
    Row("a judge that names its weights", config(JUDGE, transformers_weights="../../evil.bin")),
    Row("a text encoder that names its weights", config(TEXT, transformers_weights="/tmp/evil.bin"), "text"),
    Row("a judge with code", config(JUDGE, auto_map={"AutoConfig": "evil.Config"})),
    Row("a network with code", config(UNET, auto_map={"AutoModel": "evil.Model"})),
    Row("a tokenizer with code", config(WORDS, auto_map={"AutoTokenizer": ["evil.T", None]}), "text"),
    Row("a judge by a hub's name", config(JUDGE, model_type="timm_wrapper", architecture="hf-hub:evil/model")),
    Row("a judge of no kind", config(JUDGE, model_type="../evil")),
    Row("a judge that is none", config(JUDGE, model_type="t5")),
    # Numbers.
    Row("layers", config(UNET, layers_per_block=10**7)),
    Row("blocks", config(UNET, **blocks(20_000))),
    Row("layers in many blocks", config(UNET, **blocks(64), layers_per_block=200)),
    Row("channels", config(UNET, block_out_channels=[10**8])),
    Row("a side", config(UNET, sample_size=10**9)),
    Row("classes", config(UNET, num_class_embeds=10**9)),
    Row("a judge's depths", config(JUDGE, depths=[10**7])),
    Row("a judge's depths that are allowed each", config(JUDGE, depths=[256] * 60, hidden_sizes=[8] * 60)),
    Row("a judge's sizes", config(JUDGE, hidden_sizes=[10**9])),
    Row("a judge's modules by another word", config(JUDGE, model_type="efficientnet", num_block_repeats=[10**6] * 7)),
    Row("times", config(SCHEDULER, num_train_timesteps=10**9)),
    Row("no times", config(SCHEDULER, num_train_timesteps=0)),
    Row("times that are none", config(SCHEDULER, beta_start=float("nan"))),
    Row("times in words", config(SCHEDULER, num_train_timesteps="1000")),
    Row("words", config(TEXT, vocab_size=10**8), "text"),
    Row("words times numbers", config(TEXT, vocab_size=10**6, hidden_size=10**6), "text"),
    Row("layers of a text encoder", config(TEXT, num_hidden_layers=10**6), "text"),
    Row("positions", config(TEXT, max_position_embeddings=10**9), "text"),
    Row("an autoencoder's layers", config(VAE, layers_per_block=10**7), "text"),
    Row("an autoencoder's latents", config(VAE, latent_channels=10**9), "text"),
    Row("an image", within_manifest("image", height=10**9), listed=False),
    Row("a patch", within_manifest("image", patch=0), listed=False),
    # Files that are none, or too large.
    Row("a sparse network", sparse(UNET_WEIGHTS, 100 << 30), listed=False),
    Row("a sparse network that is not too large", sparse(UNET_WEIGHTS, 60 << 30), listed=False),
    Row("a sparse judge", sparse(JUDGE_WEIGHTS, 100 << 30), listed=False),
    Row("a sparse configuration", sparse(UNET, 100 << 30), listed=False),
    Row("a sparse reference", sparse("reference.safetensors", 100 << 30), listed=False),
    Row("a pipe for a network", pipe(UNET_WEIGHTS), listed=False),
    Row("a pipe for a configuration", pipe(UNET), listed=False),
    Row("a pipe for a reference", pipe("reference.safetensors"), listed=False),
    Row("a pipe for a manifest", pipe("manifest.json"), listed=False),
    Row("a pipe for a vocabulary", pipe("vocabulary.json"), "text", False),
    Row("a device for a network", link(UNET_WEIGHTS, "/dev/zero"), listed=False),
    Row("a tokenizer of 200 MB", huge_tokenizer, "text"),
    Row("a token that the encoder does not know", more_tokens, "text"),
    Row("a header of 8 EB", content(UNET_WEIGHTS, header(1 << 62, b"{}"))),
    Row("a header that is no JSON", content(UNET_WEIGHTS, header(2, b"{["))),
    Row("a pickle by the name of weights", content(UNET_WEIGHTS, PICKLE)),
    Row("a configuration nested without end", content(UNET, DEEP)),
    Row("a judge's configuration nested without end", content(JUDGE, DEEP)),
    # Numbers of the weights.
    Row("NaN in a network", weights(UNET_WEIGHTS, nan)),
    Row("NaN in a judge", weights(JUDGE_WEIGHTS, nan)),
    Row("NaN in what a judge has counted", weights(JUDGE_WEIGHTS, lambda n, w: nan(n, w) if "running" in n else w)),
    Row("NaN in a second judge", weights("second_judge/model.safetensors", nan)),
    Row("NaN in a reference", weights("reference.safetensors", nan)),
    Row("labels that there are not", weights("reference.safetensors", lambda n, w: w + 99 if "labels" in n else w)),
    Row("a reference of another length", weights("reference.safetensors", lambda n, w: w[:7] if "seen" in n else w)),
    Row("weights of another shape", weights(UNET_WEIGHTS, lambda n, w: w[..., None])),
    Row("weights of another type", weights(UNET_WEIGHTS, lambda n, w: w.double())),
]
