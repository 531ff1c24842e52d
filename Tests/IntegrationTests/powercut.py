"""What a disk can hold after a power cut, worked out from the log of preload/recorder.c.

The reading of the system's promises is the strict one wherever file systems differ:

- Octets of a file are durable when an fsync or fdatasync of it has ended that began after they were written. Of all others, any
  part may be there: every write by itself, in any order, whole, not at all, or torn at sectors of 512 octets.
- A name in a directory (made, renamed, removed) is durable when an fsync of that directory has ended that began afterwards. Syncing
  the file itself does not help. Of all other changes any part may be there, each name by itself; a rename is atomic.
- A file that grew may have its size without its octets; they read as zeros.
- Directories themselves (mkdir) are taken to be there once made, and are not removed: every journal orders them before what is in
  them. `unsynced_directories` tells where a program relies on that.
"""

import os
import random
import struct
from pathlib import Path

SECTOR = 512
HEAD = struct.Struct("=cc2xIQqI")


def records(log, start=0):
    """Yields (end, kind, inode, number, text, data) for each whole record of the log's octets."""
    view = memoryview(log)
    while start + HEAD.size <= len(view):
        mark, kind, data_length, inode, number, text_length = HEAD.unpack_from(view, start)
        assert mark == b"R", f"the log is damaged at {start}"
        text = start + HEAD.size
        end = text + text_length + data_length
        if end > len(view):
            return
        yield end, kind.decode(), inode, number, bytes(view[text : text + text_length]).decode(), view[text + text_length : end]
        start = end


class File:
    def __init__(self, content=b""):
        self.content = bytearray(content)  # what is durable
        self.pending = []  # (time, offset, data), or (time, size, None): not synced

    @staticmethod
    def apply(content, offset, data):
        if data is None:
            del content[offset:]
            content.extend(bytes(offset - len(content)))
        else:
            content.extend(bytes(max(0, offset - len(content))))
            content[offset : offset + len(data)] = data

    def sync(self, time):
        for change in self.pending:
            if change[0] < time:
                File.apply(self.content, *change[1:])
        self.pending = [change for change in self.pending if change[0] >= time]


class Disk:
    """The files below one directory, as far as they are durable, and what is under way. `ignored`: tells of the path of a file or
    directory whether its syncs do nothing, as on a disk that lies: for showing that the test would notice."""

    def __init__(self, ignored=lambda path: False):
        self.ignored = ignored
        self.directories = {""}
        self.names = {}  # path -> File, durable
        self.pending_names = []  # (time, ((path, File or None), ...))
        self.now = {}  # path -> File, as the program sees it
        self.unsynced_directories = set()
        self.inodes = {}
        self.paths = {}
        self.began = {}
        self.time = 0
        self.position = 0

    @staticmethod
    def holding(state, directories):
        """A disk with files on it that are durable: what an earlier cut left."""
        disk = Disk()
        disk.directories = set(directories)
        disk.names = {path: File(content) for path, content in state.items()}
        disk.now = dict(disk.names)
        return disk

    def advance(self, log, position):
        """Applies the records up to a position of the log."""
        for end, *record in records(memoryview(log)[:position], self.position):
            self.position = end
            self.time += 1
            self.take(*record)

    def take(self, kind, inode, number, text, data):
        match kind:
            case "O":
                if number == 1 or text not in self.now:
                    assert number == 1, f"{text} is not known"
                    self.now[text] = File()
                    self.pending_names.append((self.time, ((text, self.now[text]),)))
                self.inodes[inode] = self.now[text]
                self.paths[inode] = text
            case "W":
                self.inodes[inode].pending.append((self.time, number, bytes(data)))
            case "T":
                self.inodes[inode].pending.append((self.time, number, None))
            case "B" | "b":
                self.began[number] = self.time
            case "E":
                began = self.began.pop(number)
                if not self.ignored(self.paths[inode]):
                    self.inodes[inode].sync(began)
            case "e":
                began = self.began.pop(number)
                if not self.ignored(text):
                    self.sync_names(text, began)
            case "D":
                self.directories.add(text)
                self.unsynced_directories.add((text, self.time))
            case "X":
                raise AssertionError(f"{text}: directories are not expected to go")
            case "R":
                to = bytes(data).decode()
                self.now[to] = self.now.pop(text)
                self.pending_names.append((self.time, ((text, None), (to, self.now[to]))))
            case "U":
                self.now.pop(text, None)  # a socket is none of ours
                self.pending_names.append((self.time, ((text, None),)))
            case _:
                raise AssertionError(f"an unknown record: {kind}")

    def sync_names(self, directory, time):
        rest = []
        for entry in self.pending_names:
            if entry[0] < time and all(os.path.dirname(path) == directory for path, _ in entry[1]):
                self.bind(self.names, entry[1])
            else:
                rest.append(entry)
        self.pending_names = rest
        self.unsynced_directories = {
            (path, made) for path, made in self.unsynced_directories if os.path.dirname(path) != directory or made >= time
        }

    @staticmethod
    def bind(names, changes):
        for path, file in changes:
            if file is None:
                names.pop(path, None)
            else:
                names[path] = file

    # What a restart finds

    def cut(self, generator, keep=None):
        """One of the states in which a power cut at this moment can leave the disk: path -> octets.
        `keep`: the part of what is not synced that is there; by itself nothing, all, or any part."""
        if keep is None:
            keep = generator.choice((0.0, 1.0, generator.random(), generator.random()))
        names = dict(self.names)
        for _, changes in self.pending_names:
            if generator.random() < keep:
                Disk.bind(names, changes)
        return {path: self.content(names[path], generator, keep) for path in sorted(self.kept(names))}

    @staticmethod
    def kept(names):
        """SQLite's -shm is memory, not durable; the log and the lock say nothing about mail."""
        return {path for path in names if not path.endswith("-shm") and path not in ("log", "store/lock")}

    @staticmethod
    def content(file, generator, keep):
        content = bytearray(file.content)
        for _, offset, data in file.pending:
            if data is None:
                if generator.random() < keep:
                    File.apply(content, offset, None)
            elif keep == 1.0 or generator.random() < keep * 0.8:
                File.apply(content, offset, data)
            elif keep > 0 and generator.random() < 0.5:
                Disk.tear(content, offset, data, generator)
        return content

    @staticmethod
    def tear(content, offset, data, generator):
        end = offset + len(data)
        share = generator.random()
        for start in range(offset // SECTOR * SECTOR, end, SECTOR):
            if generator.random() < share:
                first, last = max(start, offset), min(start + SECTOR, end)
                File.apply(content, first, data[first - offset : last - offset])
        if len(content) < end and generator.random() < 0.5:
            content.extend(bytes(end - len(content)))

    def write(self, state, directory):
        directory = Path(directory)
        for path in sorted(self.directories):
            (directory / path).mkdir(parents=True, exist_ok=True)
        for path, content in state.items():
            (directory / path).write_bytes(content)
            os.chmod(directory / path, 0o600)

    def running(self):
        """The files as the program sees them: path -> octets."""
        return {path: self.content(self.now[path], random.Random(0), 1.0) for path in self.kept(self.now)}
