public import MartletCore

/// Why there is no new certificate, in words for people: what happened, and what to do.
public struct ACMEFailure: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: String, Sendable, Hashable {
        /// It could not be reached, or answered nonsense.
        case unreachable
        /// Its limits are reached, or it has no time.
        case limited
        /// It looked for the proof and did not find it.
        case unproven
        /// It does not issue what was asked for, or not to this account.
        case refused
        /// Its answer does not follow the standard, or the certificate is not what was asked for.
        case invalid
        /// Something here has to be changed first.
        case setup
    }

    public let kind: Kind
    public let problem: String
    public let remedy: String
    /// The authority asked to be left alone for so long.
    public let retryAfter: Duration?

    public init(_ kind: Kind, _ problem: String, remedy: String, retryAfter: Duration? = nil) {
        self.kind = kind
        self.problem = problem
        self.remedy = remedy
        self.retryAfter = retryAfter
    }

    public var description: String { "\(problem); \(remedy)" }

    /// Characters of an authority's own words that are told; of one that is quoted in a sentence of ours; and how many problems of
    /// one answer.
    static let maximumDetail = 300
    static let maximumQuotation = 200
    static let maximumSubproblems = 3

    /// An attempt that was given up because the server ends; no fault of anybody.
    package static let ending = ACMEFailure(
        .unreachable, "the server is ending", remedy: "it is tried again at the next start")
}

extension ACMEFailure {
    /// A problem document in answer to a request (RFC 8555 §6.7).
    /// - Parameter doing: what was asked for, such as “asked for an account”.
    init(_ problem: ACMEDocuments.Problem?, status: Int, doing: String, retryAfter: Duration?) {
        let type = ACMEFailure.shortType(problem)
        let told = "the authority, \(doing), answered \(status)" + ACMEFailure.words(problem)
        switch type {
        case "rateLimited":
            self.init(
                .limited, told, remedy: "this is a limit of the authority's; it is tried again later, by itself",
                retryAfter: retryAfter)
        case "externalAccountRequired":
            self.init(
                .setup, told,
                remedy:
                    "this authority wants customers of its own: set acme.external-account to the key that it gave you")
        case "userActionRequired":
            self.init(
                .setup, told, remedy: "look at your account with the authority: it wants you to agree to something")
        case "invalidContact", "unsupportedContact":
            self.init(.setup, told, remedy: "set acme.contact to an address that takes mail")
        case "rejectedIdentifier":
            self.init(.refused, told, remedy: "see whether acme.names has only names that the public DNS knows")
        case "caa":
            self.init(
                .refused, told,
                remedy: "the domain's CAA record forbids this authority: change that record or acme.directory")
        case "serverInternal":
            self.init(.unreachable, told, remedy: "it is tried again later, by itself", retryAfter: retryAfter)
        default:
            if status == 429 || status >= 500 {
                self.init(
                    status == 429 ? .limited : .unreachable, told, remedy: "it is tried again later, by itself",
                    retryAfter: retryAfter)
            } else {
                self.init(.refused, told, remedy: "see whether acme.names and acme.directory are right")
            }
        }
    }

    /// A challenge that the authority found wanting (RFC 8555 §7.5.1, §8).
    static func unproven(
        _ problem: ACMEDocuments.Problem?, name: String, kind: ACMEChallengeKind
    ) -> ACMEFailure {
        let place = kind == .http ? "port 80" : "port 443"
        let listener = kind == .http ? "listeners.acme" : "listeners.acme-tls"
        let remedy =
            switch shortType(problem) {
            case "dns": "see whether \(name) has an A or AAAA record that leads to this machine"
            case "connection", "tls":
                "see whether \(name) leads to this machine and \(place) is open from outside to \(listener)"
            case "unauthorized", "incorrectResponse":
                "another server seems to answer there: see whether \(name) leads to this machine and \(place) to \(listener)"
            case "caa": "the domain's CAA record forbids this authority: change that record or acme.directory"
            case "rateLimited": "this is a limit of the authority's; it is tried again later, by itself"
            default: "see whether \(name) leads to this machine and \(place) is open from outside to \(listener)"
            }
        let isLimit = shortType(problem) == "rateLimited"
        return ACMEFailure(
            isLimit ? .limited : .unproven,
            "the authority could not verify \(name) by \(kind.rawValue)" + words(problem), remedy: remedy)
    }

    static func nonsense(_ what: String) -> ACMEFailure {
        ACMEFailure(
            .invalid, "the authority's answer is not understood: \(what)",
            remedy: "see whether acme.directory is the directory of an ACME authority")
    }

    /// `rateLimited` of `urn:ietf:params:acme:error:rateLimited`.
    static func shortType(_ problem: ACMEDocuments.Problem?) -> String {
        let prefix = "urn:ietf:params:acme:error:"
        guard let type = problem?.type, type.hasPrefix(prefix) else { return "" }
        return String(type.dropFirst(prefix.count))
    }

    private static func words(_ problem: ACMEDocuments.Problem?) -> String {
        let details = ([problem?.detail] + (problem?.subproblems ?? []).prefix(maximumSubproblems).map(\.detail))
            .compactMap { $0 }
        guard !details.isEmpty else { return "" }
        return ": " + String(details.joined(separator: " · ").prefix(maximumDetail))
    }
}
