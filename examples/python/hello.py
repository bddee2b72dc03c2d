"""Greets each line that a client sends; says busy and idle by sd_notify(3)."""
import os
import socket

manager = os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1)  # @ stands for an abstract address
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


def say(text):
    notify.sendto(text.encode(), manager)


listener = socket.socket(fileno=3)
listener.setblocking(True)
say("READY=1\nX_BROOD_STATE=idle")
while True:
    client, address = listener.accept()
    say("X_BROOD_STATE=busy")
    with client, client.makefile("rw") as lines:
        for name in lines:
            print(f"hello {name.strip()} from Python, worker {os.getpid()}", file=lines, flush=True)
    say("X_BROOD_STATE=idle")
