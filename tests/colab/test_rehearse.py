"""What a rehearsal takes from a published image. The rehearsal itself: `make test-colab`, minutes."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import rehearse  # noqa: E402

PUBLISHED = """# Do not modify
torch==2.11.0+cu128
PyYAML==6.0.3
ipython_genutils==0.2.0
gdown==5.2.2
en_core_web_sm @ https://example.org/en_core_web_sm-3.8.0-py3-none-any.whl#sha256=19
google-colab @ file:///colabtools/dist/google_colab-1.0.0.tar.gz
"""


def test_of_an_image_only_what_the_course_touches_is_taken():
    assert rehearse.chosen(PUBLISHED) == {"torch": "2.11.0+cu128", "pyyaml": "6.0.3", "ipython-genutils": "0.2.0"}


def test_the_stored_image_is_taken_whole():
    image = rehearse.IMAGE.read_text(encoding="utf-8")
    assert len(rehearse.chosen(image)) == sum("==" in line for line in image.splitlines()) > 150


def test_the_cell_is_rehearsed_as_it_stands_but_for_where_it_works():
    assert rehearse.ADDRESS.startswith("https://github.com/") and "/content" in rehearse.SETUP


def test_what_is_no_longer_as_the_image_had_it_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(rehearse, "VENV", tmp_path)
    (tmp_path / "image.txt").write_text("pyarrow==18.1.0\ntorchao==0.10.0\n", encoding="utf-8")
    (tmp_path / "lib/python3.13/site-packages/torchao-0.10.0.dist-info").mkdir(parents=True)
    assert rehearse.unchanged("torchao") and not rehearse.unchanged("pyarrow")
    assert rehearse.unchanged("vllm"), "which the image never had"
