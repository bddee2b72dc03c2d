# Answers datagrams, of which "slow" ones take a while, at the descriptor that its
# argument names. TERM has it answer the one that it has and leave.
import os, signal, socket, sys, time

s = socket.socket(fileno=int(sys.argv[1]))
leaving, leave = os.pipe()
os.set_blocking(leave, False)
signal.signal(signal.SIGTERM, lambda *_: None)
signal.set_wakeup_fd(leave)
import select
while True:
    ready, _, _ = select.select([s, leaving], [], [])
    if leaving in ready:
        break
    try:
        data, peer = s.recvfrom(1000, socket.MSG_DONTWAIT)
    except BlockingIOError:
        continue
    if data == b"slow":
        time.sleep(0.3)
    s.sendto(b"served by %d\n" % os.getpid(), peer)
