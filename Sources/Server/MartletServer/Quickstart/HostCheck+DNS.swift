package import DNSProtocol
package import MartletCore

// What the DNS says of the host.
extension HostCheck {
    /// Whether questions are answered at all, whether the host's name leads here, and whether its addresses lead back.
    /// - Parameters:
    ///   - addresses: where the world reaches the host; empty: not known.
    ///   - zonesOnly: there is nobody to ask but zone files.
    package static func names(
        _ resolver: any Resolving, hostname: Domain, addresses: [IPAddress], zonesOnly: Bool
    ) async -> [HostCheck] {
        let host = DNSName(hostname)
        let answers = await resolver.resolve([
            DNSQuestion(.root, .ns), DNSQuestion(host, .a), DNSQuestion(host, .aaaa),
        ])
        guard answers.count == 3 else { return [] }
        if !zonesOnly, let failure = answers[0].failure {
            return [
                HostCheck(
                    "resolver", .warning, "the question for the root's servers \(failure.summary)",
                    remedy: "let UDP and TCP port 53 out, or set dns.servers to a resolver near by, or to system"),
                HostCheck("address", .unknown, "cannot be looked up without a resolver"),
            ]
        }
        let validation = answers[0].security == .secure ? ", with DNSSEC" : ""
        var checks = [HostCheck("resolver", .fine, zonesOnly ? "zone files alone" : "answers\(validation)")]
        let found = (answers[1].records + answers[2].records).compactMap(address)
        checks.append(forward(host, found, addresses, answers))
        for known in (addresses.isEmpty ? found : addresses) {
            guard let name = HostAddresses.reverseName(of: known) else { continue }
            checks.append(reverse(await resolver.resolve(name, .ptr), of: known, host))
        }
        return checks
    }

    private static func address(_ record: DNSRecordData) -> IPAddress? {
        switch record {
        case .a(let octets), .aaaa(let octets): IPAddress(octets: octets)
        default: nil
        }
    }

    private static func forward(
        _ host: DNSName, _ found: [IPAddress], _ addresses: [IPAddress], _ answers: [DNSAnswer]
    ) -> HostCheck {
        let told = found.map { "\($0)" }.joined(separator: ", ")
        if found.isEmpty {
            if let failure = answers[1].failure ?? answers[2].failure {
                return HostCheck("address", .unknown, "the question for \(host) \(failure.summary)")
            }
            return HostCheck(
                "address", .warning, "\(host) has no address in the DNS", remedy: "publish the records below")
        }
        if addresses.isEmpty {
            return HostCheck(
                "address", .unknown, "\(host) is \(told); this machine has no public address of its own",
                remedy: "if it is reached through another one, name that with --public-address")
        }
        guard Set(found).isSubset(of: addresses) else {
            return HostCheck(
                "address", .warning,
                "\(host) is \(told), and this machine is \(addresses.map { "\($0)" }.joined(separator: ", "))",
                remedy: "correct the record, or name the public address with --public-address")
        }
        return HostCheck("address", .fine, "\(host) is \(told)")
    }

    private static func reverse(_ answer: DNSAnswer, of address: IPAddress, _ host: DNSName) -> HostCheck {
        if let failure = answer.failure {
            return HostCheck("reverse", .unknown, "the question for the name of \(address) \(failure.summary)")
        }
        let names = answer.records.compactMap { record in
            if case .ptr(let name) = record { name } else { nil }
        }
        if names.contains(host) { return HostCheck("reverse", .fine, "\(address) is \(host)") }
        let told = names.isEmpty ? "has no name" : "is " + names.prefix(5).map { "\($0)" }.joined(separator: ", ")
        return HostCheck(
            "reverse", .warning, "\(address) \(told), and many servers refuse mail then",
            remedy: "have whoever gives you the address set its name (PTR) to \(host)")
    }
}
