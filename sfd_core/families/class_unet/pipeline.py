"""The pipeline of a class-conditional generator. It stands alone, on torch and diffusers only, because a copy of this
file is published inside every generator's folder as ``pipeline.py``: stock diffusers opens the folder with it.

    from diffusers import DiffusionPipeline
    pipe = DiffusionPipeline.from_pretrained(folder, custom_pipeline=f"{folder}/pipeline.py", trust_remote_code=True)
    image = pipe("Sandal", generator=torch.Generator().manual_seed(7)).images[0]
"""

from __future__ import annotations

import torch
from diffusers import DiffusionPipeline, ImagePipelineOutput


class ClassConditionalPipeline(DiffusionPipeline):
    """Images of named concepts from a ``UNet2DModel`` with class labels.

    ``id2label``: {class label as a string: name}. ``patch``: the network sees ``patch`` x ``patch`` pixels
    as one cell of channels (``pixel_unshuffle``); 1 means that it sees pixels.
    """

    def __init__(self, unet, scheduler, id2label=None, patch=1):
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler)
        self.register_to_config(id2label=id2label, patch=patch)
        self.labels = {name: int(label) for label, name in (id2label or {}).items()}

    @torch.no_grad()
    def __call__(self, concept, generator=None, num_inference_steps=1, output_type="pil", return_dict=True):
        """``concept``: a name or a list of names, one for each image. ``generator``: a ``torch.Generator`` or a list
        of them, one for each image. ``output_type``: ``pil``, ``np`` ([B, H, W, C] in 0..1) or ``pt``
        ([B, C, H, W] in -1..1). Raises ``ValueError`` for an unknown concept.
        """
        names = [concept] if isinstance(concept, str) else list(concept)
        for name in names:
            if name not in self.labels:
                raise ValueError(f"unknown concept {name!r}; known: {', '.join(self.labels)}")
        labels = torch.tensor([self.labels[name] for name in names], device=self.device)
        generators = generator if isinstance(generator, list) else [generator] * len(names)
        size = self.unet.config.sample_size
        height, width = (size, size) if isinstance(size, int) else size
        noise = torch.cat(
            [torch.randn(1, self.unet.config.in_channels, height, width, generator=g) for g in generators]
        )
        return self.denoise(noise, labels, num_inference_steps, output_type, return_dict)

    @torch.no_grad()
    def denoise(self, noise, labels, num_inference_steps=1, output_type="pil", return_dict=True):
        """From unit noise [B, C, H, W] in the network's space and class labels [B] to images."""
        self.scheduler.set_timesteps(num_inference_steps, device=self.device)
        # The noise of the first step itself: some schedulers' init_noise_sigma adds the image's own spread.
        x = noise.to(self.device, self.unet.dtype) * self.scheduler.sigmas[0]
        for t in self.scheduler.timesteps:
            scaled = self.scheduler.scale_model_input(x, t)
            output = self.unet(scaled, t.expand(len(x)), class_labels=labels).sample
            x = self.scheduler.step(output, t, x).prev_sample
        pixels = torch.nn.functional.pixel_shuffle(x, self.config.patch).clamp(-1, 1)
        images = pixels if output_type == "pt" else (pixels / 2 + 0.5).permute(0, 2, 3, 1).float().cpu().numpy()
        if output_type == "pil":
            images = self.numpy_to_pil(images)
        return ImagePipelineOutput(images=images) if return_dict else (images,)
