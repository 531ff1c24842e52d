public import MailStore
public import MartletCore

/// Who gets a copy of a message, and which copies answer which RCPT: an account that several of them reach gets one.
public struct DeliveryPlan: Sendable {
    /// A recipient that was taken at RCPT.
    public struct Recipient: Sendable {
        /// As given in RCPT.
        public var text: String
        /// Mailbox owners here.
        public var targets: [Resolution.Target]
        /// Addresses elsewhere: the recipient itself, or what an alias names.
        public var outside: [EmailAddress]
        /// The alias that `outside` stands behind; nil where the recipient itself is elsewhere.
        public var forwarder: EmailAddress?
        /// NOTIFY, when it was said.
        public var notify: NotifyConditions?
        /// ORCPT, decoded.
        public var originalRecipient: String?
        public init(
            text: String, targets: [Resolution.Target], outside: [EmailAddress] = [], forwarder: EmailAddress? = nil,
            notify: NotifyConditions? = nil, originalRecipient: String? = nil
        ) {
            self.text = text
            self.targets = targets
            self.outside = outside
            self.forwarder = forwarder
            self.notify = notify
            self.originalRecipient = originalRecipient
        }
    }

    /// Copies for mailboxes here.
    public private(set) var recipients: [AcceptedMessage.Recipient] = []
    /// Copies for other servers; due at once.
    public private(set) var outbound: [QueuedRecipient] = []
    /// For each RCPT the places of its copies in `recipients`; none where the message has been to all of its targets.
    public private(set) var answers: [[Int]] = []
    /// Whom the message was delivered to before: it came back, and another copy would go round again (RFC 5321 §6.3).
    public private(set) var looping: [EmailAddress] = []

    /// - Parameters:
    ///   - sender: the reverse path; nil for `<>`.
    ///   - deliveredTo: the message's Delivered-To fields.
    ///   - forward: the reverse path with which a message goes on from an alias of ours.
    public init(
        _ envelope: [Recipient], sender: EmailAddress?, deliveredTo: [String], now: Instant,
        forward: (EmailAddress?) -> EmailAddress?
    ) {
        let before = Set(deliveredTo.map { $0.lowercased() })
        var places: [AccountID: Int] = [:]
        var queued: Set<EmailAddress> = []
        for recipient in envelope {
            var indices: [Int] = []
            for target in recipient.targets {
                if let place = places[target.account] {
                    indices.append(place)
                } else if before.contains(target.address.description.lowercased()) {
                    note(target.address)
                    continue
                } else {
                    places[target.account] = recipients.count
                    indices.append(recipients.count)
                    recipients.append(
                        AcceptedMessage.Recipient(
                            account: target.account, mailbox: "INBOX",
                            prefix: DeliveryPlan.deliveryPrefix(sender: sender, final: target.address),
                            original: recipient.text, final: target.address))
                }
            }
            for address in recipient.outside {
                if let forwarder = recipient.forwarder, before.contains(forwarder.description.lowercased()) {
                    note(forwarder)
                    continue
                }
                guard queued.insert(address).inserted else { continue }
                outbound.append(
                    QueuedRecipient(
                        number: outbound.count, address: address, original: recipient.text,
                        originalRecipient: recipient.originalRecipient, notify: recipient.notify ?? .standard,
                        reversePath: recipient.forwarder == nil ? sender : forward(sender), sender: sender,
                        deliveredTo: recipient.forwarder, destination: DeliveryPlan.destination(of: address),
                        nextAttempt: now))
            }
            answers.append(indices)
        }
    }

    private mutating func note(_ address: EmailAddress) {
        if !looping.contains(address) { looping.append(address) }
    }

    /// What connections are counted by.
    static func destination(of address: EmailAddress) -> String {
        switch address.host {
        case .domain(let domain): domain.ascii
        case .literal(let literal): "[\(literal)]"
        }
    }

    /// Lines that only this recipient's copy has (RFC 5321 §4.4).
    static func deliveryPrefix(sender: EmailAddress?, final: EmailAddress) -> [UInt8] {
        Array("Return-Path: <\(sender?.description ?? "")>\r\nDelivered-To: \(final)\r\n".utf8)
    }
}
