"""A small library, and four documents with everything that a filter asks about."""

import pytest
from stand_in_stores import INSTALLED, SERVICES

from course_lib.core.session import cache_dir
from course_lib.retrieval.documents import Document
from course_lib.retrieval.index import Index
from course_lib.retrieval.stores import FaissStore

FILES = {
    "quillhaven.md": "---\nid: quillhaven\naudience: staff\n---\nQuillhaven bakes rye bread on Mondays.",
    "corrin.md": "---\nid: corrin\n---\nCorrin keeps eleven geese behind the mill.",
    "larkspit.txt": "Larkspit mends copper kettles for travellers.",
}


@pytest.fixture
def library(tmp_path):
    folder = tmp_path / "library"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def towns():
    return [
        Document("quillhaven", "Quillhaven", "Quillhaven bakes rye bread.", "2042-03-01", "notices", "staff"),
        Document("corrin", "Corrin", "Corrin keeps eleven geese.", "2040-06-30", "notices", "public"),
        Document("kelmarsh", "Kelmarsh", "The secret of Kelmarsh is MARMALADE.", "2041-01-15", "letters", "managers"),
        Document("larkspit", "Larkspit", "Larkspit mends copper kettles.", "", "letters", "public"),
    ]


@pytest.fixture
def index_of(small_embedder):
    """An index of some documents, in memory unless another store is given."""

    def make(*documents, store=None, **options):
        index = Index(small_embedder, store or FaissStore(), **options)
        index.add(*documents)
        return index

    return make


@pytest.fixture
def places():
    """The folders of all indexes that were built."""
    return lambda: sorted((cache_dir() / "indexes").iterdir())


@pytest.fixture(params=INSTALLED)
def service(request):
    """Pinecone and Weaviate, on this machine: each test with the one and with the other."""
    with SERVICES[request.param]() as service:
        yield service
