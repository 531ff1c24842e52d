internal import MartletBytes
public import MartletCore
public import Records

/// Rewrites the reverse path of mail that is forwarded, so that it lies in a domain of ours (SPF passes at the next
/// server), and finds the sender again when a bounce comes back (Sender Rewriting Scheme; forms and rules as in
/// Shevek's draft and libsrs2).
///
/// `anna@a.test` becomes `SRS0=hash=day=a.test=anna@ours.test`. What another forwarder has rewritten becomes
/// `SRS1=hash=other.test==rest@ours.test`, however many forwarders follow, and goes back to the one that wrote SRS0.
/// The hash keeps others from making addresses that reach whom they like. Pure: no key here, the code is computed by
/// a function.
public struct SenderRewriting: Sendable {
    /// A message authentication code over `data`, such as HMAC-SHA-256 with a key that this installation keeps. The
    /// same data give the same code; 3 octets and more, of which the first three are used.
    public typealias AuthenticationCode = @Sendable (_ data: [UInt8]) -> [UInt8]

    /// Days for which a bounce finds its way back; libsrs2's default.
    public static let maximumAge = 21
    /// Days by which another machine's clock may be ahead.
    static let maximumSkew = 1
    /// Characters of the hash, 6 bits each: libsrs2's default, and all that local parts of 64 octets have room for.
    static let hashLength = 4

    /// Why an address of this form is not followed.
    public enum Failure: Error, Sendable, Hashable {
        /// Begins neither with SRS0 nor with SRS1.
        case notRewritten
        /// A part is missing, or what is rewritten in it is no address.
        case malformed
        /// The hash is not the one that we write: made up, damaged, or of another installation.
        case forged
        /// Rewritten this many days ago, counted modulo 1,024.
        case expired(days: Int)
    }

    /// The domain that rewritten addresses are in.
    public let domain: Domain
    private let code: AuthenticationCode
    private let formerCodes: [AuthenticationCode]

    /// - Parameters:
    ///   - domain: a local domain, whose SPF record names this server.
    ///   - code: makes and checks hashes.
    ///   - formerCodes: check hashes too: those of keys that were in use within the last `maximumAge` days.
    public init(
        domain: Domain, code: @escaping AuthenticationCode, formerCodes: [AuthenticationCode] = []
    ) {
        self.domain = domain
        self.code = code
        self.formerCodes = formerCodes
    }

    /// Whether a local part has the form of a rewritten one. Such addresses of local domains are not looked up in the
    /// directory.
    public static func isRewritten(_ address: EmailAddress) -> Bool { Form(address.localPart) != nil }

    // MARK: Forward

    /// The reverse path for a message that goes on to another server.
    public struct Forwarding: Sendable, Hashable {
        /// nil for `<>`, which stays what it is.
        public var reversePath: EmailAddress?
        public var decision: Decision
        public init(reversePath: EmailAddress?, decision: Decision) {
            self.reversePath = reversePath
            self.decision = decision
        }
    }

    /// Rewrites `sender`, unless it is empty, local, or longer than a rewritten local part may be.
    ///
    /// RFC 5321 §4.5.3.1.1 ends a local part at 64 octets, which leaves 50 for the sender's local part and domain
    /// together. A longer one stays as it is: its bounces go where they always did, and only SPF fails at the next
    /// server.
    /// - Parameters:
    ///   - now: its day becomes part of the address.
    ///   - isLocal: whether a domain is one of ours. Its senders need no rewriting: its SPF record names this server.
    public func forward(_ sender: EmailAddress?, at now: Instant, isLocal: (Domain) -> Bool) -> Forwarding {
        func unchanged(_ summary: String, reference: String? = nil) -> Forwarding {
            Forwarding(
                reversePath: sender,
                decision: Decision(
                    check: "srs", outcome: .pass, summary: summary,
                    evidence: [.init("sender", sender?.description ?? "<>")], reference: reference))
        }
        guard let sender else { return unchanged("The message is a notice without a sender, and stays one.") }
        if let domain = sender.domain, isLocal(domain) {
            return unchanged(
                "The sender's domain is one of ours, so its address is kept when the message is forwarded.")
        }
        let localPart = rewritten(sender, at: now)
        guard let address = EmailAddress(localPart: localPart, domain: domain) else {
            return unchanged(
                "The sender's address is too long to be rewritten, and is kept: SPF may fail at the next server.",
                reference: "RFC 5321 §4.5.3.1.1")
        }
        // A combining character behind a separator makes another character of it in normalization form C.
        guard address.localPart.utf8.elementsEqual(localPart.utf8) else {
            return unchanged("The sender's address has a character that cannot be rewritten, and is kept.")
        }
        return Forwarding(
            reversePath: address,
            decision: Decision(
                check: "srs", outcome: .rewrite,
                summary: "The sender's address is rewritten, since the message is forwarded.",
                evidence: [.init("sender", sender.description), .init("rewritten", address.description)],
                reference: "RFC 7208 §2.4"))
    }

    private func rewritten(_ sender: EmailAddress, at now: Instant) -> String {
        let host = SenderRewriting.text(of: sender.host)
        switch Form(sender.localPart) {
        case .direct(_, _, _, _, let rest):
            return "SRS1=\(hash("SRS1=\(host)=\(rest)", code))=\(host)=\(rest)"
        case .guarded(_, let first, let rest):
            return "SRS1=\(hash("SRS1=\(first)=\(rest)", code))=\(first)=\(rest)"
        case nil:
            let day = SenderRewriting.stamp(SenderRewriting.day(of: now))
            let rest = "\(day)=\(host)=\(sender.localPart)"
            return "SRS0=\(hash("SRS0=\(rest)", code))=\(rest)"
        }
    }

    // MARK: Reverse

    /// The address that a rewritten one of ours stands for: the sender, or the forwarder that wrote SRS0.
    /// - Parameter address: as it came in RCPT; whether its domain is ours is the caller's question.
    public func reverse(_ address: EmailAddress, at now: Instant) throws(Failure) -> EmailAddress {
        switch Form(address.localPart) {
        case nil: throw .notRewritten
        case .direct(let hash, let stamp, let host, let localPart, _):
            guard isOurs(hash, over: "SRS0=\(stamp)=\(host)=\(localPart)") else { throw .forged }
            guard let then = SenderRewriting.day(stamp) else { throw .malformed }
            let slots = SenderRewriting.slots
            let age = (SenderRewriting.day(of: now) - then + slots) % slots
            guard age <= SenderRewriting.maximumAge || age >= slots - SenderRewriting.maximumSkew else {
                throw .expired(days: age)
            }
            guard let sender = SenderRewriting.address(localPart, at: host) else { throw .malformed }
            return sender
        case .guarded(let hash, let host, let rest):
            guard isOurs(hash, over: "SRS1=\(host)=\(rest)") else { throw .forged }
            guard let forwarder = SenderRewriting.address("SRS0\(rest)", at: host) else { throw .malformed }
            return forwarder
        }
    }

    /// Decides on RCPT of a rewritten address: only bounces are taken, and only to addresses that we wrote.
    /// - Parameter sender: MAIL of the transaction; nil for `<>`.
    /// - Returns: the address that the bounce goes to when it is taken.
    public func decideRecipient(
        _ address: EmailAddress, from sender: EmailAddress?, at now: Instant
    ) -> (decision: Decision, recipient: EmailAddress?) {
        let evidence = [Decision.Evidence("recipient", address.description)]
        func refused(_ summary: String, reference: String? = nil) -> (Decision, EmailAddress?) {
            (
                Decision(
                    check: "srs", outcome: .refuse, summary: summary, evidence: evidence, reference: reference,
                    remedy: "write to the sender's own address"), nil
            )
        }
        guard sender == nil else {
            return refused(
                "This address takes delivery notices only, and they have an empty sender.",
                reference: "RFC 5321 §4.5.5")
        }
        do {
            let recipient = try reverse(address, at: now)
            return (
                Decision(
                    check: "srs", outcome: .rewrite, summary: "The notice goes back to whom the message came from.",
                    evidence: evidence + [.init("sender", recipient.description)]), recipient
            )
        } catch {
            return refused(error.description)
        }
    }

    // MARK: Forms

    /// What stands in a local part: `SRS0=hash=day=host=local`, `SRS1=hash=host=rest`. The character behind the tag
    /// may be `=`, `-` or `+`; `rest` begins with it.
    private enum Form {
        case direct(hash: String, stamp: String, host: String, localPart: String, rest: String)
        case guarded(hash: String, host: String, rest: String)

        /// nil when it is neither, or a part is missing.
        init?(_ localPart: String) {
            let bytes = Array(localPart.utf8)
            guard bytes.count > 5,
                bytes[4] == UInt8(ascii: "=") || bytes[4] == UInt8(ascii: "-") || bytes[4] == UInt8(ascii: "+")
            else { return nil }
            let tag = bytes[..<4].map { ASCII.uppercased($0) }
            func parts(_ count: Int) -> [String]? {
                let parts = bytes[5...].split(
                    separator: UInt8(ascii: "="), maxSplits: count - 1, omittingEmptySubsequences: false)
                guard parts.count == count, parts.allSatisfy({ !$0.isEmpty }) else { return nil }
                return parts.map { String(decoding: $0, as: UTF8.self) }
            }
            if tag == Array("SRS0".utf8), let parts = parts(4) {
                self = .direct(
                    hash: parts[0], stamp: parts[1], host: parts[2], localPart: parts[3],
                    rest: String(decoding: bytes[4...], as: UTF8.self))
            } else if tag == Array("SRS1".utf8), let parts = parts(3) {
                self = .guarded(hash: parts[0], host: parts[1], rest: parts[2])
            } else {
                return nil
            }
        }
    }

    private static func text(of host: EmailAddress.Host) -> String {
        switch host {
        case .domain(let domain): domain.ascii
        case .literal(let literal): "[\(literal)]"
        }
    }

    private static func address(_ localPart: String, at host: String) -> EmailAddress? {
        guard let host = EmailAddress("x@\(host)")?.host else { return nil }
        return EmailAddress(localPart: localPart, host: host)
    }

    // MARK: Hash and day

    /// Over all but the hash, in lower case: mail systems may change case on the way. Tag and separators are part of
    /// it, so that no other cut gives the same data; libsrs2 leaves them out, which matters to nobody, since only its
    /// maker reads a hash.
    private func hash(_ text: String, _ code: AuthenticationCode) -> String {
        let bytes = Base64.encode(code(ASCII.lowercased(text.utf8))).prefix(SenderRewriting.hashLength)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Compared without regard to case, in a time that does not depend on where they differ.
    private func isOurs(_ hash: String, over text: String) -> Bool {
        let given = ASCII.lowercased(hash.utf8)
        guard given.count == SenderRewriting.hashLength else { return false }
        var isOurs = false
        for code in [code] + formerCodes {
            let ours = ASCII.lowercased(self.hash(text, code).utf8)
            guard ours.count == given.count else { continue }
            let difference = zip(given, ours).reduce(0 as UInt8) { $0 | ($1.0 ^ $1.1) }
            isOurs = isOurs || difference == 0
        }
        return isOurs
    }

    /// Days that two characters of base 32 can tell apart.
    private static let slots = 1_024
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)

    /// Days since 1970, modulo `slots`.
    private static func day(of now: Instant) -> Int {
        let day = Int(truncatingIfNeeded: now.seconds / 86_400) % slots
        return day < 0 ? day + slots : day
    }

    private static func stamp(_ day: Int) -> String {
        String(decoding: [alphabet[day >> 5 & 31], alphabet[day & 31]], as: UTF8.self)
    }

    private static func day(_ stamp: String) -> Int? {
        guard stamp.utf8.count == 2 else { return nil }
        var day = 0
        for byte in stamp.utf8 {
            guard let value = alphabet.firstIndex(of: ASCII.uppercased(byte)) else { return nil }
            day = day << 5 | value
        }
        return day
    }
}

extension SenderRewriting.Failure: CustomStringConvertible {
    /// One sentence, for the reply and the record.
    public var description: String {
        switch self {
        case .notRewritten: "This is not a rewritten sender address."
        case .malformed: "The rewritten sender address is incomplete."
        case .forged: "This rewritten sender address was not made here."
        case .expired(let days):
            "The message that this notice is about was forwarded \(days) days ago, which is too long."
        }
    }
}
