"""flood.py ADDRESS STOP -- takes all descriptors that a node has left, by silent connections.

Goes on until the file STOP is there, for a minute at most. Prints a line when the node took no
more for half a second.
"""
import os
import socket
import sys
import time


def alive(s):
    try:
        return s.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def main():
    host, port = sys.argv[1].split(":")
    held, end, said, grown = [], time.time() + 60, False, time.time()
    while not os.path.exists(sys.argv[2]) and time.time() < end:
        before = len(held)
        for _ in range(20):
            s = socket.socket()
            s.settimeout(0.2)
            try:
                s.connect((host, int(port)))
            except OSError:
                s.close()
                break
            s.setblocking(False)
            held.append(s)
        time.sleep(0.05)
        held = [s for s in held if alive(s)]
        if len(held) > before:
            grown = time.time()
        if not said and time.time() - grown > 0.5:
            print("held", len(held), flush=True)
            said = True


main()
