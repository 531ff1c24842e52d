package import DNSProtocol
package import MartletCore

/// The DNS records that a domain needs for its mail, and which of them are there.
package struct DNSPublication: Sendable {
    package struct Entry: Sendable, Hashable, Encodable {
        package let name: String
        package let type: String
        /// As a zone file has it.
        package let value: String
        /// Who sets it, where that is not the domain's own zone.
        package let note: String?
        /// nil: it could not be found out.
        package var isPublished: Bool?
    }

    package var entries: [Entry]
    private var questions: [DNSQuestion?]

    /// - Parameter addresses: where the world reaches the host; empty: not known.
    package init(domain: Domain, hostname: Domain, addresses: [IPAddress]) {
        entries = []
        questions = []
        let host = DNSName(hostname)
        for address in addresses {
            let type: DNSRecordType = address.family == .ipv4 ? .a : .aaaa
            add(host, type, "\(address)")
        }
        if addresses.isEmpty { add(host, .a, "the public address of this machine", isQuestion: false) }
        add(DNSName(domain), .mx, "10 \(host)")
        // Whoever is the MX may send, and nobody else (RFC 7208 §5.4). The host greets with its own name, and notices have
        // no other sender (§2.4).
        add(DNSName(domain), .txt, "\"v=spf1 mx -all\"")
        if hostname != domain { add(host, .txt, "\"v=spf1 a -all\"") }
        // DMARC that asks for reports and has nothing refused.
        if let name = DNSName(labels: [Array("_dmarc".utf8)] + DNSName(domain).labels) {
            add(name, .txt, "\"v=DMARC1; p=none; rua=mailto:postmaster@\(domain)\"")
        }
        for address in addresses {
            guard let name = HostAddresses.reverseName(of: address) else { continue }
            add(name, .ptr, "\(host)", note: "set by whoever gives you \(address)")
        }
    }

    private mutating func add(
        _ name: DNSName, _ type: DNSRecordType, _ value: String, note: String? = nil, isQuestion: Bool = true
    ) {
        entries.append(Entry(name: "\(name)", type: type.name, value: value, note: note))
        questions.append(isQuestion ? DNSQuestion(name, type) : nil)
    }

    /// Asks for each of them.
    package mutating func look(_ resolver: any Resolving) async {
        let asked = questions.enumerated().compactMap { place, question in question.map { (place, $0) } }
        let answers = await resolver.resolve(asked.map(\.1))
        for ((place, _), answer) in zip(asked, answers) where answer.failure == nil {
            entries[place].isPublished = answer.records.contains { DNSPublication.is($0, entries[place].value) }
        }
    }

    /// A policy of the domain's own is as good as ours.
    private static func `is`(_ record: DNSRecordData, _ value: String) -> Bool {
        switch record {
        case .a(let octets), .aaaa(let octets): IPAddress(octets: octets).map { "\($0)" } == value
        case .mx(_, let exchange): value.split(separator: " ").last.map(String.init) == "\(exchange)".lowercased()
        case .ptr(let name): "\(name)".lowercased() == value
        case .txt(let strings):
            ["v=spf1", "v=DMARC1"].contains { tag in
                value.hasPrefix("\"" + tag) && String(decoding: strings.joined(), as: UTF8.self).hasPrefix(tag)
            }
        default: false
        }
    }

    /// Lines of a zone file, each marked when it is there already.
    package var lines: [String] {
        entries.map { entry in
            let notes = [entry.note, entry.isPublished == true ? "is there" : nil].compactMap { $0 }
            return "\(entry.name) \(entry.type) \(entry.value)"
                + (notes.isEmpty ? "" : "   ; " + notes.joined(separator: "; "))
        }
    }
}
