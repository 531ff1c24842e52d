internal import CUnbound
internal import DNSProtocol
internal import Foundation
internal import Synchronization

/// Who waits for answers, and the thread that gets them from libunbound.
///
/// Tasks leave questions and are woken by the thread; the library is called by the thread alone.
final class UnboundLoop: Sendable {
    private struct Waiting {
        var question: DNSQuestion
        var continuation: CheckedContinuation<DNSAnswer, Never>
    }

    private struct State {
        var nextID: UInt64 = 0
        /// Each is resumed by who takes it out.
        var waiting: [UInt64: Waiting] = [:]
        /// Not yet given to the library, in order.
        var fresh: [UInt64] = []
        var timeline = Timeline()
        var isStopping = false
        var hasStopped = false
        var stopWaiters: [CheckedContinuation<Void, Never>] = []
    }

    /// Questions that the library has not answered, with those that were given up.
    private static let maximumInLibrary = 8 * UnboundContext.questions

    private let state = Mutex(State())
    private let context: UnboundContext
    private let timeout: Duration
    /// An eventfd: written to when there is something new for the thread.
    private let wakeDescriptor: Int32

    init(context: UnboundContext, timeout: Duration) throws(ResolverSetupError) {
        self.context = context
        self.timeout = timeout
        wakeDescriptor = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
        guard wakeDescriptor >= 0 else {
            ub_ctx_delete(context.pointer)
            throw ResolverSetupError(description: "the resolver cannot start: no file descriptor is free")
        }
    }

    // MARK: For tasks

    func answer(to question: DNSQuestion) async -> DNSAnswer {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                submit(id, question, continuation)
                // A task that was cancelled before has had its handler called before there was something to cancel.
                if Task.isCancelled { end(id, with: .cancelled) }
            }
        } onCancel: {
            end(id, with: .cancelled)
        }
    }

    func stop() {
        state.withLock { state in
            state.isStopping = true
            if !state.hasStopped { wake() }
        }
    }

    func stopped() async {
        stop()
        await withCheckedContinuation { continuation in
            let hasStopped = state.withLock { state in
                if !state.hasStopped { state.stopWaiters.append(continuation) }
                return state.hasStopped
            }
            if hasStopped { continuation.resume() }
        }
    }

    private func submit(
        _ id: UInt64, _ question: DNSQuestion, _ continuation: CheckedContinuation<DNSAnswer, Never>
    ) {
        let waiting = Waiting(question: question, continuation: continuation)
        let isTaken = state.withLock { state in
            guard !state.isStopping else { return false }
            state.waiting[id] = waiting
            state.fresh.append(id)
            state.timeline.append(id, .now + timeout)
            wake()
            return true
        }
        if !isTaken { continuation.resume(returning: DNSAnswer(question: question, outcome: .failure(.cancelled))) }
    }

    private func end(_ id: UInt64, with failure: DNSAnswer.Failure) {
        guard let waiting = state.withLock({ $0.waiting.removeValue(forKey: id) }) else { return }
        waiting.continuation.resume(returning: DNSAnswer(question: waiting.question, outcome: .failure(failure)))
    }

    /// Called with the lock, so that the descriptor is open.
    private func wake() {
        var one: UInt64 = 1
        _ = write(wakeDescriptor, &one, MemoryLayout<UInt64>.size)
    }

    // MARK: For the thread

    /// Until `stop`.
    func run() {
        let driver = UnboundDriver(loop: self, context: context)
        while let work = nextWork(inLibrary: driver.count) {
            for expired in work.expired {
                expired.continuation.resume(
                    returning: DNSAnswer(question: expired.question, outcome: .failure(.timeout)))
            }
            for (id, question) in work.fresh { driver.ask(id, question) }
            driver.wait(wakeDescriptor, until: work.deadline)
        }
        driver.close()
        endAll()
    }

    private struct Work {
        var expired: [Waiting] = []
        var fresh: [(id: UInt64, question: DNSQuestion)] = []
        var deadline: ContinuousClock.Instant?
    }

    /// nil when the end has come.
    private func nextWork(inLibrary: Int) -> Work? {
        state.withLock { state in
            guard !state.isStopping else { return nil }
            var work = Work()
            let now = ContinuousClock.Instant.now
            while let id = state.timeline.popExpired(at: now) {
                if let expired = state.waiting.removeValue(forKey: id) { work.expired.append(expired) }
            }
            if !work.expired.isEmpty { state.fresh.removeAll { state.waiting[$0] == nil } }
            state.timeline.drop { state.waiting[$0] == nil }
            work.deadline = state.timeline.first
            // Those that nobody waits for any more hold up nobody, until there are too many of them.
            let active = max(0, state.waiting.count - state.fresh.count)
            let room = min(UnboundContext.questions - active, UnboundLoop.maximumInLibrary - inLibrary)
            let ids = state.fresh.prefix(max(0, room))
            work.fresh = ids.compactMap { id in state.waiting[id].map { (id, $0.question) } }
            state.fresh.removeFirst(ids.count)
            return work
        }
    }

    /// libunbound's answer to a question that may have ended before.
    func finish(_ id: UInt64, _ answer: DNSAnswer) {
        guard let waiting = state.withLock({ $0.waiting.removeValue(forKey: id) }) else { return }
        waiting.continuation.resume(returning: answer)
    }

    private func endAll() {
        let (waiting, stopWaiters) = state.withLock { state in
            state.hasStopped = true
            defer {
                state.waiting = [:]
                state.fresh = []
                state.stopWaiters = []
            }
            return (Array(state.waiting.values), state.stopWaiters)
        }
        Foundation.close(wakeDescriptor)
        for one in waiting {
            one.continuation.resume(returning: DNSAnswer(question: one.question, outcome: .failure(.cancelled)))
        }
        for waiter in stopWaiters { waiter.resume() }
    }
}
