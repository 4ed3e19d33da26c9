#!/usr/bin/env python3
"""handle.py -- file handles that outlive a mount.

    handle.py save PATH STORE           name_to_handle_at, written to STORE
    handle.py open MOUNT STORE TEXT     open_by_handle_at; the file must hold TEXT
"""
import os
import sys

from posix_names import Handle, handle_of, open_handle

if sys.argv[1] == "save":
    with open(sys.argv[3], "wb") as f:
        f.write(bytes(handle_of(sys.argv[2])))
else:
    with open(sys.argv[3], "rb") as f:
        handle = Handle.from_buffer_copy(f.read())
    root = os.open(sys.argv[2], os.O_RDONLY)
    got = os.read(open_handle(root, handle), 100).decode().strip()
    assert got == sys.argv[4], got
