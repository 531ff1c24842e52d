internal import MailStore

/// Messages that a command leaves out because their bytes are damaged: the others are served, and NO [CORRUPTION] says at the
/// end that some are missing (RFC 5530 §3).
struct DamagedMessages: Sendable {
    private(set) var count = 0
    /// The first one's UID and what the store said of it. For the log.
    private(set) var first: (uid: UInt32, reason: String)?

    var isEmpty: Bool { count == 0 }

    mutating func add(_ uid: UInt32, reason: String) {
        count += 1
        if first == nil { first = (uid, reason) }
    }

    mutating func add(_ other: DamagedMessages) {
        count += other.count
        if first == nil { first = other.first }
    }
}

extension MailboxStore {
    /// Summaries as `summaries(in:uids:)` gives them, without the ones that are damaged.
    /// - Parameter damaged: gets the messages whose summary is damaged.
    func readableSummaries(
        in key: MailboxKey, uids: [UInt32], _ damaged: inout DamagedMessages
    ) async throws(StoreError) -> [(uid: UInt32, summary: StoredSummary)] {
        do throws(StoreError) {
            return try await summaries(in: key, uids: uids)
        } catch {
            guard case .corrupt = error else { throw error }
        }
        // One of them is damaged: each is asked for alone.
        var readable: [(uid: UInt32, summary: StoredSummary)] = []
        for uid in uids {
            do throws(StoreError) {
                readable += try await summaries(in: key, uids: [uid])
            } catch {
                guard case .corrupt(let reason) = error else { throw error }
                damaged.add(uid, reason: reason)
            }
        }
        return readable
    }
}

extension IMAPConnection {
    /// The end of a command that has served all messages but the damaged ones.
    func fail(_ tag: String, _ damaged: DamagedMessages) {
        reply(tag, .no, .corruption, "Messages that are left out because they are damaged: \(damaged.count)")
        guard let first = damaged.first else { return }
        service.logger.error(
            "damaged messages are left out",
            metadata: [
                "count": "\(damaged.count)", "first UID": "\(first.uid)", "reason": "\(first.reason)",
                "connection": "\(connection.number)",
            ])
    }
}
