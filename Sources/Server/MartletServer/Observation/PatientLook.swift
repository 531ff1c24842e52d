internal import Synchronization

/// A look at something that may hang, such as a disk.
///
/// One is under way at a time, whoever asks and however often. Nobody waits longer than `patience` for it; once it has been out for that
/// long, nobody waits for it at all until it comes back.
package final class PatientLook<Value: Sendable>: Sendable {
    /// An answer is good for at most so long.
    package static var longestRest: Duration { .seconds(300) }

    private struct State {
        /// When the look that is under way began.
        var began: ContinuousClock.Instant?
        var waiting: [UInt64: AsyncStream<Value>.Continuation] = [:]
        var next: UInt64 = 0
        /// The last answer, and until when it is good.
        var kept: (value: Value, until: ContinuousClock.Instant)?
    }

    private let patience: Duration
    private let rest: Int
    private let body: @Sendable () async -> Value
    private let state = Mutex(State())

    /// - Parameters:
    ///   - patience: how long one who asks waits.
    ///   - rest: an answer is good for so many times as long as it took, also one that came too late for who asked.
    ///   - body: the look. It is never cancelled.
    package init(patience: Duration, rest: Int = 0, _ body: @escaping @Sendable () async -> Value) {
        self.patience = patience
        self.rest = rest
        self.body = body
    }

    /// What is seen; nil when it does not come in time.
    package func callAsFunction() async -> Value? {
        let (answers, answer) = AsyncStream<Value>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let now = ContinuousClock.now
        let (kept, number, began) = state.withLock { state -> (Value?, UInt64, ContinuousClock.Instant?) in
            if let kept = state.kept, kept.until > now { return (kept.value, 0, nil) }
            let (number, began) = (state.next, state.began)
            state.next &+= 1
            state.waiting[number] = answer
            if began == nil { state.began = now }
            return (nil, number, began)
        }
        if let kept { return kept }
        if began == nil { Task.detached { [self] in await look(since: now) } }
        let end = (began ?? now) + patience
        let timer = Task {
            if end > .now { try? await Task.sleep(until: end, clock: .continuous) }
            answer.finish()
        }
        defer {
            timer.cancel()
            _ = state.withLock { $0.waiting.removeValue(forKey: number) }
        }
        for await value in answers { return value }
        return nil
    }

    private func look(since began: ContinuousClock.Instant) async {
        let value = await body()
        let now = ContinuousClock.now
        let good = min((now - began) * rest, PatientLook.longestRest)
        let waiting = state.withLock { state in
            state.kept = good > .zero ? (value: value, until: now + good) : nil
            state.began = nil
            defer { state.waiting = [:] }
            return state.waiting
        }
        for answer in waiting.values {
            answer.yield(value)
            answer.finish()
        }
    }
}
