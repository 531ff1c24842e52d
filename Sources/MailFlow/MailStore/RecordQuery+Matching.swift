internal import MartletCore
public import Records

extension RecordQuery {
    /// Without angle brackets.
    public static func bare(_ messageID: String) -> String {
        messageID.hasPrefix("<") && messageID.hasSuffix(">") && messageID.utf8.count >= 2
            ? String(messageID.dropFirst().dropLast()) : messageID
    }

    /// Whether all that is asked holds of the record; `limit` aside.
    public func matches(_ record: Record) -> Bool {
        if let code, record.code != code { return false }
        if let messageID, record.messageID.map(RecordQuery.bare) != RecordQuery.bare(messageID) { return false }
        if let address {
            let wanted = address.lowercased()
            var known = [record.sender, record.peer.login] + record.recipients
            for delivery in record.deliveries { known += [delivery.recipient, delivery.finalAddress] }
            guard known.contains(where: { $0?.lowercased() == wanted }) else { return false }
        }
        if let since, record.at < since { return false }
        if let until, record.at > until { return false }
        if let kind, record.kind != kind { return false }
        if let outcome, record.outcome != outcome { return false }
        return true
    }
}
