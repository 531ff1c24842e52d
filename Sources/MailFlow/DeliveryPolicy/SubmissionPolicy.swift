internal import MailStore
public import MartletCore
public import Records

/// Whom somebody who has logged in may write as: their own addresses, with any tag (RFC 6409 §6.1, §8.1).
public enum SubmissionPolicy {
    /// Whether `address` is one of `own`, or one of them with a tag behind the domain's separator.
    public static func isOwn(_ address: EmailAddress, among own: [EmailAddress], in lookup: some AddressLookup) -> Bool
    {
        guard let domain = address.domain else { return false }
        let local = address.foldedLocalPart
        let separator = lookup.domain(domain)?.subaddressSeparator
        let base = separator.flatMap { local.firstIndex(of: $0) }.map { String(local[..<$0]) }
        return own.contains { candidate in
            candidate.domain == domain && (candidate.foldedLocalPart == local || candidate.foldedLocalPart == base)
        }
    }

    /// Decides on MAIL of an authenticated session.
    public static func decideSender(
        _ sender: EmailAddress?, login: String, own: [EmailAddress], in lookup: some AddressLookup
    ) -> Decision {
        guard let sender else {
            return Decision(
                check: "sender", outcome: .refuse,
                summary: "Programs that log in give their own address, not the empty one.",
                evidence: [.init("login", login)], reference: "RFC 6409 §6.1",
                remedy: "send with MAIL FROM:<\(own.first?.description ?? login)>")
        }
        guard isOwn(sender, among: own, in: lookup) else {
            return Decision(
                check: "sender", outcome: .refuse,
                summary: "The sender address does not belong to the account that logged in.",
                evidence: [.init("sender", sender.description), .init("login", login)], reference: "RFC 6409 §6.1",
                remedy: "use one of the account's addresses, or make this one an alias of it with `martlet alias add`")
        }
        return Decision(
            check: "sender", outcome: .pass, summary: "The sender address belongs to the account that logged in.",
            evidence: [.init("sender", sender.description)], reference: "RFC 6409 §6.1")
    }

    /// Decides on the From field of a message that came by submission. Every address of From has to be an own one.
    public static func decideFrom(
        _ addresses: [String], login: String, own: [EmailAddress], in lookup: some AddressLookup
    ) -> Decision {
        guard !addresses.isEmpty else {
            return Decision(
                check: "from", outcome: .refuse, summary: "The message has no From field with an address.",
                reference: "RFC 5322 §3.6",
                remedy: "add a From field")
        }
        for text in addresses {
            guard let address = EmailAddress(text), isOwn(address, among: own, in: lookup) else {
                return Decision(
                    check: "from", outcome: .refuse,
                    summary: "The From field names an address that does not belong to the account that logged in.",
                    evidence: [.init("from", text), .init("login", login)], reference: "RFC 6409 §8.1",
                    remedy: "use one of the account's addresses in From, or make this one an alias of it")
            }
        }
        return Decision(
            check: "from", outcome: .pass, summary: "The From field names the account that logged in.",
            reference: "RFC 6409 §8.1")
    }
}
