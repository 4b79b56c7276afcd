"""``lethe audit export`` and ``verify``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import Engine

from client import Lethe
from jobs import keys
from jobs.audit import AuditLog
from jobs.audit.entries import canonical
from tests.cli.conftest import Command
from tests.cli.service import Service
from tests.cli.test_tenants import on as on

HEADS = re.compile(r"(\S+): (\d+) entries, head (\w{64})")


def test_export_and_verify(api: Service, tenant: str, tmp_path: Path) -> None:
    admin = api.key(tenant, "admin")
    with Lethe(api.url, admin) as lethe:
        jobs = [lethe.submit("fashion", {"Sneaker": "Sandal"}) for _ in range(3)]
        about = list(lethe.audit_log(object_id=jobs[0].id))
    assert [(entry.action, entry.details) for entry in about] == [("job.submit", {"base_model": "fashion"})]
    run, file = Command({"LETHE_URL": api.url, "LETHE_API_KEY": admin}), tmp_path / "audit.jsonl"
    exported = run("audit", "export")
    file.write_bytes(exported.stdout_bytes)
    name, count, head = HEADS.fullmatch(exported.stderr.strip()).groups()  # type: ignore[union-attr]
    lines = file.read_bytes().splitlines()
    assert (name, int(count)) == (tenant, len(lines)) == (tenant, 4)
    assert lines == [canonical(entry.to_json()) for entry in AuditLog(api.engine).entries(tenant)]

    held = run("audit", "verify", str(file), "--head", head)
    assert (held.exit_code, held.stderr) == (0, "")
    assert re.fullmatch(rf"{tenant}: 4 entries hold, from \S+Z to \S+Z, head {head}\n", held.stdout)
    assert "the end was not checked: no --head" in run("audit", "verify", str(file)).stderr
    file.write_bytes(b"\n".join(lines[:-1]))
    cut = run("audit", "verify", str(file), "--head", head)
    assert (cut.exit_code, cut.stderr[:40]) == (1, f"MISMATCH: no entry has the head {head}"[:40])
    assert run("audit", "verify", str(file)).exit_code == 0
    file.write_bytes(b"\n".join(lines).replace(b"job.submit", b"job.cancel", 1))
    changed = run("audit", "verify", str(file))
    assert (changed.exit_code, changed.stdout) == (1, "")
    assert f"MISMATCH: line 2: entry 2 of {tenant} was changed" in changed.stderr


def test_of_all_tenants_on_the_services_machine(on: Command, engine: Engine, tmp_path: Path) -> None:
    assert "there are no entries" in on("audit", "export", "--local").stderr
    for tenant in ("acme", "globex"):
        keys.create(engine, tenant, "ci", ["read"])
    file = tmp_path / "audit.jsonl"
    exported = on("audit", "export", "--local")
    file.write_bytes(exported.stdout_bytes)
    heads = HEADS.findall(exported.stderr)
    assert [(name, count) for name, count, _ in heads] == [("acme", "1"), ("globex", "1")]
    held = on("audit", "verify", str(file), *(word for head in heads for word in ("--head", head[2])))
    assert [line.split(":")[0] for line in held.stdout.splitlines()] == ["acme", "globex"]
    alone = on("audit", "export", "--local", "--tenant", "globex").stdout_bytes
    assert alone == file.read_bytes().splitlines(keepends=True)[1]
    file.write_bytes(b"")
    assert on("audit", "verify", str(file)).stdout == "there are no entries\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("export", "--tenant", "acme"), "is for --local alone"),
        (("export", "--data-dir", "."), "is for --local alone"),
        (("export",), "does not have the scope `admin`"),
        (("verify", "nowhere.jsonl"), "nowhere.jsonl: No such file"),
        (("verify", __file__), "MISMATCH: line 1: not JSON"),
        (("verify", __file__, "--head", "5be1"), "'5be1': a head has 64 hexadecimal digits"),
    ],
)
def test_what_is_refused(run: Command, arguments: tuple[str, ...], said: str) -> None:
    result = run("audit", *arguments)
    assert result.exit_code != 0
    assert said in " ".join(result.stderr.replace("│", " ").split())
