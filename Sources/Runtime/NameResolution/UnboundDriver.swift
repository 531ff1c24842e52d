internal import CUnbound
internal import DNSProtocol
internal import Foundation

/// The one that calls libunbound: lives on the loop's thread, and knows the questions that the library works on.
final class UnboundDriver {
    /// What the library gives back with an answer.
    private final class Call {
        let id: UInt64
        let question: DNSQuestion
        unowned let driver: UnboundDriver

        init(id: UInt64, question: DNSQuestion, driver: UnboundDriver) {
            self.id = id
            self.question = question
            self.driver = driver
        }
    }

    private let loop: UnboundLoop
    private let context: UnboundContext
    /// Kept until the library is done with them, however long ago who asked has gone.
    private var calls: [UInt64: Call] = [:]

    init(loop: UnboundLoop, context: UnboundContext) {
        self.loop = loop
        self.context = context
    }

    /// Questions that the library has not answered.
    var count: Int { calls.count }

    /// Waits for answers, a wake-up or the deadline, and hands out the answers.
    func wait(_ wakeDescriptor: Int32, until deadline: ContinuousClock.Instant?) {
        var descriptors = [
            pollfd(fd: ub_fd(context.pointer), events: Int16(POLLIN), revents: 0),
            pollfd(fd: wakeDescriptor, events: Int16(POLLIN), revents: 0),
        ]
        poll(&descriptors, nfds_t(descriptors.count), UnboundDriver.milliseconds(until: deadline))
        var wakeUps: UInt64 = 0
        _ = read(wakeDescriptor, &wakeUps, MemoryLayout<UInt64>.size)
        ub_process(context.pointer)
    }

    /// -1: without end. Rounded up, so that the deadline is over when the time is.
    private static func milliseconds(until deadline: ContinuousClock.Instant?) -> Int32 {
        guard let deadline else { return -1 }
        let (seconds, attoseconds) = max(deadline - .now, .zero).components
        return Int32(clamping: min(seconds, 3_600) * 1_000 + attoseconds / 1_000_000_000_000_000 + 1)
    }

    func ask(_ id: UInt64, _ question: DNSQuestion) {
        let call = Call(id: id, question: question, driver: self)
        calls[id] = call
        let status = ub_resolve_async(
            context.pointer, question.name.description, Int32(question.type.rawValue), 1,
            Unmanaged.passUnretained(call).toOpaque(),
            { pointer, status, result in
                guard let pointer else { return }
                let call = Unmanaged<Call>.fromOpaque(pointer).takeUnretainedValue()
                call.driver.answered(call, status: status, result: result)
            }, nil)
        if status != 0 { answered(call, status: status, result: nil) }
    }

    private func answered(_ call: Call, status: Int32, result: UnsafeMutablePointer<ub_result>?) {
        defer { ub_resolve_free(result) }
        guard calls.removeValue(forKey: call.id) != nil else { return }
        loop.finish(
            call.id,
            UnboundResult.answer(
                to: call.question, status: status, result: UnsafePointer(result), validates: context.validates))
    }

    /// Ends the library's thread; it calls nobody back.
    func close() {
        ub_ctx_delete(context.pointer)
        calls = [:]
    }
}
