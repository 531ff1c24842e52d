internal import Crypto

/// The channel binding `tls-server-end-point` (RFC 5929 §4.1): the certificate's hash by the hash function of its own signature,
/// with SHA-256 in the place of MD5 and SHA-1.
package enum ServerEndPoint {
    /// - Parameter der: the whole certificate, as it goes over the wire.
    package static func hash(certificate der: [UInt8]) -> [UInt8] {
        switch hashFunction(ofSignature: der) {
        case .sha384: Array(SHA384.hash(data: der))
        case .sha512: Array(SHA512.hash(data: der))
        // Where the signature has no hash function of its own (Ed25519) the RFC defines no binding; clients that make one use this.
        case .sha256, nil: Array(SHA256.hash(data: der))
        }
    }

    private enum HashFunction {
        case sha256
        case sha384
        case sha512
    }

    /// Looks the signature's algorithm up: `Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, … }` (RFC 5280 §4.1).
    private static func hashFunction(ofSignature der: [UInt8]) -> HashFunction? {
        var outer = DERReader(der[...])
        guard var certificate = outer.next(tag: DERReader.sequence).map({ DERReader($0) }),
            certificate.next(tag: DERReader.sequence) != nil,
            var algorithm = certificate.next(tag: DERReader.sequence).map({ DERReader($0) }),
            let name = algorithm.next(tag: DERReader.objectIdentifier)
        else { return nil }
        guard Array(name) == rsaPSS else { return byAlgorithm[Array(name)] }
        // RFC 4055 §3.1: the hash function is a parameter, [0]; SHA-1 when it is left out.
        guard var parameters = algorithm.next(tag: DERReader.sequence).map({ DERReader($0) }),
            var tagged = parameters.next(tag: 0xA0).map({ DERReader($0) }),
            var hash = tagged.next(tag: DERReader.sequence).map({ DERReader($0) }),
            let hashName = hash.next(tag: DERReader.objectIdentifier)
        else { return .sha256 }
        return byAlgorithm[Array(hashName)]
    }

    /// 1.2.840.113549.1.1
    private static let pkcs1: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01]
    /// 1.2.840.10045.4
    private static let ecdsa: [UInt8] = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04]
    /// 2.16.840.1.101.3.4.2
    private static let nistHashes: [UInt8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02]
    private static let rsaPSS = pkcs1 + [10]
    private static let byAlgorithm: [[UInt8]: HashFunction] = [
        pkcs1 + [4]: .sha256, pkcs1 + [5]: .sha256, pkcs1 + [11]: .sha256, pkcs1 + [12]: .sha384,
        pkcs1 + [13]: .sha512, ecdsa + [1]: .sha256, ecdsa + [3, 2]: .sha256, ecdsa + [3, 3]: .sha384,
        ecdsa + [3, 4]: .sha512, nistHashes + [1]: .sha256, nistHashes + [2]: .sha384, nistHashes + [3]: .sha512,
    ]
}

/// Steps through values of DER (X.690 §8.1): tag, length, content.
private struct DERReader {
    static let sequence: UInt8 = 0x30
    static let objectIdentifier: UInt8 = 0x06

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// The content of the next value; nil when it has another tag, or is cut off.
    mutating func next(tag: UInt8) -> ArraySlice<UInt8>? {
        guard rest.popFirst() == tag, let first = rest.popFirst() else { return nil }
        var length = Int(first)
        if first >= 0x80 {
            let count = Int(first & 0x7F)
            guard (1...4).contains(count), rest.count >= count else { return nil }
            length = rest.prefix(count).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(count)
        }
        guard rest.count >= length else { return nil }
        let content = rest.prefix(length)
        rest = rest.dropFirst(length)
        return content
    }
}
