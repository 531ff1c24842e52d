internal import MailStore
internal import Synchronization

/// One import at a time looks into a mailbox and adds to it: otherwise two of them, such as one whose command was killed and the
/// one that goes on for it, could both find a message missing.
final class MailboxTurns: Sendable {
    static let shared = MailboxTurns()

    /// Mailboxes whose turn is taken, and who waits for it.
    private let waiting = Mutex<[MailboxKey: [CheckedContinuation<Void, Never>]]>([:])

    /// Waits for the turn. `end` follows.
    func begin(_ key: MailboxKey) async {
        await withCheckedContinuation { continuation in
            let isFree = waiting.withLock { waiting in
                guard waiting[key] == nil else {
                    waiting[key]?.append(continuation)
                    return false
                }
                waiting[key] = []
                return true
            }
            if isFree { continuation.resume() }
        }
    }

    func end(_ key: MailboxKey) {
        let next = waiting.withLock { waiting in
            guard let first = waiting[key]?.first else {
                waiting[key] = nil
                return nil as CheckedContinuation<Void, Never>?
            }
            waiting[key]?.removeFirst()
            return first
        }
        next?.resume()
    }
}
