"""tls_way.py -- somebody on the way between two nodes: listens, records, cuts, replays.

    tls_way.py record PORTFILE TO FILE     passes bytes on; FILE gets what the dialing side sent
    tls_way.py cut PORTFILE TO BYTES       hangs up both after so many bytes of the answer
    tls_way.py replay TO FILE              sends FILE again; prints how many bytes came back
    tls_way.py send TO HEX                 sends bytes, prints what comes back as text
    tls_way.py sniff DEVICE FILE SECONDS   writes every packet to FILE (root)
"""
import os
import select
import socket
import sys
import threading
import time


def connect(to):
    host, port = to.rsplit(':', 1)
    s = socket.create_connection((host, int(port)), 10)
    s.settimeout(20)
    return s


def drain(s):
    got = b''
    try:
        while piece := s.recv(65536):
            got += piece
    except OSError:
        pass
    return got


def listen(portfile):
    s = socket.socket()
    s.bind(('127.0.0.1', 0))
    s.listen(16)
    with open(portfile + '.new', 'w') as f:
        f.write('127.0.0.1:%d' % s.getsockname()[1])
    os.rename(portfile + '.new', portfile)
    return s


def pass_on(client, to, log, answer_max):
    server = connect(to)
    left = answer_max
    pair = {client: server, server: client}
    while True:
        for s in select.select(list(pair), [], [])[0]:
            data = s.recv(65536)
            if s is server and left is not None:
                data = data[:left]
                left -= len(data)
            if s is client and log:
                log.write(data)
                log.flush()
            if data:
                pair[s].sendall(data)
            if not data or left == 0:
                client.close()
                server.close()
                return


def serve(portfile, to, log=None, answer_max=None):
    s = listen(portfile)

    def one(c):
        try:
            pass_on(c, to, log, answer_max)
        except OSError:
            c.close()

    while True:
        threading.Thread(target=one, args=(s.accept()[0],), daemon=True).start()


def sniff(device, path, seconds):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE: it may not run for a while
    s.bind((device, 0))
    s.settimeout(0.2)
    end = time.time() + seconds
    with open(path, 'wb') as f:
        while time.time() < end and not os.path.exists(path + '.stop'):
            try:
                f.write(s.recv(70000))
            except TimeoutError:
                pass


mode, args = sys.argv[1], sys.argv[2:]
if mode == 'record':
    serve(args[0], args[1], log=open(args[2], 'wb'))
elif mode == 'cut':
    serve(args[0], args[1], answer_max=int(args[2]))
elif mode == 'sniff':
    sniff(args[0], args[1], float(args[2]))
else:
    c = connect(args[0])
    c.sendall(open(args[1], 'rb').read() if mode == 'replay' else bytes.fromhex(args[1]))
    back = drain(c)
    print(len(back) if mode == 'replay' else back.decode('latin-1'))
