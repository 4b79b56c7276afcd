"""The CLIP score: does an image show what its prompt says? Only where a folder of CLIP weights is given.

100 times the cosine of image and text embedding (Hessel et al. 2021, without its factor of 2.5), as torchmetrics
defines it, from ``transformers`` itself: torchmetrics 1.9 does not know what transformers 5 returns, and it keeps only
the mean, where an interval needs every image's score.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

from sfd_core.base_model.configs import read_config
from sfd_core.base_model.manifest import digest_of, file_sha256
from sfd_core.errors import ModelRefused

BATCH = 50
READ = (".json", ".safetensors", ".txt")
"""Kinds of file that loading may read; the digest covers those of the folder."""


class ClipModel:
    """A CLIP model from a local ``transformers`` folder. ``name``: the folder's; ``digest``: of the files read."""

    def __init__(self, folder: Path, device: torch.device | str = "cpu") -> None:
        """Raises ``ModelRefused`` for a folder that is no CLIP model with weights in safetensors, or that asks for code
        of its own to be run."""
        if (kind := read_config(folder / "config.json").get("model_type")) != "clip":
            raise ModelRefused(f"{folder / 'config.json'}: model_type is {kind!r}, must be 'clip'")
        self.name = folder.name
        files = {path.name: file_sha256(path) for path in sorted(folder.iterdir()) if path.suffix in READ}
        self.digest = digest_of(files)
        self.device = torch.device(device)
        local = {"local_files_only": True, "trust_remote_code": False}
        try:
            model, told = CLIPModel.from_pretrained(folder, use_safetensors=True, output_loading_info=True, **local)
            self.tokenizer = CLIPTokenizer.from_pretrained(folder, **local)
            self.images = CLIPImageProcessorPil.from_pretrained(folder, **local)
        except Exception as error:  # noqa: BLE001 - whatever a hostile folder provokes is a refusal
            raise ModelRefused(f"{folder}: no CLIP model can be loaded: {error}") from None
        # Weights that are missing would be drawn at random, and give a score that means nothing.
        if missing := sorted(told["missing_keys"]):
            raise ModelRefused(f"{folder}: {len(missing)} weights are missing, the first is {missing[0]}")
        self.model = model.eval().requires_grad_(False).to(self.device)

    @property
    def scale(self) -> float:
        """What a cosine is multiplied with before a softmax over texts: CLIP's own temperature."""
        return float(self.model.logit_scale.exp())

    def scores(self, images: NDArray[np.uint8], prompts: Sequence[str]) -> NDArray[np.float64]:
        """Compute 100 cos(image, prompt) for each of n images, uint8 [n, H, W] or [n, H, W, 3], with a prompt each:
        [n].

        Raises:
            ValueError: for another number of prompts than of images.
        """
        if len(images) != len(prompts):
            raise ValueError(f"{len(prompts)} prompts for {len(images)} images: one for each is needed")
        unique = list(dict.fromkeys(prompts))
        place = {prompt: i for i, prompt in enumerate(unique)}
        texts = self.embed_texts(unique)[[place[prompt] for prompt in prompts]]
        scores: NDArray[np.float64] = 100 * (self.embed_images(images) * texts).sum(axis=1)
        return scores

    @torch.no_grad()
    def embed_images(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return embeddings of length 1 of uint8 images [n, H, W] or [n, H, W, 3]: [n, D]."""
        pixels = np.repeat(images[..., None], 3, axis=-1) if images.ndim == 3 else images
        found = []
        for i in range(0, len(pixels), BATCH):
            seen = self.images(list(pixels[i : i + BATCH]), return_tensors="pt", input_data_format="channels_last")
            found.append(self.model.get_image_features(seen["pixel_values"].to(self.device)).pooler_output)
        return self._of_length_one(found)

    @torch.no_grad()
    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the same of texts: [n, D]. Longer ones are cut where the text tower ends, as CLIP itself does."""
        longest = self.model.config.text_config.max_position_embeddings
        found = []
        for i in range(0, len(texts), BATCH):
            tokens: Any = self.tokenizer(
                list(texts[i : i + BATCH]), return_tensors="pt", padding=True, truncation=True, max_length=longest
            )
            found.append(self.model.get_text_features(**tokens.to(self.device)).pooler_output)
        return self._of_length_one(found)

    def _of_length_one(self, pieces: Sequence[torch.Tensor]) -> NDArray[np.float64]:
        none = torch.empty(0, self.model.config.projection_dim, dtype=torch.float64)
        embedded: NDArray[np.float64] = torch.cat([none, *(piece.double().cpu() for piece in pieces)]).numpy()
        embedded /= np.linalg.norm(embedded, axis=1, keepdims=True)
        return embedded
