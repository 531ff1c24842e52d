internal import Dispatch
internal import Foundation
internal import Glibc
internal import Synchronization

/// Where log lines go: standard error and a file. Lines are gathered and written by a thread of its own, so that no
/// event loop waits for a disk or for a pipe that nobody reads; what cannot be kept is counted and said, never waited for.
package final class LogSink: Sendable {
    /// Octets that may wait; beyond, lines are dropped and counted.
    static let maximumPending = 4 << 20

    /// One event for the journal, and its line for the case that the journal does not take it.
    private struct Entry {
        var bytes: [UInt8]
        var line: String
    }

    private struct State {
        var pending: [UInt8] = []
        var entries: [Entry] = []
        var entryBytes = 0
        var dropped = 0
        var file: Int32
        var isClosed = false
    }

    private let path: String?
    private let writesToStandardError: Bool
    private let standardError: Int32
    /// In the place of standard error.
    private let journal: JournalSocket?
    private let state: Mutex<State>
    /// Held while lines are taken and written, so that they stay in order whoever writes them. Lines that neither the journal nor
    /// standard error took, and of which nobody has been told yet.
    private let unheard = Mutex(0)
    /// Wakes the thread. Both live as long as the process: there is one sink in it.
    private let work = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - path: the file, appended to and readable by its owner only; nil: standard error alone.
    ///   - journal: takes entries instead of standard error.
    ///   - standardError: another descriptor in its place, for tests.
    package init(
        path: String?, writesToStandardError: Bool = true, journal: JournalSocket? = nil, standardError: Int32 = 2
    ) {
        self.path = path
        self.journal = journal
        self.writesToStandardError = writesToStandardError
        self.standardError = standardError
        state = Mutex(State(file: path.map(LogSink.open) ?? -1))
        Thread.detachNewThread { [self] in
            while true {
                work.wait()
                flush()
            }
        }
    }

    /// Takes one line, without its LF. Does not wait.
    /// - Parameter entry: the same for the journal, where there is one.
    package func write(_ line: String, entry: [UInt8]? = nil) {
        let isFirst = state.withLock { state in
            guard !state.isClosed else { return false }
            let size = line.utf8.count + (entry?.count ?? 0)
            guard state.pending.count + state.entryBytes + size < LogSink.maximumPending else {
                state.dropped += 1
                return false
            }
            let wasEmpty = state.pending.isEmpty
            state.pending.append(contentsOf: line.utf8)
            state.pending.append(UInt8(ascii: "\n"))
            if let entry, journal != nil {
                state.entries.append(Entry(bytes: entry, line: line))
                state.entryBytes += entry.count
            }
            return wasEmpty
        }
        if isFirst { work.signal() }
    }

    /// Opens the file again, for log rotation. When it cannot be opened, the log goes on in the old one.
    package func reopen() {
        guard let path else { return }
        let next = LogSink.open(path)
        guard next >= 0 else { return }
        let old = state.withLock { state in
            if state.file < 0 { state.file = next }
            return state.file
        }
        guard old != next else { return }
        // The descriptor keeps its number. The thread may be writing to it at this moment, and a number that was closed
        // might be a connection's by then.
        if dup2(next, old) >= 0 { _ = fcntl(old, F_SETFD, FD_CLOEXEC) }
        close(next)
    }

    /// Writes what waits and takes nothing more. Called once, as the process ends.
    package func finish() {
        state.withLock { $0.isClosed = true }
        flush()
    }

    private static func open(_ path: String) -> Int32 {
        Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    }

    /// Writes what waits, after whatever is being written.
    package func flush() { unheard.withLock { unheard in writePending(&unheard) } }

    private func writePending(_ unheard: inout Int) {
        let (bytes, entries, file, dropped) = state.withLock { state in
            defer {
                state.pending = []
                state.entries = []
                state.entryBytes = 0
                state.dropped = 0
            }
            return (state.pending, state.entries, state.file, state.dropped)
        }
        // Another thread has written it.
        guard !bytes.isEmpty || dropped > 0 else { return }
        var output = bytes
        let told = "\(dropped) log lines were dropped here: they came faster than they could be written"
        if dropped > 0 { output += Array("… \(told)\n".utf8) }
        // A log that cannot be written (disk full) must not stop the mail.
        if file >= 0 { writeAll(output, to: file) }
        guard writesToStandardError else { return }
        let notice = unheard > 0 ? missing(unheard) : nil
        guard let journal else {
            if let notice, LogSink.offer(Array("… \(notice)\n".utf8), to: standardError) == 0 { unheard = 0 }
            unheard += LogSink.offer(output, to: standardError)
            return
        }
        // One wait for all of them: the file's next lines wait too, and so does the end of the server.
        var patience = JournalSocket.patience
        func send(_ entry: [UInt8]) -> Bool {
            if journal.send(entry, patience: patience) { return true }
            patience = 0
            return false
        }
        if let notice, send(LogSink.warning(notice)) { unheard = 0 }
        if dropped > 0 { _ = send(LogSink.warning(told)) }
        for entry in entries where !send(entry.bytes) {
            unheard += LogSink.offer(Array((entry.line + "\n").utf8), to: standardError)
        }
    }

    private func missing(_ count: Int) -> String {
        "\(count) log lines are missing here: nobody took them in time" + (path == nil ? "" : "; the log file has them")
    }

    private static func warning(_ text: String) -> [UInt8] {
        JournalEntry(level: .warning, label: "log", message: text, fields: []).bytes
    }

    /// Writes in pieces that a pipe takes at once, and leaves the rest when nobody reads.
    /// - Returns: how many lines are left, one that is cut counted too.
    private static func offer(_ bytes: [UInt8], to file: Int32) -> Int {
        var rest = bytes[...]
        while !rest.isEmpty {
            var descriptor = pollfd(fd: file, events: Int16(POLLOUT), revents: 0)
            guard poll(&descriptor, 1, 0) == 1, descriptor.revents & Int16(POLLOUT) != 0 else { break }
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, min($0.count, Int(PIPE_BUF))) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            rest = rest.dropFirst(count)
        }
        return rest.count { $0 == UInt8(ascii: "\n") }
    }
}
