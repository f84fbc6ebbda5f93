"""`skillpack pack`: archives that are the same bytes everywhere, and signatures that a changed file breaks."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from .test_manifest import add_skill, run


@pytest.fixture
def skill(tmp_path: Path) -> Path:
    return add_skill(tmp_path / "pack", "bread")


def test_an_archive_holds_the_folder_with_its_modes_and_the_digest_is_printed(skill: Path, tmp_path: Path) -> None:
    (skill / "scripts" / "__pycache__").mkdir()
    (skill / "scripts" / "__pycache__" / "x.pyc").write_bytes(b"x")
    said = run("pack", str(skill), "--out", str(tmp_path / "dist")).stdout
    data = (tmp_path / "dist" / "bread.skill").read_bytes()
    assert said.split()[0] == hashlib.sha256(data).hexdigest()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["bread/SKILL.md", "bread/scripts/Run_it.sh"]
        modes = [oct(info.external_attr >> 16) for info in archive.infolist()]
        assert modes == ["0o100644", "0o100755"]


def test_the_same_files_give_the_same_bytes_whenever_they_were_written(skill: Path, tmp_path: Path) -> None:
    run("pack", str(skill), "--out", str(tmp_path / "a"))
    os.utime(skill / "SKILL.md", (1, 1))
    (skill / "SKILL.md").chmod(0o600)
    copy = add_skill(tmp_path / "elsewhere", "bread")
    run("pack", str(copy), "--out", str(tmp_path / "b"))
    run("pack", str(skill), "--out", str(tmp_path / "c"))
    first, second, third = ((tmp_path / name / "bread.skill").read_bytes() for name in "abc")
    assert first == second == third


def test_the_flat_layout_has_skill_md_at_its_top(skill: Path, tmp_path: Path) -> None:
    run("pack", "--layout", "flat", str(skill), "--out", str(tmp_path / "dist"))
    with zipfile.ZipFile(tmp_path / "dist" / "bread.zip") as archive:
        assert "SKILL.md" in archive.namelist()


def test_a_skill_with_an_error_is_not_packed_nor_any_other(skill: Path, tmp_path: Path) -> None:
    other = add_skill(tmp_path / "pack", "cake")
    (other / "SKILL.md").write_text("---\nname: pie\ndescription: Pies.\n---\n", encoding="utf-8")
    done = run("pack", str(tmp_path / "pack"), "--out", str(tmp_path / "dist"), code=1)
    assert "name-matches-directory" in done.stdout and "nothing was packed" in done.stderr
    assert not (tmp_path / "dist").exists()


def test_a_link_is_not_packed(skill: Path, tmp_path: Path) -> None:
    (skill / "scripts" / "again.sh").symlink_to("Run_it.sh")
    assert "is a link" in run("pack", str(skill), "--out", str(tmp_path / "dist"), code=2).stderr
    assert not (tmp_path / "dist").exists()


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """A private key and its public one."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    private, public = tmp_path / "key.pem", tmp_path / "key.pub.pem"
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    private.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none))
    public.write_bytes(key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    return private, public


def test_a_signature_answers_for_the_archive_and_for_the_folder_made_of_it(
    skill: Path, tmp_path: Path, keys: tuple[Path, Path]
) -> None:
    dist, (private, public) = tmp_path / "dist", keys
    run("pack", "--sign", str(private), "--out", str(dist), str(skill))
    assert "signed by this key" in run("pack", "--verify", str(public), str(dist / "bread.skill")).stdout
    with zipfile.ZipFile(dist / "bread.skill") as archive:
        archive.extractall(dist)
    assert "signed by this key" in run("pack", "--verify", str(public), str(dist / "bread")).stdout
    (dist / "bread" / "scripts" / "Run_it.sh").write_text("#!/bin/sh\ncurl evil\n", encoding="utf-8")
    assert (
        "Hash mismatch for 'scripts/Run_it.sh'"
        in run("pack", "--verify", str(public), str(dist / "bread"), code=1).stdout
    )
    (dist / "bread" / "scripts" / "Run_it.sh").write_text("#!/bin/sh\necho hi\n", encoding="utf-8")
    (dist / "bread" / "more.md").write_text("more", encoding="utf-8")
    assert "Extra files" in run("pack", "--verify", str(public), str(dist / "bread"), code=1).stdout


def test_another_key_and_a_missing_signature_do_not_verify(
    skill: Path, tmp_path: Path, keys: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    dist, (private, public) = tmp_path / "dist", keys
    run("pack", "--out", str(dist), str(skill))
    assert "nothing to hold" in run("pack", "--verify", str(public), str(dist / "bread.skill"), code=2).stderr
    run("pack", "--sign", str(private), "--out", str(dist), str(skill))
    other = tmp_path / "other.pem"
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    pem, kind = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    other.write_bytes(ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(pem, kind))
    run("pack", "--verify", str(other), str(dist / "bread.skill"), code=1)
    assert "cannot sign" in run("pack", "--sign", str(public), "--out", str(dist), str(skill), code=2).stderr


@pytest.mark.parametrize("name", ["../evil.sh", "/etc/evil", "bread/../../evil", "bread\\..\\evil"])
def test_an_archive_that_leaves_its_folder_is_refused(tmp_path: Path, keys: tuple[Path, Path], name: str) -> None:
    archive = tmp_path / "bread.skill"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("bread/SKILL.md", "x")
        file.writestr(name, "x")
    (tmp_path / "bread.oms.sig").write_text("{}", encoding="utf-8")
    done = run("pack", "--verify", str(keys[1]), str(archive), code=2)
    assert "leaves its folder" in done.stderr


def test_a_bomb_and_a_file_that_is_no_archive_are_refused(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    archive = tmp_path / "bread.skill"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bread/SKILL.md", b"\0" * (51 << 20))
    (tmp_path / "bread.oms.sig").write_text("{}", encoding="utf-8")
    assert "unpacks to more than 50 MiB" in run("pack", "--verify", str(keys[1]), str(archive), code=2).stderr
    archive.write_bytes(b"no zip")
    assert "not the archive of a skill" in run("pack", "--verify", str(keys[1]), str(archive), code=2).stderr


def test_without_the_extra_signing_says_what_to_install(skill: Path, tmp_path: Path, keys: tuple[Path, Path]) -> None:
    (tmp_path / "model_signing.py").write_text("raise ImportError('not here')\n", encoding="utf-8")
    command = [sys.executable, "-m", "skillpack", "pack", "--sign", str(keys[0]), "--out", str(tmp_path), str(skill)]
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 3 and "pip install 'skillpack[sign]'" in done.stderr
