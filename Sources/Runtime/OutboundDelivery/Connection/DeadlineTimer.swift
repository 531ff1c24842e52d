internal import NIOCore

/// One timer of a connection, on its event loop: setting a deadline anew costs nothing, the timer looks again when it fires.
final class DeadlineTimer {
    private let eventLoop: any EventLoop
    private var deadline: NIODeadline?
    private var armed: (at: NIODeadline, timer: Scheduled<Void>)?
    var passed: (() -> Void)?

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// nil: none.
    func set(_ deadline: NIODeadline?) {
        self.deadline = deadline
        guard let deadline else { return }
        if let armed, armed.at <= deadline { return }
        arm(deadline)
    }

    func end() {
        armed?.timer.cancel()
        armed = nil
        deadline = nil
        passed = nil
    }

    private func arm(_ moment: NIODeadline) {
        armed?.timer.cancel()
        let timer = eventLoop.assumeIsolated().scheduleTask(deadline: moment) { [weak self] in
            guard let self else { return }
            self.fired()
        }
        armed = (moment, timer)
    }

    private func fired() {
        armed = nil
        guard let deadline else { return }
        guard deadline <= NIODeadline.now() else { return arm(deadline) }
        self.deadline = nil
        passed?()
    }
}

extension TimeAmount {
    /// A year is as good as for ever, and cannot overflow.
    init(bounded duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self = .nanoseconds(min(max(seconds, 0), 31_536_000) * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}

extension NIODeadline {
    static func after(_ duration: Duration) -> NIODeadline { .now() + TimeAmount(bounded: duration) }
}
