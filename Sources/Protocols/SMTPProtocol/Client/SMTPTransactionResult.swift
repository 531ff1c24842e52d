public import MartletCore

/// What became of a transaction.
public struct SMTPTransactionResult: Sendable, Hashable {
    /// What became of one recipient.
    public enum Outcome: Sendable, Hashable {
        /// The server has taken responsibility for it (RFC 5321 §6.1).
        case accepted(SMTPReply)
        /// The server's 4yz or 5yz.
        case refused(SMTPReply)
        /// The session broke before it was decided; the message was not taken.
        case failed(SMTPClientFailure)
        /// The session broke when all of the message was sent and its answer was awaited: it may have been taken or not.
        case unknown(SMTPClientFailure)
        /// The message or this address needs SMTPUTF8, which the server has not (RFC 6531 §3.2, §3.6).
        case needsSMTPUTF8
        /// The server told its limit, in octets; nothing was sent (RFC 1870 §6.3).
        case tooLarge(limit: Int)
        /// The server takes 7-bit only, and the message could not be made so (RFC 6152 §3).
        case cannotBeConverted
    }

    public struct Recipient: Sendable, Hashable {
        public var outcome: Outcome
        public var stage: SMTPClientStage
        public init(outcome: Outcome, stage: SMTPClientStage) {
            self.outcome = outcome
            self.stage = stage
        }

        public var isAccepted: Bool {
            if case .accepted = outcome { return true }
            return false
        }

        /// Another try cannot do better. Neither this nor `isAccepted`: temporary.
        public var isPermanent: Bool {
            switch outcome {
            case .accepted, .failed, .unknown: return false
            case .needsSMTPUTF8, .tooLarge, .cannotBeConverted: return true
            case .refused(let reply):
                // RFC 5321 §4.5.3.1.10: 552 to RCPT has meant that there are too many recipients.
                let isExcess = reply.enhanced == nil || reply.enhanced == EnhancedStatus(5, 5, 3)
                if stage == .recipient, reply.code == 552, isExcess { return false }
                return reply.code >= 500
            }
        }

        /// What a delivery report says (RFC 3463); where the server gave no enhanced code, its reply's class.
        public var status: EnhancedStatus {
            switch outcome {
            case .accepted(let reply): reply.enhanced ?? EnhancedStatus(2, 0, 0)
            case .refused(let reply):
                isPermanent
                    ? reply.enhanced ?? EnhancedStatus(5, 0, 0)
                    : reply.enhanced.flatMap { $0.category == 4 ? $0 : nil } ?? EnhancedStatus(4, 0, 0)
            case .failed(let cause): cause.status.category == 4 ? cause.status : EnhancedStatus(4, 0, 0)
            case .unknown: EnhancedStatus(4, 4, 2)
            case .needsSMTPUTF8: EnhancedStatus(5, 6, 7)
            case .tooLarge: EnhancedStatus(5, 3, 4)
            case .cannotBeConverted: EnhancedStatus(5, 6, 3)
            }
        }

        /// The reply, or what went wrong and where, as one line.
        public var text: String {
            switch outcome {
            case .accepted(let reply), .refused(let reply): "\(reply)"
            case .failed(let cause): "\(cause.text) (\(stage.rawValue))"
            case .unknown(let cause): "the message was sent, and \(cause.text): it may have been taken"
            case .needsSMTPUTF8: "the message or the address needs SMTPUTF8, which the server does not offer"
            case .tooLarge(let limit): "the message is larger than the \(limit) octets that the server takes"
            case .cannotBeConverted: "the server takes 7-bit messages only, and this one could not be converted"
            }
        }
    }

    /// In the order of the transaction's recipients.
    public var recipients: [Recipient]
    /// ENVID, RET, NOTIFY and ORCPT were passed on, so that notices are the next server's to make (RFC 3461 §5.2).
    public var passedDSN: Bool
    /// The connection had served another transaction before, and broke before the server answered anything of this one: nothing
    /// has happened, and another connection may be tried at once.
    public var isStaleConnection: Bool
    /// Lines of both sides, as `DeliveryAttempt.transcript` wants them.
    public var transcript: [String]

    public init(
        recipients: [Recipient], passedDSN: Bool = false, isStaleConnection: Bool = false, transcript: [String] = []
    ) {
        self.recipients = recipients
        self.passedDSN = passedDSN
        self.isStaleConnection = isStaleConnection
        self.transcript = transcript
    }
}
