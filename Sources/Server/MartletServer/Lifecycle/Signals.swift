@preconcurrency internal import Dispatch
internal import Glibc
internal import Synchronization

/// SIGTERM, SIGINT and SIGHUP as a stream of events, in the place of their ending the process.
final class Signals: Sendable {
    enum Event: Sendable {
        /// SIGTERM or SIGINT: end cleanly.
        case end
        /// SIGHUP: read the certificate and the log level again, open the log anew.
        case reload
    }

    let events: AsyncStream<Event>
    /// Signals are the process's.
    private static let hasEnded = Atomic<Bool>(false)
    private let continuation: AsyncStream<Event>.Continuation
    private let sources: [any DispatchSourceSignal]

    /// - Parameter ending: called once, on a thread that serves nobody else, when the first signal to end comes: also when nobody
    ///   reads `events` any more.
    init(ending: @escaping @Sendable () -> Void) {
        let (events, continuation) = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .bufferingOldest(16))
        self.events = events
        self.continuation = continuation
        let queue = DispatchQueue(label: "signals")
        // A peer that closes its end while we write must not end the server.
        signal(SIGPIPE, SIG_IGN)
        sources = [(SIGTERM, Event.end), (SIGINT, .end), (SIGHUP, .reload)].map { number, event in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                if case .end = event, !Signals.hasEnded.exchange(true, ordering: .relaxed) { ending() }
                continuation.yield(event)
            }
            source.resume()
            return source
        }
    }

    deinit {
        for source in sources { source.cancel() }
        continuation.finish()
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
