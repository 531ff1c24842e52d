public import MartletCore

/// Where mail for a destination goes, and how that was found (RFC 5321 §5).
public struct MailRoute: Sendable, Hashable {
    public enum Outcome: Sendable, Hashable {
        /// In the order in which they are tried; at least one, each with at least one address.
        case hosts([MailHost])
        case failure(MailRouteFailure)
    }

    public var destination: EmailAddress.Host
    public var outcome: Outcome
    /// Of the answer that named the hosts: the MX records', or that there are none. DANE asks for `secure`
    /// (RFC 7672 §2.2).
    public var security: DNSAnswer.Security
    /// Seconds for which this route may be used again: the smallest TTL that it rests on; 0 after a failure that may pass.
    public var ttl: UInt32
    /// In the order in which they were taken; bounded.
    public var steps: [RouteStep]

    public init(
        destination: EmailAddress.Host, outcome: Outcome, security: DNSAnswer.Security, ttl: UInt32, steps: [RouteStep]
    ) {
        self.destination = destination
        self.outcome = outcome
        self.security = security
        self.ttl = ttl
        self.steps = steps
    }

    public var hosts: [MailHost] {
        if case .hosts(let hosts) = outcome { return hosts }
        return []
    }

    public var failure: MailRouteFailure? {
        if case .failure(let failure) = outcome { return failure }
        return nil
    }
}

/// One server that takes mail for the destination.
public struct MailHost: Sendable, Hashable {
    /// What made it one.
    public enum Origin: String, Sendable, Hashable, CaseIterable {
        case mx = "MX"
        /// The destination itself, since it has no MX record (RFC 5321 §5.1).
        case implicitMX = "implicit MX"
        /// It was named by us or the user: a relay of the configuration, an address literal.
        case given
    }

    /// As the MX record has it; the name that certificates are compared with. nil for an address literal.
    public var name: Domain?
    /// Where its chain of CNAMEs ends; equal to `name` where there is none. DANE asks for TLSA records there first
    /// (RFC 7672 §2.2.2).
    public var canonicalName: Domain?
    /// Lower is better; 0 without an MX record.
    public var preference: UInt16
    public var origin: Origin
    /// In the order in which they are tried: as the resolver gave them, the families in turn, none twice.
    public var addresses: [IPAddress]
    /// Of the answers with its addresses, the weaker of the two (RFC 7672 §2.2.2).
    public var addressSecurity: DNSAnswer.Security

    public init(
        name: Domain?, canonicalName: Domain? = nil, preference: UInt16 = 0, origin: Origin, addresses: [IPAddress],
        addressSecurity: DNSAnswer.Security
    ) {
        self.name = name
        self.canonicalName = canonicalName ?? name
        self.preference = preference
        self.origin = origin
        self.addresses = addresses
        self.addressSecurity = addressSecurity
    }
}

/// Why mail has nowhere to go. `reply` and `status` are for the bounce and the queue.
public struct MailRouteFailure: Sendable, Hashable, Error {
    public enum Reason: String, Sendable, Hashable, CaseIterable {
        /// NXDOMAIN.
        case noSuchDomain
        /// RFC 7505.
        case nullMX
        /// The domain exists, and has neither MX nor address.
        case noAddress
        /// There are MX records, and none of them leads to an address.
        case noUsableExchange
        /// The best server for the destination is this one, which does not take its mail.
        case loop
        /// What stands in the brackets is no address that can be connected to.
        case badLiteral
        /// The address is of a family that is switched off.
        case familyIsOff
        /// The DNS gave no answer.
        case lookupFailed
        /// DNSSEC validation failed.
        case bogus
    }

    public var reason: Reason
    /// Class 5: no retry helps. Class 4: it may pass.
    public var status: EnhancedStatus
    /// One sentence that names the destination.
    public var text: String
    /// `RFC 7505 §3`
    public var reference: String

    public init(reason: Reason, status: EnhancedStatus, text: String, reference: String) {
        self.reason = reason
        self.status = status
        self.text = text
        self.reference = reference
    }

    public var isPermanent: Bool { status.category == 5 }
}

/// One step on the way to a route, for records and for people.
public struct RouteStep: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// The DNS was asked; `answer` is there.
        case lookup
        /// Something follows from what is known.
        case conclusion
        /// Something is wrong, and the way goes on without it.
        case problem
    }

    public var kind: Kind
    /// A sentence in plain words, one line; names of the network in it are escaped.
    public var text: String
    public var answer: DNSAnswer?
    /// The rule: `RFC 5321 §5.1`.
    public var reference: String?

    public init(_ kind: Kind, _ text: String, answer: DNSAnswer? = nil, reference: String? = nil) {
        self.kind = kind
        self.text = text
        self.answer = answer
        self.reference = reference
    }
}
