internal import Glibc
internal import MartletCore
package import NetworkTransport

/// A place to listen on.
package typealias ListenAddress = Listener.Endpoint

/// The characters of which one may stand before the tag in `user+tag`.
enum SubaddressSeparators {
    static let all = "+-_=.#~"
    /// For people.
    static let told = all.map { String($0) }.joined(separator: " ")

    /// The character that `text` is, when it may be one.
    static func character(_ text: String) -> Character? {
        guard text.utf8.count == 1, let character = text.first, all.contains(character) else { return nil }
        return character
    }
}

/// The value of a key after it was read.
package enum ConfigurationValue: Sendable, Hashable {
    case boolean(Bool)
    case integer(Int64)
    /// Octets; nil for `none`.
    case byteCount(Int64?)
    /// nil for `none`.
    case duration(Duration?)
    case text(String)
    case addresses([ListenAddress])
    /// A list whose elements were checked; empty for `none`.
    case texts([String])
}

/// Why a text is no value of its key: what is wrong and what to do, each a sentence without the key's name.
package struct ConfigurationValueError: Error {
    package let problem: String
    package let remedy: String
}

extension ConfigurationKey {
    /// Reads a value as written. A list is written as its elements; in an environment variable or `--set` they are
    /// separated by commas.
    package func parse(_ elements: [String]) throws(ConfigurationValueError) -> ConfigurationValue {
        if case .listenAddresses = kind { return .addresses(try ConfigurationKey.listenAddresses(elements)) }
        if let texts = try listed(elements) { return .texts(texts) }
        guard elements.count == 1 else {
            throw ConfigurationValueError(problem: "takes one value, not a list", remedy: "write \(example)")
        }
        let text = elements[0]
        switch kind {
        case .boolean:
            switch text.lowercased() {
            case "true", "yes", "on": return .boolean(true)
            case "false", "no", "off": return .boolean(false)
            default: throw wrongType(text, "true or false")
            }
        case .integer(let range):
            guard let number = Int64(text) else { throw wrongType(text, "a whole number") }
            try check(number, in: range, text) { "\($0)" }
            return .integer(number)
        case .byteCount(let range, let allowsNone):
            if allowsNone, text == "none" { return .byteCount(nil) }
            guard let count = ConfigurationKey.byteCount(text) else {
                throw wrongType(text, "a size such as 64KiB, 50MB or 1048576" + (allowsNone ? ", or none" : ""))
            }
            try check(count, in: range, text) { ConfigurationKey.text(byteCount: $0) }
            return .byteCount(count)
        case .duration(let range, let allowsNone):
            if allowsNone, text == "none" { return .duration(nil) }
            guard let duration = ConfigurationKey.duration(text) else {
                throw wrongType(text, "a duration such as 500ms, 30s, 5m or 1h30m" + (allowsNone ? ", or none" : ""))
            }
            try check(duration, in: range, text) { ConfigurationKey.text(duration: $0) }
            return .duration(duration)
        case .hostName:
            guard text.isEmpty || Domain(text) != nil else {
                throw wrongType(text, "a host name such as mail.example.org")
            }
            return .text(text.isEmpty ? "" : Domain(text)?.ascii ?? text)
        case .userName:
            let isName = text.utf8.allSatisfy {
                $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: "/")
            }
            guard isName, text.utf8.count <= 64, !text.hasPrefix("-") else { throw wrongType(text, "a user's name") }
            return .text(text)
        case .path:
            guard !text.utf8.contains(0) else { throw wrongType(text, "a path") }
            return .text(text)
        case .choice(let choices):
            guard choices.contains(text) else { throw wrongType(text, "one of " + choices.joined(separator: ", ")) }
            return .text(text)
        case .separator:
            if text == "none" { return .text("") }
            guard SubaddressSeparators.character(text) != nil else {
                throw wrongType(text, "one of \(SubaddressSeparators.told), or none")
            }
            return .text(text)
        case .secureURL:
            guard text.isEmpty || ConfigurationKey.isSecureURL(text) else {
                throw wrongType(text, "a URL that begins with https://")
            }
            return .text(text)
        case .listenAddresses, .nameServers, .routes, .paths, .certificatePairs, .hostNames, .mailAddresses:
            preconditionFailure("lists are read above")
        }
    }

    /// What a value may look like, for messages and the reference.
    package var typeDescription: String {
        switch kind {
        case .boolean: "true or false"
        case .integer(let range): "number, \(range.lowerBound) to \(range.upperBound)"
        case .byteCount(let range, let allowsNone):
            "size, \(ConfigurationKey.text(byteCount: range.lowerBound)) to \(ConfigurationKey.text(byteCount: range.upperBound))"
                + (allowsNone ? ", or none" : "")
        case .duration(let range, let allowsNone):
            "duration, \(ConfigurationKey.text(duration: range.lowerBound)) to \(ConfigurationKey.text(duration: range.upperBound))"
                + (allowsNone ? ", or none" : "")
        case .hostName: "host name"
        case .userName: "user name"
        case .path: "path"
        case .listenAddresses: "list of address:port, [v6 address]:port or socket paths; none"
        case .choice(let choices): "one of " + choices.joined(separator: ", ")
        case .separator: "one of \(SubaddressSeparators.told), or none"
        case .nameServers(let words): "list of addresses with @port, or one of " + words.joined(separator: ", ")
        case .routes: "list of domain=host:port; none"
        case .paths: "list of paths"
        case .secureURL: "https URL"
        case .hostNames: "list of host names; none"
        case .mailAddresses: "list of addresses; none"
        case .certificatePairs: "list of certificate:key, two paths each; none"
        }
    }

    private var example: String { "\(name): \(defaultText.isEmpty ? "\"\"" : defaultText)" }

    private func wrongType(_ text: String, _ wanted: String) -> ConfigurationValueError {
        ConfigurationValueError(
            problem: "“\(escapedForTerminal(text))” is not \(wanted)", remedy: "write, for example, \(example)")
    }

    private func check<Value: Comparable>(
        _ value: Value, in range: ClosedRange<Value>, _ text: String, _ told: (Value) -> String
    ) throws(ConfigurationValueError) {
        guard !range.contains(value) else { return }
        let bound =
            value < range.lowerBound
            ? "below the least, \(told(range.lowerBound))" : "above the most, \(told(range.upperBound))"
        throw ConfigurationValueError(
            problem: "\(escapedForTerminal(text)) is \(bound)",
            remedy: "choose a value from \(told(range.lowerBound)) to \(told(range.upperBound))")
    }

    /// `https://`, a host, and nothing that does not belong into a request.
    private static func isSecureURL(_ text: String) -> Bool {
        guard text.hasPrefix("https://"), text.utf8.count <= 1_000 else { return false }
        let rest = text.dropFirst(8)
        return rest.first.map { $0 != "/" && $0 != ":" } ?? false && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }

    // MARK: Units

    /// `KB`, `MB`, `GB`, `TB` are powers of 1000, `KiB` … powers of 1024; nil when it is no size or does not fit.
    package static func byteCount(_ text: String) -> Int64? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard !digits.isEmpty, let number = Int64(digits) else { return nil }
        let units: [String: Int64] = [
            "": 1, "B": 1, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000, "TB": 1_000_000_000_000, "KIB": 1 << 10,
            "MIB": 1 << 20,
            "GIB": 1 << 30, "TIB": 1 << 40,
        ]
        let unit = text.dropFirst(digits.count).drop { $0 == " " }.uppercased()
        guard let factor = units[unit] else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? nil : product
    }

    package static func text(byteCount: Int64) -> String {
        for (unit, size) in [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000)]
            as [(String, Int64)]
        where byteCount >= size && byteCount % size == 0 { return "\(byteCount / size)\(unit)" }
        for (unit, size) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] as [(String, Int64)]
        where byteCount >= size && byteCount % size == 0 { return "\(byteCount / size)\(unit)" }
        return "\(byteCount)"
    }

    private static let durationUnits: [(String, milliseconds: Int64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1),
    ]

    /// One or several numbers with units, `1h30m`; nil when it is no duration, or longer than 10,000 days.
    package static func duration(_ text: String) -> Duration? {
        var rest = Substring(text)
        var total: Int64 = 0
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(unit.count)
            guard let number = Int64(digits), let factor = durationUnits.first(where: { $0.0 == unit })?.milliseconds
            else { return nil }
            let (product, overflow) = number.multipliedReportingOverflow(by: factor)
            guard !overflow, product <= 864_000_000_000, total <= 864_000_000_000 else { return nil }
            total += product
        }
        return .milliseconds(total)
    }

    package static func text(duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        var rest = seconds * 1_000 + attoseconds / 1_000_000_000_000_000
        guard rest > 0 else { return "0s" }
        var text = ""
        for (unit, size) in durationUnits where rest >= size {
            text += "\(rest / size)\(unit)"
            rest %= size
        }
        return text
    }

    // MARK: Addresses

    static func listenAddresses(_ elements: [String]) throws(ConfigurationValueError) -> [ListenAddress] {
        let parts: [Substring] = elements.flatMap { (element: String) -> [Substring] in element.split(separator: ",") }
        let texts: [String] = parts.map { part in String(part.filter { $0 != " " }) }.filter { !$0.isEmpty }
        if texts.isEmpty || texts == ["none"] { return [] }
        var addresses: [ListenAddress] = []
        for text in texts {
            guard let address = listenAddress(text) else {
                throw ConfigurationValueError(
                    problem: "“\(escapedForTerminal(text))” is no place to listen on",
                    remedy:
                        "write address:port with a numeric address, such as 127.0.0.1:25, 0.0.0.0:25 or [::]:25, a socket's path "
                        + "that begins with /, or none")
            }
            addresses.append(address)
        }
        return addresses
    }

    private static func listenAddress(_ text: String) -> ListenAddress? {
        if text.hasPrefix("/") { return .unix(path: text) }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0 else {
            return nil
        }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            guard isIPv6(host) else { return nil }
        } else {
            guard isIPv4(host) else { return nil }
        }
        return .internet(host: host, port: Int(port))
    }

    static func isIPv4(_ text: String) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { $0.count <= 3 && UInt8($0) != nil }
    }

    static func isIPv6(_ text: String) -> Bool {
        guard text.contains(":"), text.utf8.count <= 45 else { return false }
        var bytes = in6_addr()
        return inet_pton(AF_INET6, text, &bytes) == 1
    }
}
