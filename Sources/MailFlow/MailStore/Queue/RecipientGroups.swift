public import MartletCore

/// Recipients of one message as a claim takes them: in groups that one transaction each can serve.
public struct RecipientGroups: Sendable {
    public private(set) var groups: [[QueuedRecipient]] = []
    private let recipients: Int
    private let room: Int

    /// - Parameter room: groups that may be taken.
    public init(_ claim: QueueClaim, room: Int) {
        recipients = max(0, claim.recipients)
        self.room = room
    }

    /// One group has as many as one transaction takes: the rest has its turn with the next claim.
    public var isFull: Bool { recipients == 0 || groups.contains { $0.count >= recipients } }

    /// Leaves out what has no room.
    public mutating func add(_ recipient: QueuedRecipient) {
        guard !isFull else { return }
        for index in groups.indices where groups[index].first?.goesWith(recipient) ?? false {
            groups[index].append(recipient)
            return
        }
        if groups.count < room { groups.append([recipient]) }
    }
}

extension QueuedRecipient {
    /// Whether nobody works on it and no administrator holds it.
    public func isFree(_ now: Instant) -> Bool {
        switch state {
        case .waiting: true
        case .leased: nextAttempt <= now
        case .held: false
        }
    }

    /// Whether one transaction can serve both.
    public func goesWith(_ other: QueuedRecipient) -> Bool {
        destination == other.destination && reversePath == other.reversePath && deliveredTo == other.deliveredTo
    }
}
