"""``lethe models import``: through the command and the process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["models", "import", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_a_checkpoint_becomes_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Called where somebody has put modules in the way: none of them is imported."""
    import torch

    from tests.unit.importing.ddpm import random_weights

    monkeypatch.chdir(tmp_path)
    for name in ("torch", "json", "resource", "sfd_core"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    torch.save([random_weights(32, (1, 1), 1, 4)], "ckpt.pth")
    result = run("ckpt.pth", "--out", "out", "--weights", "last", "--size", "16")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(
        "wrote out: the class-conditional DDPM of Selective Amnesia, SalUn and the SFD paper\n"
    )
    assert "16 x 16 pixels and 4 classes" in result.stdout
    assert (tmp_path / "out/unet/diffusion_pytorch_model.safetensors").is_file()
    assert not (tmp_path / "ran").exists()


def test_a_hostile_one_is_refused_in_words(tmp_path: Path) -> None:
    from tests.unit.importing.hostile import running

    canary, path = tmp_path / "ran", tmp_path / "a.pkl"
    body, _ = running(canary)["os.system by REDUCE"]
    path.write_bytes(body)
    result = run(str(path), "--out", str(tmp_path / "out"))
    assert result.exit_code != 0
    assert f"{path}: asks for os.system" in result.stderr
    assert "Traceback" not in result.stderr
    assert not canary.exists()
    assert not (tmp_path / "out").exists()


def test_the_base_model_of_a_generator_is_a_name_or_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pickle

    from diffusers import UNet2DConditionModel

    from sfd_core.families.registry import load_manifest
    from tests.support.tiny_text_model import make_tiny_text_model

    folder = make_tiny_text_model(tmp_path / "models" / "mine").folder
    name = load_manifest(folder).name
    monkeypatch.setenv("LETHE_MODELS_DIR", str(tmp_path / "models"))
    path = tmp_path / "network-snapshot.pkl"
    path.write_bytes(pickle.dumps({"ema": UNet2DConditionModel.from_pretrained(folder / "unet")}))
    for of in (name, str(folder)):
        result = run(str(path), "--of", of)
        assert result.exit_code == 0, result.stderr
        assert f"jobs of {of} start from it" in result.stdout
        distilled = load_manifest(folder).distilled
        assert distilled is not None
        assert distilled.fake_score == "unet"


@pytest.mark.parametrize(("of", "said"), [("emojis", "mean 'emoji'?"), ("emoji", "came with Lethe and stays as it is")])
def test_a_base_model_that_is_none_or_not_ones_own(
    of: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LETHE_MODELS_DIR", str(tmp_path))
    result = run(str(tmp_path / "a.pkl"), "--of", of)
    assert result.exit_code != 0
    assert said in " ".join(result.stderr.replace("│", " ").split())
