"""Greets everybody, and falls over when it is asked for /user."""
import os
from http.server import BaseHTTPRequestHandler, HTTPServer


class Greeter(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/user":
            os._exit(1)
        body = b"Hello!\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


HTTPServer(("127.0.0.1", int(os.environ.get("APP_PORT", "8000"))), Greeter).serve_forever()
