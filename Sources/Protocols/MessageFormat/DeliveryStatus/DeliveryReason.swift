internal import MartletBytes
public import MartletCore

/// Why a message did not arrive, as a person would put it: from the enhanced code (RFC 3463 and its registry, RFC
/// 5248), and from the words of the reply where the code says nothing.
public enum DeliveryReason: String, Sendable, Hashable, CaseIterable {
    case noSuchUser
    case noSuchDomain
    case badAddress
    case moved
    case acceptsNoMail
    case senderRefused
    case mailboxDisabled
    case mailboxFull
    case messageTooLarge
    case listProblem
    case serverFull
    case serverNotAccepting
    case noAnswer
    case connectionBroken
    case nameServerFailed
    case noRoute
    case serverBusy
    case loop
    case tooLate
    case protocolProblem
    case tooManyRecipients
    case contentRefused
    case conversionNeeded
    case internationalAddress
    case blocked
    case looksLikeSpam
    case unproven
    case notAllowed
    case encryptionNeeded
    case tryLater
    /// Taken off the queue by hand.
    case cancelled
    case unknown

    /// - Parameters:
    ///   - status: the enhanced code; its class does not matter.
    ///   - reply: what was said, in one line.
    public init(status: EnhancedStatus, reply: String?) {
        // A reply of success where none could be: something was answered out of turn.
        if let reply, let code = ReplyCode(reply), code.basic < 400 {
            self = .protocolProblem
            return
        }
        let precise = Self.codes[UInt32(status.subject) << 16 | UInt32(status.detail)]
        if let precise, !Self.vague.contains(precise) {
            self = precise
        } else if let reply, let said = Self.said(reply) {
            self = said
        } else {
            self = precise ?? Self.subjects[status.subject] ?? (status.category == 4 ? .tryLater : .unknown)
        }
    }

    /// What happened, as a sentence.
    /// - Parameters:
    ///   - domain: the recipient's.
    ///   - host: the server that was spoken to; nil where none was reached.
    public func explanation(domain: String, host: String?) -> String {
        let server = host.map { "The server \($0)" } ?? "The mail system of \(domain)"
        return switch self {
        case .noSuchUser: "There is no mailbox with this address at \(domain)."
        case .noSuchDomain: "There is no domain \(domain)."
        case .badAddress: "The address is not written in a form that \(domain) understands."
        case .moved: "The mailbox has moved, and its new address is not known."
        case .acceptsNoMail: "The domain \(domain) states that it accepts no mail."
        case .senderRefused: "\(server) does not accept your own address as a sender."
        case .mailboxDisabled: "The mailbox exists, but it is switched off and takes no mail."
        case .mailboxFull: "The mailbox is full."
        case .messageTooLarge: "The message is larger than \(domain) accepts."
        case .listProblem: "The address stands for a list, and the list does not work."
        case .serverFull: "\(server) has no room left for mail."
        case .serverNotAccepting: "\(server) does not take mail at present."
        case .noAnswer: "No server of \(domain) answered."
        case .connectionBroken: "The connection to the mail system of \(domain) broke off."
        case .nameServerFailed:
            "It could not be found out which server takes mail for \(domain), because the DNS did not answer."
        case .noRoute: "No server was found that takes mail for \(domain)."
        case .serverBusy: "\(server) is too busy."
        case .loop: "The message went round in a circle between mail servers."
        case .tooLate: "The message could not be delivered in the time that is set for it."
        case .protocolProblem: "\(server) and this one did not understand each other."
        case .tooManyRecipients: "\(server) does not take a message for so many recipients at once."
        case .contentRefused: "\(server) does not accept the content or an attachment of the message."
        case .conversionNeeded:
            "The message is in a form that \(domain) cannot take, and it cannot be converted without damage."
        case .internationalAddress:
            "The message has letters beyond ASCII in an address or a header field (SMTPUTF8), and the mail system of "
                + "\(domain) cannot handle that."
        case .blocked:
            "\(server) does not accept mail from here: it has blocked this server, its network or your domain."
        case .looksLikeSpam: "\(server) takes the message for spam or for something harmful."
        case .unproven: "\(server) doubts that the message is really from your domain (SPF, DKIM or DMARC)."
        case .notAllowed: "\(server) has a rule that does not allow this message."
        case .encryptionNeeded: "A connection that is safe enough could not be made to the mail system of \(domain)."
        case .tryLater: "\(server) asked to try again later."
        case .cancelled: "An administrator of this mail server took the message off its queue."
        case .unknown: "\(server) did not accept the message."
        }
    }

    /// What its reader can do when the message has failed.
    public var advice: String {
        switch self {
        case .noSuchUser, .badAddress: "Check the spelling of the address, or ask the recipient for the right one."
        case .noSuchDomain, .noRoute: "Check the spelling of what stands behind the @."
        case .moved, .mailboxDisabled, .acceptsNoMail:
            "Reach the recipient in another way, and ask for another address."
        case .senderRefused: "Check the address that you send from, or ask your administrator."
        case .mailboxFull: "Tell the recipient in another way, and send the message again when there is room."
        case .messageTooLarge: "Send it with smaller attachments, in several messages, or share the files by a link."
        case .listProblem, .loop: "Tell the administrator of the recipient's domain."
        case .serverFull, .serverNotAccepting, .noAnswer, .connectionBroken, .nameServerFailed, .serverBusy, .tooLate,
            .tryLater:
            "Send the message again later. If it is urgent, reach the recipient in another way."
        case .cancelled: "Ask the administrator of this mail server."
        case .protocolProblem, .unknown: "Read the answer above. If it does not help, ask your administrator."
        case .tooManyRecipients: "Send the message to fewer recipients at a time."
        case .contentRefused: "Send the message without the attachment, or in another format."
        case .conversionNeeded: "Send it as plain text or with another mail program."
        case .internationalAddress: "Send it from an address, to addresses and with file names in plain ASCII letters."
        case .blocked, .unproven, .encryptionNeeded:
            "Tell your administrator, who has to mend this with the help of the answer. Sending it again will not help."
        case .looksLikeSpam:
            "Write the message in other words, without links and attachments, or reach the recipient in another way."
        case .notAllowed: "Ask the recipient whether they can allow your messages, or ask your administrator."
        }
    }

    /// RFC 3463 §3 and the registry of RFC 5248: `subject << 16 | detail`.
    private static let codes: [UInt32: DeliveryReason] = {
        let table: [(UInt32, UInt32, DeliveryReason)] = [
            (1, 1, .noSuchUser), (1, 2, .noSuchDomain), (1, 3, .badAddress), (1, 4, .badAddress), (1, 6, .moved),
            (1, 7, .senderRefused), (1, 8, .senderRefused), (1, 9, .internationalAddress), (1, 10, .acceptsNoMail),
            (2, 0, .unknown), (2, 1, .mailboxDisabled), (2, 2, .mailboxFull), (2, 3, .messageTooLarge),
            (2, 4, .listProblem),
            (3, 1, .serverFull), (3, 2, .serverNotAccepting), (3, 3, .conversionNeeded), (3, 4, .messageTooLarge),
            (3, 5, .noRoute),
            (4, 1, .noAnswer), (4, 2, .connectionBroken), (4, 3, .nameServerFailed), (4, 4, .noRoute),
            (4, 5, .serverBusy),
            (4, 6, .loop), (4, 7, .tooLate),
            (5, 3, .tooManyRecipients),
            (6, 1, .contentRefused), (6, 2, .conversionNeeded), (6, 3, .conversionNeeded), (6, 4, .conversionNeeded),
            (6, 5, .conversionNeeded), (6, 6, .contentRefused), (6, 7, .internationalAddress),
            (6, 8, .internationalAddress), (6, 9, .internationalAddress), (6, 10, .internationalAddress),
            (7, 0, .notAllowed), (7, 1, .notAllowed), (7, 2, .notAllowed), (7, 4, .encryptionNeeded),
            (7, 5, .encryptionNeeded), (7, 10, .encryptionNeeded), (7, 11, .encryptionNeeded),
            (7, 13, .mailboxDisabled),
            (7, 17, .moved), (7, 18, .moved), (7, 20, .unproven), (7, 21, .unproven), (7, 22, .unproven),
            (7, 23, .unproven),
            (7, 24, .unproven), (7, 25, .blocked), (7, 26, .unproven), (7, 27, .senderRefused), (7, 28, .serverBusy),
            (7, 29, .unproven), (7, 30, .encryptionNeeded),
        ]
        return Dictionary(table.map { ($0 << 16 | $1, $2) }) { first, _ in first }
    }()

    /// Where the code names the subject only.
    private static let subjects: [UInt16: DeliveryReason] = [
        1: .badAddress, 3: .serverNotAccepting, 4: .connectionBroken, 5: .protocolProblem, 6: .contentRefused,
        7: .notAllowed,
    ]

    /// Codes that servers use for many things: what is said counts more.
    private static let vague: Set<DeliveryReason> = [.notAllowed, .unknown]

    /// What replies say in words, the more telling first. Lower case.
    private static let phrases: [(String, DeliveryReason)] = [
        ("cancelled by the administrator", .cancelled),
        ("no such user", .noSuchUser), ("user unknown", .noSuchUser), ("unknown user", .noSuchUser),
        ("does not exist", .noSuchUser), ("no such recipient", .noSuchUser), ("no such mailbox", .noSuchUser),
        ("no mailbox here", .noSuchUser), ("invalid recipient", .noSuchUser), ("recipient unknown", .noSuchUser),
        ("user not found", .noSuchUser), ("recipient not found", .noSuchUser), ("mailbox not found", .noSuchUser),
        ("mailbox full", .mailboxFull), ("mailbox is full", .mailboxFull), ("over quota", .mailboxFull),
        ("quota exceeded", .mailboxFull), ("exceeded storage", .mailboxFull), ("out of storage", .mailboxFull),
        ("disabled", .mailboxDisabled), ("inactive", .mailboxDisabled), ("suspended", .mailboxDisabled),
        ("dmarc", .unproven), ("dkim", .unproven), ("spf", .unproven), ("unauthenticated", .unproven),
        ("block list", .blocked), ("blocklist", .blocked), ("blacklist", .blocked), ("blocked", .blocked),
        ("reputation", .blocked), ("reverse dns", .blocked), ("ptr record", .blocked), ("listed at", .blocked),
        ("spam", .looksLikeSpam), ("virus", .looksLikeSpam), ("malware", .looksLikeSpam), ("phish", .looksLikeSpam),
        ("too large", .messageTooLarge), ("size exceeds", .messageTooLarge), ("too big", .messageTooLarge),
        ("attachment", .contentRefused), ("smtputf8", .internationalAddress), ("starttls", .encryptionNeeded),
        ("encryption", .encryptionNeeded), ("greylist", .tryLater), ("graylist", .tryLater), ("too many", .serverBusy),
        ("timed out", .noAnswer), ("timeout", .noAnswer), ("connection refused", .noAnswer),
        ("rate limit", .serverBusy),
    ]

    private static func said(_ reply: String) -> DeliveryReason? {
        let text = ASCII.lowercased(reply.utf8.prefix(PeerText.maximumLength))
        return text.withUnsafeBytes { bytes in
            phrases.first { bytes.firstIndex(of: Array($0.0.utf8)) != nil }?.1
        }
    }
}
