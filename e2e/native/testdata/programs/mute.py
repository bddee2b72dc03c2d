# A worker that says nothing to anybody: accept(2) at descriptor 3, one client at a
# time, each for as long as it asks for in its line, in seconds. TERM has it finish
# the client that it has.
import os, signal, socket, time

leaving = waits = False
client_fd = -1

def leave(*_):
    global leaving
    leaving = True
    try:
        os.fstat(client_fd)  # a client may be here that accept has not returned yet
    except OSError:
        if waits:
            os._exit(0)

signal.signal(signal.SIGTERM, leave)
listener = socket.socket(fileno=3)
listener.setblocking(True)
client_fd = os.dup(0)  # the one that the next accept uses
os.close(client_fd)
while not leaving:
    waits = True
    client, _ = listener.accept()
    waits = False
    time.sleep(float(client.makefile().readline()))
    client.sendall(b"%d\n" % os.getpid())
    client.close()
