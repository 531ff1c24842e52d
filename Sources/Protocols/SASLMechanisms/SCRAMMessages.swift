internal import MartletBytes

/// client-first-message (RFC 5802 §7).
struct SCRAMClientFirst {
    /// gs2-cbind-flag
    enum Binding: Equatable {
        /// `n`: the client cannot.
        case unsupported
        /// `y`: the client could, and thinks that the server cannot.
        case notOffered
        /// `p=name`
        case used(String)
    }

    var binding: Binding
    /// Empty when absent.
    var authorizationID: String
    var login: String
    var nonce: [UInt8]
    /// The bytes up to and with the second comma: what `c=` repeats.
    var gs2Header: [UInt8]
    var bare: [UInt8]

    init(_ bytes: [UInt8]) throws(SASLFailure) {
        let parts = bytes.split(separator: UInt8(ascii: ","), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw .malformed(rule: "gs2-header client-first-message-bare (RFC 5802 §7)") }
        switch parts[0].first {
        case UInt8(ascii: "n") where parts[0].count == 1: binding = .unsupported
        case UInt8(ascii: "y") where parts[0].count == 1: binding = .notOffered
        case UInt8(ascii: "p"):
            guard parts[0].starts(with: "p=".utf8), let name = SASLText.string(parts[0].dropFirst(2)), !name.isEmpty,
                name.utf8.count <= 64
            else {
                throw .malformed(rule: "cb-name (RFC 5802 §7)")
            }
            binding = .used(name)
        default: throw .malformed(rule: "gs2-cbind-flag (RFC 5802 §7)")
        }
        if parts[1].isEmpty {
            authorizationID = ""
        } else {
            guard parts[1].starts(with: "a=".utf8) else { throw .malformed(rule: "authzid (RFC 5802 §7)") }
            authorizationID = try SCRAMClientFirst.saslName(parts[1].dropFirst(2))
        }
        gs2Header = Array(bytes[..<parts[2].startIndex])
        bare = Array(parts[2])
        let fields = parts[2].split(separator: UInt8(ascii: ","), maxSplits: 2, omittingEmptySubsequences: false)
        if fields[0].starts(with: "m=".utf8) { throw .extensionUnsupported }
        guard fields.count >= 2, fields[0].starts(with: "n=".utf8) else {
            throw .malformed(rule: "username (RFC 5802 §7)")
        }
        login = try SCRAMClientFirst.saslName(fields[0].dropFirst(2))
        guard fields[1].starts(with: "r=".utf8) else { throw .malformed(rule: "nonce (RFC 5802 §7)") }
        nonce = Array(fields[1].dropFirst(2))
        guard nonce.count <= SASLLimits.nonce else { throw .tooLong }
        // `printable` without the comma, at which was split already.
        guard !nonce.isEmpty, nonce.allSatisfy({ $0 >= 0x21 && $0 <= 0x7E }) else {
            throw .malformed(rule: "printable nonce (RFC 5802 §7)")
        }
    }

    /// RFC 5802 §5.1: `=2C` and `=3D`; another `=` fails.
    private static func saslName(_ bytes: ArraySlice<UInt8>) throws(SASLFailure) -> String {
        guard bytes.count <= SASLLimits.name else { throw .tooLong }
        var name: [UInt8] = []
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            if byte == UInt8(ascii: "=") {
                let escape = bytes[index...].prefix(3)
                if escape.elementsEqual("=2C".utf8) {
                    name.append(UInt8(ascii: ","))
                } else if escape.elementsEqual("=3D".utf8) {
                    name.append(byte)
                } else {
                    throw .malformed(rule: "saslname (RFC 5802 §7)")
                }
                index += 3
            } else {
                name.append(byte)
                index += 1
            }
        }
        guard let text = SASLText.string(name), !text.isEmpty else {
            throw .malformed(rule: "saslname in UTF-8 (RFC 5802 §7)")
        }
        return text
    }
}

/// client-final-message (RFC 5802 §7).
struct SCRAMClientFinal {
    /// `c=`, decoded.
    var channelBinding: [UInt8]
    var nonce: [UInt8]
    var proof: [UInt8]
    var withoutProof: [UInt8]

    init(_ bytes: [UInt8]) throws(SASLFailure) {
        guard let comma = bytes.lastIndex(of: UInt8(ascii: ",")) else {
            throw .malformed(rule: "client-final-message (RFC 5802 §7)")
        }
        withoutProof = Array(bytes[..<comma])
        let last = bytes[(comma + 1)...]
        guard last.starts(with: "p=".utf8), let proof = Base64.decode(last.dropFirst(2)) else {
            throw .malformed(rule: "proof (RFC 5802 §7)")
        }
        self.proof = proof
        // Extensions behind the nonce are allowed and signed, and have no meaning that we know.
        let fields = bytes[..<comma].split(separator: UInt8(ascii: ","), maxSplits: 2, omittingEmptySubsequences: false)
        guard fields.count >= 2, fields[0].starts(with: "c=".utf8),
            let binding = Base64.decode(fields[0].dropFirst(2))
        else {
            throw .malformed(rule: "channel-binding (RFC 5802 §7)")
        }
        channelBinding = binding
        guard fields[1].starts(with: "r=".utf8) else { throw .malformed(rule: "nonce (RFC 5802 §7)") }
        nonce = Array(fields[1].dropFirst(2))
    }
}
