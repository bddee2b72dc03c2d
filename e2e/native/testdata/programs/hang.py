# A worker that tells how it is, and hangs in the way that its argument names: a
# "start" never ends, a "heart" stops, a client that asks to "hang" is never done.
# TERM has it finish the client that it has.
import fcntl, os, signal, socket, sys, threading, time

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

address = os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1)
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

def tell(text):
    manager.sendto(text.encode(), address)

def beat(times):
    for _ in range(times):
        tell("WATCHDOG=1")
        time.sleep(0.1)

signal.signal(signal.SIGTERM, leave)
if sys.argv[1] == "start":
    os.open("fifo", os.O_RDONLY)  # until somebody writes
tell("READY=1\nX_BROOD_STATE=idle")
threading.Thread(target=beat, args=[3 if sys.argv[1] == "heart" else 1 << 30], daemon=True).start()
listener = socket.socket(fileno=3)
listener.setblocking(True)
client_fd = os.dup(0)  # the one that the next accept uses
os.close(client_fd)
while not leaving:
    waits = True
    client, _ = listener.accept()
    waits = False
    tell("X_BROOD_STATE=busy")
    if client.makefile().readline() == "hang\n":
        mine, other = open("lock", "w"), open("lock", "w")
        fcntl.flock(other, fcntl.LOCK_EX)
        fcntl.flock(mine, fcntl.LOCK_EX)  # until the other is closed
    client.sendall(b"%d\n" % os.getpid())
    client.close()
    tell("X_BROOD_STATE=idle")
