internal import Foundation
internal import Glibc
internal import Synchronization

/// SIGTERM, SIGINT and SIGHUP as a stream of events, in the place of their ending the process.
///
/// A handler writes the signal's number into a pipe, which a thread of its own reads: from the end of `init` on none is lost, which
/// Dispatch's sources, registered a moment later by another thread, do not promise.
final class Signals: Sendable {
    enum Event: Sendable {
        /// SIGTERM or SIGINT: end cleanly.
        case end
        /// SIGHUP: read the certificate and the log level again, open the log anew.
        case reload
    }

    let events: AsyncStream<Event>
    /// The writing end of the pipe, for the handler, which may use nothing but `write`.
    private static let pipe = Atomic<Int32>(-1)
    private static let numbers: [Int32] = [SIGTERM, SIGINT, SIGHUP]
    private let writingEnd: Int32

    /// - Parameter ending: called once, on a thread that serves nobody else, when the first signal to end comes: also when nobody
    ///   reads `events` any more.
    init(ending: @escaping @Sendable () -> Void) {
        // One event waits at a time: many reloads are one, and an end takes the place of a reload.
        let (events, continuation) = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .bufferingNewest(1))
        self.events = events
        var ends: [Int32] = [-1, -1]
        let result = Glibc.pipe(&ends)
        precondition(result == 0, "a process without a descriptor left cannot serve")
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let readingEnd = ends[0]
        writingEnd = ends[1]
        Signals.pipe.store(writingEnd, ordering: .releasing)
        // A peer that closes its end while we write must not end the server.
        signal(SIGPIPE, SIG_IGN)
        for number in Signals.numbers {
            signal(number) { number in
                let code = errno
                var byte = UInt8(truncatingIfNeeded: number)
                _ = Glibc.write(Signals.pipe.load(ordering: .acquiring), &byte, 1)
                errno = code
            }
        }
        let thread = Thread {
            var hasEnded = false
            var byte: UInt8 = 0
            while true {
                let count = Glibc.read(readingEnd, &byte, 1)
                if count < 0, errno == EINTR { continue }
                guard count == 1 else { break }
                guard Int32(byte) != SIGHUP else {
                    if !hasEnded { continuation.yield(.reload) }
                    continue
                }
                if !hasEnded { ending() }
                hasEnded = true
                continuation.yield(.end)
            }
            close(readingEnd)
            continuation.finish()
        }
        thread.name = "signals"
        thread.stackSize = 1 << 18
        thread.start()
    }

    deinit {
        for number in Signals.numbers { signal(number, SIG_IGN) }
        Signals.pipe.store(-1, ordering: .releasing)
        close(writingEnd)
    }
}

/// As many descriptors as the system allows: a connection is one.
func raiseDescriptorLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < limit.rlim_max else {
        return
    }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}
