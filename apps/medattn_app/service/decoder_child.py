"""Runs in a process of its own: decodes one file after the other, each in a fork.

Started as a script by `decoder.Decoder`, with the path of a socket to listen on. What
takes too long or needs too much memory is ended by the kernel, and no file meets what
another one left behind. Where there is no fork, one file comes on standard input.
"""

import io
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable
from typing import IO

LENGTH = struct.Struct("!I")  # goes before the bytes of a file
ARRAYS, SENTENCE = b"a", b"s"  # what an answer begins with


def main(arguments: list[str]) -> None:
    """Serves files until standard input ends.

    Args:
        arguments: The address, or "-" for one file on standard input; then, as whole
            numbers, the two sides of the squares to make, the seconds of processor
            time, and the bytes of memory that a file may cost.
    """
    address, *numbers = arguments
    small, large, seconds, memory = map(int, numbers)

    # Whatever a file may need is imported before the first fork.
    from PIL import Image

    from medattn.data import fit_image, read_image

    Image.init()
    try:
        import pydicom.pixels.decoders  # noqa: F401
    except ImportError:
        pass

    def answer(content: bytes) -> bytes:
        import numpy as np

        try:
            image = read_image(content)
            side = min(large, max(image.shape[:2]))
            stream = io.BytesIO()
            for array in (fit_image(image, small), fit_image(image, side)):
                np.save(stream, array, allow_pickle=False)
        except ValueError as error:
            return SENTENCE + str(error).encode()
        return ARRAYS + stream.getvalue()

    if address == "-":
        sys.stdout.buffer.write(answer(sys.stdin.buffer.read()))
    else:
        _serve(address, answer, seconds, memory)


def _serve(
    address: str, answer: Callable[[bytes], bytes], seconds: int, memory: int
) -> None:
    import select

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the children
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:  # the server has ended, or was killed
                os.unlink(address)
                os.rmdir(os.path.dirname(address))
                return
            connection, _ = listener.accept()
            if os.fork():
                connection.close()
                continue
            try:
                listener.close()
                _limit(seconds, memory)
                with connection, connection.makefile("rwb") as stream:
                    stream.write(answer(_file(stream)))
            finally:
                os._exit(0)


def _limit(seconds: int, memory: int) -> None:
    """Lets the kernel end this process at the limits; it then says nothing."""
    import resource

    held = _virtual_memory()
    if held:
        resource.setrlimit(resource.RLIMIT_AS, (held + memory,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # no file is written
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)  # the networks go first


def _virtual_memory() -> int:
    """Returns what this process maps, in bytes; 0 where the system does not say."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _file(stream: IO[bytes] | io.BufferedRWPair) -> bytes:
    (length,) = LENGTH.unpack(stream.read(LENGTH.size))
    return stream.read(length)


if __name__ == "__main__":
    main(sys.argv[1:])
