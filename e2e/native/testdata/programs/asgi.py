# An ASGI application that keeps its event loop busy.
import os, time

async def app(scope, receive, send):
    if scope["path"] == "/slow":
        time.sleep(0.3)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"served by %d\n" % os.getpid()})
