"""Files of prompts, as they were saved or published: what is wrong is said, and in which line."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfd_core.errors import PromptFileRefused
from sfd_core.request.prompt_files import MAX_FILE_BYTES, read_prompt_file
from sfd_core.request.prompt_lists import MAX_PROMPTS


@pytest.mark.parametrize(
    "content",
    [b"a gun\nguns\n", b"a gun\nguns", b"a gun\r\nguns\r\n", b"\xef\xbb\xbfa gun\nguns\n"],
)
def test_a_file_is_read_however_it_was_saved(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes(content)
    assert read_prompt_file(path) == ("a gun", "guns")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "must be 1 to 10000 lines"),
        (b"a gun\n\nguns\n", "line 2: is empty"),
        (b"a gun\nguns\na gun\n", "line 3: the same as number 1"),
        (b"a gun\na \xe9toile\n", "line 2: not UTF-8"),
        (b"\xff\xfea\x00", "line 1: not UTF-8"),
        (b"a\tgun\n", "line 1: holds a control character"),
        (b"a\x0cgun\n", "line 1: holds a control character"),
        ("".join(f"{i}\n" for i in range(MAX_PROMPTS + 1)).encode(), "not 10001"),
        (b"\n" * 30, "and 10 more"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes(content)
    with pytest.raises(PromptFileRefused) as caught:
        read_prompt_file(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(PromptFileRefused, match="No such file"):
        read_prompt_file(tmp_path / "none.txt")
    huge = tmp_path / "huge.txt"
    with huge.open("wb") as stream:
        stream.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(PromptFileRefused, match="larger than"):
        read_prompt_file(huge)


ESD = ",case_number,prompt,evaluation_seed,concept\n0,0,a gun,17,gun\n1,1,guns,18,gun\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("esd.csv", ESD),
        ("esd.txt", ESD),
        ("esd.csv", "\ufeff" + ESD),
        ("esd.csv", ESD.replace("\n", "\r\n")),
        ("esd.csv", ESD + "\n"),
        ("seeds.csv", "case_number,prompt,evaluation_seed\n0,a gun,1\n1,guns,1\n2,a gun,2\n3,guns,2\n"),
        ("case.csv", "Case,Prompt\n0,a gun\n1,guns\n"),
        ("one.csv", "prompt\na gun\nguns\n"),
        ("excel.csv", "case_number;prompt\n0;a gun\n1;guns\n"),
        ("tabs.tsv", "case_number\tprompt\n0\ta gun\n1\tguns\n"),
        ("list.jsonl", '{"prompt": "a gun", "seed": 1}\n{"prompt": "guns", "seed": 1}\n'),
        ("list.txt", '{"seed": 1, "prompt": "a gun"}\r\n{"seed": 1, "prompt": "guns"}\r\n'),
    ],
)
def test_of_a_table_the_prompts_are_read(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode())
    assert read_prompt_file(path) == ("a gun", "guns")


def test_what_is_quoted_is_one_prompt(tmp_path: Path) -> None:
    path = tmp_path / "i2p.csv"
    path.write_text('prompt,categories\n"a ""gun"", oil on canvas","violence, harm"\nguns,"shocking"\n')
    assert read_prompt_file(path) == ('a "gun", oil on canvas', "guns")


@pytest.mark.parametrize("suffix", [".csv", ".txt", ".jsonl"])
def test_another_column_can_be_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"list{suffix}"
    path.write_text('{"id": 1, "text": "a gun"}\n' if suffix == ".jsonl" else "id,text\n1,a gun\n")
    assert read_prompt_file(path, "text") == ("a gun",)
    with pytest.raises(PromptFileRefused) as caught:
        read_prompt_file(path)
    assert "line 1: a table without a column 'prompt'; its columns: 'id', 'text'." in str(caught.value)
    assert "--prompt-column" in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        "a gun, a knife\na prompt, highly detailed\n",
        "gun,knife\na gun, a knife, a bomb\n",
        '"a gun\nguns\n',
        "{gun}\n[gun]\n",
        "gun,knife\n",
    ],
)
def test_text_with_commas_quotes_and_braces_is_no_table(tmp_path: Path, content: str) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text(content)
    assert list(read_prompt_file(path)) == content.splitlines()


ROWS = "id,prompt\n1,a gun, old\n2,guns\n3,x,y\n"
OBJECTS = '{"prompt": "a gun"}\nguns\n{"prompt": 3}\n'
LINES = 'id,prompt\n1,"a\ngun"\n2,\n'


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", ROWS, "line 2: has 3 columns where the header has 2: quote what holds a comma"),
        ("a.csv", ROWS, "line 4: has 3 columns"),
        ("a.csv", LINES, "line 2: holds a control character"),
        ("a.csv", LINES, "line 4: is empty"),
        ("a.csv", 'id,prompt\n1,"a gun', "line 2: not readable as CSV"),
        ("a.csv", "id,prompt\n", "must be 1 to 10000 lines, one prompt each, not 0"),
        ("a.csv", "", "without a column 'prompt'"),
        ("a.csv", "a gun\nguns\n", "its columns: 'a gun'."),
        ("a.jsonl", OBJECTS, "line 2: must be a JSON object"),
        ("a.jsonl", OBJECTS, "line 3: its 'prompt' must be text"),
        ("a.jsonl", "[" * 10_000, "line 1: must be a JSON object"),
        ("a.json", '["a gun", "guns"]', "save it as JSON lines"),
        ("a.json", '{\n  "prompts": ["a gun"]\n}\n', "save it as JSON lines"),
        ("a.csv", "prompt,id\n" + "".join(f"p{i},1\n" for i in range(MAX_PROMPTS + 1)), "not 10001"),
        ("a.csv", "prompt,id\n" + "x\n" * 30, "and 10 more"),
    ],
)
def test_a_table_that_cannot_be_read(tmp_path: Path, name: str, content: str, says: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(PromptFileRefused) as caught:
        read_prompt_file(path)
    assert says in str(caught.value)
    assert all(line.startswith((f"{path}: ", "and ")) for line in str(caught.value).splitlines())


def test_a_column_of_what_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("a gun\nguns\n")
    with pytest.raises(PromptFileRefused, match="no table, so no column of it is called 'text'"):
        read_prompt_file(path, "text")
