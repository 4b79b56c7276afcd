"""Write `tokenizer/`, CLIP's own byte-pair tokenizer, from the vocabulary that the package open-clip-torch ships (MIT).

pip download --no-deps --dest build/emoji-sets open-clip-torch==3.3.0
python -m models.emoji.make_tokenizer
"""

import gzip
import json
import tempfile
import zipfile
from pathlib import Path

from transformers import CLIPTokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

HERE = Path(__file__).parent
MERGES = 49152 - 256 - 2
"""Of the file's merges, as many as CLIP uses (Radford et al. 2021): 49 408 tokens in all."""


def main() -> None:
    (wheel,) = Path("build/emoji-sets").glob("open_clip_torch-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        lines = gzip.decompress(archive.read("open_clip/bpe_simple_vocab_16e6.txt.gz")).decode().split("\n")
    merges = lines[1 : 1 + MERGES]
    alphabet = list(bytes_to_unicode().values())
    tokens = alphabet + [f"{letter}</w>" for letter in alphabet] + ["".join(merge.split()) for merge in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    with tempfile.TemporaryDirectory() as folder:
        vocabulary, pairs = Path(folder) / "vocab.json", Path(folder) / "merges.txt"
        vocabulary.write_text(json.dumps({token: i for i, token in enumerate(tokens)}, ensure_ascii=False))
        pairs.write_text("\n".join(["#version: 0.2", *merges, ""]))
        CLIPTokenizer(str(vocabulary), str(pairs), model_max_length=77).save_pretrained(HERE / "tokenizer")


if __name__ == "__main__":
    main()
