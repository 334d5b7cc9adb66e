"""A small HTTP server that says what a test wants, and remembers what it was asked; and a server to be started."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# What a test starts instead of `transformers serve`: answers /v1/models on the port that it is given.
STAND_IN = """
import sys, threading, os
from http.server import BaseHTTPRequestHandler, HTTPServer
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"{}")
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def chat(text="Rome", prompt_tokens=11, completion_tokens=2):
    """A chat completion, as the API answers."""
    return {
        "id": "1", "object": "chat.completion", "created": 0, "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens, "total_tokens": 13},
    }  # fmt: skip


class Api:
    """What the server answers next (status, body, perhaps headers), and the (path, body, key) that it was asked."""

    def __init__(self, url: str) -> None:
        self.url, self.asked, self.answer = url, [], lambda path, body: (200, chat())


@contextmanager
def api() -> Iterator[Api]:
    """An API on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            raw = self.rfile.read(int(self.headers["Content-Length"] or 0))
            is_json = raw and "json" in self.headers["Content-Type"]
            body = json.loads(raw) if is_json else raw
            state.asked.append((self.path, body, self.headers["Authorization"] or self.headers["api-key"]))
            status, said, *headers = state.answer(self.path, body)
            text = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if text.startswith(b"<") else "application/json")
            self.send_header("Content-Length", str(len(text)))
            for name, value in dict(*headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state = Api(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
