"""A WSGI application, for gunicorn."""


def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "1"), ("Connection", "close")])
    return [b"x"]
