"""A service that speaks sd_notify(3) by hand. Its arguments are a script, as imp's are:

    teller.py tell READY=1 sleep 50 tell STATUS=serving alive 100 pause

`tell TEXT`      sends one datagram (TEXT with `,` for line breaks) to NOTIFY_SOCKET
`tell-fd N`      writes a line to descriptor N
`alive MS`       sends WATCHDOG=1 so often from here on, in a thread
`until PATH`     waits until there is such a file
`sleep MS`
`fork WORDS -`   a child does the words up to the `-`
`daemon`         forks twice; the parents leave when the last one has told its MAINPID
`store NAME`     opens a listening socket, keeps it with FDSTORE=1
`print NAME`     prints an environment variable, or that it is missing
`fds`            prints the descriptors that LISTEN_FDS announces
`on-hup WORDS -` does the words up to the `-` at each HUP
`deaf`           takes no notice of TERM
`exit N`, `pause`
"""

import os
import signal
import socket
import sys
import threading
import time


def send(text, fds=()):
    path = os.environ["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.connect("\0" + path[1:] if path.startswith("@") else path)
        data = text.replace(",", "\n").encode()
        if fds:
            socket.send_fds(told, [data], list(fds))
        else:
            told.send(data)


def alive(ms):
    def beat():
        while True:
            send("WATCHDOG=1")
            time.sleep(ms / 1000)

    threading.Thread(target=beat, daemon=True).start()


def daemon():
    """The way of daemons: the first parent leaves when the last child has said who it is."""
    reading, writing = os.pipe()
    if os.fork() > 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    os.setsid()
    if os.fork() > 0:
        os._exit(0)
    os.close(reading)
    send(f"MAINPID={os.getpid()}")
    os.write(writing, b"x")
    os.close(writing)


def block(words):
    """The words up to a `-`."""
    taken = []
    while words and words[0] != "-":
        taken.append(words.pop(0))
    if words:
        words.pop(0)
    return taken


def run(words):
    words = list(words)
    while words:
        word = words.pop(0)
        if word == "tell":
            send(words.pop(0))
        elif word == "tell-fd":
            os.write(int(words.pop(0)), b"ready\n")
        elif word == "alive":
            alive(int(words.pop(0)))
        elif word == "until":
            path = words.pop(0)
            while not os.path.exists(path):
                time.sleep(0.005)
        elif word == "sleep":
            time.sleep(int(words.pop(0)) / 1000)
        elif word == "fork":
            inner = block(words)
            if os.fork() == 0:
                run(inner)
                os._exit(0)
        elif word == "daemon":
            daemon()
        elif word == "store":
            name = words.pop(0)
            kept = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            kept.bind(("127.0.0.1", 0))
            kept.listen()
            print("stored", kept.getsockname()[1], flush=True)
            send(f"FDSTORE=1,FDNAME={name}", [kept.fileno()])
        elif word == "print":
            name = words.pop(0)
            print(f"{name}={os.environ.get(name, 'missing')}", flush=True)
        elif word == "fds":
            for number in range(int(os.environ.get("LISTEN_FDS", "0"))):
                name = os.environ["LISTEN_FDNAMES"].split(":")[number]
                given = socket.socket(fileno=3 + number)
                print("given", name, given.getsockname()[1], flush=True)
        elif word == "on-hup":
            inner = block(words)
            signal.signal(signal.SIGHUP, lambda *_, inner=inner: run(inner))
        elif word == "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        elif word == "exit":
            os._exit(int(words.pop(0)))
        elif word == "pause":
            while True:
                time.sleep(3600)
        else:
            sys.exit(f"teller: unknown word {word}")


run(sys.argv[1:])
