"""Python that cannot import our code: what whoever downloads a published generator has."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np

SECONDS = 240
SERVER = """
import importlib.util, json, os, sys, traceback

sys.path.insert(0, sys.argv[1])
assert importlib.util.find_spec("sfd_core") is None
import numpy, torch
# Each is imported as it is named.
from diffusers import FluxPipeline, SanaPipeline, StableDiffusion3Pipeline
from diffusers import DiffusionPipeline, StableDiffusionPipeline, StableDiffusionXLPipeline

for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.chdir(asked["folder"])
            os.dup2(os.open("stderr.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            os.dup2(2, 1)
            exec(asked["code"], {"__name__": "__main__"})
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Forks a process for each piece of code: importing diffusers takes longer than all that they do."""


@cache
def _server() -> subprocess.Popen[str]:
    # Our code is importable by a .pth file in site-packages: with -S none is read, and the packages themselves are put
    # on the path by hand. It ends when we do, as its input does.
    command = [sys.executable, "-I", "-S", "-c", SERVER, str(Path(np.__file__).parents[1])]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def run_without_our_code(code: str, folder: Path) -> None:
    """Run ``code`` in a process of its own, in ``folder``, in which the installed packages are all but ours."""
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps({"code": code, "folder": str(folder)}) + "\n")
    server.stdin.flush()
    assert select.select([server.stdout], [], [], SECONDS)[0], "it did not end in time"
    status = server.stdout.readline().strip()
    assert status == "0", (folder / "stderr.txt").read_text()


def sampled_by_stock_diffusers(folder: Path, beside: Path) -> np.ndarray:
    """Return what the pipeline of a class-conditional generator's own ``folder`` makes of it, images in [0, 1], [2, C,
    H, W]: of "red" from seed 7 and of "blue" from seed 8. ``beside``: a folder for what is passed on."""
    run_without_our_code(
        f"""
import numpy, torch
from diffusers import DiffusionPipeline
folder = {str(folder)!r}
pipe = DiffusionPipeline.from_pretrained(folder, custom_pipeline=folder + "/pipeline.py", trust_remote_code=True)
images = pipe(["red", "blue"], generator=[torch.Generator().manual_seed(s) for s in (7, 8)], output_type="pt").images
numpy.save("images.npy", images.numpy())
""",
        beside,
    )
    return np.load(beside / "images.npy")
