"""A terminal shows text from outside and does not obey it, and ordinary letters of all alphabets are unchanged."""

from __future__ import annotations

import io
import json
import sys
import unicodedata

import pytest

from schemas.console.terminal import guard_terminal, say, say_json, unguarded, visible

HOSTILE = "\x1b[2J\x9b31m\x07\u202egpj.exe\u2066\u2028x\x7f\r\nerror: forged\udce9"
SHOWN = r"\x1b[2J\x9b31m\x07\u202egpj.exe\u2066\u2028x\x7f\r\nerror: forged\udce9"
ORDINARY = "音楽 ö é (e\u0301) 🎷 👩\u200d🎤 עברית العربية \\x1b ‘quoted’ 100 %"


def test_each_character_that_a_terminal_obeys_is_spelled_out_and_no_other() -> None:
    assert visible(HOSTILE) == SHOWN
    assert visible(ORDINARY) == ORDINARY
    spelled = {chr(code) for code in range(sys.maxunicode + 1) if visible(chr(code)) != chr(code)}
    obeyed = {chr(code) for code in range(0x10000) if unicodedata.category(chr(code)) in ("Cc", "Cs", "Zl", "Zp")}
    turning = {
        chr(code)
        for code in range(0x10000)
        if unicodedata.bidirectional(chr(code)) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    }
    assert spelled == obeyed | turning


def test_a_line_that_is_said_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"track {HOSTILE}", ORDINARY)
    say(HOSTILE, file=sys.stderr)
    said = capsys.readouterr()
    assert said.out == f"track {SHOWN}\n{ORDINARY}\n"
    assert said.err == f"{SHOWN}\n"


@pytest.mark.parametrize("indent", [None, 2])
def test_json_holds_the_same_text_and_nothing_that_a_terminal_obeys(
    indent: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    fields = {"z": [HOSTILE, ORDINARY], HOSTILE: {"a": 1.5}}
    say_json(fields, indent=indent, sort_keys=True)
    out = capsys.readouterr().out
    assert json.loads(out) == fields
    assert visible(out, keep="\n") == out
    assert "音楽 ö" in out


def test_what_libraries_write_is_made_visible_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    guard_terminal()
    print("Options:\n\t--help", "\x1b[31m")
    sys.stderr.writelines(["warning: \x9b\n", "  at line 1\n"])
    assert out.getvalue() == "Options:\n\t--help \\x1b[31m\n"
    assert err.getvalue() == "warning: \\x9b\n  at line 1\n"
    assert not sys.stderr.isatty()
    unguarded(sys.stderr).write("\r100 %")  # a progress bar
    assert err.getvalue().endswith("\n\r100 %")
    assert unguarded(err) is err
