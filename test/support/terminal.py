"""The other end of a container's terminal, for tests.

  terminal.py receive SOCKET          listens as the caller of `--console-socket` or `--pidfd-socket` does
  terminal.py foreground ROWS COLUMNS COMMAND...   runs a command on a terminal of its own

The first line of stdout tells in JSON what was received. From then on what the terminal prints goes to stdout,
and lines on stdin say what to do: `write TEXT` (as JSON), `size ROWS COLUMNS`.
"""

import array
import fcntl
import json
import os
import pty
import select
import signal
import socket
import struct
import sys
import termios


def size_of(fd):
    return struct.unpack("HHHH", fcntl.ioctl(fd, termios.TIOCGWINSZ, b"\0" * 8))[:2]


def set_size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", int(rows), int(columns), 0, 0))


def say(line):
    os.write(1, (json.dumps(line) + "\n").encode())


def obey(master, line):
    verb, _, rest = line.partition(" ")
    if verb == "write":
        os.write(master, json.loads(rest).encode())
    elif verb == "size":
        set_size(master, *rest.split())


def relay(master):
    """Copies the terminal's output and obeys stdin until the terminal has no other end."""
    sources, pending = [master, 0], b""
    while True:
        for fd in select.select(sources, [], [])[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:  # EIO: the last process on the other end is gone
                return
            if fd == master:
                if not data:
                    return
                os.write(1, data)
            elif not data:
                sources.remove(0)
            else:
                *lines, pending = (pending + data).split(b"\n")
                for line in lines:
                    obey(master, line.decode())


def receive(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)
    say({"listening": path})
    connection, _ = listener.accept()
    data, ancillary, flags, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4 * 8))
    fds = array.array("i")
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(content)
    more = connection.recv(4096)
    say({
        "name": data.decode(),
        "messages": len(ancillary),
        "fds": len(fds),
        "truncated": bool(flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC)),
        "more": len(more),
        "terminal": os.isatty(fds[0]),
        "size": size_of(fds[0]) if os.isatty(fds[0]) else None,
    })
    relay(fds[0])


def foreground(rows, columns, *command):
    pid, master = pty.fork()
    if pid == 0:
        set_size(0, rows, columns)
        os.execvp(command[0], command)
    say({"pid": pid})
    relay(master)
    status = os.waitpid(pid, 0)[1]
    sys.exit(os.waitstatus_to_exitcode(status) % 256 if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    {"receive": receive, "foreground": foreground}[sys.argv[1]](*sys.argv[2:])
