"""Runs a command as leader of a session on a terminal of its own.

stdin and stdout of this program are the terminal's other side. Descriptor 3 takes orders, a
line each: `close` (the terminal goes away), `size ROWS COLUMNS`. Descriptor 4 gets the
command's wait status as a line when it has ended: `exit N` or `signal N`.
"""
import fcntl
import os
import select
import struct
import sys
import termios


def main():
    primary, secondary = os.openpty()
    fcntl.ioctl(primary, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    child = os.fork()
    if child == 0:
        os.close(primary)
        os.close(3)
        os.close(4)
        os.setsid()
        fcntl.ioctl(secondary, termios.TIOCSCTTY, 0)
        for fd in (0, 1, 2):
            os.dup2(secondary, fd)
        if secondary > 2:
            os.close(secondary)
        # Python ignores these two; the command shall not.
        import signal
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        os.execvp(sys.argv[1], sys.argv[1:])
    os.close(secondary)
    pump(primary)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status):
        text = "exit %d\n" % os.WEXITSTATUS(status)
    else:
        text = "signal %d\n" % os.WTERMSIG(status)
    os.write(4, text.encode())


def pump(primary):
    sources = [primary, 0, 3]
    orders = b""
    while primary in sources:
        readable, _, _ = select.select(sources, [], [])
        if primary in readable:
            try:
                data = os.read(primary, 65536)
            except OSError:
                data = b""
            if not data:
                return
            os.write(1, data)
        if 0 in readable:
            data = os.read(0, 65536)
            if data:
                os.write(primary, data)
            else:
                sources.remove(0)
        if 3 in readable:
            data = os.read(3, 4096)
            if not data:
                sources.remove(3)
            orders += data
            while b"\n" in orders:
                order, orders = orders.split(b"\n", 1)
                words = order.decode().split()
                if words[0] == "close":
                    os.close(primary)
                    return
                size = struct.pack("HHHH", int(words[1]), int(words[2]), 0, 0)
                fcntl.ioctl(primary, termios.TIOCSWINSZ, size)


main()
