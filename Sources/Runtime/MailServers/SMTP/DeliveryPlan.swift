internal import MailStore
internal import MartletCore

/// Who gets a copy of a message, and which copies answer which RCPT: an account that several of them reach gets one.
struct DeliveryPlan {
    var recipients: [AcceptedMessage.Recipient] = []
    /// For each RCPT the places of its copies in `recipients`; none where the message has been to all of its targets.
    var answers: [[Int]] = []
    /// Whom the message was delivered to before: it came back, and another copy would go round again (RFC 5321 §6.3).
    var looping: [EmailAddress] = []

    /// - Parameter deliveredTo: the message's Delivered-To fields.
    init(_ envelope: Envelope, deliveredTo: [String]) {
        let before = Set(deliveredTo.map { $0.lowercased() })
        var places: [AccountID: Int] = [:]
        for recipient in envelope.recipients {
            var indices: [Int] = []
            for target in recipient.targets {
                if let place = places[target.account] {
                    indices.append(place)
                } else if before.contains(target.address.description.lowercased()) {
                    if !looping.contains(target.address) { looping.append(target.address) }
                } else {
                    places[target.account] = recipients.count
                    indices.append(recipients.count)
                    recipients.append(
                        AcceptedMessage.Recipient(
                            account: target.account, mailbox: "INBOX",
                            prefix: TraceFields.deliveryPrefix(
                                reversePath: envelope.reversePath, final: target.address),
                            original: recipient.text, final: target.address))
                }
            }
            answers.append(indices)
        }
    }
}
