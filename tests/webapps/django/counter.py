"""Counts what is posted to it, for tests/it/front_check: `gunicorn counter:application`, with one worker.

POST /count/ID counts this id. GET /counts answers how many ids were posted, and those that were posted more than once.
Every other request is answered with two bytes.
"""

import json
from collections import Counter
from threading import Lock

posted = Counter()
lock = Lock()


def application(environ, start_response):
    path = environ["PATH_INFO"]
    body = b"ok"
    if environ["REQUEST_METHOD"] == "POST":
        environ["wsgi.input"].read()
        with lock:
            posted[path] += 1
    elif path == "/counts":
        with lock:
            twice = [path for path, times in posted.items() if times > 1]
            body = json.dumps({"posted": len(posted), "twice": twice}).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
