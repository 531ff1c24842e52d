internal import MailStore
internal import MartletCore

/// A message that waits for other servers.
package struct QueuedMessageView: Codable, Sendable, Hashable {
    package struct Recipient: Codable, Sendable, Hashable {
        package var address: String
        /// As given in RCPT.
        package var original: String
        package var destination: String
        /// `waiting`, `leased` (tried now), `held`.
        package var state: String
        /// RFC 3339; absent while it is held.
        package var nextAttempt: String?
        package var attempts: Int
        package var lastReply: String?
    }

    package var code: String
    /// The return path; empty for `<>`.
    package var sender: String
    package var size: Int
    /// Whose turn it takes.
    package var lane: String
    package var queuedAt: String
    package var expiresAt: String
    package var recipients: [Recipient]

    init(_ delivery: QueuedDelivery) {
        let message = delivery.message
        code = message.code.description
        sender = delivery.recipients.first?.reversePath?.description ?? ""
        size = message.size
        lane = message.lane
        queuedAt = message.queuedAt.description
        expiresAt = message.expiresAt.description
        recipients = delivery.recipients.map {
            Recipient(
                address: $0.address.description, original: $0.original, destination: $0.destination,
                state: $0.state.rawValue, nextAttempt: $0.state == .held ? nil : $0.nextAttempt.description,
                attempts: $0.attempts, lastReply: $0.lastReply)
        }
    }
}

package struct QueueStatisticsView: Codable, Sendable, Hashable {
    package struct Destination: Codable, Sendable, Hashable {
        package var destination: String
        package var recipients: Int64
        package var nextDue: String?
    }

    package var messages: Int64
    package var recipients: Int64
    package var held: Int64
    package var oldest: String?
    /// The largest first; at most 100.
    package var destinations: [Destination]

    init(_ statistics: QueueStatistics) {
        messages = statistics.messages
        recipients = statistics.recipients
        held = statistics.held
        oldest = statistics.oldest?.description
        destinations = statistics.destinations.map {
            Destination(
                destination: $0.destination, recipients: $0.recipients, nextDue: $0.nextDue?.description)
        }
    }
}
