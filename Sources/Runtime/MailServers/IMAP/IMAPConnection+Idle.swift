internal import IMAPProtocol
internal import MailStore
internal import NIOCore
internal import NetworkTransport

// IDLE (RFC 9051 §6.3.13): changes are told as they are committed, without polling or timers.
extension IMAPConnection {
    func idle(tag: String) async {
        mode = .idling(tag: tag)
        framer.expectLine()
        out.continuation("idling")
        idleSignal.arm()
        await synchronise(announcesExpunges: true)
    }

    func idleEnded(_ line: [UInt8], tag: String) async {
        idleSignal.disarm()
        mode = .commands
        guard line.count == 4, zip(line, "DONE".utf8).allSatisfy({ $0 & 0xDF == $1 }) else {
            reply(tag, .bad, "Expected DONE")
            countBadCommand()
            return
        }
        await synchronise(announcesExpunges: true)
        completed(tag, "IDLE")
    }

    /// The store has committed a change to the selected mailbox. Called from any thread.
    nonisolated func storeChanged() {
        guard idleSignal.changed() else { return }
        connection.eventLoop.execute { [weak self] in
            guard let self else { return }
            self.assumeIsolated { $0.wake() }
        }
    }

    /// Tells the changes, unless work is under way: that ends with a look at them.
    func wake() {
        guard case .idling = mode, !isOver else { return }
        guard !isRunning else {
            isWakePending = true
            return
        }
        start { await $0.announceWhileIdle() }
    }

    func announceWhileIdle() async {
        // A peer that does not read is told no more until it does: changes gather in the store, not in the output.
        await drain()
        // Whoever may no longer read is told nothing more.
        guard !isOver, await loginHolds() else { return await processInput() }
        // Armed before the look, so that a change behind it wakes again.
        idleSignal.arm()
        await synchronise(announcesExpunges: true)
        // Input may have come meanwhile.
        await processInput()
    }
}
