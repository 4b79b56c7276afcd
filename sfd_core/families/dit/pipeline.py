"""The pipeline of a one-step generator of classes over latents. It stands alone, on torch and diffusers only, because a
copy of this file is published inside every generator's folder as ``pipeline.py``: stock diffusers opens the folder with
it. Diffusers' own ``DiTPipeline`` starts from unscaled noise, from which no step of a scheduler is this generator's.

    from diffusers import DiffusionPipeline
    pipe = DiffusionPipeline.from_pretrained(folder, custom_pipeline=f"{folder}/pipeline.py", trust_remote_code=True)
    image = pipe("goldfish", generator=torch.Generator().manual_seed(7)).images[0]
"""

from __future__ import annotations

import torch
from diffusers import DiffusionPipeline, ImagePipelineOutput


class ClassConditionalDiTPipeline(DiffusionPipeline):
    """Images of named concepts from a ``DiTTransformer2DModel`` over the latents of an ``AutoencoderKL``.

    ``id2label``: {class label as a string: name}.
    """

    model_cpu_offload_seq = "transformer->vae"

    def __init__(self, transformer, vae, scheduler, id2label=None):
        super().__init__()
        self.register_modules(transformer=transformer, vae=vae, scheduler=scheduler)
        self.register_to_config(id2label=id2label)
        self.labels = {name: int(label) for label, name in (id2label or {}).items()}

    @torch.no_grad()
    def __call__(self, concept, generator=None, num_inference_steps=1, output_type="pil", return_dict=True):
        """``concept``: a name or a list of names, one for each image. ``generator``: a ``torch.Generator`` or a list
        of them, one for each image. ``output_type``: ``pil``, ``np`` ([B, H, W, C] in 0..1), ``pt`` ([B, C, H, W] in
        -1..1) or ``latent``. Raises ``ValueError`` for an unknown concept.
        """
        names = [concept] if isinstance(concept, str) else list(concept)
        for name in names:
            if name not in self.labels:
                raise ValueError(f"unknown concept {name!r}; known: {', '.join(self.labels)}")
        labels = torch.tensor([self.labels[name] for name in names], device=self.device)
        generators = generator if isinstance(generator, list) else [generator] * len(names)
        config = self.transformer.config
        shape = (1, config.in_channels, config.sample_size, config.sample_size)
        noise = torch.cat([torch.randn(shape, generator=g) for g in generators])
        return self.denoise(noise, labels, num_inference_steps, output_type, return_dict)

    @torch.no_grad()
    def denoise(self, noise, labels, num_inference_steps=1, output_type="pil", return_dict=True):
        """From unit noise [B, C, h, w] over latents and class labels [B] to images."""
        self.scheduler.set_timesteps(num_inference_steps, device=self.device)
        x = noise.to(self.device, self.transformer.dtype) * self.scheduler.init_noise_sigma
        for t in self.scheduler.timesteps:
            scaled = self.scheduler.scale_model_input(x, t)
            output = self.transformer(scaled, timestep=t.expand(len(x)), class_labels=labels).sample
            # Of a learned range the second half of the channels is the variance of a longer way.
            x = self.scheduler.step(output[:, : x.shape[1]], t, x).prev_sample
        images = x if output_type == "latent" else self._decoded(x, output_type)
        return ImagePipelineOutput(images=images) if return_dict else (images,)

    def _decoded(self, latents, output_type):
        pixels = self.vae.decode(latents.to(self.vae.dtype) / self.vae.config.scaling_factor).sample.clamp(-1, 1)
        if output_type == "pt":
            return pixels
        images = (pixels / 2 + 0.5).permute(0, 2, 3, 1).float().cpu().numpy()
        return self.numpy_to_pil(images) if output_type == "pil" else images
