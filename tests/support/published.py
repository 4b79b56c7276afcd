"""A published class-conditional generator as somebody without Lethe opens it."""

SAMPLED_BY_STOCK_DIFFUSERS = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("sfd_core", "jobs", "worker", "api"):
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import numpy, torch
from diffusers import DiffusionPipeline
folder, out = sys.argv[1:]
pipe = DiffusionPipeline.from_pretrained(folder, custom_pipeline=folder + "/pipeline.py", trust_remote_code=True)
images = pipe(["red", "blue"], generator=[torch.Generator().manual_seed(s) for s in (7, 8)], output_type="pt").images
numpy.save(out, images.numpy())
"""
"""A script, given a folder and a file: an image of "red" from seed 7 and one of "blue" from seed 8, as the folder's own
pipeline makes them, where none of our packages can be imported."""
