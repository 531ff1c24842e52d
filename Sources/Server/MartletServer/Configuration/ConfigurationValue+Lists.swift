internal import DNSProtocol
package import MartletCore
internal import NameResolution

// Values that are lists of texts.
extension ConfigurationKey {
    /// nil where the key is no list of texts.
    func listed(_ elements: [String]) throws(ConfigurationValueError) -> [String]? {
        let parts = elements.flatMap { $0.split(separator: ",") }.map { String($0.filter { $0 != " " }) }.filter {
            !$0.isEmpty
        }
        switch kind {
        case .nameServers(let words): return try ConfigurationKey.nameServers(parts, words)
        case .routes: return parts == ["none"] ? [] : try ConfigurationKey.routes(parts)
        case .paths: return parts
        case .hostNames: return parts == ["none"] ? [] : try ConfigurationKey.hostNames(parts)
        case .mailAddresses: return parts == ["none"] ? [] : try ConfigurationKey.mailAddresses(parts)
        case .certificatePairs: return parts == ["none"] ? [] : try ConfigurationKey.certificatePairs(parts)
        case .boolean, .integer, .byteCount, .duration, .hostName, .userName, .path, .listenAddresses, .choice,
            .separator, .secureURL:
            return nil
        }
    }

    private static func nameServers(_ parts: [String], _ words: [String]) throws(ConfigurationValueError) -> [String] {
        if parts.count == 1, words.contains(parts[0]) { return parts }
        for part in parts where ResolverOptions.NameServer(part) == nil {
            throw ConfigurationValueError(
                problem: "“\(escapedForTerminal(part))” is no resolver",
                remedy: "write a numeric address such as 192.0.2.53 or 127.0.0.1@5353, or one of "
                    + words.joined(separator: ", "))
        }
        guard !parts.isEmpty else {
            throw ConfigurationValueError(
                problem: "names nobody", remedy: "write an address, or one of " + words.joined(separator: ", "))
        }
        return parts
    }

    private static func hostNames(_ parts: [String]) throws(ConfigurationValueError) -> [String] {
        var names: [String] = []
        for part in parts {
            guard let domain = Domain(part) else {
                throw ConfigurationValueError(
                    problem: "“\(escapedForTerminal(part))” is no name of a host",
                    remedy: "write names such as mail.example.org, without *")
            }
            if !names.contains(domain.ascii) { names.append(domain.ascii) }
        }
        return names
    }

    private static func mailAddresses(_ parts: [String]) throws(ConfigurationValueError) -> [String] {
        for part in parts where EmailAddress(part)?.domain == nil {
            throw ConfigurationValueError(
                problem: "“\(escapedForTerminal(part))” is no address", remedy: "write name@domain")
        }
        return parts
    }

    private static func certificatePairs(_ parts: [String]) throws(ConfigurationValueError) -> [String] {
        for part in parts where CertificatePair(part) == nil {
            throw ConfigurationValueError(
                problem: "“\(escapedForTerminal(part))” is no certificate with its key",
                remedy: "write CERTIFICATE:KEY, two paths without a colon in them, such as "
                    + "/etc/martlet/example.net.pem:/etc/martlet/example.net.key")
        }
        return parts
    }

    private static func routes(_ parts: [String]) throws(ConfigurationValueError) -> [String] {
        for part in parts where FixedRoute(part) == nil {
            throw ConfigurationValueError(
                problem: "“\(escapedForTerminal(part))” is no route",
                remedy: "write domain=host:port, such as other.test=127.0.0.1:2525, or *=relay.example.net:25")
        }
        return parts
    }
}

/// Where mail for a domain goes instead of to its MX.
package struct FixedRoute: Sendable, Hashable {
    /// nil: every domain.
    package var domain: Domain?
    package var host: EmailAddress.Host
    package var port: Int

    /// Reads `other.test=127.0.0.1:2525`, `*=[2001:db8::1]:25`, `other.test=relay.test:25`; nil when it is none.
    package init?(_ text: String) {
        guard let equals = text.firstIndex(of: "=") else { return nil }
        let name = String(text[..<equals])
        domain = name == "*" ? nil : Domain(name)
        if domain == nil, name != "*" { return nil }
        guard let target = LabOptions.hostAndPort(String(text[text.index(after: equals)...])) else { return nil }
        port = target.port
        if ConfigurationKey.isIPv6(target.host) {
            host = .literal("ipv6:\(target.host.lowercased())")
        } else if ConfigurationKey.isIPv4(target.host) {
            host = .literal(target.host)
        } else {
            guard let domain = Domain(target.host) else { return nil }
            host = .domain(domain)
        }
    }
}
