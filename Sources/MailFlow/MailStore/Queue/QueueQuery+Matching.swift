internal import MartletCore

extension QueueQuery {
    /// Whether all that is asked of a recipient holds; `code` and `limit` aside.
    public func matches(_ recipient: QueuedRecipient) -> Bool {
        if let destination, recipient.destination != destination.lowercased() { return false }
        if let state, recipient.state != state { return false }
        if let address {
            let wanted = address.lowercased()
            let known = [recipient.address.description, recipient.original, recipient.sender?.description ?? "<>"]
            guard known.contains(where: { $0.lowercased() == wanted }) else { return false }
        }
        return true
    }
}
